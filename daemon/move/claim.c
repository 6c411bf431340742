/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims in the bucket. The claim's text is a row, durable, before it is
 * sent, so that after a crash its maker knows it again (S25); and the row
 * says "held", durably, before anything of that generation is written.
 */
#include "move/fence_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"

#define CLAIM_TRIES  8
#define CLAIM_SETTLE (5 * NSEC_PER_SEC)

/* What is known of the bucket's claims, and of ours. */
struct claiming {
	struct fence *f;
	bool take;
	uint32_t newest;	  /* 0 = there is none */
	struct meta_claim row;	  /* our last one; generation 0 = none */
	struct pack_claim holder; /* the newest claim's content */
	bool holder_known;
};

static int claim_fail(struct err *err, int rc, const char *what,
		      const char *key)
{
	const char *said = store_detail();

	return fail(err, rc, "cannot %s '%s' in the bucket: %m%s%s", what, key,
		    *said ? ": " : "", said);
}

/* ---- looking --------------------------------------------------------- */

int claim_newest(struct fence *f, uint32_t after, uint32_t *newest)
{
	char last[STORE_KEY_MAX + 1] = PACK_CLAIM_PREFIX;
	bool more = true;
	uint32_t gen;
	int rc = 0;
	size_t i;

	*newest = after;
	if (after)
		pack_claim_name(after, last);
	while (rc == 0 && more) {
		CLEANUP(store_list_done) struct store_list l = { 0 };

		rc = store_list(f->s, PACK_CLAIM_PREFIX, last, 1000, &l);
		for (i = 0; rc == 0 && i < l.n; i++) {
			gen = pack_name_generation(l.entry[i].key);
			*newest = MAX(*newest, gen);
		}
		more = rc == 0 && l.more && l.n > 0;
		if (more)
			snprintf(last, sizeof(last), "%s",
				 l.entry[l.n - 1].key);
	}
	return rc;
}

/* The bytes of a claim, at most `size`. Count or -errno. */
static ssize_t claim_get(struct fence *f, uint32_t gen, char *out, size_t size)
{
	char key[PACK_CLAIM_NAME_SIZE];
	ssize_t n;

	pack_claim_name(gen, key);
	n = store_get(f->s, key, 0, out, size);
	return n == -ERANGE ? 0 : n; /* empty */
}

int claim_read(struct fence *f, uint32_t gen, struct pack_claim *out)
{
	char text[PACK_CLAIM_MAX];
	ssize_t n = claim_get(f, gen, text, sizeof(text));

	return n < 0 ? (int)n : pack_claim_parse(text, (size_t)n, out);
}

static bool claim_same(const struct meta_claim *row, const char *text,
		       ssize_t n)
{
	return n == (ssize_t)row->len && memcmp(text, row->text, row->len) == 0;
}

/* Was the row's claim made on this machine, for this directory? */
static bool claim_is_here(const struct fence *f, const struct meta_claim *row)
{
	struct pack_claim c;

	return pack_claim_parse(row->text, row->len, &c) == 0 &&
	       memcmp(c.owner, f->owner, sizeof(c.owner)) == 0;
}

/* ---- rows ------------------------------------------------------------ */

static int row_get(struct fence *f, uint32_t gen, struct meta_claim *out)
{
	META_TXN(t);
	int rc = meta_read(f->m, &t);

	if (rc == 0)
		rc = gen ? meta_claim_get(&t, gen, out)
			 : meta_claim_last(&t, out);
	if (rc == -ENOENT)
		memset(out, 0, sizeof(*out));
	return rc == -ENOENT ? 0 : rc;
}

enum row_change { ROW_INTEND, ROW_HELD, ROW_LOST };

/* Durable afterwards. */
static int row_set(struct fence *f, enum row_change what,
		   const struct meta_claim *row)
{
	uint64_t seq = 0;
	META_TXN(t);
	int rc = meta_begin(f->m, &t);

	if (rc < 0)
		return rc;
	switch (what) {
	case ROW_INTEND:
		rc = meta_claim_intend(&t, row);
		break;
	case ROW_HELD:
		rc = meta_claim_held(&t, row->generation, clock_wall_ns());
		break;
	case ROW_LOST:
		rc = meta_claim_lost(&t, row->generation);
	}
	if (rc == 0)
		rc = meta_commit(&t, &seq);
	return rc < 0 ? rc : meta_durable(f->m, seq);
}

/* ---- making one ------------------------------------------------------ */

static void claim_boot(uint8_t out[16])
{
	CLEANUP_BUF struct buf b = { 0 };
	char hex[33];
	size_t n = 0, i;

	memset(out, 0, 16);
	if (io_read_file("/proc/sys/kernel/random/boot_id", 64, &b) < 0)
		return;
	for (i = 0; i < b.len && n < 32; i++)
		if (b.data[i] != '-')
			hex[n++] = (char)b.data[i];
	hex[n] = '\0';
	hex_decode(hex, out, 16); /* for people only */
}

/* A new claim of `gen`, in words. */
static int claim_write(const struct fence *f, uint32_t gen,
		       struct meta_claim *row)
{
	struct pack_claim c = { .generation = gen,
				.volume = *f->volume,
				.pid = (uint32_t)getpid() };
	CLEANUP_BUF struct buf text = { 0 };
	char now[CLOCK_ISO_SIZE];
	int rc = io_random(c.nonce, sizeof(c.nonce));

	memcpy(c.owner, f->owner, sizeof(c.owner));
	claim_boot(c.boot);
	snprintf(c.gateway, sizeof(c.gateway), "%s", f->o.gateway);
	if (gethostname(c.host, sizeof(c.host) - 1) < 0)
		c.host[0] = '\0';
	clock_iso(clock_wall_ns(), now);
	memcpy(c.claimed_at, now, sizeof(c.claimed_at) - 1);
	if (rc == 0)
		rc = pack_claim_make(&c, &text);
	if (rc < 0)
		return rc;
	if (!text.data || text.len > sizeof(row->text))
		return -EMSGSIZE;
	*row = (struct meta_claim){ .generation = gen, .len = text.len };
	memcpy(row->text, text.data, text.len);
	return 0;
}

/* The row of the claim that is to be sent: what a process that died was about
 * to send, or a new one. */
static int claim_intend(struct claiming *c, uint32_t gen)
{
	bool again = c->row.generation == gen && !c->row.held_ns;
	int rc = 0;

	if (again && claim_is_here(c->f, &c->row))
		return 0;
	if (again)
		rc = row_set(c->f, ROW_LOST, &c->row);
	if (rc == 0)
		rc = claim_write(c->f, gen, &c->row);
	return rc < 0 ? rc : row_set(c->f, ROW_INTEND, &c->row);
}

/*
 * Puts it. 0: ours, -EEXIST: somebody else's. Where others could overwrite it
 * (`claims_safe` is not), it is looked at again after a pause: who came last
 * has it. That is weaker: a PUT that takes longer than the pause is missed.
 */
static int claim_put(struct claiming *c, struct job *job)
{
	struct store_put_opts o = { .if_absent = c->f->claims_safe };
	char key[PACK_CLAIM_NAME_SIZE], text[PACK_CLAIM_MAX];
	struct fence *f = c->f;
	ssize_t n;
	int rc;

	pack_claim_name(c->row.generation, key);
	rc = store_put(f->s, key, c->row.text, c->row.len, &o);
	if (rc < 0 && rc != -EEXIST)
		return rc;
	if (rc == 0 && f->claims_safe)
		return 0;
	if (!f->claims_safe &&
	    job_wait(job, f->o.settle_ns ? f->o.settle_ns : CLAIM_SETTLE))
		return -EINTR;
	n = claim_get(f, c->row.generation, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return claim_same(&c->row, text, n) ? 0 : -EEXIST;
}

static int claim_next(struct claiming *c, struct job *job, struct err *err)
{
	/* An intent came behind what was there then, whatever is there now: no
	 * row has its number, or a higher one. */
	uint32_t known = c->row.generation && !c->row.held_ns
				 ? c->row.generation - 1
				 : c->row.generation;
	uint32_t last = MAX(c->newest, known);
	uint32_t gen = MAX(last + 1, FENCE_FIRST);
	char key[PACK_CLAIM_NAME_SIZE];
	struct pack_claim mine;
	int rc = claim_intend(c, gen);

	if (rc < 0)
		return fail(err, rc, "cannot write the row of a claim: %m");
	pack_claim_name(gen, key);
	rc = claim_put(c, job);
	if (rc == -EEXIST) {
		rc = row_set(c->f, ROW_LOST, &c->row);
		return rc < 0 ? fail(err, rc, "cannot forget a claim: %m") : 1;
	}
	if (rc < 0)
		return claim_fail(err, rc, "make", key);
	rc = row_set(c->f, ROW_HELD, &c->row);
	if (rc < 0)
		return fail(err, rc, "cannot write the row of a claim: %m");
	rc = pack_claim_parse(c->row.text, c->row.len, &mine);
	fence_become(c->f, FENCE_HOLDER, gen, rc == 0 ? &mine : NULL);
	return 0;
}

/* ---- may we? --------------------------------------------------------- */

/* Was a claim ever made with this database? An intent came behind others but
 * for the first. */
static bool claimed_before(const struct meta_claim *last)
{
	return last->held_ns || last->generation > FENCE_FIRST;
}

/*
 * 1: the newest claim was made by this database, here; or there never was one.
 * Our claim's row alone does not say so: the database may be a copy of another
 * gateway's, or an old one that was put back; and where there are none of ours,
 * another bucket of the trust may have been the first tier's.
 */
static int claim_ours(struct claiming *c, struct err *err)
{
	char text[PACK_CLAIM_MAX];
	struct meta_claim row = { 0 };
	bool same;
	ssize_t n;
	int rc;

	c->holder_known = false;
	if (c->newest == 0)
		return !claimed_before(&c->row);
	n = claim_get(c->f, c->newest, text, sizeof(text));
	if (n < 0) {
		pack_claim_name(c->newest, text);
		return claim_fail(err, (int)n, "read", text);
	}
	c->holder_known = pack_claim_parse(text, (size_t)n, &c->holder) == 0;
	rc = row_get(c->f, c->newest, &row);
	if (rc < 0)
		return fail(err, rc, "cannot read the rows of claims: %m");
	if (!row.generation)
		return 0;
	/* An intent: its answer was lost with its process, or was a no. */
	same = claim_same(&row, text, n);
	if (!row.held_ns)
		rc = row_set(c->f, same ? ROW_HELD : ROW_LOST, &row);
	if (rc < 0)
		return fail(err, rc, "cannot write a claim's row: %m");
	return same && claim_is_here(c->f, &row);
}

static int claim_look(struct claiming *c, struct err *err)
{
	uint32_t from;
	int rc = row_get(c->f, 0, &c->row);

	if (rc < 0)
		return fail(err, rc, "cannot read the rows of claims: %m");
	from = c->row.generation ? c->row.generation - 1 : 0;
	rc = claim_newest(c->f, from, &c->newest);
	/* Nothing where our own should be: then all is looked through. */
	if (rc == 0 && c->newest == from && from > 0)
		rc = claim_newest(c->f, 0, &c->newest);
	return rc < 0 ? claim_fail(err, rc, "list", PACK_CLAIM_PREFIX) : 0;
}

/* Can two gateways make the same claim? Tried on the bucket itself. */
static int claim_safety(struct fence *f, struct err *err)
{
	struct store_caps caps;
	int rc = store_probe(f->s, &caps);

	if (rc < 0)
		return claim_fail(err, rc, "try", "scratch/");
	if (f->o.probed)
		f->o.probed(f->o.arg, &caps);
	f->claims_safe = caps.create_only;
	return caps.create_only || f->o.single_writer;
}

/* One try. 1: somebody else was quicker. */
static int claim_try(struct claiming *c, struct job *job, struct err *err)
{
	int rc = claim_look(c, err);

	if (rc == 0)
		rc = claim_ours(c, err);
	if (rc < 0)
		return rc;
	if (rc == 1 || c->take)
		return claim_next(c, job, err);
	fence_become(c->f, FENCE_ELSEWHERE, c->newest,
		     c->holder_known ? &c->holder : NULL);
	return 0;
}

int claim_run(struct fence *f, struct job *job, bool take, struct err *err)
{
	CLEANUP_FREE struct claiming *c = calloc(1, sizeof(*c));
	int rc, tries = 0;

	if (!c)
		return fail(err, -ENOMEM, "%m");
	c->f = f;
	c->take = take;
	rc = claim_safety(f, err);
	if (rc == 0)
		fence_become(f, FENCE_UNSAFE, 0, NULL);
	if (rc <= 0)
		return rc;
	do {
		rc = claim_try(c, job, err);
	} while (rc == 1 && ++tries < CLAIM_TRIES);
	return rc == 1 ? fail(err, -EAGAIN,
			      "others claim the bucket again and again")
		       : rc;
}
