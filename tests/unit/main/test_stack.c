/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several tiers: which of them share what, whose requests are counted as
 * whose, and what makes a bucket a place of the trust.
 */
#include "tests/test.h"

#include "base/io.h"
#include "main/bucket.h"
#include "main/ending.h"
#include "main/identity.h"
#include "main/kept.h"
#include "main/place.h"
#include "main/stack.h"
#include "main/terms.h"

#define MS 1000000LL

/* With the directories of the two first stores. */
#define HEAD                                                               \
	"version: 1\n"                                                     \
	"stores:\n"                                                        \
	"  nas: {kind: dir, path: %s/nas}\n"                               \
	"  tape: {kind: dir, path: %s/tape}\n"                             \
	"  ceph: {kind: s3, endpoint: 'https://s3.example', region: uk}\n" \
	"trusts:\n"                                                        \
	"  rem:\n"                                                         \
	"    user: '60901'\n"                                              \
	"    root: {owner: '61001', group: '61001'}\n"                     \
	"    key: {file: /sec/rem.key}\n"

#define KEYS                                 \
	"[default]\naws_access_key_id = A\n" \
	"aws_secret_access_key = B\n"

struct rig {
	char dir[64];
	struct config *c;
	struct conf_trust ct;
	struct super_secret secret[1];
	struct stack stack;
	struct err err;
};

static int setup(void **state)
{
	static const char *const made[] = { "nas", "tape", "nas/rem-a",
					    "nas/rem-b", "tape/rem-c" };
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	strcpy(r->dir, "/tmp/mersey-test-stack-XXXXXX");
	if (!mkdtemp(r->dir))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		CLEANUP_FREE char *path = io_path("%s/%s", r->dir, made[i]);

		if (io_mkdir_p(path, 0700) < 0)
			return -1;
	}
	strcpy(r->secret[0].name, "credentials:ceph");
	return buf_add(&r->secret[0].value, KEYS, strlen(KEYS));
}

static int teardown(void **state)
{
	struct rig *r = *state;
	int rc;

	stack_close(&r->stack);
	conf_trust_done(&r->ct);
	config_free(r->c);
	buf_done(&r->secret[0].value);
	rc = test_rm(r->dir);
	free(r);
	return rc;
}

/* `tiers`: the lines of the config's list. */
static void rig_open(struct rig *r, const char *tiers)
{
	const struct stack_open in = {
		.ct = &r->ct,
		.secrets = r->secret,
		.n_secrets = 1,
	};
	CLEANUP_BUF struct buf text = { 0 };
	struct config_problems ps = { 0 };
	int rc;

	assert_int_equal(buf_addf(&text, HEAD "%s", r->dir, r->dir, tiers), 0);
	rc = config_parse("/etc/m.yaml", buf_str(&text), text.len, &r->c, &ps,
			  &r->err);
	for (size_t i = 0; i < ps.n; i++)
		print_error("%s: %s\n", ps.p[i].key, ps.p[i].message);
	config_problems_done(&ps);
	assert_int_equal(rc, 0);
	assert_int_equal(conf_trust_init(&r->ct, r->c, "rem", &r->err), 0);
	assert_int_equal(stack_open(&r->stack, &in, &r->err), 0);
}

static const char three[] = "    tiers:\n"
			    "    - {name: near, store: nas, bucket: rem-a}\n"
			    "    - {name: cool, store: nas, bucket: rem-b}\n"
			    "    - {name: cold, store: tape, bucket: rem-c}\n";
static const char classes[] =
	"    credentials: {ceph: /sec/rem.cred}\n"
	"    tiers:\n"
	"    - {name: near, store: ceph, bucket: rem-a}\n"
	"    - {name: cool, store: ceph, bucket: rem-a, storage_class: "
	"STANDARD_IA}\n"
	"    - {name: cold, store: ceph, bucket: rem-b, storage_class: "
	"GLACIER, object_size: 256MiB}\n";

static void test_places(void **state)
{
	struct rig *r = *state;
	const struct stack_place *p = r->stack.place;

	rig_open(r, three);
	assert_int_equal(r->stack.n_places, 3);
	assert_int_equal(r->stack.stores.n_tiers, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(r->stack.stores.tier[i].place, i);
	assert_ptr_equal(p[0].flow, p[1].flow);
	assert_ptr_not_equal(p[0].flow, p[2].flow);
	assert_ptr_equal(r->stack.stores.cause[STORE_CAUSE_PROTECT],
			 r->stack.stores.tier[0].cause[STORE_CAUSE_PROTECT]);
}

static void test_classes(void **state)
{
	struct rig *r = *state;
	const struct move_tier *t = r->stack.stores.tier;

	rig_open(r, classes);
	assert_int_equal(r->stack.n_places, 2);
	assert_int_equal(t[0].place, 0);
	assert_int_equal(t[1].place, 0);
	assert_int_equal(t[2].place, 1);
	assert_string_equal(t[0].storage_class, "");
	assert_string_equal(t[1].storage_class, "STANDARD_IA");
	assert_false(t[1].archive);
	/* Without prices, too. */
	assert_true(t[2].archive);
	assert_int_equal(t[2].object_size, 256 << 20);
	assert_ptr_equal(r->stack.place[0].flow, r->stack.place[1].flow);
}

/* What the price table says of a class. */
static void test_prices(void **state)
{
	struct price_class class = { .name = "GLACIER",
				     .minimum_days = 90,
				     .minimum_bytes = 40960 };
	struct price_table table = { .name = "aws",
				     .classes = &class,
				     .n_classes = 1 };
	struct rig *r = *state;
	struct conf_trust ct = { 0 };
	struct config_store *s;

	rig_open(r, classes);
	class.recall[PRICE_BULK].known = true;
	class.recall[PRICE_BULK].takes_ns = 48;
	s = (struct config_store *)r->ct.tier->store;
	s->prices = strdup("aws");
	r->c->prices = &table;
	r->c->n_prices = 1;
	assert_int_equal(conf_trust_init(&ct, r->c, "rem", &r->err), 0);
	assert_int_equal(ct.tiers[2].minimum_bytes, 40960);
	assert_int_equal(ct.tiers[2].minimum_ns, 90LL * 86400 * 1000000000);
	assert_int_equal(ct.tiers[2].restore_ns[PRICE_BULK], 48);
	assert_int_equal(ct.tiers[2].restore_ns[PRICE_STANDARD], 0);
	assert_true(ct.tiers[2].terms.archive);
	assert_null(ct.tiers[1].terms.class); /* the table lacks it */
	assert_ptr_equal(ct.tiers[1].terms.prices, &table);
	conf_trust_done(&ct);
	r->c->prices = NULL;
	r->c->n_prices = 0;
}

/* ---- counters --------------------------------------------------------- */

static struct cost_counts counted(struct rig *r, const char *tier,
				  const char *class, const char *cause)
{
	struct cost_counts all[64], none = { 0 };
	size_t n = stack_counts(&r->stack, all, ARRAY_SIZE(all));
	const struct cost_counts *found = NULL;

	assert_true(n <= ARRAY_SIZE(all));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(all[i].tier, tier) != 0 ||
		    strcmp(all[i].storage_class, class) != 0 ||
		    strcmp(all[i].cause, cause) != 0)
			continue;
		assert_null(found); /* the ledger takes each once */
		found = &all[i];
	}
	return found ? *found : none;
}

static void test_counts(void **state)
{
	struct rig *r = *state;
	const struct move_tier *t = r->stack.stores.tier;
	struct cost_counts c;

	rig_open(r, three);
	gate_open(&r->stack.place[1].gate);
	assert_int_equal(
		store_put(t[1].cause[STORE_CAUSE_POLICY], "k", "abc", 3, NULL),
		0);
	c = counted(r, "cool", "", "policy");
	assert_int_equal(c.puts, 1);
	assert_int_equal(c.out_bytes, 3);
	assert_int_equal(counted(r, "cool", "", "protect").puts, 0);
	assert_int_equal(counted(r, "near", "", "policy").puts, 0);
	assert_int_equal(
		store_put(r->stack.place[2].direct, "k", "abc", 3, NULL), 0);
	assert_int_equal(counted(r, "cold", "", "backup").puts, 1);
}

/* Marker and keys of a bucket whose first tier has a class have none. */
static void test_counts_of_direct(void **state)
{
	struct rig *r = *state;
	struct cost_counts all[64];
	size_t n;

	rig_open(r, classes);
	n = stack_counts(&r->stack, all, ARRAY_SIZE(all));
	assert_int_equal(n, 3 * STORE_CAUSE_COUNT + 1);
	assert_string_equal(all[n - 1].tier, "cold");
	assert_string_equal(all[n - 1].storage_class, "");
	assert_string_equal(all[n - 1].cause, "backup");
	assert_int_equal(stack_counts(&r->stack, all, 2), n); /* no more */
}

/* ---- gates ------------------------------------------------------------ */

static void test_gates(void **state)
{
	struct rig *r = *state;
	const struct move_tier *t = r->stack.stores.tier;
	char byte;

	rig_open(r, three);
	assert_int_equal(store_put(r->stack.place[0].direct, "a", "b", 1, NULL),
			 0);
	gate_open(&r->stack.place[0].gate);
	assert_int_equal(
		store_get(t[0].cause[STORE_CAUSE_READ], "k", 0, &byte, 1),
		-ENOENT);
	assert_int_equal(
		store_put(t[2].cause[STORE_CAUSE_PROTECT], "k", "a", 1, NULL),
		-EAGAIN);
	stack_fence(&r->stack, (struct fence *)r);
	for (size_t i = 0; i < 3; i++)
		assert_ptr_equal(r->stack.place[i].gate.fence, r);
	stack_fence(&r->stack, NULL);
}

/* ---- credentials ------------------------------------------------------ */

static void test_renew(void **state)
{
	struct rig *r = *state;
	struct super_secret s = { .name = "credentials:other" };
	const char *store = NULL;

	rig_open(r, classes);
	assert_int_equal(buf_add(&s.value, KEYS, strlen(KEYS)), 0);
	assert_int_equal(stack_renew(&r->stack, &r->ct, &s, &store, &r->err),
			 -ENOENT);
	assert_null(store);
	strcpy(s.name, "key");
	assert_int_equal(stack_renew(&r->stack, &r->ct, &s, &store, &r->err),
			 -ENOENT);
	strcpy(s.name, "credentials:ceph");
	assert_int_equal(stack_renew(&r->stack, &r->ct, &s, &store, &r->err),
			 0);
	assert_string_equal(store, "ceph");
	s.value.data[0] = '!';
	assert_true(stack_renew(&r->stack, &r->ct, &s, &store, &r->err) < 0);
	buf_done(&s.value);
}

static void test_no_credentials(void **state)
{
	struct rig *r = *state;
	struct stack_open in = { .ct = &r->ct };
	struct stack s;

	rig_open(r, classes);
	assert_int_equal(stack_open(&s, &in, &r->err), -ENOKEY);
	stack_stop(&s);
	stack_close(&s);
}

/* ---- marker and keys in each place ------------------------------------ */

static struct pack_root root;
static struct pack_volume_id volume = { .b = "volume of a test" };

/* As the setup leaves the first place. */
static void fill_first(struct store *s)
{
	struct pack_keyring *kr = pack_keyring_new(&volume);
	CLEANUP_BUF struct buf text = { 0 }, key = { 0 }, id = { 0 };
	char name[PACK_NAME_SIZE];

	assert_int_equal(pack_root_new(&root, &id), 0);
	assert_int_equal(pack_marker_make(&volume, &root, &text), 0);
	assert_int_equal(
		store_put(s, PACK_MARKER_NAME, text.data, text.len, NULL), 0);
	assert_int_equal(pack_keyring_create(kr, &root, 1, &key), 0);
	pack_key_object_name(1, &root, name);
	assert_int_equal(store_put(s, name, key.data, key.len, NULL), 0);
	pack_keyring_free(kr);
}

static bool same_objects(struct store *a, struct store *b)
{
	CLEANUP(store_list_done) struct store_list la = { 0 }, lb = { 0 };
	bool same;

	assert_int_equal(store_list(a, "", "", 100, &la), 0);
	assert_int_equal(store_list(b, "", "", 100, &lb), 0);
	same = la.n == lb.n;
	for (size_t i = 0; same && i < la.n; i++) {
		CLEANUP_BUF struct buf x = { 0 }, y = { 0 };

		assert_int_equal(kept_fetch(a, la.entry[i].key, &x), 0);
		same = kept_fetch(b, la.entry[i].key, &y) == 0 &&
		       x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
	}
	return same;
}

/* Sets up the second place of `three`. */
static int place(struct rig *r, bool named)
{
	const struct place_setup in = {
		.from = r->stack.place[0].direct,
		.volume = &volume,
		.root = &root,
		.named = named,
		.create_only = true,
	};

	return place_setup(&r->stack.place[1], &in, &r->err);
}

static void test_place_setup(void **state)
{
	struct rig *r = *state;
	const struct stack_place *p = r->stack.place;
	char name[PACK_NAME_SIZE];

	rig_open(r, three);
	fill_first(p[0].direct);
	assert_int_equal(store_put(p[1].direct, "scratch/x", "a", 1, NULL), 0);
	assert_int_equal(place(r, false), 0);
	assert_int_equal(store_del1(p[1].direct, "scratch/x"), 0);
	assert_true(same_objects(p[0].direct, p[1].direct));
	assert_int_equal(place(r, true), 0);
	/* Cut off between marker and keys. */
	pack_key_object_name(1, &root, name);
	assert_int_equal(store_del1(p[1].direct, name), 0);
	assert_int_equal(place(r, false), 0);
	assert_true(same_objects(p[0].direct, p[1].direct));
	/* A key that is not the trust's. */
	assert_int_equal(store_put(p[1].direct, name, "x", 1, NULL), 0);
	assert_int_equal(place(r, false), -EREMCHG);
}

static void test_place_refused(void **state)
{
	struct rig *r = *state;
	struct store *s;
	CLEANUP_BUF struct buf text = { 0 };
	const struct pack_volume_id other = { .b = "another volume.." };
	struct store_info info;

	rig_open(r, three);
	s = r->stack.place[1].direct;
	fill_first(r->stack.place[0].direct);
	assert_int_equal(store_put(s, "scratch/x", "a", 1, NULL), 0);
	assert_int_equal(place(r, true), -EREMCHG);
	assert_int_equal(store_put(s, "packs/x", "a", 1, NULL), 0);
	assert_int_equal(place(r, false), -EEXIST);
	assert_non_null(strstr(r->err.msg, "packs/x"));
	assert_int_equal(store_head(s, PACK_MARKER_NAME, &info), -ENOENT);
	assert_int_equal(pack_marker_make(&other, &root, &text), 0);
	assert_int_equal(
		store_put(s, PACK_MARKER_NAME, text.data, text.len, NULL), 0);
	assert_int_equal(place(r, false), -EREMCHG);
}

static void test_place_check(void **state)
{
	struct rig *r = *state;
	struct stack_place *p = r->stack.place;
	struct store_caps caps;

	rig_open(r, three);
	assert_int_equal(place_check(&p[1], &r->ct, &caps, &r->err), 0);
	assert_true(caps.create_only);
	/* A directory has no classes. */
	r->ct.tiers[1].terms.storage_class = "GLACIER";
	assert_true(place_check(&p[1], &r->ct, &caps, &r->err) < 0);
	assert_non_null(strstr(r->err.msg, "GLACIER"));
	assert_int_equal(place_check(&p[0], &r->ct, &caps, &r->err), 0);
}

/* ---- identity --------------------------------------------------------- */

/* Its health becomes good, or bad. */
static void await_health(const struct stack_place *p, bool good)
{
	struct store_health h = { 0 };

	for (int i = 0; i < 2000; i++) {
		store_health_read(&p->health, &h);
		if (h.since_ns && (!h.down && !h.last_error) == good)
			return;
		clock_sleep_ns(10 * MS);
	}
	assert_true(false); /* not in 20 s */
}

static void await_error(const struct stack_place *p, int rc)
{
	struct store_health h = { 0 };

	for (int i = 0; i < 2000 && h.last_error != rc; i++) {
		clock_sleep_ns(10 * MS);
		store_health_read(&p->health, &h);
	}
	assert_int_equal(h.last_error, rc);
}

static void await_open(const struct stack_place *p)
{
	for (int i = 0; i < 2000 && !gate_is_open(&p->gate); i++)
		clock_sleep_ns(10 * MS);
	assert_true(gate_is_open(&p->gate));
}

static void put_marker(struct stack_place *p, const struct pack_volume_id *v)
{
	CLEANUP_BUF struct buf text = { 0 };

	assert_int_equal(pack_marker_make(v, &root, &text), 0);
	assert_int_equal(store_put(p->direct, PACK_MARKER_NAME, text.data,
				   text.len, NULL),
			 0);
}

static void start(struct rig *r, struct identity **id)
{
	const struct identity_opts o = { .trust = "rem",
					 .volume = &volume,
					 .root = &root,
					 .wait_ns = 20000 * MS,
					 .again_ns = 20 * MS };

	assert_int_equal(identity_start(&r->stack, &o, id, &r->err), 0);
}

/* A later place that is another volume's, or nobody's: not now. */
static void test_later_places(void **state)
{
	const struct pack_volume_id other = { .b = "another volume.." };
	struct rig *r = *state;
	struct stack_place *p = r->stack.place;
	struct identity *id = NULL;

	rig_open(r, three);
	fill_first(p[0].direct);
	put_marker(&p[1], &other);
	/* There, and without a marker. */
	assert_int_equal(store_put(p[2].direct, "x", "a", 1, NULL), 0);
	start(r, &id);
	assert_true(gate_is_open(&p[0].gate));
	await_health(&p[1], false);
	await_health(&p[2], false);
	assert_false(gate_is_open(&p[1].gate));
	assert_false(gate_is_open(&p[2].gate));
	put_marker(&p[2], &volume);
	await_open(&p[2]);
	identity_stop(id);
	assert_int_equal(ending_status(), 0); /* served on */
}

/* Trouble of a later place ends by itself, also when nobody uses it. */
static void test_later_recovers(void **state)
{
	const struct pack_volume_id other = { .b = "another volume.." };
	struct rig *r = *state;
	struct stack_place *p = r->stack.place;
	struct identity *id = NULL;

	rig_open(r, three);
	fill_first(p[0].direct);
	put_marker(&p[1], &volume);
	put_marker(&p[2], &volume);
	start(r, &id);
	await_open(&p[1]);
	await_health(&p[1], true);
	store_health_refuse(&p[1].health, -EIO, "as a reader found it");
	await_health(&p[1], true);
	/* No longer the trust's own: said, and no reason to end. */
	put_marker(&p[1], &other);
	store_health_refuse(&p[1].health, -EIO, "as a reader found it");
	await_error(&p[1], -EREMCHG);
	assert_true(gate_is_open(&p[1].gate));
	identity_stop(id);
}

/* ---- what policies are told -------------------------------------------- */

static void test_terms(void **state)
{
	struct rig *r = *state;
	struct terms t;

	rig_open(r, classes);
	assert_int_equal(terms_init(&t, &r->ct, NULL), 0);
	assert_int_equal(t.policies.n_tiers, 3);
	assert_string_equal(t.policies.tier[1].storage_class, "STANDARD_IA");
	assert_int_equal(t.policies.tier[2].place, 1);
	assert_int_equal(t.cost.n_tiers, 3);
	assert_int_equal(t.cost.tiers[2].object_size, 256 << 20);
	assert_int_equal(t.policies.recall_wait_ns, 60LL * 1000000000);
	assert_null(t.policies.policy);
	terms_done(&t);
	terms_done(&t);
}

/* A tier that was taken out of the config, or got another name. */
static void test_missing(void **state)
{
	struct meta_opts o = { .root_mode = 0755 };
	struct meta_pack pack = { .object = "packs/x" };
	CLEANUP_BUF struct buf out = { 0 };
	struct rig *r = *state;
	CLEANUP_FREE char *path = io_path("%s/db", r->dir);
	struct meta *m;
	uint8_t id[16];
	META_TXN(t);

	o.path = path;
	rig_open(r, three);
	assert_int_equal(meta_create(&o, &r->err), 0);
	assert_int_equal(meta_open(path, &m, id, &r->err), 0);
	for (int i = 0; i < 3; i++) {
		const char *const names[] = { "near", "old", "old" };

		snprintf(pack.object, sizeof(pack.object), "packs/%d", i);
		strcpy(pack.tier, names[i]);
		strcpy(pack.storage_class, i == 2 ? "GLACIER" : "");
		pack.id[0] = (uint8_t)i;
		assert_int_equal(terms_missing(&r->ct, m, &out), 0);
		assert_int_equal(out.len, i < 2 ? 0 : strlen("'old'"));
		out.len = 0;
		assert_int_equal(meta_begin(m, &t), 0);
		assert_int_equal(meta_pack_intend(&t, &pack), 0);
		assert_int_equal(meta_pack_stored(&t, &pack), 0);
		assert_int_equal(meta_commit(&t, NULL), 0);
	}
	assert_int_equal(terms_missing(&r->ct, m, &out), 0);
	assert_string_equal(buf_str(&out), "'old'");
	assert_int_equal(bucket_is_named(m, "near", &r->err), 1);
	assert_int_equal(bucket_is_named(m, "cool", &r->err), 0);
	meta_close(m);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_places),
		TEST(test_classes),
		TEST(test_prices),
		TEST(test_counts),
		TEST(test_counts_of_direct),
		TEST(test_gates),
		TEST(test_renew),
		TEST(test_no_credentials),
		TEST(test_place_setup),
		TEST(test_place_refused),
		TEST(test_place_check),
		TEST(test_later_places),
		TEST(test_later_recovers),
		TEST(test_terms),
		TEST(test_missing),
	};

	ending_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
