#include "base/error.h"
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define LONGEST_WAIT_NS FLOWCTL_NS_PER_HOUR

void flowctl_redis_options_init(flowctl_redis_options *options, size_t size) {
    if (options == NULL || size < sizeof options->size) return;
    memset(options, 0, size);
    options->size = size;
}

static flowctl_status refuse(flowctl_error *err, const char *field, const char *why) {
    return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "redis: %s: %s", field, why);
}

/* A text of the options; it must be what the URL says, if that says something. */
static flowctl_status take_text(char **to, const char *text, const char *field, flowctl_error *err) {
    if (text == NULL) return FLOWCTL_OK;
    if (*to != NULL)
        return strcmp(*to, text) == 0 ? FLOWCTL_OK : refuse(err, field, "is another one in the url: give one of them");
    *to = strdup(text);
    return *to != NULL ? FLOWCTL_OK : fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "redis: no memory");
}

static flowctl_status take_number(int *to, int number, int most, const char *field, flowctl_error *err) {
    if (number < 0 || number > most)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "redis: %s is %d: 0 … %d", field, number, most);
    if (number == 0) return FLOWCTL_OK;
    if (*to != 0 && *to != number) return refuse(err, field, "is another one in the url: give one of them");
    *to = number;
    return FLOWCTL_OK;
}

static flowctl_status take_time(uint64_t *to, uint64_t ns, uint64_t usual_ns, const char *field, flowctl_error *err) {
    *to = ns != 0 ? ns : usual_ns;
    if (*to >= FLOWCTL_NS_PER_MS && *to <= LONGEST_WAIT_NS) return FLOWCTL_OK;
    return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                   "redis: %s is %llu: nanoseconds, from a millisecond to an hour", field, (unsigned long long)*to);
}

static flowctl_status take_times(struct fc_redis_settings *s, const flowctl_redis_options *o, flowctl_error *err) {
    flowctl_status status =
        take_time(&s->connect_timeout_ns, o->connect_timeout_ns, FLOWCTL_NS_PER_SEC, "connect_timeout_ns", err);
    if (status == FLOWCTL_OK)
        status = take_time(&s->reply_timeout_ns, o->reply_timeout_ns, FLOWCTL_NS_PER_SEC, "reply_timeout_ns", err);
    if (status == FLOWCTL_OK)
        status = take_time(&s->backoff_min_ns, o->backoff_min_ns, 50 * FLOWCTL_NS_PER_MS, "backoff_min_ns", err);
    if (status == FLOWCTL_OK)
        status = take_time(&s->backoff_max_ns, o->backoff_max_ns, 2 * FLOWCTL_NS_PER_SEC, "backoff_max_ns", err);
    if (status == FLOWCTL_OK && s->backoff_max_ns < s->backoff_min_ns)
        status = refuse(err, "backoff_max_ns", "is less than backoff_min_ns");
    return status;
}

static flowctl_status take_prefix(struct fc_redis_settings *s, const char *prefix, flowctl_error *err) {
    if (prefix == NULL) prefix = "flowctl:";
    if (strlen(prefix) > FLOWCTL_REDIS_PREFIX_MAX)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "redis: key_prefix has %zu bytes: at most %d",
                       strlen(prefix), FLOWCTL_REDIS_PREFIX_MAX);
    if (strpbrk(prefix, "{}*?[]\\^") != NULL)
        return refuse(err, "key_prefix", "has one of {}*?[]\\^, which mean something to the server");
    snprintf(s->prefix, sizeof s->prefix, "%s", prefix);
    return FLOWCTL_OK;
}

/* Where the server is: one place. */
static flowctl_status check_place(struct fc_redis_settings *s, flowctl_error *err) {
    struct sockaddr_un address;
    size_t most = sizeof address.sun_path - 2; /* hiredis does not end it with a zero byte if it is longer */
    if (s->unix_socket != NULL && (s->host != NULL || s->port != 0))
        return refuse(err, "unix_socket", "is given, and a host or port too: give one place");
    if (s->host != NULL && *s->host == '\0') return refuse(err, "host", "is empty: NULL means 127.0.0.1");
    if (s->unix_socket != NULL && *s->unix_socket == '\0') return refuse(err, "unix_socket", "is empty: NULL means none");
    if (s->unix_socket != NULL && strlen(s->unix_socket) > most)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT, "redis: unix_socket has %zu bytes: at most %zu",
                       strlen(s->unix_socket), most);
    if (s->user != NULL && s->password == NULL) return refuse(err, "password", "is missing, and there is a user");
    if (s->unix_socket == NULL && s->port == 0) s->port = 6379;
    if (s->unix_socket == NULL && s->host == NULL) s->host = strdup("127.0.0.1");
    return s->unix_socket != NULL || s->host != NULL ? FLOWCTL_OK
                                                     : fc_fail(err, FLOWCTL_NO_MEMORY, FC_NO_TEXT, "redis: no memory");
}

flowctl_status fc_redis_settings_read(struct fc_redis_settings *s, const flowctl_redis_options *o, flowctl_error *err) {
    flowctl_status status = FLOWCTL_OK;
    *s = (struct fc_redis_settings){.port = 0};
    if (o == NULL) return refuse(err, "config", "is NULL: it points to a flowctl_redis_options");
    if (o->size != sizeof *o)
        return fc_fail(err, FLOWCTL_BAD_SIZE, FC_NO_TEXT,
                       "redis: options.size is %zu, this library knows %zu: start from FLOWCTL_REDIS_OPTIONS_INIT", o->size,
                       sizeof *o);
    if (o->start != FLOWCTL_REDIS_START_FAIL && o->start != FLOWCTL_REDIS_START_DEGRADED)
        return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                       "redis: start is %d: FLOWCTL_REDIS_START_FAIL or FLOWCTL_REDIS_START_DEGRADED", (int)o->start);
    s->start = o->start;
    if (o->url != NULL) status = fc_redis_url_read(s, o->url, err);
    if (status == FLOWCTL_OK) status = take_text(&s->host, o->host, "host", err);
    if (status == FLOWCTL_OK) status = take_number(&s->port, o->port, 65535, "port", err);
    if (status == FLOWCTL_OK) status = take_text(&s->unix_socket, o->unix_socket, "unix_socket", err);
    if (status == FLOWCTL_OK) status = take_text(&s->user, o->user, "user", err);
    if (status == FLOWCTL_OK) status = take_text(&s->password, o->password, "password", err);
    if (status == FLOWCTL_OK) status = take_number(&s->database, o->database, 1000000, "database", err);
    if (status == FLOWCTL_OK) status = take_times(s, o, err);
    if (status == FLOWCTL_OK) status = take_prefix(s, o->key_prefix, err);
    if (status == FLOWCTL_OK) status = check_place(s, err);
    if (status != FLOWCTL_OK) fc_redis_settings_free(s);
    return status;
}

/* Not left behind in memory that others will have. */
static void forget(char *secret) {
    if (secret != NULL)
        for (volatile char *at = secret; *at != '\0'; at++) *at = '\0';
    free(secret);
}

void fc_redis_settings_free(struct fc_redis_settings *s) {
    free(s->host);
    free(s->unix_socket);
    free(s->user);
    forget(s->password);
    *s = (struct fc_redis_settings){.port = 0};
}
