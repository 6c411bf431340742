/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of cache and move share: a trust's state in a directory. */
#ifndef MERSEY_TESTS_CACHE_UTIL_H
#define MERSEY_TESTS_CACHE_UTIL_H

#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/io.h"
#include "cache/cache.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)

static char dir[64];
static struct meta *m;
static struct cache *c;
static struct cache_opts opts;

static inline void util_defaults(void)
{
	opts = (struct cache_opts){ .dir = dir,
				    .size = 1024 * MIB,
				    .high = 90,
				    .low = 80,
				    .keep_fds = 64,
				    .room_wait_ns = NSEC_PER_SEC / 4 };
}

static inline int open_state(void)
{
	CLEANUP_FREE char *path = io_path("%s/db", dir);
	struct err err = ERR_INIT;
	uint8_t volume[16];
	int rc = meta_open(path, &m, volume, &err);

	if (rc == 0)
		rc = cache_open(&opts, m, volume, &c, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.msg);
	return rc;
}

static inline void close_state(void)
{
	cache_close(c);
	meta_close(m);
	c = NULL;
	m = NULL;
}

static inline void reopen(void)
{
	close_state();
	assert_int_equal(open_state(), 0);
}

static inline int state_setup(void **state)
{
	struct meta_opts o = { .root_mode = 0755 };
	CLEANUP_FREE char *path = NULL;

	(void)state;
	signal(SIGIO, SIG_IGN);
	util_defaults();
	snprintf(dir, sizeof(dir), "/tmp/mersey-test-cache-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	path = io_path("%s/db", dir);
	o.path = path;
	if (io_random(o.volume, sizeof(o.volume)) < 0 ||
	    meta_create(&o, NULL) < 0)
		return -1;
	return open_state();
}

static inline int state_teardown(void **state)
{
	(void)state;
	close_state();
	return test_rm(dir);
}

static inline void row_get(uint64_t ino, struct meta_inode *out)
{
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_inode_get(&t, ino, out), 0);
}

static inline void row_put(const struct meta_inode *in)
{
	META_TXN(t);

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_inode_update(&t, in), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static inline enum meta_state state_of(uint64_t ino)
{
	struct meta_inode row;

	row_get(ino, &row);
	return row.state;
}

/* As vfs makes one: dirty, empty, with a name below `parent`. */
static inline uint64_t new_file_in(uint64_t parent, const char *name,
				   uint32_t mode)
{
	int64_t now = clock_wall_ns();
	struct meta_inode in = { .mode = mode,
				 .nlink = 1,
				 .state = S_ISREG(mode) ? META_DIRTY
							: META_LOCAL,
				 .atime_ns = now,
				 .mtime_ns = now,
				 .ctime_ns = now,
				 .dirty_ns = S_ISREG(mode) ? now : 0,
				 .settle_ns = now };
	META_TXN(t);

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_new_ino(&t, &in.ino), 0);
	assert_int_equal(meta_new_version(&t, &in.content_version), 0);
	assert_int_equal(meta_inode_insert(&t, &in), 0);
	assert_int_equal(
		meta_dirent_insert(&t, parent, name, strlen(name), in.ino), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	return in.ino;
}

/* Removes the last name of a file from the root directory. */
static inline void unlink_file(uint64_t ino, const char *name)
{
	struct meta_inode row;
	META_TXN(t);

	row_get(ino, &row);
	row.nlink = 0;
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_inode_update(&t, &row), 0);
	assert_int_equal(
		meta_dirent_remove(&t, META_ROOT_INO, name, strlen(name)), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static inline uint64_t new_file(const char *name)
{
	return new_file_in(META_ROOT_INO, name, S_IFREG | 0644);
}

/* The byte at `off` of the file whose content is named `seed`. */
static inline void pattern(uint64_t seed, uint64_t off, uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t x = (off + i) * 0x9e3779b97f4a7c15ULL +
			     (seed + 1) * 0xd1b54a32d192ed03ULL;

		p[i] = (uint8_t)(x >> 29 ^ x >> 47);
	}
}

static inline struct cache_file *file_open(uint64_t ino, bool writable)
{
	struct cache_file *f;

	assert_int_equal(cache_get(c, ino, &f), 0);
	assert_int_equal(cache_acquire(f, writable), 0);
	return f;
}

static inline void file_close(struct cache_file *f, bool writable)
{
	cache_check(f);
	assert_int_equal(cache_release(f, writable), 0);
	cache_check(f);
	cache_put(f);
}

static inline void write_at(struct cache_file *f, uint64_t seed, uint64_t off,
			    size_t n)
{
	CLEANUP_FREE uint8_t *p = malloc(n + 1);

	pattern(seed, off, p, n);
	assert_int_equal(cache_pwrite(f, p, n, off), n);
}

static inline void write_file(uint64_t ino, uint64_t seed, size_t n)
{
	struct cache_file *f = file_open(ino, true);
	size_t off, k;

	for (off = 0; off < n; off += k) {
		k = MIN(n - off, (size_t)MIB);
		write_at(f, seed, off, k);
	}
	file_close(f, true);
}

static inline uint64_t make_file(const char *name, uint64_t seed, size_t n)
{
	uint64_t ino = new_file(name);

	write_file(ino, seed, n);
	return ino;
}

static inline void expect_at(struct cache_file *f, uint64_t seed, uint64_t off,
			     size_t n)
{
	CLEANUP_FREE uint8_t *want = malloc(n + 1);
	CLEANUP_FREE uint8_t *got = malloc(n + 1);

	pattern(seed, off, want, n);
	assert_int_equal(cache_pread(f, got, n, off), n);
	assert_memory_equal(got, want, n);
}

/* Protect without a bucket: as far as the cache is concerned. */
static inline int protect(uint64_t ino)
{
	struct cache_seal s;
	META_TXN(t);
	int rc = cache_seal_begin(c, ino, &s);

	if (rc < 0)
		return rc;
	assert_int_equal(meta_begin(m, &t), 0);
	rc = cache_seal_commit(&s, &t, clock_wall_ns());
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	meta_abort(&t);
	cache_seal_end(&s, rc == 0);
	return rc;
}

static inline char *local_of(uint64_t ino)
{
	return io_path("%s/cache/%02x/%02x/%012llx", dir,
		       (unsigned)(ino >> 16 & 0xff),
		       (unsigned)(ino >> 8 & 0xff), (unsigned long long)ino);
}

static inline bool local_exists(uint64_t ino)
{
	CLEANUP_FREE char *path = local_of(ino);

	return access(path, F_OK) == 0;
}

static inline int count_lost(void)
{
	CLEANUP_FREE char *path = io_path("%s/lost+found", dir);
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

#define STATE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, state_setup, state_teardown)

#endif
