/* The exam through a trace; and what the trace tells. */
#include "link.h"
#include "subjects.h"

#include <flowctl/sys/trace.h>
#include <stdio.h>
#include <string.h>

static char lines[4][2048];
static unsigned count;

static void keep(void *context, uint64_t now_ns, const char *line) {
    EXPECT(context == lines && now_ns != 0);
    EXPECT(strpbrk(line, "\r\n") == NULL);
    snprintf(lines[count++ % 4], sizeof lines[0], "%s", line);
}

static const void *config(void) {
    static flowctl_trace_config c;
    c = (flowctl_trace_config){sizeof c, flowctl_memory_backend(), NULL, keep, lines};
    return &c;
}

static void expect_line(unsigned i, const char *begins, const char *holds) {
    if (strncmp(lines[i], begins, strlen(begins)) != 0 || strstr(lines[i], holds) == NULL)
        contract_fail(__FILE__, __LINE__, "\"%s\" does not begin with \"%s\" and hold \"%s\"", lines[i], begins, holds);
}

static void told(const struct contract_subject *s) {
    struct link *l = link_open(s);
    struct member m = member_of(l, "a \"b\"\n", terms_of(flowctl_per_second(5), 100, FLOWCTL_NS_PER_SEC, 9));
    member_ask(&m, 7, 2);
    link_increment(l, "n\x7f", 3);
    EXPECT_NUMBER(count, ==, 4);
    expect_line(0, "lease #1 \"a \\x22b\\x22\\x0a\"", " seq=1 want=7 need=2 used=0 back=0 rate=5/1000000000ns burst=100");
    expect_line(1, "leased #1 FLOWCTL_OK", " grant=7 granted=7");
    expect_line(2, "increment #2 \"n\\x7f\"", "by=3");
    expect_line(3, "stored #2 FLOWCTL_OK", "number=3");
    link_close(l);
}

int main(void) {
    const struct contract_subject s = {.name = "trace",
                                       .ops = flowctl_trace_backend(),
                                       .config = config,
                                       .capabilities = EMBEDDED_CAPABILITIES,
                                       .sessions = 300};
    told(&s);
    return contract_main(&s);
}
