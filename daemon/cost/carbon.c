/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Energy and carbon: bytes kept and sent, times the factors of the price
 * tables. Decimals of 1e-10, as money. No factor by class is known to anybody,
 * so tables have the same one for all classes of as many replicas.
 */
#include "cost/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define CARBON_GB 1000000000ULL

static const struct price_class *carbon_class(const struct cost_opts *o,
					      const char *tier,
					      const char *storage_class,
					      const struct price_table **t)
{
	const struct cost_tier *at = cost_tier_of(o, tier);

	*t = at ? at->prices : NULL;
	return *t ? price_table_class(*t, storage_class) : NULL;
}

bool cost_carbon(const struct cost_opts *o, const struct cost_cell *c,
		 money_t *kwh, money_t *kg)
{
	const struct price_usage *u = &c->usage;
	unsigned __int128 kept = (unsigned __int128)u->byte_hours * 3600 +
				 u->byte_seconds + cost_time(&u->held);
	unsigned __int128 sent = (unsigned __int128)u->in_bytes + u->out_bytes;
	const struct price_table *t;
	const struct price_class *cls =
		carbon_class(o, c->tier, c->storage_class, &t);

	*kwh = *kg = 0;
	if (!kept && !sent)
		return true;
	if (!cls)
		return false;
	*kwh = money_scale(cls->kwh_tb_month.amount, kept,
			   COST_DECIMAL_TB * COST_MONTH_SECONDS) +
	       money_scale(t->network_kwh_gb.amount, sent, CARBON_GB);
	*kg = money_scale(*kwh, (unsigned __int128)t->kg_co2e_kwh.amount,
			  MONEY_UNIT);
	return (cls->kwh_tb_month.known || !kept) && t->kg_co2e_kwh.known;
}

/* "3.23", without the zeros at its end. */
static const char *carbon_figure(money_t m, char out[MONEY_SIZE])
{
	char *end;

	money_exact(m, out);
	end = out + strlen(out) - 1;
	while (*end == '0')
		*end-- = '\0';
	if (*end == '.')
		*end = '\0';
	return out;
}

/* "; near (STANDARD): 3.23 kWh a TB-month, 0.001 a GB sent, 0.177 kg a kWh
 * (2025-06-01, not confirmed)" */
static void carbon_tier(const struct cost_opts *o, size_t i, struct buf *out)
{
	const struct price_table *t;
	const struct price_class *c = carbon_class(
		o, o->tiers[i].tier, o->tiers[i].storage_class, &t);
	char kwh[MONEY_SIZE], net[MONEY_SIZE], kg[MONEY_SIZE];

	if (!c || !c->kwh_tb_month.known || !t->kg_co2e_kwh.known)
		return;
	buf_addf(out,
		 "; %s: %s kWh a TB-month, %s a GB sent, %s kg CO2e a kWh "
		 "(%s%s)",
		 o->tiers[i].tier, carbon_figure(c->kwh_tb_month.amount, kwh),
		 carbon_figure(t->network_kwh_gb.amount, net),
		 carbon_figure(t->kg_co2e_kwh.amount, kg), t->kg_co2e_kwh.as_of,
		 t->kg_co2e_kwh.confirmed ? "" : ", not confirmed");
}

void cost_carbon_method(const struct cost_opts *o, char *out, size_t size)
{
	CLEANUP_BUF struct buf b = { 0 };
	size_t i;

	for (i = 0; i < o->n_tiers; i++)
		carbon_tier(o, i, &b);
	snprintf(out, size,
		 "Energy of bytes kept and sent x carbon of the grid%s. "
		 "Neither making the machines nor the cache is counted.",
		 buf_str(&b) ? buf_str(&b) : "");
}
