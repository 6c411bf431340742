/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protect: settled files go into packs, the oldest first, with those of the
 * same group that have settled too: of its study, wherever they lie, else of
 * its directory. A group that is still being filled is held back until it
 * fills a pack, or nothing came for a settle time, or PROTECT_HOLD of them
 * have passed since its last pack: else a study that arrives slice by slice
 * would become an object for each slice. A pack holds one study and nothing
 * else; a directory that does not make half a pack is joined by the next
 * oldest, so that many small ones do not become an object each. One
 * stream at a time chooses files, so that a group is not cut up between them;
 * all read, seal and send beside each other.
 */
#include "move/impl.h"

#include <string.h>

#include "base/log.h"

#define PROTECT_PAGE	 64
#define PROTECT_BUSY_NS	 NSEC_PER_SEC /* look again for files in use */
#define PROTECT_PAUSE_NS (NSEC_PER_SEC / 10)
#define PROTECT_HOLD	 4 /* settle times */
#define PROTECT_GROUPS	 64
#define GROUP_STUDY	 (1ULL << 63) /* and its row; else a directory */

/* ---- at once, please ------------------------------------------------ */

void move_protect_wish(struct move *mv, uint64_t ino)
{
	LOCK_SCOPE(&mv->now.lock);
	if (ino == 0 || mv->now.n == MOVE_NOW_MAX)
		mv->now.all = true;
	else
		mv->now.ino[mv->now.n++] = ino;
}

void move_protect_now(struct move *mv, uint64_t ino)
{
	unsigned i;

	move_protect_wish(mv, ino);
	for (i = 0; i < mv->streams; i++)
		move_wake(mv, &mv->stream[i].job);
}

/* A stream that rests after an error is not woken: who asks again and again,
 * as the streams ask each other, must not make it try again and again. */
void protect_ask(struct move *mv)
{
	unsigned i;

	for (i = 0; i < mv->streams; i++)
		move_wake_in(mv, &mv->stream[i].job, 0);
}

void protect_hurry(struct move *mv)
{
	move_protect_wish(mv, 0);
	protect_ask(mv);
}

/* What was asked for, and forgets it. */
struct wish {
	bool all;
	unsigned n;
	uint64_t ino[MOVE_NOW_MAX];
};

static void wish_take(struct move *mv, struct wish *w)
{
	LOCK_SCOPE(&mv->now.lock);
	w->all = mv->now.all;
	w->n = mv->now.n;
	memcpy(w->ino, mv->now.ino, w->n * sizeof(w->ino[0]));
	mv->now.all = false;
	mv->now.n = 0;
}

/* ---- choosing ------------------------------------------------------- */

struct groups {
	unsigned n;
	uint64_t id[PROTECT_GROUPS];
};

struct choice {
	struct move *mv;
	struct parcel *p;
	uint64_t bytes, room; /* of the files so far; of the pack */
	int64_t before_ns;
	bool at_once;	    /* nothing is held back */
	bool busy;	    /* some were in use, or held back */
	struct groups held; /* are held back */
	struct groups done; /* have nothing more for this pack */
};

static uint64_t todo_group(const struct meta_todo *todo)
{
	return todo->at.study ? GROUP_STUDY | todo->at.study : todo->parent;
}

static int choose_page(struct choice *ch, uint64_t parent,
		       const struct meta_todo *after, struct meta_todo *todo)
{
	META_TXN(t);
	int rc = meta_look(ch->mv->m, &t);

	return rc < 0 ? rc
		      : meta_protectable(&t, parent, ch->before_ns, after, todo,
					 PROTECT_PAGE);
}

static bool choose_fits(const struct choice *ch, uint64_t size)
{
	return ch->p->n == 0 || ch->bytes + size <= ch->room;
}

/* 1: taken or passed over; 0: the pack is full. */
static int choose_file(struct choice *ch, uint64_t ino, uint64_t size)
{
	struct parcel *p = ch->p;
	int rc;

	if (p->n == MOVE_ITEMS_MAX || !choose_fits(ch, size) ||
	    (p->n > 0 && atomic_load(&ch->mv->leases) >= MOVE_LEASES_MAX))
		return 0;
	if (p->n > 0 && size > ch->mv->o.object_size)
		return 1;
	rc = parcel_add(ch->mv, p, ino);
	if (rc == -EBUSY)
		ch->busy = true;
	if (rc == -EMFILE || rc == -ENFILE)
		return p->n > 0 ? 0 : rc;
	if (rc < 0) /* damage was logged; what is gone needs nothing */
		return rc == -EBUSY || rc == -EIO || rc == -ENOENT ? 1 : rc;
	size = p->item[p->n - 1].seal.size;
	if (size > ch->mv->o.object_size) {
		if (p->n == 1)
			return 0; /* alone */
		parcel_drop_last(p);
		return 1;
	}
	ch->bytes += size;
	return 1;
}

/* Goes on in one directory until the pack is full. */
static int choose_mates(struct choice *ch, uint64_t parent, uint64_t first)
{
	struct meta_todo todo[PROTECT_PAGE], after = { .dirty_ns = INT64_MIN };
	int n, i, rc = 1;

	do {
		n = choose_page(ch, parent, &after, todo);
		for (i = 0; rc == 1 && i < n; i++)
			if (todo[i].ino != first)
				rc = choose_file(ch, todo[i].ino, todo[i].size);
		if (n > 0)
			after = todo[n - 1];
	} while (rc == 1 && n == PROTECT_PAGE);
	return n < 0 ? n : rc;
}

static int choose_study_page(struct choice *ch, uint64_t study,
			     const struct meta_todo *after,
			     struct meta_todo *todo)
{
	META_TXN(t);
	int rc = meta_look(ch->mv->m, &t);

	return rc < 0 ? rc
		      : meta_protectable_study(&t, study, ch->before_ns, after,
					       todo, PROTECT_PAGE);
}

/* From the first file of the study on until the pack is full. */
static int choose_study(struct choice *ch, uint64_t study)
{
	struct meta_todo todo[PROTECT_PAGE], after, *last = NULL;
	int n, i, rc = 1;

	do {
		n = choose_study_page(ch, study, last, todo);
		for (i = 0; rc == 1 && i < n; i++)
			rc = choose_file(ch, todo[i].ino, todo[i].size);
		if (n > 0) {
			after = todo[n - 1];
			last = &after;
		}
	} while (rc == 1 && n == PROTECT_PAGE);
	return n < 0 ? n : rc;
}

/* Did the group get a pack less than PROTECT_HOLD settle times ago? */
static bool packed_lately(const struct move *mv, uint64_t group)
{
	int64_t since = clock_boot_ns() - PROTECT_HOLD * mv->o.settle_ns;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(mv->packed); i++)
		if (mv->packed[i].group == group)
			return mv->packed[i].boot_ns > since;
	return false;
}

/* Remembers it, in the place of the one longest ago. */
static void packed_note(struct move *mv, uint64_t group)
{
	unsigned i, old = 0;

	for (i = 0; i < ARRAY_SIZE(mv->packed); i++) {
		if (mv->packed[i].group == group) {
			old = i;
			break;
		}
		if (mv->packed[i].boot_ns < mv->packed[old].boot_ns)
			old = i;
	}
	mv->packed[old].group = group;
	mv->packed[old].boot_ns = clock_boot_ns();
}

static bool groups_have(const struct groups *g, uint64_t id)
{
	unsigned i;

	for (i = 0; i < g->n; i++)
		if (g->id[i] == id)
			return true;
	return false;
}

/* False when no more can be remembered. */
static bool groups_add(struct groups *g, uint64_t id)
{
	if (g->n == PROTECT_GROUPS)
		return false;
	g->id[g->n++] = id;
	return true;
}

static int choose_fills(const struct choice *ch, const struct meta_todo *todo)
{
	const uint64_t bytes = ch->mv->o.object_size;
	META_TXN(t);
	int rc = meta_look(ch->mv->m, &t);

	if (rc < 0)
		return rc;
	return todo->at.study
		       ? meta_study_fills(&t, todo->at.study, ch->before_ns,
					  bytes, MOVE_ITEMS_MAX)
		       : meta_directory_fills(&t, todo->parent, ch->before_ns,
					      bytes, MOVE_ITEMS_MAX);
}

/* 1: its group is still being filled; 0: take it. */
static int choose_hold(struct choice *ch, const struct meta_todo *todo)
{
	const struct move_opts *o = &ch->mv->o;
	uint64_t group = todo_group(todo);
	int rc;

	if (ch->at_once || !group || todo->size >= o->object_size ||
	    (todo->settle_ns < ch->before_ns - PROTECT_HOLD * o->settle_ns &&
	     !packed_lately(ch->mv, group)))
		return 0;
	if (groups_have(&ch->held, group))
		return 1;
	rc = choose_fills(ch, todo);
	if (rc != 1 || !groups_add(&ch->held, group))
		return MIN(rc, 0);
	ch->busy = true;
	return 1;
}

/* Is there room in a pack of documents for those of another directory? */
static bool choice_joins(const struct choice *ch)
{
	return ch->p->n < MOVE_ITEMS_MAX / 2 && ch->bytes < ch->room / 2;
}

/* The first group of a pack: all that there is of it. */
static int choose_group(struct choice *ch, const struct meta_todo *todo)
{
	int rc;

	if (todo->at.study) {
		rc = choose_study(ch, todo->at.study);
	} else {
		rc = choose_file(ch, todo->ino, todo->size);
		if (rc == 1 && ch->p->n > 0 && todo->parent)
			rc = choose_mates(ch, todo->parent, todo->ino);
	}
	if (rc != 1)
		return rc;
	if (ch->p->n > 0 && (todo->at.study || !choice_joins(ch)))
		return 0;
	/* Those of a directory were all in use? Each is tried by itself. */
	if (ch->p->n > 0 || todo->at.study)
		groups_add(&ch->done, todo_group(todo));
	return 1;
}

/* 1: the pack takes more. */
static int choose_next(struct choice *ch, const struct meta_todo *todo)
{
	size_t had = ch->p->n;
	int rc;

	if (groups_have(&ch->done, todo_group(todo)) ||
	    (had > 0 && todo->at.study))
		return 1;
	rc = choose_hold(ch, todo);
	if (rc != 0)
		return rc;
	rc = had > 0 ? choose_file(ch, todo->ino, todo->size)
		     : choose_group(ch, todo);
	if (ch->p->n > had)
		packed_note(ch->mv, todo_group(todo));
	return rc;
}

/* The oldest that can be had, with its group; and what joins it. */
static int choose_oldest(struct choice *ch)
{
	struct meta_todo todo[PROTECT_PAGE], after = { .dirty_ns = INT64_MIN };
	int n, i, rc = 1;

	do {
		n = choose_page(ch, 0, &after, todo);
		for (i = 0; rc == 1 && i < n; i++)
			rc = choose_next(ch, &todo[i]);
		if (n > 0)
			after = todo[n - 1];
	} while (rc == 1 && n == PROTECT_PAGE);
	return n < 0 ? n : MIN(rc, 0);
}

static int choose_wish(struct choice *ch, uint64_t ino)
{
	struct meta_inode row;
	int rc = meta_inode_find(ch->mv->m, ino, &row);

	if (rc < 0)
		return rc == -ENOENT ? 1 : rc;
	if (row.state != META_DIRTY || row.nlink == 0)
		return 1;
	return choose_file(ch, ino, row.size);
}

static bool choice_has(const struct choice *ch, uint64_t ino)
{
	return ch->p->n > 0 &&
	       cache_ino(ch->p->item[ch->p->n - 1].seal.f) == ino;
}

struct wanted {
	uint64_t ino;
	struct meta_instance at;
	unsigned asked; /* which it was */
};

/* Those of a study together and in its order, others as they were asked. */
static int wanted_order(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->at.study != y->at.study)
		return x->at.study < y->at.study ? -1 : 1;
	if (x->at.series != y->at.series)
		return x->at.series < y->at.series ? -1 : 1;
	if (x->at.number != y->at.number)
		return x->at.number < y->at.number ? -1 : 1;
	return x->asked < y->asked ? -1 : 1;
}

static int wanted_look(struct choice *ch, const struct wish *w,
		       struct wanted *out)
{
	META_TXN(t);
	int rc = meta_look(ch->mv->m, &t);
	unsigned i;

	for (i = 0; rc == 0 && i < w->n; i++) {
		out[i].ino = w->ino[i];
		out[i].asked = i;
		rc = meta_instance_get(&t, w->ino[i], &out[i].at);
		if (rc == -ENODATA || rc == -ENOENT)
			rc = 0;
	}
	if (rc == 0)
		qsort(out, w->n, sizeof(*out), wanted_order);
	return rc;
}

/* Those that did not fit, and of other studies, wait for the next round. */
static int choose_wishes(struct choice *ch, const struct wish *w)
{
	CLEANUP_FREE struct wanted *want = calloc(w->n, sizeof(*want));
	unsigned i = 0;
	int rc = want ? wanted_look(ch, w, want) : -ENOMEM;

	if (rc < 0)
		return rc;
	for (rc = 1; rc == 1 && i < w->n; i++) {
		if (ch->p->n > 0 && want[i].at.study != want[i - 1].at.study)
			break;
		rc = choose_wish(ch, want[i].ino);
	}
	if (rc == 0 && !choice_has(ch, want[i - 1].ino))
		i--;
	if (i == w->n)
		return rc;
	for (; i < w->n; i++)
		move_protect_wish(ch->mv, want[i].ino);
	protect_ask(ch->mv);
	return rc;
}

/* Wishes first. */
static int choose(struct choice *ch, const struct wish *w)
{
	int rc = w->n ? choose_wishes(ch, w) : 0;

	return rc < 0 || ch->p->n > 0 ? MIN(rc, 0) : choose_oldest(ch);
}

/* ---- sending -------------------------------------------------------- */

int protect_send(struct move *mv, struct job *job, struct parcel *p)
{
	int rc, undo;

	if (p->item[0].seal.size > mv->o.object_size)
		rc = large_protect(mv, job, p);
	else
		rc = seal_parcel(mv, job, p);
	if (rc == 0)
		rc = send_commit(mv, job, p);
	if (rc >= 0 || p->packs == 0)
		return rc;
	undo = send_abandon(mv, p);
	if (undo < 0) /* the next start condemns them */
		log_warn("protect: cannot condemn %zu packs: %s", p->packs,
			 errno_name(-undo));
	return rc;
}

/* ---- the job -------------------------------------------------------- */

/*
 * Which files have settled: those closed before *before_ns. 1, or 0 when
 * there are none, so that nobody looks through all that is dirty.
 */
static int protect_before(struct move *mv, bool all, int64_t *before_ns)
{
	int64_t settle = 0, now = clock_wall_ns();
	META_TXN(t);
	int rc;

	*before_ns = INT64_MAX;
	if (all)
		return 1;
	*before_ns = now - mv->o.settle_ns;
	rc = meta_read(mv->m, &t);
	if (rc == 0)
		rc = meta_next_settle(&t, &settle);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* A close in the future: the clock was set back. Not a reason to
	 * leave files unprotected until it comes. */
	if (settle > now)
		*before_ns = settle + 1;
	return settle < *before_ns;
}

/* How long until the next file has settled. */
static int64_t protect_next(struct move *mv)
{
	int64_t settle, due;
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	if (rc < 0)
		return rc;
	rc = meta_next_settle(&t, &settle);
	if (rc < 0)
		return rc == -ENOENT ? JOB_IDLE : rc;
	due = settle + mv->o.settle_ns - clock_wall_ns();
	return due > 0 ? due + 1000000 : PROTECT_BUSY_NS;
}

/* Who waits for room gets what can be evicted now. */
static void protect_after(struct move *mv)
{
	struct cache_usage u;

	cache_usage(mv->c, &u);
	if (u.over_high)
		move_wake(mv, &mv->evict);
}

/* There may be work for one more stream, of the same kind. */
static void protect_wake_next(struct stream *st, bool all)
{
	struct move *mv = st->mv;
	struct stream *next = &mv->stream[(st->index + 1) % mv->streams];

	if (next == st)
		return;
	if (all)
		atomic_store(&next->all, true);
	move_wake_in(mv, &next->job, 0);
}

/* Each file that is held is a descriptor: there are not too many. With the
 * build lock held, so that a pack that is begun has room for all its files. */
static int protect_leases(struct move *mv, struct job *job)
{
	while (!job_stopping(job) && !atomic_load(&mv->stopping)) {
		if (atomic_load(&mv->leases) < MOVE_LEASES_MAX / 2)
			return 0;
		clock_sleep_ns(PROTECT_PAUSE_NS / 10);
	}
	return -EINTR;
}

/* One pack, or one large file. > 0: go on; 0: nothing to do. */
static int protect_round(struct stream *st, struct job *job, struct wish *w,
			 bool *busy)
{
	struct move *mv = st->mv;
	CLEANUP(parcel_done) struct parcel p = { 0 };
	struct choice ch = {
		.mv = mv, .p = &p, .room = sealing_room(mv), .at_once = w->all
	};
	int rc = protect_before(mv, w->all, &ch.before_ns);

	*busy = false;
	if (rc < 0 || (rc == 0 && w->n == 0))
		return rc;
	pthread_mutex_lock(&mv->build_lock);
	rc = protect_leases(mv, job);
	if (rc == 0)
		rc = study_read_headers(mv, job);
	if (rc == 0)
		rc = choose(&ch, w);
	pthread_mutex_unlock(&mv->build_lock);
	w->n = 0;
	*busy = ch.busy;
	/* What was closed in between was chosen without its header, and is
	 * not looked at again once it is protected. */
	if (rc >= 0 && p.n > 0)
		rc = study_read_headers(mv, job);
	if (rc < 0 || p.n == 0)
		return rc;
	protect_wake_next(st, w->all);
	rc = protect_send(mv, job, &p);
	protect_after(mv);
	if (rc != -ESTALE)
		return rc < 0 ? rc : 1;
	/* Changed meanwhile: its turn comes again, but not in a hurry. */
	return move_sleep(job, PROTECT_PAUSE_NS) ? -EINTR : 1;
}

static void protect_total(struct move *mv, struct job *job)
{
	struct meta_totals totals;
	META_TXN(t);

	if (meta_read(mv->m, &t) == 0 && meta_totals(&t, &totals) == 0)
		job_begin(job, totals.dirty_files, totals.dirty_bytes);
}

/* Files that were closed a moment ago are flushed first. */
static int protect_wishes(struct stream *st, struct wish *w)
{
	bool had = atomic_exchange(&st->all, false) || w->all;
	struct move *mv = st->mv;
	int rc;

	wish_take(mv, w);
	rc = w->all || w->n > 0 ? cache_flush(mv->c) : 0;
	w->all |= had;
	return rc;
}

static int64_t protect_run_loop(struct stream *st, struct job *job,
				struct wish *w)
{
	struct move *mv = st->mv;
	bool busy = false;
	int rc, helped;

	do {
		helped = large_help(mv, job);
		rc = protect_wishes(st, w);
		if (rc == 0)
			rc = protect_round(st, job, w, &busy);
	} while (rc > 0 || (rc == 0 && helped));
	if (rc == -EINTR)
		return JOB_IDLE;
	if (rc < 0) {
		if (w->all)
			move_protect_wish(mv, 0); /* still wanted */
		return rc;
	}
	return busy ? MIN(PROTECT_BUSY_NS,
			  MAX(mv->o.settle_ns / 4, PROTECT_PAUSE_NS))
		    : protect_next(mv);
}

/* Nothing is sealed that may not be sent: the first stream asks again. */
static bool protect_may(struct move *mv, struct job *job)
{
	char why[FENCE_WHY_SIZE];
	uint32_t gen;

	if (fence_generation(mv->s.fence, &gen, why) == 0) {
		job_waiting(job, NULL);
		return true;
	}
	job_waiting(job, "%s", why);
	return false;
}

int64_t protect_run(struct job *job, void *arg)
{
	struct stream *st = arg;
	struct wish *w;
	int64_t rc;

	if (!protect_may(st->mv, job))
		return st->index == 0 ? NSEC_PER_SEC : JOB_IDLE;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	protect_total(st->mv, job);
	rc = protect_run_loop(st, job, w);
	pack_writers_rest();
	free(w);
	return rc;
}
