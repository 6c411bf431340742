/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls into the kernel that fail when a test wants it, those of SQLite
 * included: the executable's own functions come before libc's.
 */
#ifndef MERSEY_TESTS_VFS_FAULTY_H
#define MERSEY_TESTS_VFS_FAULTY_H

#include <stdbool.h>

enum {			      /* kinds of calls */
       FAULTY_WRITE = 1 << 0, /* what takes room: bytes, names, xattrs */
       FAULTY_SHORT = 1 << 1, /* pwrite writes half, then nothing */
       FAULTY_SYNC = 1 << 2,
       FAULTY_OPEN = 1 << 3, /* of what is there */
       FAULTY_READ = 1 << 4,
       FAULTY_OTHER = 1 << 5,
       FAULTY_MEMORY = 1 << 6, /* of SQLite; faulty_memory() first */
};

struct faulty {
	unsigned kinds;
	int error;    /* errno of the call that fails */
	int nth;      /* of those kinds, from 1 on */
	bool persist; /* and all after it */
	bool jobs;    /* calls of all threads, not only of who arms */
};

/* From now on. */
void faulty_arm(const struct faulty *f);
/* Not any more. True when the nth call came; then `what` tells of it. */
bool faulty_disarm(char *what, unsigned size);
/* Did the nth call come already? */
bool faulty_struck(void);
/* Did a sync of the database or its log fail? */
bool faulty_db(void);
/* Before the first database is opened. */
void faulty_memory(void);

/*
 * Runs `once` with f->nth = from, from + step, ... until it returns false: no
 * such call came. That number.
 */
int faulty_every(struct faulty *f, int from, int step, bool (*once)(void));
/* Runs fn in a child; true when that killed itself with SIGKILL. */
bool faulty_child(void (*fn)(void));

#endif
