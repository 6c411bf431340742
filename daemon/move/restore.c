/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders to archive classes: who needs a pack makes a row, and waits for it if
 * it likes. The rest is the job's (restoring.c).
 */
#include "move/impl.h"

#include <stdio.h>

#include "base/log.h"
#include "move/restore.h"

#define RESTORE_SLICE_NS  (100 * 1000000LL)
#define RESTORE_MARGIN_NS (3600 * NSEC_PER_SEC)
#define RESTORE_READ_DAYS 7 /* a copy that a program's read asked for */
#define RESTORE_PAGE	  64

void restores_init(struct restores *rs)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&rs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&rs->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void restores_done(struct restores *rs)
{
	pthread_cond_destroy(&rs->changed);
	pthread_mutex_destroy(&rs->lock);
}

const struct move_tier *restore_tier(const struct move *mv, const char *name)
{
	int i = tier_find(mv, name);

	return i < 0 ? NULL : &mv->s.tier[i];
}

static bool restore_archives(const struct move *mv)
{
	size_t i;

	for (i = 0; i < mv->s.n_tiers; i++)
		if (mv->s.tier[i].archive)
			return true;
	return false;
}

int64_t restore_takes(const struct move_tier *tier, enum store_speed speed)
{
	static const int64_t usual[] = {
		[STORE_STANDARD] = 12 * 3600 * NSEC_PER_SEC,
		[STORE_BULK] = 48 * 3600 * NSEC_PER_SEC,
		[STORE_EXPEDITED] = 300 * NSEC_PER_SEC,
	};

	return tier && tier->restore_ns[speed] ? tier->restore_ns[speed]
					       : usual[speed];
}

/* The speed that the class has; STANDARD is one that all have. */
static enum store_speed restore_speed(const struct move_tier *tier,
				      enum store_speed want)
{
	if (tier && !tier->restore_ns[want] && tier->restore_ns[STORE_STANDARD])
		return STORE_STANDARD;
	return want;
}

static int restore_rank(unsigned speed)
{
	return speed == STORE_BULK ? 0 : speed == STORE_STANDARD ? 1 : 2;
}

/* ---- can it be read? -------------------------------------------------- */

/* Is there a copy that can be read for so long? */
static bool restore_copy(const struct meta_restore *r, int64_t margin_ns)
{
	int64_t now = clock_wall_ns();

	if (r->until_ns)
		return r->until_ns - margin_ns > now;
	return r->state == META_RESTORE_READY;
}

/* By the order, if there is one; else by the tier. */
static int restore_look(struct meta_txn *t, bool archive, uint64_t pack)
{
	struct meta_restore r;
	int rc = meta_restore_get(t, pack, &r);

	if (rc == -ENOENT)
		return archive ? -ENOMEDIUM : 0;
	if (rc < 0 || restore_copy(&r, 0))
		return rc;
	return r.state == META_RESTORE_READY ? -ENOMEDIUM : -EINPROGRESS;
}

/* 1, 0 or -errno. */
static int restore_archived(struct meta_txn *t, struct move *mv, uint64_t pack)
{
	const struct move_tier *tier;
	struct meta_pack p;
	int rc = meta_pack_get(t, pack, &p);

	if (rc < 0)
		return rc == -ENOENT ? 0
				     : rc; /* the fetch says what is wrong */
	tier = restore_tier(mv, p.tier);
	return tier && tier->archive;
}

int restore_check(struct move *mv, uint64_t pack)
{
	META_TXN(t);
	int rc;

	if (!restore_archives(mv))
		return 0;
	rc = meta_read(mv->m, &t);
	if (rc == 0)
		rc = restore_archived(&t, mv, pack);
	return rc <= 0 ? rc : restore_look(&t, true, pack);
}

bool restore_possible(struct move *mv, uint64_t pack)
{
	const struct move_tier *tier = NULL;
	struct store_caps caps = { 0 };
	struct meta_pack p;
	META_TXN(t);

	if (meta_read(mv->m, &t) == 0 && meta_pack_get(&t, pack, &p) == 0)
		tier = restore_tier(mv, p.tier);
	meta_abort(&t);
	if (!tier || tier->archive)
		return tier;
	store_caps(tier->cause[STORE_CAUSE_READ], &caps);
	return caps.restore;
}

int restore_arrived(struct move *mv, uint64_t pack)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	if (rc == 0)
		rc = restore_archived(&t, mv, pack);
	return rc < 0 ? rc : restore_look(&t, rc == 1, pack);
}

/* ---- orders ----------------------------------------------------------- */

static void restore_row(struct meta_restore *r, const struct move_tier *tier,
			const struct restore_want *w)
{
	enum store_speed speed = restore_speed(tier, w->speed);
	int64_t now = clock_wall_ns();

	/* The same that it has taken on and not brought is no new one. */
	r->taken = r->taken && r->state != META_RESTORE_READY &&
		   restore_rank(speed) <= restore_rank(r->speed);
	if (!r->taken)
		r->error[0] = '\0';
	r->pack = w->pack;
	r->state = META_RESTORE_WANTED;
	r->speed = speed;
	r->days = MAX(r->days, w->days);
	r->ordered_ns = now;
	r->due_ns = now + restore_takes(tier, r->speed);
	r->retry_ns = now;
	snprintf(r->cause, sizeof(r->cause), "%s", store_cause_name(w->cause));
}

/* Does an order that is there do? */
static bool restore_does(const struct meta_restore *r,
			 const struct move_tier *tier,
			 const struct restore_want *w)
{
	if (r->state == META_RESTORE_READY)
		return !w->absent && restore_copy(r, RESTORE_MARGIN_NS);
	/* One that failed is asked for again in its own time; a person need
	 * not wait for that. */
	if (r->state == META_RESTORE_FAILED && w->cause == STORE_CAUSE_RECALL)
		return false;
	return restore_rank(restore_speed(tier, w->speed)) <=
	       restore_rank(r->speed);
}

int restore_want(struct meta_txn *t, struct move *mv,
		 const struct restore_want *w)
{
	struct meta_restore r = { 0 };
	const struct move_tier *tier;
	struct meta_pack p;
	int rc = meta_pack_get(t, w->pack, &p);

	if (rc < 0 || p.state != META_PACK_STORED)
		return rc == -ENOENT ? 0 : rc;
	tier = restore_tier(mv, p.tier);
	if (!w->absent && !(tier && tier->archive))
		return 0;
	rc = meta_restore_get(t, w->pack, &r);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && restore_does(&r, tier, w))
		return r.state == META_RESTORE_READY ? 0 : -EINPROGRESS;
	if (w->absent) /* whatever the row says of a copy */
		r.until_ns = 0;
	restore_row(&r, tier, w);
	rc = meta_restore_put(t, &r);
	if (rc == 0 && w->made)
		++*w->made;
	return rc < 0 ? rc : -EINPROGRESS;
}

int restore_want_once(struct meta_txn *t, struct move *mv,
		      const struct restore_want *w)
{
	int rc = restore_archived(t, mv, w->pack);

	if (rc == 1)
		rc = restore_look(t, true, w->pack);
	return rc == -ENOMEDIUM ? restore_want(t, mv, w) : rc;
}

/* They are rows now: the job's turn. */
static void restore_wake(struct move *mv)
{
	move_wake(mv, &mv->restore);
}

int restore_order(struct move *mv, const struct restore_want *w)
{
	META_TXN(t);
	int rc = meta_begin(mv->m, &t), end;

	if (rc == 0)
		rc = restore_want(&t, mv, w);
	if (rc < 0 && rc != -EINPROGRESS)
		return rc;
	end = meta_commit(&t, NULL);
	if (end == 0 && rc == -EINPROGRESS)
		restore_wake(mv);
	return end < 0 ? end : rc;
}

int move_restore(struct move *mv, uint64_t pack, enum store_speed speed,
		 unsigned days, enum store_cause cause)
{
	const struct restore_want w = {
		.pack = pack, .speed = speed, .days = days, .cause = cause
	};

	return restore_order(mv, &w);
}

/* The other packs of the file: else its next part would be ordered when this
 * one is here, half a day later. */
static int restore_file(struct meta_txn *t, struct move *mv, uint64_t ino,
			struct restore_want w)
{
	uint64_t pack[RESTORE_PAGE], after = 0;
	int n, i, rc = 0;

	w.absent = false;
	do {
		n = meta_extent_packs(t, ino, after, pack, RESTORE_PAGE);
		for (i = 0; i < n && (rc == 0 || rc == -EINPROGRESS); i++) {
			w.pack = after = pack[i];
			rc = restore_want(t, mv, &w);
		}
		if (rc == -EINPROGRESS)
			rc = 0;
	} while (n == RESTORE_PAGE && rc == 0);
	return rc < 0 ? rc : MIN(n, 0);
}

/* Who reads one image reads its study (S26). */
static int restore_study(struct meta_txn *t, struct move *mv,
			 struct restore_want w)
{
	CLEANUP_FREE struct meta_pack *p = calloc(RESTORE_PAGE, sizeof(*p));
	struct meta_pack of;
	uint64_t after = 0;
	int n = 0, i, rc = p ? meta_pack_get(t, w.pack, &of) : -ENOMEM;

	w.absent = false;
	if (rc < 0 || !of.study)
		return rc;
	do {
		n = meta_pack_study(t, of.study, after, p, RESTORE_PAGE);
		for (i = 0; i < n && (rc == 0 || rc == -EINPROGRESS); i++) {
			w.pack = after = p[i].row;
			rc = restore_want(t, mv, &w);
		}
		if (rc == -EINPROGRESS)
			rc = 0;
	} while (n == RESTORE_PAGE && rc == 0);
	return rc < 0 ? rc : MIN(n, 0);
}

int restore_for(struct move *mv, uint64_t ino, uint64_t pack, bool absent,
		enum store_cause cause)
{
	unsigned made = 0;
	struct restore_want w = { .pack = pack,
				  .speed = STORE_STANDARD,
				  .days = RESTORE_READ_DAYS,
				  .cause = cause,
				  .absent = absent,
				  .made = &made };
	META_TXN(t);
	int rc = meta_begin(mv->m, &t);

	if (rc == 0)
		rc = restore_want(&t, mv, &w);
	if (rc == 0 || rc == -EINPROGRESS)
		rc = restore_file(&t, mv, ino, w);
	if (rc == 0)
		rc = restore_study(&t, mv, w);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc == 0 && made > 0) /* no budget stops who reads */
		log_info("audit: %s of inode %llu: %u objects of an archive "
			 "class are ordered, with its study",
			 store_cause_name(cause), (unsigned long long)ino,
			 made);
	if (rc == 0)
		restore_wake(mv);
	return rc;
}

/* The first pack of a file that must be ordered; 0: there is none. */
static int restore_first(struct move *mv, uint64_t ino, uint64_t *out)
{
	uint64_t pack[RESTORE_PAGE], after = 0;
	int n, i, rc;
	META_TXN(t);

	*out = 0;
	rc = meta_read(mv->m, &t);
	if (rc < 0)
		return rc;
	do {
		n = meta_extent_packs(&t, ino, after, pack, RESTORE_PAGE);
		for (i = 0; i < n; i++) {
			after = pack[i];
			if (restore_archived(&t, mv, after) != 1 ||
			    restore_look(&t, true, after) != -ENOMEDIUM)
				continue;
			*out = after;
			return 0;
		}
	} while (n == RESTORE_PAGE);
	return MIN(n, 0);
}

void restore_opened(struct move *mv, uint64_t ino)
{
	struct meta_inode row;
	uint64_t pack = 0;
	int rc;

	if (!restore_archives(mv) || meta_inode_find(mv->m, ino, &row) < 0 ||
	    (row.state != META_ARCHIVED && row.state != META_REMOTE &&
	     row.state != META_PARTIAL))
		return;
	rc = restore_first(mv, ino, &pack);
	if (rc == 0 && pack)
		restore_for(mv, ino, pack, false, STORE_CAUSE_READ);
	/* What fails here fails again, and is told, when it is read. */
}

/* ---- waiting ---------------------------------------------------------- */

/* Looks after an order as long as somebody waits for it. False: many do. */
static bool restore_enter(struct restores *rs, struct restore_waiter *w,
			  unsigned max)
{
	LOCK_SCOPE(&rs->lock);
	if (rs->waiters >= max)
		return false;
	rs->waiters++;
	w->next = rs->waiting;
	rs->waiting = w;
	return true;
}

static void restore_leave(struct restores *rs, struct restore_waiter *w)
{
	struct restore_waiter **at = &rs->waiting;

	LOCK_SCOPE(&rs->lock);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	rs->waiters--;
}

static void restore_sleep(struct restores *rs, int64_t ns)
{
	struct timespec ts;

	LOCK_SCOPE(&rs->lock);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + ns);
	pthread_cond_timedwait(&rs->changed, &rs->lock, &ts);
}

static bool is_set(const volatile bool *flag)
{
	return flag && __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

int restore_wait(struct move *mv, uint64_t pack, int64_t until_ns,
		 const volatile bool *cancel, const volatile bool *hangup)
{
	struct restore_waiter w = { .pack = pack };
	int64_t left;
	int rc;

	/* Who waits for an archive has a thread that others may need. */
	if (!restore_enter(&mv->restores, &w, MAX(mv->o.in_flight / 2, 1U)))
		return -ETIMEDOUT;
	move_wake(mv, &mv->restore);
	for (;;) {
		rc = restore_arrived(mv, pack);
		left = until_ns - clock_boot_ns();
		if (rc != -EINPROGRESS)
			break;
		if (is_set(cancel) || atomic_load(&mv->stopping))
			rc = -EINTR;
		else if (left <= 0 || is_set(hangup))
			rc = -ETIMEDOUT;
		if (rc != -EINPROGRESS)
			break;
		restore_sleep(&mv->restores, MIN(left, RESTORE_SLICE_NS));
	}
	restore_leave(&mv->restores, &w);
	return rc;
}

int move_restore_wait(struct move *mv, uint64_t pack, int64_t wait_ns,
		      const volatile bool *cancel)
{
	int64_t now = clock_boot_ns();
	int64_t until = wait_ns > INT64_MAX - now ? INT64_MAX : now + wait_ns;
	int rc = restore_wait(mv, pack, until, cancel, NULL);

	return rc == -ENOMEDIUM ? -ETIMEDOUT : rc; /* nobody ordered it */
}

int64_t move_restore_takes(struct move *mv, const char *tier,
			   enum store_speed *speed)
{
	const struct move_tier *t = restore_tier(mv, tier);

	if (!t || !t->archive)
		return 0;
	*speed = restore_speed(t, *speed);
	return restore_takes(t, *speed);
}

void move_restores(struct move *mv, struct move_restores *out)
{
	LOCK_SCOPE(&mv->restores.lock);
	*out = mv->restores.now;
}
