/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of meta share: a database in a directory of its own. */
#ifndef MERSEY_TESTS_META_UTIL_H
#define MERSEY_TESTS_META_UTIL_H

#include "tests/test.h"

#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/clock.h"
#include "meta/meta.h"

static char dir[] = "/tmp/mersey-test-meta-XXXXXX";
static struct meta *m;

static const uint8_t util_volume[16] = "volume-id-16-by";

static inline char *util_path(const char *name)
{
	char *p = io_path("%s/%s", dir, name);

	assert_non_null(p);
	return p;
}

static inline void util_create_at(const char *name)
{
	CLEANUP_FREE char *path = util_path(name);
	struct meta_opts o = { .path = path, .root_mode = 0750 };
	struct err err = ERR_INIT;
	int rc;

	memcpy(o.volume, util_volume, sizeof(o.volume));
	rc = meta_create(&o, &err);
	if (rc < 0)
		print_error("%s\n", err.msg);
	assert_int_equal(rc, 0);
}

static inline struct meta *util_open_at(const char *name)
{
	CLEANUP_FREE char *path = util_path(name);
	struct err err = ERR_INIT;
	uint8_t volume[16];
	struct meta *out = NULL;
	int rc = meta_open(path, &out, volume, &err);

	if (rc < 0)
		print_error("%s\n", err.msg);
	assert_int_equal(rc, 0);
	assert_memory_equal(volume, util_volume, 16);
	return out;
}

static inline void util_close(void)
{
	meta_close(m);
	m = NULL;
}

static inline void util_reopen(void)
{
	util_close();
	m = util_open_at("db");
}

/* Whether the root directory has this name. */
static inline bool util_exists(struct meta *at, const char *name)
{
	META_TXN(t);
	uint64_t ino;
	int rc;

	assert_int_equal(meta_read(at, &t), 0);
	rc = meta_dirent_get(&t, META_ROOT_INO, name, strlen(name), &ino);
	assert_true(rc == 0 || rc == -ENOENT);
	return rc == 0;
}

/* Waits until the checkpoint job, which runs at the start, has run. */
static inline void util_idle(void)
{
	struct job_info info;

	do {
		clock_sleep_ns(1000000);
		meta_job(m, &info);
	} while (info.started_ns == 0 || info.state == JOB_RUNNING);
}

/* The totals and the database are as they should be. */
static inline void util_verify(struct meta *at)
{
	struct err err = ERR_INIT;
	META_TXN(t);
	int rc;

	assert_int_equal(meta_read(at, &t), 0);
	rc = meta_totals_verify(&t, &err);
	if (rc < 0)
		print_error("%s\n", err.msg);
	assert_int_equal(rc, 0);
	meta_abort(&t);
	rc = meta_check(at, &err);
	if (rc < 0)
		print_error("%s\n", err.msg);
	assert_int_equal(rc, 0);
}

/* Group fixtures: one directory for the program. */
static inline int group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static inline int group_teardown(void **state)
{
	(void)state;
	return test_rm(dir);
}

/* Test fixtures: a fresh database each, verified at the end. */
static inline int test_setup(void **state)
{
	(void)state;
	util_create_at("db");
	m = util_open_at("db");
	return 0;
}

static inline int test_teardown(void **state)
{
	(void)state;
	if (m)
		util_verify(m);
	util_close();
	return test_rm_below(dir);
}

#define META_TEST(f) \
	cmocka_unit_test_setup_teardown(f, test_setup, test_teardown)

static inline void begin(struct meta_txn *t)
{
	assert_int_equal(meta_begin(m, t), 0);
}

static inline void commit(struct meta_txn *t)
{
	assert_int_equal(meta_commit(t, NULL), 0);
}

static inline void reading(struct meta_txn *t)
{
	assert_int_equal(meta_read(m, t), 0);
}

/* A dirty regular file without a name. */
static inline uint64_t make_inode(struct meta_txn *t, uint32_t mode,
				  uint64_t size)
{
	struct meta_inode in = {
		.mode = mode,
		.nlink = 1,
		.size = size,
		.state = META_DIRTY,
		.dirty_ns = 1000,
	};

	assert_int_equal(meta_new_ino(t, &in.ino), 0);
	assert_int_equal(meta_new_version(t, &in.content_version), 0);
	assert_int_equal(meta_inode_insert(t, &in), 0);
	return in.ino;
}

static inline uint64_t make_file(struct meta_txn *t, uint64_t parent,
				 const char *name)
{
	uint64_t ino = make_inode(t, S_IFREG | 0644, 10);

	assert_int_equal(meta_dirent_insert(t, parent, name, strlen(name), ino),
			 0);
	return ino;
}

static inline uint64_t make_dir(struct meta_txn *t, uint64_t parent,
				const char *name)
{
	uint64_t ino = make_inode(t, S_IFDIR | 0755, 0);

	assert_int_equal(meta_dirent_insert(t, parent, name, strlen(name), ino),
			 0);
	return ino;
}

#endif
