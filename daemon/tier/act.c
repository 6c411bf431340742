/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch of a run. What became of each item is read from rows afterwards,
 * so that a run that was killed finds what it had done.
 */
#include "tier/run.h"

#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "move/restore.h"

#define ACT_ITEMS 128 /* of a transaction */
#define ACT_PACKS 64
#define WAIT_MIN  NSEC_PER_SEC
#define WAIT_MAX  (60 * NSEC_PER_SEC)

struct left_file {
	uint64_t ino;
	char reason[64];
};

struct act {
	struct run *r;
	const struct batch *b;
	struct left_file *left;
	size_t n, room;
	struct move_transferred done;
	money_t paid;  /* of what came here */
	uint64_t came; /* bytes of that */
	int rc;	       /* of the action */
};

static void act_done(struct act *a)
{
	free(a->left);
}

/* ---- files that are left
 * ----------------------------------------------------- */

static void act_skipped(void *arg, uint64_t ino, const char *reason)
{
	struct act *a = arg;

	if (a->n == a->room) {
		size_t room = a->room ? 2 * a->room : 16;
		struct left_file *p = reallocarray(a->left, room, sizeof(*p));

		if (!p)
			return; /* it is seen as not done, then */
		a->left = p;
		a->room = room;
	}
	a->left[a->n].ino = ino;
	snprintf(a->left[a->n].reason, sizeof(a->left[a->n].reason), "%s",
		 reason);
	a->n++;
	run_skipped(a->r, ino, reason);
}

static const char *act_reason(const struct act *a, const struct subject *s)
{
	size_t i, k;

	for (i = 0; i < a->n; i++)
		for (k = 0; k < s->n; k++)
			if (a->left[i].ino == s->ino[k])
				return a->left[i].reason;
	return NULL;
}

/* ---- the actions
 * ------------------------------------------------------------- */

static bool act_go_on(void *arg)
{
	struct act *a = arg;

	return run_go_on(a->r);
}

/* Not the fault of what is moved: it waits for a store or a line. */
static bool not_now(int rc)
{
	switch (rc) {
	case -ETIMEDOUT:
	case -EAGAIN:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EPIPE:
		return true;
	default:
		return false;
	}
}

static void act_sum(struct act *a, const struct move_transferred *u)
{
	struct take t = { 0 };
	struct priced p;

	take_add(&t, u);
	a->r->requests += t.requests;
	if (price_take(a->r->t, &t, NULL, &p, NULL) == 0)
		a->r->cost += p.once;
	a->done.failed += u->failed;
}

/* How fast its tier brings things back. */
static enum price_speed act_speed(const struct act *a)
{
	return a->b->from < 0 ? PRICE_STANDARD
			      : price_speed(&a->r->t->o.tier[a->b->from]);
}

static int act_move(struct act *a)
{
	struct move_transfer in = {
		.to = (size_t)a->b->to,
		.ino = a->b->ino,
		.n = a->b->inos,
		.version = a->r->plan.version,
		.opened_ns = a->r->plan.made_ns,
		.speed = (unsigned)act_speed(a),
		.skipped = act_skipped,
		.go_on = act_go_on,
		.arg = a,
	};
	struct move_transferred *u CLEANUP(guard_free) = calloc(1, sizeof(*u));
	int64_t pause = WAIT_MIN;
	int rc = u ? 0 : -ENOMEM;

	while (rc == 0 || not_now(rc)) {
		if (rc < 0 && !run_sleep(a->r, pause))
			return -EINTR;
		pause = rc < 0 ? MIN(2 * pause, WAIT_MAX) : pause;
		memset(u, 0, sizeof(*u));
		rc = move_transfer(a->r->t->mv, &in, u);
		act_sum(a, u);
		if (rc == 0)
			break;
		if (not_now(rc))
			snprintf(a->r->row.error, sizeof(a->r->row.error),
				 "waits for tier '%s': %s",
				 a->r->t->o.tier[a->b->to].name, strerror(-rc));
	}
	return rc;
}

static int act_evict(struct act *a)
{
	struct cache_victim v[CACHE_EVICT_BATCH];
	size_t at, n, i;

	for (at = 0; at < a->b->inos; at += n) {
		if (!run_go_on(a->r))
			return -EINTR;
		n = MIN(a->b->inos - at, (size_t)CACHE_EVICT_BATCH);
		memset(v, 0, sizeof(v));
		for (i = 0; i < n; i++)
			v[i].ino = a->b->ino[at + i];
		cache_evict_many(move_cache(a->r->t->mv), v, n);
		for (i = 0; i < n; i++)
			if (v[i].rc == -EBUSY)
				act_skipped(a, v[i].ino, "open");
			else if (v[i].rc == -ENOTRECOVERABLE)
				act_skipped(a, v[i].ino, "not protected yet");
			else if (v[i].rc < 0 && v[i].rc != -ENOENT)
				act_skipped(a, v[i].ino, strerror(-v[i].rc));
	}
	return 0;
}

static int packs_page(struct tier *t, uint64_t ino, uint64_t after,
		      uint64_t row[ACT_PACKS])
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_extent_packs(&x, ino, after, row, ACT_PACKS);
}

/* What of a file lies in an archive class is ordered. */
static int recall_order(struct act *a, uint64_t ino)
{
	uint64_t row[ACT_PACKS], after = 0;
	int n, i, rc = 0, got;

	do {
		n = packs_page(a->r->t, ino, after, row);
		for (i = 0; i < n; i++) {
			after = row[i];
			got = move_restore(a->r->t->mv, after,
					   (enum store_speed)act_speed(a),
					   MOVE_RESTORE_DAYS,
					   STORE_CAUSE_POLICY);
			rc = got < 0 && rc != -EINPROGRESS ? got : rc;
		}
	} while (n == ACT_PACKS && (rc == 0 || rc == -EINPROGRESS));
	return n < 0 ? n : rc;
}

static int recall_file(struct act *a, uint64_t ino)
{
	struct cache_file *f CLEANUP(cache_put_guard) = NULL;
	int rc = cache_get(move_cache(a->r->t->mv), ino, &f);

	if (rc == 0)
		rc = cache_acquire(f, false);
	if (rc < 0)
		return rc;
	rc = move_recall(a->r->t->mv, f, 0, 0, STORE_CAUSE_POLICY, NULL);
	if (rc == 0)
		rc = cache_settle_presence(f);
	cache_release(f, false);
	return rc;
}

/* A study may lie in several tiers. */
static bool any_archive(const struct tier *t)
{
	bool any = false;
	size_t i;

	for (i = 0; i < t->o.n_tiers; i++)
		any |= t->o.tier[i].archive;
	return any;
}

/* A store that is away is waited for. */
static int recall_one(struct act *a, uint64_t ino, bool archive)
{
	int64_t pause = WAIT_MIN;
	int rc;

	for (;;) {
		rc = archive ? recall_order(a, ino) : 0;
		if (rc == 0)
			rc = recall_file(a, ino);
		if (!not_now(rc))
			return rc;
		snprintf(a->r->row.error, sizeof(a->r->row.error),
			 "waits for a store: %s", strerror(-rc));
		if (!run_sleep(a->r, pause))
			return -EINTR;
		pause = MIN(2 * pause, WAIT_MAX);
	}
}

static int act_recall(struct act *a)
{
	bool archive = any_archive(a->r->t), waits = false;
	size_t i;
	int rc = 0;

	for (i = 0; i < a->b->inos && rc == 0; i++) {
		uint64_t ino = a->b->ino[i];

		if (!run_go_on(a->r))
			return -EINTR;
		rc = recall_one(a, ino, archive);
		waits |= rc == -EINPROGRESS;
		if (rc == -EINPROGRESS || rc == -ENOENT)
			rc = 0;
		if (rc == -EIO) {
			act_skipped(a, ino, "damaged, or missing in the store");
			a->done.failed++;
			rc = 0;
		}
	}
	return rc == 0 && waits ? -EINPROGRESS : rc;
}

static int pin_item(struct act *a, const struct meta_plan_item *item)
{
	struct subject s CLEANUP(subject_done) = { .t = a->r->t };
	const struct tier_rule *rule = &a->r->policy->rules[item->rule];
	struct meta_pin pin = { .made_ns = clock_wall_ns(), .cause = "policy" };
	size_t i;
	META_TXN(x);
	int rc = subject_load(&s, item->study, item->subject);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pin.ino = s.first;
	pin.until_ns = rule->for_ns ? pin.made_ns + rule->for_ns : 0;
	rc = meta_begin(a->r->t->m, &x);
	if (rc == 0)
		rc = meta_pin_add(&x, &pin);
	for (i = 0; i < s.n && rc == 0; i++)
		rc = meta_pin_file(&x, pin.id, s.ino[i]);
	return rc < 0 ? rc : meta_commit(&x, NULL);
}

/* As the plan says: else who brings pinned files here orders them, faster. */
static int pin_order(struct act *a)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < a->b->inos && rc == 0; i++) {
		rc = run_go_on(a->r) ? recall_order(a, a->b->ino[i]) : -EINTR;
		if (rc == -EINPROGRESS)
			rc = 0;
	}
	return rc;
}

static int act_pin(struct act *a)
{
	const struct tier_policy *p = a->r->policy;
	size_t i;
	int rc = 0;

	if (!p || a->b->rule >= p->n_rules ||
	    p->rules[a->b->rule].action != TIER_PIN)
		return -ESTALE; /* the policy says no more how long */
	if (any_archive(a->r->t))
		rc = pin_order(a);
	for (i = 0; i < a->b->n && rc == 0; i++)
		rc = run_go_on(a->r) ? pin_item(a, &a->b->item[i]) : -EINTR;
	move_pinned(a->r->t->mv);
	return rc;
}

/* ---- what became of it
 * -------------------------------------------------------- */

/* Sets state and reason; still 0 when it is to be tried again. */
static int item_end(struct act *a, struct meta_plan_item *item)
{
	struct subject s CLEANUP(subject_done) = { .t = a->r->t };
	int rc = subject_load(&s, item->study, item->subject);
	const char *why = NULL;

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && subject_there(&s, a->b->action, a->b->to)) {
		item->state = 1;
		return 0;
	}
	why = rc == -ENOENT ? "deleted" : act_reason(a, &s);
	if (!why && a->rc == 0 && !a->done.failed)
		why = "could not be moved as it is";
	item->state = why ? 2 : 0;
	snprintf(item->reason, sizeof(item->reason), "%s", why ? why : "");
	return 0;
}

int act_end(struct run *r, struct meta_plan_item *item, size_t n)
{
	char text[MONEY_SIZE];
	META_TXN(x);
	size_t i;
	int rc = meta_begin(r->t->m, &x);

	snprintf(r->row.cost, sizeof(r->row.cost), "%s",
		 money_exact(r->cost, text));
	snprintf(r->row.predicted, sizeof(r->row.predicted), "%s",
		 money_exact(r->predicted, text));
	for (i = 0; i < n && rc == 0; i++)
		if (item[i].state)
			rc = meta_plan_item_set(&x, &item[i]);
	if (rc == 0)
		rc = meta_run_update(&x, &r->row);
	return rc < 0 ? rc : meta_commit(&x, NULL);
}

/*
 * A transfer says what it took. What is brought back is paid by what was going
 * to be, also as long as it is only ordered: a run waits, and a limit must not.
 */
static bool act_brings(const struct act *a)
{
	return a->b->action == TIER_RECALL || a->b->action == TIER_PIN;
}

static void act_came(struct act *a, const struct meta_plan_item *item,
		     money_t share)
{
	struct run *r = a->r;

	r->row.files += item->files;
	r->row.bytes += item->bytes;
	r->predicted += share;
	if (!act_brings(a))
		return;
	r->cost += share;
	a->paid += share;
	a->came += item->bytes;
}

static void act_count(struct act *a, const struct meta_plan_item *item,
		      money_t once)
{
	uint64_t all = a->b->bytes;
	struct run *r = a->r;

	r->tried += item->state ? item->files : 0;
	if (item->state == 1)
		act_came(a, item,
			 all ? money_muldiv(once, item->bytes, all) : 0);
	else if (item->state == 2)
		r->row.skipped += item->files;
}

/* Requests, and what is still to come. */
static void act_ordered(struct act *a, uint64_t requests, money_t once)
{
	uint64_t all = MAX(a->b->bytes, (uint64_t)1);
	uint64_t sent = (uint64_t)((unsigned __int128)requests *
				   MIN(a->came, all) / all);

	if (!act_brings(a))
		return;
	a->r->requests += sent;
	if (a->rc != -EINPROGRESS)
		return;
	a->r->ordered += once - a->paid;
	a->r->orders += requests - sent;
}

static int act_ends(struct act *a, money_t once)
{
	struct meta_plan_item end[ACT_ITEMS];
	size_t at, n, i;
	int rc = 0;

	for (at = 0; at < a->b->n && rc == 0; at += n) {
		n = MIN(a->b->n - at, (size_t)ACT_ITEMS);
		memcpy(end, &a->b->item[at], n * sizeof(*end));
		for (i = 0; i < n && rc == 0; i++) {
			rc = item_end(a, &end[i]);
			if (rc == 0)
				act_count(a, &end[i], once);
		}
		if (rc == 0)
			rc = act_end(a->r, end, n);
	}
	return rc;
}

static int act_one(struct act *a)
{
	switch (a->b->action) {
	case TIER_MOVE:
		return act_move(a);
	case TIER_EVICT:
		return act_evict(a);
	case TIER_RECALL:
		return act_recall(a);
	default:
		return act_pin(a);
	}
}

/* What a batch that failed says of the run. */
static void act_failed(struct act *a, uint64_t done)
{
	struct run *r = a->r;
	uint64_t files = a->done.failed;

	if (a->rc < 0 && a->rc != -EINPROGRESS && a->rc != -EINTR) {
		files = MAX(files, a->b->files - MIN(done, a->b->files));
		snprintf(r->row.error, sizeof(r->row.error), "%s",
			 strerror(-a->rc));
	}
	r->failed += files;
	r->row.errors += files;
	r->tried += files;
	r->failing = files && !done ? r->failing + 1 : 0;
}

int act_batch(struct run *r, const struct batch *b, uint64_t requests,
	      money_t once)
{
	struct act *a CLEANUP(guard_free) = calloc(1, sizeof(*a));
	uint64_t before = r->row.files;
	int rc;

	if (!a)
		return -ENOMEM;
	a->r = r;
	a->b = b;
	r->row.error[0] = '\0';
	a->rc = act_one(a);
	r->pending |= a->rc == -EINPROGRESS;
	rc = act_ends(a, once);
	act_ordered(a, requests, once);
	act_failed(a, r->row.files - before);
	act_done(a);
	if (rc < 0)
		return rc;
	return a->rc == -EINTR ? -EINTR : 0;
}
