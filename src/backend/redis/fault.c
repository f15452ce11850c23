#include "redis.h"

#include <string.h>

static const struct {
    const char *name;
    flowctl_status status;
} kinds[] = {
#define KIND(id, value, name, status) [id] = {name, status},
    FLOWCTL_REDIS_FAULT_MAP(KIND)
#undef KIND
};

static bool is_fault(flowctl_redis_fault fault) { return (unsigned)fault < sizeof kinds / sizeof *kinds; }

const char *flowctl_redis_fault_name(flowctl_redis_fault fault) { return is_fault(fault) ? kinds[fault].name : "unknown"; }

flowctl_status fc_redis_fault_status(flowctl_redis_fault fault) {
    return is_fault(fault) ? kinds[fault].status : FLOWCTL_UNAVAILABLE;
}

/* The first word of an error tells its kind. */
static const struct {
    const char *word;
    flowctl_redis_fault fault;
} words[] = {
    {"NOAUTH", FLOWCTL_REDIS_REFUSED},
    {"WRONGPASS", FLOWCTL_REDIS_REFUSED},
    {"NOPERM", FLOWCTL_REDIS_REFUSED},
    {"DENIED", FLOWCTL_REDIS_REFUSED},
    {"LOADING", FLOWCTL_REDIS_LOADING},
    {"BUSY", FLOWCTL_REDIS_BUSY},
    {"READONLY", FLOWCTL_REDIS_READONLY},
    {"FLOWCTL_REPLICA", FLOWCTL_REDIS_READONLY},
    {"MASTERDOWN", FLOWCTL_REDIS_READONLY},
    {"MOVED", FLOWCTL_REDIS_CLUSTER},
    {"ASK", FLOWCTL_REDIS_CLUSTER},
    {"CLUSTERDOWN", FLOWCTL_REDIS_CLUSTER},
    {"CROSSSLOT", FLOWCTL_REDIS_CLUSTER},
    {"TRYAGAIN", FLOWCTL_REDIS_CLUSTER},
    {"OOM", FLOWCTL_REDIS_OUT_OF_MEMORY},
    {"WRONGTYPE", FLOWCTL_REDIS_FOREIGN_KEY},
    {"FLOWCTL_FOREIGN", FLOWCTL_REDIS_FOREIGN_KEY},
    {"FLOWCTL_NEWER", FLOWCTL_REDIS_NEWER_LIMIT},
    {"FLOWCTL_FULL", FLOWCTL_REDIS_FULL},
    {"NOSCRIPT", FLOWCTL_REDIS_SCRIPT_LOST},
    {"NOREPLICAS", FLOWCTL_REDIS_CANNOT_WRITE},
    {"MISCONF", FLOWCTL_REDIS_CANNOT_WRITE},
};

/* Others have no word of their own; and before Redis 7 what a script's command says stands within the message. */
static const struct {
    const char *part;
    flowctl_redis_fault fault;
} parts[] = {
    {"invalid password", FLOWCTL_REDIS_REFUSED},
    {"AUTH", FLOWCTL_REDIS_REFUSED},           /* "Client sent AUTH, but no password is set", and its successors */
    {"'auth' command", FLOWCTL_REDIS_REFUSED}, /* Redis 5, which knows no users */
    {"max number of clients", FLOWCTL_REDIS_REFUSED},
    {"user executing the script", FLOWCTL_REDIS_REFUSED},
    {"ACL failure", FLOWCTL_REDIS_REFUSED},
    {"would overflow", FLOWCTL_REDIS_OVERFLOW},
    {"not an integer", FLOWCTL_REDIS_FOREIGN_KEY},
    {"DB index", FLOWCTL_REDIS_BAD_DATABASE},
    {"invalid DB", FLOWCTL_REDIS_BAD_DATABASE},
    {"SELECT is not allowed in cluster mode", FLOWCTL_REDIS_CLUSTER},
};

flowctl_redis_fault fc_redis_fault_of(const char *message) {
    size_t length = strcspn(message, " ");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == length && memcmp(message, words[i].word, length) == 0) return words[i].fault;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(message, parts[i].part) != NULL) return parts[i].fault;
    if (strstr(message, "running script") != NULL)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strstr(message, words[i].word) != NULL) return words[i].fault;
    return FLOWCTL_REDIS_OTHER;
}

size_t fc_redis_shown(const char *message, const char *secret) {
    const char *arguments = strstr(message, ", with args"), *told = *secret != '\0' ? strstr(message, secret) : NULL;
    if (arguments == NULL || (told != NULL && told < arguments)) arguments = told;
    return arguments != NULL ? (size_t)(arguments - message) : strlen(message);
}
