/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trust with three tiers, real rows, cache and packs, and prices that can be
 * worked out by hand. What move_transfer() does is done to rows alone here,
 * and fails as a test wants it: the bytes are the business of move's tests.
 */
#ifndef MERSEY_TESTS_TIER_UTIL_H
#define MERSEY_TESTS_TIER_UTIL_H

#include "tests/unit/move/util.h"

#include "tier/impl.h"

#include "tests/unit/tier/transfer.h"

#define DAY   (SEC_PER_DAY * NSEC_PER_SEC)
#define PENNY (MONEY_UNIT / 100)
#define FIGURE(pence)                                            \
	{                                                        \
		.known = true, .confirmed = true,                \
		.amount = (money_t)((pence)*1.0 * (double)PENNY) \
	}

enum { NEAR, COOL, ARCHIVE };

static struct tier *tier;
static struct tier_opts topts;
static struct price_class classes[] = {
	{ .name = "STANDARD",
	  .storage_gb_month = FIGURE(100000000), /* a file is to be seen */
	  .put_1000 = FIGURE(1000),
	  .get_1000 = FIGURE(100) },
	{ .name = "COOL",
	  .storage_gb_month = FIGURE(10000000),
	  .put_1000 = FIGURE(2000),
	  .get_1000 = FIGURE(500),
	  .retrieval_gb = FIGURE(1000) },
	{ .name = "ARCHIVE",
	  .storage_gb_month = FIGURE(1000000),
	  .put_1000 = FIGURE(5000),
	  .recall = { [PRICE_STANDARD] = { .known = true,
					   .gb = FIGURE(2),
					   .takes_ns = 12 * 3600 *
						       NSEC_PER_SEC } } },
};
static struct price_table table = { .name = "cloud",
				    .currency = "GBP",
				    .classes = classes,
				    .n_classes = 3,
				    .egress_gb = FIGURE(0) };
static const struct price_exchange exchange = { .currency = "GBP" };
static struct tier_terms terms[] = {
	{ .name = "near",
	  .object_size = OBJECT,
	  .prices = &table,
	  .class = &classes[0] },
	{ .name = "cool",
	  .object_size = OBJECT,
	  .prices = &table,
	  .class = &classes[1] },
	{ .name = "archive",
	  .object_size = OBJECT,
	  .prices = &table,
	  .class = &classes[2],
	  .archive = true },
};

/* ---- the policy
 * ---------------------------------------------------------------- */

static char *word_scratch[] = { (char[]){ "/scratch/**" } };
static char *word_old[] = { (char[]){ "/old/**" } };
static char *word_deep[] = { (char[]){ "/deep/**" } };
static char *word_hot[] = { (char[]){ "/hot/**" } };
static struct tier_class file_classes[] = {
	{ .name = (char[]){ "scratch" }, .path = { word_scratch, 1 } },
	{ .name = (char[]){ "recent" }, .last_access = { TIER_LT, 30 * DAY } },
	{ .name = (char[]){ "old" }, .path = { word_old, 1 } },
	{ .name = (char[]){ "deep" }, .path = { word_deep, 1 } },
	{ .name = (char[]){ "hot" }, .path = { word_hot, 1 } },
	{ .name = (char[]){ "all" }, .size = { TIER_GE, 0 } },
};
static struct tier_rule rules[8];
static struct tier_trigger triggers[2];
static char policy_name[] = "imaging";
static struct tier_policy policy;

static inline void rule_set(size_t i, size_t class, enum tier_action a,
			    const char *to)
{
	rules[i] = (struct tier_rule){ .class_name = file_classes[class].name,
				       .class = class,
				       .action = a,
				       .to = (char *)(uintptr_t)to };
	policy.n_rules = MAX(policy.n_rules, i + 1);
}

static inline void policy_defaults(void)
{
	policy = (struct tier_policy){ .name = policy_name,
				       .classes = file_classes,
				       .n_classes = ARRAY_SIZE(file_classes),
				       .rules = rules,
				       .triggers = triggers };
	rule_set(0, 0, TIER_KEEP, NULL);
	rule_set(1, 2, TIER_MOVE, "cool");
	rule_set(2, 3, TIER_MOVE, "archive");
	topts = (struct tier_opts){ .policy = &policy,
				    .policies = &policy,
				    .n_policies = 1,
				    .tier = terms,
				    .n_tiers = 3,
				    .exchange = &exchange };
	memset(&transfers, 0, sizeof(transfers));
}

static inline void start_tier(void)
{
	struct err err = ERR_INIT;

	assert_int_equal(tier_start(&topts, m, mv, &tier, &err), 0);
}

static inline void restart_tier(void)
{
	tier_stop(tier);
	start_tier();
}

static inline int tier_setup(void **state)
{
	int rc = move_setup(state);

	policy_defaults();
	if (rc == 0)
		start_tier();
	return rc;
}

static inline int tier_teardown(void **state)
{
	tier_stop(tier);
	return move_teardown(state);
}

#define TIER_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tier_setup, tier_teardown)

/* ---- files
 * ------------------------------------------------------------------- */

static inline uint64_t make_dir(uint64_t parent, const char *name)
{
	return new_file_in(parent, name, S_IFDIR | 0755);
}

/* Last touched so many days ago. */
static inline void age(uint64_t ino, int64_t days)
{
	struct meta_inode row;

	row_get(ino, &row);
	row.atime_ns = row.mtime_ns = row.btime_ns =
		clock_wall_ns() - days * DAY;
	row.access_ns = value_key(VALUE_ONCE, row.atime_ns);
	row_put(&row);
}

/* A protected file in a pack of its own. */
static inline uint64_t make_old(uint64_t parent, const char *name, size_t n)
{
	uint64_t ino = new_file_in(parent, name, S_IFREG | 0644);

	write_file(ino, ino, n);
	protect_all(ino);
	assert_int_equal(evict_settled(ino), 0);
	age(ino, 100);
	return ino;
}

static inline const char *tier_of(uint64_t ino)
{
	static struct meta_pack p;

	pack_of(ino, &p);
	return p.tier;
}

static inline void join_study(uint64_t ino, const char *uid,
			      const char *modality)
{
	struct meta_study s = { .date = 20200102 };
	struct meta_instance at = { .series = 1 };
	struct meta_inode row;
	META_TXN(t);

	row_get(ino, &row);
	strcpy(s.uid, uid);
	strcpy(s.modality, modality);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_study_put(&t, &s), 0);
	at.study = s.row;
	assert_int_equal(meta_instance_set(&t, ino, row.content_version, &at),
			 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

#endif
