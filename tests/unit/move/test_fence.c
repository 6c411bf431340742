/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bucket, one writer (S22): who claims it and when, what a crash in the
 * middle leaves, and that who is superseded sends nothing any more.
 */
#include "tests/test.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "move/fence.h"
#include "store/drivers.h"

#define MS 1000000LL

static char dir[64];
static struct store *bucket; /* shared by all gateways */
static struct pack_root root;

/* A gateway: its database, and its way to the bucket. */
struct gw {
	const char *db, *dir;
	struct meta *m;
	struct pack_volume_id volume;
	struct store_fault_plan plan;
	struct store_counts counts;
	struct store *s;
	struct fence_opts o;
	struct fence *f;
};

static struct gw a, b;

static void gw_init(struct gw *g, const char *name, struct store *inner)
{
	*g = (struct gw){ .db = name, .dir = name };
	g->s = store_meter_new(store_fault_new(inner, &g->plan), &g->counts,
			       NULL);
	g->o = (struct fence_opts){ .trust = "rem",
				    .gateway = name,
				    .machine = "0123456789abcdef",
				    .dir = g->dir,
				    .glance_ns = 1,
				    .batch_ns = 1,
				    .settle_ns = 20 * MS };
	assert_non_null(g->s);
}

/* Opens the database, and starts; the bucket is seen at once. */
static void start(struct gw *g)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, g->db);
	struct err err = ERR_INIT;

	assert_int_equal(meta_open(path, &g->m, g->volume.b, &err), 0);
	g->o.dir = g->dir;
	assert_int_equal(
		fence_start(&g->o, g->m, g->s, &g->volume, &root, &g->f, &err),
		0);
	fence_open(g->f);
}

static void stop(struct gw *g)
{
	fence_stop(take(g->f));
	meta_close(take(g->m));
}

static enum fence_state state_of(struct gw *g)
{
	struct fence_info i;

	fence_info(g->f, &i);
	return i.state;
}

static bool wait_state(struct gw *g, enum fence_state s)
{
	int i;

	for (i = 0; i < 1000 && state_of(g) != s; i++)
		clock_sleep_ns(10 * MS);
	return state_of(g) == s;
}

static uint32_t generation(struct gw *g)
{
	uint32_t gen;

	assert_int_equal(fence_generation(g->f, &gen, NULL), 0);
	return gen;
}

/* Starts, and is the holder of that generation. */
static void start_as(struct gw *g, uint32_t gen)
{
	start(g);
	assert_true(wait_state(g, FENCE_HOLDER));
	assert_int_equal(generation(g), gen);
}

static void copy_db(const char *from, const char *to)
{
	assert_sh("cp %s/%s %s/%s", dir, from, dir, to);
}

static int setup(void **state)
{
	struct meta_opts mo = { .root_mode = 0755 };
	CLEANUP_BUF struct buf text = { 0 };
	char path[128];

	snprintf(dir, sizeof(dir), "/tmp/mersey-test-fence-XXXXXX");
	bucket = store_shared_new(store_mem_new());
	if (!mkdtemp(dir) || !bucket || pack_root_new(&root, &text) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/a", dir);
	mo.path = path;
	if (meta_create(&mo, NULL) < 0)
		return -1;
	gw_init(&a, "a", store_shared_ref(bucket));
	gw_init(&b, "b", store_shared_ref(bucket));
	return 0;
}

static int teardown(void **state)
{
	stop(&a);
	stop(&b);
	store_free(take(a.s));
	store_free(take(b.s));
	store_free(take(bucket));
	return test_rm(dir);
}

static void put(const char *key, const char *text)
{
	assert_int_equal(store_put(bucket, key, text, strlen(text), NULL), 0);
}

static bool there(const char *key)
{
	struct store_info info;

	return store_head(bucket, key, &info) == 0;
}

static int may_put(struct gw *g, const char *key)
{
	char why[FENCE_WHY_SIZE] = "";
	int rc = fence_put(g->f, key, why);

	assert_true(rc == 0 || why[0]);
	return rc;
}

static int may_del(struct gw *g, const char *key)
{
	char why[FENCE_WHY_SIZE] = "";
	int rc = fence_del(g->f, &key, 1, why);

	assert_true(rc == 0 || why[0]);
	return rc;
}

static uint64_t changes(struct gw *g)
{
	struct store_counts n;

	store_meter_read(&g->counts, &n);
	return n.puts + n.deletes + n.copies;
}

/* ---- claims ----------------------------------------------------------- */

static void test_first(void **state)
{
	start_as(&a, 2);
	assert_true(there("gen/00000002"));
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), 0);
	assert_int_equal(may_put(&a, "packs/00000001-0-0"), -ESTALE);
	assert_int_equal(may_put(&a, "meta/x"), 0);
	assert_int_equal(may_del(&a, "packs/00000001-0-0"), 0);
}

/* The same gateway goes on by itself, with a generation of its own. */
static void test_again(void **state)
{
	uint32_t gen;

	for (gen = 2; gen < 5; gen++) {
		start_as(&a, gen);
		assert_int_equal(may_del(&a, "packs/00000002-0-0"), 0);
		assert_int_equal(may_put(&a, "packs/00000002-0-0"),
				 gen == 2 ? 0 : -ESTALE);
		stop(&a);
	}
	assert_true(there("gen/00000002"));
	assert_true(there("gen/00000004"));
}

/* Before the bucket was seen nothing is asked or sent. */
static void test_closed(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/a", dir);
	struct fence_info was;
	struct err err = ERR_INIT;

	assert_int_equal(meta_open(path, &a.m, a.volume.b, &err), 0);
	assert_int_equal(
		fence_start(&a.o, a.m, a.s, &a.volume, &root, &a.f, &err), 0);
	clock_sleep_ns(50 * MS);
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), -EAGAIN);
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), -EAGAIN);
	assert_int_equal(fence_take(a.f, &was, &err), -EAGAIN);
	assert_int_equal(changes(&a), 0);
	fence_open(a.f);
	assert_true(wait_state(&a, FENCE_HOLDER));
}

/* P10: it starts without the cloud, and claims when that is back. */
static void test_away(void **state)
{
	struct fence_info was;
	struct err err = ERR_INIT;
	struct job_info job;

	a.plan.down = true;
	start(&a);
	assert_int_not_equal(fence_look(a.f, &was, &err), 0);
	assert_int_equal(was.state, FENCE_WAITING);
	fence_job(a.f, &job);
	assert_true(job.waiting_for[0] || err.msg[0]);
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), -EAGAIN);
	__atomic_store_n(&a.plan.down, false, __ATOMIC_RELAXED);
	assert_int_equal(fence_look(a.f, &was, &err), 0);
	assert_int_equal(was.state, FENCE_HOLDER);
}

/* ---- two gateways ----------------------------------------------------- */

/* B has a copy of A's database: it must not simply go on as A. */
static void two_gateways(void)
{
	start_as(&a, 2);
	stop(&a);
	copy_db("a", "b");
	start_as(&a, 3);
	start(&b);
	assert_true(wait_state(&b, FENCE_ELSEWHERE));
}

static void test_elsewhere(void **state)
{
	struct fence_info i;
	uint64_t before;

	two_gateways();
	before = changes(&b); /* of the trial whether claims are safe */
	fence_info(b.f, &i);
	assert_string_equal(i.held_by, "a");
	assert_true(i.host[0] && i.held_since_ns > 0);
	assert_int_equal(i.generation, 3);
	assert_non_null(strstr(i.why, "gateway 'a'"));
	assert_int_equal(may_put(&b, "packs/00000003-0-0"), -EROFS);
	assert_int_equal(may_put(&b, "packs/00000004-0-0"), -EROFS);
	assert_int_equal(may_del(&b, "packs/00000002-0-0"), -EROFS);
	assert_int_equal(changes(&b), before);
	/* Nor after another start of it. */
	stop(&b);
	start(&b);
	assert_true(wait_state(&b, FENCE_ELSEWHERE));
	assert_false(there("gen/00000004"));
	/* A goes on. */
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), 0);
}

static void take_over(struct gw *g, const char *from, uint32_t gen)
{
	struct fence_info was;
	struct err err = ERR_INIT;

	assert_int_equal(fence_take(g->f, &was, &err), 0);
	assert_string_equal(was.held_by, from);
	assert_int_equal(state_of(g), FENCE_HOLDER);
	assert_int_equal(generation(g), gen);
}

/* The loser sends nothing from the moment of the other's claim on. */
static void test_superseded(void **state)
{
	struct fence_info i;
	uint64_t before;

	two_gateways();
	before = changes(&a);
	take_over(&b, "a", 4);
	/* It does not know: it asks before it deletes. */
	assert_int_equal(state_of(&a), FENCE_HOLDER);
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), -EROFS);
	assert_int_equal(state_of(&a), FENCE_SUPERSEDED);
	assert_int_equal(may_put(&a, "packs/00000003-0-0"), -EROFS);
	for (int k = 0; k < 500; k++) {
		fence_info(a.f, &i);
		if (i.held_by[0])
			break;
		clock_sleep_ns(10 * MS);
	}
	assert_string_equal(i.held_by, "b");
	assert_int_equal(i.generation, 4);
	assert_int_equal(changes(&a), before);
	assert_int_equal(may_put(&b, "packs/00000004-0-0"), 0);
	assert_int_equal(may_del(&b, "packs/00000002-0-0"), 0);
	/* And back; then the names go on behind the other's. */
	take_over(&a, "b", 5);
	assert_int_equal(may_put(&a, "packs/00000003-0-0"), -ESTALE);
	assert_int_equal(may_put(&b, "packs/00000004-0-0"), -EROFS);
}

/* Before a PUT, too; but not more often than need be. */
static void test_glance(void **state)
{
	struct store_counts n, m;

	a.o.glance_ns = 3600 * NSEC_PER_SEC;
	start_as(&a, 2);
	store_meter_read(&a.counts, &n);
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), 0);
	store_meter_read(&a.counts, &m);
	assert_int_equal(m.heads, n.heads);
	put("gen/00000003", "who knows");
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), 0);
	stop(&a);
	assert_int_equal(store_del1(bucket, "gen/00000003"), 0);

	a.o.glance_ns = 1;
	start_as(&a, 3);
	store_meter_read(&a.counts, &n);
	assert_int_equal(may_put(&a, "packs/00000003-0-0"), 0);
	store_meter_read(&a.counts, &m);
	assert_int_equal(m.heads, n.heads + 1);
	assert_int_equal(m.lists, n.lists);
	put("gen/00000004", "who knows");
	assert_int_equal(may_put(&a, "packs/00000003-0-0"), -EROFS);
	assert_int_equal(state_of(&a), FENCE_SUPERSEDED);
}

/* The versions of a bucket are deleted one by one: a batch all the same. */
static void test_batch(void **state)
{
	struct store_counts n, m;
	int i;

	a.o.batch_ns = 3600 * NSEC_PER_SEC;
	start_as(&a, 2);
	store_meter_read(&a.counts, &n);
	for (i = 0; i < 10; i++)
		assert_int_equal(may_del(&a, "packs/00000002-0-0"), 0);
	store_meter_read(&a.counts, &m);
	assert_int_equal(m.lists, n.lists + 1);
	/* But not over a pause. */
	clock_shift(0, 2 * a.o.batch_ns);
	put("gen/00000003", "who knows");
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), -EROFS);
	clock_shift(0, -2 * a.o.batch_ns);
}

/* Nobody looks away for ever, not even who has nothing to do. */
static void test_idle(void **state)
{
	a.o.look_ns = 20 * MS;
	start_as(&a, 2);
	put("gen/00000003", "who knows");
	assert_true(wait_state(&a, FENCE_SUPERSEDED));
}

/* A store that is said to be away is asked again, but not at each word. */
static void test_ask(void **state)
{
	struct fence_info info;
	int i;

	a.o.ask_ns = 3600 * NSEC_PER_SEC;
	start_as(&a, 2);
	put("gen/00000003", "who knows");
	for (i = 0; i < 20; i++) {
		fence_ask(a.f);
		clock_sleep_ns(5 * MS);
	}
	fence_info(a.f, &info);
	assert_int_equal(info.state, FENCE_HOLDER);
	clock_shift(0, a.o.ask_ns);
	fence_ask(a.f);
	assert_true(wait_state(&a, FENCE_SUPERSEDED));
	clock_shift(0, -a.o.ask_ns);
}

/* A claim that nobody can read, and that leaves a gap, is one all the same. */
static void test_unknown_claim(void **state)
{
	struct fence_info i;
	struct err err = ERR_INIT;

	start_as(&a, 2);
	put("gen/00000009", "{}");
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), -EROFS);
	stop(&a);
	start(&a);
	assert_true(wait_state(&a, FENCE_ELSEWHERE));
	assert_int_equal(fence_look(a.f, &i, &err), 0);
	assert_string_equal(i.held_by, "");
	assert_int_equal(i.generation, 9);
	assert_non_null(strstr(i.why, "another gateway"));
	assert_int_equal(fence_take(a.f, &i, &err), 0);
	assert_int_equal(generation(&a), 10);
}

/* An old copy of the database in its own place does not know the newest
 * claim: what it would delete, others may name. */
static void test_old_database(void **state)
{
	start_as(&a, 2);
	stop(&a);
	copy_db("a", "old");
	start_as(&a, 3);
	stop(&a);
	copy_db("old", "a");
	start(&a);
	assert_true(wait_state(&a, FENCE_ELSEWHERE));
}

/* ---- crashes ---------------------------------------------------------- */

/* What has one of `lost` and `refused`, died there, and was started again. */
static void claim_cut_off(bool lost)
{
	struct fence_info was;
	struct err err = ERR_INIT;

	a.plan.error = -ECONNRESET;
	a.plan.lose_percent = lost ? 100 : 0;
	a.plan.fail_percent = lost ? 0 : 100;
	start(&a);
	assert_int_not_equal(fence_look(a.f, &was, &err), 0);
	stop(&a);
	a.plan.lose_percent = a.plan.fail_percent = 0;
}

/* A store whose create-only puts fail before or after they were done. */
struct cutter {
	struct store base;
	bool lost;
};

static int cutter_put(struct store *s, const char *key, const void *data,
		      size_t len, const struct store_put_opts *o)
{
	bool lost = container_of(s, struct cutter, base)->lost;

	if (strncmp(key, "gen/", 4) == 0 && !lost)
		return -ECONNRESET;
	if (store_put(bucket, key, data, len, o) < 0)
		return -EIO;
	return -ECONNRESET;
}

static int cutter_list(struct store *s, const char *prefix, const char *after,
		       size_t max, struct store_list *out)
{
	return store_list(bucket, prefix, after, max, out);
}

static ssize_t cutter_get(struct store *s, const char *key, uint64_t off,
			  void *dst, size_t len)
{
	return store_get(bucket, key, off, dst, len);
}

static void cutter_caps(struct store *s, struct store_caps *out)
{
	store_caps(bucket, out);
}

static void cutter_free(struct store *s)
{
}

static const struct store_ops cutter_ops = {
	.put = cutter_put,
	.get = cutter_get,
	.list = cutter_list,
	.caps = cutter_caps,
	.free = cutter_free,
};

static void claim_dies(bool lost)
{
	struct cutter cut = { .base.ops = &cutter_ops, .lost = lost };
	struct store *s = a.s;
	struct fence_info was;
	struct err err = ERR_INIT;

	a.s = &cut.base;
	start(&a);
	assert_int_equal(fence_look(a.f, &was, &err), -ECONNRESET);
	assert_int_equal(was.state, FENCE_WAITING);
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), -EAGAIN);
	stop(&a);
	a.s = s;
}

/* Its claim was not there yet: the same one is made, by the next process. */
static void test_dies_before(void **state)
{
	claim_dies(false);
	assert_false(there("gen/00000002"));
	start_as(&a, 2);
	stop(&a);
	start_as(&a, 3);
}

/* It was there, and nobody heard of it: still one's own. */
static void test_dies_after(void **state)
{
	bool twice;

	claim_dies(true);
	assert_true(there("gen/00000002"));
	twice = there("gen/00000003"); /* it looked once more */
	start_as(&a, twice ? 4 : 3);
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), 0);
}

/* Another was quicker with the generation that was about to be claimed. */
static void test_dies_and_loses(void **state)
{
	claim_dies(false);
	put("gen/00000002", "another's");
	start(&a);
	assert_true(wait_state(&a, FENCE_ELSEWHERE));
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), -EROFS);
	take_over(&a, "", 3);
	assert_int_equal(may_del(&a, "packs/00000002-0-0"), -EPERM);
}

/* Somebody cleaned up in the bucket meanwhile, or it is another one of the
 * trust: a person is asked, and no number comes again. */
static void test_claims_vanish(void **state)
{
	const char *const key[] = { "gen/00000002", "gen/00000003" };
	int rc[2];

	start_as(&a, 2);
	stop(&a);
	start_as(&a, 3);
	stop(&a);
	claim_dies(false);
	assert_int_equal(store_del(bucket, key, 2, rc), 0);
	start(&a);
	assert_true(wait_state(&a, FENCE_ELSEWHERE));
	take_over(&a, "", 4);
}

/* Whatever fails, in whatever order, ends in one holder. */
static void test_faults(void **state)
{
	int i;

	for (i = 0; i < 6; i++)
		claim_cut_off(i % 2);
	start(&a);
	assert_true(wait_state(&a, FENCE_HOLDER));
}

/* ---- stores that cannot ------------------------------------------------ */

/* Overwrites whatever it is told, and says so. */
struct naive {
	struct store base;
	const char *rival; /* what lies there a moment later; NULL = nothing */
};

static int naive_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *o)
{
	const char *rival = container_of(s, struct naive, base)->rival;

	if (o->if_absent)
		return -ENOTSUP;
	if (rival && strncmp(key, "gen/", 4) == 0)
		return store_put(bucket, key, rival, strlen(rival), NULL);
	return store_put(bucket, key, data, len, NULL);
}

static void naive_caps(struct store *s, struct store_caps *out)
{
	*out = (struct store_caps){ 0 };
}

static int naive_head(struct store *s, const char *key, struct store_info *out)
{
	return store_head(bucket, key, out);
}

static const struct store_ops naive_ops = {
	.put = naive_put,
	.get = cutter_get,
	.head = naive_head,
	.list = cutter_list,
	.caps = naive_caps,
	.free = cutter_free,
};

static void test_no_create_only(void **state)
{
	struct naive n = { .base.ops = &naive_ops };
	struct store *s = a.s;
	struct fence_info i;

	a.s = &n.base;
	start(&a);
	assert_true(wait_state(&a, FENCE_UNSAFE));
	assert_false(there("gen/00000002"));
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), -EROFS);
	fence_info(a.f, &i);
	assert_non_null(strstr(i.why, "create-only"));
	stop(&a);
	/* A person vouches for it. */
	a.o.single_writer = true;
	start_as(&a, 2);
	assert_int_equal(may_put(&a, "packs/00000002-0-0"), 0);
	stop(&a);
	/* Who came last has it. */
	n.rival = "another's";
	start(&a);
	assert_true(wait_state(&a, FENCE_ELSEWHERE));
	stop(&a);
	a.s = s;
}

/* ---- quarantine -------------------------------------------------------- */

static void name_pack(struct gw *g, const char *object)
{
	struct meta_pack p = { .tier = "near", .length = 4 };
	META_TXN(t);

	snprintf(p.object, sizeof(p.object), "%s", object);
	memcpy(p.id, object + 6, 8);
	assert_int_equal(meta_begin(g->m, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static bool wait_quarantine(struct gw *g, struct fence_info *i)
{
	int k;

	for (k = 0; k < 500; k++) {
		fence_info(g->f, i);
		if (i->quarantine_known)
			return true;
		clock_sleep_ns(10 * MS);
	}
	return false;
}

static void test_quarantine(void **state)
{
	struct fence_info i;

	start_as(&a, 2);
	assert_true(wait_quarantine(&a, &i));
	assert_int_equal(i.quarantined, 0);
	stop(&a);
	copy_db("a", "b");
	start_as(&a, 3);
	put("packs/00000001-1-1", "from before there were claims");
	put("packs/00000002-1-1", "ours");
	put("packs/00000003-1-1", "1234");
	put("packs/00000003-2-2", "56");
	put("packs/00000003-3-3", "named here");
	start(&b);
	assert_true(wait_state(&b, FENCE_ELSEWHERE));
	name_pack(&b, "packs/00000003-3-3");
	take_over(&b, "a", 4);
	put("packs/00000004-1-1", "b's own");
	assert_true(wait_quarantine(&b, &i));
	assert_int_equal(i.quarantined, 2);
	assert_int_equal(i.quarantined_bytes, 6);
	/* They stay, whoever asks for it; one's own do not. */
	assert_int_equal(may_del(&b, "packs/00000003-1-1"), -EPERM);
	assert_int_equal(may_del(&b, "packs/00000002-1-1"), 0);
	assert_int_equal(may_del(&b, "packs/00000004-1-1"), 0);
	/* What the loser sends late is found by the next start. */
	put("packs/00000003-9-9", "789");
	stop(&b);
	start_as(&b, 5);
	assert_true(wait_quarantine(&b, &i));
	assert_int_equal(i.quarantined, 3);
	assert_int_equal(i.quarantined_bytes, 9);
}

/* A superseded gateway has moved files to other buckets as well. */
static void test_quarantine_elsewhere(void **state)
{
	struct store *cool = store_mem_new();
	struct store_fault_plan plan = { .down = true };
	struct store *others[] = { store_fault_new(cool, &plan) };
	struct fence_info i;

	assert_non_null(others[0]);
	start_as(&a, 2);
	stop(&a);
	copy_db("a", "b");
	start_as(&a, 3);
	put("packs/00000003-1-1", "1234");
	assert_int_equal(store_put(cool, "packs/00000003-2-2", "56", 2, NULL),
			 0);
	assert_int_equal(store_put(cool, "packs/00000002-2-2", "ours", 4, NULL),
			 0);
	b.o.others = others;
	b.o.n_others = 1;
	b.o.look_ns = 20 * MS;
	start(&b);
	take_over(&b, "a", 4);
	clock_sleep_ns(100 * MS);
	fence_info(b.f, &i);
	assert_false(i.quarantine_known); /* as long as one is away */
	__atomic_store_n(&plan.down, false, __ATOMIC_RELAXED);
	assert_true(wait_quarantine(&b, &i));
	assert_int_equal(i.quarantined, 2);
	assert_int_equal(i.quarantined_bytes, 6);
	stop(&b);
	store_free(others[0]);
}

/* More than one page of them, and generations in between that are ours. */
static void test_quarantine_pages(void **state)
{
	struct fence_info i;
	char key[64];
	int k;

	start_as(&a, 2);
	stop(&a);
	copy_db("a", "b");
	start_as(&a, 3);
	for (k = 0; k < 1200; k++) {
		snprintf(key, sizeof(key), "packs/%08x-%04x-1", k % 3 + 2, k);
		put(key, "x");
	}
	start(&b);
	assert_true(wait_state(&b, FENCE_ELSEWHERE));
	take_over(&b, "a", 4);
	assert_true(wait_quarantine(&b, &i));
	assert_int_equal(i.quarantined, 400);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first),
		TEST(test_again),
		TEST(test_closed),
		TEST(test_away),
		TEST(test_elsewhere),
		TEST(test_superseded),
		TEST(test_glance),
		TEST(test_batch),
		TEST(test_idle),
		TEST(test_ask),
		TEST(test_unknown_claim),
		TEST(test_old_database),
		TEST(test_dies_before),
		TEST(test_dies_after),
		TEST(test_dies_and_loses),
		TEST(test_claims_vanish),
		TEST(test_faults),
		TEST(test_no_create_only),
		TEST(test_quarantine),
		TEST(test_quarantine_pages),
		TEST(test_quarantine_elsewhere),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
