/* SPDX-License-Identifier: Apache-2.0 */
/* Between tiers: whole packs, some files of packs, large files, changed ones;
 * what was estimated is what is done, and no byte is lost. */
#include "tests/unit/move/transfer.h"

#define LARGE (5 * OBJECT + 12345)

static void check_totals(void)
{
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals_verify(&t, NULL), 0);
}

/* A pack goes as it is: GET and PUT, then COPY, with a new class. */
static void test_as_it_is(void **state)
{
	struct move_transferred out;
	struct meta_pack before, p;
	struct store_info info;

	add_pack("f", 4, 50 * KIB);
	pack_of(file[0].ino, &before);
	evict_all();
	transfer_all(FAR, &out);
	assert_int_equal(out.files, 4);
	assert_int_equal(out.bytes, 4 * 50 * KIB);
	assert_int_equal(out.copied, 1);
	assert_int_equal(out.use[NEAR].gets, 1);
	assert_int_equal(out.use[FAR].puts, 1);
	assert_int_equal(out.use[NEAR].objects_gone, 1);
	assert_true(all_in("far"));
	check_all();
	transfer_all(COLD, &out);
	assert_int_equal(out.use[COLD].copies, 1);
	assert_int_equal(out.use[FAR].gets + out.use[COLD].puts, 0);
	assert_true(all_in("cold"));
	delete_condemned();
	assert_int_equal(objects_in(0), 0);
	assert_int_equal(objects_in(1), 1);
	pack_of(file[3].ino, &p);
	assert_int_equal(p.row, before.row);
	assert_memory_equal(p.id, before.id, sizeof(p.id));
	assert_int_equal(store_head(place[1], p.object, &info), 0);
	assert_string_equal(info.storage_class, "STANDARD_IA");
	assert_string_equal(info.version, p.version);
	check_all();
	check_totals();
	transfer_all(COLD, &out); /* there is nothing left to do */
	assert_int_equal(out.files, 4);
	assert_int_equal(out.copied + out.formed, 0);
}

/* Small packs become one. */
static void test_joined(void **state)
{
	struct move_transferred out;
	char name[16];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%d-", i);
		add_pack(name, 2, 20 * KIB);
	}
	assert_int_equal(objects_in(0), 5);
	evict_all();
	transfer_all(FAR, &out);
	assert_int_equal(out.files, 10);
	assert_int_equal(out.formed, 1);
	assert_int_equal(out.use[NEAR].objects_gone, 5);
	assert_true(all_in("far"));
	check_all();
	delete_condemned();
	assert_int_equal(objects_in(0), 0);
	assert_int_equal(objects_in(1), 1);
	check_all();
	check_totals();
}

/* What does not move stays where it is, until it does. */
static void test_some_of_a_pack(void **state)
{
	struct move_transferred out, guess;
	uint64_t ino[2];
	struct move_transfer in = order(FAR, ino, 2);

	add_pack("f", 4, 50 * KIB);
	ino[0] = file[1].ino;
	ino[1] = file[2].ino;
	assert_int_equal(move_transfer_estimate(mv, &in, &guess), 0);
	assert_int_equal(move_transfer(mv, &in, &out), 0);
	assert_memory_equal(&guess, &out, sizeof(out));
	assert_int_equal(out.files, 2);
	assert_int_equal(out.formed, 1);
	assert_int_equal(out.use[NEAR].objects_gone, 0);
	delete_condemned();
	assert_int_equal(objects_in(0), 1);
	check_all();
	transfer_all(FAR, &out);
	assert_int_equal(out.files, 4);
	assert_int_equal(out.use[NEAR].objects_gone, 1);
	delete_condemned();
	assert_int_equal(objects_in(0), 0);
	assert_true(all_in("far"));
	check_all();
	check_totals();
}

/* Its parts and what names it. */
static void test_large(void **state)
{
	struct move_transferred out;

	add_pack("large", 1, LARGE);
	evict_all();
	transfer_all(FAR, &out);
	assert_int_equal(out.copied, 7);
	delete_condemned();
	check_all();
	assert_true(all_in("far"));
	assert_int_equal(objects_in(0), 0);
	assert_int_equal(objects_in(1), 7);
	/* The target wants other packs: parts of another size. */
	stop_move();
	stores.tier[COLD].object_size = OBJECT / 4;
	assert_int_equal(start_move(), 0);
	evict_all();
	transfer_all(COLD, &out);
	assert_true(out.formed > 7);
	assert_int_equal(out.use[FAR].objects_gone, 7);
	check_all();
	delete_condemned();
	assert_true(all_in("cold"));
	check_all();
	check_totals();
	assert_int_equal(objects_in(1), out.formed);
}

/* Bytes of several versions, in several packs, beside another file's. */
static void change_some(struct bytes *b)
{
	bytes_write(b, 100, 3 * FRAME, FRAME);
	protect_it(b->ino);
	bytes_punch(b, 5 * FRAME, 2 * FRAME);
	bytes_write(b, 101, 20 * FRAME, 100);
	protect_it(b->ino);
}

static void test_changed(void **state)
{
	struct move_transferred out;
	struct bytes *b;

	add_pack("large", 1, LARGE);
	add_pack("f", 3, 30 * KIB);
	b = &file[0];
	change_some(b);
	bytes_cut(b, 3 * OBJECT + 5);
	protect_it(b->ino);
	delete_condemned();
	check_all();
	evict_all();
	transfer_all(FAR, &out);
	assert_true(all_in("far"));
	check_all();
	delete_condemned();
	check_all();
	assert_int_equal(objects_in(0), 0);
	change_some(b); /* what is new is near, the rest stays */
	assert_false(all_in("far"));
	check_all();
	evict_all();
	transfer_all(COLD, &out);
	assert_true(all_in("cold"));
	delete_condemned();
	check_all();
	check_totals();
	assert_int_equal(objects_in(0), 0);
}

/* Files without bytes, and such of which nothing but a name is in a pack. */
static void test_names(void **state)
{
	struct move_transferred out;
	size_t i;

	add_pack("f", 3, 3 * FRAME);
	bytes_cut(&file[0], 0);
	bytes_cut(&file[1], FRAME);
	move_protect_now(mv, 0);
	for (i = 0; i < 3; i++)
		assert_true(wait_state(file[i].ino, META_LOCAL));
	delete_condemned();
	check_all();
	transfer_all(FAR, &out);
	assert_int_equal(out.files, 3);
	assert_true(all_in("far"));
	delete_condemned();
	check_all();
	assert_int_equal(objects_in(0), 0);
	check_totals();
}

/* ---- archive classes -------------------------------------------------- */

#define HOUR (3600 * NSEC_PER_SEC)

static void cold_is_archive(void)
{
	static const struct store_mem_archive terms = {
		.takes_ns = { 12 * HOUR, 48 * HOUR, HOUR / 10 },
	};
	static const char *const archives[] = { "cold" };

	stop_move();
	store_mem_terms(place_mem[1], &terms);
	stores.tier[COLD].storage_class = "DEEP_ARCHIVE";
	stores.tier[COLD].archive = true;
	memcpy(stores.tier[COLD].restore_ns, terms.takes_ns,
	       sizeof(terms.takes_ns));
	cache_set_archives(c, archives, 1);
	assert_int_equal(start_move(), 0);
}

static int move_to(size_t to, struct move_transferred *out, bool estimate)
{
	static uint64_t ino[FILES_MAX];
	struct move_transfer in = order(to, ino, files);
	size_t i;

	for (i = 0; i < files; i++)
		ino[i] = file[i].ino;
	return estimate ? move_transfer_estimate(mv, &in, out)
			: move_transfer(mv, &in, out);
}

static void expect_state(enum meta_state want)
{
	size_t i;

	for (i = 0; i < files; i++)
		assert_int_equal(state_of(file[i].ino), want);
}

/* Into an archive without a way round; out of it when it was restored, in one
 * pack that is copied, and two that are joined. */
static void test_archive(void **state)
{
	struct move_transferred out, guess;
	int i, rc;

	cold_is_archive();
	add_pack("f", 3, 60 * KIB);
	add_pack("large", 1, LARGE);
	evict_all();
	expect_state(META_REMOTE);
	transfer_all(COLD, &out);
	expect_state(META_ARCHIVED);
	delete_condemned();
	cold_is_archive();
	assert_int_equal(move_to(NEAR, &guess, true), 0);
	assert_int_equal(guess.use[COLD].restores, 8);
	assert_int_equal(move_to(NEAR, &out, false), -EINPROGRESS);
	assert_int_equal(out.use[COLD].restores, 8);
	assert_int_equal(out.files + out.failed + out.skipped, 0);
	assert_int_equal(move_to(NEAR, &out, true), 0); /* it is ordered */
	assert_int_equal(out.use[COLD].restores, 0);
	for (i = 0; i < 200; i++) {
		clock_shift(HOUR, HOUR);
		move_wake(mv, &mv->restore);
		clock_sleep_ns(20000000);
		rc = move_to(NEAR, &out, false);
		if (rc != -EINPROGRESS)
			break;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(out.files, 4);
	assert_true(all_in("near"));
	expect_state(META_REMOTE);
	delete_condemned();
	assert_int_equal(objects_in(1), 0);
	check_all();
	check_totals();
	clock_shift(-(i + 1) * HOUR, -(i + 1) * HOUR);
}

static int keep_moving(size_t to, struct move_transferred *out)
{
	int i, rc = -EINPROGRESS;

	for (i = 0; i < 200 && rc == -EINPROGRESS; i++) {
		clock_shift(HOUR, HOUR);
		move_wake(mv, &mv->restore);
		clock_sleep_ns(20000000);
		rc = move_to(to, out, false);
	}
	clock_shift(-i * HOUR, -i * HOUR);
	return rc;
}

/* What the store archived by a rule of its own is ordered once, and waited
 * for without being asked for. */
static void test_behind_our_back(void **state)
{
	struct move_transferred out;
	struct move_use before[TIERS];
	size_t i;

	stores.tier[FAR].storage_class = "DEEP_ARCHIVE";
	cold_is_archive();
	add_pack("f", 3, 60 * KIB); /* copied */
	assert_int_equal(move_to(FAR, &out, false), 0);
	assert_true(all_in("far"));
	for (i = 0; i < 2; i++)
		assert_int_equal(move_to(NEAR, &out, false), -EINPROGRESS);
	for (i = 0; i < TIERS; i++)
		metered(i, &before[i]);
	for (i = 0; i < 5; i++)
		assert_int_equal(move_to(NEAR, &out, false), -EINPROGRESS);
	expect_metered(before, &out);
	assert_int_equal(keep_moving(NEAR, &out), 0);
	assert_int_equal(store_mem_orders(place_mem[1]), 1);
	assert_true(all_in("near"));
	delete_condemned();
	check_all();
}

static uint64_t asked_to_copy(void)
{
	struct move_use u;

	metered(FAR, &u);
	return u.copies;
}

/* So is a copy that the store has forgotten before its time. */
static void forgotten(size_t to)
{
	struct move_use before, now;
	struct move_transferred out;
	uint64_t copies;
	struct meta_restore r;
	struct meta_pack p;
	size_t i;
	META_TXN(t);

	pack_of(file[0].ino, &p);
	r = (struct meta_restore){ .pack = p.row,
				   .state = META_RESTORE_READY,
				   .days = 3,
				   .until_ns = clock_wall_ns() + 48 * HOUR,
				   .cause = "policy" };
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	metered(COLD, &before);
	copies = asked_to_copy();
	for (i = 0; i < 5; i++)
		assert_int_equal(move_to(to, &out, false), -EINPROGRESS);
	metered(COLD, &now);
	assert_int_equal(now.gets - before.gets + asked_to_copy() - copies, 1);
	assert_int_equal(keep_moving(to, &out), 0);
	assert_int_equal(store_mem_orders(place_mem[1]), 1);
}

static void test_forgotten(void **state)
{
	struct move_transferred out;

	cold_is_archive();
	add_pack("f", 3, 60 * KIB);
	assert_int_equal(move_to(COLD, &out, false), 0);
	forgotten(FAR); /* by a copy */
	assert_true(all_in("far"));
	delete_condemned();
	check_all();
}

static void test_forgotten_formed(void **state)
{
	struct move_transferred out;
	size_t i;

	cold_is_archive();
	add_pack("f", 3, 60 * KIB);
	assert_int_equal(move_to(COLD, &out, false), 0);
	delete_condemned();
	cold_is_archive();
	files--; /* some of a pack */
	evict_all();
	forgotten(NEAR);
	assert_true(all_in("near"));
	for (i = 0; i < files; i++)
		bytes_check(&file[i]);
	bytes_done(&file[files]);
}

/* ---- half-dead packs -------------------------------------------------- */

static struct move_transferred said; /* to pays() */
static bool yes;
static unsigned asked;

static bool pays(void *arg, size_t tier, const struct move_transferred *u)
{
	asked++;
	assert_int_equal(tier, NEAR);
	said = *u;
	return yes;
}

static void test_compact(void **state)
{
	struct move_compact in = { .dead = 128, .pays = pays };
	struct move_transferred out;
	size_t i;

	add_pack("f", 4, 60 * KIB);
	add_pack("g", 4, 60 * KIB);
	add_pack("h", 4, 60 * KIB); /* this one is alive */
	for (i = 0; i < 8; i++)
		if (i % 4 > 0)
			bytes_cut(&file[i], 0);
	move_protect_now(mv, 0);
	for (i = 0; i < files; i++)
		assert_true(wait_state(file[i].ino, META_LOCAL));
	delete_condemned();
	assert_int_equal(move_compact(mv, &in, &out), 0);
	assert_int_equal(asked, 1);
	assert_int_equal(out.formed, 0);
	assert_int_equal(said.formed, 1);
	assert_int_equal(said.use[NEAR].objects_gone, 2);
	yes = true;
	evict_all();
	assert_int_equal(move_compact(mv, &in, &out), 0);
	assert_memory_equal(&out, &said, sizeof(out));
	assert_int_equal(out.files, 2);
	check_all();
	delete_condemned();
	check_all();
	check_totals();
	asked = 0;
	assert_int_equal(move_compact(mv, &in, &out), 0);
	assert_int_equal(asked, 0);
	assert_true(all_in("near"));
}

/* Not in an archive class before its least time is over. */
static void test_compact_archive(void **state)
{
	struct move_compact in = { .dead = 128, .pays = pays };
	struct move_transferred out;

	stop_move();
	stores.tier[NEAR].archive = true;
	stores.tier[NEAR].minimum_ns = 3600 * NSEC_PER_SEC;
	assert_int_equal(start_move(), 0);
	add_pack("f", 4, 60 * KIB);
	bytes_cut(&file[0], 0);
	bytes_cut(&file[1], 0);
	bytes_cut(&file[2], 0);
	protect_it(file[0].ino);
	protect_it(file[1].ino);
	protect_it(file[2].ino);
	asked = 0;
	yes = false;
	assert_int_equal(move_compact(mv, &in, &out), 0);
	assert_int_equal(asked, 0);
	clock_shift(3601 * NSEC_PER_SEC, 0);
	assert_int_equal(move_compact(mv, &in, &out), 0);
	assert_int_equal(asked, 1);
	assert_int_equal(said.use[NEAR].restores, 1);
	clock_shift(-3601 * NSEC_PER_SEC, 0);
}

/* ---- what happens meanwhile ------------------------------------------- */

static void do_write(void)
{
	bytes_write(&file[0], 77, 0, 1000);
}

static void do_unlink(void)
{
	unlink_file(file[0].ino, "f0");
	move_reap_now(mv);
}

static void do_protect(void)
{
	bytes_write(&file[0], 78, 0, 1000);
	protect_it(file[0].ino);
}

static void do_touch(void)
{
	bytes_touch(&file[0], 5);
	protect_it(file[0].ino);
}

/* The change comes when it was decided what is to be done. */
static void with_change(void (*change)(void), bool gone)
{
	struct move_transferred out;
	uint64_t ino[FILES_MAX];
	struct move_transfer in = order(FAR, ino, 0);
	size_t i;

	add_pack("f", 3, 20 * KIB);
	add_pack("g", 3, 20 * KIB);
	for (i = 0; i < files; i++)
		ino[i] = file[i].ino;
	in.n = files;
	between = change;
	assert_int_equal(move_transfer(mv, &in, &out), 0);
	assert_null(between);
	if (gone) {
		bytes_done(&file[0]);
		memmove(file, file + 1, --files * sizeof(file[0]));
	}
	for (i = 0; i < files; i++)
		protect_it(file[i].ino);
	check_all();
	delete_condemned();
	check_all();
	check_totals();
}

static void test_written_meanwhile(void **state)
{
	with_change(do_write, false);
}

static void test_removed_meanwhile(void **state)
{
	with_change(do_unlink, true);
}

static void test_protected_meanwhile(void **state)
{
	with_change(do_protect, false);
}

static void test_touched_meanwhile(void **state)
{
	with_change(do_touch, false);
}

/* Those are left: newer than the plan, opened since, open for writing. */
static void test_left(void **state)
{
	struct move_transferred out;
	uint64_t ino[3];
	struct move_transfer in = order(FAR, ino, 3);
	struct meta_inode row;
	size_t i;

	add_pack("f", 3, 20 * KIB);
	for (i = 0; i < 3; i++)
		ino[i] = file[i].ino;
	row_get(ino[2], &row);
	in.version = row.content_version;
	bytes_write(&file[0], 50, 0, 1000);
	protect_it(ino[0]);
	bytes_write(&file[1], 51, 0, 1000);
	skipped = 0;
	assert_int_equal(move_transfer(mv, &in, &out), 0);
	assert_int_equal(out.skipped, 2);
	assert_int_equal(skipped, 2);
	assert_int_equal(out.files, 1);
	in.version = UINT64_MAX;
	in.opened_ns = clock_wall_ns() - 3600 * NSEC_PER_SEC;
	in.to = NEAR;
	assert_int_equal(move_transfer(mv, &in, &out), 0);
	assert_int_equal(out.files, 0);
	assert_string_equal(skip_why, "it was opened since");
	protect_it(ino[1]);
	check_all();
}

/* ---- trouble ---------------------------------------------------------- */

static void test_faults(void **state)
{
	struct move_transferred out;
	uint64_t ino[FILES_MAX];
	struct move_transfer in = order(FAR, ino, 0);
	int tries = 0, rc;
	size_t i;

	add_pack("large", 1, LARGE);
	change_some(&file[0]);
	add_pack("f", 4, 30 * KIB);
	add_pack("g", 4, 30 * KIB);
	for (i = 0; i < files; i++)
		ino[i] = file[i].ino;
	in.n = files;
	for (i = 0; i < 2; i++) {
		place_plan[i].fail_percent = 15;
		place_plan[i].lose_percent = 15;
		place_plan[i].seed = i;
	}
	do {
		rc = move_transfer(mv, &in, &out);
		assert_true(rc == 0 || rc == -EAGAIN);
	} while (rc < 0 && ++tries < 500);
	assert_int_equal(rc, 0);
	assert_true(tries > 0);
	memset(place_plan, 0, sizeof(place_plan));
	assert_int_equal(out.failed + out.skipped, 0);
	assert_int_equal(out.files, files);
	assert_true(all_in("far"));
	delete_condemned();
	assert_int_equal(objects_in(0), 0);
	check_all();
	check_totals();
}

/* While a store is away nothing is fetched for it over and over, and nothing
 * that cannot be fetched is intended. */
static void test_away(void **state)
{
	struct move_transferred out;
	struct move_use before, now;
	size_t i;

	add_pack("f", 4, 60 * KIB);
	place_plan[0].down = true;
	for (i = 0; i < 5; i++)
		assert_int_equal(move_to(FAR, &out, false), -ECONNREFUSED);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
	place_plan[0].down = false;
	place_plan[1].down = true;
	metered(NEAR, &before);
	for (i = 0; i < 5; i++)
		assert_int_equal(move_to(FAR, &out, false), -ECONNREFUSED);
	metered(NEAR, &now);
	assert_int_equal(now.gets, before.gets + 1);
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 1);
	place_plan[1].down = false;
	assert_int_equal(move_to(FAR, &out, false), 0);
	assert_true(all_in("far"));
	check_all();
}

static bool pack_gone(uint64_t row)
{
	struct meta_pack p;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_pack_get(&t, row, &p) == -ENOENT;
}

/* A fetch that waits for so long that the pack's row is gone as well says
 * nothing of the file. */
static void test_row_gone(void **state)
{
	struct move_transferred out;
	struct meta_inode row;
	struct fetch *x = NULL;
	struct place at;
	struct want w;
	uint64_t len;
	int i;

	add_pack("f", 1, 60 * KIB); /* two that are joined */
	add_pack("g", 1, 60 * KIB);
	evict_all();
	stop_move();
	mopts.delete_after_ns = 1; /* until the next start by a setup */
	assert_int_equal(start_move(), 0);
	assert_int_equal(meta_inode_find(m, file[0].ino, &row), 0);
	w = (struct want){ .ino = row.ino,
			   .version = row.content_version,
			   .size = row.size,
			   .len = row.size,
			   .cause = STORE_CAUSE_READ };
	assert_int_equal(plan_fetch(mv, &w, &x, &len), 1);
	assert_int_equal(move_to(FAR, &out, false), 0);
	assert_int_equal(out.formed, 1);
	for (i = 0; i < 1000 && !pack_gone(x->pack); i++) {
		move_wake(mv, &mv->gc);
		clock_sleep_ns(10000000);
	}
	assert_true(pack_gone(x->pack));
	keys_forget(mv, x->pack);
	assert_int_equal(fetcher_add(mv, x, &at), 0);
	pthread_mutex_lock(&mv->fetcher.lock);
	while (!at.p->done)
		pthread_cond_wait(&at.x->changed, &mv->fetcher.lock);
	pthread_mutex_unlock(&mv->fetcher.lock);
	assert_int_equal(at.p->rc, -ESTALE);
	fetcher_leave(mv, &at);
	check_all();
}

/* A source object that is not what was stored takes nothing with it. */
static void test_damaged(void **state)
{
	CLEANUP_BUF struct buf b = { 0 }, good = { 0 };
	struct move_transferred out;
	uint64_t ino[FILES_MAX];
	struct move_transfer in = order(FAR, ino, 0);
	struct meta_pack p;
	size_t i;

	add_pack("f", 4, 50 * KIB);
	add_pack("g", 4, 50 * KIB);
	for (i = 0; i < files; i++)
		ino[i] = file[i].ino;
	in.n = files;
	pack_of(file[1].ino, &p);
	object_read(place[0], p.object, &b);
	assert_int_equal(buf_add(&good, b.data, b.len), 0);
	b.data[1000] ^= 1;
	assert_int_equal(store_put(place[0], p.object, b.data, b.len, NULL), 0);
	assert_int_equal(move_transfer(mv, &in, &out), 0);
	assert_int_equal(out.failed, 4);
	assert_int_equal(out.files, 4);
	assert_int_equal(
		store_put(place[0], p.object, good.data, good.len, NULL), 0);
	check_all();
	transfer_all(FAR, &out);
	assert_true(all_in("far"));
	check_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRANSFER_TEST(test_as_it_is),
		TRANSFER_TEST(test_joined),
		TRANSFER_TEST(test_some_of_a_pack),
		TRANSFER_TEST(test_large),
		TRANSFER_TEST(test_changed),
		TRANSFER_TEST(test_names),
		TRANSFER_TEST(test_archive),
		TRANSFER_TEST(test_behind_our_back),
		TRANSFER_TEST(test_forgotten),
		TRANSFER_TEST(test_forgotten_formed),
		TRANSFER_TEST(test_compact),
		TRANSFER_TEST(test_compact_archive),
		TRANSFER_TEST(test_written_meanwhile),
		TRANSFER_TEST(test_removed_meanwhile),
		TRANSFER_TEST(test_protected_meanwhile),
		TRANSFER_TEST(test_touched_meanwhile),
		TRANSFER_TEST(test_left),
		TRANSFER_TEST(test_faults),
		TRANSFER_TEST(test_away),
		TRANSFER_TEST(test_row_gone),
		TRANSFER_TEST(test_damaged),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
