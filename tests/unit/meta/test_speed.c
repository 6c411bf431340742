/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what a create-like transaction and a lookup cost; asserts nothing
 * about time. Argument: number of files (100000). */
#include "tests/unit/meta/util.h"

#include "base/clock.h"
#include "meta/tiering.h"

#define DIRS 100

static int files = 100000;

static int64_t wall, cpu;

static int64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return clock_ns(ts);
}

static void start(void)
{
	wall = clock_boot_ns();
	cpu = thread_ns();
}

static void report(const char *what, int n)
{
	printf("%-16s %8.2f us, of this thread's processor %8.2f us\n", what,
	       (double)(clock_boot_ns() - wall) / 1000.0 / n,
	       (double)(thread_ns() - cpu) / 1000.0 / n);
}

static void name_of(int i, char name[32])
{
	/* As scanners do it: long, alike, in no order. */
	snprintf(name, 32, "IM%08x%08x.dcm", (unsigned)i * 2654435761u,
		 (unsigned)i);
}

/* What vfs_create() changes: a new inode, its name, its directory. */
static void create(uint64_t parent, int i)
{
	struct meta_inode dp, in = {
		.mode = S_IFREG | 0644,
		.nlink = 1,
		.state = META_DIRTY,
		.opened_for_write = true,
		.dirty_ns = 1000 + i,
	};
	char name[32];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_inode_get(&t, parent, &dp), 0);
	assert_int_equal(meta_new_ino(&t, &in.ino), 0);
	assert_int_equal(meta_new_version(&t, &in.content_version), 0);
	assert_int_equal(meta_inode_insert(&t, &in), 0);
	name_of(i, name);
	assert_int_equal(
		meta_dirent_insert(&t, parent, name, strlen(name), in.ino), 0);
	dp.mtime_ns = dp.ctime_ns = i;
	assert_int_equal(meta_inode_update(&t, &dp), 0);
	commit(&t);
}

static void lookup(uint64_t parent, int i)
{
	struct meta_inode in;
	char name[32];
	uint64_t ino;
	META_TXN(t);

	name_of(i, name);
	reading(&t);
	assert_int_equal(meta_dirent_get(&t, parent, name, strlen(name), &ino),
			 0);
	assert_int_equal(meta_inode_get(&t, ino, &in), 0);
	commit(&t);
}

/* What cache_release() changes: the file's final attributes. */
static void settle(uint64_t ino, int i)
{
	struct meta_inode in;
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_inode_get(&t, ino, &in), 0);
	in.opened_for_write = false;
	in.size = in.cached_bytes = 8192;
	in.settle_ns = i;
	assert_int_equal(meta_inode_update(&t, &in), 0);
	commit(&t);
}

/* A pack for each 16 files, as protect makes them of larger ones. */
static void protect(uint64_t ino, int i, uint64_t *row)
{
	struct meta_pack p = { .length = 500, .tier = "near" };
	uint32_t table = 100;
	struct meta_extent e = { .ino = ino,
				 .len = 1000,
				 .frames = 1,
				 .pack_off = (uint64_t)(i % 16) * 100,
				 .table = &table };
	META_TXN(t);

	begin(&t);
	if (i % 16 == 0) {
		memcpy(p.id, &i, sizeof(i));
		snprintf(p.object, sizeof(p.object), "packs/%d", i);
		assert_int_equal(meta_pack_intend(&t, &p), 0);
		assert_int_equal(meta_pack_stored(&t, &p), 0);
		*row = p.row;
	}
	e.pack = *row;
	assert_int_equal(meta_extent_insert(&t, &e), 0);
	commit(&t);
}

/* All files, as a plan looks at them: in pages, by looks of their own. */
static void subjects(void)
{
	static struct meta_subject page[1024];
	int64_t longest = 0;
	uint64_t after = 0;
	int n, all = 0;

	do {
		int64_t began = clock_boot_ns();
		META_TXN(t);

		assert_int_equal(meta_look(m, &t), 0);
		n = meta_subjects(&t, after, page, ARRAY_SIZE(page));
		assert_true(n >= 0);
		if (n)
			after = page[n - 1].ino;
		all += n;
		longest = MAX(longest, clock_boot_ns() - began);
	} while (n);
	assert_int_equal(all, files);
	printf("longest page of subjects %.1f ms\n", (double)longest / 1e6);
}

static void test_speed(void **state)
{
	uint64_t parent[DIRS], first;
	uint64_t row = 0;
	char name[32];
	META_TXN(t);
	int i;

	begin(&t);
	for (i = 0; i < DIRS; i++) {
		snprintf(name, sizeof(name), "dir%d", i);
		parent[i] = make_dir(&t, META_ROOT_INO, name);
	}
	first = parent[DIRS - 1] + 1;
	commit(&t);
	start();
	for (i = 0; i < files; i++)
		create(parent[i / 500 % DIRS], i);
	report("create", files);
	start();
	for (i = 0; i < files; i++)
		settle(first + (uint64_t)i, i);
	report("settle", files);
	start();
	for (i = 0; i < files; i++) {
		int k = (int)((unsigned)i * 7919u % (unsigned)files);

		lookup(parent[k / 500 % DIRS], k);
	}
	report("lookup, random", files);
	start();
	for (i = 0; i < files; i++)
		lookup(parent[i / 500 % DIRS], i);
	report("lookup, in order", files);
	start();
	for (i = 0; i < files; i++)
		protect(first + (uint64_t)i, i, &row);
	report("protect", files);
	start();
	subjects();
	report("subjects", files);
	start();
	for (i = 0; i < 100; i++)
		assert_int_equal(meta_durable(m, 0), 0);
	report("durable", 100);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { META_TEST(test_speed) };

	if (argc > 1)
		files = atoi(argv[1]);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
