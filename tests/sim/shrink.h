/*
 * Delta debugging: of a list of events that fails, a short one that still does. The list is made beforehand, so that a run is a function of
 * the events that are left in it; an event that makes no sense any more must do nothing.
 */
#ifndef FLOWCTL_TESTS_SHRINK_H
#define FLOWCTL_TESTS_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the run of these events, given by their numbers in rising order, fails. Must be a function of them alone. */
typedef bool (*sim_fails)(void *context, const size_t *kept, size_t count);

/*
 * kept: the numbers of a list that fails, in rising order. Leaves those that still fail, of which none can be taken out alone, and returns
 * how many. Calls `fails` at most `budget` times; with less than it takes, the list is only shorter.
 */
size_t sim_shrink(size_t *kept, size_t count, sim_fails fails, void *context, size_t budget);

#endif
