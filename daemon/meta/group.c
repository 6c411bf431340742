/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit: changes that arrive together share a transaction.
 *
 * Who wants a change queues it and takes the commit mutex. Whoever gets the
 * mutex runs all that is queued in one transaction and commits; the others
 * find theirs done when their turn comes. So nobody waits for company: alone,
 * a change costs what a transaction costs, and while one is being committed
 * the next group gathers.
 *
 * What fails before it has changed a row has nothing to undo. What fails
 * later takes the transaction down; then each of the group runs again in one
 * of its own.
 */
#include "meta/internal.h"

#define GROUP_MAX 32 /* each may want some ids: META_TXN_IDS for all */

/* Runs one; 1 when the transaction can go on. */
static int group_call(struct meta_txn *t, struct meta_call *c)
{
	unsigned before = t->changes;

	c->rc = c->fn(t, c->arg);
	if (c->rc >= 0 && t->error)
		c->rc = t->error; /* one that it overlooked */
	return c->rc >= 0 || (!t->error && t->changes == before);
}

static void group_alone(struct meta *m, struct meta_call *c)
{
	struct meta_txn t = { 0 };
	int rc = meta_begin_locked(m, &t);

	if (rc < 0) {
		c->rc = rc;
		return;
	}
	if (!group_call(&t, c) || c->rc < 0) {
		meta_abort_locked(&t);
		return;
	}
	rc = meta_commit_locked(&t, &c->seq);
	c->rc = rc < 0 ? rc : c->rc;
}

/* The first one's rc is 0 when all of them are committed. */
static int group_together(struct meta *m, struct meta_call *first)
{
	struct meta_txn t = { 0 };
	struct meta_call *c;
	uint64_t seq = 0;
	int rc = meta_begin_locked(m, &t);

	if (rc < 0)
		return rc;
	for (c = first; c; c = c->next)
		if (!group_call(&t, c)) {
			meta_abort_locked(&t);
			return -ECANCELED;
		}
	rc = meta_commit_locked(&t, &seq);
	for (c = first; c; c = c->next)
		c->seq = seq;
	return rc;
}

static void group_run(struct meta *m, struct meta_call *first)
{
	struct meta_call *c;
	int rc = first->next ? group_together(m, first) : -ECANCELED;

	for (c = first; c; c = c->next)
		if (rc < 0)
			group_alone(m, c);
}

/* The oldest of the queue, GROUP_MAX at most; NULL when it is empty. */
static struct meta_call *group_take(struct meta *m)
{
	struct meta_call *first, **end;
	unsigned n = 0;

	LOCK_SCOPE(&m->calls_lock);
	first = m->calls;
	for (end = &m->calls; *end && n < GROUP_MAX; n++)
		end = &(*end)->next;
	m->calls = *end;
	*end = NULL;
	if (!m->calls)
		m->calls_tail = &m->calls;
	return first;
}

static void group_add(struct meta *m, struct meta_call *c)
{
	LOCK_SCOPE(&m->calls_lock);
	*m->calls_tail = c;
	m->calls_tail = &c->next;
}

static void group_leave(struct meta *m, const struct meta_call *c)
{
	struct meta_call **at;

	LOCK_SCOPE(&m->calls_lock);
	for (at = &m->calls; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	if (!*at)
		m->calls_tail = at;
}

/* One round, with the mutex held; `mine` may be done by somebody else when
 * the mutex had to be given up for new ids. */
static void group_round(struct meta *m, const struct meta_call *mine)
{
	struct meta_call *c, *next;
	int rc = meta_ids_ensure(m);

	if (mine->done)
		return;
	c = group_take(m);
	if (rc == 0)
		group_run(m, c);
	for (; c; c = next) {
		next = c->next; /* it is gone once it is done */
		if (rc < 0)
			c->rc = rc;
		c->done = true;
	}
}

int meta_run(struct meta *m, int (*fn)(struct meta_txn *t, void *arg),
	     void *arg, uint64_t *seq)
{
	struct meta_call mine = { .fn = fn, .arg = arg };
	int rc;

	group_add(m, &mine);
	rc = pthread_mutex_lock(&m->conn.lock);
	if (rc) { /* in a transaction: nobody else can have taken ours */
		group_leave(m, &mine);
		return -rc;
	}
	while (!mine.done)
		group_round(m, &mine);
	meta_unlock(m);
	if (seq)
		*seq = mine.seq;
	return mine.rc;
}
