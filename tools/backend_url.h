/*
 * A backend by the text that a user gives for it: a scheme, a colon, and what the scheme makes of the rest.
 *
 *     memory:                   this process only
 *     file:PATH, file:///PATH   a file, for the processes of one machine (examples/backend_file.c)
 *     redis://…, redis+unix://… a Redis or Valkey server (flowctl/redis.h)
 *
 * A scheme is a row in a table; another backend is another row.
 */
#ifndef FCT_BACKEND_URL_H
#define FCT_BACKEND_URL_H

#include <flowctl/sys/backend.h>

struct fct_backend_url {
    const char *text; /* as the user wrote it; not copied */
    char shown[256];  /* for people: printable, without the password */
    const flowctl_backend_ops *ops;
    const void *config; /* for flowctl_backend_options.config, or a decorator's inner_config */
    void *owned;        /* for cleanup */
};

/* Understands a text; opens nothing. Cleanup may follow in any case. Fails with what there is. */
flowctl_status fct_backend_url_read(struct fct_backend_url *url, const char *text, flowctl_error *err);

/* Whether there is a store at all, for those who must not make one by looking: NOT_FOUND if it is known that there is none. */
flowctl_status fct_backend_url_find(const struct fct_backend_url *url, flowctl_error *err);

/* Opens it. `member` as in flowctl_backend_options. */
flowctl_status fct_backend_url_open(const struct fct_backend_url *url, const char *member, flowctl_drive drive,
                                    flowctl_backend **backend, flowctl_error *err);

/* Whether several processes can share its limits. */
bool fct_backend_url_is_shared(const struct fct_backend_url *url);

void fct_backend_url_cleanup(struct fct_backend_url *url);

/* "memory:, file:PATH". */
void fct_backend_url_forms(char *out, size_t size);

#endif
