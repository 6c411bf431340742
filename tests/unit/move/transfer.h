/* SPDX-License-Identifier: Apache-2.0 */
/* Files with known bytes in several tiers, and transfers that are estimated
 * before they are done. */
#ifndef MERSEY_TESTS_MOVE_TRANSFER_H
#define MERSEY_TESTS_MOVE_TRANSFER_H

#include "move/transfer.h"
#include "tests/unit/move/tiers.h"

#define FILES_MAX 16

static struct bytes file[FILES_MAX];
static size_t files;
static size_t skipped;	      /* files that the last transfer left */
static char skip_why[128];    /* the last one of them */
static void (*between)(void); /* called before each object, once */

static inline void note_skip(void *arg, uint64_t ino, const char *reason)
{
	skipped++;
	snprintf(skip_why, sizeof(skip_why), "%s", reason);
}

static inline bool note_go_on(void *arg)
{
	void (*fn)(void) = take(between);

	if (fn)
		fn();
	return true;
}

static inline struct bytes *add_file(const char *name, size_t n)
{
	struct bytes *b = &file[files++];

	bytes_init(b, name, n);
	bytes_write(b, files, 0, n);
	return b;
}

/* So many files in one pack, which nobody has here. */
static inline void add_pack(const char *name, size_t n, size_t size)
{
	size_t i, first = files;
	char text[64];

	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%zu", name, i);
		add_file(text, size);
	}
	move_protect_now(mv, 0);
	for (i = first; i < files; i++)
		assert_true(wait_state(file[i].ino, META_LOCAL));
}

static inline void evict_all(void)
{
	size_t i;

	for (i = 0; i < files; i++)
		evict_settled(file[i].ino);
}

/* Each file's bytes, read from the tiers, and rebuilt from them. */
static inline void check_all(void)
{
	size_t i;

	evict_all();
	for (i = 0; i < files; i++) {
		bytes_check(&file[i]);
		rebuild_check(&file[i]);
	}
}

static inline bool all_in(const char *tier)
{
	struct meta_extent e[64];
	struct meta_pack p;
	size_t i;
	int n, k;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	for (i = 0; i < files; i++) {
		n = meta_extent_brief(&t, file[i].ino, 0, e, 64);
		assert_true(n >= 0 && n < 64);
		for (k = 0; k < n; k++) {
			assert_int_equal(meta_pack_get(&t, e[k].pack, &p), 0);
			if (strcmp(p.tier, tier) != 0)
				return false;
		}
	}
	return true;
}

static inline struct move_transfer order(size_t to, const uint64_t *ino,
					 size_t n)
{
	return (struct move_transfer){ .to = to,
				       .ino = ino,
				       .n = n,
				       .version = UINT64_MAX,
				       .opened_ns = INT64_MAX,
				       .skipped = note_skip,
				       .go_on = note_go_on };
}

/* Requests of a tier by policies, as its meter has them. */
static inline void metered(size_t tier, struct move_use *out)
{
	struct store_counts n;

	store_meter_read(&tier_counts[tier][STORE_CAUSE_POLICY], &n);
	*out = (struct move_use){ .puts = n.puts,
				  .copies = n.copies,
				  .gets = n.gets,
				  .in_bytes = n.in_bytes,
				  .out_bytes = n.out_bytes };
}

/* What was counted is what the stores were asked for. */
static inline void expect_metered(const struct move_use *before,
				  const struct move_transferred *out)
{
	struct move_use now;
	size_t i;

	for (i = 0; i < TIERS; i++) {
		metered(i, &now);
		assert_int_equal(now.puts - before[i].puts, out->use[i].puts);
		assert_int_equal(now.copies - before[i].copies,
				 out->use[i].copies);
		assert_int_equal(now.gets - before[i].gets, out->use[i].gets);
		assert_int_equal(now.in_bytes - before[i].in_bytes,
				 out->use[i].in_bytes);
		assert_int_equal(now.out_bytes - before[i].out_bytes,
				 out->use[i].out_bytes);
	}
}

/* Estimates, does it, and compares, to the byte. */
static inline void transfer_all(size_t to, struct move_transferred *out)
{
	struct move_transferred guess;
	struct move_use before[TIERS];
	uint64_t ino[FILES_MAX];
	struct move_transfer in = order(to, ino, files);
	size_t i;

	for (i = 0; i < files; i++)
		ino[i] = file[i].ino;
	for (i = 0; i < TIERS; i++)
		metered(i, &before[i]);
	assert_int_equal(move_transfer_estimate(mv, &in, &guess), 0);
	skipped = 0;
	assert_int_equal(move_transfer(mv, &in, out), 0);
	assert_int_equal(skipped, out->skipped);
	expect_metered(before, out);
	assert_memory_equal(&guess, out, sizeof(guess));
}

static inline int transfer_setup(void **state)
{
	if (tiers_setup(state) < 0)
		return -1;
	stop_move();
	mopts.settle_ns = 3600 * NSEC_PER_SEC;
	rebuild_from[0] = place[0];
	rebuild_from[1] = place[1];
	named_twice = true;
	files = 0;
	return start_move();
}

static inline int transfer_teardown(void **state)
{
	while (files > 0)
		bytes_done(&file[--files]);
	memset(rebuild_from, 0, sizeof(rebuild_from));
	return tiers_teardown(state);
}

#define TRANSFER_TEST(f) \
	cmocka_unit_test_setup_teardown(f, transfer_setup, transfer_teardown)

#endif
