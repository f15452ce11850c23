/* SIGINT as a flag: the report of what was read so far is worth more than a quick end. A second SIGINT ends the program. */
#ifndef FCT_INTERRUPT_H
#define FCT_INTERRUPT_H

#include <stdbool.h>

void fct_catch_interrupt(void);
bool fct_interrupted(void);

/* Waits until `fd` can be read without blocking. True: interrupted before or meanwhile. */
bool fct_wait_for_input(int fd);

#endif
