/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives virtual time over a generated trust (trust.h): its files go through
 * the real cache, mover, ledger and report, into stores in memory. What left
 * for them is on a tape, from which bill.py makes a bill of its own; this
 * program writes down what the ledger and the report say.
 *
 * Nothing is asserted about real time. The clock is shifted when nothing is
 * under way, from event to event, and the ledger is flushed before and after,
 * so that it sees what was stored meanwhile.
 *
 * Usage: sim DIRECTORY DAYS THIN
 */
#include "tests/sim/tape.h"
#include "tests/sim/trust.h"

#include "cost/cost.h"

#define HOUR	     (3600 * NSEC_PER_SEC)
#define DAY	     (24 * HOUR)
#define SIM_START    (20820 * DAY + 60 * NSEC_PER_SEC) /* 2027-01-02 */
#define SIM_GRACE    (2 * DAY) /* of what is condemned */
#define SIM_KEEP     (7 * DAY) /* files stay local after their last use */
#define SIM_TIERS    3
#define SIM_WAITS_MS 120000

enum { NEAR, IA, DEEP };

static const struct sim_tier {
	const char *name, *class;
	unsigned place;
	uint64_t object_size;
	bool archive;
} sim_tiers[SIM_TIERS] = {
	[NEAR] = { "near", "STANDARD", 0, 512 * KIB, false },
	[IA] = { "ia", "STANDARD_IA", 1, 512 * KIB, false },
	[DEEP] = { "deep", "DEEP_ARCHIVE", 1, 2 * MIB, true },
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
static const struct price_table sim_table = {
	.name = "cloud",
	.currency = "GBP",
	.classes = sim_classes,
	.n_classes = ARRAY_SIZE(sim_classes),
	.egress_gb = BYTES(900),
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

static void sim_fail(const char *what, const char *why)
{
	print_error("%s: %s\n", what, why);
	exit(1);
}

/* ---- assembly --------------------------------------------------------- */

static FILE *sim_file(const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", sim_dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	return f;
}

static void sim_tier(size_t i)
{
	const struct sim_tier *s = &sim_tiers[i];
	const struct price_class *p = price_table_class(&sim_table, s->class);
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
						.prices = &sim_table,
						.place = s->place,
						.object_size = s->object_size };
}

static void sim_stores(void)
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

static size_t sim_read(void *arg, struct cost_counts *out, size_t max)
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

static void sim_open(void)
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
	mopts.delete_after_ns = SIM_GRACE;
	mopts.object_size = sim_tiers[NEAR].object_size;
	mopts.storage_class = sim_tiers[NEAR].class;
	assert_int_equal(start_move(), 0);
	assert_int_equal(cost_ledger_start(m, &o, &sim_ledger), 0);
}

static void sim_close(void)
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

static void sim_wait(bool (*done)(void), const char *what)
{
	int i;

	for (i = 0; i < SIM_WAITS_MS && !done(); i++)
		clock_sleep_ns(1000000);
	if (!done())
		sim_fail("waited in vain for", what);
}

static bool all_protected(void)
{
	struct meta_totals totals;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals(&t, &totals), 0);
	return totals.dirty_files == 0;
}

static bool none_unlinked(void)
{
	uint64_t ino;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_orphans(&t, 0, &ino, 1) == 0;
}

static bool none_condemned(void)
{
	struct meta_pack p;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_pack_list(&t, META_PACK_CONDEMNED, 0,
			      clock_wall_ns() - SIM_GRACE - HOUR / 60, &p,
			      1) == 0;
}

/* When the first order should be there; 0: there is none. */
static int64_t next_due(void)
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
			after = r[i].pack;
			if (!due || r[i].due_ns < due)
				due = r[i].due_ns;
		}
	} while (n == 16);
	return due;
}

static bool none_due(void)
{
	int64_t due = next_due();

	return !due || due > clock_wall_ns();
}

static void note_disk(void)
{
	struct meta_totals totals;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals(&t, &totals), 0);
	fprintf(sim_disk, "%lld,%llu\n", (long long)clock_wall_ns(),
		(unsigned long long)totals.cached_bytes);
}

static void shift_to(int64_t ns)
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

/* On the way nothing happens but that orders are there, and objects go. */
static void advance_to(int64_t ns)
{
	while (clock_wall_ns() < ns) {
		int64_t due = next_due();

		if (due && due < ns) {
			shift_to(due + NSEC_PER_SEC / 2);
			job_wake(mv->restore);
			sim_wait(none_due, "an order");
		} else {
			shift_to(ns);
		}
		job_wake(mv->gc);
		sim_wait(none_condemned, "gc");
		if (mv->restore)
			job_wake(mv->restore);
	}
}

/* ---- a day ------------------------------------------------------------ */

static void protect_now(void)
{
	assert_int_equal(cache_flush(c), 0);
	move_protect_now(mv, 0);
	sim_wait(all_protected, "protect");
}

/* Reads all files of a study; what lies in an archive class comes later. */
static void read_study(struct study *s)
{
	unsigned i;

	s->waits = false;
	for (i = 0; i < s->n; i++) {
		struct cache_file *f = file_open(s->ino[i], false);
		int rc = move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL);

		assert_true(rc == 0 || rc == -ETIMEDOUT);
		s->waits |= rc < 0;
		file_close(f, false);
	}
	s->read_ns = clock_wall_ns();
}

static void reread(void)
{
	struct study *s;
	size_t i;

	for (i = 0; i < sim_trust.n; i++)
		if (sim_trust.study[i].waits && !sim_trust.study[i].gone)
			read_study(&sim_trust.study[i]);
	if (trust_random(&sim_trust, 2) == 0)
		return;
	s = trust_reread(&sim_trust);
	if (s)
		read_study(s);
}

static void evict_old(void)
{
	int64_t before = clock_wall_ns() - SIM_KEEP;
	size_t i;
	unsigned k;

	for (i = 0; i < sim_trust.n; i++) {
		struct study *s = &sim_trust.study[i];

		if (s->gone || s->waits || s->read_ns >= before)
			continue;
		for (k = 0; k < s->n; k++)
			if (local_exists(s->ino[k]))
				assert_int_equal(evict_settled(s->ino[k]), 0);
	}
}

/* Now and then a study is deleted for good, young or old. */
static void delete_one(int day)
{
	struct study *s;

	if (day % 9 != 8)
		return;
	s = &sim_trust.study[trust_random(&sim_trust, (unsigned)sim_trust.n)];
	if (s->gone || s->waits)
		return;
	trust_delete(s);
	move_reap_now(mv);
	sim_wait(none_unlinked, "reap");
}

static void sim_day(int day, unsigned thin)
{
	trust_day(&sim_trust, thin);
	protect_now();
	reread();
	evict_old();
	delete_one(day);
	advance_to(SIM_START + (day + 1) * DAY);
}

/* ---- what is written down --------------------------------------------- */

static void dump_ledger(void)
{
	FILE *f = sim_file("ledger.csv");
	struct meta_ledger l[64];
	size_t skip = 0;
	int n, i;
	META_TXN(t);

	fputs("day,tier,class,cause,puts,gets,heads,lists,in_bytes,"
	      "byte_seconds\n",
	      f);
	assert_int_equal(meta_read(m, &t), 0);
	do {
		n = meta_ledger_list(&t, 0, INT32_MAX, skip, l, 64);
		assert_true(n >= 0);
		for (i = 0; i < n; i++)
			fprintf(f,
				"%d,%s,%s,%s,%llu,%llu,%llu,%llu,%llu,%llu\n",
				l[i].day, l[i].tier, l[i].storage_class,
				l[i].cause, (unsigned long long)l[i].puts,
				(unsigned long long)l[i].gets,
				(unsigned long long)l[i].heads,
				(unsigned long long)l[i].lists,
				(unsigned long long)l[i].in_bytes,
				(unsigned long long)(l[i].byte_hours * 3600 +
						     l[i].byte_seconds));
		skip += (size_t)n;
	} while (n == 64);
	assert_int_equal(fclose(f), 0);
}

static void dump_items(void)
{
	FILE *f = sim_file("items.csv");
	struct meta_ledger_item l[64];
	size_t skip = 0;
	int n, i;
	META_TXN(t);

	fputs("day,tier,class,cause,kind,whole,rest\n", f);
	assert_int_equal(meta_read(m, &t), 0);
	do {
		n = meta_ledger_items(&t, 0, INT32_MAX, skip, l, 64);
		assert_true(n >= 0);
		for (i = 0; i < n; i++)
			fprintf(f, "%d,%s,%s,%s,%d,%llu,%llu\n", l[i].day,
				l[i].tier, l[i].storage_class, l[i].cause,
				(int)l[i].kind, (unsigned long long)l[i].whole,
				(unsigned long long)l[i].rest);
		skip += (size_t)n;
	} while (n == 64);
	assert_int_equal(fclose(f), 0);
}

static void dump_money(FILE *f, const char *name, money_t v)
{
	char text[MONEY_SIZE];

	fprintf(f, "\"%s\": \"%s\", ", name, money_exact(v, text));
}

static void dump_class(FILE *f, const struct price_class *p)
{
	int k;

	fprintf(f, "\"%s\": {", p->name);
	dump_money(f, "storage", p->storage_gb_month.amount);
	dump_money(f, "put", p->put_1000.amount);
	dump_money(f, "get", p->get_1000.amount);
	dump_money(f, "read", p->retrieval_gb.amount);
	fputs("\"recall\": [", f);
	for (k = 0; k < PRICE_SPEEDS; k++) {
		fputs(k ? ", {" : "{", f);
		dump_money(f, "gb", p->recall[k].gb.amount);
		dump_money(f, "request", p->recall[k].request_1000.amount);
		fprintf(f, "\"seconds\": %lld}",
			(long long)(p->recall[k].takes_ns / NSEC_PER_SEC));
	}
	fprintf(f,
		"], \"archive\": %s, \"days\": %u, \"bytes\": %llu,"
		" \"overhead\": %llu, \"overhead_standard\": %llu}",
		price_class_archive(p) ? "true" : "false", p->minimum_days,
		(unsigned long long)p->minimum_bytes,
		(unsigned long long)p->overhead_bytes,
		(unsigned long long)p->overhead_standard_bytes);
}

/* What the bill goes by, and until when. */
static void dump_terms(void)
{
	FILE *f = sim_file("terms.json");
	size_t i;

	fputs("{\"classes\": {", f);
	for (i = 0; i < ARRAY_SIZE(sim_classes); i++) {
		fputs(i ? ", " : "", f);
		dump_class(f, &sim_classes[i]);
	}
	fputs("}, \"tiers\": {", f);
	for (i = 0; i < SIM_TIERS; i++)
		fprintf(f, "%s\"%s\": {\"class\": \"%s\", \"place\": %u}",
			i ? ", " : "", sim_tiers[i].name, sim_tiers[i].class,
			sim_tiers[i].place);
	fputs("}, ", f);
	dump_money(f, "egress", sim_table.egress_gb.amount);
	dump_money(f, "disk_tb", sim_cost.disk_tb_month.amount);
	fprintf(f, "\"end_ns\": %lld}\n", (long long)clock_wall_ns());
	assert_int_equal(fclose(f), 0);
}

static void dump_charges(FILE *f, int32_t from, int32_t to, const char *by,
			 const char *name, const struct price_charges *ch)
{
	char text[MONEY_SIZE];
	int k;

	fprintf(f, "%d,%d,%s,%s", from, to, by, name);
	for (k = 0; k < PRICE_COLUMNS; k++)
		fprintf(f, ",%s",
			money_exact(price_column(ch, (enum price_column)k),
				    text));
	fprintf(f, ",%s\n", money_exact(ch->total, text));
}

static void dump_report(FILE *f, int32_t from, int32_t to, enum cost_by by)
{
	struct err err = ERR_INIT;
	struct cost_report r;
	size_t i;
	int rc = cost_report(m, &sim_cost, by, from, to, clock_wall_ns(), &r,
			     &err);

	if (rc < 0)
		sim_fail("report", err.msg);
	for (i = 0; i < r.n_rows; i++)
		dump_charges(f, from, to, "tier", r.rows[i].tier,
			     &r.rows[i].charges);
	dump_charges(f, from, to, "tier", "total", &r.totals);
	cost_report_done(&r);
}

/* Of the whole, and of each day. */
static void dump_reports(int days)
{
	int32_t first = (int32_t)(SIM_START / DAY), d;
	FILE *f = sim_file("report.csv");

	fputs("from,to,by,name,storage,requests,retrieval,transfer,early,small,"
	      "total\n",
	      f);
	dump_report(f, first, first + days + 1, COST_BY_TIER);
	for (d = first; d <= first + days; d++)
		dump_report(f, d, d + 1, COST_BY_TIER);
	assert_int_equal(fclose(f), 0);
}

int main(int argc, char **argv)
{
	unsigned thin;
	int days, d;

	if (argc != 4)
		return 2;
	sim_dir = argv[1];
	days = atoi(argv[2]);
	thin = (unsigned)atoi(argv[3]);
	sim_trust.max =
		TRUST_STUDIES_A_YEAR / thin * (size_t)(days + 365) / 365;
	sim_trust.study = calloc(sim_trust.max, sizeof(*sim_trust.study));
	sim_trust.random = 0x9e3779b97f4a7c15ULL;
	sim_open();
	for (d = 0; d < days; d++)
		sim_day(d, thin);
	assert_int_equal(cost_ledger_flush(sim_ledger), 0);
	note_disk();
	dump_terms();
	dump_ledger();
	dump_items();
	dump_reports(days);
	sim_close();
	return 0;
}
