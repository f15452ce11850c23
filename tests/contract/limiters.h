/*
 * The second part of the exam: what users see. Limiters of one id, in one backend, in several, and in several processes, hammered by threads in real time; the
 * judge is the oracle. What a limiter promises holds over every backend that has EXACT, so the same checks are for all.
 */
#ifndef TESTS_CONTRACT_LIMITERS_H
#define TESTS_CONTRACT_LIMITERS_H

#include "contract.h"

extern const struct contract_check contract_limiter_checks[];

/* All of them, or the one of this name; as contract_exam. */
int contract_limiters_exam(const struct contract_subject *subject, const char *only);

#endif
