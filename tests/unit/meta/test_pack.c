/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/meta/util.h"

#include "base/clock.h"

#define FRAME META_FRAME_SIZE

static uint64_t pack_seq;

static uint64_t intend(struct meta_txn *t, const char *tier, int64_t now)
{
	struct meta_pack p = {
		.generation = 3,
		.created_ns = now,
		.length = 7, /* what will be sent */
	};

	pack_seq++;
	memcpy(p.id, &pack_seq, sizeof(pack_seq));
	snprintf(p.object, sizeof(p.object), "packs/%llu",
		 (unsigned long long)pack_seq);
	snprintf(p.tier, sizeof(p.tier), "%s", tier);
	snprintf(p.storage_class, sizeof(p.storage_class), "STANDARD");
	memset(p.salt, 0x5a, sizeof(p.salt));
	assert_int_equal(meta_pack_intend(t, &p), 0);
	return p.row;
}

static void store(struct meta_txn *t, uint64_t row, uint64_t length)
{
	struct meta_pack p = { .row = row,
			       .length = length,
			       .version = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY" };

	memset(p.digest, 0xd1, sizeof(p.digest));
	assert_int_equal(meta_pack_stored(t, &p), 0);
}

static uint64_t stored(struct meta_txn *t, uint64_t length)
{
	uint64_t row = intend(t, "main", 100);

	store(t, row, length);
	return row;
}

static int name(struct meta_txn *t, uint64_t ino, uint64_t off, uint64_t len,
		uint64_t pack)
{
	uint32_t table[64], i;
	struct meta_extent e = {
		.ino = ino,
		.off = off,
		.len = len,
		.pack = pack,
		.pack_off = 128 + off,
		.first_frame = 9,
		.frames = (uint32_t)((len + FRAME - 1) / FRAME),
		.table = table,
	};

	for (i = 0; i < ARRAY_SIZE(table); i++)
		table[i] = 0x80000000u + (uint32_t)off + i;
	return meta_extent_insert(t, &e);
}

static struct meta_pack get(struct meta_txn *t, uint64_t row)
{
	struct meta_pack p;

	assert_int_equal(meta_pack_get(t, row, &p), 0);
	return p;
}

static void test_life(void **state)
{
	struct meta_pack p, dup;
	META_TXN(t);
	uint64_t row, found;

	begin(&t);
	row = intend(&t, "main", 100);
	p = get(&t, row);
	assert_int_equal(p.state, META_PACK_INTENT);
	assert_int_equal(p.generation, 3);
	assert_int_equal(p.salt[31], 0x5a);
	assert_string_equal(p.tier, "main");
	assert_string_equal(p.storage_class, "STANDARD");
	/* An id and an object name serve once (S17). */
	dup = p;
	assert_int_equal(meta_pack_intend(&t, &dup), -EEXIST);
	assert_int_equal(meta_pack_condemn(&t, row + 99, 1), -ENOENT);
	store(&t, row, 5000);
	p = get(&t, row);
	assert_int_equal(p.state, META_PACK_STORED);
	assert_string_equal(p.version, "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY");
	assert_int_equal(meta_pack_find(&t, p.object, &found), 0);
	assert_int_equal(found, row);
	assert_int_equal(meta_pack_find(&t, "packs/none", &found), -ENOENT);
	assert_int_equal(p.length, 5000);
	assert_int_equal(p.digest[0], 0xd1);
	assert_int_equal(p.created_ns, 100);
	assert_int_equal(meta_pack_delete(&t, row), -EBUSY);
	assert_int_equal(meta_pack_condemn(&t, row, 200), 0);
	assert_int_equal(meta_pack_condemn(&t, row, 300), 0);
	p = get(&t, row);
	assert_int_equal(p.state, META_PACK_CONDEMNED);
	assert_int_equal(p.condemned_ns, 200);
	assert_int_equal(meta_pack_renew(&t, row, 250), 0);
	p = get(&t, row);
	assert_int_equal(p.condemned_ns, 250);
	assert_int_equal(meta_pack_delete(&t, row), 0);
	assert_int_equal(meta_pack_get(&t, row, &p), -ENOENT);
	commit(&t);
	begin(&t);
	row = stored(&t, 1);
	p = get(&t, row);
	assert_int_equal(meta_pack_stored(&t, &p), -EINVAL);
	assert_int_equal(meta_commit(&t, NULL), -EINVAL);
}

/* Which generations of a bucket are this database's. */
static void test_claims(void **state)
{
	struct meta_claim a = { .generation = 2, .len = 5, .text = "mine\n" };
	struct meta_claim b = { .generation = 7, .len = META_CLAIM_MAX + 1 };
	struct meta_claim got;
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_claim_last(&t, &got), -ENOENT);
	assert_int_equal(meta_claim_intend(&t, &a), 0);
	assert_int_equal(meta_claim_intend(&t, &a), -EEXIST);
	assert_int_equal(meta_claim_held(&t, 3, 9), -ENOENT);
	commit(&t);
	begin(&t);
	assert_int_equal(meta_claim_last(&t, &got), 0);
	assert_int_equal(got.held_ns, 0);
	assert_int_equal(meta_claim_held(&t, 2, 9), 0);
	b.len = 1;
	assert_int_equal(meta_claim_intend(&t, &b), 0);
	assert_int_equal(meta_claim_last(&t, &got), 0);
	assert_int_equal(got.generation, 7);
	assert_int_equal(meta_claim_lost(&t, 7), 0);
	assert_int_equal(meta_claim_lost(&t, 7), -ENOENT);
	assert_int_equal(meta_claim_get(&t, 7, &got), -ENOENT);
	commit(&t);
	begin(&t);
	assert_int_equal(meta_claim_get(&t, 2, &got), 0);
	assert_int_equal(got.held_ns, 9);
	assert_int_equal(got.len, 5);
	assert_memory_equal(got.text, "mine\n", 5);
	b.len = META_CLAIM_MAX + 1;
	assert_int_equal(meta_claim_intend(&t, &b), -EINVAL);
}

static void test_list(void **state)
{
	struct meta_pack p[4];
	uint64_t a, b, c;
	META_TXN(t);

	begin(&t);
	a = intend(&t, "main", 100);
	b = intend(&t, "main", 200);
	c = intend(&t, "main", 300);
	assert_int_equal(meta_pack_list(&t, META_PACK_INTENT, 0, 300, p, 4), 2);
	assert_int_equal(p[0].row, a);
	assert_int_equal(p[1].row, b);
	assert_int_equal(meta_pack_list(&t, META_PACK_INTENT, a, 301, p, 1), 1);
	assert_int_equal(p[0].row, b);
	store(&t, a, 1);
	assert_int_equal(meta_pack_list(&t, META_PACK_STORED, 0, 900, p, 4), 1);
	assert_int_equal(meta_pack_condemn(&t, a, 1000), 0);
	assert_int_equal(meta_pack_condemn(&t, c, 2000), 0);
	assert_int_equal(meta_pack_list(&t, META_PACK_CONDEMNED, 0, 2000, p, 4),
			 1);
	assert_int_equal(p[0].row, a);
	assert_int_equal(meta_pack_list(&t, META_PACK_CONDEMNED, a, 2001, p, 4),
			 1);
	assert_int_equal(p[0].row, c);
	commit(&t);
}

static void test_totals(void **state)
{
	struct meta_pack_totals n[4];
	uint64_t a, b;
	META_TXN(t);

	begin(&t);
	a = stored(&t, 1000);
	stored(&t, 500);
	b = intend(&t, "archive", 1);
	assert_int_equal(meta_pack_totals(&t, n, 4), 1);
	assert_string_equal(n[0].tier, "main");
	assert_string_equal(n[0].storage_class, "STANDARD");
	assert_int_equal(n[0].objects, 2);
	assert_int_equal(n[0].bytes, 1500);
	/* Condemned ones are billed until they are deleted. */
	assert_int_equal(meta_pack_condemn(&t, a, 1), 0);
	assert_int_equal(meta_pack_condemn(&t, b, 1), 0);
	assert_int_equal(meta_pack_totals(&t, n, 4), 2);
	assert_string_equal(n[0].tier, "archive");
	assert_int_equal(n[0].bytes, 7);
	assert_int_equal(n[1].objects, 2);
	assert_int_equal(meta_pack_totals(&t, n, 1), 1);
	commit(&t);
	begin(&t);
	assert_int_equal(meta_pack_delete(&t, a), 0);
	assert_int_equal(meta_pack_delete(&t, b), 0);
	assert_int_equal(meta_pack_totals(&t, n, 4), 1);
	assert_int_equal(n[0].objects, 1);
	assert_int_equal(n[0].bytes, 500);
	commit(&t);
}

static void free_all(struct meta_extent *e, int n)
{
	while (n > 0)
		meta_extent_done(&e[--n]);
}

static void test_extents(void **state)
{
	struct meta_extent e[8];
	META_TXN(t);
	uint64_t p;

	begin(&t);
	p = stored(&t, 1);
	assert_int_equal(name(&t, 5, 0, 2 * FRAME, p), 0);
	assert_int_equal(name(&t, 5, 2 * FRAME, 1, p), 0);
	assert_int_equal(name(&t, 5, 10 * FRAME, 3 * FRAME + 1, p), 0);
	assert_int_equal(name(&t, 6, 0, 1, p), 0);
	assert_int_equal(name(&t, 5, 0, 1, p), -EEXIST);
	assert_int_equal(get(&t, p).extents, 4);
	assert_int_equal(meta_extent_list(&t, 5, 0, UINT64_MAX, e, 8), 3);
	assert_int_equal(e[0].off, 0);
	assert_int_equal(e[0].frames, 2);
	assert_int_equal(e[0].pack, p);
	assert_int_equal(e[0].pack_off, 128);
	assert_int_equal(e[0].first_frame, 9);
	assert_int_equal(e[0].table[1], 0x80000001u);
	assert_int_equal(e[1].len, 1);
	assert_int_equal(e[2].frames, 4);
	assert_int_equal(e[2].table[3], 0x80000003u + 10 * FRAME);
	free_all(e, 3);
	/* The edges of an extent; a hole. */
	assert_int_equal(meta_extent_list(&t, 5, 2 * FRAME - 1, 1, e, 8), 1);
	assert_int_equal(e[0].off, 0);
	free_all(e, 1);
	assert_int_equal(meta_extent_list(&t, 5, 2 * FRAME, 1, e, 8), 1);
	assert_int_equal(e[0].off, 2 * FRAME);
	free_all(e, 1);
	assert_int_equal(
		meta_extent_list(&t, 5, 2 * FRAME + 1, 7 * FRAME, e, 8), 0);
	assert_int_equal(meta_extent_list(&t, 5, FRAME, FRAME + 1, e, 1), 1);
	free_all(e, 1);
	assert_int_equal(meta_extent_list(&t, 5, 12 * FRAME, UINT64_MAX, e, 8),
			 1);
	free_all(e, 1);
	assert_int_equal(meta_extent_list(&t, 5, UINT64_MAX, 1, e, 8), 0);
	assert_int_equal(meta_extent_brief(&t, 5, 0, e, 8), 3);
	assert_null(e[2].table);
	assert_int_equal(e[2].len, 3 * FRAME + 1);
	commit(&t);
}

/* In the order of the bytes, whatever the files; in pages. */
static void test_members(void **state)
{
	struct meta_extent e[8];
	META_TXN(t);
	uint64_t p;

	begin(&t);
	p = stored(&t, 1);
	assert_int_equal(name(&t, 7, 0, FRAME, p), 0);
	assert_int_equal(name(&t, 5, 4 * FRAME, 1, p), 0);
	assert_int_equal(name(&t, 6, 2 * FRAME, 2 * FRAME, p), 0);
	assert_int_equal(name(&t, 5, FRAME, FRAME, p), 0);
	assert_int_equal(name(&t, 6, 0, FRAME, stored(&t, 1)), 0);
	assert_int_equal(meta_pack_members(&t, p, 0, e, 8), 4);
	assert_int_equal(e[0].ino, 7);
	assert_int_equal(e[1].ino, 5);
	assert_int_equal(e[1].off, FRAME);
	assert_int_equal(e[2].ino, 6);
	assert_int_equal(e[2].table[1], 0x80000001u + 2 * FRAME);
	assert_int_equal(e[3].pack_off, 128 + 4 * FRAME);
	free_all(e, 4);
	assert_int_equal(meta_pack_members(&t, p, 128 + FRAME, e, 2), 2);
	assert_int_equal(e[0].ino, 5);
	assert_int_equal(e[1].ino, 6);
	free_all(e, 2);
	assert_int_equal(meta_pack_members(&t, p, e[1].pack_off + 1, e, 2), 1);
	assert_int_equal(e[0].len, 1);
	free_all(e, 1);
	assert_int_equal(meta_pack_members(&t, p, UINT64_MAX, e, 2), 0);
	assert_int_equal(meta_pack_members(&t, p + 99, 0, e, 2), 0);
	commit(&t);
}

/* Each of these leaves the transaction dead. */
static void refused(uint64_t off, uint64_t len, uint64_t pack, int rc)
{
	META_TXN(t);

	begin(&t);
	assert_int_equal(name(&t, 5, off, len, pack), rc);
	assert_int_equal(meta_commit(&t, NULL), rc);
}

static void test_extent_refused(void **state)
{
	uint64_t good, intent, condemned;
	struct meta_extent e = { .ino = 5, .len = FRAME, .frames = 2 };
	META_TXN(t);

	begin(&t);
	good = stored(&t, 1);
	intent = intend(&t, "main", 1);
	condemned = stored(&t, 1);
	assert_int_equal(meta_pack_condemn(&t, condemned, 1), 0);
	commit(&t);
	refused(0, 1, intent, -EINVAL); /* P3 */
	refused(0, 1, condemned, -EINVAL);
	refused(0, 1, 987654, -EINVAL);
	refused(1, 1, good, -EINVAL);
	refused(0, 0, good, -EINVAL);
	begin(&t);
	e.pack = good;
	e.table = &e.frames;
	assert_int_equal(meta_extent_insert(&t, &e), -EINVAL);
	meta_abort(&t);
	reading(&t);
	assert_int_equal(get(&t, good).extents, 0);
}

static void test_references(void **state)
{
	uint64_t a, b, c, ino;
	META_TXN(t);

	begin(&t);
	a = stored(&t, 1);
	b = stored(&t, 1);
	c = stored(&t, 1);
	ino = make_inode(&t, S_IFREG | 0600, 4 * FRAME);
	assert_int_equal(name(&t, ino, 0, FRAME, a), 0);
	assert_int_equal(name(&t, ino, FRAME, FRAME, a), 0);
	assert_int_equal(name(&t, ino, 2 * FRAME, FRAME, b), 0);
	assert_int_equal(name(&t, 4242, 0, FRAME, b), 0);
	assert_int_equal(meta_pack_condemn(&t, a, 5), -EBUSY);
	commit(&t);
	/* Protected again: new extents over the old ones, then the sweep. */
	begin(&t);
	assert_int_equal(name(&t, ino, 0, 2 * FRAME, c), 0);
	assert_int_equal(meta_extent_clear(&t, ino, &c, 1, 77), 0);
	assert_int_equal(get(&t, a).state, META_PACK_CONDEMNED);
	assert_int_equal(get(&t, a).condemned_ns, 77);
	assert_int_equal(get(&t, a).extents, 0);
	assert_int_equal(get(&t, b).state, META_PACK_STORED);
	assert_int_equal(get(&t, b).extents, 1);
	assert_int_equal(get(&t, c).extents, 1);
	commit(&t);
	/* Unlinked for good. */
	begin(&t);
	assert_int_equal(meta_inode_delete(&t, ino), 0);
	assert_int_equal(get(&t, c).state, META_PACK_CONDEMNED);
	assert_true(get(&t, c).condemned_ns <= clock_wall_ns());
	assert_true(get(&t, c).condemned_ns > 0);
	meta_abort(&t);
	reading(&t);
	assert_int_equal(get(&t, c).state, META_PACK_STORED);
	assert_int_equal(get(&t, c).extents, 1);
}

static void test_clear_many(void **state)
{
	struct meta_extent e[2];
	uint64_t keep[100], packs[200], i;
	META_TXN(t);

	begin(&t);
	for (i = 0; i < 200; i++) {
		packs[i] = stored(&t, 1);
		assert_int_equal(name(&t, 5, i * FRAME, FRAME, packs[i]), 0);
		if (i % 2)
			keep[99 - i / 2] = packs[i];
	}
	assert_int_equal(meta_extent_clear(&t, 5, keep, 100, 9), 0);
	for (i = 0; i < 200; i++)
		assert_int_equal(get(&t, packs[i]).extents, i % 2);
	assert_int_equal(meta_extent_list(&t, 5, 0, 2 * FRAME, e, 2), 1);
	assert_int_equal(e[0].pack, packs[1]);
	free_all(e, 1);
	assert_int_equal(meta_extent_clear(&t, 5, NULL, 0, 9), 0);
	assert_int_equal(meta_extent_brief(&t, 5, 0, e, 2), 0);
	commit(&t);
}

/* An extent as replace takes it: `part` says that it has a table. */
static struct meta_extent extent(uint64_t off, uint32_t frames, uint64_t pack,
				 uint32_t first, bool part)
{
	static uint32_t table[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static uint8_t check[8 * META_CHECK_SIZE] = { 0xaa };

	return (struct meta_extent){ .off = off * FRAME,
				     .len = frames * FRAME,
				     .pack = pack,
				     .pack_off = 128,
				     .first_frame = first,
				     .frames = frames,
				     .table = part ? table : NULL,
				     .check = part ? check : NULL };
}

/* A part of what there was, all of another, and new bytes between: what is
 * named goes on to be, exactly as often. */
static void test_replace(void **state)
{
	uint64_t a, b, c, d;
	struct meta_extent kept[3], added[1], e[8];
	META_TXN(t);

	begin(&t);
	a = stored(&t, 1);
	b = stored(&t, 1);
	c = stored(&t, 1);
	d = stored(&t, 1);
	assert_int_equal(name(&t, 5, 0, 8 * FRAME, a), 0);
	assert_int_equal(name(&t, 5, 8 * FRAME, FRAME, b), 0);
	assert_int_equal(name(&t, 5, 9 * FRAME, FRAME, c), 0);
	kept[0] = extent(0, 3, a, 9, true);
	kept[1] = extent(4, 4, a, 13, true);
	kept[2] = extent(8, 1, b, 9, false);
	added[0] = extent(3, 1, d, 0, true);
	assert_int_equal(meta_extent_replace(&t, 5, kept, 3, added, 1, 66), 0);
	assert_int_equal(get(&t, a).extents, 2);
	assert_int_equal(get(&t, b).extents, 1);
	assert_int_equal(get(&t, c).state, META_PACK_CONDEMNED);
	assert_int_equal(get(&t, c).condemned_ns, 66);
	assert_int_equal(get(&t, d).extents, 1);
	assert_int_equal(
		meta_extent_checked(&t, 5, 0, UINT64_MAX, e, ARRAY_SIZE(e)), 4);
	assert_true(e[0].pack == a && e[0].len == 3 * FRAME);
	assert_true(e[1].pack == d && e[1].off == 3 * FRAME);
	assert_true(e[2].pack == a && e[2].first_frame == 13);
	assert_true(e[3].pack == b && e[3].first_frame == 9);
	assert_int_equal(e[0].check[0], 0xaa);
	assert_null(e[3].check); /* was not known, and is not now */
	free_all(e, 4);
	/* The part becomes a smaller one: at the same place, of that pack. */
	kept[0] = extent(0, 1, a, 9, true);
	assert_int_equal(meta_extent_replace(&t, 5, kept, 1, NULL, 0, 67), 0);
	assert_int_equal(get(&t, a).extents, 1);
	assert_int_equal(get(&t, a).state, META_PACK_STORED);
	assert_int_equal(get(&t, b).state, META_PACK_CONDEMNED);
	assert_int_equal(meta_extent_replace(&t, 5, NULL, 0, NULL, 0, 68), 0);
	assert_int_equal(get(&t, a).state, META_PACK_CONDEMNED);
	commit(&t);
}

/* What is to stay must be there, exactly so. */
static void test_replace_gone(void **state)
{
	struct meta_extent kept;
	uint64_t a, i;

	for (i = 0; i < 3; i++) {
		META_TXN(t);

		begin(&t);
		a = stored(&t, 1);
		assert_int_equal(name(&t, 5, 0, 2 * FRAME, a), 0);
		kept = extent(i == 0, 2 - (i == 1), a + (i == 2), 9, false);
		assert_int_equal(
			meta_extent_replace(&t, 5, &kept, 1, NULL, 0, 9),
			-ESTALE);
		assert_int_equal(meta_commit(&t, NULL), -ESTALE);
	}
}

/* Extents over each other are never handed to a reader. */
static void test_overlap(void **state)
{
	struct meta_extent e[4];
	META_TXN(t);

	begin(&t);
	assert_int_equal(name(&t, 5, 0, 3 * FRAME, stored(&t, 1)), 0);
	assert_int_equal(name(&t, 5, FRAME, FRAME, stored(&t, 1)), 0);
	assert_int_equal(meta_extent_brief(&t, 5, 0, e, 4), 2);
	commit(&t);
	reading(&t);
	assert_int_equal(meta_extent_list(&t, 5, 0, FRAME + 1, e, 4), -EUCLEAN);
}

static void damage(const char *change, int (*look)(struct meta_txn *))
{
	META_TXN(t);

	util_close();
	assert_sh("sqlite3 %s/db \"%s\"", dir, change);
	m = util_open_at("db");
	reading(&t);
	assert_int_equal(look(&t), -EUCLEAN);
}

static int look_extents(struct meta_txn *t)
{
	struct meta_extent e[2];

	return meta_extent_list(t, 5, 0, FRAME, e, 2);
}

static int look_checks(struct meta_txn *t)
{
	struct meta_extent e[2];

	return meta_extent_checked(t, 5, 0, FRAME, e, 2);
}

static int look_pack(struct meta_txn *t)
{
	struct meta_pack p[2];

	return meta_pack_list(t, META_PACK_STORED, 0, INT64_MAX, p, 2);
}

static int look_claim(struct meta_txn *t)
{
	struct meta_claim claim;

	return meta_claim_last(t, &claim);
}

static int look_presence(struct meta_txn *t)
{
	uint8_t bits[META_PRESENCE_FRAMES / 8];

	return meta_presence_get(t, 5, 0, bits);
}

static int look_inode(struct meta_txn *t)
{
	struct meta_inode in;

	return meta_inode_get(t, META_ROOT_INO, &in);
}

static int look_names(struct meta_txn *t)
{
	struct meta_dirent d;

	return meta_dirent_list(t, META_ROOT_INO, 0, &d, 1);
}

static int look_ledger(struct meta_txn *t)
{
	struct meta_ledger l;

	return meta_ledger_list(t, 0, 9, 0, &l, 1);
}

/* Rows that this code never writes are refused, whoever wrote them. */
static void test_damaged_rows(void **state)
{
	uint8_t bits[META_PRESENCE_FRAMES / 8] = { 0 };
	struct meta_ledger l = { .day = 1 };
	META_TXN(t);

	begin(&t);
	assert_int_equal(name(&t, 5, 0, 2 * FRAME, stored(&t, 1)), 0);
	assert_int_equal(meta_presence_put(&t, 5, 0, bits), 0);
	assert_int_equal(meta_ledger_add(&t, &l), 0);
	make_file(&t, META_ROOT_INO, "f");
	commit(&t);
	damage("UPDATE extent SET frame_table = x'01020304'", look_extents);
	damage("UPDATE extent SET frame_table = x'0102030405060708',"
	       " frames = 3",
	       look_extents);
	damage("UPDATE extent SET frame_check = zeroblob(25)", look_checks);
	damage("UPDATE extent SET frames = 2, off = -65536", look_extents);
	damage("UPDATE pack SET salt = x''", look_pack);
	damage("UPDATE pack SET salt = zeroblob(32),"
	       " tier = printf('%64s', 'x')",
	       look_pack);
	damage("INSERT INTO claim VALUES (5, x'', 0)", look_claim);
	damage("DELETE FROM claim; INSERT INTO claim VALUES"
	       " (5, zeroblob(1025), 0)",
	       look_claim);
	damage("UPDATE presence SET bits = zeroblob(1023)", look_presence);
	damage("UPDATE inode SET state = 6 WHERE ino = 1", look_inode);
	damage("UPDATE inode SET state = 1, size = -1 WHERE ino = 1",
	       look_inode);
	damage("UPDATE dirent SET name = x'612f62'", look_names);
	damage("UPDATE dirent SET name = zeroblob(300)", look_names);
	damage("UPDATE ledger SET byte_seconds = 3600", look_ledger);
	util_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_life),	    META_TEST(test_list),
		META_TEST(test_totals),	    META_TEST(test_extents),
		META_TEST(test_members),    META_TEST(test_extent_refused),
		META_TEST(test_references), META_TEST(test_clear_many),
		META_TEST(test_replace),    META_TEST(test_replace_gone),
		META_TEST(test_overlap),    META_TEST(test_damaged_rows),
		META_TEST(test_claims),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
