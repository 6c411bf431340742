/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans as rows. Each transaction is short: a plan of a million items holds
 * up no create.
 */
#include "tier/impl.h"

#include <string.h>

#include "base/hex.h"
#include "base/io.h"

#define STORE_ITEMS  32 /* of a transaction */
#define STORE_TRIES  16
#define STORE_PLANS  32
#define STORE_AGES   "tier.ages"
#define NSEC_PER_DAY (SEC_PER_DAY * NSEC_PER_SEC)

static int plan_insert(struct tier *t, struct meta_plan *p)
{
	struct meta_plan other;
	META_TXN(x);
	int rc = meta_begin(t->m, &x);

	if (rc == 0)
		rc = meta_plan_find(&x, p->name, &other);
	if (rc != -ENOENT)
		return rc < 0 ? rc : -EEXIST;
	rc = meta_new_version(&x, &p->version);
	if (rc == 0)
		rc = meta_plan_add(&x, p);
	return rc < 0 ? rc : meta_commit(&x, NULL);
}

int store_plan(struct tier *t, struct meta_plan *p)
{
	uint8_t id[4];
	int i, rc = -EEXIST;

	for (i = 0; i < STORE_TRIES && rc == -EEXIST; i++) {
		rc = io_random(id, sizeof(id));
		if (rc < 0)
			return rc;
		hex_encode(id, sizeof(id), p->name);
		rc = plan_insert(t, p);
	}
	return rc;
}

static int items_insert(struct tier *t, uint64_t plan, uint64_t *seq,
			struct meta_plan_item *item, size_t n)
{
	META_TXN(x);
	size_t i;
	int rc = meta_begin(t->m, &x);

	for (i = 0; i < n && rc == 0; i++) {
		item[i].plan = plan;
		item[i].seq = *seq + i + 1;
		rc = meta_plan_item_add(&x, &item[i]);
	}
	if (rc == 0)
		rc = meta_commit(&x, NULL);
	*seq += rc == 0 ? n : 0;
	return rc;
}

int store_items(struct tier *t, uint64_t plan, uint64_t *seq,
		struct meta_plan_item *item, size_t n)
{
	int64_t began;
	size_t at, k;
	int rc = 0;

	for (at = 0; at < n && rc == 0; at += k) {
		began = clock_boot_ns();
		k = MIN(n - at, (size_t)STORE_ITEMS);
		rc = items_insert(t, plan, seq, &item[at], k);
		/* as long as it held up others, they have their turn */
		clock_sleep_ns(clock_boot_ns() - began);
	}
	return rc;
}

int store_finish(struct tier *t, const struct meta_plan *p)
{
	META_TXN(x);
	int rc = meta_begin(t->m, &x);

	if (rc == 0)
		rc = meta_plan_update(&x, p);
	return rc < 0 ? rc : meta_commit(&x, NULL);
}

int store_find(struct tier *t, const char *name, struct meta_plan *out)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_plan_find(&x, name, out);
}

/* ---- removing ---------------------------------------------------------------
 */

/* 1: some are left. */
static int items_delete(struct tier *t, uint64_t plan)
{
	META_TXN(x);
	int left, rc = meta_begin(t->m, &x);

	if (rc < 0)
		return rc;
	left = meta_plan_delete(&x, plan, STORE_ITEMS);
	rc = left < 0 ? left : meta_commit(&x, NULL);
	return rc < 0 ? rc : left;
}

int store_delete(struct tier *t, uint64_t plan)
{
	int64_t began;
	int rc;

	do {
		began = clock_boot_ns();
		rc = items_delete(t, plan);
		clock_sleep_ns(clock_boot_ns() - began);
	} while (rc == 1 && !t->stopping);
	return MIN(rc, 0);
}

static bool plan_over(const struct meta_plan *p, int64_t now_ns)
{
	int64_t days = p->state == META_PLAN_DONE ? TIER_DONE_DAYS
						  : TIER_PLAN_DAYS;

	return p->state != META_PLAN_RUNNING &&
	       now_ns - p->made_ns > days * NSEC_PER_DAY;
}

static int plans_page(struct tier *t, uint64_t after, struct meta_plan *page)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_plan_list(&x, after, page, STORE_PLANS);
}

int store_expire(struct tier *t, int64_t now_ns)
{
	CLEANUP_FREE struct meta_plan *page =
		calloc(STORE_PLANS, sizeof(*page));
	uint64_t after = 0;
	int n, i, rc = 0;

	if (!page)
		return -ENOMEM;
	do {
		n = plans_page(t, after, page);
		for (i = 0; i < n && rc == 0; i++) {
			after = page[i].id;
			if (plan_over(&page[i], now_ns))
				rc = store_delete(t, after);
		}
	} while (n == STORE_PLANS && rc == 0 && !t->stopping);
	return n < 0 ? n : rc;
}

/* ---- ages -------------------------------------------------------------------
 */

int store_ages(struct tier *t, const struct ages *a)
{
	META_TXN(x);
	int rc = meta_begin(t->m, &x);

	if (rc == 0)
		rc = meta_value_set(&x, STORE_AGES, a, sizeof(*a));
	return rc < 0 ? rc : meta_commit(&x, NULL);
}

int load_ages(struct tier *t, struct ages *a)
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	memset(a, 0, sizeof(*a));
	if (rc == 0)
		rc = meta_value_get(&x, STORE_AGES, &b);
	if (rc == 0 && b.len == sizeof(*a))
		memcpy(a, b.data, sizeof(*a));
	return rc == -ENOENT ? 0 : rc;
}
