/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives virtual time over a generated trust (trust.h): its files go through
 * the real cache, mover, policy, plans, ledger and report, into stores in
 * memory. What left for them is on a tape, from which bill.py makes a bill of
 * its own; this program writes down what plans, ledger and report say.
 *
 * Two months of work are followed by one in which there is only the policy.
 * Nothing is asserted about real time.
 *
 * Usage: sim DIRECTORY DAYS THIN
 */
#include "tests/sim/dump.h"
#include "tests/sim/tiering.h"

/* Nobody cuts the power of this test: it is quick beside others that write. */
int fsync(int fd)
{
	return 0;
}

int fdatasync(int fd)
{
	return 0;
}

int syncfs(int fd)
{
	return 0;
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
		int rc;

		cache_touch(f);
		rc = move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL);

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

	if (day % 4 != 3)
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
	if (day % SIM_RUNS == SIM_RUNS - 1)
		tiering_run();
	advance_to(SIM_START + (day + 1) * DAY);
}

int main(int argc, char **argv)
{
	int days, day = 0;
	unsigned thin;
	FILE *plans;

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
	tiering_start();
	plans = sim_file("plans.csv");
	fputs("day,files,bytes,predicted,ledger\n", plans);
	while (day < days) {
		int until = day + 2 * SIM_MONTH;

		for (; day < until; day++)
			sim_day(day, thin);
		day = tiering_month(day - 1, plans);
	}
	assert_int_equal(fclose(plans), 0);
	tiering_stop();
	dump_terms(); /* with when it ended */
	note_disk();
	cost_ledger_stop(take(sim_ledger)); /* else it writes between reports */
	dump_ledger();
	dump_items();
	dump_reports(day);
	sim_close();
	return 0;
}
