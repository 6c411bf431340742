/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what is moved, as what, and what it costs, to the last unit. */
#include "tests/unit/tier/util.h"

static uint64_t old_dir, deep_dir;

static int setup(void **state)
{
	int rc = tier_setup(state);

	old_dir = make_dir(META_ROOT_INO, "old");
	deep_dir = make_dir(META_ROOT_INO, "deep");
	return rc;
}

static void make_plan(struct tier_plan *p)
{
	struct err err = ERR_INIT;

	assert_int_equal(tier_plan_make(tier, NULL, NULL, NULL, p, &err), 0);
}

/* Two of /old, one of /deep, one that no rule is for. */
static void test_moves(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	/* 2 GETs of near at 0.1p, 2 PUTs of cool at 2p: 4.2p */
	const money_t once = 42 * PENNY / 10;
	/* a GB-month is 2^30 bytes: £1,000,000 near, £100,000 cool; to the
	 * rounding of each tier's sum */
	const money_t near =
		money_muldiv(1000000 * MONEY_UNIT, 300000, 1ULL << 30);
	const money_t cool =
		money_muldiv(100000 * MONEY_UNIT, 300000, 1ULL << 30);

	make_old(old_dir, "a", 100000);
	make_old(old_dir, "b", 200000);
	make_old(deep_dir, "c", 50000);
	make_old(META_ROOT_INO, "d", 70000);
	make_plan(&p);
	assert_int_equal(strlen(p.name), 8);
	assert_string_equal(p.policy, "imaging");
	assert_int_equal(p.n_moves, 2);
	assert_string_equal(p.moves[0].from, "near");
	assert_string_equal(p.moves[0].to, "cool");
	assert_string_equal(p.moves[0].class_name, "old");
	assert_int_equal(p.moves[0].files, 2);
	assert_int_equal(p.moves[0].studies, 0);
	assert_int_equal(p.moves[0].bytes, 300000);
	assert_int_equal(p.moves[0].requests, 4);
	assert_true(p.moves[0].once == once);
	assert_true(p.moves[0].per_month == cool - near);
	assert_string_equal(p.moves[1].to, "archive");
	assert_int_equal(p.files, 3);
	assert_int_equal(p.bytes, 350000);
	assert_true(p.once == p.moves[0].once + p.moves[1].once);
	assert_true(p.per_month < 0 && p.break_even_days > 0);
	assert_true(p.n_assumptions >= 3);
	assert_int_equal(p.n_unconfirmed, 0);
}

/* The rows of it are the same plan, also after a start. */
static void test_stored(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct tier_plan q CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct err err = ERR_INIT;

	make_old(old_dir, "a", 100000);
	make_old(deep_dir, "c", 50000);
	make_plan(&p);
	restart_tier();
	assert_int_equal(tier_plan_read(tier, p.name, &q, &err), 0);
	assert_int_equal(q.n_moves, 2);
	assert_true(q.once == p.once && q.per_month == p.per_month);
	assert_int_equal(q.bytes, p.bytes);
	assert_string_equal(q.moves[1].class_name, "deep");
	tier_plan_done(&q);
	assert_int_equal(tier_plan_read(tier, "00000000", &q, &err), -ENOENT);
}

/* A question leaves nothing behind. */
static void test_ask(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct meta_plan row;
	struct err err = ERR_INIT;
	META_TXN(t);

	make_old(old_dir, "a", 100000);
	assert_int_equal(tier_plan_ask(tier, NULL, NULL, NULL, &p, &err), 0);
	assert_int_equal(p.files, 1);
	assert_string_equal(p.name, "");
	assert_int_equal(meta_look(m, &t), 0);
	assert_int_equal(meta_plan_list(&t, 0, &row, 1), 0);
}

/* What is dirty, open, pinned, empty or there already is left alone. */
static void test_left(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	uint64_t a = make_old(old_dir, "a", 1000), b, pinned;
	struct meta_pin pin = { .cause = "pin" };
	struct cache_file *f;

	b = make_old(old_dir, "b", 1000);
	pinned = make_old(old_dir, "c", 1000);
	assert_int_equal(fake_relocate(fake_first_pack(a), "cool"), 0);
	{
		META_TXN(t);

		pin.ino = pinned;
		assert_int_equal(meta_begin(m, &t), 0);
		assert_int_equal(meta_pin_add(&t, &pin), 0);
		assert_int_equal(meta_pin_file(&t, pin.id, pinned), 0);
		assert_int_equal(meta_commit(&t, NULL), 0);
	}
	new_file_in(old_dir, "empty", S_IFREG | 0644);
	f = file_open(new_file_in(old_dir, "open", S_IFREG | 0644), true);
	write_at(f, 1, 0, 1000);
	make_plan(&p);
	assert_int_equal(p.files, 1);
	assert_int_equal(p.n_moves, 1);
	file_close(f, true);
	(void)b;
}

/* A study is judged by its newest file, and moves as a whole. */
static void test_study(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	uint64_t other = make_dir(META_ROOT_INO, "elsewhere"), ino[3];
	struct tier_explained e CLEANUP(tier_explained_done) = { .files = 0 };
	struct err err = ERR_INIT;
	size_t i;

	rule_set(3, 2, TIER_MOVE, "cool");
	rule_set(0, 0, TIER_KEEP, NULL);
	rule_set(1, 1, TIER_KEEP, NULL); /* recent */
	rule_set(2, 3, TIER_MOVE, "archive");
	ino[0] = make_old(old_dir, "1.dcm", 1000);
	ino[1] = make_old(other, "2.dcm", 2000); /* outside of /old */
	ino[2] = make_old(old_dir, "3.dcm", 3000);
	for (i = 0; i < 3; i++)
		join_study(ino[i], "1.2.3", "CT");
	make_plan(&p);
	assert_int_equal(p.studies, 1);
	assert_int_equal(p.files, 3);
	assert_int_equal(p.bytes, 6000);
	assert_int_equal(tier_explain(tier, NULL, ino[1], &e, &err), 0);
	assert_true(e.study);
	assert_int_equal(e.matched, 3);
	assert_int_equal(e.n_rules, 4);
	assert_false(e.rule[1].holds);
	assert_string_equal(e.rule[1].reason[0].key, "last_access");
	age(ino[2], 1);
	tier_plan_done(&p);
	make_plan(&p);
	assert_int_equal(p.files, 0);
	tier_explained_done(&e);
	assert_int_equal(tier_explain(tier, NULL, ino[0], &e, &err), 0);
	assert_int_equal(e.matched, 1);
	assert_string_equal(e.unchanged, "to be kept as it is");
}

/* evict, pin and recall cost no storage, and are counted by what is local. */
static void test_actions(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	uint64_t hot = make_dir(META_ROOT_INO, "hot"), a;

	rule_set(1, 2, TIER_RECALL, NULL);
	rule_set(2, 4, TIER_EVICT, NULL);
	make_old(old_dir, "a", 100000);
	a = new_file_in(hot, "x", S_IFREG | 0644);
	write_file(a, a, 65536);
	protect_all(a);
	make_plan(&p);
	assert_int_equal(p.n_moves, 2);
	assert_string_equal(p.moves[0].from, "near");
	assert_string_equal(p.moves[0].to, "local");
	assert_int_equal(p.moves[0].bytes, 100000);
	assert_int_equal(p.moves[0].requests, 1);
	assert_true(p.moves[0].per_month == 0);
	assert_string_equal(p.moves[1].from, "local");
	assert_string_equal(p.moves[1].to, "");
	assert_int_equal(p.moves[1].bytes, 65536);
	assert_true(p.moves[1].once == 0);
}

/* A policy of a file is not there any more when its plan is done. */
static void test_file(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct tier_policy file = *tier_opts_of(tier)->policy;
	struct err err = ERR_INIT;

	file.name = (char *)"try.yaml";
	make_old(old_dir, "a", 100000);
	assert_int_equal(tier_plan_make(tier, &file, NULL, NULL, &p, &err), 0);
	tier_plan_done(&p);
	rule_set(1, 2, TIER_PIN, NULL);
	assert_int_equal(tier_plan_make(tier, &file, NULL, NULL, &p, &err),
			 -EINVAL);
	assert_non_null(strstr(err.msg, "pins"));
}

/* What was read back at that age is expected again, at the new prices. */
static void test_expected(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct meta_reread r = { .age = 3, .files = 4, .bytes = 400000 };
	time_t now = (time_t)(clock_wall_ns() / NSEC_PER_SEC);
	struct tm tm;
	int i;

	gmtime_r(&now, &tm);
	r.month = (tm.tm_year - 70) * 12 + tm.tm_mon;
	{
		META_TXN(t);

		assert_int_equal(meta_begin(m, &t), 0);
		assert_int_equal(meta_reread_add(&t, &r), 0);
		r.month--;
		assert_int_equal(meta_reread_add(&t, &r), 0);
		assert_int_equal(meta_commit(&t, NULL), 0);
	}
	for (i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		make_old(old_dir, name, 100000);
	}
	make_plan(&p);
	/* each of four is read once a month: 400,000 bytes at £10 a GB, and
	 * a GET at 0.5p */
	assert_int_equal(p.expected_recalls, 4);
	assert_true(p.expected_recalls_cost ==
		    money_muldiv(10 * MONEY_UNIT, 400000, 1ULL << 30) +
			    PENNY / 2);
}

/* Nobody sells it at an unknown price in silence. */
static void test_unconfirmed(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };

	classes[1].put_1000.confirmed = false;
	terms[2].prices = NULL;
	restart_tier();
	make_old(old_dir, "a", 100000);
	make_old(deep_dir, "b", 100000);
	make_plan(&p);
	classes[1].put_1000.confirmed = true;
	terms[2].prices = &table;
	assert_int_equal(p.n_unconfirmed, 2);
	assert_string_equal(p.unconfirmed[0], "cloud: COOL requests");
	assert_string_equal(p.unconfirmed[1], "archive: no prices");
}

static bool stop_at_once(void *arg, uint64_t files)
{
	return false;
}

/* What is given up, or cannot be, leaves no plan. */
static void test_given_up(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct meta_plan row;
	struct err err = ERR_INIT;
	META_TXN(t);

	make_old(old_dir, "a", 100000);
	assert_int_equal(
		tier_plan_make(tier, NULL, stop_at_once, NULL, &p, &err),
		-EINTR);
	rule_set(1, 2, TIER_MOVE, "nowhere");
	assert_int_equal(tier_plan_make(tier, NULL, NULL, NULL, &p, &err),
			 -EINVAL);
	assert_non_null(strstr(err.msg, "no tier 'nowhere'"));
	assert_int_equal(meta_look(m, &t), 0);
	assert_int_equal(meta_plan_list(&t, 0, &row, 1), 0);
}

/* Plans end: 7 days, and a day when they were done. */
static void test_expire(void **state)
{
	struct tier_plan p CLEANUP(tier_plan_done) = { .n_moves = 0 };
	struct meta_plan row;
	int i;

	for (i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		new_file_in(old_dir, name, S_IFREG | 0644);
	}
	make_old(old_dir, "a", 100000);
	make_plan(&p);
	assert_int_equal(store_expire(tier, p.made_ns + 7 * DAY), 0);
	assert_int_equal(store_find(tier, p.name, &row), 0);
	assert_int_equal(store_expire(tier, p.made_ns + 7 * DAY + 1), 0);
	assert_int_equal(store_find(tier, p.name, &row), -ENOENT);
}

#define PLAN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tier_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAN_TEST(test_moves),	     PLAN_TEST(test_stored),
		PLAN_TEST(test_ask),	     PLAN_TEST(test_left),
		PLAN_TEST(test_study),	     PLAN_TEST(test_actions),
		PLAN_TEST(test_file),	     PLAN_TEST(test_expected),
		PLAN_TEST(test_unconfirmed), PLAN_TEST(test_given_up),
		PLAN_TEST(test_expire),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
