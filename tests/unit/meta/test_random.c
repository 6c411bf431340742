/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thousands of random operations against a model in memory; totals and
 * reference counts are counted again now and then. Argument: the seed.
 */
#include "tests/unit/meta/util.h"

#define FILES 200
#define PACKS 40
#define STEPS 6000

static unsigned seed = 1;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static struct model {
	struct meta_inode in[FILES]; /* ino 0 = not there */
	unsigned extents[FILES];
	uint64_t packs[PACKS]; /* 0 = not there */
	uint64_t refs[PACKS];
	unsigned pack_of[FILES][8]; /* index + 1 of the pack of each extent */
} now, saved;

#define COLUMNS 11

static void random_column(struct meta_inode *in, unsigned c)
{
	switch (c) {
	case 0:
		in->nlink = rnd(3);
		break;
	case 1:
		in->size = rnd(100000);
		break;
	case 2:
		in->state = rnd(META_STATES);
		break;
	case 3:
		in->damaged = rnd(10) == 0;
		break;
	case 4:
		in->opened_for_write = rnd(4) == 0;
		break;
	case 5:
		in->dirty_ns = rnd(1000);
		break;
	case 6:
		in->settle_ns = rnd(1000);
		break;
	case 7:
		in->access_ns = rnd(1000);
		break;
	case 8:
		in->cached_bytes = rnd(3) ? rnd(100000) : 0;
		break;
	case 9:
		in->uid = rnd(1000);
		break;
	default:
		in->protected_ns = rnd(1000);
	}
}

static void random_row(struct meta_inode *in)
{
	static const uint32_t modes[] = { S_IFREG, S_IFREG, S_IFREG, S_IFDIR,
					  S_IFLNK };
	unsigned c;

	if (!in->mode)
		in->mode = modes[rnd(ARRAY_SIZE(modes))] | 0600;
	if (rnd(4) == 0) /* one column alone */
		random_column(in, rnd(COLUMNS));
	else
		for (c = 0; c < COLUMNS; c++)
			random_column(in, c);
	if (!S_ISREG(in->mode)) { /* what meta makes of them */
		in->state = META_LOCAL;
		in->damaged = in->opened_for_write = false;
		in->dirty_ns = in->settle_ns = in->protected_ns = 0;
		in->cached_bytes = 0;
	}
}

static void step_inode(struct meta_txn *t, unsigned i)
{
	struct meta_inode *in = &now.in[i];

	if (!in->ino) {
		assert_int_equal(meta_new_ino(t, &in->ino), 0);
		random_row(in);
		assert_int_equal(meta_inode_insert(t, in), 0);
	} else if (rnd(3)) {
		random_row(in);
		assert_int_equal(meta_inode_update(t, in), 0);
	}
}

static void forget_extents(unsigned i)
{
	unsigned e;

	for (e = 0; e < now.extents[i]; e++) {
		unsigned p = now.pack_of[i][e] - 1;

		if (--now.refs[p] == 0)
			now.packs[p] = 0; /* condemned */
	}
	now.extents[i] = 0;
}

static void step_delete(struct meta_txn *t, unsigned i)
{
	if (!now.in[i].ino)
		return;
	assert_int_equal(meta_inode_delete(t, now.in[i].ino), 0);
	forget_extents(i);
	memset(&now.in[i], 0, sizeof(now.in[i]));
}

static void step_pack(struct meta_txn *t, unsigned p)
{
	static uint64_t n;
	struct meta_pack pack = { .tier = "main", .created_ns = 1 };

	if (now.packs[p])
		return;
	n++;
	memcpy(pack.id, &n, sizeof(n));
	snprintf(pack.object, sizeof(pack.object), "packs/%llu",
		 (unsigned long long)n);
	snprintf(pack.storage_class, sizeof(pack.storage_class), "C%u", rnd(3));
	assert_int_equal(meta_pack_intend(t, &pack), 0);
	pack.length = rnd(10000);
	assert_int_equal(meta_pack_stored(t, &pack), 0);
	now.packs[p] = pack.row;
	now.refs[p] = 0;
}

static void step_extent(struct meta_txn *t, unsigned i, unsigned p)
{
	uint32_t frame = 5;
	struct meta_extent e = { .ino = now.in[i].ino,
				 .off = now.extents[i] * META_FRAME_SIZE,
				 .len = 1 + rnd(META_FRAME_SIZE),
				 .pack = now.packs[p],
				 .frames = 1,
				 .table = &frame };

	if (!e.ino || !e.pack || now.extents[i] == 8 ||
	    !S_ISREG(now.in[i].mode))
		return;
	assert_int_equal(meta_extent_insert(t, &e), 0);
	now.pack_of[i][now.extents[i]++] = p + 1;
	now.refs[p]++;
}

static void step(struct meta_txn *t)
{
	unsigned i = rnd(FILES), p = rnd(PACKS);

	switch (rnd(8)) {
	case 0:
		step_delete(t, i);
		break;
	case 1:
		step_pack(t, p);
		break;
	case 2:
	case 3:
		step_extent(t, i, p);
		break;
	case 4:
		if (now.in[i].ino && S_ISREG(now.in[i].mode)) {
			assert_int_equal(
				meta_extent_clear(t, now.in[i].ino, NULL, 0, 5),
				0);
			forget_extents(i);
		}
		break;
	default:
		step_inode(t, i);
	}
}

static void compare_queues(struct meta_txn *t)
{
	unsigned i, dirty = 0, orphans = 0, opened = 0, victims = 0;
	static struct meta_todo td[FILES];
	static struct meta_victim v[FILES];
	static uint64_t inos[FILES];

	for (i = 0; i < FILES; i++) {
		const struct meta_inode *in = &now.in[i];

		if (!in->ino)
			continue;
		orphans += in->nlink == 0;
		opened += in->opened_for_write;
		dirty += in->state == META_DIRTY && in->nlink > 0 &&
			 !in->opened_for_write && !in->damaged &&
			 in->settle_ns < 500;
		victims += (in->state == META_LOCAL ||
			    in->state == META_PARTIAL) &&
			   in->cached_bytes > 0 && !in->damaged;
	}
	assert_int_equal(meta_orphans(t, 0, inos, FILES), orphans);
	assert_int_equal(meta_opened(t, 0, inos, FILES), opened);
	assert_int_equal(meta_protectable(t, 0, 500, NULL, td, FILES), dirty);
	assert_int_equal(meta_evictable(t, -1, 0, INT64_MAX, v, FILES),
			 victims);
}

static void compare(void)
{
	struct err err = ERR_INIT;
	struct meta_inode in;
	struct meta_pack p;
	unsigned i;
	META_TXN(t);

	reading(&t);
	for (i = 0; i < FILES; i++) {
		if (!now.in[i].ino)
			continue;
		assert_int_equal(meta_inode_get(&t, now.in[i].ino, &in), 0);
		assert_memory_equal(&in, &now.in[i], sizeof(in));
	}
	for (i = 0; i < PACKS; i++) {
		if (!now.packs[i])
			continue;
		assert_int_equal(meta_pack_get(&t, now.packs[i], &p), 0);
		assert_int_equal(p.extents, now.refs[i]);
	}
	compare_queues(&t);
	assert_int_equal(meta_totals_verify(&t, &err), 0);
}

static void test_random(void **state)
{
	META_TXN(t);
	int i, j, n;

	for (i = 0; i < STEPS; i += n) {
		saved = now;
		n = 1 + (int)rnd(20);
		begin(&t);
		for (j = 0; j < n; j++)
			step(&t);
		if (rnd(4) == 0) {
			meta_abort(&t);
			now = saved;
		} else {
			commit(&t);
		}
		if (rnd(50) == 0)
			compare();
		if (rnd(150) == 0)
			util_reopen();
	}
	compare();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { META_TEST(test_random) };

	if (argc > 1)
		seed = (unsigned)atoi(argv[1]);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
