/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth call into the kernel fails, for every N until there is no Nth, while
 * a fixed row of operations runs; then the process is killed. After the next
 * start all that was acknowledged is there (P2), what failed has happened as
 * a whole or not at all, and the database is sound. A single fault harms
 * nothing but the operations it meets.
 *
 * First argument: only every so manieth N; second: the first N; third: which
 * test. The rarer kinds of faults take larger steps unless MERSEY_FULL is set.
 */
#include "tests/unit/vfs/faults.h"
#include "tests/unit/vfs/faulty.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#define OPS_MAX 128
#define PENDING 2

/* Written by the child, read after its death. */
static struct report {
	int rc[OPS_MAX];
	bool struck;   /* the fault came */
	int struck_at; /* during this operation */
	bool db;       /* it was a sync of the database: no other works */
	int opened;    /* files that wait for a flush, after one */
	char what[256];
} * report;

static struct env *env;
static struct faulty plan;
static int stride = 1, first = 1;
static bool full;

/* ---- the child -------------------------------------------------------- */

/* Files that are open for writing although nobody has them open; those
 * without a name are reaped meanwhile. -errno. */
static int unflushed(void)
{
	struct meta_inode in;
	uint64_t ino[8];
	int i, n, rc, named = 0;
	META_TXN(t);

	rc = cache_flush(env->cache);
	if (rc == 0)
		rc = meta_read(env->meta, &t);
	n = rc < 0 ? rc : meta_opened(&t, 0, ino, ARRAY_SIZE(ino));
	for (i = 0; i < n; i++) {
		rc = meta_inode_get(&t, ino[i], &in);
		if (rc < 0)
			return rc;
		named += in.nlink > 0;
	}
	return n < 0 ? n : named;
}

static void child(void)
{
	unsigned i;

	env_open(env, NSEC_PER_SEC);
	faulty_arm(&plan);
	for (i = 0; i < ops_n; i++) {
		report->rc[i] = op_run(env, &ops[i]);
		if (faulty_struck() && report->struck_at < 0)
			report->struck_at = (int)i;
	}
	report->db = faulty_db();
	report->struck = faulty_disarm(report->what, sizeof(report->what));
	report->opened = unflushed();
	raise(SIGKILL);
}

/* ---- the parent ------------------------------------------------------- */

static void restore(void)
{
	assert_sh("rm -rf '%s' && cp -a '%s.start' '%s'", env->dir, env->dir,
		  env->dir);
}

static void need(bool ok, const char *what, const char *more)
{
	if (ok)
		return;
	print_error("call %d of kinds %x, %s%s (%s, in operation %d): %s%s\n",
		    plan.nth, plan.kinds, errno_name(plan.error),
		    plan.persist ? " from there on" : "", report->what,
		    report->struck_at, what, more);
	assert_true(ok);
}

static void run_child(void)
{
	unsigned i;

	*report = (struct report){ .struck_at = -1 };
	for (i = 0; i < ops_n; i++)
		report->rc[i] = PENDING;
	need(faulty_child(child), "the child did not get to its end", "");
}

static void name_op(unsigned i, char *out, size_t size)
{
	snprintf(out, size, ": operation %u of group %u, kind %d, gave %d", i,
		 ops[i].group, ops[i].kind, report->rc[i]);
}

/* One fault is met by one group; a lost log by all that need it. */
static void check_others(void)
{
	char where[96];
	unsigned i, met = (unsigned)report->struck_at;

	for (i = 0; i < ops_n; i++) {
		name_op(i, where, sizeof(where));
		if (!report->struck || i < met)
			need(report->rc[i] == 0, "failed without a fault",
			     where);
		else if (!plan.persist && !report->db &&
			 ops[i].group != ops[met].group)
			need(report->rc[i] == 0, "failed after the fault",
			     where);
	}
	if (!report->db)
		need(report->opened == 0, "a closed file stays unflushed", "");
}

static void check_group(unsigned group)
{
	static struct worlds ws;
	char why[128], where[96];
	bool failed = false;
	unsigned i;

	worlds_start(&ws, group);
	for (i = 0; i < ops_n; i++) {
		/* A file's bytes are synced by its own calls, or a flush. */
		failed |= report->rc[i] < 0 &&
			  (ops[i].kind == FSYNC || ops[i].kind == FLUSH ||
			   ops[i].kind == CLOSE);
		if (ops[i].group != group)
			continue;
		name_op(i, where, sizeof(where));
		need(worlds_op(&ws, &ops[i], report->rc[i]), "cannot be",
		     where);
	}
	snprintf(where, sizeof(where), " in group %u", group);
	need(worlds_match(env, &ws, group, failed && plan.error == EIO, why,
			  sizeof(why)),
	     why, where);
}

static void check_all(void)
{
	struct err err = ERR_INIT;
	unsigned g;

	check_others();
	env_open(env, NSEC_PER_SEC);
	for (g = 0; g < groups_n; g++)
		check_group(g);
	env_reaped(env);
	need(meta_check(env->meta, &err) == 0, err.msg, "");
	env_close(env); /* counts everything again */
}

static bool once(void)
{
	restore();
	run_child();
	check_all();
	return report->struck;
}

/* Every N until the row is through without it; `step` of them at once. */
static void every(unsigned kinds, int error, bool persist, int step, int least)
{
	plan = (struct faulty){ .kinds = kinds,
				.error = error,
				.persist = persist };
	step = full ? stride : step * stride;
	assert_true(faulty_every(&plan, first, step, once) > least);
}

#define ANY \
	(FAULTY_WRITE | FAULTY_SYNC | FAULTY_OPEN | FAULTY_READ | FAULTY_OTHER)

static void test_none(void **state)
{
	plan = (struct faulty){ .kinds = ANY, .nth = 1 << 30 };
	assert_false(once());
}

static void test_error(void **state)
{
	every(ANY, EIO, false, 1, 100);
}

static void test_error_persists(void **state)
{
	every(ANY, EIO, true, 3, 100);
}

static void test_no_space(void **state)
{
	every(FAULTY_WRITE, ENOSPC, false, 1, 60);
}

static void test_no_space_persists(void **state)
{
	every(FAULTY_WRITE, ENOSPC, true, 3, 60);
}

static void test_short_write(void **state)
{
	every(FAULTY_SHORT, ENOSPC, false, 1, 30);
}

static void test_descriptors(void **state)
{
	every(FAULTY_OPEN, EMFILE, false, 1, 10);
}

static void test_descriptors_persist(void **state)
{
	every(FAULTY_OPEN, EMFILE, true, 3, 10);
}

/* SQLite asks thousands of times. */
static void test_memory(void **state)
{
	every(FAULTY_MEMORY, ENOMEM, false, 17, 1000);
}

/* ---- the start of each run -------------------------------------------- */

/* A directory that takes user xattrs, in memory where there is one. */
static const char *place(void)
{
	char path[] = "/dev/shm/mersey-test-XXXXXX";
	bool ok = mkdtemp(path) && setxattr(path, "user.x", "", 0, 0) == 0;

	rmdir(path);
	return ok ? "/dev/shm" : "/tmp";
}

static void start_file(const struct start *s)
{
	const char name[2] = { (char)('a' + s->slot) };
	static uint8_t data[BLOCK];
	struct vfs_entry out;
	uint64_t fh;
	int i;

	assert_ok(vfs_create(env->v, &user, group_dir[s->group], name, 0644,
			     O_RDWR | O_CREAT | O_EXCL, &out, &fh));
	for (i = 0; i < s->n; i++) {
		block_fill(data, i, s->v);
		assert_int_equal(
			vfs_write(env->v, fh, data, BLOCK, (uint64_t)i * BLOCK),
			BLOCK);
	}
	assert_ok(vfs_release(env->v, fh));
	if (s->state == META_DIRTY)
		return;
	env_protect(env);
	if (s->state == META_REMOTE)
		env_evict(env, out.ino);
}

static int setup(void **state)
{
	char name[16];
	unsigned i;

	signal(SIGIO, SIG_IGN);
	faulty_memory();
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(report != MAP_FAILED && ops_n <= OPS_MAX);
	env_parent = place();
	env = env_new(NSEC_PER_SEC);
	for (i = 0; i < groups_n; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		group_dir[i] = env_dir(env, META_ROOT_INO, name);
	}
	for (i = 0; i < starts_n; i++) /* protect takes all that is dirty */
		if (starts[i].state != META_DIRTY)
			start_file(&starts[i]);
	for (i = 0; i < starts_n; i++)
		if (starts[i].state == META_DIRTY)
			start_file(&starts[i]);
	env_close(env);
	assert_sh("cp -a '%s' '%s.start'", env->dir, env->dir);
	return 0;
}

static int teardown(void **state)
{
	restore();
	assert_sh("rm -rf '%s.start'", env->dir);
	env_open(env, NSEC_PER_SEC);
	env_free(env);
	munmap(report, sizeof(*report));
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_persists),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_no_space_persists),
		cmocka_unit_test(test_short_write),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_descriptors_persist),
		cmocka_unit_test(test_memory),
	};
	const char *env_full = getenv("MERSEY_FULL");

	full = env_full && *env_full;
	if (argc > 1)
		stride = MAX(atoi(argv[1]), 1);
	if (argc > 2)
		first = MAX(atoi(argv[2]), 1);
	if (argc > 3)
		cmocka_set_test_filter(argv[3]);
	return RUN_TESTS(tests, setup, teardown);
}
