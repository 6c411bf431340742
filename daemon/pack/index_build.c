/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/bytes.h"
#include "pack/frame.h"
#include "pack/index.h"

void pack_index_build_done(struct pack_index_build *b)
{
	buf_done(&b->table);
	buf_done(&b->body);
	buf_done(&b->kept);
	*b = (struct pack_index_build){ 0 };
}

static size_t build_len(const struct pack_index_build *b)
{
	return INDEX_HEAD_SIZE + b->table.len + b->body.len +
	       (b->kepts ? 4 + b->kept.len : 0);
}

int pack_index_room(struct pack_index_build *b)
{
	if (b->frames >= PACK_FRAMES_MAX ||
	    build_len(b) + INDEX_FRAME_SIZE > PACK_INDEX_MAX)
		return -ENOSPC;
	return buf_reserve(&b->table, INDEX_FRAME_SIZE);
}

void pack_index_add_frame(struct pack_index_build *b,
			  const struct pack_frame *f, bool last)
{
	uint8_t *entry = b->table.data + b->table.len;
	uint32_t word = f->stored_len;

	if (f->compressed)
		word |= PACK_TABLE_COMPRESSED;
	if (last)
		word |= PACK_TABLE_LAST;
	put_le32(entry, word);
	put_le16(entry + 4, (uint16_t)(f->plain_len - 1));
	b->table.len += INDEX_FRAME_SIZE;
	b->frames++;
}

/* ---- members --------------------------------------------------------- */

static bool path_part_ok(const uint8_t *p, size_t n)
{
	return n > 0 && !(n == 1 && p[0] == '.') &&
	       !(n == 2 && p[0] == '.' && p[1] == '.');
}

bool pack_path_ok(const void *path, size_t len)
{
	const uint8_t *p = path, *end = p + len;

	if (len == 0 || len > PACK_PATH_MAX || memchr(p, '\0', len))
		return false;
	while (p < end) {
		const uint8_t *slash = memchr(p, '/', (size_t)(end - p));
		const uint8_t *stop = slash ? slash : end;

		if (!path_part_ok(p, (size_t)(stop - p)))
			return false;
		if (slash && slash + 1 == end)
			return false;
		p = slash ? slash + 1 : end;
	}
	return true;
}

bool pack_kept_ok(const struct pack_kept *kept, size_t n, uint64_t size)
{
	uint64_t end = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct pack_kept *k = &kept[i];
		uint64_t most = (uint64_t)k->frames * PACK_FRAME_MAX;

		if (k->frames == 0 || k->frames > PACK_FRAMES_MAX ||
		    k->first_frame > PACK_FRAMES_MAX - k->frames ||
		    k->file_off < end || k->file_off > size ||
		    k->len > size - k->file_off || k->len > most ||
		    k->len <= most - PACK_FRAME_MAX)
			return false;
		end = k->file_off + k->len;
	}
	return true;
}

/* Encoded size of a member; 0 when it is not one. */
static uint64_t member_size(const struct pack_member *m, size_t runs)
{
	uint64_t n = INDEX_MEMBER_SIZE + m->path_len +
		     (uint64_t)runs * INDEX_RUN_SIZE;
	size_t i;

	if (!pack_path_ok(m->path, m->path_len) || m->size > INT64_MAX ||
	    (m->part && m->kepts > 0) ||
	    m->xattrs > PACK_INDEX_MAX / INDEX_XATTR_SIZE ||
	    m->kepts > PACK_INDEX_MAX / INDEX_KEPT_SIZE ||
	    !pack_kept_ok(m->kept, m->kepts, m->size))
		return 0;
	for (i = 0; i < m->xattrs; i++) {
		size_t name =
			strnlen(m->xattr[i].name, PACK_XATTR_NAME_MAX + 1);

		if (name == 0 || name > PACK_XATTR_NAME_MAX ||
		    m->xattr[i].len > PACK_XATTR_VALUE_MAX)
			return 0;
		n += INDEX_XATTR_SIZE + name + 1 + m->xattr[i].len;
	}
	return n;
}

/* The callers have reserved the room, so that nothing below can fail. */

static void put_xattr(struct buf *b, const struct pack_xattr *x)
{
	size_t name = strlen(x->name);

	(void)buf_add_u16(b, (uint16_t)name);
	(void)buf_add_u32(b, (uint32_t)x->len);
	(void)buf_add(b, x->name, name + 1);
	(void)buf_add(b, x->value, x->len);
}

static void put_run(struct buf *b, const struct pack_run *r)
{
	(void)buf_add_u64(b, r->file_off);
	(void)buf_add_u32(b, r->first_frame);
	(void)buf_add_u32(b, r->frames);
}

static void put_kept(struct buf *b, uint32_t member, const struct pack_kept *k)
{
	(void)buf_add_u32(b, member);
	(void)buf_add_u32(b, k->first_frame);
	(void)buf_add_u32(b, k->frames);
	(void)buf_add_u64(b, k->file_off);
	(void)buf_add_u64(b, k->len);
	(void)buf_add(b, k->pack.b, sizeof(k->pack.b));
}

static void put_member(struct buf *b, const struct pack_member *m, size_t runs)
{
	(void)buf_add_u64(b, m->inode);
	(void)buf_add_u64(b, m->content_version);
	(void)buf_add_u64(b, m->meta_version);
	(void)buf_add_u64(b, m->size);
	(void)buf_add_u64(b, (uint64_t)m->atime_ns);
	(void)buf_add_u64(b, (uint64_t)m->mtime_ns);
	(void)buf_add_u64(b, (uint64_t)m->ctime_ns);
	(void)buf_add_u64(b, (uint64_t)m->btime_ns);
	(void)buf_add_u32(b, m->mode);
	(void)buf_add_u32(b, m->uid);
	(void)buf_add_u32(b, m->gid);
	(void)buf_add_u32(b, (uint32_t)m->path_len);
	(void)buf_add_u32(b, (uint32_t)m->xattrs);
	(void)buf_add_u32(b, (uint32_t)runs);
	(void)buf_add(b, m->path, m->path_len);
}

int pack_index_add_member(struct pack_index_build *b,
			  const struct pack_member *m,
			  const struct pack_run *run, size_t runs)
{
	uint64_t size = member_size(m, runs);
	size_t i;
	int rc;

	if (size == 0 || (b->members > 0 && b->part != m->part))
		return -EINVAL;
	if (b->members >= PACK_MEMBERS_MAX ||
	    build_len(b) + size + 4 + m->kepts * INDEX_KEPT_SIZE >
		    PACK_INDEX_MAX)
		return -ENOSPC;
	rc = buf_reserve(&b->body, size);
	if (rc == 0)
		rc = buf_reserve(&b->kept, m->kepts * INDEX_KEPT_SIZE);
	if (rc < 0)
		return rc;
	put_member(&b->body, m, runs);
	for (i = 0; i < m->xattrs; i++)
		put_xattr(&b->body, &m->xattr[i]);
	for (i = 0; i < runs; i++)
		put_run(&b->body, &run[i]);
	for (i = 0; i < m->kepts; i++)
		put_kept(&b->kept, b->members, &m->kept[i]);
	b->kepts += (uint32_t)m->kepts;
	b->part = m->part;
	b->members++;
	b->xattrs += (uint32_t)m->xattrs;
	b->runs += (uint32_t)runs;
	return 0;
}

/* ---- sizes ----------------------------------------------------------- */

void pack_size_frame(struct pack_size *s, uint32_t stored_len)
{
	s->frames++;
	s->stored += stored_len;
}

int pack_size_member(struct pack_size *s, const struct pack_member *m,
		     size_t runs)
{
	struct pack_member alone = *m;
	uint64_t size;

	alone.kepts = 0;
	size = member_size(&alone, runs);
	if (size == 0)
		return -EINVAL;
	s->members += size;
	s->kepts += m->kepts;
	return 0;
}

static uint64_t padded_len(uint64_t len)
{
	return (len + PACK_INDEX_PAD - 1) / PACK_INDEX_PAD * PACK_INDEX_PAD;
}

uint64_t pack_size_total(const struct pack_size *s)
{
	uint64_t index = INDEX_HEAD_SIZE + s->frames * INDEX_FRAME_SIZE +
			 s->members +
			 (s->kepts ? 4 + s->kepts * INDEX_KEPT_SIZE : 0);

	return PACK_HEADER_SIZE + s->stored + padded_len(index) +
	       PACK_TAG_SIZE + PACK_TRAILER_SIZE;
}

/* ---- the whole ------------------------------------------------------- */

static uint16_t build_version(const struct pack_index_build *b)
{
	return b->part	  ? INDEX_VERSION_PART
	       : b->kepts ? INDEX_VERSION_KEPT
			  : PACK_VERSION;
}

int pack_index_encode(const struct pack_index_build *b,
		      const struct pack_index_bind *bind, struct buf *out)
{
	size_t len = build_len(b);
	size_t padded = padded_len(len);
	uint8_t *p = buf_grow(out, padded);

	if (!p)
		return -ENOMEM;
	pack_put_magic(p, PACK_INDEX_MAGIC);
	put_le16(p + INDEX_VERSION, build_version(b));
	put_le32(p + INDEX_GENERATION, bind->generation);
	memcpy(p + INDEX_HEADER_HASH, bind->header_hash, PACK_DIGEST_SIZE);
	put_le32(p + INDEX_FRAMES, b->frames);
	put_le32(p + INDEX_MEMBERS, b->members);
	put_le32(p + INDEX_RUNS, b->runs);
	put_le32(p + INDEX_XATTRS, b->xattrs);
	put_le64(p + INDEX_OFFSET, bind->index_off);
	put_le64(p + INDEX_LEN, len);
	p += INDEX_HEAD_SIZE;
	if (b->table.len)
		memcpy(p, b->table.data, b->table.len);
	p += b->table.len;
	if (b->body.len)
		memcpy(p, b->body.data, b->body.len);
	if (b->kepts) {
		put_le32(p + b->body.len, b->kepts);
		memcpy(p + b->body.len + 4, b->kept.data, b->kept.len);
	}
	return 0;
}
