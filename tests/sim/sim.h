/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust's state, its stores, ledger and prices, and virtual time: the
 * clock is shifted when nothing is under way, from event to event, and the
 * ledger is flushed before and after, so that it sees what was stored
 * meanwhile.
 */
#ifndef MERSEY_TESTS_SIM_SIM_H
#define MERSEY_TESTS_SIM_SIM_H

#include "tests/sim/tape.h"
#include "tests/sim/trust.h"

#include "cost/cost.h"

#define HOUR	     (3600 * NSEC_PER_SEC)
#define DAY	     (24 * HOUR)
#define SIM_START    (20820 * DAY + 60 * NSEC_PER_SEC) /* 2027-01-02 */
#define SIM_GRACE    (2 * DAY) /* of what is condemned */
#define SIM_KEEP     (7 * DAY) /* files stay local after their last use */
#define SIM_LATE     (5 * NSEC_PER_SEC) /* a store is asked a moment later */
#define SIM_TIERS    3
#define SIM_WAITS_MS 120000

enum { NEAR, IA, DEEP };

struct sim_tier {
	const char *name, *class;
	unsigned place;
	uint64_t object_size;
	bool archive;
	const struct price_table *prices;
};

/*
 * List prices, in 1/10000 of a currency unit, without the free egress that a
 * thinned trust would never leave. So that little money has many digits it is
 * a thousand times as much for bytes; and five times for requests, as a byte
 * stands for two hundred, but a request for itself.
 */
#define FIGURE(n)                                               \
	{                                                       \
		.known = true, .confirmed = true, .amount = (n) \
	}
#define BYTES(n) FIGURE((n)*1000000000LL)
#define ASKED(n) FIGURE((n)*5000000LL)

static struct price_class sim_classes[] = {
	{ .name = "STANDARD",
	  .storage_gb_month = BYTES(240),
	  .put_1000 = ASKED(53),
	  .get_1000 = ASKED(4) },
	{ .name = "STANDARD_IA",
	  .storage_gb_month = BYTES(131),
	  .put_1000 = ASKED(100),
	  .get_1000 = ASKED(10),
	  .retrieval_gb = BYTES(100),
	  .minimum_days = 30,
	  .minimum_bytes = 131072 },
	{ .name = "DEEP_ARCHIVE",
	  .storage_gb_month = BYTES(18),
	  .put_1000 = ASKED(600),
	  .get_1000 = ASKED(4),
	  .minimum_days = 180,
	  .overhead_bytes = 32768,
	  .overhead_standard_bytes = 8192,
	  .recall = { [PRICE_STANDARD] = { .known = true,
					   .gb = BYTES(200),
					   .request_1000 = ASKED(1000),
					   .takes_ns = 12 * HOUR },
		      [PRICE_BULK] = { .known = true,
				       .gb = BYTES(25),
				       .request_1000 = ASKED(250),
				       .takes_ns = 48 * HOUR } } },
};
static struct price_class sim_onprem_classes[] = {
	{ .name = "STANDARD", .storage_gb_month = BYTES(150) },
};
static const struct price_table sim_onprem = {
	.name = "onprem",
	.currency = "GBP",
	.classes = sim_onprem_classes,
	.n_classes = ARRAY_SIZE(sim_onprem_classes),
};
static const struct price_table sim_cloud = {
	.name = "cloud",
	.currency = "GBP",
	.classes = sim_classes,
	.n_classes = ARRAY_SIZE(sim_classes),
	.egress_gb = BYTES(900),
};
static const struct sim_tier sim_tiers[SIM_TIERS] = {
	[NEAR] = { "near", "STANDARD", 0, 512 * KIB, false, &sim_onprem },
	[IA] = { "ia", "STANDARD_IA", 1, 512 * KIB, false, &sim_cloud },
	[DEEP] = { "deep", "DEEP_ARCHIVE", 1, 2 * MIB, true, &sim_cloud },
};
static const struct price_exchange sim_exchange = { .currency = "GBP" };

static struct tape sim_tape;
static struct store *sim_place[2];
static struct store_counts sim_counts[SIM_TIERS][STORE_CAUSE_COUNT];
static struct cost_tier sim_cost_tiers[SIM_TIERS];
static struct cost_opts sim_cost = { .tiers = sim_cost_tiers,
				     .n_tiers = SIM_TIERS,
				     .exchange = &sim_exchange,
				     .disk_tb_month = BYTES(250000) };
static struct cost_ledger *sim_ledger;
static struct trust sim_trust;
static FILE *sim_disk; /* what was local, and when */
static const char *sim_dir;

static inline void sim_fail(const char *what, const char *why)
{
	print_error("%s: %s\n", what, why);
	exit(1);
}

/* ---- assembly --------------------------------------------------------- */

static inline FILE *sim_file(const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", sim_dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	return f;
}

static inline void sim_tier(size_t i)
{
	const struct sim_tier *s = &sim_tiers[i];
	const struct price_class *p = price_table_class(s->prices, s->class);
	struct move_tier *t = &stores.tier[i];
	int k;

	*t = (struct move_tier){
		.name = s->name,
		.storage_class = s->class,
		.object_size = s->object_size,
		.place = s->place,
		.archive = s->archive,
		.minimum_bytes = p->minimum_bytes,
		.minimum_ns = p->minimum_days * DAY,
		.restore_ns = { p->recall[0].takes_ns, p->recall[1].takes_ns,
				p->recall[2].takes_ns },
	};
	for (k = 0; k < STORE_CAUSE_COUNT; k++)
		t->cause[k] = store_meter_new(
			tape_store_new(store_shared_ref(sim_place[s->place]),
				       &sim_tape, s->name,
				       store_cause_name((enum store_cause)k)),
			&sim_counts[i][k], NULL);
	sim_cost_tiers[i] = (struct cost_tier){ .tier = s->name,
						.storage_class = s->class,
						.prices = s->prices,
						.place = s->place,
						.object_size = s->object_size };
}

static inline void sim_stores(void)
{
	const struct store_mem_archive terms = {
		.takes_ns = { [STORE_STANDARD] = 12 * HOUR,
			      [STORE_BULK] = 48 * HOUR },
	};
	int i;

	for (i = 0; i < 2; i++) {
		struct store *s = store_mem_new();

		store_mem_terms(s, &terms);
		sim_place[i] = store_shared_new(s);
	}
	for (i = 0; i < SIM_TIERS; i++)
		sim_tier((size_t)i);
	memcpy(stores.cause, stores.tier[NEAR].cause, sizeof(stores.cause));
	stores.n_tiers = SIM_TIERS;
}

static inline size_t sim_read(void *arg, struct cost_counts *out, size_t max)
{
	size_t n = 0, i;
	int k;

	for (i = 0; i < SIM_TIERS; i++)
		for (k = 0; k < STORE_CAUSE_COUNT && n < max; k++) {
			struct store_counts q;

			store_meter_read(&sim_counts[i][k], &q);
			out[n++] = (struct cost_counts){
				.tier = sim_tiers[i].name,
				.storage_class = sim_tiers[i].class,
				.cause = store_cause_name((enum store_cause)k),
				.puts = q.puts + q.copies,
				.gets = q.gets,
				.heads = q.heads,
				.lists = q.lists,
				.deletes = q.deletes,
				.in_bytes = q.in_bytes,
				.out_bytes = q.out_bytes,
			};
		}
	return n;
}

static inline void sim_open(void)
{
	CLEANUP_FREE char *path = io_path("%s/requests.csv", sim_dir);
	const struct cost_ledger_opts o = { .read = sim_read,
					    .tiers = sim_cost_tiers,
					    .n_tiers = SIM_TIERS };
	int64_t shift = SIM_START - clock_wall_ns();

	clock_shift(shift, shift);
	assert_int_equal(state_setup(NULL), 0);
	assert_int_equal(keys_setup(), 0);
	assert_int_equal(tape_open(&sim_tape, path), 0);
	sim_disk = sim_file("disk.csv");
	fputs("ns,bytes\n", sim_disk);
	sim_stores();
	move_defaults();
	/* Nothing is protected while a study is being written. */
	mopts.settle_ns = HOUR / 60;
	mopts.delete_after_ns = SIM_GRACE;
	mopts.object_size = sim_tiers[NEAR].object_size;
	mopts.storage_class = sim_tiers[NEAR].class;
	assert_int_equal(start_move(), 0);
	assert_int_equal(cost_ledger_start(m, &o, &sim_ledger), 0);
}

static inline void sim_close(void)
{
	size_t i;
	int k;

	cost_ledger_stop(sim_ledger);
	stop_move();
	for (i = 0; i < SIM_TIERS; i++)
		for (k = 0; k < STORE_CAUSE_COUNT; k++)
			store_free(take(stores.tier[i].cause[k]));
	for (i = 0; i < 2; i++)
		store_free(take(sim_place[i]));
	pack_keyring_free(take(kr));
	assert_int_equal(tape_close(&sim_tape), 0);
	assert_int_equal(fclose(sim_disk), 0);
	assert_int_equal(state_teardown(NULL), 0);
	free(sim_trust.study);
}

/* ---- time ------------------------------------------------------------- */

static inline void sim_wait(bool (*done)(void), const char *what)
{
	int i;

	for (i = 0; i < SIM_WAITS_MS && !done(); i++)
		clock_sleep_ns(1000000);
	if (!done())
		sim_fail("waited in vain for", what);
}

static inline bool all_protected(void)
{
	struct meta_totals totals;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals(&t, &totals), 0);
	return totals.dirty_files == 0;
}

static inline bool none_unlinked(void)
{
	uint64_t ino;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_orphans(&t, 0, &ino, 1) == 0;
}

/* What may go is gone: also what is just old enough, which gc might else be
 * about to delete when the clock is shifted. */
static inline bool none_condemned(void)
{
	struct meta_pack p;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	if (meta_pack_list(&t, META_PACK_CONDEMNED, 0,
			   clock_wall_ns() - SIM_GRACE, &p, 1) == 0)
		return true;
	job_wake(mv->gc);
	return false;
}

/* When the first order should be there, or is looked after again if it was
 * not; 0: there is none. */
static inline int64_t next_due(void)
{
	struct meta_restore r[16];
	uint64_t after = 0;
	int64_t due = 0;
	int n, i;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	do {
		n = meta_restore_list(&t, META_RESTORE_ORDERED, after, r, 16);
		assert_true(n >= 0);
		for (i = 0; i < n; i++) {
			int64_t at = MAX(r[i].due_ns, r[i].retry_ns);

			after = r[i].pack;
			due = due ? MIN(due, at) : at;
		}
	} while (n == 16);
	return due;
}

/* Are there copies that were restored, or will be? */
static inline bool copies_left(void)
{
	struct meta_restore r;
	META_TXN(t);
	int state, n = 0;

	assert_int_equal(meta_read(m, &t), 0);
	for (state = META_RESTORE_WANTED; state <= META_RESTORE_FAILED; state++)
		n += meta_restore_list(&t, (enum meta_restore_state)state, 0,
				       &r, 1);
	return n > 0;
}

/* Each order has left. */
static inline bool none_wanted(void)
{
	struct meta_restore r;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_restore_list(&t, META_RESTORE_WANTED, 0, &r, 1) == 0;
}

static inline bool none_due(void)
{
	int64_t due = next_due();

	return !due || due > clock_wall_ns();
}

/* Those whose copy is gone are forgotten. */
static inline bool none_over(void)
{
	struct meta_restore r[16];
	uint64_t after = 0;
	bool over = false;
	int n, i;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	do {
		n = meta_restore_list(&t, META_RESTORE_READY, after, r, 16);
		assert_true(n >= 0);
		for (i = 0; i < n; i++) {
			after = r[i].pack;
			over |= r[i].until_ns + HOUR < clock_wall_ns();
		}
	} while (n == 16);
	return !over;
}

static inline void note_disk(void)
{
	struct meta_totals totals;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals(&t, &totals), 0);
	fprintf(sim_disk, "%lld,%llu\n", (long long)clock_wall_ns(),
		(unsigned long long)totals.cached_bytes);
}

static inline void shift_to(int64_t ns)
{
	int64_t by = ns - clock_wall_ns();

	if (by <= 0)
		return;
	assert_int_equal(cost_ledger_flush(sim_ledger), 0);
	note_disk();
	clock_shift(by, by);
	assert_int_equal(cost_ledger_flush(sim_ledger), 0);
	note_disk();
}

static inline bool condemned_left(void)
{
	struct meta_pack p;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_pack_list(&t, META_PACK_CONDEMNED, 0, INT64_MAX, &p, 1) > 0;
}

/* While something waits to be deleted the hours count, else the days. */
static inline int64_t step_ns(void)
{
	return condemned_left() ? 2 * HOUR : DAY;
}

/* On the way nothing happens but that orders are there, and objects go. */
static inline void advance_to(int64_t ns)
{
	sim_wait(none_wanted, "an order to leave");
	while (clock_wall_ns() < ns) {
		int64_t to = MIN(ns, clock_wall_ns() + step_ns());
		int64_t due = next_due();

		shift_to(due && due < to ? due + SIM_LATE : to);
		job_wake(mv->restore);
		sim_wait(none_due, "an order");
		sim_wait(none_over, "the end of an order");
		sim_wait(none_condemned, "gc");
	}
}

#endif
