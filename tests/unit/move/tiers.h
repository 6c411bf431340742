/* SPDX-License-Identifier: Apache-2.0 */
/* A trust with several tiers, each a store of its own, or two in one place. */
#ifndef MERSEY_TESTS_MOVE_TIERS_H
#define MERSEY_TESTS_MOVE_TIERS_H

#include "tests/unit/move/rebuild.h"

enum { NEAR, FAR, COLD, TIERS }; /* COLD shares FAR's bucket */

static struct store *place[2];
static struct store *place_mem[2]; /* below, when it is memory */
static struct store_fault_plan place_plan[2];
static struct store_counts tier_counts[TIERS][STORE_CAUSE_COUNT];

/* A meter for each cause, around what `place` is. */
static inline void tier_init(size_t i, const char *name, unsigned at,
			     const char *storage_class)
{
	struct move_tier *t = &stores.tier[i];
	int k;

	*t = (struct move_tier){ .name = name,
				 .storage_class = storage_class,
				 .object_size = OBJECT,
				 .place = at };
	for (k = 0; k < STORE_CAUSE_COUNT; k++)
		t->cause[k] = store_meter_new(store_shared_ref(place[at]),
					      &tier_counts[i][k], NULL);
}

static inline void tiers_of_places(void)
{
	memset(tier_counts, 0, sizeof(tier_counts));
	tier_init(NEAR, "near", 0, "");
	tier_init(FAR, "far", 1, "");
	tier_init(COLD, "cold", 1, "STANDARD_IA");
	stores.n_tiers = TIERS;
}

static inline void tiers_start(void)
{
	int i;

	memset(place_plan, 0, sizeof(place_plan));
	for (i = 0; i < 2; i++) {
		place_mem[i] = store_mem_new();
		place[i] = store_shared_new(
			store_fault_new(place_mem[i], &place_plan[i]));
	}
	tiers_of_places();
}

static inline void tiers_stop(void)
{
	int i, k;

	for (i = 0; i < TIERS; i++)
		for (k = 0; k < STORE_CAUSE_COUNT; k++)
			store_free(take(stores.tier[i].cause[k]));
	for (i = 0; i < 2; i++)
		store_free(take(place[i]));
	stores.n_tiers = 0;
}

/* Another one is the first, from the next start on. */
static inline void tiers_swap(size_t a, size_t b)
{
	struct move_tier t = stores.tier[a];

	stores.tier[a] = stores.tier[b];
	stores.tier[b] = t;
}

static inline size_t objects_in(size_t at)
{
	struct store_list l = { 0 };
	size_t n;

	assert_int_equal(store_list(place[at], "packs/", "", 1000, &l), 0);
	n = l.n;
	store_list_done(&l);
	return n;
}

static inline int tiers_setup(void **state)
{
	if (move_setup(state) < 0)
		return -1;
	stop_move();
	tiers_start();
	return start_move();
}

static inline int tiers_teardown(void **state)
{
	int rc;

	stop_move();
	tiers_stop();
	rc = move_teardown(state);
	return rc;
}

#define TIERS_TEST(f) \
	cmocka_unit_test_setup_teardown(f, tiers_setup, tiers_teardown)

#endif
