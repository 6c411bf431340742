/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of rebuilding a file from packs alone, which knows nothing but what
 * mersey-pack(5) says, to be compared with what was written.
 */
#ifndef MERSEY_TESTS_MOVE_REBUILD_H
#define MERSEY_TESTS_MOVE_REBUILD_H

#include "tests/unit/move/util.h"

#define FRAME META_FRAME_SIZE

/* Asks again: the stream that sent its last version may still hold it. */
static inline void protect_it(uint64_t ino)
{
	int i;

	for (i = 0; i < 1000 && state_of(ino) == META_DIRTY; i++) {
		move_protect_now(mv, ino);
		clock_sleep_ns(10000000);
	}
	assert_int_not_equal(state_of(ino), META_DIRTY);
}

/* ---- the bytes of a file, as they should be --------------------------- */

struct bytes {
	uint64_t ino;
	uint8_t *p;
	size_t size, cap;
};

static inline void bytes_init(struct bytes *b, const char *name, size_t cap)
{
	*b = (struct bytes){ .ino = new_file(name), .cap = cap };
	b->p = calloc(1, cap);
	assert_non_null(b->p);
}

static inline void bytes_done(struct bytes *b)
{
	free(b->p);
}

/* What writes of partial files are answered with: first it is made whole. */
#define WHOLE(b, f, call)         \
	while ((call) == -EAGAIN) \
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_RECALL, NULL), 0)

static inline void bytes_write(struct bytes *b, uint64_t seed, size_t off,
			       size_t n)
{
	struct cache_file *f = file_open(b->ino, true);

	pattern(seed, off, b->p + off, n);
	b->size = MAX(b->size, off + n);
	WHOLE(b, f, cache_pwrite(f, b->p + off, n, off));
	file_close(f, true);
}

static inline void bytes_cut(struct bytes *b, size_t size)
{
	struct cache_file *f = file_open(b->ino, true);

	WHOLE(b, f, cache_truncate(f, size));
	file_close(f, true);
	if (size < b->size)
		memset(b->p + size, 0, b->size - size);
	b->size = size;
}

static inline void bytes_punch(struct bytes *b, size_t off, size_t n)
{
	struct cache_file *f = file_open(b->ino, true);

	WHOLE(b, f,
	      cache_allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
			     n));
	file_close(f, true);
	if (off < b->size)
		memset(b->p + off, 0, MIN(n, b->size - off));
}

/* Opens it for writing and changes nothing of its content. */
static inline void bytes_touch(struct bytes *b, size_t off)
{
	struct cache_file *f = file_open(b->ino, true);

	WHOLE(b, f, cache_pwrite(f, b->p + off, 1, off));
	file_close(f, true);
}

static inline void bytes_check(struct bytes *b)
{
	struct cache_file *f = file_open(b->ino, false);
	CLEANUP_FREE uint8_t *got = malloc(b->size + 1);

	assert_int_equal(cache_size(f), b->size);
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL), 0);
	assert_int_equal(cache_pread(f, got, b->size, 0), b->size);
	assert_memory_equal(got, b->p, b->size);
	file_close(f, false);
}

/* ---- rebuilding from packs alone -------------------------------------- */

#define PACKS_MAX 1000

struct bucket_pack {
	struct buf bytes;
	struct pack_id id;
	struct pack_reader *r;
};

static unsigned faults; /* percent of calls, but for the rebuild's */
static struct bucket_pack pack[PACKS_MAX];
static size_t packs;
/* Where packs are, when there is more than `bucket`. */
static struct store *rebuild_from[2];
/* A version is named by more than one pack, of which one names packs that were
 * deleted: what it has there the others must have. */
static bool named_twice;

static inline int read_bytes(void *arg, uint64_t off, void *dst, size_t len)
{
	const struct buf *b = arg;

	if (off > b->len || len > b->len - off)
		return -EBADMSG;
	memcpy(dst, b->data + off, len);
	return 0;
}

static inline void packs_open_of(struct store *from)
{
	struct store_list l = { 0 };
	struct pack_header h;
	size_t i;

	assert_int_equal(store_list(from, "packs/", "", PACKS_MAX, &l), 0);
	assert_false(l.more);
	for (i = 0; i < l.n; i++) {
		struct bucket_pack *p = &pack[packs++];

		object_read(from, l.entry[i].key, &p->bytes);
		assert_int_equal(
			pack_header_parse(p->bytes.data, p->bytes.len, &h), 0);
		p->id = h.id;
		assert_int_equal(pack_reader_open(kr, read_bytes, &p->bytes,
						  p->bytes.len, NULL, &p->r,
						  NULL),
				 0);
	}
	store_list_done(&l);
}

static inline void packs_open(void)
{
	size_t i;

	packs = 0;
	if (!rebuild_from[0])
		packs_open_of(bucket);
	for (i = 0; i < ARRAY_SIZE(rebuild_from); i++)
		if (rebuild_from[i])
			packs_open_of(rebuild_from[i]);
}

static inline void packs_close(void)
{
	while (packs > 0) {
		packs--;
		pack_reader_free(take(pack[packs].r));
		buf_done(&pack[packs].bytes);
	}
}

static inline void rebuild_run(struct bytes *b, struct pack_reader *r,
			       uint64_t off, uint32_t first, uint32_t frames,
			       uint64_t len)
{
	static uint8_t frame[PACK_FRAME_MAX];
	uint64_t end = off + len;
	uint32_t i;

	for (i = 0; i < frames; i++) {
		ssize_t n = pack_reader_read(r, first + i, frame);

		assert_true(n > 0 && off + (uint64_t)n <= end &&
			    end <= b->size);
		memcpy(b->p + off, frame, (size_t)n);
		off += (uint64_t)n;
	}
	assert_true(off == end);
}

static inline void rebuild_member(struct bytes *b, struct pack_reader *r,
				  const struct pack_entry *e)
{
	size_t i, k;

	for (i = 0; i < e->runs; i++)
		rebuild_run(b, r, e->run[i].file_off, e->run[i].first_frame,
			    e->run[i].frames, e->run[i].len);
	for (i = 0; i < e->m.kepts; i++) {
		const struct pack_kept *kept = &e->m.kept[i];

		for (k = 0; k < packs; k++)
			if (!memcmp(&pack[k].id, &kept->pack,
				    sizeof(kept->pack)))
				break;
		assert_true(k < packs || named_twice);
		if (k == packs)
			continue;
		rebuild_run(b, pack[k].r, kept->file_off, kept->first_frame,
			    kept->frames, kept->len);
	}
}

/* The newest version of the inode; the size it had, and its bytes. */
static inline void rebuild(struct bytes *b)
{
	uint64_t newest = 0;
	size_t i, k, pass;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < packs; i++)
			for (k = 0; k < pack_reader_members(pack[i].r); k++) {
				const struct pack_entry *e =
					pack_reader_member(pack[i].r, k);

				if (e->m.inode != b->ino || e->m.part)
					continue;
				newest = MAX(newest, e->m.content_version);
				if (pass == 0 || e->m.content_version != newest)
					continue;
				b->size = e->m.size;
				assert_true(b->size <= b->cap);
				rebuild_member(b, pack[i].r, e);
			}
	assert_true(newest > 0);
}

/* `b` gets the size and bytes that the packs of the bucket tell of it. */
static inline void rebuild_now(struct bytes *b)
{
	SET(fail_percent, 0);
	SET(lose_percent, 0);
	packs_open();
	rebuild(b);
	packs_close();
	SET(fail_percent, faults);
	SET(lose_percent, faults);
}

static inline void rebuild_check(const struct bytes *want)
{
	struct bytes b = { .ino = want->ino, .cap = want->cap };

	b.p = calloc(1, b.cap);
	rebuild_now(&b);
	assert_int_equal(b.size, want->size);
	assert_memory_equal(b.p, want->p, want->size);
	free(b.p);
}

#endif
