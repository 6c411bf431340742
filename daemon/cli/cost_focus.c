/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost report as FOCUS 1.2 (FinOps Open Cost and Usage Specification):
 * a row for each line of the bill. Empty = null. Column IDs in alphabetical
 * order, then our own (x_). ServiceProviderName and HostProviderName are of
 * 1.3, which deprecates ProviderName and PublisherName.
 *
 * The figures are estimates, not invoices: they are issued by who runs the
 * gateway, never in the name of a store's provider, and InvoiceId is null.
 */
#include "cli/cost.h"

#include <string.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/units.h"

#define FOCUS_CELL 512

struct focus {
	struct cli *c;
	const json_t *line; /* of lines, or of vat.lines */
	bool tax;
	const struct config_trust *trust;
	const struct config_tier *tier; /* NULL: rows stand for other things */
	struct cost_days days;		/* of the charge */
	char cell[FOCUS_CELL];
};

/* ---- when ----------------------------------------------------------- */

static const char *focus_time(struct focus *x, int32_t day)
{
	char date[UNITS_SIZE];

	snprintf(x->cell, sizeof(x->cell), "%sT00:00:00Z",
		 units_format_date(day, date));
	return x->cell;
}

static const char *bill_start(struct focus *x)
{
	return focus_time(x, cost_whole_month(x->days.from).from);
}

static const char *bill_end(struct focus *x)
{
	return focus_time(x, cost_whole_month(x->days.from).to + 1);
}

static const char *charge_start(struct focus *x)
{
	return focus_time(x, x->days.from);
}

/* Ends are exclusive; what is still to come is in no charge. */
static const char *charge_end(struct focus *x)
{
	int32_t last = MAX(MIN(x->days.to, cost_today()), x->days.from);

	return focus_time(x, last + 1);
}

/* ---- who ------------------------------------------------------------ */

static const char *gateway(struct focus *x)
{
	return x->c->cfg->gateway_name;
}

static const char *trust_id(struct focus *x)
{
	return x->trust->name;
}

static const char *trust_name(struct focus *x)
{
	return x->trust->long_name;
}

static const char *trust_type(struct focus *x)
{
	return "Trust";
}

/* Whose machines hold it. */
static const char *host(struct focus *x)
{
	return x->tier ? x->tier->store->name : gateway(x);
}

/* ---- what ----------------------------------------------------------- */

static bool is_local(const struct focus *x)
{
	return strcmp(json_text(x->line, "tier"), "local") == 0;
}

static const char *category(struct focus *x)
{
	return x->tax ? "Tax" : "Usage";
}

static const char *null(struct focus *x)
{
	return "";
}

static const char *description(struct focus *x)
{
	const char *tier = json_text(x->line, "tier");

	if (x->tax)
		return "VAT";
	snprintf(x->cell, sizeof(x->cell), "%s%s%s, %s (%s)",
		 json_text(x->line, "storage_class"), *tier ? " of tier " : "",
		 tier, json_text(x->line, "charge"),
		 json_text(x->line, "meter"));
	return x->cell;
}

static const char *frequency(struct focus *x)
{
	return "Usage-Based";
}

static const char *service_category(struct focus *x)
{
	return "Storage";
}

static const char *service(struct focus *x)
{
	return "Mersey";
}

static const char *subcategory(struct focus *x)
{
	return is_local(x) ? "File Storage" : "Object Storage";
}

static const char *bucket(struct focus *x)
{
	return x->tier ? x->tier->bucket : "";
}

static const char *bucket_type(struct focus *x)
{
	return x->tier ? "Bucket" : "";
}

static const char *region(struct focus *x)
{
	return x->tier && x->tier->store->region ? x->tier->store->region : "";
}

/* ---- how much ------------------------------------------------------- */

static const char *amount(struct focus *x)
{
	return json_text(json_object_get(x->line, "amount"), "amount");
}

static const char *currency(struct focus *x)
{
	return json_text(x->c->result, "currency");
}

static const char *unit_price(struct focus *x)
{
	return json_text(json_object_get(x->line, "price"), "amount");
}

static const char *pricing_category(struct focus *x)
{
	return x->tax ? "" : "Standard";
}

static const char *quantity(struct focus *x)
{
	return json_text(x->line, "quantity");
}

static const char *unit(struct focus *x)
{
	return json_text(x->line, "unit");
}

static const char *consumed(struct focus *x)
{
	return json_text(x->line, "consumed");
}

static const char *consumed_unit(struct focus *x)
{
	return json_text(x->line, "consumed_unit");
}

static const char *sku(struct focus *x)
{
	if (x->tax)
		return "";
	snprintf(x->cell, sizeof(x->cell), "%s/%s/%s",
		 json_text(x->line, "table"),
		 json_text(x->line, "storage_class"),
		 json_text(x->line, "meter"));
	return x->cell;
}

static const char *meter(struct focus *x)
{
	return json_text(x->line, "meter");
}

/* ---- of our own ----------------------------------------------------- */

/* Scalars only; what is not known has no key. */
static const char *tags(struct focus *x)
{
	static const char *const key[] = { "tier", "cause" };
	CLEANUP_JSON json_t *o = json_object();
	CLEANUP_FREE char *text = NULL;
	size_t i;

	for (i = 0; o && i < ARRAY_SIZE(key); i++)
		if (json_known(x->line, key[i]))
			proto_set(o, key[i],
				  json_string(json_text(x->line, key[i])));
	text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	snprintf(x->cell, sizeof(x->cell), "%s", text ? text : "{}");
	return x->cell;
}

/* What the rows of the report stand for, where it is that. */
static const char *focus_group(const struct focus *x, const char *by)
{
	return strcmp(json_text(x->c->result, "by"), by) == 0
		       ? json_text(x->line, "group")
		       : "";
}

static const char *own_age(struct focus *x)
{
	return focus_group(x, "study-age");
}

static const char *own_modality(struct focus *x)
{
	return focus_group(x, "modality");
}

static const char *own_cause(struct focus *x)
{
	return json_text(x->line, "cause");
}

static const char *own_class(struct focus *x)
{
	return json_text(x->line, "storage_class");
}

static const char *own_basis(struct focus *x)
{
	if (x->tax)
		return "rate of the configuration";
	snprintf(x->cell, sizeof(x->cell), "ledger x price table %s",
		 json_text(x->line, "table"));
	return x->cell;
}

static const char *own_carbon(struct focus *x)
{
	return json_text(x->line, "kg_co2e");
}

static const char *own_as_of(struct focus *x)
{
	return json_text(x->line, "as_of");
}

static const char *own_confirmed(struct focus *x)
{
	if (x->tax)
		return "";
	return json_is_true(json_object_get(x->line, "confirmed")) ? "true"
								   : "false";
}

/* ---- the columns ---------------------------------------------------- */

static const struct {
	const char *id;
	const char *(*cell)(struct focus *x); /* "" = null */
	bool number;			      /* written as it is */
} focus_columns[] = {
	{ "BilledCost", amount, true },
	{ "BillingAccountId", gateway, false },
	{ "BillingAccountName", gateway, false },
	{ "BillingCurrency", currency, false },
	{ "BillingPeriodEnd", bill_end, false },
	{ "BillingPeriodStart", bill_start, false },
	{ "ChargeCategory", category, false },
	{ "ChargeClass", null, false },
	{ "ChargeDescription", description, false },
	{ "ChargeFrequency", frequency, false },
	{ "ChargePeriodEnd", charge_end, false },
	{ "ChargePeriodStart", charge_start, false },
	{ "ConsumedQuantity", consumed, true },
	{ "ConsumedUnit", consumed_unit, false },
	{ "ContractedCost", amount, true },
	{ "ContractedUnitPrice", unit_price, true },
	{ "EffectiveCost", amount, true },
	{ "HostProviderName", host, false },
	{ "InvoiceId", null, false },
	{ "InvoiceIssuerName", gateway, false },
	{ "ListCost", amount, true },
	{ "ListUnitPrice", unit_price, true },
	{ "PricingCategory", pricing_category, false },
	{ "PricingQuantity", quantity, true },
	{ "PricingUnit", unit, false },
	{ "ProviderName", gateway, false },
	{ "PublisherName", host, false },
	{ "RegionId", region, false },
	{ "RegionName", region, false },
	{ "ResourceId", bucket, false },
	{ "ResourceName", bucket, false },
	{ "ResourceType", bucket_type, false },
	{ "ServiceCategory", service_category, false },
	{ "ServiceName", service, false },
	{ "ServiceProviderName", gateway, false },
	{ "ServiceSubcategory", subcategory, false },
	{ "SkuId", sku, false },
	{ "SkuMeter", meter, false },
	{ "SkuPriceId", sku, false },
	{ "SubAccountId", trust_id, false },
	{ "SubAccountName", trust_name, false },
	{ "SubAccountType", trust_type, false },
	{ "Tags", tags, false },
	{ "x_Cause", own_cause, false },
	{ "x_EstimateBasis", own_basis, false },
	{ "x_KgCO2e", own_carbon, true },
	{ "x_ModalityCode", own_modality, false },
	{ "x_PriceAsOf", own_as_of, false },
	{ "x_PriceConfirmed", own_confirmed, false },
	{ "x_StorageClass", own_class, false },
	{ "x_StudyAge", own_age, false },
};

static void focus_line(struct focus *x)
{
	FILE *f = x->c->out;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(focus_columns); i++) {
		const char *text = focus_columns[i].cell(x);

		if (i)
			fputc(',', f);
		if (focus_columns[i].number)
			fputs(text, f);
		else
			csv_write(f, text);
	}
	fputs("\r\n", f);
}

/* ---- rows ----------------------------------------------------------- */

static const struct config_tier *focus_tier(const struct config_trust *t,
					    const char *name)
{
	size_t i;

	for (i = 0; t && i < t->n_tiers; i++)
		if (strcmp(t->tiers[i].name, name) == 0)
			return &t->tiers[i];
	return NULL;
}

/* The trust, tier and days of a line. */
static bool focus_of(struct focus *x)
{
	const json_t *p = json_object_get(x->line, "period");
	const char *name = json_text(x->line, "trust");
	const struct config *cfg = x->c->cfg;
	size_t i;

	x->trust = NULL;
	for (i = 0; i < cfg->n_trusts; i++)
		if (strcmp(cfg->trusts[i].name, name) == 0)
			x->trust = &cfg->trusts[i];
	x->tier = focus_tier(x->trust, json_text(x->line, "tier"));
	return x->trust &&
	       units_parse_date(json_text(p, "from"), &x->days.from) == 0 &&
	       units_parse_date(json_text(p, "to"), &x->days.to) == 0;
}

static void focus_lines(struct cli *c, const json_t *lines, bool tax)
{
	struct focus x = { .c = c, .tax = tax };
	size_t i;

	json_array_foreach(lines, i, x.line) {
		if (focus_of(&x))
			focus_line(&x);
	}
}

void cost_print_focus(struct cli *c)
{
	const json_t *vat = json_object_get(c->result, "vat");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(focus_columns); i++)
		fprintf(c->out, "%s%s", i ? "," : "", focus_columns[i].id);
	fputs("\r\n", c->out);
	focus_lines(c, json_object_get(c->result, "lines"), false);
	focus_lines(c, json_object_get(vat, "lines"), true);
}
