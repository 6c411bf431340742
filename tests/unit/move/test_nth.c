/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth system call of a process that writes, protects, evicts, recalls and
 * removes fails, in whichever of its threads, the directory store included;
 * then it is killed. After the next start every byte that was acknowledged is
 * there (P2), here or in the bucket (P3, P4).
 *
 * First argument: only every so manieth N. Larger steps unless MERSEY_FULL is
 * set.
 */
#include "tests/unit/move/util.h"
#include "tests/unit/vfs/faulty.h"

#include <sys/mman.h>

#define FILES 4 /* 0 to 2 are written before, 3 is empty; 2 is removed */
#define SIZE  (2 * META_FRAME_SIZE + 100)
#define PART  4096 /* of it that changes */
#define OVER  1000 /* added to the seed of what is written over */

static struct faulty planned;
static int stride = 7;

/* Written by the child, read after its death. */
static struct report {
	uint64_t ino[FILES];
	int over[FILES]; /* 0; 1: begun; 2: acknowledged */
	bool gone;	 /* file 2; acknowledged */
	bool going;
	bool struck;
	unsigned evicted; /* files */
	char what[256];
} * report;

/* ---- the child: nothing of it may assert ------------------------------- */

static int change(unsigned i, size_t n)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	uint8_t p[PART];
	ssize_t done;
	int rc = cache_get(c, report->ino[i], &f);

	if (rc == 0)
		rc = cache_acquire(f, true);
	if (rc < 0)
		return rc;
	pattern(i + OVER, 0, p, n);
	report->over[i] = 1;
	while ((done = cache_pwrite(f, p, n, 0)) == -EAGAIN && rc == 0)
		rc = move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL);
	if (done == (ssize_t)n)
		report->over[i] = 2;
	return cache_release(f, true);
}

/* Right bytes or an error. */
static void look(unsigned i)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	uint8_t got[PART], want[PART];
	const uint64_t off = META_FRAME_SIZE;

	if (cache_get(c, report->ino[i], &f) < 0 || cache_acquire(f, false) < 0)
		return;
	pattern(i, off, want, PART);
	if (move_recall(mv, f, off, PART, STORE_CAUSE_READ, NULL) == 0 &&
	    cache_pread(f, got, PART, off) == PART &&
	    memcmp(got, want, PART) != 0)
		abort();
	(void)cache_release(f, false); /* it may be the one that fails */
}

static int remove_one(unsigned i, const char *name)
{
	struct meta_inode row;
	META_TXN(t);
	int rc = meta_begin(m, &t);

	if (rc == 0)
		rc = meta_inode_get(&t, report->ino[i], &row);
	if (rc < 0)
		return rc;
	row.nlink = 0;
	rc = meta_inode_update(&t, &row);
	if (rc == 0)
		rc = meta_dirent_remove(&t, META_ROOT_INO, name, strlen(name));
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static uint64_t dirty_now(void)
{
	struct meta_totals n;
	META_TXN(t);

	if (meta_read(m, &t) < 0 || meta_totals(&t, &n) < 0)
		return 1;
	return n.dirty_files;
}

/* After the fault only for a moment: who met it backs off for longer. */
static void protect_some(void)
{
	int i;

	move_protect_now(mv, 0);
	for (i = 0; i < (faulty_struck() ? 30 : 2000) && dirty_now() > 0; i++)
		clock_sleep_ns(10000000);
}

static void work(void)
{
	uint64_t freed;
	unsigned i;

	change(0, PART);
	change(3, PART);
	protect_some();
	for (i = 0; i < FILES; i++)
		if (cache_evict(c, report->ino[i], &freed) == 0 && freed > 0)
			report->evicted++;
	for (i = 0; i < 3; i++)
		look(i);
	change(1, PART);
	report->going = true;
	report->gone = remove_one(2, "2") == 0;
	move_reap_now(mv);
	(void)cache_flush(c);
	(void)meta_checkpoint_now(m);
	protect_some();
}

static void child(void)
{
	if (open_state() < 0 || start_move() < 0)
		_exit(3);
	faulty_arm(&planned);
	work();
	report->struck = faulty_disarm(report->what, sizeof(report->what));
	raise(SIGKILL);
}

/* ---- the parent ------------------------------------------------------- */

static void need(bool ok, const char *what, unsigned i)
{
	if (!ok)
		print_error("call %d, %s%s (%s): file %u: %s\n", planned.nth,
			    errno_name(planned.error),
			    planned.persist ? " from there on" : "",
			    report->what, i, what);
	assert_true(ok);
}

static void start(void)
{
	char name[8];
	unsigned i;

	assert_int_equal(move_setup(NULL), 0);
	stop_move();
	use_dir();
	*report = (struct report){ 0 };
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		report->ino[i] = i < 3 ? make_file(name, i, SIZE)
				       : new_file(name);
	}
	close_state();
}

/* The part that was changed, or was going to be. */
static bool part_right(unsigned i, const uint8_t *got, size_t n)
{
	uint8_t old[PART], new[PART];
	size_t o;

	pattern(i, 0, old, n);
	pattern(i + OVER, 0, new, n);
	if (report->over[i] == 2)
		return memcmp(got, new, n) == 0;
	if (report->over[i] == 0)
		return memcmp(got, old, n) == 0;
	for (o = 0; o < n; o++)
		if (got[o] != old[o] && got[o] != new[o] && i < 3)
			return false;
	return true;
}

static void check_bytes(unsigned i, struct cache_file *f)
{
	static uint8_t got[SIZE], want[SIZE];
	size_t n = cache_size(f);

	need(n == (i < 3 ? SIZE : PART) || (i == 3 && report->over[3] < 2),
	     "size", i);
	need(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL) == 0,
	     "cannot be recalled", i);
	need(cache_pread(f, got, n, 0) == (ssize_t)n, "cannot be read", i);
	need(part_right(i, got, MIN(n, (size_t)PART)), "changed bytes", i);
	pattern(i, 0, want, SIZE);
	need(n <= PART || memcmp(got + PART, want + PART, n - PART) == 0,
	     "bytes", i);
}

static void check_file(unsigned i)
{
	struct meta_inode row;
	char name[8];
	uint64_t ino;
	META_TXN(t);
	int rc;

	snprintf(name, sizeof(name), "%u", i);
	assert_int_equal(meta_read(m, &t), 0);
	rc = meta_dirent_get(&t, META_ROOT_INO, name, 1, &ino);
	meta_abort(&t);
	need(rc == 0 || (rc == -ENOENT && i == 2 && report->going), "is gone",
	     i);
	need(!(rc == 0 && i == 2 && report->gone), "is back", i);
	if (rc < 0)
		return;
	row_get(ino, &row);
	if (row.damaged) { /* it said so, and keeps it */
		need(planned.error == EIO && row.state == META_DIRTY,
		     "is damaged", i);
		return;
	}
	{
		struct cache_file *f = file_open(ino, false);

		check_bytes(i, f);
		file_close(f, false);
	}
}

static void check_all(void)
{
	struct err err = ERR_INIT;
	unsigned i;
	META_TXN(t);

	assert_int_equal(open_state(), 0);
	assert_int_equal(start_move(), 0);
	for (i = 0; i < FILES; i++)
		check_file(i);
	assert_int_equal(meta_read(m, &t), 0);
	need(meta_totals_verify(&t, &err) == 0, err.msg, 0);
	meta_abort(&t);
	need(meta_check(m, &err) == 0, err.msg, 0);
	need(report->struck || report->evicted > 1,
	     "hardly anything was evicted without a fault", 0);
	assert_int_equal(move_teardown(NULL), 0);
}

static bool once(void)
{
	start();
	need(faulty_child(child), "the child did not get to its end", 0);
	check_all();
	return report->struck;
}

static void every(unsigned kinds, int error, bool persist, int step)
{
	planned = (struct faulty){
		.kinds = kinds, .error = error, .persist = persist, .jobs = true
	};
	assert_true(faulty_every(&planned, 1, step * stride, once) > 50);
}

#define ANY \
	(FAULTY_WRITE | FAULTY_SYNC | FAULTY_OPEN | FAULTY_READ | FAULTY_OTHER)

static void test_error(void **state)
{
	every(ANY, EIO, false, 1);
}

static void test_error_persists(void **state)
{
	every(ANY, EIO, true, 3);
}

static void test_no_space(void **state)
{
	every(FAULTY_WRITE, ENOSPC, false, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_persists),
		cmocka_unit_test(test_no_space),
	};
	const char *full = getenv("MERSEY_FULL");

	signal(SIGIO, SIG_IGN);
	if (argc > 1)
		stride = MAX(atoi(argv[1]), 1);
	if (full && *full)
		stride = 1;
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return 1;
	return RUN_TESTS(tests, NULL, NULL);
}
