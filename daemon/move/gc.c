/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc: objects that nothing names any more are deleted after their grace
 * period (P7), and only while the clocks agree (S24): the wall clock with
 * the store's Date, with the highest time ever seen, and with the time that
 * has passed since the start. Else it stops and says so. What a process
 * condemned whose clock was never seen to agree waits anew.
 */
#include "move/impl.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "meta/tiering.h"

#define GC_PAGE	      64
#define GC_SKEW_NS    (300 * NSEC_PER_SEC)
#define GC_FENCED_NS  (10 * NSEC_PER_SEC)
#define GC_HIGH_WATER "gc.high_water"
#define GC_CLOCK      "gc.clock" /* of the process: GC_AGREED, or not yet */
#define GC_AGREED     "agreed"

static struct store *gc_store(const struct move_tier *tier)
{
	return tier->cause[STORE_CAUSE_POLICY];
}

/* ---- clocks --------------------------------------------------------- */

static int64_t gc_abs(int64_t ns)
{
	return ns < 0 ? -ns : ns;
}

static int gc_differs(struct job *job, const char *what, int64_t ns)
{
	char text[UNITS_SIZE];

	job_error(job, "nothing is deleted: the wall clock and %s differ by %s",
		  what, units_format_duration(gc_abs(ns), text));
	return -EUCLEAN;
}

/* A store tells its time in answers: asks for one if need be. */
static int gc_skew(const struct move_tier *tier, struct job *job,
		   int64_t *ahead)
{
	struct store *s = gc_store(tier);
	struct store_info info;
	char why[128];
	int rc = store_skew(s, ahead);

	if (rc != -ENODATA)
		return rc;
	rc = store_head(s, PACK_MARKER_NAME, &info);
	if (rc < 0 && rc != -ENOENT) {
		job_error(job, "tier '%s': %s", tier->name,
			  move_why(rc, why, sizeof(why)));
		return rc;
	}
	rc = store_skew(s, ahead);
	if (rc == -ENODATA)
		job_error(job,
			  "nothing is deleted: tier '%s' does not tell its "
			  "time",
			  tier->name);
	return rc;
}

static int gc_high_water(struct move *mv, int64_t now, int64_t *high)
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(t);
	uint8_t v[8];
	int rc = meta_begin(mv->m, &t);

	if (rc == 0)
		rc = meta_value_get(&t, GC_HIGH_WATER, &b);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*high = b.len == 8 ? (int64_t)get_le64(b.data) : 0;
	if (now <= *high)
		return 0;
	put_le64(v, (uint64_t)now);
	rc = meta_value_set(&t, GC_HIGH_WATER, v, sizeof(v));
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static int gc_clocks(struct move *mv, const struct move_tier *tier,
		     struct job *job, int64_t *now)
{
	int64_t ahead, high, drift;
	int rc = gc_skew(tier, job, &ahead);

	if (rc < 0)
		return rc;
	if (gc_abs(ahead) > GC_SKEW_NS)
		return gc_differs(job, "the store's", ahead);
	*now = clock_wall_ns();
	drift = (*now - mv->wall0_ns) - (clock_boot_ns() - mv->boot0_ns);
	if (gc_abs(drift) > GC_SKEW_NS)
		return gc_differs(job, "the time since the start", drift);
	rc = gc_high_water(mv, *now, &high);
	if (rc == 0 && high - *now > GC_SKEW_NS)
		return gc_differs(job, "the latest time ever seen",
				  high - *now);
	return rc;
}

/* ---- times that were written by a clock nobody checked ---------------- */

static int gc_clock_note(struct move *mv, bool agreed)
{
	const char *text = agreed ? GC_AGREED : "open";
	META_TXN(t);
	int rc;

	if (mv->gc_agreed == agreed)
		return 0;
	rc = meta_begin(mv->m, &t);
	if (rc == 0)
		rc = meta_value_set(&t, GC_CLOCK, text, strlen(text));
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	if (rc == 0)
		mv->gc_agreed = agreed;
	return rc;
}

/* A page of those behind `after`: their grace begins now. Count. */
static int gc_renew_page(struct move *mv, uint64_t *after, int64_t now,
			 struct meta_pack *pack)
{
	META_TXN(t);
	int rc = meta_begin(mv->m, &t), n = 0, i;

	if (rc == 0)
		rc = n = meta_pack_list(&t, META_PACK_CONDEMNED, *after,
					INT64_MAX, pack, GC_PAGE);
	for (i = 0; rc >= 0 && i < n; i++) {
		*after = pack[i].row;
		rc = meta_pack_renew(&t, pack[i].row, now);
	}
	if (rc >= 0)
		rc = meta_commit(&t, NULL);
	return rc < 0 ? rc : n;
}

/*
 * The last process ended before its clock was seen to agree with others, or
 * this one's did not for a while: a machine that starts in 1970 would see its
 * grace pass with its first answer from a time server. What is condemned waits
 * from now on.
 */
static int gc_renew(struct move *mv, int64_t now)
{
	CLEANUP_FREE struct meta_pack *pack = calloc(GC_PAGE, sizeof(*pack));
	uint64_t after = 0;
	int n;

	if (!mv->gc_doubt)
		return 0;
	if (!pack)
		return -ENOMEM;
	do {
		n = gc_renew_page(mv, &after, now, pack);
	} while (n == GC_PAGE);
	if (n < 0)
		return n;
	mv->gc_doubt = false;
	return 0;
}

/* All clocks agree: *now is the time, and what was condemned by this process
 * has the right one. */
static int gc_time(struct move *mv, const struct move_tier *tier,
		   struct job *job, int64_t *now)
{
	int rc = gc_clocks(mv, tier, job, now), note;

	if (rc < 0) {
		/* What was condemned meanwhile may look old when it is set. */
		mv->gc_doubt |= rc == -EUCLEAN;
		note = rc == -EUCLEAN ? gc_clock_note(mv, false) : 0;
		return note < 0 ? note : rc;
	}
	rc = gc_renew(mv, *now);
	return rc < 0 ? rc : gc_clock_note(mv, true);
}

int gc_doubt(struct move *mv, struct err *err)
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(t);
	int rc = meta_begin(mv->m, &t);

	if (rc == 0)
		rc = meta_value_get(&t, GC_CLOCK, &b);
	mv->gc_doubt = b.len != strlen(GC_AGREED) ||
		       memcmp(b.data, GC_AGREED, b.len) != 0;
	if (rc == 0 || rc == -ENOENT)
		rc = meta_value_set(&t, GC_CLOCK, "open", 4);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	return rc < 0 ? fail(err, rc, "cannot note the clock's state: %m") : 0;
}

/* ---- deleting ------------------------------------------------------- */

/* The trouble of one object, and not of the store or the bucket. */
static bool gc_lasting(int rc)
{
	return rc == -EACCES || rc == -EPERM || rc == -EIO;
}

static int gc_page(struct move *mv, uint64_t after, int64_t before,
		   struct meta_pack *pack)
{
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	return rc < 0 ? rc
		      : meta_pack_list(&t, META_PACK_CONDEMNED, after, before,
				       pack, GC_PAGE);
}

/* Leaves those of a page that lie in one tier. How many. */
static int gc_of_tier(struct move *mv, size_t tier, struct meta_pack *pack,
		      int n)
{
	int i, left = 0;

	for (i = 0; i < n; i++)
		if (tier_find(mv, pack[i].tier) == (int)tier)
			pack[left++] = pack[i];
	return left;
}

/* How much of its least time is left? */
static int64_t gc_rest(const struct meta_pack *pack, int64_t now)
{
	return pack->keep_ns > 0 ? pack->stored_ns + pack->keep_ns - now : 0;
}

/*
 * Did it never come? Of an upload that did not end, the row has the time of the
 * intent; the store knows.
 */
static bool gc_never(struct store *s, const struct meta_pack *pack)
{
	struct store_info info;

	return gc_rest(pack, clock_wall_ns()) > 0 &&
	       pack->stored_ns == pack->created_ns &&
	       store_head(s, pack->object, &info) == -ENOENT;
}

/* What its class bills of an object although it is deleted before its least
 * time: from now until then. */
static int gc_early(struct meta_txn *t, const struct meta_pack *pack,
		    int64_t now)
{
	int64_t rest = gc_rest(pack, now);
	struct meta_ledger_item it = {
		.day = (int32_t)(now / NSEC_PER_SEC / SEC_PER_DAY),
		.kind = META_LEDGER_EARLY,
	};
	unsigned __int128 bytes;

	if (rest < NSEC_PER_SEC)
		return 0;
	bytes = (unsigned __int128)MAX(pack->billed, pack->length) *
		(uint64_t)(rest / NSEC_PER_SEC);
	it.whole = (uint64_t)(bytes / 3600);
	it.rest = (uint64_t)(bytes % 3600);
	snprintf(it.tier, sizeof(it.tier), "%s", pack->tier);
	snprintf(it.storage_class, sizeof(it.storage_class), "%s",
		 *pack->storage_class ? pack->storage_class : "STANDARD");
	snprintf(it.cause, sizeof(it.cause), "%s",
		 store_cause_name(STORE_CAUSE_POLICY));
	return meta_ledger_item_add(t, &it);
}

static int gc_rows(struct move *mv, struct job *job,
		   const struct meta_pack *pack, const bool *never,
		   const int *rc, int n)
{
	int64_t now = clock_wall_ns();
	META_TXN(t);
	int i, one = meta_begin(mv->m, &t);

	for (i = 0; one == 0 && i < n; i++) {
		if (rc[i] < 0)
			continue;
		one = never[i] ? 0 : gc_early(&t, &pack[i], now);
		if (one == 0)
			one = meta_pack_delete(&t, pack[i].row);
		if (one == 0)
			job_add(job, 1, pack[i].length);
	}
	return one < 0 ? one : meta_commit(&t, NULL);
}

/*
 * Where the bucket keeps versions a DELETE without a version's name frees
 * nothing (S25). A pack that was condemned before its PUT was answered has no
 * name of a version in its row: the store says which there is.
 */
static int gc_version(struct store *s, const struct meta_pack *pack)
{
	const char *version = pack->version;
	struct store_info info = { 0 };
	int rc;

	if (!*version) {
		rc = store_head(s, pack->object, &info);
		if (rc < 0)
			return rc == -ENOENT ? 0 : rc;
		version = info.version;
	}
	return *version ? store_del_version(s, pack->object, version)
			: store_del1(s, pack->object);
}

/* The first failure is explained. */
static int gc_versions(struct store *s, const struct meta_pack *pack, int n,
		       int *rc, char why[128])
{
	int i, first = 0;

	for (i = 0; i < n; i++) {
		rc[i] = first < 0 && !gc_lasting(first)
				? first
				: gc_version(s, &pack[i]);
		if (rc[i] == 0 || first < 0)
			continue;
		first = rc[i];
		move_why(first, why, 128);
	}
	return first;
}

static int gc_objects(struct store *s, const struct meta_pack *pack, int n,
		      int *rc, char why[128])
{
	const char *key[GC_PAGE];
	int i, first;

	for (i = 0; i < n; i++)
		key[i] = pack[i].object;
	first = store_del(s, key, (size_t)n, rc);
	if (first < 0)
		move_why(first, why, 128);
	return first;
}

/* The rows are CONDEMNED for good (no move leads back), and durable. */
static int gc_delete(struct move *mv, const struct move_tier *tier,
		     struct job *job, const struct meta_pack *pack, int n)
{
	struct store *s = gc_store(tier);
	int rc[GC_PAGE] = { 0 }, first, row, i;
	bool never[GC_PAGE];
	struct store_caps caps;
	char why[128];

	first = meta_durable(mv->m, 0);
	if (first < 0)
		return first;
	for (i = 0; i < n; i++)
		never[i] = gc_never(s, &pack[i]);
	store_caps(s, &caps);
	first = caps.versions ? gc_versions(s, pack, n, rc, why)
			      : gc_objects(s, pack, n, rc, why);
	if (first == -ENOTSUP && caps.versions)
		job_error(job,
			  "tier '%s': the bucket keeps versions, and this "
			  "store cannot delete them: nothing is freed",
			  tier->name);
	else if (first < 0)
		job_error(job, "tier '%s': %s", tier->name, why);
	row = gc_rows(mv, job, pack, never, rc, n);
	return first < 0 ? first : row;
}

/*
 * What was condemned before that may go (S23). What a restorable backup still
 * names may not: its time comes in here, as an upper bound, once there are
 * backups; and when they stall, so does this.
 */
static int64_t gc_before(const struct move *mv, int64_t now)
{
	return now - mv->o.delete_after_ns;
}

static int64_t gc_interval(const struct move *mv)
{
	int64_t ns = mv->o.delete_after_ns / 4;

	return MIN(MAX(ns, NSEC_PER_SEC / 4), 3600 * NSEC_PER_SEC);
}

/* What cannot be deleted (a lock) keeps no other from it. */
static int gc_some(struct move *mv, size_t tier, struct job *job, int64_t now)
{
	CLEANUP_FREE struct meta_pack *pack = calloc(GC_PAGE, sizeof(*pack));
	int64_t before = gc_before(mv, now);
	int n, of, rc, first = 0;
	uint64_t after = 0;

	if (!pack)
		return -ENOMEM;
	do {
		n = gc_page(mv, after, before, pack);
		if (n <= 0)
			return n < 0 ? n : first;
		after = pack[n - 1].row;
		of = gc_of_tier(mv, tier, pack, n);
		rc = of ? gc_delete(mv, &mv->s.tier[tier], job, pack, of) : 0;
		first = first < 0 ? first : rc;
	} while ((rc == 0 || gc_lasting(rc)) && n == GC_PAGE &&
		 !job_stopping(job));
	return first;
}

/* In which tiers is something condemned? Where nothing is nobody is asked for
 * the time. How many. */
static int gc_tiers(struct move *mv, struct job *job, bool any[MOVE_TIERS_MAX])
{
	CLEANUP_FREE struct meta_pack *pack = calloc(GC_PAGE, sizeof(*pack));
	uint64_t after = 0;
	int n, i, tier, tiers = 0;

	if (!pack)
		return -ENOMEM;
	do {
		n = gc_page(mv, after, INT64_MAX, pack);
		for (i = 0; i < n; i++) {
			tier = tier_find(mv, pack[i].tier);
			after = pack[i].row;
			if (tier < 0)
				job_error(job,
					  "object '%s' is not deleted: tier "
					  "'%s' is not configured",
					  pack[i].object, pack[i].tier);
			if (tier < 0 || any[tier])
				continue;
			any[tier] = true;
			tiers++;
		}
	} while (n == GC_PAGE && tiers < (int)mv->s.n_tiers);
	return n < 0 ? n : tiers;
}

static int gc_tier(struct move *mv, size_t tier, struct job *job)
{
	int64_t now = 0; /* set by gc_clocks() */
	int rc = gc_time(mv, &mv->s.tier[tier], job, &now);

	return rc < 0 ? rc : gc_some(mv, tier, job, now);
}

/* A store that is away keeps no other from it; a clock that is wrong does. */
static int gc_all(struct move *mv, struct job *job,
		  const bool any[MOVE_TIERS_MAX])
{
	int rc = 0, first = 0;
	size_t i;

	for (i = 0; i < mv->s.n_tiers && rc != -EUCLEAN; i++) {
		if (!any[i] || job_stopping(job))
			continue;
		rc = gc_tier(mv, i, job);
		first = first < 0 ? first : rc;
	}
	return first;
}

int64_t gc_run(struct job *job, void *arg)
{
	bool any[MOVE_TIERS_MAX] = { false };
	struct move *mv = arg;
	char why[FENCE_WHY_SIZE];
	uint32_t gen;
	int rc;

	job_begin(job, 0, 0);
	job_waiting(job, NULL);
	rc = gc_tiers(mv, job, any);
	if (rc > 0 && fence_generation(mv->s.fence, &gen, why) < 0) {
		job_waiting(job, "%s", why);
		return MIN(gc_interval(mv), GC_FENCED_NS);
	}
	if (rc > 0)
		rc = gc_all(mv, job, any);
	return rc < 0 ? rc : gc_interval(mv);
}

/* ---- the start ------------------------------------------------------ */

int gc_intents(struct move *mv, struct err *err)
{
	struct meta_pack *pack = calloc(GC_PAGE, sizeof(*pack));
	int n, i, rc = pack ? 0 : -ENOMEM;

	do {
		META_TXN(t);

		n = 0;
		if (rc == 0)
			rc = meta_begin(mv->m, &t);
		if (rc == 0)
			rc = n = meta_pack_list(&t, META_PACK_INTENT, 0,
						INT64_MAX, pack, GC_PAGE);
		for (i = 0; rc >= 0 && i < n; i++)
			rc = meta_pack_condemn(&t, pack[i].row,
					       clock_wall_ns());
		if (rc >= 0)
			rc = meta_commit(&t, NULL);
	} while (rc == 0 && n == GC_PAGE);
	free(pack);
	return rc < 0 ? fail(err, rc,
			     "cannot take up packs that the last "
			     "process was sending: %m")
		      : 0;
}
