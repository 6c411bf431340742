/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage x price. Each part is rounded once, to 1e-10; the total is the sum of
 * the parts as they stand, so that columns add up.
 */
#include "price/price.h"

#include <stdio.h>

#define PRICE_GB	  (1ULL << 30)
#define PRICE_MONTH_HOURS 730ULL

struct price_flags {
	void (*fn)(void *arg, const char *what);
	void *arg;
	const char *class_name; /* NULL: the figure is the whole table's */
};

/* Says it when a figure was used that nobody confirmed. */
static void price_flag(const struct price_flags *f, bool doubtful,
		       const char *what)
{
	char text[64];

	if (!doubtful || !f->fn)
		return;
	snprintf(text, sizeof(text), "%s%s%s",
		 f->class_name ? f->class_name : "", f->class_name ? " " : "",
		 what);
	f->fn(f->arg, text);
}

static bool price_doubtful(const struct price_figure *f, bool used)
{
	return used && (!f->known || !f->confirmed);
}

static money_t price_amount(const struct price_figure *f)
{
	return f->known ? f->amount : 0;
}

static money_t price_storage(const struct price_class *c,
			     const struct price_usage *u)
{
	unsigned __int128 seconds =
		(unsigned __int128)u->byte_hours * 3600 + u->byte_seconds;

	return money_scale(price_amount(&c->storage_gb_month), seconds,
			   PRICE_GB * PRICE_MONTH_HOURS * 3600);
}

static money_t price_requests(const struct price_class *c,
			      const struct price_usage *u)
{
	return money_scale(price_amount(&c->put_1000),
			   (unsigned __int128)u->puts + u->lists, 1000) +
	       money_scale(price_amount(&c->get_1000),
			   (unsigned __int128)u->gets + u->heads, 1000);
}

void price_charge(const struct price_table *t, const struct price_class *c,
		  const struct price_usage *u, struct price_charges *out,
		  void (*unconfirmed)(void *arg, const char *what), void *arg)
{
	struct price_flags f = { unconfirmed, arg, c->name };

	*out = (struct price_charges){
		.storage = price_storage(c, u),
		.requests = price_requests(c, u),
		.retrieval = money_muldiv(price_amount(&c->retrieval_gb),
					  u->in_bytes, PRICE_GB),
		.transfer = money_muldiv(price_amount(&t->egress_gb),
					 u->in_bytes, PRICE_GB),
	};
	out->total = out->storage + out->requests + out->retrieval +
		     out->transfer + out->early_deletion + out->minimum_size;

	price_flag(&f,
		   price_doubtful(&c->storage_gb_month,
				  u->byte_hours || u->byte_seconds),
		   "storage");
	price_flag(&f,
		   price_doubtful(&c->put_1000, u->puts || u->lists) ||
			   price_doubtful(&c->get_1000, u->gets || u->heads),
		   "requests");
	price_flag(&f, price_doubtful(&c->retrieval_gb, u->in_bytes),
		   "retrieval");
	f.class_name = NULL;
	price_flag(&f, price_doubtful(&t->egress_gb, u->in_bytes), "egress");
}
