/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs into the store, then into the namespace (P3): the intent's row is
 * durable before the PUT (S23), the same sealed bytes are sent until they
 * are acknowledged (S17), and one transaction names them. A pack that does
 * not come that far is condemned; gc deletes what may have arrived.
 */
#include "move/impl.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/units.h"

#define SEND_PAUSE_MAX_NS (60 * NSEC_PER_SEC)
#define SEND_CHUNK	  (1ULL << 20)

_Static_assert(sizeof(((struct meta_pack *)0)->version) == STORE_VERSION_MAX,
	       "a row has room for the name of each version");

const char *move_why(int rc, char *out, size_t size)
{
	const char *detail = store_detail();

	snprintf(out, size, "%s%s%s", strerror(-rc), *detail ? ": " : "",
		 detail);
	return out;
}

bool move_sleep(struct job *job, int64_t ns)
{
	int64_t end = clock_boot_ns() + ns;

	while (!job_stopping(job) && clock_boot_ns() < end)
		clock_sleep_ns(MIN(end - clock_boot_ns(),
				   (int64_t)(NSEC_PER_SEC / 10)));
	return job_stopping(job);
}

/* ---- intent --------------------------------------------------------- */

int send_intend(struct move *mv, struct meta_pack *pack)
{
	uint64_t seq;
	META_TXN(t);
	int rc = meta_begin(mv->m, &t);

	if (rc == 0)
		rc = meta_pack_intend(&t, pack);
	if (rc < 0)
		return rc;
	rc = meta_commit(&t, &seq);
	return rc < 0 ? rc : meta_durable(mv->m, seq);
}

struct meta_pack *parcel_pack(struct parcel *p)
{
	if (p->packs == p->packs_cap) {
		size_t cap = p->packs_cap ? 2 * p->packs_cap : 1;
		struct meta_pack *pack = realloc(p->pack, cap * sizeof(*pack));

		if (!pack)
			return NULL;
		p->pack = pack;
		p->packs_cap = cap;
	}
	memset(&p->pack[p->packs], 0, sizeof(*p->pack));
	return &p->pack[p->packs];
}

int send_place(struct move *mv, const struct move_tier *tier,
	       struct meta_pack *pack)
{
	int64_t now = clock_wall_ns();
	struct pack_id id;
	uint32_t writer;
	int rc = fence_generation(mv->s.fence, &writer, NULL);

	if (rc < 0)
		return rc;
	memcpy(id.b, pack->id, sizeof(id.b));
	pack->created_ns = pack->stored_ns = now;
	pack->billed = MAX(pack->length, tier->minimum_bytes);
	pack->keep_ns = tier->minimum_ns;
	snprintf(pack->tier, sizeof(pack->tier), "%s", tier->name);
	snprintf(pack->storage_class, sizeof(pack->storage_class), "%s",
		 tier->storage_class);
	pack_object_name(writer, (uint64_t)now, &id, pack->object);
	return 0;
}

int send_describe(struct move *mv, const struct move_tier *tier,
		  const struct pack_writer *w, size_t len,
		  const uint8_t digest[PACK_DIGEST_SIZE],
		  struct meta_pack *pack)
{
	memcpy(pack->id, pack_writer_id(w)->b, sizeof(pack->id));
	memcpy(pack->salt, pack_writer_salt(w), sizeof(pack->salt));
	memcpy(pack->digest, digest, sizeof(pack->digest));
	pack->generation = pack_writer_generation(w);
	pack->length = len;
	return send_place(mv, tier, pack);
}

void parcel_name(struct parcel *p, uint64_t row)
{
	size_t i, k;

	for (i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];

		for (k = it->n; k > 0 && !it->extent[k - 1].pack; k--)
			it->extent[k - 1].pack = row;
		it->namer = k == it->n ? row : 0;
	}
}

/* ---- the PUT -------------------------------------------------------- */

static bool parcel_wanted(struct parcel *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->item[i].named && cache_seal_valid(&p->item[i].seal))
			return true;
	return false;
}

/* The key is taken: by ourselves, when an answer was lost (S25)? */
static int send_compare(struct store *s, struct meta_pack *pack,
			const uint8_t *data)
{
	CLEANUP_FREE uint8_t *buf = malloc(SEND_CHUNK);
	struct store_info info = { 0 };
	size_t len = pack->length, off, want;
	ssize_t n;
	int rc;

	if (!buf)
		return -ENOMEM;
	rc = store_head(s, pack->object, &info);
	if (rc < 0)
		return rc;
	if (info.size != len)
		return -EEXIST;
	for (off = 0; off < len; off += want) {
		want = MIN(len - off, (size_t)SEND_CHUNK);
		n = store_get(s, pack->object, off, buf, want);
		if (n < 0)
			return (int)n;
		if ((size_t)n != want || memcmp(buf, data + off, want) != 0)
			return -EEXIST;
	}
	memcpy(pack->version, info.version, sizeof(pack->version));
	return 0;
}

int send_object(const struct move_tier *tier, enum store_cause cause,
		struct meta_pack *pack, const void *data)
{
	struct store *s = tier->cause[cause];
	struct store_put_opts o = { .sha256 = pack->digest,
				    .version = pack->version };
	struct store_caps caps;
	int rc;

	store_caps(s, &caps);
	o.if_absent = caps.create_only;
	if (*tier->storage_class)
		o.storage_class = tier->storage_class;
	rc = store_put(s, pack->object, data, pack->length, &o);
	return rc == -EEXIST ? send_compare(s, pack, data) : rc;
}

/*
 * Until the next try. Who waits for this stream's part of a large file must
 * not wait for the end of its pause: -EINTR, or -ECANCELED when others failed.
 * A copy of an open file is given up when writers need its room: -ENOSPC.
 */
static int send_pause(struct move *mv, struct job *job, const struct parcel *p,
		      int64_t ns)
{
	int64_t end = clock_boot_ns() + ns, now;

	while ((now = clock_boot_ns()) < end) {
		if (job_stopping(job) || atomic_load(&mv->stopping))
			return -EINTR;
		if (p->failed && atomic_load(p->failed) < 0)
			return -ECANCELED;
		if (p->copies && atomic_load(&mv->full))
			return -ENOSPC;
		clock_sleep_ns(MIN(end - now, (int64_t)(NSEC_PER_SEC / 10)));
	}
	return 0;
}

/* Is it no word about the pack? The store is away, or refuses, or is full:
 * whoever mends that need not have anything sealed and sent again. */
static bool send_waits(int rc)
{
	return store_is_transient(rc) || rc == -EACCES || rc == -ENOSPC;
}

/* For ever, while the store takes nothing and anybody still wants the pack. */
static int send_put(struct move *mv, struct job *job, struct parcel *p,
		    struct meta_pack *pack, const void *data)
{
	const struct move_tier *tier = &mv->s.tier[0];
	int64_t pause = NSEC_PER_SEC;
	char next[UNITS_SIZE];
	int rc;

	while ((rc = send_object(tier, STORE_CAUSE_PROTECT, pack, data)) < 0) {
		move_why(rc, p->why, sizeof(p->why));
		if (!send_waits(rc)) {
			job_error(job, "tier '%s': %s", mv->s.tier[0].name,
				  p->why);
			break;
		}
		job_waiting(job, "tier '%s': %s; next try in %s", tier->name,
			    p->why, units_format_duration(pause, next));
		rc = send_pause(mv, job, p, pause);
		if (rc == 0 && !parcel_wanted(p))
			rc = -ESTALE;
		if (rc < 0)
			break;
		pause = MIN(2 * pause, SEND_PAUSE_MAX_NS);
	}
	job_waiting(job, NULL);
	return rc;
}

int send_pack(struct move *mv, struct job *job, struct parcel *p,
	      struct pack_writer *w)
{
	struct meta_pack *pack = parcel_pack(p);
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *data;
	size_t len;
	int rc;

	if (!pack)
		return -ENOMEM;
	rc = pack_writer_seal(w, &data, &len, digest);
	if (rc < 0)
		return rc;
	rc = send_describe(mv, &mv->s.tier[0], w, len, digest, pack);
	if (rc == 0)
		rc = send_intend(mv, pack);
	if (pack->row)
		p->packs++;
	if (rc < 0)
		return rc;
	parcel_name(p, pack->row);
	if (pack_writer_frames(w) == 0)
		p->frameless = pack->row;
	return send_put(mv, job, p, pack, data);
}

/* ---- the commit ----------------------------------------------------- */

/* 1: the file is protected; 0: it changed. */
static int commit_item(struct meta_txn *t, struct item *it, int64_t now)
{
	int rc;

	if (!it->named)
		return 0;
	rc = cache_seal_commit(&it->seal, t, now);
	if (rc < 0)
		return rc == -EBUSY ? 0 : rc;
	/* Also when nothing is new: a copy of the open file may have been
	 * named since it was compared. -ESTALE: then all is done again. */
	rc = meta_extent_replace(t, cache_ino(it->seal.f), it->plan.keep,
				 it->plan.keeps, it->extent, it->n, now);
	if (rc == 0 && !it->plan.same)
		rc = meta_naming_set(t, cache_ino(it->seal.f), it->namer, now);
	it->committed = rc >= 0;
	return rc < 0 ? rc : 1;
}

static int commit_rows(struct meta_txn *t, struct parcel *p)
{
	int64_t now = clock_wall_ns();
	uint64_t study;
	int rc = study_of_parcel(t, p, &study), files = 0;
	size_t i;

	for (i = 0; rc >= 0 && i < p->packs; i++) {
		/* Who reads a study in order looks for its next bytes. */
		p->pack[i].study = p->pack[i].row == p->frameless ? 0 : study;
		p->pack[i].stored_ns = now;
		rc = meta_pack_stored(t, &p->pack[i]);
	}
	for (i = 0; rc >= 0 && i < p->n; i++) {
		rc = commit_item(t, &p->item[i], now);
		files += rc > 0;
	}
	/* Which of them no file names now, none will: what had bytes there has
	 * changed. */
	for (i = 0; rc >= 0 && i < p->packs; i++) {
		rc = meta_pack_condemn(t, p->pack[i].row, now);
		rc = rc == -EBUSY ? 0 : rc;
	}
	return rc < 0 ? rc : files;
}

int send_commit(struct move *mv, struct job *job, struct parcel *p)
{
	META_TXN(t);
	int rc = meta_begin(mv->m, &t), files;
	size_t i;

	if (rc < 0)
		return rc;
	files = rc = commit_rows(&t, p);
	if (rc >= 0)
		rc = meta_commit(&t, NULL);
	for (i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];

		it->committed = it->committed && rc >= 0;
		if (it->committed)
			job_add(job, 1, it->seal.size);
	}
	return rc < 0 ? rc : files;
}

int send_abandon(struct move *mv, struct parcel *p)
{
	int64_t now = clock_wall_ns();
	size_t i;
	META_TXN(t);
	int rc = meta_begin(mv->m, &t);

	for (i = 0; rc == 0 && i < p->packs; i++) {
		rc = meta_pack_condemn(&t, p->pack[i].row, now);
		if (rc == -ENOENT) /* its intent was not committed */
			rc = 0;
	}
	return rc < 0 ? rc : meta_commit(&t, NULL);
}
