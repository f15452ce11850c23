/* The flowctl command: which subcommands there are, and how one is chosen. */
#ifndef FCT_COMMAND_H
#define FCT_COMMAND_H

/* What a program is told by the exit status. */
enum fct_exit {
    FCT_EXIT_DONE = 0,
    FCT_EXIT_FAILED = 1, /* the input can't be read, or the output can't be written */
    FCT_EXIT_USAGE = 2,  /* the command line is wrong */
    FCT_EXIT_INTERRUPTED = 130
};

/* Runs `argv` and returns the exit status. */
int fct_command_main(int argc, char **argv);

#endif
