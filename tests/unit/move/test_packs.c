/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packs of the bucket suffice: at every instant the newest version that
 * they name is one that was whole, and what names it is not deleted.
 */
#include "tests/unit/move/rebuild.h"

#define LARGE  (5 * OBJECT + 12345)
#define PUTS   7	    /* of LARGE: six parts, and the name */
#define KEPT   (2 * OBJECT) /* what a change of some of it leaves alone */
#define ROUNDS 3

static int setup(void **state)
{
	if (move_setup(state) < 0)
		return -1;
	stop_move();
	use_dir();
	mopts.settle_ns = 3600 * NSEC_PER_SEC;
	return start_move();
}

/* ---- who dies while he sends ------------------------------------------ */

struct deadly {
	struct store base;
	struct store *inner;
	_Atomic int left; /* PUTs that are survived */
	bool sent;	  /* the one after those arrives */
};

static int deadly_put(struct store *s, const char *key, const void *data,
		      size_t len, const struct store_put_opts *o)
{
	struct deadly *d = container_of(s, struct deadly, base);
	bool last = atomic_fetch_sub(&d->left, 1) <= 0;
	int rc = !last || d->sent ? store_put(d->inner, key, data, len, o) : 0;

	if (last)
		kill(getpid(), SIGKILL);
	return rc;
}

static void deadly_caps(struct store *s, struct store_caps *out)
{
	store_caps(container_of(s, struct deadly, base)->inner, out);
}

static const struct store_ops deadly_ops = { .put = deadly_put,
					     .caps = deadly_caps };

static void close_all(void)
{
	stop_move();
	close_state();
}

static void open_all(void)
{
	assert_int_equal(open_state(), 0);
	assert_int_equal(start_move(), 0);
}

/* Its content from `off` on becomes another. */
static void child_changes(struct bytes *b, uint64_t seed, size_t off, int puts,
			  bool sent)
{
	struct deadly d = { .base.ops = &deadly_ops,
			    .inner = stores.cause[STORE_CAUSE_PROTECT],
			    .left = puts,
			    .sent = sent };

	stores.cause[STORE_CAUSE_PROTECT] = &d.base;
	open_all();
	bytes_write(b, seed, off, LARGE - off);
	protect_it(b->ino);
	_exit(0);
}

/* Was it killed? */
static bool dies(struct bytes *b, uint64_t seed, size_t off, int puts,
		 bool sent)
{
	pid_t pid;
	int status;

	close_all();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_changes(b, seed, off, puts, sent);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
					: WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/*
 * Dies with each PUT, before and after it arrives: what the packs name is the
 * old version until the last of them is there. The next start sends it again.
 */
static void die_at_each(struct bytes *b, size_t off, int puts)
{
	static uint64_t seed = 2;
	int i;

	for (i = 0; i < 2 * puts; i++) {
		seed++;
		assert_true(dies(b, seed, off, i / 2, i % 2));
		if (i == 2 * puts - 1)
			pattern(seed, off, b->p + off, LARGE - off);
		rebuild_check(b);
		pattern(seed, off, b->p + off, LARGE - off);
		open_all();
		assert_int_equal(state_of(b->ino), META_DIRTY);
		bytes_check(b);
		protect_it(b->ino);
		rebuild_check(b);
	}
	assert_false(dies(b, ++seed, off, puts, false));
	pattern(seed, off, b->p + off, LARGE - off);
	rebuild_check(b);
	open_all();
}

static void test_killed(void **state)
{
	CLEANUP(bytes_done) struct bytes b;

	bytes_init(&b, "large", LARGE);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	rebuild_check(&b);
	die_at_each(&b, 0, PUTS);
	die_at_each(&b, KEPT, PUTS - 2);
	/* One pack suffices: it names the version itself. */
	die_at_each(&b, 5 * OBJECT, 1);
}

/* ---- what names a version is kept ------------------------------------- */

static void check_totals(void)
{
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals_verify(&t, NULL), 0);
}

/* It is protected, as long as packs are deleted, by all that it needs. */
static void survives(const struct bytes *b)
{
	check_totals();
	delete_condemned();
	rebuild_check(b);
	check_totals();
}

/* The newest version of one file has no bytes in the pack that names it, and
 * the file that had some goes another way. */
static void test_named_without_bytes(void **state)
{
	CLEANUP(bytes_done) struct bytes cut, other;
	int i;

	bytes_init(&cut, "cut", 3 * FRAME);
	bytes_init(&other, "other", FRAME);
	for (i = 0; i < ROUNDS; i++) {
		bytes_write(&cut, (uint64_t)i, 0, 3 * FRAME);
		protect_it(cut.ino);
		bytes_cut(&cut, i < ROUNDS - 1 ? FRAME : 0);
		bytes_write(&other, (uint64_t)i, 0, FRAME);
		move_protect_now(mv, 0);
		assert_true(wait_state(cut.ino, META_LOCAL));
		assert_true(wait_state(other.ino, META_LOCAL));
		bytes_write(&other, 100, 0, FRAME);
		protect_it(other.ino);
		survives(&cut);
		survives(&other);
	}
	/* What named them goes when they do. */
	unlink_file(cut.ino, "cut");
	unlink_file(other.ino, "other");
	for (i = 0; i < 1000 && count_packs(META_PACK_STORED) > 0; i++) {
		move_wake(mv, &mv->reap);
		clock_sleep_ns(10000000);
	}
	assert_int_equal(count_packs(META_PACK_STORED), 0);
	check_totals();
}

/* The pack that names a large file goes with the version, and not before. */
static void test_names_of_large(void **state)
{
	CLEANUP(bytes_done) struct bytes b;

	bytes_init(&b, "large", LARGE);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	survives(&b);
	assert_int_equal(count_packs(META_PACK_STORED), PUTS);
	bytes_touch(&b, 5); /* nothing is sent: the name stays */
	protect_it(b.ino);
	survives(&b);
	assert_int_equal(count_packs(META_PACK_STORED), PUTS);
	bytes_write(&b, 2, 0, LARGE);
	protect_it(b.ino);
	survives(&b);
	assert_int_equal(count_packs(META_PACK_STORED), PUTS);
	bytes_cut(&b, OBJECT);
	protect_it(b.ino);
	survives(&b);
	assert_int_equal(count_packs(META_PACK_STORED), 2);
}

#define PACKS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, move_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKS_TEST(test_killed),
		PACKS_TEST(test_named_without_bytes),
		PACKS_TEST(test_names_of_large),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
