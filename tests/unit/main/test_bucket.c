/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a trust and a wrong bucket: the kept objects, the gate,
 * the identity check, the checks of a bucket at setup.
 */
#include "tests/test.h"

#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "main/bucket.h"
#include "main/ending.h"
#include "main/identity.h"
#include "main/kept.h"
#include "store/call.h"

#define MS 1000000LL

static char dir[64];
static struct store *mem;
static struct pack_root root;
static struct pack_volume_id volume = { .b = "volume of a test" };

static int setup(void **state)
{
	CLEANUP_BUF struct buf text = { 0 };

	snprintf(dir, sizeof(dir), "/tmp/mersey-test-bucket-XXXXXX");
	mem = store_mem_new();
	return mkdtemp(dir) && mem ? pack_root_new(&root, &text) : -1;
}

static int teardown(void **state)
{
	store_free(mem);
	return test_rm(dir);
}

/* Puts a marker of `v` under `r` into the store. */
static void put_marker(const struct pack_volume_id *v,
		       const struct pack_root *r)
{
	CLEANUP_BUF struct buf text = { 0 };

	assert_int_equal(pack_marker_make(v, r, &text), 0);
	assert_int_equal(
		store_put(mem, PACK_MARKER_NAME, text.data, text.len, NULL), 0);
}

static void test_kept_marker(void **state)
{
	CLEANUP_FREE char *copy = io_path("%s/%s", dir, PACK_MARKER_NAME);
	struct pack_volume_id v;
	struct err err = ERR_INIT;

	assert_int_equal(kept_marker(dir, mem, &root, &v, &err), -ENOENT);
	put_marker(&volume, &root);
	assert_int_equal(kept_marker(dir, NULL, &root, &v, &err), -ENOENT);
	assert_int_equal(kept_marker(dir, mem, &root, &v, &err), 0);
	assert_memory_equal(&v, &volume, sizeof(v));
	/* From now on without the cloud. */
	assert_int_equal(access(copy, R_OK), 0);
	memset(&v, 0, sizeof(v));
	assert_int_equal(kept_marker(dir, NULL, &root, &v, &err), 0);
	assert_memory_equal(&v, &volume, sizeof(v));
	/* The copy is checked as the object is. */
	assert_int_equal(io_write_file(copy, 0600, "{}", 2, false), 0);
	assert_int_equal(kept_marker(dir, NULL, &root, &v, &err), -EBADMSG);
}

/* Puts the key object of a new generation into the store. */
static void put_key(struct pack_keyring *kr, uint32_t gen,
		    const struct pack_root *r)
{
	CLEANUP_BUF struct buf object = { 0 };
	char key[PACK_NAME_SIZE];

	assert_int_equal(pack_keyring_create(kr, r, gen, &object), 0);
	pack_key_object_name(gen, r, key);
	assert_int_equal(store_put(mem, key, object.data, object.len, NULL), 0);
}

static void test_kept_keyring(void **state)
{
	struct pack_keyring *made = pack_keyring_new(&volume), *kr = NULL;
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_root other;
	struct err err = ERR_INIT;

	assert_int_equal(kept_keyring(dir, mem, &volume, &root, &kr, &err),
			 -ENOENT);
	put_key(made, 1, &root);
	put_key(made, 2, &root);
	/* Keys of another root key are none of ours. */
	assert_int_equal(pack_root_new(&other, &text), 0);
	put_key(made, 3, &other);
	assert_int_equal(kept_keyring(dir, mem, &volume, &root, &kr, &err), 0);
	assert_int_equal(pack_keyring_newest(kr), 2);
	pack_keyring_free(kr);
	kr = NULL;
	assert_int_equal(kept_keyring(dir, NULL, &volume, &root, &kr, &err), 0);
	assert_int_equal(pack_keyring_newest(kr), 2);
	pack_keyring_free(kr);
	pack_keyring_free(made);
}

static void test_kept_limits(void **state)
{
	static char big[KEPT_MAX + 1];
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(kept_fetch(mem, "none", &b), -ENOENT);
	assert_int_equal(store_put(mem, "big", big, sizeof(big), NULL), 0);
	assert_int_equal(kept_fetch(mem, "big", &b), -EFBIG);
	assert_int_equal(store_put(mem, "empty", "", 0, NULL), 0);
	assert_int_equal(kept_fetch(mem, "empty", &b), 0);
	assert_int_equal(b.len, 0);
}

static void test_gate(void **state)
{
	struct gate gate = { 0 };
	struct store *inner = store_shared_ref(*(struct store **)state);
	struct store *s = gate_store_new(inner, &gate);
	const char *keys[] = { "a", "b" };
	int rc[2] = { 0, 0 };
	struct store_list l = { 0 };
	struct store_info info;
	char c;

	assert_non_null(s);
	assert_int_equal(store_put(s, "a", "x", 1, NULL), -EAGAIN);
	assert_int_equal(store_get(s, "a", 0, &c, 1), -EAGAIN);
	assert_int_equal(store_head(s, "a", &info), -EAGAIN);
	assert_int_equal(store_list(s, "", "", 10, &l), -EAGAIN);
	assert_int_equal(store_del(s, keys, 2, rc), -EAGAIN);
	assert_int_equal(rc[1], -EAGAIN);
	assert_true(store_is_transient(-EAGAIN));

	gate_open(&gate);
	assert_int_equal(store_put(s, "a", "x", 1, NULL), 0);
	assert_int_equal(store_get(s, "a", 0, &c, 1), 1);
	assert_int_equal(store_head(s, "a", &info), 0);
	assert_int_equal(store_list(s, "", "", 10, &l), 0);
	assert_int_equal(l.n, 1);
	store_list_done(&l);
	assert_int_equal(store_del(s, keys, 2, rc), 0);
	store_free(s);
	assert_null(gate_store_new(NULL, &gate));
}

static int gate_setup(void **state)
{
	*state = store_shared_new(store_mem_new());
	return *state ? 0 : -1;
}

static int gate_teardown(void **state)
{
	store_free(*state);
	return 0;
}

/* Until when the last call might take. */
static int64_t left_ns;

static int timed_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *o)
{
	left_ns = store_call.deadline_ns;
	return 0;
}

static int timed_del(struct store *s, const char *const *keys, size_t n,
		     int *rc)
{
	left_ns = store_call.deadline_ns;
	memset(rc, 0, n * sizeof(*rc));
	return 0;
}

static void timed_free(struct store *s)
{
}

/* A delete leaves soon after it was allowed, or not at all; a pack takes as
 * long as the line needs. */
static void test_gate_time(void **state)
{
	const struct store_ops ops = { .put = timed_put,
				       .del = timed_del,
				       .free = timed_free };
	struct store inner = { .ops = &ops };
	struct gate gate = { .open = true };
	struct store *s = gate_store_new(&inner, &gate);
	int64_t now = clock_boot_ns();

	assert_non_null(s);
	assert_int_equal(store_put(s, "a", "b", 1, NULL), 0);
	assert_int_equal(left_ns, 0);
	assert_int_equal(store_del1(s, "a"), 0);
	assert_true(left_ns >= now + 30000 * MS);
	assert_int_equal(store_call.deadline_ns, 0);
	store_call.deadline_ns = now + 1; /* of who calls */
	assert_int_equal(store_del1(s, "a"), 0);
	assert_int_equal(left_ns, now + 1);
	assert_int_equal(store_call.deadline_ns, now + 1);
	store_call.deadline_ns = 0;
	store_free(s);
}

static void test_look(void **state)
{
	struct pack_volume_id other = { .b = "another volume!" };
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_root wrong;
	struct err err = ERR_INIT;

	assert_int_equal(identity_look(mem, &volume, &root, &err), -ENOENT);
	put_marker(&volume, &root);
	assert_int_equal(identity_look(mem, &volume, &root, &err), 0);
	put_marker(&other, &root);
	assert_int_equal(identity_look(mem, &volume, &root, &err), -EREMCHG);
	assert_int_equal(pack_root_new(&wrong, &text), 0);
	put_marker(&volume, &wrong);
	assert_int_equal(identity_look(mem, &volume, &root, &err),
			 -EKEYREJECTED);
}

/* A stack whose direct store can be cut off. */
struct cut {
	struct stack stack;
	struct conf_tier tier;
	struct store_fault_plan plan;
};

static void cut_init(struct cut *c, bool down)
{
	memset(c, 0, sizeof(*c));
	c->plan.down = down;
	c->stack.place[0].direct = store_fault_new(mem, &c->plan);
	assert_non_null(c->stack.place[0].direct);
	c->tier.terms.name = "near";
	c->stack.place[0].tier = &c->tier;
	c->stack.n_places = 1;
}

static void cut_done(struct cut *c)
{
	store_free(c->stack.place[0].direct); /* frees mem */
	mem = NULL;
}

static bool lets_in(const struct cut *c)
{
	return gate_is_open(&c->stack.place[0].gate);
}

static int start(struct cut *c, int64_t wait_ns, struct identity **id,
		 struct err *err)
{
	const struct identity_opts o = { .trust = "rem",
					 .volume = &volume,
					 .root = &root,
					 .wait_ns = wait_ns };

	return identity_start(&c->stack, &o, id, err);
}

static void test_identity_right(void **state)
{
	struct identity *id = NULL;
	struct err err = ERR_INIT;
	struct cut c;

	put_marker(&volume, &root);
	cut_init(&c, false);
	assert_int_equal(start(&c, 5000 * MS, &id, &err), 0);
	assert_true(lets_in(&c));
	identity_stop(id);
	cut_done(&c);
}

static void test_identity_wrong(void **state)
{
	struct pack_volume_id other = volume;
	struct identity *id = NULL;
	struct err err = ERR_INIT;
	struct cut c;

	other.b[0] ^= 1;
	put_marker(&other, &root);
	cut_init(&c, false);
	assert_int_equal(start(&c, 5000 * MS, &id, &err), -EREMCHG);
	assert_null(id);
	assert_false(lets_in(&c));
	assert_non_null(strstr(err.hint, "trust add rem"));
	cut_done(&c);
}

/* No marker: a share that is not mounted looks so. Going on, gate closed. */
static void test_identity_missing(void **state)
{
	struct store_health health;
	struct identity *id = NULL;
	struct err err = ERR_INIT;
	struct cut c;

	cut_init(&c, false);
	assert_int_equal(start(&c, 200 * MS, &id, &err), 0);
	assert_false(lets_in(&c));
	store_health_read(&c.stack.place[0].health, &health);
	assert_false(health.down);
	assert_int_equal(health.last_error, -ENOENT);
	assert_non_null(strstr(health.detail, "mersey.json"));
	identity_stop(id);
	cut_done(&c);
}

/* The store is away at the start: going on, with the gate closed. */
static void test_identity_away(void **state)
{
	struct identity *id = NULL;
	struct err err = ERR_INIT;
	struct cut c;

	put_marker(&volume, &root);
	cut_init(&c, true);
	assert_int_equal(start(&c, 200 * MS, &id, &err), 0);
	assert_false(lets_in(&c));
	identity_stop(id); /* at once, although it waits */
	cut_done(&c);
}

static void test_bucket_check(void **state)
{
	struct store_list l = { 0 };
	struct store_caps caps;
	struct err err = ERR_INIT;

	assert_int_equal(bucket_check(mem, false, &caps, &err), 0);
	assert_true(caps.create_only);
	/* Nothing is left of it. */
	assert_int_equal(store_list(mem, "", "", 10, &l), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(bucket_has_packs(mem, &err), 0);
	assert_int_equal(store_put(mem, "packs/x", "x", 1, NULL), 0);
	assert_int_equal(bucket_has_packs(mem, &err), 1);
}

/* A store that overwrites: only with somebody who vouches for it. */
struct naive {
	struct store base;
	struct store *inner;
};

static int naive_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *opts)
{
	struct store *in = container_of(s, struct naive, base)->inner;

	return opts->if_absent ? -ENOTSUP : store_put(in, key, data, len, opts);
}

static ssize_t naive_get(struct store *s, const char *key, uint64_t off,
			 void *dst, size_t len)
{
	return store_get(container_of(s, struct naive, base)->inner, key, off,
			 dst, len);
}

static int naive_head(struct store *s, const char *key, struct store_info *out)
{
	return store_head(container_of(s, struct naive, base)->inner, key, out);
}

static int naive_del(struct store *s, const char *const *keys, size_t n,
		     int *rc)
{
	return store_del(container_of(s, struct naive, base)->inner, keys, n,
			 rc);
}

static void naive_caps(struct store *s, struct store_caps *out)
{
	store_caps(container_of(s, struct naive, base)->inner, out);
}

static void assert_must_be_confirmed(struct store *s)
{
	struct store_caps caps;
	struct err err = ERR_INIT;

	assert_int_equal(bucket_check(s, false, &caps, &err), -ENOTSUP);
	assert_non_null(strstr(err.hint, "single_writer: confirmed"));
	assert_int_equal(bucket_check(s, true, &caps, &err), 0);
	assert_false(caps.create_only);
}

static void test_no_create_only(void **state)
{
	const struct store_ops ops = { .put = naive_put,
				       .get = naive_get,
				       .head = naive_head,
				       .del = naive_del,
				       .caps = naive_caps };
	struct naive n = { .base.ops = &ops, .inner = mem };

	assert_must_be_confirmed(&n.base);
	assert_int_equal(bucket_create(&n.base, false, "a", "x", 1), 0);
	assert_int_equal(bucket_create(&n.base, false, "a", "y", 1), -EEXIST);
	assert_int_equal(bucket_create(mem, true, "b", "x", 1), 0);
	assert_int_equal(bucket_create(mem, true, "b", "y", 1), -EEXIST);
}

static int looking_put(struct store *s, const char *key, const void *data,
		       size_t len, const struct store_put_opts *opts)
{
	return store_put(container_of(s, struct naive, base)->inner, key, data,
			 len, opts);
}

static void looking_caps(struct store *s, struct store_caps *out)
{
	naive_caps(s, out);
	out->create_only = false;
}

/* As s3v2: it refuses what it has seen, which proves nothing of two. */
static void test_looks_first(void **state)
{
	const struct store_ops ops = { .put = looking_put,
				       .get = naive_get,
				       .head = naive_head,
				       .del = naive_del,
				       .caps = looking_caps };
	struct naive n = { .base.ops = &ops, .inner = mem };

	assert_must_be_confirmed(&n.base);
}

/* Is an empty bucket one that lost its objects? The database knows. */
static void test_is_named(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/db", dir);
	struct meta_opts o = { .path = path, .root_mode = 0755 };
	struct meta_pack pack = { .object = "packs/x", .tier = "near" };
	struct err err = ERR_INIT;
	uint8_t id[16];
	struct meta *m;
	META_TXN(t);

	assert_int_equal(meta_create(&o, &err), 0);
	assert_int_equal(meta_open(path, &m, id, &err), 0);
	assert_int_equal(bucket_is_named(m, NULL, &err), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &pack), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(bucket_is_named(m, NULL, &err), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_stored(&t, &pack), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(bucket_is_named(m, NULL, &err), 1);
	meta_close(m);
}

static void test_bucket_bad(void **state)
{
	struct store_fault_plan plan = { .flip_percent = 100, .seed = 1 };
	struct store_caps caps;
	struct err err = ERR_INIT;
	struct store *s = store_fault_new(mem, &plan);

	assert_int_equal(bucket_check(s, false, &caps, &err), -EPROTO);
	plan = (struct store_fault_plan){ .down = true };
	assert_int_equal(bucket_check(s, false, &caps, &err), -ECONNREFUSED);
	store_free(s);
	mem = NULL;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept_marker),
		TEST(test_kept_keyring),
		TEST(test_kept_limits),
		cmocka_unit_test_setup_teardown(test_gate, gate_setup,
						gate_teardown),
		TEST(test_gate_time),
		TEST(test_look),
		TEST(test_identity_right),
		TEST(test_identity_wrong),
		TEST(test_identity_missing),
		TEST(test_identity_away),
		TEST(test_bucket_check),
		TEST(test_is_named),
		TEST(test_bucket_bad),
		TEST(test_no_create_only),
		TEST(test_looks_first),
	};

	ending_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
