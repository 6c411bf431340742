/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what is said to alarms.
 *
 * Locks: save_lock (one writer at a time; held over the transaction) before
 * lock (a leaf: no I/O under it).
 */
#include "alarm/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define ALARMS_VALUE "alarms"
#define CLEAR_MAX    (60 * NSEC_PER_SEC)
#define LOADED_NS    (60 * NSEC_PER_SEC)
#define HOUR	     (3600 * NSEC_PER_SEC)

struct alarms {
	struct meta *m;
	int (*tell)(void *arg, const struct alarm *alarm);
	void *tell_arg;

	int (*look)(void *arg);
	void *look_arg;

	pthread_mutex_t save_lock;

	pthread_mutex_t lock; /* guards all below */
	struct job *job;
	int64_t after_ns[ALARM_CODES];
	struct alarm_signal signal[ALARM_SIGNALS];
	size_t n_signals;
	bool full; /* that was said */
	struct alarm_book book;
	bool dirty; /* the book is not written down */
};

/* ---- signals -------------------------------------------------------- */

static struct alarm_signal *
signal_find_locked(struct alarms *a, enum alarm_code code, const char *subject)
{
	size_t i;

	for (i = 0; i < a->n_signals; i++)
		if (a->signal[i].code == code &&
		    strcmp(a->signal[i].subject, subject) == 0)
			return &a->signal[i];
	return NULL;
}

/* NULL: there are too many, which a line in the log says once. */
static struct alarm_signal *
signal_new_locked(struct alarms *a, enum alarm_code code, const char *subject)
{
	struct alarm_signal *s = &a->signal[a->n_signals];

	if (a->n_signals == ALARM_SIGNALS) {
		if (!a->full)
			log_err("too many things may need a person: an alarm "
				"'%s' is not raised",
				alarm_kinds[code].name);
		a->full = true;
		return NULL;
	}
	a->n_signals++;
	*s = (struct alarm_signal){ .code = code, .since_ns = clock_boot_ns() };
	snprintf(s->subject, sizeof(s->subject), "%s", subject);
	return s;
}

/* One line of it, for the book and for terminals. */
static void clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = ' ';
}

static void signal_put_locked(struct alarms *a, enum alarm_code code,
			      const char *subject, enum alarm_sign sign,
			      const char *message)
{
	struct alarm_signal *s = signal_find_locked(a, code, subject);
	bool on = sign == ALARM_ON;

	if (!s && on)
		s = signal_new_locked(a, code, subject);
	if (!s)
		return;
	s->loaded = false;
	if (sign == ALARM_KEEP)
		return;
	if (s->on != on)
		s->since_ns = clock_boot_ns();
	s->on = on;
	if (on)
		snprintf(s->message, sizeof(s->message), "%s", message);
}

void alarms_set(struct alarms *a, enum alarm_code code, const char *subject,
		enum alarm_sign sign, const char *fmt, ...)
{
	char message[256] = "";
	va_list ap;

	if (sign == ALARM_ON) {
		va_start(ap, fmt);
		vsnprintf(message, sizeof(message), fmt, ap);
		va_end(ap);
		clean(message);
	}
	LOCK_SCOPE(&a->lock);
	signal_put_locked(a, code, subject ? subject : "", sign, message);
}

void alarms_after(struct alarms *a, enum alarm_code code, int64_t ns)
{
	LOCK_SCOPE(&a->lock);
	a->after_ns[code] = ns;
}

/* ---- raising and clearing ------------------------------------------- */

static struct alarm_record *record_active_locked(struct alarms *a,
						 const struct alarm_signal *s)
{
	size_t i;

	for (i = 0; i < a->book.n; i++) {
		struct alarm *of = &a->book.rec[i].a;

		if (!of->cleared_ns && of->code == s->code &&
		    strcmp(of->subject, s->subject) == 0)
			return &a->book.rec[i];
	}
	return NULL;
}

/* Forgets the oldest that was cleared. Signals are fewer than places. */
static void record_forget_locked(struct alarms *a)
{
	struct alarm_book *b = &a->book;
	size_t i;

	for (i = 0; i < b->n && !b->rec[i].a.cleared_ns; i++)
		;
	if (i == b->n)
		return;
	memmove(&b->rec[i], &b->rec[i + 1], (b->n - i - 1) * sizeof(b->rec[0]));
	b->n--;
}

static void raise_locked(struct alarms *a, const struct alarm_signal *s)
{
	struct alarm_record *r;

	if (a->book.n == ALARMS_MAX)
		record_forget_locked(a);
	r = &a->book.rec[a->book.n++];
	*r = (struct alarm_record){ .a = { .id = a->book.next_id++,
					   .code = s->code,
					   .raised_ns = clock_wall_ns() } };
	memcpy(r->a.subject, s->subject, sizeof(s->subject));
	memcpy(r->a.message, s->message, sizeof(s->message));
	a->dirty = true;
}

static void judge_locked(struct alarms *a, struct alarm_signal *s, int64_t now)
{
	struct alarm_record *r = record_active_locked(a, s);
	int64_t after = a->after_ns[s->code], lasts = now - s->since_ns;

	if (s->loaded && lasts >= LOADED_NS)
		s->on = s->loaded = false;
	if (s->on && r) {
		memcpy(r->a.message, s->message, sizeof(s->message));
	} else if (s->on && lasts >= after) {
		raise_locked(a, s);
	} else if (!s->on && r && lasts >= MIN(after, CLEAR_MAX)) {
		r->a.cleared_ns = clock_wall_ns();
		a->dirty = true;
	}
}

/* The restarts that are known are the latest. */
static void judge_restarts_locked(struct alarms *a)
{
	int64_t hour_ago = clock_wall_ns() - HOUR;
	const int64_t *at = a->book.restart;
	enum alarm_sign sign = ALARM_KEEP;
	char message[64];

	if (at[ALARM_RESTARTS - 1] > hour_ago)
		sign = ALARM_ON;
	else if (at[0] <= hour_ago)
		sign = ALARM_OFF;
	snprintf(message, sizeof(message),
		 "the worker was started again %d times within an hour",
		 ALARM_RESTARTS);
	signal_put_locked(a, ALARM_WORKER_RESTARTS, "", sign, message);
}

static void judge_all(struct alarms *a)
{
	int64_t now;
	size_t i;

	LOCK_SCOPE(&a->lock);
	judge_restarts_locked(a);
	now = clock_boot_ns(); /* nothing was said later */
	for (i = 0; i < a->n_signals; i++)
		judge_locked(a, &a->signal[i], now);
}

void alarms_restarted(struct alarms *a)
{
	int64_t *at = a->book.restart;

	LOCK_SCOPE(&a->lock);
	memmove(at + 1, at, (ALARM_RESTARTS - 1) * sizeof(*at));
	at[0] = clock_wall_ns();
	a->dirty = true;
}

/* ---- writing down and telling --------------------------------------- */

/* Takes the book as text. 1, 0 when it is written down already, -ENOMEM. */
static int book_take(struct alarms *a, struct buf *text)
{
	int rc;

	LOCK_SCOPE(&a->lock);
	if (!a->dirty)
		return 0;
	rc = book_write(&a->book, text);
	if (rc < 0)
		return rc;
	a->dirty = false;
	return 1;
}

static int book_store(struct meta *m, const struct buf *text)
{
	uint64_t seq = 0;
	META_TXN(t);
	int rc = meta_begin(m, &t);

	if (rc == 0)
		rc = meta_value_set(&t, ALARMS_VALUE, text->data, text->len);
	if (rc == 0)
		rc = meta_commit(&t, &seq);
	return rc < 0 ? rc : meta_durable(m, seq); /* ids never come back */
}

static int save(struct alarms *a)
{
	CLEANUP_BUF struct buf text = { 0 };
	int rc;

	LOCK_SCOPE(&a->save_lock);
	rc = book_take(a, &text);
	if (rc <= 0)
		return rc;
	rc = book_store(a->m, &text);
	if (rc < 0) {
		LOCK_SCOPE(&a->lock);
		a->dirty = true;
	}
	return rc;
}

/* What is to be told next: as it was raised, then as it was cleared. */
static bool untold(struct alarms *a, struct alarm *out)
{
	size_t i;

	LOCK_SCOPE(&a->lock);
	for (i = 0; i < a->book.n; i++) {
		const struct alarm_record *r = &a->book.rec[i];

		*out = r->a;
		if (!r->told_raised)
			out->cleared_ns = 0;
		if (!r->told_raised || (r->a.cleared_ns && !r->told_cleared))
			return true;
	}
	return false;
}

static void told(struct alarms *a, const struct alarm *of)
{
	size_t i;

	LOCK_SCOPE(&a->lock);
	for (i = 0; i < a->book.n; i++) {
		struct alarm_record *r = &a->book.rec[i];

		if (r->a.id != of->id)
			continue;
		*(of->cleared_ns ? &r->told_cleared : &r->told_raised) = true;
		a->dirty = true;
	}
}

static void log_alarm(const struct alarm *of)
{
	const char *name = alarm_kinds[of->code].name;

	if (of->cleared_ns)
		log_info("alarm %" PRIu64 " (%s) is cleared: %s", of->id, name,
			 of->message);
	else
		log_warn("alarm %" PRIu64 " (%s): %s", of->id, name,
			 of->message);
}

static int tell_all(struct alarms *a)
{
	struct alarm next;

	while (untold(a, &next)) {
		int rc = a->tell ? a->tell(a->tell_arg, &next) : 0;

		if (rc < 0)
			return rc;
		log_alarm(&next);
		told(a, &next);
	}
	return 0;
}

int alarms_tick(struct alarms *a)
{
	int rc, end;

	judge_all(a);
	rc = save(a); /* what is told is written down */
	if (rc < 0)
		return rc;
	rc = tell_all(a);
	end = save(a);
	return rc < 0 ? rc : end;
}

/* ---- looking and acknowledging -------------------------------------- */

static size_t list_locked(const struct alarms *a, bool active,
			  struct alarm *out, size_t n, size_t max)
{
	size_t i;

	for (i = a->book.n; i-- > 0;) {
		const struct alarm *of = &a->book.rec[i].a;

		if (!of->cleared_ns != active)
			continue;
		if (n < max)
			out[n] = *of;
		n++;
	}
	return n;
}

size_t alarms_list(struct alarms *a, struct alarm *out, size_t max)
{
	LOCK_SCOPE(&a->lock);
	return list_locked(a, false, out, list_locked(a, true, out, 0, max),
			   max);
}

static int ack(struct alarms *a, uint64_t id, const char *who,
	       struct alarm *out)
{
	size_t i;

	LOCK_SCOPE(&a->lock);
	for (i = 0; i < a->book.n && a->book.rec[i].a.id != id; i++)
		;
	if (i == a->book.n)
		return -ENOENT;
	if (!a->book.rec[i].a.acked_ns) {
		struct alarm *of = &a->book.rec[i].a;

		of->acked_ns = clock_wall_ns();
		snprintf(of->acked_by, sizeof(of->acked_by), "%s", who);
		clean(of->acked_by);
		a->dirty = true;
	}
	*out = a->book.rec[i].a;
	return 0;
}

int alarms_ack(struct alarms *a, uint64_t id, const char *who,
	       struct alarm *out)
{
	int rc = ack(a, id, who, out);

	return rc < 0 ? rc : save(a);
}

/* ---- the job -------------------------------------------------------- */

static int64_t watch_run(struct job *job, void *arg)
{
	struct alarms *a = arg;
	int looked = a->look(a->look_arg), rc = alarms_tick(a);

	if (looked < 0)
		rc = looked;
	if (rc == -EAGAIN)
		job_error(job, "too many alarms wait for alarm_command");
	return rc < 0 ? rc : NSEC_PER_SEC;
}

int alarms_watch(struct alarms *a, int (*look)(void *arg), void *arg)
{
	a->look = look;
	a->look_arg = arg;
	/* Its first look, at once, is at all jobs: this one, too. */
	LOCK_SCOPE(&a->lock);
	a->job = job_start("alarms", watch_run, a);
	return a->job ? 0 : -errno;
}

void alarms_unwatch(struct alarms *a)
{
	job_stop(a->job); /* it may be waiting for the lock */
	LOCK_SCOPE(&a->lock);
	a->job = NULL;
}

bool alarms_job(struct alarms *a, struct job_info *out)
{
	struct job *job;

	pthread_mutex_lock(&a->lock);
	job = a->job;
	pthread_mutex_unlock(&a->lock);
	if (job)
		job_get(job, out);
	return job;
}

/* ---- life ----------------------------------------------------------- */

/* Who watches says whether it still is so, or it ends by itself. */
static void load_signals(struct alarms *a)
{
	size_t i;

	for (i = 0; i < a->book.n; i++) {
		const struct alarm *of = &a->book.rec[i].a;
		struct alarm_signal *s;

		if (of->cleared_ns ||
		    signal_find_locked(a, of->code, of->subject))
			continue;
		s = signal_new_locked(a, of->code, of->subject);
		if (!s)
			return;
		s->on = s->loaded = true;
		memcpy(s->message, of->message, sizeof(of->message));
	}
}

static int load(struct alarms *a)
{
	CLEANUP_BUF struct buf text = { 0 };
	META_TXN(t);
	int rc = meta_read(a->m, &t);

	a->book.next_id = 1;
	if (rc == 0)
		rc = meta_value_get(&t, ALARMS_VALUE, &text);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && !buf_str(&text))
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	book_read(&a->book, (char *)text.data);
	load_signals(a);
	return 0;
}

int alarms_open(struct meta *m, struct alarms **out, struct err *err)
{
	struct alarms *a = calloc(1, sizeof(*a));
	int i, rc;

	if (!a)
		return fail(err, -ENOMEM, "%m");
	a->m = m;
	pthread_mutex_init(&a->save_lock, NULL);
	pthread_mutex_init(&a->lock, NULL);
	for (i = 0; i < ALARM_CODES; i++)
		a->after_ns[i] = alarm_kinds[i].after_ns;
	rc = load(a);
	if (rc < 0) {
		alarms_close(a);
		return fail(err, rc, "cannot read the alarms: %m");
	}
	*out = a;
	return 0;
}

void alarms_on_change(struct alarms *a,
		      int (*tell)(void *arg, const struct alarm *alarm),
		      void *arg)
{
	a->tell = tell;
	a->tell_arg = arg;
}

void alarms_close(struct alarms *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	pthread_mutex_destroy(&a->save_lock);
	free(a);
}
