#include "command.h"

#include "hammer.h"
#include "inspect.h"
#include "replay.h"
#include "usage.h"

#include <errno.h>
#include <flowctl/version.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
    const char *help;
};

static const struct command commands[] = {
    {"replay", "run a limit over a log, in the log's own time, and tell what it would have done", fct_replay_main,
     fct_replay_help},
    {"inspect", "show limits that processes share, as their store sees them now", fct_inspect_main, fct_inspect_help},
    {"hammer", "let several processes take all they get of a shared limit, and judge what they got", fct_hammer_main,
     fct_hammer_help},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static void print_overview(FILE *out) {
    fputs("usage: flowctl COMMAND [OPTION]... [ARGUMENT]...\n"
          "       flowctl help [COMMAND]\n"
          "       flowctl --version\n"
          "\ncommands:\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++) fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\nexample: flowctl replay --limit 600/min access.log\n", out);
}

static int unknown_command(const char *name) {
    char shown[64];
    fct_text_printable(shown, sizeof shown, name);
    fprintf(stderr, "flowctl: there is no command \"%s\"\n", shown);
    print_overview(stderr);
    return FCT_EXIT_USAGE;
}

static int help(int argc, char **argv) {
    if (argc > 2) return fct_usage_error("flowctl", "help takes one command, not %d", argc - 1);
    if (argc < 2) return print_overview(stdout), FCT_EXIT_DONE;
    const struct command *command = find(argv[1]);
    if (command == NULL) return unknown_command(argv[1]);
    fputs(command->help, stdout);
    return FCT_EXIT_DONE;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) return print_overview(stderr), FCT_EXIT_USAGE;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return print_overview(stdout), FCT_EXIT_DONE;
    if (strcmp(argv[1], "--version") == 0) return printf("flowctl %s\n", flowctl_version()), FCT_EXIT_DONE;
    if (strcmp(argv[1], "help") == 0) return help(argc - 1, argv + 1);
    const struct command *command = find(argv[1]);
    if (command == NULL) return unknown_command(argv[1]);
    return command->run(argc - 1, argv + 1);
}

/* Output that did not arrive is a failure, whatever else went well: a full disk shows only now. */
static int close_output(int status) {
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) == 0 && !failed) return status;
    fprintf(stderr, "flowctl: can't write to standard output: %s\n", strerror(errno != 0 ? errno : EIO));
    return FCT_EXIT_FAILED;
}

int fct_command_main(int argc, char **argv) {
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is a write error like any other */
    return close_output(dispatch(argc, argv));
}
