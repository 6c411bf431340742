/* SPDX-License-Identifier: Apache-2.0 */
/* gc: after the grace period, while the clocks agree, and never else (S24). */
#include "tests/unit/move/util.h"

#define GRACE (NSEC_PER_SEC / 2)
#define SHIFT (40LL * 24 * 3600 * NSEC_PER_SEC)

static bool wait_condemned(int want)
{
	int i;

	for (i = 0; i < 300 && count_packs(META_PACK_CONDEMNED) != want; i++)
		clock_sleep_ns(10000000);
	return count_packs(META_PACK_CONDEMNED) == want;
}

/* A pack that nobody names; its key. */
static void condemn(const char *name, struct meta_pack *p)
{
	uint64_t ino = make_file(name, 1, 1000);

	protect_all(ino);
	pack_of(ino, p);
	write_file(ino, 2, 1000);
	protect_all(ino);
}

static void condemn_one(struct meta_pack *p)
{
	condemn("a", p);
}

static void with_grace(int64_t ns)
{
	stop_move();
	mopts.delete_after_ns = ns;
	assert_int_equal(start_move(), 0);
}

static void test_grace(void **state)
{
	struct store_info info;
	struct meta_pack p;

	condemn_one(&p);
	assert_true(count_packs(META_PACK_CONDEMNED) > 0);
	with_grace(3600 * NSEC_PER_SEC);
	clock_sleep_ns(700000000);
	assert_int_equal(deletes(), 0);
	assert_int_equal(store_head(bucket, p.object, &info), 0);
	with_grace(GRACE);
	assert_true(wait_condemned(0));
	assert_true(deletes() > 0);
	assert_int_equal(store_head(bucket, p.object, &info), -ENOENT);
	assert_int_equal(count_packs(META_PACK_STORED), 1);
}

static void expect_nothing_deleted(int ms)
{
	int condemned = count_packs(META_PACK_CONDEMNED);
	struct job_info job[16];
	size_t n, i;

	assert_true(condemned > 0);
	clock_sleep_ns(ms * 1000000LL);
	assert_int_equal(deletes(), 0);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), condemned);
	n = move_jobs(mv, job, 16);
	for (i = 0; i < n; i++)
		if (strcmp(job[i].name, "gc") == 0)
			assert_non_null(
				strstr(job[i].last_error, "wall clock"));
}

/* The wall clock leaps ahead of the grace period while we run. */
static void test_clock_leaps(void **state)
{
	struct meta_pack p;

	condemn_one(&p);
	with_grace(SHIFT / 2);
	clock_shift(SHIFT, 0); /* older than that by the clock */
	move_wake(mv, &mv->gc);
	expect_nothing_deleted(300);
	clock_shift(-SHIFT, 0);
}

/* It is behind the latest time that was ever seen. */
static void test_clock_behind(void **state)
{
	struct meta_pack p;
	META_TXN(t);
	uint8_t v[8];

	condemn_one(&p);
	put_le64(v, (uint64_t)(clock_wall_ns() + SHIFT));
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_value_set(&t, "gc.high_water", v, 8), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	with_grace(1);
	expect_nothing_deleted(500);
}

/* A store that does not answer tells no time. */
static int silent_skew(struct store *s, int64_t *ahead)
{
	return -ENODATA;
}

static int silent_head(struct store *s, const char *key, struct store_info *out)
{
	return -ETIMEDOUT;
}

/* Condemned by a process that started with a wrong clock, and ended before
 * anybody saw that: the grace does not pass with the clock that is set. */
static void test_clock_was_wrong(void **state)
{
	const struct store_ops ops = { .skew = silent_skew,
				       .head = silent_head };
	struct store silent = { &ops };
	struct store *real = stores.cause[STORE_CAUSE_POLICY];
	struct meta_pack p;

	clock_shift(-SHIFT, 0);
	stores.cause[STORE_CAUSE_POLICY] = &silent;
	with_grace(SHIFT / 2);
	condemn_one(&p);
	stop_move();
	stores.cause[STORE_CAUSE_POLICY] = real;
	clock_shift(SHIFT, 0);
	with_grace(SHIFT / 2);
	clock_sleep_ns(500000000);
	assert_int_equal(deletes(), 0);
	assert_true(count_packs(META_PACK_CONDEMNED) > 0);
	/* Once it was seen, later starts do not begin anew. */
	with_grace(GRACE);
	assert_true(wait_condemned(0));
}

/* Condemned while the clock was wrong, which was seen, and then set. */
static void test_clock_went_wrong(void **state)
{
	struct meta_pack p;

	with_grace(SHIFT / 2);
	condemn("a", &p);
	move_wake(mv, &mv->gc);
	clock_sleep_ns(300000000);
	clock_shift(-SHIFT, 0);
	condemn("b", &p);
	move_wake(mv, &mv->gc);
	expect_nothing_deleted(300);
	clock_shift(SHIFT, 0);
	move_wake(mv, &mv->gc);
	clock_sleep_ns(300000000);
	assert_int_equal(deletes(), 0);
	assert_true(count_packs(META_PACK_CONDEMNED) >= 2);
	with_grace(GRACE);
	assert_true(wait_condemned(0));
}

/* The store's Date says otherwise. */
struct skewed {
	struct store base;
	int64_t ahead;
	bool known;
};

static int skewed_skew(struct store *s, int64_t *ahead)
{
	struct skewed *k = container_of(s, struct skewed, base);

	*ahead = k->ahead;
	return k->known ? 0 : -ENODATA;
}

static int skewed_head(struct store *s, const char *key, struct store_info *out)
{
	container_of(s, struct skewed, base)->known = true;
	return -ENOENT;
}

static int skewed_del(struct store *s, const char *const *keys, size_t n,
		      int *rc)
{
	return store_del(bucket, keys, n, rc);
}

static void skewed_caps(struct store *s, struct store_caps *out)
{
	store_caps(bucket, out);
}

static void test_store_disagrees(void **state)
{
	const struct store_ops ops = { .skew = skewed_skew,
				       .head = skewed_head,
				       .del = skewed_del,
				       .caps = skewed_caps };
	struct skewed k = { .base.ops = &ops, .ahead = -SHIFT };
	struct store *real = stores.cause[STORE_CAUSE_POLICY];
	struct meta_pack p;

	condemn_one(&p);
	stores.cause[STORE_CAUSE_POLICY] = &k.base;
	with_grace(1);
	expect_nothing_deleted(500);
	k.ahead = NSEC_PER_SEC;
	with_grace(1);
	assert_true(wait_condemned(0)); /* the control */
	stop_move();
	stores.cause[STORE_CAUSE_POLICY] = real;
}

/* What a dead process was sending is condemned at the start. */
static void test_intents(void **state)
{
	struct meta_pack p = { .object = "packs/x", .tier = "near" };
	META_TXN(t);

	stop_move();
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(start_move(), 0);
	assert_int_equal(count_packs(META_PACK_INTENT), 0);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 1);
}

/* A DELETE that fails leaves the row for the next time. */
static void test_delete_fails(void **state)
{
	struct meta_pack p;

	condemn_one(&p);
	SET(down, true);
	with_grace(1);
	clock_sleep_ns(300000000);
	assert_true(count_packs(META_PACK_CONDEMNED) > 0);
	SET(down, false);
	assert_true(wait_condemned(0));
}

/* ---- versions ------------------------------------------------------- */

/* A bucket that keeps versions: a DELETE without a name frees nothing. */
struct versioned {
	struct store base;
	struct store *inner;
	char locked[128]; /* an object that nobody may delete */
	bool cannot;	  /* delete versions */
	unsigned hidden;  /* DELETEs that freed nothing */
	unsigned asked;	  /* HEADs */
};

static struct versioned *versioned(struct store *s)
{
	return container_of(s, struct versioned, base);
}

static int versioned_head(struct store *s, const char *key,
			  struct store_info *out)
{
	versioned(s)->asked++;
	return store_head(versioned(s)->inner, key, out);
}

static int versioned_del(struct store *s, const char *const *keys, size_t n,
			 int *rc)
{
	versioned(s)->hidden++;
	memset(rc, 0, n * sizeof(*rc));
	return 0;
}

static int versioned_del_version(struct store *s, const char *key,
				 const char *version)
{
	struct versioned *v = versioned(s);

	if (v->cannot)
		return -ENOTSUP;
	if (strcmp(key, v->locked) == 0)
		return -EACCES;
	return store_del_version(v->inner, key, version);
}

static int versioned_skew(struct store *s, int64_t *ahead)
{
	return store_skew(versioned(s)->inner, ahead);
}

static void versioned_caps(struct store *s, struct store_caps *out)
{
	store_caps(versioned(s)->inner, out);
	out->versions = true;
}

static const struct store_ops versioned_ops = {
	.head = versioned_head,
	.del = versioned_del,
	.del_version = versioned_del_version,
	.skew = versioned_skew,
	.caps = versioned_caps,
};

static void with_versions(struct versioned *v)
{
	*v = (struct versioned){ .base.ops = &versioned_ops,
				 .inner = stores.cause[STORE_CAUSE_POLICY] };
	stores.cause[STORE_CAUSE_POLICY] = &v->base;
}

static void without_versions(struct versioned *v)
{
	stop_move();
	stores.cause[STORE_CAUSE_POLICY] = v->inner;
}

static void test_versions(void **state)
{
	struct store_info info;
	struct versioned v;
	struct meta_pack p;

	condemn_one(&p);
	assert_true(p.version[0]);
	stop_move();
	with_versions(&v);
	with_grace(1);
	assert_true(wait_condemned(0));
	assert_int_equal(v.hidden + v.asked, 0);
	assert_int_equal(store_head(bucket, p.object, &info), -ENOENT);
	without_versions(&v);
}

/* The row does not say which version: the store does. */
static void test_version_unknown(void **state)
{
	struct meta_pack p = { .object = "packs/x", .tier = "near" };
	struct meta_pack gone = { .object = "packs/y", .tier = "near" };
	struct store_info info;
	struct versioned v;
	META_TXN(t);

	stop_move();
	assert_int_equal(store_put(bucket, "packs/x", "x", 1, NULL), 0);
	gone.id[0] = 1;
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_pack_intend(&t, &gone), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	with_versions(&v);
	with_grace(1);
	assert_true(wait_condemned(0));
	assert_int_equal(v.hidden, 0);
	assert_int_equal(v.asked, 2);
	assert_int_equal(store_head(bucket, "packs/x", &info), -ENOENT);
	without_versions(&v);
}

static bool gc_says(const char *what)
{
	struct job_info job[16];
	size_t n = move_jobs(mv, job, 16), i;

	for (i = 0; i < n; i++)
		if (strcmp(job[i].name, "gc") == 0)
			return strstr(job[i].last_error, what);
	return false;
}

/* One that is locked stays, and keeps no other from going. */
static void test_locked(void **state)
{
	struct store_info info;
	struct meta_pack p, q;
	struct versioned v;
	int i;

	condemn_one(&p);
	condemn("b", &q);
	stop_move();
	with_versions(&v);
	snprintf(v.locked, sizeof(v.locked), "%s", p.object);
	with_grace(1);
	assert_true(wait_condemned(1));
	assert_int_equal(store_head(bucket, p.object, &info), 0);
	assert_int_equal(store_head(bucket, q.object, &info), -ENOENT);
	without_versions(&v);
	/* A store that cannot says so, and hides nothing. */
	with_versions(&v);
	v.cannot = true;
	with_grace(1);
	for (i = 0; i < 300 && !gc_says("nothing is freed"); i++)
		clock_sleep_ns(10000000);
	assert_true(gc_says("nothing is freed"));
	assert_int_equal(v.hidden, 0);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 1);
	without_versions(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVE_TEST(test_grace),
		MOVE_TEST(test_clock_leaps),
		MOVE_TEST(test_clock_behind),
		MOVE_TEST(test_store_disagrees),
		MOVE_TEST(test_intents),
		MOVE_TEST(test_delete_fails),
		MOVE_TEST(test_versions),
		MOVE_TEST(test_version_unknown),
		MOVE_TEST(test_locked),
		MOVE_TEST(test_clock_was_wrong),
		MOVE_TEST(test_clock_went_wrong),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
