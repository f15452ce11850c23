/* The file backend, compiled again with a world around it that can be spoilt. */
#ifndef TESTS_CONTRACT_SPOILT_FILE_H
#define TESTS_CONTRACT_SPOILT_FILE_H

#include <flowctl/sys/backend.h>

struct spoil {
    bool slow;        /* writes in many small pieces, with time in between to be killed */
    bool in_place;    /* both slots of an entry are the same */
    bool unlocked;    /* locks that lock nothing */
    bool cut;         /* the file is cut to nothing right before it is written to, once */
    bool disk_full;   /* for whatever is written */
    const char *boot; /* the kernel's name for this boot; NULL: as it is */
};
extern struct spoil spoil;

extern const flowctl_backend_ops spoilt_file_backend_ops;

/* Where things are in the file, to be damaged. */
extern const long spoilt_words_at, spoilt_slots_at, spoilt_file_bytes;

#endif
