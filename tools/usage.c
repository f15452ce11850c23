#include "usage.h"

#include "command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int point_to_help(const char *command) {
    fprintf(stderr, "see '%s --help'\n", command);
    return FCT_EXIT_USAGE;
}

int fct_usage_error(const char *command, const char *format, ...) {
    va_list args;
    char message[512], shown[512];
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fct_text_printable(shown, sizeof shown, message);
    fprintf(stderr, "%s: %s\n", command, shown);
    return point_to_help(command);
}

/* Columns that the first `bytes` bytes take on a terminal: bytes that continue a UTF-8 character take none. */
static int columns(const char *text, int bytes) {
    int count = 0;
    for (int i = 0; i < bytes && text[i] != '\0'; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

int fct_usage_error_in(const char *command, const char *option, const char *text, const flowctl_error *err) {
    char message[sizeof err->message], shown[128];
    fct_text_printable(message, sizeof message, err->message);
    fprintf(stderr, "%s: %s: %s\n", command, option, message);
    /* Without the whole text on one line a caret would point somewhere else. */
    fct_text_printable(shown, sizeof shown, text);
    if (err->offset >= 0 && strcmp(shown, text) == 0)
        fprintf(stderr, "    %s\n    %*s^\n", shown, columns(text, err->offset), "");
    return point_to_help(command);
}

/* getopt has advanced optind behind the argument it complains about. */
int fct_usage_wrong_option(const char *command, int kind, char **argv) {
    const char *wrong = argv[optind - 1];
    if (kind == ':') return fct_usage_error(command, "%s: needs a value", wrong);
    if (optopt != 0 && strncmp(wrong, "--", 2) != 0) return fct_usage_error(command, "there is no option -%c", optopt);
    return fct_usage_error(command, "%s: there is no such option, or it takes no value, or it is short for several", wrong);
}

int fct_choose(const char *value, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0) return i;
    return -1;
}

int fct_usage_table_or_json(const char *command, const char *value, bool *json) {
    static const char *const forms[] = {"table", "json"};
    int chosen = fct_choose(value, forms, 2);
    if (chosen < 0) return fct_usage_error(command, "--output: \"%s\": is neither table nor json", value);
    *json = chosen == 1;
    return FCT_EXIT_DONE;
}
