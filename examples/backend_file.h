/*
 * A backend in one file, as a user would write it: limits that the processes of one machine share, kept in a file. How it works, and why, is told in
 * backend_file.c; docs/writing-a-backend.md walks through it.
 *
 *     where.ops = &file_backend_ops;
 *     where.config = "/var/lib/myprogram/limits"; // the path; the file is made if it is not there
 */
#ifndef BACKEND_FILE_H
#define BACKEND_FILE_H

#include <flowctl/sys/backend.h>

/* config: const char *, the path. Linux 3.15 or later; a local file system. */
extern const flowctl_backend_ops file_backend_ops;

#endif
