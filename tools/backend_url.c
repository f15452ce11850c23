#include "backend_url.h"

#include "examples/backend_file.h"
#include "text.h"

#ifdef FLOWCTL_WITH_REDIS
#include <flowctl/redis.h>
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static flowctl_status fail(flowctl_error *err, flowctl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static flowctl_status fail(flowctl_error *err, flowctl_status status, const char *format, ...) {
    va_list args;
    char message[sizeof err->message];
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    err->status = status;
    err->offset = -1;
    fct_text_printable(err->message, sizeof err->message, message);
    return status;
}

/* What stands between the colon of user:password@ and the at-sign is nobody's business. */
static void show(struct fct_backend_url *url) {
    char text[sizeof url->shown];
    const char *user = strstr(url->text, "://"), *at = user != NULL ? strchr(user, '@') : NULL,
               *colon = at != NULL ? strchr(user + 3, ':') : NULL;
    if (colon != NULL && colon < at) snprintf(text, sizeof text, "%.*s***%s", (int)(colon + 1 - url->text), url->text, at);
    else snprintf(text, sizeof text, "%s", url->text);
    fct_text_printable(url->shown, sizeof url->shown, text);
}

/* ---- memory: ---- */

static flowctl_status read_memory(struct fct_backend_url *url, const char *rest, flowctl_error *err) {
    url->ops = flowctl_memory_backend();
    return *rest == '\0' ? FLOWCTL_OK
                         : fail(err, FLOWCTL_INVALID_ARGUMENT, "\"%.80s\": memory: has nothing behind it", url->text);
}

/* ---- file: ---- */

/* With two slashes a host comes first, and only this one's files can be opened. Nothing is decoded: a path may be any bytes. */
static flowctl_status read_file(struct fct_backend_url *url, const char *rest, flowctl_error *err) {
    url->ops = &file_backend_ops;
    if (strncmp(rest, "//", 2) == 0) {
        rest += 2;
        if (*rest != '/')
            return fail(err, FLOWCTL_INVALID_ARGUMENT,
                        "\"%.80s\": names a host: a path behind // begins with a slash, as in file:///var/lib/limits",
                        url->text);
    }
    if (*rest == '\0')
        return fail(err, FLOWCTL_INVALID_ARGUMENT, "\"%.80s\": has no path: give one, as in file:/var/lib/limits", url->text);
    url->owned = strdup(rest);
    url->config = url->owned;
    return url->owned != NULL ? FLOWCTL_OK : fail(err, FLOWCTL_NO_MEMORY, "no memory");
}

static flowctl_status find_file(const struct fct_backend_url *url, flowctl_error *err) {
    if (access(url->config, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)) return FLOWCTL_OK; /* open will say why */
    return fail(err, FLOWCTL_NOT_FOUND, "%.160s: %s", (const char *)url->config, strerror(errno));
}

/* ---- redis://, redis+unix:// ---- */

#ifdef FLOWCTL_WITH_REDIS
static flowctl_status read_redis(struct fct_backend_url *url, const char *rest, flowctl_error *err) {
    flowctl_redis_options *options = malloc(sizeof *options);
    (void)rest;
    if (options == NULL) return fail(err, FLOWCTL_NO_MEMORY, "no memory");
    flowctl_redis_options_init(options, sizeof *options);
    options->url = url->text;                             /* what is wrong with it, opening tells */
    options->password = getenv("FLOWCTL_REDIS_PASSWORD"); /* a command line can be seen by others */
    url->ops = flowctl_redis_backend();
    url->owned = options;
    url->config = options;
    return FLOWCTL_OK;
}
#endif

/* ---- the table ---- */

static const struct scheme {
    const char *name, *form;
    flowctl_status (*read)(struct fct_backend_url *url, const char *rest, flowctl_error *err);
    flowctl_status (*find)(const struct fct_backend_url *url, flowctl_error *err); /* NULL: opening makes nothing */
} schemes[] = {
    {"memory:", "memory:", read_memory, NULL},
    {"file:", "file:PATH", read_file, find_file},
#ifdef FLOWCTL_WITH_REDIS
    {"redis:", "redis://HOST[:PORT][/DATABASE]", read_redis, NULL},
    {"redis+unix:", "redis+unix://SOCKET", read_redis, NULL},
#endif
};
#define SCHEMES (sizeof schemes / sizeof *schemes)

static const struct scheme *scheme_of(const char *text) {
    for (size_t i = 0; i < SCHEMES; i++)
        if (strncmp(text, schemes[i].name, strlen(schemes[i].name)) == 0) return &schemes[i];
    return NULL;
}

void fct_backend_url_forms(char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SCHEMES && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ", schemes[i].form);
}

flowctl_status fct_backend_url_read(struct fct_backend_url *url, const char *text, flowctl_error *err) {
    char forms[128];
    const struct scheme *scheme = scheme_of(text);
    *url = (struct fct_backend_url){.text = text};
    show(url);
    if (scheme != NULL) return scheme->read(url, text + strlen(scheme->name), err);
    fct_backend_url_forms(forms, sizeof forms);
    return fail(err, FLOWCTL_INVALID_ARGUMENT, "\"%.80s\": there is no such backend; there is %s", text, forms);
}

flowctl_status fct_backend_url_find(const struct fct_backend_url *url, flowctl_error *err) {
    const struct scheme *scheme = scheme_of(url->text);
    return scheme->find != NULL ? scheme->find(url, err) : FLOWCTL_OK;
}

flowctl_status fct_backend_url_open(const struct fct_backend_url *url, const char *member, flowctl_drive drive,
                                    flowctl_backend **backend, flowctl_error *err) {
    flowctl_backend_options options = FLOWCTL_BACKEND_OPTIONS_INIT;
    options.ops = url->ops;
    options.config = url->config;
    options.drive = drive;
    options.member = member;
    return flowctl_backend_open(&options, backend, err);
}

bool fct_backend_url_is_shared(const struct fct_backend_url *url) {
    return (flowctl_backend_ops_capabilities(url->ops) & FLOWCTL_CAN_SHARE) != 0;
}

void fct_backend_url_cleanup(struct fct_backend_url *url) {
    free(url->owned);
    url->owned = NULL;
}
