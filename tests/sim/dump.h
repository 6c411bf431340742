/* SPDX-License-Identifier: Apache-2.0 */
/* What ledger and report say, written down for bill.py. */
#ifndef MERSEY_TESTS_SIM_DUMP_H
#define MERSEY_TESTS_SIM_DUMP_H

#include "tests/sim/sim.h"

/* ---- what is written down --------------------------------------------- */

static inline void dump_ledger(void)
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

static inline void dump_items(void)
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

static inline void dump_money(FILE *f, const char *name, money_t v)
{
	char text[MONEY_SIZE];

	fprintf(f, "\"%s\": \"%s\", ", name, money_exact(v, text));
}

static inline void dump_class(FILE *f, const struct price_class *p)
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

static inline void dump_table(FILE *f, const struct price_table *t)
{
	size_t i;

	fprintf(f, "\"%s\": {", t->name);
	dump_money(f, "egress", t->egress_gb.amount);
	fputs("\"classes\": {", f);
	for (i = 0; i < t->n_classes; i++) {
		fputs(i ? ", " : "", f);
		dump_class(f, &t->classes[i]);
	}
	fputs("}}, ", f);
}

/* What the bill goes by, and until when. */
static inline void dump_terms(void)
{
	FILE *f = sim_file("terms.json");
	size_t i;

	fputs("{", f);
	dump_table(f, &sim_onprem);
	dump_table(f, &sim_cloud);
	fputs("\"tiers\": {", f);
	for (i = 0; i < SIM_TIERS; i++)
		fprintf(f,
			"%s\"%s\": {\"table\": \"%s\", \"class\": \"%s\","
			" \"place\": %u}",
			i ? ", " : "", sim_tiers[i].name,
			sim_tiers[i].prices->name, sim_tiers[i].class,
			sim_tiers[i].place);
	fputs("}, ", f);
	dump_money(f, "disk_tb", sim_cost.disk_tb_month.amount);
	fprintf(f, "\"end_ns\": %lld}\n", (long long)clock_wall_ns());
	assert_int_equal(fclose(f), 0);
}

static inline void dump_charges(FILE *f, int32_t from, int32_t to,
				const char *by, const char *name,
				const struct price_charges *ch)
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

static inline void dump_report(FILE *f, int32_t from, int32_t to,
			       enum cost_by by)
{
	struct err err = ERR_INIT;
	struct cost_report r;
	size_t i;
	int rc = cost_report(m, &sim_cost, by, from, to, clock_wall_ns(), &r,
			     &err);

	if (rc < 0)
		sim_fail("report", err.msg);
	for (i = 0; i < r.n_rows; i++)
		dump_charges(f, from, to, cost_by_name(by), r.rows[i].name,
			     &r.rows[i].charges);
	dump_charges(f, from, to, cost_by_name(by), "total", &r.totals);
	cost_report_done(&r);
}

/* Of the whole and of each day, by all there is to divide it by. */
static inline void dump_reports(int days)
{
	int32_t first = (int32_t)(SIM_START / DAY), d;
	FILE *f = sim_file("report.csv");
	int by;

	fputs("from,to,by,name,storage,requests,retrieval,transfer,early,small,"
	      "total\n",
	      f);
	for (by = 0; by < COST_BYS; by++) {
		dump_report(f, first, first + days + 1, (enum cost_by)by);
		for (d = first; d <= first + days; d++)
			dump_report(f, d, d + 1, (enum cost_by)by);
	}
	assert_int_equal(fclose(f), 0);
}

#endif
