/* Preloaded: names are looked up slowly, as where a resolver does not answer and another does. By FLOWCTL_SLOW_NAMES_MS. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <time.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    lookup *real;
    const char *text = getenv("FLOWCTL_SLOW_NAMES_MS");
    long ms = text != NULL ? strtol(text, NULL, 10) : 0;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    return real(node, service, hints, found);
}
