/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait until files are safe in the bucket, or local. What was unprotected when
 * the verb began counts, later changes do not: a busy directory does not
 * keep it waiting for ever. It ends early when the client leaves.
 */
#include "ctl/verbs.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

#define WAIT_POLL_MIN	(20 * NSEC_PER_SEC / 1000)
#define WAIT_POLL_MAX	(200 * NSEC_PER_SEC / 1000)
#define WAIT_URGE	(2 * NSEC_PER_SEC)
#define WAIT_STUCK_LOOK 50 /* looks at nothing but damaged files */

struct wait {
	struct ctl_call *c;
	struct ctl_set set;
	size_t at;	    /* the set's files before are done */
	uint64_t done;	    /* their bytes */
	bool local;	    /* until local */
	int64_t began_wall; /* changes after this do not count */
	int64_t began;	    /* boot time */
	int64_t urged;	    /* boot time of the last move_protect_now() */
	int stuck;
};

static void wait_done(struct wait *w)
{
	ctl_set_done(&w->set);
}

static bool wait_want_dirty(const struct meta_inode *in)
{
	return in->state == META_DIRTY;
}

static bool wait_want_absent(const struct meta_inode *in)
{
	return in->state != META_DIRTY && in->state != META_LOCAL;
}

/* 1 when the file is what was waited for (or gone), 0 not yet, -errno. */
static int wait_file(struct wait *w, uint64_t ino)
{
	struct meta_inode in;
	int rc = ctl_inode(w->c, ino, &in);

	if (rc == -ENOENT)
		return 1;
	if (rc < 0)
		return rc;
	if (in.damaged)
		return fail(&w->c->err, -EIO,
			    "inode %" PRIu64 " is damaged: it cannot become %s",
			    ino, w->local ? "local" : "protected");
	if (w->local)
		return in.state == META_LOCAL || in.state == META_DIRTY;
	return in.state != META_DIRTY || in.dirty_ns > w->began_wall;
}

/* Why it still waits, for the progress line. */
static json_t *wait_reason(const struct wait *w)
{
	struct job_info job[32];
	size_t n = MIN(move_jobs(w->c->w->move, job, 32), (size_t)32), i;

	for (i = 0; i < n; i++)
		if (strcmp(job[i].name, "protect") == 0)
			return proto_text(job[i].waiting_for[0]
						  ? job[i].waiting_for
						  : job[i].last_error);
	return json_null();
}

static int wait_progress(struct wait *w, uint64_t files, uint64_t bytes,
			 uint64_t total_files, uint64_t total_bytes)
{
	return ctl_progress(w->c,
			    json_pack("{s:o, s:o, s:o, s:o, s:o}", "files",
				      proto_count(files), "bytes",
				      proto_count(bytes), "total_files",
				      proto_count(total_files), "total_bytes",
				      proto_count(total_bytes), "waiting_for",
				      w->local ? json_null() : wait_reason(w)));
}

/*
 * Sizes and times of closed files reach their rows now, not within a second.
 * A file whose flush fails is damaged then, and found so.
 */
static void wait_flush(const struct wait *w)
{
	int rc = cache_flush(w->c->w->cache);

	if (rc < 0)
		log_warn("wait: flush of closed files: %s", strerror(-rc));
}

/* Asks again now and then: a file may have been closed meanwhile. */
static void wait_urge(struct wait *w, uint64_t ino)
{
	int64_t now = clock_boot_ns();

	if (w->local || now - w->urged < WAIT_URGE)
		return;
	w->urged = now;
	wait_flush(w);
	move_protect_now(w->c->w->move, ino);
}

/* ---- named files ---------------------------------------------------- */

static int wait_set_step(struct wait *w)
{
	int rc = 1;

	while (w->at < w->set.n && rc == 1) {
		rc = wait_file(w, w->set.item[w->at].ino);
		if (rc == 1)
			w->done += w->set.item[w->at++].bytes;
	}
	if (rc < 0 || w->at == w->set.n)
		return rc;
	wait_urge(w, w->set.item[w->at].ino);
	rc = wait_progress(w, w->at, w->done, w->set.n, w->set.bytes);
	return rc < 0 ? rc : 0;
}

/* ---- everything ----------------------------------------------------- */

static int wait_totals(const struct wait *w, struct meta_totals *out)
{
	META_TXN(t);
	int rc = meta_read(w->c->w->meta, &t);

	return rc < 0 ? rc : meta_totals(&t, out);
}

/* 1 when protect has or may get something to do, 0 when it has not. */
static int wait_hope(const struct wait *w)
{
	struct meta_todo todo;
	uint64_t ino;
	META_TXN(t);
	int rc = meta_read(w->c->w->meta, &t);

	if (rc < 0)
		return rc;
	rc = meta_protectable(&t, 0, INT64_MAX, NULL, &todo, 1);
	if (rc == 0)
		rc = meta_opened(&t, 0, &ino, 1);
	return rc;
}

/* Damaged files are never protected: waiting for them would never end. */
static int wait_check_stuck(struct wait *w, const struct meta_totals *now)
{
	int rc = now->damaged ? wait_hope(w) : 1;

	if (rc < 0)
		return rc;
	w->stuck = rc ? 0 : w->stuck + 1;
	if (w->stuck < WAIT_STUCK_LOOK)
		return 0;
	return fail(&w->c->err, -EIO,
		    "%" PRIu64 " files are damaged and cannot be protected",
		    now->damaged);
}

static int wait_all_step(struct wait *w, const struct meta_totals *first)
{
	struct meta_totals now;
	uint64_t files, bytes;
	int rc = wait_totals(w, &now);

	if (rc < 0)
		return rc;
	if (!now.oldest_dirty_ns || now.oldest_dirty_ns > w->began_wall)
		return 1;
	rc = wait_check_stuck(w, &now);
	if (rc < 0)
		return rc;
	wait_urge(w, 0);
	files = first->dirty_files - MIN(now.dirty_files, first->dirty_files);
	bytes = first->dirty_bytes - MIN(now.dirty_bytes, first->dirty_bytes);
	rc = wait_progress(w, files, bytes, first->dirty_files,
			   first->dirty_bytes);
	return rc < 0 ? rc : 0;
}

/* ---- the verb ------------------------------------------------------- */

/* `all` waits by the totals: no walk through millions of names. */
static int wait_run(struct wait *w, const struct meta_totals *all)
{
	int64_t pause = WAIT_POLL_MIN;
	int rc;

	for (;;) {
		rc = all ? wait_all_step(w, all) : wait_set_step(w);
		if (rc)
			return MIN(rc, 0);
		if (ctl_gone(w->c))
			return -EINTR;
		clock_sleep_ns(pause);
		pause = MIN(2 * pause, WAIT_POLL_MAX);
	}
}

static int wait_set(struct wait *w)
{
	size_t i;
	int rc = ctl_collect(
		w->c, w->local ? wait_want_absent : wait_want_dirty, &w->set);

	for (i = 0; rc == 0 && i + 1 < w->set.n && !w->local; i++)
		move_protect_wish(w->c->w->move, w->set.item[i].ino);
	if (rc == 0 && i < w->set.n && !w->local)
		move_protect_now(w->c->w->move, w->set.item[i].ino);
	w->urged = clock_boot_ns();
	return rc < 0 ? rc : wait_run(w, NULL);
}

static int wait_all(struct wait *w, struct meta_totals *first)
{
	int rc = wait_totals(w, first);

	return rc < 0 ? rc : wait_run(w, first);
}

static int wait_until(struct wait *w)
{
	const char *until = ctl_text(w->c, "until");

	if (until && strcmp(until, "protected") != 0 &&
	    strcmp(until, "local") != 0)
		return fail(&w->c->err, -EINVAL,
			    "cannot wait until '%s': it is protected or local",
			    until);
	w->local = until && strcmp(until, "local") == 0;
	return 0;
}

int ctl_verb_wait(struct ctl_call *c, json_t *result)
{
	CLEANUP(wait_done)
	struct wait w = { .c = c,
			  .began_wall = clock_wall_ns(),
			  .began = clock_boot_ns() };
	struct meta_totals first = { 0 };
	bool all = ctl_flag(c, "all");
	int rc = wait_until(&w);

	if (rc == 0 && !w.local)
		wait_flush(&w);
	if (rc == 0)
		rc = all && !w.local ? wait_all(&w, &first) : wait_set(&w);
	all = all && !w.local;
	if (rc == 0)
		rc = proto_set(result, "files",
			       proto_count(all ? first.dirty_files : w.set.n));
	if (rc == 0)
		rc = proto_set(
			result, "bytes",
			proto_count(all ? first.dirty_bytes : w.set.bytes));
	if (rc == 0)
		rc = proto_set(result, "seconds",
			       json_integer((clock_boot_ns() - w.began) /
					    NSEC_PER_SEC));
	return rc;
}
