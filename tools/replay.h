/* flowctl replay: a limit over a log, in the log's own time. */
#ifndef FCT_REPLAY_H
#define FCT_REPLAY_H

#include "replay_options.h"

/* argv[0] is "replay". Returns the exit status. */
int fct_replay_main(int argc, char **argv);

#endif
