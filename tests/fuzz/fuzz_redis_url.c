/* Any bytes as the URL of a Redis server: nothing crashes, what is refused is explained without it, what is accepted reads the same once more. */
#include "fuzz/expect.h"

#include "redis.h"

#include <ctype.h>
#include <string.h>

static void check_error(const flowctl_error *err) {
    static const char end[] = "; as in redis://user:password@host:6379/0 or redis+unix:///path/of/socket?db=0";
    size_t length = strnlen(err->message, sizeof err->message);
    EXPECT(err->status == FLOWCTL_INVALID_ARGUMENT && err->offset == -1 && length < sizeof err->message);
    EXPECT(strncmp(err->message, "redis: url: ", 12) == 0);
    EXPECT(length > sizeof end && strcmp(err->message + length - (sizeof end - 1), end) == 0);
}

static void check_settings(const struct fc_redis_settings *s) {
    EXPECT(s->port >= 0 && s->port <= 65535);
    EXPECT(s->database >= 0 && s->database <= 1000000);
    EXPECT(s->unix_socket == NULL || (s->host == NULL && s->port == 0 && *s->unix_socket == '/'));
    EXPECT((s->host == NULL || *s->host != '\0') && (s->user == NULL || *s->user != '\0') &&
           (s->password == NULL || *s->password != '\0'));
}

/* Every byte that could mean something as %XX. */
static char *add(char *to, const char *text) {
    for (; text != NULL && *text != '\0'; text++)
        if (isalnum((unsigned char)*text)) *to++ = *text;
        else to += sprintf(to, "%%%02X", (unsigned char)*text);
    return to;
}

static bool same(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

static void check_again(const struct fc_redis_settings *s, size_t size) {
    bool has_socket = s->unix_socket != NULL;
    struct fc_redis_settings again = {.port = 0};
    char *url = malloc(4 * size + 100), *to = url;
    EXPECT(url != NULL);
    to += sprintf(to, has_socket ? "redis+unix://" : "redis://");
    to = add(to, s->user);
    *to++ = ':';
    to = add(to, s->password);
    *to++ = '@';
    if (has_socket) *to++ = '/';
    to = add(to, has_socket ? s->unix_socket + 1 : s->host);
    if (s->port != 0) to += sprintf(to, ":%d", s->port);
    sprintf(to, has_socket ? "?db=%d" : "/%d", s->database);
    EXPECT(fc_redis_url_read(&again, url, NULL) == FLOWCTL_OK);
    EXPECT(same(s->host, again.host) && same(s->unix_socket, again.unix_socket));
    EXPECT(same(s->user, again.user) && same(s->password, again.password));
    EXPECT(s->port == again.port && s->database == again.database);
    fc_redis_settings_free(&again);
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fc_redis_settings s = {.port = 0};
    flowctl_error err;
    /* A block of the exact size, so that reading behind the end shows. */
    char *url = malloc(size + 1);
    if (url == NULL) return 0;
    if (size != 0) memcpy(url, data, size);
    url[size] = '\0';
    memset(&err, 0, sizeof err);
    if (fc_redis_url_read(&s, url, &err) == FLOWCTL_OK) {
        check_settings(&s);
        check_again(&s, size);
    } else {
        check_error(&err);
    }
    fc_redis_settings_free(&s);
    free(url);
    return 0;
}
