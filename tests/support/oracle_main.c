/*
 * The oracle as a command, for admissions that came from anywhere: other processes, other languages, other machines' logs.
 *
 *     oracle PERMITS PERIOD_NS BURST < admissions
 *
 * Each line of input is "TIME_NS PERMITS", in any order. Prints "excess_numerator period_ns from_ns until_ns admitted total" and exits with 0 if
 * the excess (excess_numerator / period_ns permits) is at most 0, with 1 if it is more, with 2 if it can't read what it was given.
 */
#include "support/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_amount(oracle_amount value) {
    char digits[48];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    oracle_amount rest = value;
    do digits[--at] = (char)('0' + abs((int)(rest % 10))), rest /= 10;
    while (rest != 0);
    printf("%s%s", value < 0 ? "-" : "", &digits[at]);
}

static bool read_admissions(struct oracle_log *log) {
    uint64_t time_ns, permits;
    int read;
    while ((read = scanf("%" SCNu64 " %" SCNu64, &time_ns, &permits)) == 2) oracle_record(log, time_ns, permits);
    if (read == EOF) return true;
    fprintf(stderr, "oracle: line %zu is not TIME_NS PERMITS\n", log->count + 1);
    return false;
}

static int judge(struct oracle_log *log, const struct oracle_limit *limit) {
    struct oracle_verdict v = oracle_judge(log, limit);
    print_amount(v.excess);
    printf(" %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", limit->period_ns, v.from_ns, v.until_ns,
           v.admitted, v.total);
    return v.excess > 0;
}

int main(int argc, char **argv) {
    struct oracle_limit limit;
    if (argc != 4) return fprintf(stderr, "usage: oracle PERMITS PERIOD_NS BURST < admissions\n"), 2;
    limit.permits = strtoull(argv[1], NULL, 10), limit.period_ns = strtoull(argv[2], NULL, 10);
    limit.burst = strtoull(argv[3], NULL, 10);
    if (limit.permits == 0 || limit.period_ns == 0) return fprintf(stderr, "oracle: the rate is 0\n"), 2;

    struct oracle_log log = {NULL, 0, 0};
    int answer = read_admissions(&log) ? judge(&log, &limit) : 2;
    oracle_free(&log);
    return answer;
}
