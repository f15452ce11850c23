/* The fold of algo/claim.c with one step gone wrong. Without a defect it is the same fold: that is tested too. */
#ifndef FLOWCTL_TESTS_PLANTED_CLAIM_H
#define FLOWCTL_TESTS_PLANTED_CLAIM_H

#include "algo/claim.h"

enum planted_fold {
    PLANTED_FOLD_NOTHING,       /* the fold of the library itself */
    PLANTED_FOLD_COPY,          /* the copy, right */
    PLANTED_FOLD_MAX_CLOCK,     /* the clock is the latest append time: a leap drops everybody */
    PLANTED_FOLD_ONE_NUMBER,    /* while learning, a member has what it claims: no interval */
    PLANTED_FOLD_BASE_BELIEVED, /* base is taken as E whatever its sender had applied */
    PLANTED_FOLD_TOMBSTONES     /* a tombstone drops its member */
};

/* `buried` is the member of a tombstone (record is NULL then), 0 if it is none. */
void planted_claim_apply(struct fc_claim_log *log, enum planted_fold defect, int64_t offset, int64_t stamp_ms,
                         const struct fc_claim_record *record, uint64_t buried);

#endif
