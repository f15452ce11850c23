/* A log goes through: lines -> events -> time order -> decisions -> report. */
#include "replay.h"

#include "command.h"
#include "interrupt.h"
#include "line_reader.h"
#include "progress.h"
#include "report.h"
#include "sorter.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BROKEN_SHOWN 10

struct replay {
    const struct fct_replay_options *options;
    char file[256]; /* for messages */
    struct fct_line_reader reader;
    struct fct_progress progress;
    struct fct_log_parser parser;
    struct fct_sorter sorter;
    struct fct_judge judge, shadow; /* shadow: only if there is a second limit */
    struct fct_comparison comparison;
    uint64_t broken;
    struct fct_fault first_fault;
    uint64_t first_broken_line;
};

static int fail(struct replay *r, const char *reason) {
    fct_progress_clear(&r->progress);
    fprintf(stderr, "flowctl replay: %s: %s\n", r->file, reason);
    return FCT_EXIT_FAILED;
}

static void print_fault(const struct replay *r, uint64_t line, const struct fct_fault *fault) {
    fprintf(stderr, "flowctl replay: %s: line %" PRIu64, r->file, line);
    if (fault->column != 0) fprintf(stderr, ", column %zu", fault->column);
    fprintf(stderr, ": %s\n", fault->reason);
}

/* Counted always, shown at first: the tenth tells as much as the ten-thousandth, and a screen is small. */
static void note_broken(struct replay *r, const struct fct_fault *fault) {
    if (r->broken++ == 0) r->first_fault = *fault, r->first_broken_line = r->reader.number;
    if (r->broken > BROKEN_SHOWN) return;
    fct_progress_clear(&r->progress);
    print_fault(r, r->reader.number, fault);
}

static int decide(struct replay *r, const struct fct_pending *event) {
    flowctl_error err;
    if (fct_judge_decide(&r->judge, event->time_ns, event->cost, &err) != FLOWCTL_OK) return fail(r, err.message);
    if (r->options->shadow.text == NULL) return FCT_EXIT_DONE;
    if (fct_judge_decide(&r->shadow, event->time_ns, event->cost, &err) != FLOWCTL_OK) return fail(r, err.message);
    fct_comparison_add(&r->comparison, event->line, r->judge.tally.last_ns, &r->judge.last, &r->shadow.last);
    return FCT_EXIT_DONE;
}

/* An event may make others due, or none; itself only without a window. */
static int take_event(struct replay *r, const struct fct_event *event) {
    struct fct_pending due;
    uint64_t cost = r->options->fields.cost != NULL ? event->cost : r->options->cost;
    if (!fct_sorter_push(&r->sorter, &(struct fct_pending){event->time_ns, r->reader.number, cost}))
        return fail(r, "no memory to sort the lines: give a smaller --sort-window");
    while (fct_sorter_pop_due(&r->sorter, &due)) {
        int status = decide(r, &due);
        if (status != FCT_EXIT_DONE) return status;
    }
    return FCT_EXIT_DONE;
}

/* The command line asks for a field that the log does not have; its header tells what it has. */
static int wrong_header(const struct replay *r, const char *line, size_t length) {
    char header[512], shown[512];
    snprintf(header, sizeof header, "%.*s", (int)(length < sizeof header ? length : sizeof header), line);
    fct_text_printable(shown, sizeof shown, header);
    fprintf(stderr, "flowctl replay: %s: line %" PRIu64 ": the header names no field \"%s\", which %s asks for: %s\n", r->file,
            r->reader.number, r->parser.missing, r->parser.missing == r->options->fields.time ? "--time" : "--cost", shown);
    fputs("see 'flowctl replay --help'\n", stderr);
    return FCT_EXIT_USAGE;
}

static int take_line(struct replay *r, const char *line, size_t length) {
    struct fct_event event;
    struct fct_fault fault;
    switch (fct_log_parse(&r->parser, line, length, &event, &fault)) {
    case FCT_PARSED_EVENT: return take_event(r, &event);
    case FCT_PARSED_BROKEN: note_broken(r, &fault); break;
    case FCT_PARSED_HEADER: break;
    case FCT_PARSED_WRONG_HEADER: return wrong_header(r, line, length);
    }
    return FCT_EXIT_DONE;
}

static int read_lines(struct replay *r, bool *complete) {
    static const struct fct_fault too_long = {"longer than 1 MiB", 0};
    const char *line;
    size_t length;
    uint64_t seen_bytes = 0;
    for (int status = FCT_EXIT_DONE; status == FCT_EXIT_DONE;) {
        switch (fct_line_reader_next(&r->reader, &line, &length)) {
        case FCT_LINE_READ: status = take_line(r, line, length); break;
        case FCT_LINE_TOO_LONG: note_broken(r, &too_long); break;
        case FCT_LINE_END: return *complete = true, FCT_EXIT_DONE;
        case FCT_LINE_INTERRUPTED: return *complete = false, FCT_EXIT_DONE;
        case FCT_LINE_FAILED: return fail(r, strerror(errno));
        }
        if (status != FCT_EXIT_DONE) return status;
        /* Progress costs a look at the clock: once per read, not once per line. */
        if (r->reader.bytes_read == seen_bytes) continue;
        seen_bytes = r->reader.bytes_read;
        fct_progress_update(&r->progress, seen_bytes, r->reader.number);
    }
    return FCT_EXIT_FAILED;
}

/* At the end nothing newer can come, so all are due. */
static int decide_the_rest(struct replay *r) {
    struct fct_pending event;
    int status = FCT_EXIT_DONE;
    while (status == FCT_EXIT_DONE && fct_sorter_pop(&r->sorter, &event)) status = decide(r, &event);
    return status;
}

/* A log of which nothing could be read is most likely not what the user thinks it is. */
static int nothing_readable(struct replay *r) {
    fprintf(stderr, "flowctl replay: %s: none of %" PRIu64 " lines could be read; the first: line %" PRIu64 ": %s\n",
            r->file, r->reader.number, r->first_broken_line, r->first_fault.reason);
    return FCT_EXIT_FAILED;
}

static int report(struct replay *r, bool complete) {
    struct fct_report report = {
        .options = r->options,
        .judge = &r->judge,
        .shadow = r->options->shadow.text != NULL ? &r->shadow : NULL,
        .comparison = &r->comparison,
        .format = r->parser.format != NULL ? r->parser.format->name : NULL,
        .lines = r->reader.number,
        .broken = r->broken,
        .window_overflows = r->sorter.overflows,
        .complete = complete,
    };
    if (r->broken > BROKEN_SHOWN)
        fprintf(stderr, "flowctl replay: %s: %" PRIu64 " more broken lines\n", r->file, r->broken - BROKEN_SHOWN);
    if (complete && r->judge.tally.requests == 0 && r->broken > 0) return nothing_readable(r);
    if (!fct_report_write(&report, stdout)) return fail(r, "no memory for the report");
    return complete ? FCT_EXIT_DONE : FCT_EXIT_INTERRUPTED;
}

static int run(const struct fct_replay_options *options) {
    struct replay r = {.options = options};
    bool complete = false;
    fct_text_printable(r.file, sizeof r.file, strcmp(options->file, "-") == 0 ? "standard input" : options->file);
    if (!fct_line_reader_open(&r.reader, options->file)) return fail(&r, strerror(errno));
    fct_catch_interrupt();
    fct_progress_init(&r.progress, r.reader.fd);
    fct_sorter_init(&r.sorter, options->sort_window_ns, FCT_SORTER_MAX_PENDING);
    fct_log_parser_init(&r.parser, options->format, &options->fields);
    fct_judge_init(&r.judge, &options->limit, options->mode);
    fct_judge_init(&r.shadow, &options->shadow, options->mode);

    int status = read_lines(&r, &complete);
    if (status == FCT_EXIT_DONE) status = decide_the_rest(&r);
    fct_progress_clear(&r.progress);
    if (status == FCT_EXIT_DONE) status = report(&r, complete);

    fct_judge_cleanup(&r.judge);
    fct_judge_cleanup(&r.shadow);
    fct_sorter_cleanup(&r.sorter);
    fct_log_parser_cleanup(&r.parser);
    fct_line_reader_close(&r.reader);
    return status;
}

int fct_replay_main(int argc, char **argv) {
    struct fct_replay_options options;
    int status;
    if (fct_replay_options_read(&options, argc, argv, &status)) status = run(&options);
    fct_replay_options_cleanup(&options);
    return status;
}
