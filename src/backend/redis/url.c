#include "base/error.h"
#include "redis.h"

#include <stdlib.h>
#include <string.h>
#include <uriparser/Uri.h>

static flowctl_status refuse(flowctl_error *err, const char *why) {
    /* The URL itself is not shown: there may be a password in it. */
    return fc_fail(err, FLOWCTL_INVALID_ARGUMENT, FC_NO_TEXT,
                   "redis: url: %s; as in redis://user:password@host:6379/0 or redis+unix:///path/of/socket?db=0", why);
}

/* With scheme:// */
static bool begins(const UriUriA *uri, const char *scheme) {
    size_t length = strlen(scheme);
    const UriTextRangeA *own = &uri->scheme;
    return own->first != NULL && (size_t)(own->afterLast - own->first) == length &&
           memcmp(own->first, scheme, length) == 0 && strncmp(own->afterLast, "://", 3) == 0;
}

/* A part of the text, decoded; "" if it is not there; NULL without memory, or if it has a zero byte. */
static char *decoded(const char *first, const char *end) {
    size_t length = first == NULL ? 0 : (size_t)(end - first);
    char *text = malloc(length + 1);
    if (text == NULL) return NULL;
    if (length != 0) memcpy(text, first, length);
    text[length] = '\0';
    const char *after = uriUnescapeInPlaceExA(text, URI_FALSE, URI_BR_DONT_TOUCH);
    if (strlen(text) == (size_t)(after - text)) return text;
    free(text);
    return NULL;
}

static bool take(char **to, const char *first, const char *end) {
    char *text = decoded(first, end);
    if (text == NULL) return false;
    if (*text == '\0') {
        free(text);
        return true;
    }
    free(*to);
    *to = text;
    return true;
}

/* [user][:password] */
static bool take_user(struct fc_redis_settings *s, const UriTextRangeA *info) {
    if (info->first == NULL) return true;
    const char *colon = memchr(info->first, ':', (size_t)(info->afterLast - info->first));
    if (!take(&s->user, info->first, colon != NULL ? colon : info->afterLast)) return false;
    return colon == NULL || take(&s->password, colon + 1, info->afterLast);
}

static bool read_number(const char *first, const char *end, int most, int *number) {
    long value = 0;
    if (first == NULL || first == end || end - first > 9) return false;
    for (; first < end; first++) {
        if (*first < '0' || *first > '9') return false;
        value = 10 * value + (*first - '0');
    }
    *number = (int)value;
    return value <= most;
}

/* Where the path begins, and ends. Not by the parser's parts of it: an empty one has no place in the text. */
static const char *path_of(const UriUriA *uri, const char **end) {
    const char *host = uri->scheme.afterLast + strlen("://"), *path = host + strcspn(host, "/?#");
    *end = path + strcspn(path, "?#");
    return path;
}

static flowctl_status read_tcp(struct fc_redis_settings *s, const UriUriA *uri, flowctl_error *err) {
    const char *end, *path = path_of(uri, &end);
    if (!take(&s->host, uri->hostText.first, uri->hostText.afterLast)) return refuse(err, "the host can't be read");
    if (uri->portText.first != NULL && uri->portText.first != uri->portText.afterLast &&
        (!read_number(uri->portText.first, uri->portText.afterLast, 65535, &s->port) || s->port == 0))
        return refuse(err, "the port is not 1 … 65535");
    if (uri->query.first != NULL) return refuse(err, "nothing is known behind ?");
    if (end - path > 1 && !read_number(path + 1, end, 1000000, &s->database))
        return refuse(err, "what stands behind the host is not the number of a database");
    return FLOWCTL_OK;
}

static flowctl_status read_unix(struct fc_redis_settings *s, const UriUriA *uri, flowctl_error *err) {
    const char *end, *path = path_of(uri, &end);
    if (uri->hostText.first != uri->hostText.afterLast || uri->portText.first != NULL)
        return refuse(err, "the path of a socket begins with a slash, behind the two of redis+unix://");
    if (path == end || end[-1] == '/') return refuse(err, "the path of the socket is missing");
    if (!take(&s->unix_socket, path, end)) return refuse(err, "the path can't be read");
    if (uri->query.first == NULL) return FLOWCTL_OK;
    if (uri->query.afterLast - uri->query.first < 3 || memcmp(uri->query.first, "db=", 3) != 0 ||
        !read_number(uri->query.first + 3, uri->query.afterLast, 1000000, &s->database))
        return refuse(err, "behind ? stands db= and the number of a database");
    return FLOWCTL_OK;
}

flowctl_status fc_redis_url_read(struct fc_redis_settings *s, const char *url, flowctl_error *err) {
    UriUriA uri;
    const char *at = NULL;
    flowctl_status status;
    if (uriParseSingleUriA(&uri, url, &at) != URI_SUCCESS) return refuse(err, "it can't be read");
    if (uri.fragment.first != NULL) status = refuse(err, "nothing is known behind #");
    else if (!take_user(s, &uri.userInfo)) status = refuse(err, "the user or password can't be read");
    else if (begins(&uri, "redis")) status = read_tcp(s, &uri, err);
    else if (begins(&uri, "redis+unix")) status = read_unix(s, &uri, err);
    else if (begins(&uri, "rediss")) status = refuse(err, "TLS (rediss) is not known to this version");
    else status = refuse(err, "it begins with redis:// or redis+unix://");
    uriFreeUriMembersA(&uri);
    return status;
}
