/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bills that were worked out by hand, or by bill_oracle.py: what was used goes
 * into a ledger, the report's totals are compared to the last unit. The form
 * of the files is said in tests/data/charges/README.md.
 */
#include "tests/unit/cost/util.h"

#include "base/units.h"

#define NEAR "near"

/* What a case says. */
struct charges {
	const char *path;
	struct price_table table;
	struct price_class classes[8];
	struct price_rate rate;
	struct price_exchange exchange;
	struct cost_tier tier;
	struct cost_opts o;
	money_t expect[PRICE_COLUMNS], vat, total;
	bool roughly[PRICE_COLUMNS], has_total;
	unsigned uses;
};

/* Says what of which case, and ends the test. */
static void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("%s\n", text);
	_fail(__FILE__, __LINE__);
}

static char **paths;
static int n_paths;

static void figure(const char *text, struct price_figure *f)
{
	f->confirmed = true;
	f->known = strcmp(text, "-") != 0;
	if (f->known)
		assert_int_equal(money_parse(text, &f->amount), 0);
}

static unsigned __int128 product(const char *text)
{
	unsigned __int128 all = 1;

	while (*text) {
		unsigned __int128 n = 0;

		for (; *text >= '0' && *text <= '9'; text++)
			n = n * 10 + (unsigned)(*text - '0');
		all *= n;
		if (*text == '*')
			text++;
		else
			assert_int_equal(*text, '\0');
	}
	return all;
}

static struct price_class *class(struct charges *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->table.n_classes; i++)
		if (strcmp(c->classes[i].name, name) == 0)
			return &c->classes[i];
	assert_true(i < ARRAY_SIZE(c->classes));
	strcpy(c->classes[i].name, name);
	c->table.n_classes++;
	return &c->classes[i];
}

static size_t speed(const char *name)
{
	if (strcmp(name, "bulk") == 0)
		return PRICE_BULK;
	return strcmp(name, "expedited") == 0 ? PRICE_EXPEDITED
					      : PRICE_STANDARD;
}

/* ---- use ------------------------------------------------------------ */

static const struct {
	const char *name;
	enum meta_ledger_kind kind;
} times[] = {
	{ "early", META_LEDGER_EARLY },
	{ "small", META_LEDGER_SMALL },
	{ "overhead", META_LEDGER_OVERHEAD },
	{ "overhead_standard", META_LEDGER_OVERHEAD_STANDARD },
	{ "held", META_LEDGER_HELD },
	{ "disk", META_LEDGER_DISK },
};

static void use_item(struct fixture *f, struct meta_ledger_item *item,
		     unsigned kind, unsigned __int128 whole, uint64_t rest)
{
	META_TXN(t);

	item->kind = (enum meta_ledger_kind)kind;
	item->whole = (uint64_t)whole;
	item->rest = rest;
	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_ledger_item_add(&t, item), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static bool use_count(struct meta_ledger *row, const char *key, uint64_t n)
{
	struct {
		const char *name;
		uint64_t *at;
	} const counts[] = {
		{ "put", &row->puts },	     { "list", &row->lists },
		{ "get", &row->gets },	     { "head", &row->heads },
		{ "delete", &row->deletes }, { "in", &row->in_bytes },
		{ "out", &row->out_bytes },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		if (strcmp(counts[i].name, key) == 0) {
			*counts[i].at = n;
			return true;
		}
	return false;
}

static void use_one(struct fixture *f, struct meta_ledger *row,
		    struct meta_ledger_item *item, const char *key,
		    unsigned __int128 n)
{
	size_t i;

	if (strcmp(key, "storage") == 0) {
		row->byte_hours = (uint64_t)(n / 3600);
		row->byte_seconds = (uint64_t)(n % 3600);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(times); i++)
		if (strcmp(times[i].name, key) == 0) {
			use_item(f, item, times[i].kind, n / 3600,
				 (uint64_t)(n % 3600));
			return;
		}
	if (strncmp(key, "restored.", 9) == 0)
		use_item(f, item, META_LEDGER_RESTORED + speed(key + 9), n, 0);
	else if (strncmp(key, "restores.", 9) == 0)
		use_item(f, item, META_LEDGER_RESTORES + speed(key + 9), n, 0);
	else
		assert_true(use_count(row, key, (uint64_t)n));
}

static void use(struct fixture *f, char **word, int n)
{
	const char *cause = strcmp(word[3], "-") == 0 ? "" : word[3];
	struct meta_ledger row = { .tier = NEAR };
	struct meta_ledger_item item = { .tier = NEAR };
	int i;

	assert_int_equal(units_parse_date(word[1], &row.day), 0);
	item.day = row.day;
	strcpy(row.storage_class, word[2]);
	strcpy(item.storage_class, word[2]);
	strcpy(row.cause, cause);
	strcpy(item.cause, cause);
	for (i = 4; i < n; i++) {
		char *value = strchr(word[i], '=');

		assert_non_null(value);
		*value++ = '\0';
		use_one(f, &row, &item, word[i], product(value));
	}
	fixture_add(f, &row);
}

/* ---- a case --------------------------------------------------------- */

static void step(struct price_step *s, size_t *n, const char *above,
		 const char *price)
{
	assert_true(*n < PRICE_STEPS);
	s[*n].above_bytes = (uint64_t)product(above);
	figure(price, &s[(*n)++].gb);
}

static void expect(struct charges *c, const char *name, const char *amount)
{
	bool roughly = name[0] == '~';
	money_t m;
	int i;

	assert_int_equal(money_parse(amount, &m), 0);
	if (strcmp(name, "vat") == 0) {
		c->vat = m;
		return;
	}
	if (strcmp(name, "total") == 0) {
		c->total = m;
		c->has_total = true;
		return;
	}
	for (i = 0; i < PRICE_COLUMNS; i++)
		if (strcmp(price_column_name((enum price_column)i),
			   name + roughly) == 0) {
			c->expect[i] = m;
			c->roughly[i] = roughly;
			return;
		}
	wrong("%s: no column '%s'", c->path, name);
}

static void table_line(struct charges *c, char **w)
{
	if (strcmp(w[0], "table") == 0) {
		strcpy(c->table.currency, w[1]);
	} else if (strcmp(w[0], "egress") == 0) {
		figure(w[1], &c->table.egress_gb);
	} else if (strcmp(w[0], "egress_step") == 0) {
		step(c->table.egress_steps, &c->table.n_egress_steps, w[1],
		     w[2]);
	} else if (strcmp(w[0], "class") == 0) {
		struct price_class *p = class(c, w[1]);

		figure(w[2], &p->storage_gb_month);
		figure(w[3], &p->put_1000);
		figure(w[4], &p->get_1000);
		figure(w[5], &p->retrieval_gb);
	} else if (strcmp(w[0], "step") == 0) {
		struct price_class *p = class(c, w[1]);

		step(p->steps, &p->n_steps, w[2], w[3]);
	} else if (strcmp(w[0], "recall") == 0) {
		struct price_recall *r = &class(c, w[1])->recall[speed(w[2])];

		r->known = true;
		figure(w[3], &r->gb);
		figure(w[4], &r->request_1000);
	} else {
		wrong("%s: '%s'?", c->path, w[0]);
	}
}

static void case_line(struct charges *c, struct fixture *f, char *text)
{
	char *w[32], *save = NULL, *word;
	int n = 0;

	text[strcspn(text, "#")] = '\0';
	for (word = strtok_r(text, " ", &save); word && n < 32;
	     word = strtok_r(NULL, " ", &save))
		w[n++] = word;
	if (n == 0)
		return;
	assert_true(n >= 2);
	if (strcmp(w[0], "disk") == 0) {
		figure(w[1], &c->o.disk_tb_month);
	} else if (strcmp(w[0], "vat") == 0) {
		c->o.vat = (unsigned)product(w[1]);
	} else if (strcmp(w[0], "report") == 0) {
		strcpy(c->exchange.currency, w[1]);
		strcpy(c->rate.from, c->table.currency);
		assert_int_equal(money_parse(w[2], &c->rate.per_unit), 0);
	} else if (strcmp(w[0], "use") == 0) {
		use(f, w, n);
		c->uses++;
	} else if (strcmp(w[0], "expect") == 0) {
		expect(c, w[1], w[2]);
	} else {
		table_line(c, w);
	}
}

static void case_read(struct charges *c, struct fixture *f)
{
	CLEANUP_BUF struct buf b = { 0 };
	char *line, *save = NULL;
	size_t i;

	assert_int_equal(io_read_file(c->path, 1 << 20, &b), 0);
	assert_non_null(buf_str(&b));
	strcpy(c->table.name, "t");
	c->table.classes = c->classes;
	c->table.egress_gb.known = c->table.egress_gb.confirmed = true;
	for (line = strtok_r((char *)b.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		case_line(c, f, line);
	if (!c->exchange.currency[0])
		strcpy(c->exchange.currency, c->table.currency);
	c->exchange.rates = &c->rate;
	c->exchange.n_rates = 1;
	c->tier = (struct cost_tier){ .tier = NEAR,
				      .storage_class = "",
				      .prices = &c->table };
	c->o.tiers = &c->tier;
	c->o.n_tiers = 1;
	c->o.exchange = &c->exchange;
	for (i = 0; i < PRICE_COLUMNS && !c->has_total; i++)
		c->total += c->expect[i];
}

static void assert_money(const struct charges *c, const char *what, money_t got,
			 money_t want, money_t off)
{
	char a[MONEY_SIZE], b[MONEY_SIZE];

	if (got - want > off || want - got > off)
		wrong("%s: %s is %s, not %s", c->path, what,
		      money_exact(got, a), money_exact(want, b));
}

/* By whatever rows are made, the totals are those of the case, and rows and
 * lines add up to them. */
static void case_report(const struct charges *c, struct fixture *f,
			enum cost_by by)
{
	CLEANUP(cost_report_done) struct cost_report r = { 0 };
	money_t rows = 0, lines = 0;
	int32_t from, to;
	size_t i;
	int col;

	assert_int_equal(units_parse_date("2026-11-01", &from), 0);
	assert_int_equal(units_parse_date("2027-01-01", &to), 0);
	assert_int_equal(cost_report(f->meta, &c->o, by, from, to,
				     (to + 5) * SEC_PER_DAY * NSEC_PER_SEC, &r,
				     NULL),
			 0);
	for (col = 0; col < PRICE_COLUMNS; col++)
		assert_money(c, price_column_name((enum price_column)col),
			     price_column(&r.totals, (enum price_column)col),
			     c->expect[col],
			     c->roughly[col] ? (money_t)r.n_lines : 0);
	assert_money(c, "total", r.totals.total, c->total, 0);
	assert_money(c, "vat", r.vat, c->vat, 0);
	assert_money(c, "projected", r.projected, c->total, 0);
	for (i = 0; i < r.n_rows; i++)
		rows += r.rows[i].charges.total;
	for (i = 0; i < r.n_lines; i++)
		lines += r.lines[i].amount;
	assert_money(c, "sum of rows", rows, c->total, 0);
	assert_money(c, "sum of lines", lines, c->total, 0);
	assert_int_equal(r.n_unconfirmed, 0);
}

static void test_case(void **state)
{
	struct fixture *f = NULL;
	int i, by;

	for (i = 0; i < n_paths; i++) {
		CLEANUP_FREE struct charges *c = calloc(1, sizeof(*c));

		assert_non_null(c);
		assert_int_equal(fixture_setup((void **)&f), 0);
		c->path = paths[i];
		case_read(c, f);
		assert_true(c->uses > 0);
		for (by = 0; by < COST_BYS; by++)
			case_report(c, f, (enum cost_by)by);
		fixture_teardown((void **)&f);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_case) };

	paths = argv + 1;
	n_paths = argc - 1;
	return n_paths ? RUN_TESTS(tests, NULL, NULL) : 1;
}
