/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One GET, and its frames: they are opened (P5) and go into the cache files.
 * One bad frame spoils only itself: the others are kept.
 */
#include "move/impl.h"

#include <string.h>

#include "base/log.h"

static void fetch_bad(const struct part *p, const char *object,
		      const char *what)
{
	log_err("inode %llu: cannot be read: object '%s' %s",
		(unsigned long long)p->ino, object, what);
}

/* What an error of a store means for the reader; *what says why bytes are
 * bad. */
static int fetch_error(int rc, char *why, size_t size, const char **what)
{
	if (rc == -ESTALE) /* rows say where it is by now */
		return rc;
	/* P6: it says nothing about the object, or is no answer of a store
	 * (-EPROTO). */
	if (store_is_transient(rc) || rc == -EACCES || rc == -ENOTSUP ||
	    rc == -EPROTO)
		return -EAGAIN;
	if (rc == -ENOMEM || rc == -ENOMEDIUM) /* in an archive class */
		return rc;
	if (rc == -ENOENT)
		*what = "is missing";
	else if (rc == -ERANGE)
		*what = "is too short";
	else
		*what = move_why(rc, why, size);
	return -EIO;
}

/* ---- frames --------------------------------------------------------- */

static uint32_t frame_stored(const struct part *p, uint32_t i)
{
	return p->e.table[p->first + i] & PACK_TABLE_LEN;
}

static uint64_t frame_off(const struct part *p, uint32_t i)
{
	return part_off(p) + (uint64_t)i * META_FRAME_SIZE;
}

static uint32_t frame_len(const struct part *p, uint32_t i)
{
	return (uint32_t)MIN(META_FRAME_SIZE,
			     p->e.off + p->e.len - frame_off(p, i));
}

static int frame_open(const struct part *p, const struct move_key *key,
		      uint32_t i, const uint8_t *sealed, uint8_t *dst,
		      uint8_t *scratch)
{
	uint32_t entry = p->e.table[p->first + i];
	struct pack_frame frame = {
		.index = p->e.first_frame + p->first + i,
		.stored_len = entry & PACK_TABLE_LEN,
		.plain_len = frame_len(p, i),
		.compressed = entry & PACK_TABLE_COMPRESSED,
	};

	return pack_frame_open(&key->key, &frame, entry & PACK_TABLE_LAST,
			       sealed, dst, scratch);
}

size_t fetch_needs(const struct part *p, uint64_t end)
{
	size_t need = p->at;
	uint32_t i;

	for (i = 0; i < p->n && frame_off(p, i) < end; i++)
		need += frame_stored(p, i);
	return need;
}

/* ---- what the thread opens ------------------------------------------ */

/* A part that is being opened. */
struct opening {
	struct fetch *x;
	const struct part *p;
	struct cache_file *f;
	const struct move_key *key;
	struct opener *o;
	bool spare;		 /* nobody waits for it */
	bool bad;		 /* some of it is not what was stored */
	uint64_t hole, hole_end; /* absent frames, as last looked at */
	uint64_t run;		 /* opened frames in o->plain lie there */
	size_t len;
};

static int run_flush(struct opening *g)
{
	int rc = 0;

	if (g->len > 0 && g->spare)
		rc = cache_fill_spare(g->f, g->p->version, g->run, g->o->plain,
				      g->len, !g->x->mates);
	else if (g->len > 0)
		rc = cache_fill(g->f, g->p->version, g->run, g->o->plain,
				g->len);
	g->len = 0;
	return rc == -ENOSPC ? -EAGAIN : rc; /* no room now */
}

/* 1 when the frame at `off` is absent. */
static int frame_absent(struct opening *g, uint64_t off)
{
	uint64_t len;
	int rc;

	if (off >= g->hole_end) {
		rc = cache_missing(g->f, off, part_end(g->p) - off, &g->hole,
				   &len);
		if (rc < 0)
			return rc;
		if (rc == 0)
			g->hole = part_end(g->p);
		g->hole_end = rc == 0 ? g->hole : g->hole + len;
	}
	return off >= g->hole && off < g->hole_end;
}

static int frame_take(struct opening *g, uint32_t i, size_t at)
{
	const struct part *p = g->p;
	int rc = 0;

	if (g->len > 0 && (g->len + META_FRAME_SIZE > OPEN_BATCH ||
			   g->run + g->len != frame_off(p, i)))
		rc = run_flush(g);
	if (rc < 0)
		return rc;
	if (g->len == 0)
		g->run = frame_off(p, i);
	rc = frame_open(p, g->key, i, g->x->buf + at, g->o->plain + g->len,
			g->o->scratch);
	if (rc == 0)
		g->len += frame_len(p, i);
	else if (rc == -EBADMSG)
		g->bad = true;
	return rc == -EBADMSG ? 0 : rc;
}

static int part_frames(struct opening *g)
{
	const struct part *p = g->p;
	size_t at = p->at;
	uint32_t i;
	int rc = 0, end;

	for (i = 0; rc == 0 && i < p->n; at += frame_stored(p, i), i++) {
		rc = frame_absent(g, frame_off(p, i));
		if (rc > 0)
			rc = frame_take(g, i, at);
	}
	end = run_flush(g);
	return rc < 0 ? rc : end;
}

static int part_open(struct fetch *x, const struct part *p,
		     const struct move_key *key, struct opener *o, bool spare)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	struct opening g = {
		.x = x, .p = p, .key = key, .o = o, .spare = spare
	};
	int rc = cache_get(x->mv->c, p->ino, &f);

	if (rc == 0)
		rc = cache_fill_begin(f);
	if (rc < 0)
		return rc;
	g.f = f;
	rc = part_frames(&g);
	cache_fill_end(f);
	return rc == 0 && g.bad ? -EBADMSG : rc;
}

static void part_done(struct fetch *x, struct part *p, int rc)
{
	LOCK_SCOPE(&x->mv->fetcher.lock);
	p->claimed = true;
	p->rc = rc;
	p->done = true;
	pthread_cond_broadcast(&x->changed);
}

/* From here on readers wait for us; those that work already come first. */
static bool parts_claim(struct fetch *x)
{
	struct fetcher *fr = &x->mv->fetcher;
	size_t i;

	LOCK_SCOPE(&fr->lock);
	for (i = 0; i < x->parts; i++)
		x->part[i].claimed = true;
	while (x->filling > 0)
		pthread_cond_wait(&x->changed, &fr->lock);
	return x->waiters == 0;
}

/* ---- the GET -------------------------------------------------------- */

/* Read ahead for a file that was closed meanwhile. */
static bool part_unwanted(struct fetch *x, struct cache_file *f)
{
	bool used = cache_is_open(f);

	LOCK_SCOPE(&x->mv->fetcher.lock);
	return x->ahead && !x->mates && x->waiters == 0 && !used;
}

/*
 * Is there nothing to be fetched any more for a part? Then it is done. Nobody
 * else fetches these frames while we stand in the list, so what is absent now
 * has to be fetched by us.
 */
static bool part_over(struct fetch *x, struct part *p)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	uint64_t off, len, version, size;
	int rc = cache_get(x->mv->c, p->ino, &f);

	if (rc == 0) {
		cache_version(f, &version, &size);
		rc = version != p->version
			     ? -ESTALE
			     : cache_missing(f, part_off(p),
					     part_end(p) - part_off(p), &off,
					     &len);
	}
	if (rc == 1 && part_unwanted(x, f))
		rc = -ECANCELED;
	if (rc == 1)
		return false;
	part_done(x, p, rc);
	return true;
}

static bool fetch_over(struct fetch *x)
{
	bool over = true;
	size_t i;

	for (i = 0; i < x->parts; i++)
		over &= part_over(x, &x->part[i]);
	return over;
}

/* Bytes have arrived; or none, when a GET begins, again too: then nobody
 * looks at what the last one brought. Called by the thread that receives. */
static void fetch_progress(void *arg, size_t got)
{
	struct fetch *x = arg;
	struct fetcher *fr = &x->mv->fetcher;

	if (got > 0 && got < atomic_load(&x->notify)) {
		atomic_store(&x->got, got);
		if (got < atomic_load(&x->notify))
			return;
	}
	LOCK_SCOPE(&fr->lock);
	atomic_store(&x->got, got);
	while (got == 0 && x->looking > 0)
		pthread_cond_wait(&x->changed, &fr->lock);
	if (got < atomic_load(&x->notify))
		return;
	atomic_store(&x->notify, SIZE_MAX);
	pthread_cond_broadcast(&x->changed);
}

static ssize_t fetch_try(struct fetch *x, const struct move_key *key)
{
	const struct move_tier *tier = x->mv->s.tier;
	ssize_t n;

	if (key->tier < 0) /* the next start may know it */
		return -EAGAIN;
	store_on_progress(fetch_progress, x);
	n = store_get(tier[key->tier].cause[x->cause], key->object, x->pack_off,
		      x->buf, x->stored);
	store_on_progress(NULL, NULL);
	return n;
}

/* Does nothing name the pack any more? Then rows say where its bytes are. */
static bool fetch_outlived(struct fetch *x)
{
	struct meta_pack p = { 0 };
	META_TXN(t);
	int rc = meta_read(x->mv->m, &t);

	if (rc == 0)
		rc = meta_pack_get(&t, x->pack, &p);
	return rc == -ENOENT || (rc == 0 && p.state == META_PACK_CONDEMNED);
}

/* Do rows name the pack for what is to come? Else they say where it is. */
static bool fetch_named(const struct fetch *x)
{
	uint64_t ino = x->part[x->own < x->parts ? x->own : 0].ino, row = 0;
	META_TXN(t);
	int rc = meta_read(x->mv->m, &t);

	if (rc == 0)
		rc = meta_extent_packs(&t, ino, x->pack - 1, &row, 1);
	return rc < 0 || row == x->pack;
}

static int fetch_get(struct fetch *x, struct move_key *key, char *why,
		     size_t size, const char **what)
{
	int64_t begun = clock_boot_ns();
	ssize_t n = fetch_try(x, key);

	/* The pack went to another place, or what was alive of it into others,
	 * and this waited for so long that the old object is gone. */
	if (n == -ENOENT && keys_moved(x->mv, key) == 1)
		n = fetch_try(x, key);
	if (n == -ENOENT && fetch_outlived(x))
		n = -ESTALE;
	if (n == -ENOENT && key->guess) /* it is somewhere else, perhaps */
		n = -EAGAIN;
	if (n > 0)
		atomic_store(&x->got, (size_t)n);
	mates_learn(x->mv, atomic_load(&x->got), clock_boot_ns() - begun);
	if (n < 0)
		atomic_store(&x->got, 0);
	if (x->cause == STORE_CAUSE_READ) {
		atomic_fetch_add(&x->mv->mates.requests, 1);
		atomic_fetch_add(&x->mv->mates.fetched, x->got);
	}
	return n < 0 ? fetch_error((int)n, why, size, what) : 0;
}

/* `rc` and `what` of the GET. */
static int part_take(struct fetch *x, const struct part *p,
		     const struct move_key *key, struct opener *o, int rc,
		     const char *what, bool spare)
{
	if (rc == 0 && p->at + p->stored > x->got) {
		what = "is too short";
		rc = -EIO;
	}
	if (rc == -EIO)
		fetch_bad(p, key->object, what);
	return rc < 0 ? rc : part_open(x, p, key, o, spare);
}

/*
 * Ends all parts; but not those with frames that do not authenticate, unless
 * it is the `last` time: then true.
 */
static bool fetch_parts(struct fetch *x, const struct move_key *key,
			struct opener *o, int rc, const char *what, bool last)
{
	bool spare = parts_claim(x), bad = false;
	size_t i;

	for (i = 0; i < x->parts; i++) {
		struct part *p = &x->part[i];
		int end;

		if (p->done)
			continue;
		end = part_take(x, p, key, o, rc, what, spare || i != x->own);
		if (end == -EBADMSG && !last) {
			bad = true;
			continue;
		}
		if (end == -EBADMSG)
			fetch_bad(p, key->object,
				  "does not hold what was stored");
		part_done(x, p, end == -EBADMSG ? -EIO : end);
	}
	return bad;
}

void fetch_run(struct fetch *x, struct opener *o)
{
	CLEANUP(move_key_wipe) struct move_key key = { 0 };
	const char *what = "needs a key that is not here";
	char why[160];
	int rc;

	if (fetch_over(x))
		return;
	rc = keys_get(x->mv, x->pack, &key);
	if (rc == -EUCLEAN && !fetch_named(x))
		rc = -ESTALE; /* it waited for longer than a grace */
	if (rc == 0)
		rc = fetch_get(x, &key, why, sizeof(why), &what);
	if (!fetch_parts(x, &key, o, rc == -ENOKEY ? -EIO : rc, what, false))
		return;
	/* Perhaps it was damaged on the way: that is not the object's fault. */
	log_warn("object '%s' came with bytes that were not stored: it is "
		 "fetched once more",
		 key.object);
	rc = fetch_get(x, &key, why, sizeof(why), &what);
	fetch_parts(x, &key, o, rc, what, true);
}

/* ---- what a reader opens itself ------------------------------------- */

#define LOOK_FRAMES 2 /* at once: memory that malloc keeps */

/* Frames [i, end) of a part, which begin at byte `at`, into plain. */
static int look(struct fetch *x, const struct part *p,
		const struct move_key *key, uint32_t i, uint32_t end, size_t at,
		uint8_t *plain)
{
	CLEANUP_FREE uint8_t *scratch = malloc(PACK_FRAME_MAX);
	int rc = scratch ? 0 : -ENOMEM;

	for (; rc == 0 && i < end; i++) {
		rc = frame_open(p, key, i, x->buf + at, plain, scratch);
		plain += frame_len(p, i);
		at += frame_stored(p, i);
	}
	return rc;
}

/* False: the bytes are not there any more, the GET began once more. */
static bool look_begin(struct fetch *x, size_t need)
{
	LOCK_SCOPE(&x->mv->fetcher.lock);
	if (atomic_load(&x->got) < need)
		return false;
	x->looking++;
	return true;
}

static void look_end(struct fetch *x)
{
	LOCK_SCOPE(&x->mv->fetcher.lock);
	x->looking--;
	pthread_cond_broadcast(&x->changed);
}

static int look_and_fill(struct fetch *x, const struct part *p,
			 const struct move_key *key, struct cache_file *f,
			 uint32_t first, uint32_t end, uint8_t *plain)
{
	uint64_t off = frame_off(p, first);
	uint64_t to = MIN(frame_off(p, end), part_end(p));
	int rc;

	if (!look_begin(x, fetch_needs(p, to)))
		return -EAGAIN;
	rc = look(x, p, key, first, end, fetch_needs(p, off), plain);
	look_end(x);
	return rc < 0 ? rc : cache_fill(f, p->version, off, plain, to - off);
}

int fetch_open_part(struct fetch *x, struct part *p, struct cache_file *f,
		    uint64_t off, uint64_t end)
{
	CLEANUP_FREE uint8_t *plain = malloc(LOOK_FRAMES * META_FRAME_SIZE);
	CLEANUP(move_key_wipe) struct move_key key = { 0 };
	uint32_t i, last, k;
	int rc = plain ? keys_get(x->mv, x->pack, &key) : -ENOMEM;

	off = MAX(off, part_off(p));
	end = MIN(end, part_end(p));
	i = (uint32_t)((off - part_off(p)) / META_FRAME_SIZE);
	last = (uint32_t)((end - 1 - part_off(p)) / META_FRAME_SIZE);
	for (; rc == 0 && i <= last; i += k) {
		k = MIN(last + 1 - i, (uint32_t)LOOK_FRAMES);
		rc = look_and_fill(x, p, &key, f, i, i + k, plain);
	}
	return rc;
}
