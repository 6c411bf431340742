/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trust's filesystem as the daemon assembles it, on a store in memory and
 * a directory of its own; for the tests of vfs and of fuse.
 */
#ifndef MERSEY_TESTS_VFS_ENV_H
#define MERSEY_TESTS_VFS_ENV_H

#include "tests/test.h"

#include "base/clock.h"
#include "store/drivers.h"
#include "vfs/vfs.h"

#define ENV_HANDLES 64
#define ENV_CACHE   (256ULL << 20)

struct env {
	char dir[64];
	struct store *store; /* meter over fault over mem */
	struct store_fault_plan faults;
	struct store_counts counts;
	struct pack_keyring *kr;
	struct meta *meta;
	struct cache *cache;
	struct move *move;
	struct vfs *v;
};

/* Of the next env_new(); ENV_CACHE again after each env_free(). */
extern uint64_t env_cache_size;
/* Where the next env_new() makes its directory. */
extern const char *env_parent;

/* Makes it all; `read_wait_ns` as in move_opts. */
struct env *env_new(int64_t read_wait_ns);
/* Ends it, checks the database, removes the directory. */
void env_free(struct env *e);
/* The two without the directory, the store and the keys: a restart. */
void env_close(struct env *e);
void env_open(struct env *e, int64_t read_wait_ns);

/* For cmocka: *state is the env. */
int env_setup(void **state);
int env_teardown(void **state);

#define ENV_TEST(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)

/* Protects all dirty files and waits until it is done. */
void env_protect(struct env *e);
/* Evicts one file, which must work. */
void env_evict(struct env *e, uint64_t ino);
/* The store cannot be reached, or can again. */
static inline void env_store_down(struct env *e, bool down)
{
	__atomic_store_n(&e->faults.down, down, __ATOMIC_SEQ_CST);
}

/* Waits until no inode without a name is left. */
void env_reaped(struct env *e);
/* Waits until reap has looked at all inodes without a name. */
void env_reap_looks(struct env *e);
enum meta_state env_state(struct env *e, uint64_t ino);
/* The row exists. */
bool env_has_row(struct env *e, uint64_t ino);

/* A caller. */
extern const struct vfs_cred user; /* 1001:1002, umask 0 */

#define assert_ok(expr)		 assert_int_equal((expr), 0)
#define assert_errno(expr, want) assert_int_equal((expr), -(want))

/* A new empty file in a directory; its inode. */
uint64_t env_file(struct env *e, uint64_t parent, const char *name);
uint64_t env_dir(struct env *e, uint64_t parent, const char *name);
/* Writes a file of n bytes of env_byte(); its inode. */
uint64_t env_data(struct env *e, uint64_t parent, const char *name, size_t n);
struct stat env_stat(struct env *e, uint64_t ino);

/* What byte `off` of a test file is; no period that frames share. */
static inline uint8_t env_byte(uint64_t off)
{
	return (uint8_t)(off * 2654435761u >> 13 ^ off >> 8);
}

#endif
