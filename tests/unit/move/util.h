/* SPDX-License-Identifier: Apache-2.0 */
/* A trust's state with a bucket: memory or a directory, with faults. */
#ifndef MERSEY_TESTS_MOVE_UTIL_H
#define MERSEY_TESTS_MOVE_UTIL_H

#include "base/bytes.h"
#include "move/impl.h"
#include "tests/unit/cache/util.h"

#define OBJECT (256 * KIB) /* object_size: small, so that files are cut */

static struct move *mv;
static struct move_opts mopts;
static struct pack_root root;
static struct pack_keyring *kr;
static struct store *bucket; /* shared; with faults below */
static struct store_fault_plan plan;
/* Changes the plan while calls run. */
#define SET(field, value) __atomic_store_n(&plan.field, value, __ATOMIC_RELAXED)
static struct store_counts counts[STORE_CAUSE_COUNT];
static struct move_stores stores;

static inline void move_defaults(void)
{
	mopts = (struct move_opts){ .settle_ns = 0,
				    .read_wait_ns = NSEC_PER_SEC / 2,
				    .delete_after_ns = 3600 * NSEC_PER_SEC,
				    .object_size = OBJECT,
				    .streams = 2,
				    .in_flight = 4,
				    .tier = "near",
				    .storage_class = "" };
}

static inline int start_move(void)
{
	struct err err = ERR_INIT;
	int rc = move_start(&mopts, m, c, kr, &stores, &mv, &err);

	if (rc < 0)
		fprintf(stderr, "%s\n", err.msg);
	return rc;
}

static inline void stop_move(void)
{
	move_stop(mv);
	mv = NULL;
}

static inline void restart(void)
{
	stop_move();
	reopen();
	assert_int_equal(start_move(), 0);
}

/* Takes the inner store. */
static inline void use_bucket(struct store *inner)
{
	int i;

	assert_non_null(inner);
	memset(&plan, 0, sizeof(plan));
	memset(counts, 0, sizeof(counts));
	bucket = store_shared_new(store_fault_new(inner, &plan));
	for (i = 0; i < STORE_CAUSE_COUNT; i++)
		stores.cause[i] = store_meter_new(store_shared_ref(bucket),
						  &counts[i], NULL);
}

static inline void drop_bucket(void)
{
	int i;

	for (i = 0; i < STORE_CAUSE_COUNT; i++)
		store_free(take(stores.cause[i]));
	store_free(take(bucket));
}

static inline void use_dir(void)
{
	struct store_opts o = { .kind = STORE_DIR,
				.name = "test",
				.endpoint = dir,
				.bucket = "bucket",
				.prefix = "" };
	struct store *s;

	drop_bucket();
	assert_int_equal(store_dir_open(&o, &s, NULL), 0);
	use_bucket(s);
}

static inline int keys_setup(void)
{
	CLEANUP_FREE char *path = io_path("%s/db", dir);
	CLEANUP_BUF struct buf text = { 0 };
	CLEANUP_BUF struct buf object = { 0 };
	struct pack_volume_id volume;
	struct meta *probe;

	close_state();
	if (meta_open(path, &probe, volume.b, NULL) < 0)
		return -1;
	meta_close(probe);
	kr = pack_keyring_new(&volume);
	if (!kr || pack_root_new(&root, &text) < 0 ||
	    pack_keyring_create(kr, &root, 1, &object) < 0)
		return -1;
	return open_state();
}

static inline int move_setup(void **state)
{
	move_defaults();
	if (state_setup(state) < 0 || keys_setup() < 0)
		return -1;
	use_bucket(store_mem_new());
	return start_move();
}

static inline int move_teardown(void **state)
{
	stop_move();
	close_state();
	drop_bucket();
	pack_keyring_free(take(kr));
	return state_teardown(state);
}

#define MOVE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, move_setup, move_teardown)

static inline uint64_t gets(void)
{
	struct store_counts n, sum = { 0 };
	int i;

	for (i = 0; i < STORE_CAUSE_COUNT; i++) {
		store_meter_read(&counts[i], &n);
		store_counts_add(&sum, &n);
	}
	return sum.gets;
}

static inline uint64_t deletes(void)
{
	struct store_counts n;

	store_meter_read(&counts[STORE_CAUSE_POLICY], &n);
	return n.deletes;
}

static inline bool wait_state(uint64_t ino, enum meta_state want)
{
	int i;

	for (i = 0; i < 3000 && state_of(ino) != want; i++)
		clock_sleep_ns(10000000);
	return state_of(ino) == want;
}

static inline void protect_all(uint64_t ino)
{
	move_protect_now(mv, 0);
	assert_true(wait_state(ino, META_LOCAL));
}

/* A seal may still be held by the stream that committed. */
static inline int evict_settled(uint64_t ino)
{
	uint64_t freed;
	int i, rc;

	for (i = 0; i < 1000; i++) {
		rc = cache_evict(c, ino, &freed);
		if (rc != -EBUSY)
			break;
		clock_sleep_ns(10000000);
	}
	return rc;
}

static inline void evict_file(uint64_t ino)
{
	assert_int_equal(evict_settled(ino), 0);
	assert_false(local_exists(ino));
}

static inline int recall(uint64_t ino, uint64_t off, uint64_t len)
{
	struct cache_file *f = file_open(ino, false);
	int rc = move_recall(mv, f, off, len, STORE_CAUSE_READ, NULL);

	file_close(f, false);
	return rc;
}

/* Reads all of a file as vfs does, and compares. */
static inline void expect_file(uint64_t ino, uint64_t seed, size_t n)
{
	struct cache_file *f = file_open(ino, false);
	size_t off, k;

	assert_int_equal(cache_size(f), n);
	for (off = 0; off < n; off += k) {
		k = MIN(n - off, (size_t)(128 * KIB));
		assert_int_equal(
			move_recall(mv, f, off, k, STORE_CAUSE_READ, NULL), 0);
		expect_at(f, seed, off, k);
	}
	file_close(f, false);
}

static inline uint64_t protected_file(const char *name, uint64_t seed, size_t n)
{
	uint64_t ino = make_file(name, seed, n);

	protect_all(ino);
	evict_file(ino);
	return ino;
}

static inline void pack_of(uint64_t ino, struct meta_pack *out)
{
	struct meta_extent e;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_extent_brief(&t, ino, 0, &e, 1), 1);
	assert_int_equal(meta_pack_get(&t, e.pack, out), 0);
}

/* The bytes of an object, to keep, alter and put back. */
static inline void object_read(struct store *s, const char *key,
			       struct buf *out)
{
	struct store_info info;

	assert_int_equal(store_head(s, key, &info), 0);
	out->len = 0;
	assert_non_null(buf_grow(out, info.size));
	assert_int_equal(store_get(s, key, 0, out->data, out->len), out->len);
}

static inline void object_get(const char *key, struct buf *out)
{
	object_read(bucket, key, out);
}

static inline void object_put(const char *key, const struct buf *b)
{
	assert_int_equal(store_put(bucket, key, b->data, b->len, NULL), 0);
}

static inline int count_packs(enum meta_pack_state state)
{
	CLEANUP_FREE struct meta_pack *p = calloc(200, sizeof(*p));
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_pack_list(&t, state, 0, INT64_MAX, p, 200);
}

/* Deletes what was condemned. */
static inline void delete_condemned(void)
{
	int i;

	stop_move();
	mopts.delete_after_ns = 1;
	assert_int_equal(start_move(), 0);
	for (i = 0; i < 1000 && count_packs(META_PACK_CONDEMNED) > 0; i++)
		clock_sleep_ns(10000000);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
	stop_move();
	mopts.delete_after_ns = 3600 * NSEC_PER_SEC;
	assert_int_equal(start_move(), 0);
}

#endif
