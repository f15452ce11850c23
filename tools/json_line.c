#include "json_line.h"

#include <stdint.h>
#include <string.h>

/* What is left of a path below the object that is being read; NULL: it does not lead here. */
struct paths {
    const char *rest[2];
};

struct scan {
    struct fct_cursor c;
    struct fct_json_value *found;
    int depth;
};

static bool scan_value(struct scan *s, const struct paths *paths, struct fct_json_value *value);

static void skip_space(struct fct_cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n')) c->at++;
}

/* ---- strings ---- */

/* 0 ... 15, or -1. */
static int hex_digit(char ch) {
    if (fct_is_digit(ch)) return ch - '0';
    ch |= 0x20;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static bool skip_escape(struct fct_cursor *c) {
    static const char reason[] = "there is no such escape";
    const char *backslash = c->at++;
    if (c->at == c->end) return fct_broken_at(c, backslash, reason);
    if (*c->at != 'u') return strchr("\"\\/bfnrt", *c->at++) != NULL || fct_broken_at(c, backslash, reason);
    if (c->end - c->at < 5) return fct_broken_at(c, backslash, reason);
    for (int i = 1; i <= 4; i++)
        if (hex_digit(c->at[i]) < 0) return fct_broken_at(c, backslash, reason);
    c->at += 5;
    return true;
}

/* Whether one of eight bytes ends a run of plain ones: a quote, a backslash, or a control byte. Exact, but for which one. */
static bool has_special(const char *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    uint64_t quote = eight ^ (ones * '"'), backslash = eight ^ (ones * '\\');
    return (((eight - ones * 0x20) & ~eight) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops;
}

static bool scan_string(struct scan *s, struct fct_json_value *value) {
    struct fct_cursor *c = &s->c;
    const char *opening = c->at;
    if (!fct_skip(c, '"', "a quoted name belongs here")) return false;
    *value = (struct fct_json_value){FCT_JSON_STRING, c->at, 0, false};
    for (;;) {
        while (c->end - c->at >= 8 && !has_special(c->at)) c->at += 8;
        while (c->at < c->end && *c->at != '"' && *c->at != '\\' && (unsigned char)*c->at >= 0x20) c->at++;
        if (c->at == c->end) return fct_broken_at(c, opening, "the quote that opens here is not closed");
        if (*c->at == '"') break;
        if (*c->at != '\\') return fct_broken(c, "a control byte in a string");
        value->escaped = true;
        if (!skip_escape(c)) return false;
    }
    value->length = (size_t)(c->at++ - value->text);
    return true;
}

static uint32_t read_hex4(const char *at) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) code = code << 4 | (uint32_t)hex_digit(at[i]);
    return code;
}

/* The character of "\uXXXX", or of two that are a pair; `*at` is behind the u. Half a pair becomes U+FFFD. */
static uint32_t read_unicode(const char **at, const char *end) {
    uint32_t high = read_hex4(*at);
    *at += 4;
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return 0xFFFD;
    uint32_t low = read_hex4(*at + 2);
    if (low < 0xDC00 || low > 0xDFFF) return 0xFFFD;
    *at += 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static size_t put_utf8(char out[4], uint32_t code) {
    if (code < 0x80) return out[0] = (char)code, 1;
    if (code < 0x800) return out[0] = (char)(0xC0 | code >> 6), out[1] = (char)(0x80 | (code & 0x3F)), 2;
    size_t length = code < 0x10000 ? 3 : 4;
    out[0] = (char)(length == 3 ? 0xE0 | code >> 12 : 0xF0 | code >> 18);
    for (size_t i = 1; i < length; i++) out[i] = (char)(0x80 | (code >> 6 * (length - 1 - i) & 0x3F));
    return length;
}

/* One character of a checked string. */
static size_t unescape_one(const char **at, const char *end, char out[4]) {
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    if (**at != '\\') return out[0] = *(*at)++, 1;
    char letter = (*at)[1];
    *at += 2;
    if (letter == 'u') return put_utf8(out, read_unicode(at, end));
    const char *known = strchr(letters, letter);
    out[0] = known != NULL ? meant[known - letters] : letter;
    return 1;
}

bool fct_json_unescape(const struct fct_json_value *string, char *out, size_t size, size_t *length) {
    const char *at = string->text, *end = at + string->length;
    *length = 0;
    while (at < end) {
        char one[4];
        size_t bytes = unescape_one(&at, end, one);
        if (*length + bytes > size) return false;
        memcpy(out + *length, one, bytes);
        *length += bytes;
    }
    return true;
}

/* ---- numbers and words ---- */

static bool skip_digits(struct fct_cursor *c) {
    const char *first = c->at;
    while (c->at < c->end && fct_is_digit(*c->at)) c->at++;
    return c->at > first || fct_broken(c, "a digit belongs here");
}

static bool scan_number(struct scan *s, struct fct_json_value *value) {
    struct fct_cursor *c = &s->c;
    const char *first = c->at;
    if (*c->at == '-') c->at++;
    if (c->at < c->end && *c->at == '0') c->at++;
    else if (!skip_digits(c)) return false;
    if (c->at < c->end && *c->at == '.' && (c->at++, !skip_digits(c))) return false;
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-')) c->at++;
        if (!skip_digits(c)) return false;
    }
    *value = (struct fct_json_value){FCT_JSON_NUMBER, first, (size_t)(c->at - first), false};
    return true;
}

static bool scan_word(struct scan *s, struct fct_json_value *value) {
    static const char *const words[] = {"true", "false", "null"};
    struct fct_cursor *c = &s->c;
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(c->end - c->at) < length || memcmp(c->at, words[i], length) != 0) continue;
        *value = (struct fct_json_value){FCT_JSON_OTHER, c->at, length, false};
        c->at += length;
        return true;
    }
    return fct_broken(c, "a value belongs here");
}

/* ---- objects and arrays ---- */

/* The bytes of `path` that `name` is: all of them, or those before a dot. 0: neither. */
static size_t matching(const char *path, const struct fct_json_value *name) {
    const char *at = name->text, *end = at + name->length;
    size_t used = 0;
    while (at < end) {
        char one[4];
        size_t bytes = unescape_one(&at, end, one);
        if (strncmp(path + used, one, bytes) != 0) return 0;
        used += bytes;
    }
    return path[used] == '\0' || path[used] == '.' ? used : 0;
}

/* A name, a colon and the value; what the value is for the paths depends on the name. */
static bool scan_member(struct scan *s, const struct paths *paths) {
    struct fct_json_value name, value;
    struct paths below = {{NULL, NULL}};
    bool wanted[2] = {false, false};
    if (!scan_string(s, &name)) return false;
    for (int i = 0; i < 2; i++) {
        const char *path = paths->rest[i];
        size_t used = path == NULL ? 0 : matching(path, &name);
        if (used == 0) continue;
        s->found[i].kind = FCT_JSON_NONE; /* of two fields of the same name, the last one counts */
        wanted[i] = path[used] == '\0';
        if (!wanted[i]) below.rest[i] = path + used + 1;
    }
    skip_space(&s->c);
    if (!fct_skip(&s->c, ':', "a colon belongs here")) return false;
    if (!scan_value(s, &below, &value)) return false;
    for (int i = 0; i < 2; i++)
        if (wanted[i]) s->found[i] = value;
    return true;
}

static bool scan_element(struct scan *s, const struct paths *paths) {
    struct fct_json_value value;
    (void)paths; /* no path leads into an array */
    return scan_value(s, &(struct paths){{NULL, NULL}}, &value);
}

/* What stands between the brackets, by commas. */
static bool scan_list(struct scan *s, const struct paths *paths, char closing,
                      bool (*scan_one)(struct scan *, const struct paths *)) {
    struct fct_cursor *c = &s->c;
    c->at++;
    skip_space(c);
    if (c->at < c->end && *c->at == closing) return c->at++, true;
    if (++s->depth > FCT_JSON_DEPTH_MAX) return fct_broken(c, "nested too deep");
    for (;;) {
        skip_space(c);
        if (!scan_one(s, paths)) return false;
        skip_space(c);
        if (c->at == c->end || *c->at != ',') break;
        c->at++;
    }
    s->depth--;
    return fct_skip(c, closing, closing == '}' ? "a comma or } belongs here" : "a comma or ] belongs here");
}

static bool scan_value(struct scan *s, const struct paths *paths, struct fct_json_value *value) {
    struct fct_cursor *c = &s->c;
    skip_space(c);
    if (c->at == c->end) return fct_broken(c, "a value belongs here");
    *value = (struct fct_json_value){FCT_JSON_OTHER, c->at, 0, false};
    if (*c->at == '"') return scan_string(s, value);
    if (*c->at == '{') return scan_list(s, paths, '}', scan_member);
    if (*c->at == '[') return scan_list(s, paths, ']', scan_element);
    if (*c->at == '-' || fct_is_digit(*c->at)) return scan_number(s, value);
    return scan_word(s, value);
}

bool fct_json_find(const char *line, size_t length, const char *const paths[2], struct fct_json_value found[2],
                   struct fct_fault *fault) {
    struct scan s = {{line, line, line + length, fault}, found, 0};
    struct fct_json_value whole;
    found[0] = found[1] = (struct fct_json_value){FCT_JSON_NONE, NULL, 0, false};
    skip_space(&s.c);
    if (s.c.at == s.c.end || *s.c.at != '{') return fct_broken(&s.c, "a JSON object belongs here");
    if (!scan_value(&s, &(struct paths){{paths[0], paths[1]}}, &whole)) return false;
    skip_space(&s.c);
    return s.c.at == s.c.end || fct_broken(&s.c, "nothing belongs behind the object");
}
