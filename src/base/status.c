#include <flowctl/status.h>
#include <flowctl/version.h>

const char *flowctl_status_name(flowctl_status status) {
    switch (status) {
#define NAME(name, value, text) \
    case name: return #name;
        FLOWCTL_STATUS_MAP(NAME)
#undef NAME
    }
    return "FLOWCTL_UNKNOWN";
}

const char *flowctl_status_text(flowctl_status status) {
    switch (status) {
#define TEXT(name, value, text) \
    case name: return text;
        FLOWCTL_STATUS_MAP(TEXT)
#undef TEXT
    }
    return "no status of this library";
}

#define QUOTE(x) #x
#define VERSION(major, minor, patch) QUOTE(major) "." QUOTE(minor) "." QUOTE(patch)

const char *flowctl_version(void) { return VERSION(FLOWCTL_VERSION_MAJOR, FLOWCTL_VERSION_MINOR, FLOWCTL_VERSION_PATCH); }

const char *flowctl_features(void) { return "memory"; }
