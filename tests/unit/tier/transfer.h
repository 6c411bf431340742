/* SPDX-License-Identifier: Apache-2.0 */
/*
 * move_transfer() as rows see it, and failing as a test wants it; the bytes are
 * the business of move's tests. Behind tests/unit/cache/util.h.
 */
#ifndef MERSEY_TESTS_TIER_TRANSFER_H
#define MERSEY_TESTS_TIER_TRANSFER_H

#include "base/hex.h"
#include "base/io.h"
#include "meta/tiering.h"
#include "move/transfer.h"

static const char *const transfer_tiers[] = { "near", "cool", "archive" };

static struct {
	int rc[8]; /* what the next calls return instead, 0 = do it */
	unsigned calls;
	int pending;	      /* so many calls order a restore first */
	uint64_t broken;      /* inode that fails; 0 = none */
	void (*before)(void); /* each call */
	struct move_transferred compact; /* what packs anew would take */
	uint64_t compacted;
} transfers;

__attribute__((nonnull)) static inline int fake_relocate(uint64_t row,
							 const char *to)
{
	struct meta_pack p, copy = { .generation = 1 };
	META_TXN(t);
	int rc;

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_get(&t, row, &p), 0);
	if (strcmp(p.tier, to) == 0)
		return 0;
	assert_int_equal(io_random(copy.id, sizeof(copy.id)), 0);
	hex_encode(copy.id, sizeof(copy.id), copy.object);
	strcpy(copy.tier, to);
	copy.length = p.length;
	rc = meta_pack_intend(&t, &copy);
	if (rc == 0)
		rc = meta_pack_relocate(&t, row, copy.row, clock_wall_ns());
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static inline uint64_t fake_first_pack(uint64_t ino)
{
	uint64_t row = 0;
	META_TXN(t);

	assert_int_equal(meta_look(m, &t), 0);
	assert_true(meta_extent_packs(&t, ino, 0, &row, 1) >= 0);
	return row;
}

static inline bool fake_changed(const struct move_transfer *in, uint64_t ino)
{
	struct meta_inode row;

	row_get(ino, &row);
	return row.content_version > in->version || row.state == META_DIRTY;
}

int move_transfer(struct move *mv_, const struct move_transfer *in,
		  struct move_transferred *out)
{
	int rc = transfers.rc[transfers.calls++ % 8];
	size_t i;

	memset(out, 0, sizeof(*out));
	if (transfers.before)
		transfers.before();
	transfers.rc[(transfers.calls - 1) % 8] = 0;
	if (rc)
		return rc;
	if (transfers.pending && transfers.pending-- > 0)
		return -EINPROGRESS;
	for (i = 0; i < in->n; i++) {
		uint64_t pack = fake_first_pack(in->ino[i]);

		if (!in->go_on(in->arg))
			return -EINTR;
		if (fake_changed(in, in->ino[i])) {
			in->skipped(in->arg, in->ino[i], "changed");
			out->skipped++;
		} else if (in->ino[i] == transfers.broken) {
			in->skipped(in->arg, in->ino[i], "damaged");
			out->failed++;
		} else if (pack) {
			assert_int_equal(
				fake_relocate(pack, transfer_tiers[in->to]), 0);
			out->files++;
			out->use[in->to].puts++;
		}
	}
	return 0;
}

/* Each file an object of its own: a GET there, a PUT here, and its bytes. */
int move_transfer_estimate(struct move *mv_, const struct move_transfer *in,
			   struct move_transferred *out)
{
	size_t i;

	memset(out, 0, sizeof(*out));
	if (transfers.pending > 0) /* what is not ordered yet */
		out->use[0].puts = 100;
	for (i = 0; i < in->n; i++) {
		struct meta_inode row;

		row_get(in->ino[i], &row);
		out->use[in->to].puts++;
		out->use[in->to].objects_new++;
		out->use[in->to].bytes_new += row.size;
		out->use[in->to].billed_new += row.size;
		out->use[0].gets++;
		out->use[0].objects_gone++;
		out->use[0].bytes_gone += row.size;
		out->use[0].billed_gone += row.size;
	}
	return 0;
}

int move_compact(struct move *mv_, const struct move_compact *in,
		 struct move_transferred *out)
{
	struct move_transferred would = transfers.compact;

	memset(out, 0, sizeof(*out));
	if (in->pays(in->arg, 0, &would))
		*out = would;
	transfers.compacted += out->formed;
	return 0;
}

#endif
