/* SPDX-License-Identifier: Apache-2.0 */
/* Bills: which column is which, and what a line of it is for. */
#include "cli/bill.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/guard.h"
#include "base/units.h"

const char *bill_charge_name(enum bill_charge c)
{
	static const char *const name[BILL_CHARGES] = {
		[BILL_STORAGE] = "storage",
		[BILL_REQUESTS] = "requests",
		[BILL_RETRIEVAL] = "retrieval",
		[BILL_TRANSFER] = "transfer",
		[BILL_EARLY_DELETION] = "early_deletion",
		[BILL_MINIMUM_SIZE] = "minimum_size",
		[BILL_TAX] = "tax",
		[BILL_UNKNOWN] = "unknown",
	};

	return name[c];
}

/* ---- numbers -------------------------------------------------------- */

#define BILL_PLACES 10
#define BILL_EXP    40

/* The digits of s as a number, and how many stand behind the point. */
static const char *number_digits(const char *s, unsigned __int128 *v,
				 int *places)
{
	const unsigned __int128 room = ~(unsigned __int128)0 / 100;
	bool point = false, any = false;

	for (; isdigit((unsigned char)*s) || (*s == '.' && !point); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		any = true;
		if (*v >
		    room) { /* beyond what is kept: only its place counts */
			*places -= !point;
			continue;
		}
		*v = *v * 10 + (unsigned)(*s - '0');
		*places += point;
	}
	return any ? s : NULL;
}

static const char *number_exponent(const char *s, int *e)
{
	bool negative;
	int n = 0;

	if (*s != 'e' && *s != 'E')
		return s;
	s++;
	negative = *s == '-';
	s += *s == '-' || *s == '+';
	if (!isdigit((unsigned char)*s))
		return NULL;
	for (; isdigit((unsigned char)*s); s++)
		n = MIN(n * 10 + (*s - '0'), 10000);
	*e = negative ? -n : n;
	return s;
}

int bill_number(const char *s, money_t *out)
{
	unsigned __int128 v = 0;
	int places = 0, e = 0, shift;
	bool negative = *s == '-';

	s += *s == '-' || *s == '+';
	s = number_digits(s, &v, &places);
	s = s ? number_exponent(s, &e) : NULL;
	if (!s || *s)
		return -EINVAL;
	shift = BILL_PLACES - places + e;
	for (; shift < 0 && v; shift++)
		v = shift == -1 ? (v + 5) / 10 : v / 10;
	for (; shift > 0 && v; shift--) {
		if (v > ((unsigned __int128)1 << 120))
			return -ERANGE;
		v *= 10;
	}
	if (v > (unsigned __int128)MONEY_UNIT * 10000000000000000ULL)
		return -ERANGE;
	*out = negative ? -(money_t)v : (money_t)v;
	return 0;
}

/* ---- columns -------------------------------------------------------- */

enum bill_column {
	COL_AMOUNT,
	COL_BUCKET,
	COL_USAGE,
	COL_QUANTITY,
	COL_UNIT,
	COL_CURRENCY,
	COL_KIND,
	COL_FROM,
	COL_TO,
	COL_CLASS,
	COL_PRODUCT,
	COLUMNS,
};

#define NAMES_MAX 4

/* The plain form's names come last. */
static const char *const bill_columns[COLUMNS][NAMES_MAX] = {
	[COL_AMOUNT] = { "lineItem/UnblendedCost", "line_item_unblended_cost",
			 "BilledCost", "amount" },
	[COL_BUCKET] = { "lineItem/ResourceId", "line_item_resource_id",
			 "ResourceId", "bucket" },
	[COL_USAGE] = { "lineItem/UsageType", "line_item_usage_type",
			"SkuMeter", "usage" },
	[COL_QUANTITY] = { "lineItem/UsageAmount", "line_item_usage_amount",
			   "PricingQuantity", "quantity" },
	[COL_UNIT] = { "pricing/unit", "pricing_unit", "PricingUnit", "unit" },
	[COL_CURRENCY] = { "lineItem/CurrencyCode", "line_item_currency_code",
			   "BillingCurrency", "currency" },
	[COL_KIND] = { "lineItem/LineItemType", "line_item_line_item_type",
		       "ChargeCategory", "kind" },
	[COL_FROM] = { "lineItem/UsageStartDate", "line_item_usage_start_date",
		       "ChargePeriodStart", "from" },
	[COL_TO] = { "lineItem/UsageEndDate", "line_item_usage_end_date",
		     "ChargePeriodEnd", "to" },
	[COL_CLASS] = { "x_StorageClass", NULL, NULL, "storage_class" },
	[COL_PRODUCT] = { "lineItem/ProductCode", "line_item_product_code",
			  "ServiceCategory", "product" },
};

struct bill {
	struct csv_reader csv;
	int at[COLUMNS]; /* index, or < 0 */
	const char *currency;
};

static int bill_titles(struct bill *b, struct err *err)
{
	int i, k;

	for (i = 0; i < COLUMNS; i++) {
		b->at[i] = -ENOENT;
		for (k = 0; k < NAMES_MAX && b->at[i] < 0; k++)
			if (bill_columns[i][k])
				b->at[i] =
					csv_find(&b->csv, bill_columns[i][k]);
	}
	for (i = COL_AMOUNT; i <= COL_USAGE; i++)
		if (b->at[i] < 0)
			return fail(err, -EINVAL,
				    "the first line has no column '%s', so "
				    "this is no bill",
				    bill_columns[i][NAMES_MAX - 1]);
	return 0;
}

static const char *bill_cell(const struct bill *b, enum bill_column c)
{
	return b->at[c] < 0 ? "" : csv_field(&b->csv, (size_t)b->at[c]);
}

/* ---- what it is for ------------------------------------------------- */

/* Providers put the class into the name of what they meter. */
static const char *usage_class(const char *usage)
{
	static const struct {
		const char *part, *name;
	} classes[] = {
		{ "SIA", "STANDARD_IA" },	  { "ZIA", "ONEZONE_IA" },
		{ "GIR", "GLACIER_IR" },	  { "GDA", "DEEP_ARCHIVE" },
		{ "Glacier", "GLACIER" },	  { "GLACIER", "GLACIER" },
		{ "INT", "INTELLIGENT_TIERING" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(classes); i++)
		if (strstr(usage, classes[i].part))
			return classes[i].name;
	return "STANDARD";
}

/* The first part that a name has decides. */
static enum bill_charge usage_charge(const char *usage)
{
	static const struct {
		const char *part;
		enum bill_charge charge;
	} parts[] = {
		{ "EarlyDelete", BILL_EARLY_DELETION },
		{ "SmObjects", BILL_MINIMUM_SIZE },
		{ "TimedStorage", BILL_STORAGE },
		{ "LocalDisk", BILL_STORAGE },
		{ "Requests-Standard", BILL_RETRIEVAL },
		{ "Requests-Bulk", BILL_RETRIEVAL },
		{ "Requests-Expedited", BILL_RETRIEVAL },
		{ "Retrieval", BILL_RETRIEVAL },
		{ "Requests", BILL_REQUESTS },
		{ "Out-Bytes", BILL_TRANSFER },
		{ "DataTransfer-Out", BILL_TRANSFER },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(usage, parts[i].part))
			return parts[i].charge;
	for (i = 0; i < BILL_UNKNOWN; i++) /* the plain form has our names */
		if (strcmp(usage, bill_charge_name((enum bill_charge)i)) == 0)
			return (enum bill_charge)i;
	return BILL_UNKNOWN;
}

static bool bill_is_storage(const struct bill *b)
{
	const char *p = bill_cell(b, COL_PRODUCT);

	return !*p || strcmp(p, "AmazonS3") == 0 ||
	       strncmp(p, "AmazonS3Glacier", 15) == 0 ||
	       strcmp(p, "Storage") == 0;
}

/* What archive classes keep beside them is billed as STANDARD storage. */
static bool usage_beside(const char *usage)
{
	return strstr(usage, "Staging") || strstr(usage, "Restored");
}

static void bill_kind(const struct bill *b, struct bill_line *l)
{
	const char *given = bill_cell(b, COL_CLASS);
	bool tax = strcmp(bill_cell(b, COL_KIND), "Tax") == 0;

	l->charge = tax ? BILL_TAX : usage_charge(l->usage);
	if (l->charge == BILL_TAX || l->charge == BILL_TRANSFER)
		return; /* they are of no class */
	snprintf(l->storage_class, sizeof(l->storage_class), "%s",
		 usage_beside(l->usage) ? "STANDARD"
		 : *given		? given
					: usage_class(l->usage));
}

/* ---- lines ---------------------------------------------------------- */

static int bill_bad(const struct bill *b, struct err *err, enum bill_column c,
		    const char *what)
{
	return fail(err, -EINVAL, "line %zu: %s: %s", b->csv.line,
		    bill_columns[c][NAMES_MAX - 1], what);
}

static int bill_copy(const struct bill *b, enum bill_column c, char *out,
		     size_t size, struct err *err)
{
	const char *text = bill_cell(b, c);

	if ((size_t)snprintf(out, size, "%s", text) >= size)
		return bill_bad(b, err, c, "too long");
	return 0;
}

/* "2026-11-01T00:00:00Z" ends the day before; "2026-11-01" includes it. */
static int bill_day(const struct bill *b, enum bill_column c, bool end,
		    int32_t *out, struct err *err)
{
	const char *text = bill_cell(b, c);
	char date[11];

	if (!*text)
		return 0;
	snprintf(date, sizeof(date), "%.10s", text);
	if (units_parse_date(date, out) < 0 ||
	    (text[10] && text[10] != 'T' && text[10] != ' '))
		return bill_bad(b, err, c, "not a date (2026-11-24)");
	if (end && text[10] && strncmp(text + 11, "00:00:00", 8) == 0)
		*out -= 1;
	return 0;
}

static int bill_amounts(const struct bill *b, struct bill_line *l,
			struct err *err)
{
	const char *n = bill_cell(b, COL_QUANTITY);

	if (bill_number(bill_cell(b, COL_AMOUNT), &l->amount) < 0)
		return bill_bad(b, err, COL_AMOUNT, "not a number");
	l->has_quantity = *n != '\0';
	if (l->has_quantity && bill_number(n, &l->quantity) < 0)
		return bill_bad(b, err, COL_QUANTITY, "not a number");
	if (strncmp(bill_cell(b, COL_UNIT), "1000 ", 5) == 0)
		l->quantity *= 1000;
	return 0;
}

static int bill_currency(const struct bill *b, struct bill_line *l,
			 struct err *err)
{
	const char *s = bill_cell(b, COL_CURRENCY);
	size_t i;

	if (!*s)
		s = b->currency;
	for (i = 0; i < 3; i++)
		if (s[i] < 'A' || s[i] > 'Z')
			return bill_bad(b, err, COL_CURRENCY,
					"not an ISO 4217 code (GBP)");
	if (s[3])
		return bill_bad(b, err, COL_CURRENCY,
				"not an ISO 4217 code (GBP)");
	memcpy(l->currency, s, 4);
	return 0;
}

static int bill_line(const struct bill *b, struct bill_line *l, struct err *err)
{
	const char *colon;
	int rc = bill_copy(b, COL_BUCKET, l->bucket, sizeof(l->bucket), err);

	if (rc == 0)
		rc = bill_copy(b, COL_USAGE, l->usage, sizeof(l->usage), err);
	if (rc == 0)
		rc = bill_amounts(b, l, err);
	if (rc == 0)
		rc = bill_currency(b, l, err);
	if (rc == 0)
		rc = bill_day(b, COL_FROM, false, &l->from, err);
	if (rc == 0)
		rc = bill_day(b, COL_TO, true, &l->to, err);
	if (rc < 0)
		return rc;
	l->line = b->csv.line;
	colon = strrchr(l->bucket, ':'); /* arn:aws:s3:::bucket */
	if (colon)
		memmove(l->bucket, colon + 1, strlen(colon));
	bill_kind(b, l);
	return 0;
}

static int bill_lines(struct bill *b, bill_fn fn, void *arg, struct err *err)
{
	int rc;

	while ((rc = csv_read(&b->csv, err)) == 1) {
		struct bill_line l = { 0 };

		if (!bill_is_storage(b))
			continue;
		rc = bill_line(b, &l, err);
		if (rc == 0)
			rc = fn(arg, &l, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int bill_read(FILE *f, const char *currency, bill_fn fn, void *arg,
	      struct err *err)
{
	struct bill b = { .csv.in = f, .currency = currency };
	int rc = csv_read(&b.csv, err);

	if (rc == 0)
		rc = fail(err, -EINVAL, "the file is empty");
	else if (rc == 1)
		rc = bill_titles(&b, err);
	if (rc == 0)
		rc = bill_lines(&b, fn, arg, err);
	csv_reader_done(&b.csv);
	return rc;
}
