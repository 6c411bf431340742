/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_faults.c does to a filesystem, and what may be there afterwards.
 * Operations come in groups; each works in a directory of its own, on up to
 * four names, and does not depend on the others.
 */
#ifndef MERSEY_TESTS_VFS_FAULTS_H
#define MERSEY_TESTS_VFS_FAULTS_H

#include "tests/unit/vfs/env.h"

#define SLOTS  4 /* names "a" to "d" */
#define BLOCKS 4
#define BLOCK  65536 /* a frame, so that a recall brings one of them */

enum { A, B, C, D };

enum kind {
	CREATE,
	OPEN,
	WRITE,
	READ,
	FSYNC,
	CLOSE,
	RENAME,
	EXCHANGE,
	LINK,
	UNLINK,
	MKDIR,
	RMDIR,
	SYMLINK,
	CHMOD,
	MARK,
	RESIZE,
	PUNCH,
	COPY,
	EVICT,
	FLUSH,
	CHECKPOINT,
	KINDS,
};

struct op {
	unsigned group;
	enum kind kind;
	int a, b;  /* slots */
	int at, n; /* blocks; n of RESIZE: the size in blocks */
	int v;	   /* generation, mode, flags or value */
};

#define SKIPPED 1 /* what it works on could not be opened */

extern const struct op ops[];
extern const unsigned ops_n, groups_n;

/* What the groups start with: closed files of one generation. */
struct start {
	unsigned group;
	int slot, n, v;
	enum meta_state state;
};
extern const struct start starts[];
extern const unsigned starts_n;

extern uint64_t group_dir[];

/* Fills what block `i` of generation `v` holds; 0: zeros. */
void block_fill(uint8_t *p, int i, int v);
/* Does it: 0, -errno or SKIPPED. */
int op_run(struct env *e, const struct op *op);

/* ---- what may be there ----------------------------------------------- */

struct node {
	int ident; /* 0: nothing; equal ones are links of one file */
	mode_t mode;
	int mark;
	int lo, hi;	    /* blocks; differ after a change that failed */
	unsigned v[BLOCKS]; /* generations that bytes may be of, as bits */
};

struct world {
	struct node slot[SLOTS];
};

#define WORLDS_MAX 64

struct worlds {
	struct world w[WORLDS_MAX];
	unsigned n;
};

void worlds_start(struct worlds *ws, unsigned group);
/* An operation gave rc. False: that cannot be. */
bool worlds_op(struct worlds *ws, const struct op *op, int rc);
/* Is one of them what the filesystem holds? `damaged`: files whose bytes
 * cannot be read are fine. Else what differs from the last, in `why`. */
bool worlds_match(struct env *e, const struct worlds *ws, unsigned group,
		  bool damaged, char *why, size_t size);

#endif
