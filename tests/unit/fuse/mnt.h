/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real mount of a filesystem on a store in memory. As root it lives in a
 * mount namespace of its own, so that nothing is left behind whatever
 * happens; a plain user's goes through fusermount3.
 */
#ifndef MERSEY_TESTS_FUSE_MNT_H
#define MERSEY_TESTS_FUSE_MNT_H

#include "tests/unit/vfs/env.h"

#include <fcntl.h>

#include "fuse/session.h"

#define MNT_THREADS   4
#define MNT_READ_WAIT (2 * NSEC_PER_SEC)

struct mnt {
	struct env *e;
	struct fuse_server *s;
	char dir[96];
};

/*
 * Once, before threads. A process that serves the mount it uses cannot end
 * while a call of its own waits in it: as root, a child ends the mount when
 * we die.
 */
void mnt_namespace(void);

struct mnt *mnt_new(void);
void mnt_free(struct mnt *m);
int mnt_setup(void **state);
int mnt_teardown(void **state);

#define MNT_TEST(f) cmocka_unit_test_setup_teardown(f, mnt_setup, mnt_teardown)

/* Unmounts as a person would; must work. */
void mnt_umount(struct mnt *m);

/* A path below the mount; one of 8 buffers, by turns. */
const char *at(struct mnt *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Writes n bytes of env_byte() to a new file; its inode. */
uint64_t mnt_data(struct mnt *m, const char *name, size_t n);
/* The file reads as mnt_data() wrote it. */
void mnt_check(struct mnt *m, const char *name, size_t n);
/* Protects and evicts: the next read needs the store. */
void mnt_remote(struct mnt *m, uint64_t ino);

/* A system call that must work; its result. */
#define sys(expr)                                                          \
	({                                                                 \
		__typeof__(expr) sys_ = (expr);                            \
		if (sys_ < 0)                                              \
			print_error("%s:%d: %s: %s\n", __FILE__, __LINE__, \
				    #expr, strerror(errno));               \
		assert_true(sys_ >= 0);                                    \
		sys_;                                                      \
	})

/* One that must fail. */
#define sys_errno(expr, want)                    \
	do {                                     \
		errno = 0;                       \
		assert_int_equal((expr), -1);    \
		assert_int_equal(errno, (want)); \
	} while (0)

#endif
