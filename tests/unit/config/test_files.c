/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside the config: price tables and secrets. */
#include "tests/unit/config/parse.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"

static char dir[] = "/tmp/mersey-config-XXXXXX";

static int setup(void **state)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(dir);
}

static void put(const char *name, mode_t mode, const char *text)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	assert_int_equal(io_write_file(path, mode, text, strlen(text), false),
			 0);
}

/* All problems as "file:line:col message | suggestion", the directory taken
 * out of them. */
static void problems_of(const struct config_problems *ps, struct buf *out)
{
	CLEANUP_BUF struct buf all = { 0 };
	const char *s, *hit;
	size_t i;

	for (i = 0; i < ps->n; i++) {
		const struct config_problem *p = &ps->p[i];

		buf_addf(&all, "%s:%u:%u %s: %s%s%s\n", p->file, p->line,
			 p->column, p->key, p->message,
			 p->suggestion ? " | " : "",
			 p->suggestion ? p->suggestion : "");
	}
	for (s = buf_str(&all); (hit = strstr(s, dir)); s = hit + strlen(dir)) {
		buf_add(out, s, (size_t)(hit - s));
		buf_addf(out, "DIR");
	}
	buf_addf(out, "%s", s);
}

static void assert_ps(struct config_problems *ps, const char *want)
{
	CLEANUP_BUF struct buf got = { 0 };

	problems_of(ps, &got);
	assert_string_equal(buf_str(&got), want);
	config_problems_done(ps);
}

/* Loads DIR/m.yaml, whose text this is. */
static struct config *load(const char *text, const char *want)
{
	CLEANUP_FREE char *path = io_path("%s/m.yaml", dir);
	struct config_problems ps = { 0 };
	struct config *c = NULL;

	put("m.yaml", 0644, text);
	config_load(path, &c, &ps, NULL);
	assert_ps(&ps, want);
	return c;
}

/* ---- price tables ----------------------------------------------------- */

#define TABLE_HEAD            \
	"name: t\n"           \
	"currency: USD\n"     \
	"as_of: 2026-01-02\n" \
	"source: list\n"      \
	"classes:\n"
#define TABLE                                                            \
	TABLE_HEAD "  STANDARD:\n"                                       \
		   "    storage_gb_month: {value: \"0.02\", confirmed: " \
		   "true}\n"
#define PRICED(files, table)                                          \
	"version: 1\n"                                                \
	"cost: {prices: [" files "]}\n"                               \
	"stores: {nas: {kind: dir, path: /nas, prices: " table "}}\n" \
	"trusts:\n" GOOD_REM

static void test_prices(void **state)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	const struct price_class *s;

	put("t.yaml", 0644, TABLE);
	load(PRICED("t.yaml", "t"),
	     "DIR/m.yaml:3:47 stores.nas.prices: prices of 't' are in USD, and "
	     "cost.exchange has no rate for it | add to cost.exchange: USD: "
	     "\"…\"\n");
	c = load(PRICED("t.yaml", "t") "# more\n"
				       "defaults: {settle: 1s}\n",
		 "DIR/m.yaml:3:47 stores.nas.prices: prices of 't' are in USD, "
		 "and cost.exchange has no rate for it | add to cost.exchange: "
		 "USD: \"…\"\n");
	assert_null(c);
	c = load("version: 1\n"
		 "cost: {prices: [t.yaml], currency: USD}\n"
		 "stores: {nas: {kind: dir, path: /nas, prices: t}}\n"
		 "trusts:\n" GOOD_REM,
		 "");
	s = price_table_class(config_prices_find(c, "t"), "STANDARD");
	assert_true(s->storage_gb_month.known);
	assert_string_equal(s->storage_gb_month.as_of, "2026-01-02");
	assert_string_equal(s->storage_gb_month.source, "list");
	assert_false(s->put_1000.known);
	assert_false(config_prices_find(c, "t")->egress_gb.known);
}

static void test_price_files(void **state)
{
	put("t.yaml", 0644, TABLE);
	put("u.yaml", 0644, TABLE);
	load(PRICED("t.yaml, none.yaml, ., u.yaml", "tt"),
	     "DIR/m.yaml:2:25 cost.prices[1]: cannot read price table "
	     "'DIR/none.yaml': No such file or directory\n"
	     "DIR/m.yaml:2:36 cost.prices[2]: cannot read price table 'DIR': "
	     "Invalid argument\n"
	     "DIR/m.yaml:2:39 cost.prices[3]: price table 't' of 'DIR/u.yaml' "
	     "has the name of one before it | give the table another 'name'\n");
	load(PRICED("t.yaml", "tt"),
	     "DIR/m.yaml:3:47 stores.nas.prices: there is no price table 'tt' "
	     "in the files of cost.prices | did you mean 't'?\n");
}

static void test_price_errors(void **state)
{
	put("a.yaml", 0644,
	    "name: A\n"
	    "currency: pounds\n"
	    "as_of: today\n"
	    "classes:\n"
	    "  standard:\n"
	    "    storage_gb_month: {value: 0.02, confirmed: maybe}\n"
	    "    put_100: {value: \"1\", confirmed: true}\n"
	    "    get_1000: {value: \"-1\", confirmed: true}\n"
	    "    retrieval_gb: {confirmed: true}\n"
	    "  COLD: {minimum_days: 9999}\n");
	put("b.yaml", 0644, "name: [\n");
	load("vershun: 1\n" PRICED("a.yaml, b.yaml", "gone"),
	     "DIR/m.yaml:1:1 vershun: unknown key 'vershun' | did you mean "
	     "'version'?\n"
	     "DIR/a.yaml:1:1 source: required key 'source' is missing | "
	     "source: Where the figures come from.\n"
	     "DIR/a.yaml:1:7 name: 'name' must be 1 to 63 lower-case letters, "
	     "digits, '.', '_' and '-', not 'A'\n"
	     "DIR/a.yaml:2:11 currency: 'currency' must be a currency of three "
	     "capital letters, such as GBP, not 'pounds'\n"
	     "DIR/a.yaml:3:8 as_of: 'as_of' must be a date that exists, not "
	     "'today' | write a date such as 2027-03-31\n"
	     "DIR/a.yaml:5:3 classes.standard: the name must be 1 to 31 "
	     "capital letters, digits and '_', not 'standard'\n"
	     "DIR/a.yaml:6:31 classes.standard.storage_gb_month.value: 'value' "
	     "must be in quotes | write an exact decimal in quotes, such as "
	     "\"0.79\"\n"
	     "DIR/a.yaml:6:48 classes.standard.storage_gb_month.confirmed: "
	     "'confirmed' must be true or false, not 'maybe' | write true or "
	     "false, without quotes\n"
	     "DIR/a.yaml:7:5 classes.standard.put_100: unknown key 'put_100' | "
	     "did you mean 'put_1000'?\n"
	     "DIR/a.yaml:8:23 classes.standard.get_1000.value: 'value' must "
	     "not be negative, not '-1' | write an exact decimal in quotes, "
	     "such as \"0.79\"\n"
	     "DIR/a.yaml:9:5 classes.standard.retrieval_gb.value: required key "
	     "'value' is missing | value: The figure: an exact decimal, in "
	     "quotes.\n"
	     "DIR/a.yaml:10:3 classes.COLD.storage_gb_month: required key "
	     "'storage_gb_month' is missing | storage_gb_month: A GB (2^30 "
	     "bytes) kept for a month (730 hours).\n"
	     "DIR/a.yaml:10:24 classes.COLD.minimum_days: 'minimum_days' must "
	     "be at most 3650, not '9999' | write a whole number, without "
	     "quotes\n"
	     "DIR/b.yaml:2:1 : not valid YAML: did not find expected node "
	     "content, while parsing a flow node that began in line 2\n");
}

#define STEP(above, value) \
	"{above: " above ", price: {value: \"" value "\", confirmed: true}}"

static void test_price_steps(void **state)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	const struct price_class *s;
	put("s.yaml", 0644,
	    "{name: s, currency: USD, as_of: 2026-11-01, source: list,\n"
	    "egress_steps: [" STEP("0B", "0") ", " STEP(
		    "1GiB",
		    "2") "],\n"
			 "classes: {STANDARD: {storage_gb_month: {value: \"3\", "
			 "confirmed: true},\n"
			 "steps: [" STEP(
				 "1TiB",
				 "1") "]}, COLD: {storage_gb_month: "
				      "{value: \"1\", confirmed: true},\n"
				      "recall: {bulk: {takes: 2d, gb: {value: \"0.5\", confirmed: "
				      "true}, request_1000: {value: \"9\", confirmed: false}}}}}}\n");
	c = load("version: 1\n"
		 "cost: {prices: [s.yaml], currency: USD}\n"
		 "stores: {nas: {kind: dir, path: /nas, prices: s}}\n"
		 "trusts:\n" GOOD_REM,
		 "");
	s = price_table_class(config_prices_find(c, "s"), "COLD");
	assert_true(s->recall[PRICE_BULK].known);
	assert_false(s->recall[PRICE_STANDARD].known);
	assert_true(s->recall[PRICE_BULK].request_1000.amount ==
		    9 * MONEY_UNIT);
	assert_string_equal(s->recall[PRICE_BULK].gb.source, "list");
	s = price_table_class(config_prices_find(c, "s"), "STANDARD");
	assert_int_equal(s->n_steps, 1);
	assert_string_equal(s->steps[0].gb.as_of, "2026-11-01");
	assert_int_equal(config_prices_find(c, "s")->n_egress_steps, 2);
}

static void test_price_steps_wrong(void **state)
{
	put("d.yaml", 0644,
	    "{name: d, currency: USD, as_of: 2026-11-01, source: list,\n"
	    "egress_steps: [" STEP(
		    "1GiB",
		    "0") ",\n"
			 " " STEP(
				 "1GiB",
				 "2") "],\n"
				      "classes: {A: {storage_gb_month: {value: \"1\", confirmed: true},"
				      "\nsteps: [" STEP("1B", "1") ", " STEP("2B", "1") ",\n" STEP(
					      "3B",
					      "1") ", " STEP("4B",
							     "1") ",\n" STEP("5B",
									     "1") "]}}}\n");
	load(PRICED("d.yaml", "d"),
	     "DIR/d.yaml:7:1 classes.A.steps[4]: 'steps' can have 4 items at "
	     "most\n");
	put("d.yaml", 0644,
	    "{name: d, currency: GBP, as_of: 2026-11-01, source: list,\n"
	    "egress_steps: [" STEP(
		    "1GiB",
		    "0") ",\n"
			 " " STEP(
				 "1GiB",
				 "2") "],\n"
				      "classes: {A: {storage_gb_month: {value: \"1\", confirmed: true},"
				      "\nsteps: [" STEP("3B", "1") ",\n" STEP(
					      "2B", "1") "]}}}\n");
	load(PRICED("d.yaml", "d"),
	     "DIR/d.yaml:3:10 egress_steps[1].above: steps must ascend: this "
	     "one begins no higher than the one before it\n"
	     "DIR/d.yaml:6:9 classes.A.steps[1].above: steps must ascend: this "
	     "one begins no higher than the one before it\n");
}

#undef STEP

/* ---- secrets ---------------------------------------------------------- */

#define SECRET(rem, cred, rbq)                                         \
	"version: 1\n"                                                 \
	"stores: {s: {kind: s3, endpoint: 'https://h', region: uk}}\n" \
	"trusts:\n"                                                    \
	"  rem:\n"                                                     \
	"    user: 61001\n"                                            \
	"    key: {file: " rem "}\n"                                   \
	"    credentials: {s: " cred "}\n"                             \
	"    tiers: [{name: n, store: s, bucket: rem}]\n"              \
	"  rbq:\n"                                                     \
	"    user: 61002\n"                                            \
	"    key: {file: " rbq "}\n"                                   \
	"    credentials: {s: c2}\n"                                   \
	"    tiers: [{name: n, store: s, bucket: rbq}]\n"

static void assert_secrets(const char *text, const char *want)
{
	CLEANUP(config_free_guard) struct config *c = load(text, "");
	struct config_problems ps = { 0 };

	assert_int_equal(config_check_secrets(c, &ps), *want ? -EINVAL : 0);
	assert_ps(&ps, want);
}

static void test_secrets(void **state)
{
	CLEANUP_FREE char *one = io_path("%s/k1", dir);
	CLEANUP_FREE char *link1 = io_path("%s/k1-link", dir);

	put("k1", 0600, "x");
	put("k2", 0400, "x");
	put("c1", 0600, "x");
	put("c2", 0600, "x");
	assert_secrets(SECRET("k1", "c1", "k2"), "");
	put("open", 0640, "x");
	assert_secrets(SECRET("open", ".", "none"),
		       "DIR/m.yaml:6:17 trusts.rem.key.file: secret file "
		       "'DIR/open' can be used by group or others (mode 0640) "
		       "| chmod 600 'DIR/open'\n"
		       "DIR/m.yaml:7:22 trusts.rem.credentials.s: secret file "
		       "'DIR' is not a regular file\n"
		       "DIR/m.yaml:11:17 trusts.rbq.key.file: cannot look at "
		       "secret file 'DIR/none': No such file or directory | "
		       "mersey trust add rbq\n");
	assert_int_equal(link(one, link1), 0);
	assert_secrets(SECRET("k1", "c1", "k1-link"),
		       "DIR/m.yaml:11:17 trusts.rbq.key.file: secret files "
		       "'DIR/k1' of trust 'rem' and 'DIR/k1-link' of trust "
		       "'rbq' are one file\n");
}

static void test_secret_owner(void **state)
{
	CLEANUP_FREE char *one = io_path("%s/k1", dir);

	if (geteuid() != 0)
		skip();
	put("k1", 0600, "x");
	put("k2", 0600, "x");
	put("c1", 0600, "x");
	put("c2", 0600, "x");
	assert_int_equal(chown(one, 61001, 61001), 0);
	assert_secrets(SECRET("k1", "c1", "k2"),
		       "DIR/m.yaml:6:17 trusts.rem.key.file: secret file "
		       "'DIR/k1' belongs to uid 61001 | chown root 'DIR/k1'\n");
}

static void test_accounts(void **state)
{
	assert_secrets(
		"version: 1\n"
		"gateway: {operators: {ops: {users: [no-u], groups: "
		"[no-g]}, finance: {groups: [0]}}}\n"
		"stores: {s: {kind: dir, path: /nas}}\n"
		"trusts:\n"
		"  rem:\n"
		"    user: no-such-user\n"
		"    root: {owner: no-owner, group: no-group}\n"
		"    key: {credential: a}\n"
		"    tiers: [{name: n, store: s, bucket: rem}]\n"
		"  rbq:\n"
		"    user: daemon\n"
		"    key: {credential: b}\n"
		"    tiers: [{name: n, store: s, bucket: rbq}]\n"
		"  rxx:\n"
		"    user: 1\n"
		"    key: {credential: c}\n"
		"    tiers: [{name: n, store: s, bucket: rxx}]\n",
		"DIR/m.yaml:2:36 gateway.operators.ops.users: user 'no-u' does "
		"not exist | make it, or write its number\n"
		"DIR/m.yaml:2:52 gateway.operators.ops.groups: group 'no-g' "
		"does not exist | make it, or write its number\n"
		"DIR/m.yaml:6:11 trusts.rem.user: user 'no-such-user' does not "
		"exist | mersey trust add rem\n"
		"DIR/m.yaml:7:19 trusts.rem.root.owner: user 'no-owner' does "
		"not exist | make it, or write its number\n"
		"DIR/m.yaml:7:36 trusts.rem.root.group: group 'no-group' does "
		"not exist | make it, or write its number\n"
		"DIR/m.yaml:15:11 trusts.rxx.user: service accounts of trusts "
		"'rbq' and 'rxx' are both uid 1\n");
}

/* Loading looks at no secret: nobody but root could. */
static void test_load_opens_no_secret(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = load(SECRET("none", "nothing", "nowhere"), "");

	assert_non_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_price_files, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_price_steps, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_price_steps_wrong, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_price_errors, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_secrets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_owner, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_accounts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_opens_no_secret,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
