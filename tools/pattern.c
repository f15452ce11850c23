#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

/* Backtracking is bounded: a pattern that explodes on one line must not stop the log. */
#define MATCH_LIMIT 1000000
#define JIT_STACK_MAX ((size_t)1 << 20)

struct fct_pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL: matched without machine code */
    int groups[2];          /* numbers, 0 for none */
};

static struct fct_pattern *no_memory(struct fct_pattern *p, flowctl_error *err) {
    fct_pattern_free(p);
    *err = (flowctl_error){.status = FLOWCTL_NO_MEMORY, .offset = -1};
    snprintf(err->message, sizeof err->message, "no memory");
    return NULL;
}

/* Machine code is several times faster; where there is none, the interpreter does it. */
static void compile_to_machine_code(struct fct_pattern *p) {
    if (pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) != 0) return;
    p->stack = pcre2_jit_stack_create((size_t)32 << 10, JIT_STACK_MAX, NULL);
    if (p->stack != NULL) pcre2_jit_stack_assign(p->context, NULL, p->stack);
}

struct fct_pattern *fct_pattern_compile(const char *text, flowctl_error *err) {
    int code;
    PCRE2_SIZE offset;
    struct fct_pattern *p = calloc(1, sizeof *p);
    if (p == NULL) return no_memory(p, err);
    p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_UTF, &code, &offset, NULL);
    if (p->code == NULL) {
        fct_pattern_free(p);
        *err = (flowctl_error){.status = FLOWCTL_INVALID_ARGUMENT, .offset = (int)offset};
        pcre2_get_error_message(code, (PCRE2_UCHAR *)err->message, sizeof err->message);
        return NULL;
    }
    p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (p->data == NULL || p->context == NULL) return no_memory(p, err);
    pcre2_set_match_limit(p->context, MATCH_LIMIT);
    compile_to_machine_code(p);
    return p;
}

void fct_pattern_free(struct fct_pattern *p) {
    if (p == NULL) return;
    pcre2_jit_stack_free(p->stack);
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p);
}

static int group_number(const struct fct_pattern *p, const char *name) {
    return pcre2_substring_number_from_name(p->code, (PCRE2_SPTR)name);
}

bool fct_pattern_has(const struct fct_pattern *p, const char *group) { return group_number(p, group) > 0; }

void fct_pattern_choose(struct fct_pattern *p, const char *const names[2]) {
    for (int i = 0; i < 2; i++) p->groups[i] = names[i] == NULL ? 0 : group_number(p, names[i]);
}

enum fct_match fct_pattern_match(const struct fct_pattern *p, const char *line, size_t length, struct fct_group groups[2]) {
    int matched = pcre2_match(p->code, (PCRE2_SPTR)line, length, 0, 0, p->data, p->context);
    if (matched < 0) return matched == PCRE2_ERROR_NOMATCH ? FCT_NOT_MATCHED : FCT_MATCH_GAVE_UP;
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(p->data);
    for (int i = 0; i < 2; i++) {
        groups[i] = (struct fct_group){NULL, 0};
        if (p->groups[i] <= 0) continue;
        PCRE2_SIZE start = bounds[2 * p->groups[i]], stop = bounds[2 * p->groups[i] + 1];
        if (start != PCRE2_UNSET && start <= stop) groups[i] = (struct fct_group){line + start, stop - start};
    }
    return FCT_MATCHED;
}
