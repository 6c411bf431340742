/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an index. It was authenticated, so what is wrong here was written
 * wrong, or by somebody who has the keys: it is refused like any other.
 */
#include <string.h>

#include "base/bytes.h"
#include "pack/frame.h"
#include "pack/index.h"

/* What the parser has used up so far of the arrays of `x`. */
struct index_cursor {
	struct rd rd;
	struct pack_index *x;
	uint32_t runs, xattrs; /* how many the arrays hold */
	uint32_t run_at, xattr_at;
	uint32_t next_frame; /* frames before it belong to earlier runs */
	bool part;	     /* its members are */
};

void pack_index_done(struct pack_index *x)
{
	free(x->offset);
	free(x->entry);
	free(x->run);
	free(x->xattr);
	free(x->kept);
	*x = (struct pack_index){ 0 };
}

void pack_index_frame(const struct pack_index *x, uint32_t i,
		      struct pack_frame *out, bool *last)
{
	const uint8_t *e = x->table + (size_t)i * INDEX_FRAME_SIZE;
	uint32_t word = get_le32(e);

	out->index = i;
	out->offset = x->offset[i];
	out->stored_len = word & PACK_TABLE_LEN;
	out->plain_len = get_le16(e + 4) + 1u;
	out->compressed = (word & PACK_TABLE_COMPRESSED) != 0;
	*last = (word & PACK_TABLE_LAST) != 0;
}

/* ---- frames ---------------------------------------------------------- */

static int read_frames(struct index_cursor *c, uint64_t index_off)
{
	const uint32_t known = PACK_TABLE_LEN | PACK_TABLE_COMPRESSED |
			       PACK_TABLE_LAST;
	struct pack_index *x = c->x;
	uint64_t off = PACK_HEADER_SIZE;
	struct pack_frame f;
	uint32_t i;
	bool last;

	for (i = 0; i < x->frames; i++) {
		if (get_le32(x->table + (size_t)i * INDEX_FRAME_SIZE) & ~known)
			return -EBADMSG;
		x->offset[i] = off;
		pack_index_frame(x, i, &f, &last);
		if (!pack_frame_sane(&f))
			return -EBADMSG;
		off += f.stored_len;
	}
	return off == index_off ? 0 : -EBADMSG;
}

/* ---- members --------------------------------------------------------- */

static int read_xattr(struct index_cursor *c)
{
	struct pack_xattr *xa = &c->x->xattr[c->xattr_at];
	uint16_t name_len = rd_u16(&c->rd);
	uint32_t value_len = rd_u32(&c->rd);
	const uint8_t *name = rd_bytes(&c->rd, name_len + (size_t)1);
	const uint8_t *value = rd_bytes(&c->rd, value_len);

	if (!name || !value || name_len == 0 ||
	    name_len > PACK_XATTR_NAME_MAX ||
	    value_len > PACK_XATTR_VALUE_MAX ||
	    memchr(name, '\0', name_len + (size_t)1) != name + name_len)
		return -EBADMSG;
	xa->name = (const char *)name;
	xa->value = value;
	xa->len = value_len;
	c->xattr_at++;
	return 0;
}

/*
 * Adds up the plain bytes of a run's frames: all but the last are full, and
 * only the member's last frame says that it is the last.
 */
static int run_len(const struct pack_index *x, struct pack_run *r,
		   bool last_run)
{
	uint32_t i;

	r->len = 0;
	for (i = 0; i < r->frames; i++) {
		bool end = i + 1 == r->frames, last;
		struct pack_frame f;

		pack_index_frame(x, r->first_frame + i, &f, &last);
		if ((!end && f.plain_len != PACK_FRAME_MAX) ||
		    last != (end && last_run))
			return -EBADMSG;
		r->len += f.plain_len;
	}
	return 0;
}

static int read_run(struct index_cursor *c, struct pack_run *r, bool last_run)
{
	r->file_off = rd_u64(&c->rd);
	r->first_frame = rd_u32(&c->rd);
	r->frames = rd_u32(&c->rd);
	if (c->rd.bad || r->frames == 0 || r->first_frame < c->next_frame ||
	    r->first_frame > c->x->frames ||
	    r->frames > c->x->frames - r->first_frame)
		return -EBADMSG;
	c->next_frame = r->first_frame + r->frames;
	c->run_at++;
	return run_len(c->x, r, last_run);
}

/* Runs ascend in the file as they do in the pack, and end inside it. */
static int read_runs(struct index_cursor *c, struct pack_entry *e)
{
	uint64_t end = 0;
	size_t i;

	if (e->runs > c->runs - c->run_at)
		return -EBADMSG;
	e->run = c->x->run + c->run_at;
	for (i = 0; i < e->runs; i++) {
		struct pack_run *r = &c->x->run[c->run_at];
		int rc = read_run(c, r, i + 1 == e->runs);

		if (rc < 0)
			return rc;
		if (r->file_off < end || r->file_off > e->m.size ||
		    r->len > e->m.size - r->file_off)
			return -EBADMSG;
		end = r->file_off + r->len;
	}
	return 0;
}

static int read_xattrs(struct index_cursor *c, struct pack_entry *e)
{
	size_t i;
	int rc = 0;

	if (e->m.xattrs > c->xattrs - c->xattr_at)
		return -EBADMSG;
	e->m.xattr = c->x->xattr + c->xattr_at;
	for (i = 0; i < e->m.xattrs && rc == 0; i++)
		rc = read_xattr(c);
	return rc;
}

static int read_member(struct index_cursor *c, struct pack_entry *e)
{
	struct pack_member *m = &e->m;
	int rc;

	m->part = c->part;
	m->inode = rd_u64(&c->rd);
	m->content_version = rd_u64(&c->rd);
	m->meta_version = rd_u64(&c->rd);
	m->size = rd_u64(&c->rd);
	m->atime_ns = (int64_t)rd_u64(&c->rd);
	m->mtime_ns = (int64_t)rd_u64(&c->rd);
	m->ctime_ns = (int64_t)rd_u64(&c->rd);
	m->btime_ns = (int64_t)rd_u64(&c->rd);
	m->mode = rd_u32(&c->rd);
	m->uid = rd_u32(&c->rd);
	m->gid = rd_u32(&c->rd);
	m->path_len = rd_u32(&c->rd);
	m->xattrs = rd_u32(&c->rd);
	e->runs = rd_u32(&c->rd);
	m->path = rd_bytes(&c->rd, m->path_len);
	if (!m->path || !pack_path_ok(m->path, m->path_len) ||
	    m->size > INT64_MAX)
		return -EBADMSG;
	rc = read_xattrs(c, e);
	return rc < 0 ? rc : read_runs(c, e);
}

static int read_members(struct index_cursor *c)
{
	size_t i;

	for (i = 0; i < c->x->members; i++) {
		int rc = read_member(c, &c->x->entry[i]);

		if (rc < 0)
			return rc;
	}
	if (c->part && c->x->members == 0)
		return -EBADMSG;
	return c->run_at == c->runs && c->xattr_at == c->xattrs ? 0 : -EBADMSG;
}

/* ---- kept runs ------------------------------------------------------- */

static void read_kept(struct rd *rd, uint32_t *member, struct pack_kept *k)
{
	const uint8_t *id;

	*member = rd_u32(rd);
	k->first_frame = rd_u32(rd);
	k->frames = rd_u32(rd);
	k->file_off = rd_u64(rd);
	k->len = rd_u64(rd);
	id = rd_bytes(rd, sizeof(k->pack.b));
	if (id)
		memcpy(k->pack.b, id, sizeof(k->pack.b));
}

/* The kept runs of one member. */
static int read_kepts_of(struct index_cursor *c, uint32_t member,
			 struct pack_kept *kept, size_t n)
{
	struct pack_entry *e;

	if (member >= c->x->members)
		return -EBADMSG;
	e = &c->x->entry[member];
	if (e->m.kepts > 0) /* they stand together */
		return -EBADMSG;
	e->m.kept = kept;
	e->m.kepts = n;
	return pack_kept_ok(kept, n, e->m.size) ? 0 : -EBADMSG;
}

static int read_kepts(struct index_cursor *c)
{
	uint32_t n = rd_u32(&c->rd), i, member = 0, first = 0, now;
	int rc = 0;

	if (n == 0 || (uint64_t)n * INDEX_KEPT_SIZE != rd_left(&c->rd))
		return -EBADMSG;
	c->x->kept = calloc(n, sizeof(*c->x->kept));
	if (!c->x->kept)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < n; i++) {
		read_kept(&c->rd, &now, &c->x->kept[i]);
		if (i > 0 && now < member)
			return -EBADMSG;
		if (i > 0 && now > member) {
			rc = read_kepts_of(c, member, c->x->kept + first,
					   i - first);
			first = i;
		}
		member = now;
	}
	return rc < 0 ? rc
		      : read_kepts_of(c, member, c->x->kept + first, n - first);
}

/* ---- the whole ------------------------------------------------------- */

static int check_head(const uint8_t *p, size_t len,
		      const struct pack_index_bind *bind)
{
	uint64_t used;

	if (len < INDEX_HEAD_SIZE || len > PACK_INDEX_MAX ||
	    len % PACK_INDEX_PAD != 0 || !pack_is_magic(p, PACK_INDEX_MAGIC) ||
	    get_le16(p + INDEX_VERSION) < PACK_VERSION ||
	    get_le16(p + INDEX_VERSION) > INDEX_VERSION_PART ||
	    !pack_all_zero(p + INDEX_ZERO, 2))
		return -EBADMSG;
	if (get_le32(p + INDEX_GENERATION) != bind->generation ||
	    memcmp(p + INDEX_HEADER_HASH, bind->header_hash,
		   PACK_DIGEST_SIZE) != 0 ||
	    get_le64(p + INDEX_OFFSET) != bind->index_off)
		return -EBADMSG;
	used = get_le64(p + INDEX_LEN);
	if (used < INDEX_HEAD_SIZE || used > len ||
	    len - used >= PACK_INDEX_PAD ||
	    !pack_all_zero(p + used, len - used))
		return -EBADMSG;
	return 0;
}

/* Could that many of each stand in `left` bytes? All terms are below 2^40. */
static bool counts_fit(uint64_t frames, uint64_t members, uint64_t runs,
		       uint64_t xattrs, uint64_t left)
{
	return frames <= PACK_FRAMES_MAX && members <= PACK_MEMBERS_MAX &&
	       frames * INDEX_FRAME_SIZE + members * (INDEX_MEMBER_SIZE + 1) +
			       runs * INDEX_RUN_SIZE +
			       xattrs * (INDEX_XATTR_SIZE + 2) <=
		       left;
}

/* An array of n, or of one when n is 0 (calloc may give NULL then). */
static void *array(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

static int decode(struct index_cursor *c, const uint8_t *p, uint64_t index_off)
{
	uint16_t version = get_le16(p + INDEX_VERSION);
	struct pack_index *x = c->x;
	int rc;

	c->part = version == INDEX_VERSION_PART;
	x->frames = get_le32(p + INDEX_FRAMES);
	x->members = get_le32(p + INDEX_MEMBERS);
	c->runs = get_le32(p + INDEX_RUNS);
	c->xattrs = get_le32(p + INDEX_XATTRS);
	if (!counts_fit(x->frames, x->members, c->runs, c->xattrs,
			rd_left(&c->rd)))
		return -EBADMSG;
	x->offset = array(x->frames, sizeof(*x->offset));
	x->entry = array(x->members, sizeof(*x->entry));
	x->run = array(c->runs, sizeof(*x->run));
	x->xattr = array(c->xattrs, sizeof(*x->xattr));
	if (!x->offset || !x->entry || !x->run || !x->xattr)
		return -ENOMEM;
	x->table = rd_bytes(&c->rd, (size_t)x->frames * INDEX_FRAME_SIZE);
	rc = read_frames(c, index_off);
	if (rc == 0)
		rc = read_members(c);
	if (rc == 0 && version == INDEX_VERSION_KEPT)
		rc = read_kepts(c);
	/* Nothing is left over: there is one way to write an index. */
	return rc == 0 && rd_left(&c->rd) > 0 ? -EBADMSG : rc;
}

int pack_index_decode(const uint8_t *plain, size_t len,
		      const struct pack_index_bind *bind,
		      struct pack_index *out)
{
	struct index_cursor c = { .x = out };
	int rc = check_head(plain, len, bind);

	*out = (struct pack_index){ 0 };
	if (rc < 0)
		return rc;
	c.rd = rd_init(plain + INDEX_HEAD_SIZE,
		       get_le64(plain + INDEX_LEN) - INDEX_HEAD_SIZE);
	rc = decode(&c, plain, bind->index_off);
	if (rc < 0)
		pack_index_done(out);
	return rc;
}
