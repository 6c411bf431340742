/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job "restore": orders that were made are asked for, looked after until
 * they can be read, and forgotten when their copy is gone. A row says what was
 * done before the next thing is, so a kill asks at most once more, which the
 * store does not mind.
 *
 * What the store refuses is tried again, for ever, after pauses that grow to
 * an hour; so is what is half as late again as it may be. Both stand in the
 * rows with the reason, until the store takes the order or the late copy is
 * there, and people are told.
 */
#include "move/impl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "move/restore.h"

#define RESTORING_PAGE	  64
#define RESTORING_LOOKS	  8 /* while an order is under way */
#define RESTORING_SOON	  NSEC_PER_SEC
#define RESTORING_LOOK	  (1800 * NSEC_PER_SEC) /* between looks, at most */
#define RESTORING_RETRY	  (60 * NSEC_PER_SEC)
#define RESTORING_RETRIES (3600 * NSEC_PER_SEC)
#define RESTORING_LATE	  (60 * NSEC_PER_SEC)
#define RESTORING_IDLE	  (60 * NSEC_PER_SEC)
#define RESTORING_BRING	  (2 * NSEC_PER_SEC) /* others come with it */
#define RESTORING_HOT	  (10 * NSEC_PER_SEC)

/* A look at all orders. */
struct restoring {
	struct move *mv;
	struct job *job;
	int64_t now;		   /* wall */
	int64_t next;		   /* wall: when something is to be done */
	int failed;		   /* what a store that is away said */
	bool away[MOVE_TIERS_MAX]; /* it keeps no other from its orders */
	struct move_restores sum;
};

static int64_t clamp_ns(int64_t ns, int64_t least, int64_t most)
{
	return MIN(MAX(ns, least), most);
}

static struct store *restoring_store(struct move *mv,
				     const struct meta_restore *r,
				     const struct meta_pack *p)
{
	const struct move_tier *tier = restore_tier(mv, p->tier);
	enum store_cause c = STORE_CAUSE_POLICY;

	if (strcmp(r->cause, store_cause_name(STORE_CAUSE_READ)) == 0)
		c = STORE_CAUSE_READ;
	else if (strcmp(r->cause, store_cause_name(STORE_CAUSE_RECALL)) == 0)
		c = STORE_CAUSE_RECALL;
	return tier ? tier->cause[c] : mv->s.cause[c];
}

/* ---- rows ------------------------------------------------------------- */

static int restoring_pack(struct move *mv, uint64_t row, struct meta_pack *p)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	return rc < 0 ? rc : meta_pack_get(&t, row, p);
}

/* One page of the pack's files: their rows say what became of it. */
static int restoring_place_page(struct move *mv, uint64_t pack, uint64_t *from)
{
	struct meta_extent e[RESTORING_PAGE];
	META_TXN(t);
	int n, i, rc = meta_begin(mv->m, &t);

	if (rc < 0)
		return rc;
	n = meta_pack_members(&t, pack, *from, e, RESTORING_PAGE);
	for (i = 0; i < n; i++) {
		if (rc >= 0)
			rc = cache_place(mv->c, &t, e[i].ino);
		*from = e[i].pack_off + 1;
		meta_extent_done(&e[i]);
	}
	if (n < 0 || rc < 0)
		return n < 0 ? n : rc;
	rc = meta_commit(&t, NULL);
	return rc < 0 ? rc : n == RESTORING_PAGE;
}

static void restoring_place(struct restoring *g, uint64_t pack)
{
	uint64_t from = 0;
	int rc;

	do {
		rc = restoring_place_page(g->mv, pack, &from);
	} while (rc == 1 && !job_stopping(g->job));
	if (rc < 0) /* for people only */
		log_warn("states of the files of pack %llu: %s",
			 (unsigned long long)pack, errno_name(-rc));
}

static int restoring_put(struct restoring *g, const struct meta_restore *r)
{
	META_TXN(t);
	int rc = meta_begin(g->mv->m, &t);

	if (rc == 0)
		rc = meta_restore_put(&t, r);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* r->pack is 0 then. */
static int restoring_forget(struct restoring *g, struct meta_restore *r)
{
	META_TXN(t);
	int rc = meta_begin(g->mv->m, &t);

	if (rc == 0)
		rc = meta_restore_delete(&t, r->pack);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc == 0)
		restoring_place(g, r->pack);
	r->pack = 0;
	return rc;
}

/* What goes wrong with one object; it is tried again. */
static int restoring_fail(struct restoring *g, struct meta_restore *r,
			  const struct meta_pack *p, const char *why)
{
	bool known = r->error[0] != '\0';

	r->state = META_RESTORE_FAILED;
	r->retry_ns = g->now + clamp_ns(g->now - r->ordered_ns, RESTORING_RETRY,
					RESTORING_RETRIES);
	snprintf(r->error, sizeof(r->error), "%s", why);
	if (!known)
		log_warn("object '%s' of tier '%s' does not come back from the "
			 "archive: %s",
			 p->object, p->tier, why);
	return restoring_put(g, r);
}

static bool *restoring_tier(struct restoring *g, const struct meta_pack *p)
{
	return &g->away[MAX(tier_find(g->mv, p->tier), 0)];
}

/* A store that cannot be asked now says nothing about an object. */
static bool restoring_away(struct restoring *g, const struct meta_pack *p,
			   int rc)
{
	char why[128];

	if (!store_is_transient(rc) && rc != -EPROTO)
		return false;
	job_error(g->job, "tier '%s': %s", p->tier,
		  move_why(rc, why, sizeof(why)));
	g->failed = rc;
	*restoring_tier(g, p) = true;
	return true;
}

/* ---- asking ----------------------------------------------------------- */

static int64_t restoring_pause(const struct meta_restore *r)
{
	return clamp_ns((r->due_ns - r->ordered_ns) / RESTORING_LOOKS,
			RESTORING_SOON, RESTORING_LOOK);
}

/* The bill is for what the store took on, once. */
static int restoring_bill(struct meta_txn *t, const struct meta_restore *r,
			  const struct meta_pack *p, int64_t now)
{
	struct meta_ledger_item i = {
		.day = (int32_t)(now / NSEC_PER_SEC / SEC_PER_DAY),
		.kind = META_LEDGER_RESTORED + r->speed,
		.whole = p->length,
	};
	int rc;

	snprintf(i.tier, sizeof(i.tier), "%s", p->tier);
	snprintf(i.storage_class, sizeof(i.storage_class), "%s",
		 p->storage_class);
	snprintf(i.cause, sizeof(i.cause), "%s", r->cause);
	rc = meta_ledger_item_add(t, &i);
	if (rc < 0)
		return rc;
	i.kind = META_LEDGER_RESTORES + r->speed;
	i.whole = 1;
	return meta_ledger_item_add(t, &i);
}

static int restoring_ordered(struct restoring *g, struct meta_restore *r,
			     const struct meta_pack *p)
{
	const struct move_tier *tier = restore_tier(g->mv, p->tier);
	META_TXN(t);
	int rc = meta_begin(g->mv->m, &t);
	bool taken = r->taken;

	r->state = META_RESTORE_ORDERED;
	r->taken = true;
	r->ordered_ns = g->now;
	r->due_ns = g->now + restore_takes(tier, r->speed);
	r->retry_ns = g->now + restoring_pause(r);
	if (rc == 0)
		rc = meta_restore_put(&t, r);
	if (rc == 0 && !taken) /* else it was billed then */
		rc = restoring_bill(&t, r, p, g->now);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static int restoring_ask(struct restoring *g, struct meta_restore *r)
{
	struct meta_pack p = { 0 };
	char why[128];
	int rc = restoring_pack(g->mv, r->pack, &p);

	if (rc == -ENOENT || (rc == 0 && p.state != META_PACK_STORED))
		return restoring_forget(g, r);
	if (rc < 0 || *restoring_tier(g, &p))
		return rc;
	rc = store_restore(restoring_store(g->mv, r, &p), p.object, r->days,
			   r->speed);
	if (restoring_away(g, &p, rc))
		return 0;
	if (rc < 0) {
		r->due_ns = 0; /* it was not taken on */
		return restoring_fail(g, r, &p, move_why(rc, why, sizeof(why)));
	}
	if (!r->taken)
		r->error[0] = '\0';
	rc = restoring_ordered(g, r, &p);
	if (rc == 0)
		restoring_place(g, r->pack);
	return rc;
}

/* ---- looking ---------------------------------------------------------- */

static int restoring_ready(struct restoring *g, struct meta_restore *r,
			   const struct store_info *info)
{
	int rc;

	r->state = META_RESTORE_READY;
	r->until_ns = info->restored_until_ns;
	r->error[0] = '\0';
	r->retry_ns = 0;
	rc = restoring_put(g, r);
	if (rc == 0)
		job_add(g->job, 1, info->size);
	move_wake_in(g->mv, &g->mv->bring, RESTORING_BRING);
	LOCK_SCOPE(&g->mv->restores.lock);
	pthread_cond_broadcast(&g->mv->restores.changed);
	return rc;
}

static int restoring_late(struct restoring *g, struct meta_restore *r,
			  const struct meta_pack *p)
{
	int64_t grace = MAX((r->due_ns - r->ordered_ns) / 2, RESTORING_LATE);
	char why[128], age[UNITS_SIZE];

	r->retry_ns = g->now + restoring_pause(r);
	if (g->now < r->due_ns + grace)
		return restoring_put(g, r);
	snprintf(why, sizeof(why),
		 "the store took the order %s ago and has "
		 "not brought it",
		 units_format_duration(g->now - r->ordered_ns, age));
	return restoring_fail(g, r, p, why);
}

/* Also of a pack that nothing names any more: its copy is billed. */
static int restoring_look(struct restoring *g, struct meta_restore *r)
{
	struct store_info info = { 0 };
	struct meta_pack p = { 0 };
	char why[128];
	int rc = restoring_pack(g->mv, r->pack, &p);

	if (rc < 0)
		return rc == -ENOENT ? restoring_forget(g, r) : rc;
	if (*restoring_tier(g, &p))
		return 0;
	rc = store_head(restoring_store(g->mv, r, &p), p.object, &info);
	if (restoring_away(g, &p, rc))
		return 0;
	if (rc == -ENOENT && p.state != META_PACK_STORED)
		return restoring_forget(g, r);
	if (rc == -ENOENT)
		return restoring_fail(g, r, &p, "the object is missing");
	if (rc < 0)
		return restoring_fail(g, r, &p, move_why(rc, why, sizeof(why)));
	if (info.archive == STORE_READY)
		return restoring_ready(g, r, &info);
	if (info.archive == STORE_ARCHIVED) {
		r->taken = false;
		return restoring_fail(g, r, &p,
				      "the store does not know of the order");
	}
	return restoring_late(g, r, &p);
}

/* ---- copies that are gone ---------------------------------------------- */

static int restoring_over(struct restoring *g, struct meta_restore *r)
{
	int64_t kept = (int64_t)r->days * SEC_PER_DAY * NSEC_PER_SEC;
	int64_t end = r->until_ns ? r->until_ns : r->ordered_ns + kept;

	if (end > g->now) {
		g->next = MIN(g->next, end);
		return 0;
	}
	return restoring_forget(g, r);
}

/* ---- the round --------------------------------------------------------- */

static void restoring_count(struct restoring *g, const struct meta_restore *r)
{
	struct move_restores *s = &g->sum;

	if (r->state == META_RESTORE_READY) {
		s->ready++;
		return;
	}
	s->ordered++;
	if (r->due_ns && (!s->due_ns || r->due_ns < s->due_ns))
		s->due_ns = r->due_ns;
	if (!r->error[0])
		return;
	if (s->failed++ == 0)
		snprintf(s->error, sizeof(s->error), "%s", r->error);
}

static int restoring_one(struct restoring *g, struct meta_restore *r)
{
	bool due = r->retry_ns <= g->now;
	int rc = 0;

	if (r->state == META_RESTORE_READY)
		rc = restoring_over(g, r);
	else if (due)
		rc = r->state == META_RESTORE_ORDERED ? restoring_look(g, r)
						      : restoring_ask(g, r);
	if (rc == 0 && r->pack && r->state != META_RESTORE_READY)
		g->next = MIN(g->next, r->retry_ns);
	return rc;
}

static int restoring_page(struct restoring *g, enum meta_restore_state state,
			  uint64_t after, struct meta_restore *r)
{
	META_TXN(t);
	int rc = meta_read(g->mv->m, &t);

	return rc < 0 ? rc
		      : meta_restore_list(&t, state, after, r, RESTORING_PAGE);
}

/* In this order; what a look moves on to a later one is met again there. */
static const enum meta_restore_state restoring_states[] = {
	META_RESTORE_WANTED, META_RESTORE_FAILED, META_RESTORE_ORDERED,
	META_RESTORE_READY
};

static bool restoring_again(enum meta_restore_state now, size_t at)
{
	while (++at < ARRAY_SIZE(restoring_states))
		if (restoring_states[at] == now)
			return true;
	return false;
}

static int restoring_all(struct restoring *g, size_t at)
{
	enum meta_restore_state state = restoring_states[at];
	struct meta_restore r[RESTORING_PAGE];
	uint64_t after = 0;
	int n, i, rc = 0;

	do {
		n = restoring_page(g, state, after, r);
		for (i = 0; i < n && rc == 0 && !job_stopping(g->job); i++) {
			after = r[i].pack;
			rc = restoring_one(g, &r[i]);
			if (r[i].pack && !restoring_again(r[i].state, at))
				restoring_count(g, &r[i]);
		}
	} while (n == RESTORING_PAGE && rc == 0 && !job_stopping(g->job));
	return rc < 0 ? rc : MIN(n, 0);
}

/* The orders that somebody waits for are looked at more often. */
static size_t restoring_hot(struct restoring *g, uint64_t pack[], size_t max)
{
	struct restores *rs = &g->mv->restores;
	int64_t now = clock_boot_ns();
	struct restore_waiter *w;
	size_t n = 0;

	LOCK_SCOPE(&rs->lock);
	for (w = rs->waiting; w; w = w->next) {
		if (w->look_ns <= now && n < max) {
			pack[n++] = w->pack;
			w->pause_ns = clamp_ns(2 * w->pause_ns, RESTORING_SOON,
					       RESTORING_HOT);
			w->look_ns = now + w->pause_ns;
		}
		g->next = MIN(g->next, g->now + w->look_ns - now);
	}
	return n;
}

static int restoring_hot_one(struct restoring *g, uint64_t pack)
{
	struct meta_restore r;
	META_TXN(t);
	int rc = meta_read(g->mv->m, &t);

	if (rc == 0)
		rc = meta_restore_get(&t, pack, &r);
	meta_abort(&t);
	if (rc == 0 && r.state == META_RESTORE_ORDERED)
		rc = restoring_look(g, &r);
	return rc == -ENOENT ? 0 : rc;
}

static int restoring_round(struct restoring *g)
{
	uint64_t hot[RESTORING_PAGE];
	size_t i, n = restoring_hot(g, hot, RESTORING_PAGE);
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = restoring_hot_one(g, hot[i]);
	for (i = 0; i < ARRAY_SIZE(restoring_states) && rc == 0; i++)
		rc = restoring_all(g, i);
	return rc;
}

static void restoring_tell(struct restoring *g)
{
	const struct move_restores *s = &g->sum;
	char when[CLOCK_ISO_SIZE];

	if (s->failed)
		job_waiting(g->job, "%llu of %llu objects do not come back: %s",
			    (unsigned long long)s->failed,
			    (unsigned long long)s->ordered, s->error);
	else if (s->ordered)
		job_waiting(g->job, "%llu objects from an archive, from %s on",
			    (unsigned long long)s->ordered,
			    clock_iso(s->due_ns, when));
	else
		job_waiting(g->job, NULL);
	LOCK_SCOPE(&g->mv->restores.lock);
	g->mv->restores.now = *s;
}

int64_t restoring_run(struct job *job, void *arg)
{
	struct restoring g = {
		.mv = arg, .job = job, .now = clock_wall_ns(), .next = INT64_MAX
	};
	int rc;

	job_begin(job, 0, 0);
	rc = restoring_round(&g);
	if (rc < 0)
		return rc;
	restoring_tell(&g);
	if (g.failed)
		return g.failed;
	return g.next == INT64_MAX
		       ? RESTORING_IDLE
		       : clamp_ns(g.next - clock_wall_ns(), RESTORING_SOON / 10,
				  RESTORING_IDLE);
}
