/* SPDX-License-Identifier: Apache-2.0 */
/* Listings. */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#define ROOT META_ROOT_INO
#define MANY 10000

struct seen {
	struct env *e;
	uint64_t dir;
	unsigned stop_after; /* entries per call */
	unsigned n, total;
	bool plus;
	uint64_t next;
	uint8_t count[MANY]; /* of "k<i>" */
	unsigned dots, others;
};

static bool see(void *arg, const struct vfs_dirent *d)
{
	struct seen *s = arg;
	unsigned i;

	if (s->n == s->stop_after)
		return false;
	assert_true(d->next > s->next);
	s->next = d->next;
	s->n++;
	s->total++;
	if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0) {
		assert_null(d->e);
		assert_int_equal(d->type, S_IFDIR);
		assert_int_equal(d->next, d->name[1] ? 2 : 1);
		s->dots++;
	} else if (sscanf(d->name, "k%u", &i) == 1 && i < MANY) {
		s->count[i]++;
	} else {
		s->others++;
	}
	if (s->plus && d->name[0] != '.') {
		assert_non_null(d->e);
		assert_int_equal(d->e->ino, d->ino);
		assert_int_equal(d->e->attr.st_ino, d->ino);
		assert_int_equal(d->e->attr.st_mode & S_IFMT, d->type);
	}
	return true;
}

/* Lists in pieces, with something done between them. */
static void list_all(struct seen *s, void (*between)(struct seen *s))
{
	uint64_t fh, off;

	assert_ok(vfs_opendir(s->e->v, s->dir, O_RDONLY, &fh));
	do {
		s->n = 0;
		off = s->next;
		assert_ok(vfs_readdir(s->e->v, fh, off, s->plus, s->stop_after,
				      see, s));
		if (between && s->n)
			between(s);
	} while (s->n > 0);
	assert_ok(vfs_releasedir(s->e->v, fh));
}

static struct seen *seen_new(struct env *e, uint64_t dir, unsigned piece,
			     bool plus)
{
	struct seen *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->e = e;
	s->dir = dir;
	s->stop_after = piece;
	s->plus = plus;
	return s;
}

static void test_small(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d"), fh;
	struct seen *s = seen_new(e, d, 1000, true);

	list_all(s, NULL);
	assert_int_equal(s->total, 2); /* "." and ".." */
	free(s);
	env_dir(e, d, "k1");
	env_data(e, d, "k2", 123);
	s = seen_new(e, d, 1, true); /* one at a time */
	list_all(s, NULL);
	assert_int_equal(s->total, 4);
	assert_int_equal(s->dots, 2);
	assert_int_equal(s->count[1], 1);
	assert_int_equal(s->count[2], 1);
	/* From the start again, through the same handle. */
	assert_ok(vfs_opendir(e->v, d, O_RDONLY, &fh));
	s->n = 0;
	s->next = 0;
	s->plus = false;
	s->stop_after = 1000;
	assert_ok(vfs_readdir(e->v, fh, 0, false, 0, see, s));
	assert_int_equal(s->n, 4);
	s->n = 0;
	assert_ok(vfs_readdir(e->v, fh, UINT64_MAX >> 1, false, 0, see, s));
	assert_int_equal(s->n, 0);
	assert_ok(vfs_releasedir(e->v, fh));
	assert_errno(vfs_readdir(e->v, fh, 0, false, 0, see, s), EBADF);
	free(s);
}

static bool see_parent(void *arg, const struct vfs_dirent *d)
{
	uint64_t *ino = arg;

	ino[d->name[1] ? 1 : 0] = d->ino;
	return d->next < 2;
}

static void test_dots(void **state)
{
	struct env *e = *state;
	uint64_t a = env_dir(e, ROOT, "a"), b = env_dir(e, a, "b"), fh;
	uint64_t ino[2];

	assert_ok(vfs_opendir(e->v, b, O_RDONLY, &fh));
	assert_ok(vfs_readdir(e->v, fh, 0, false, 0, see_parent, ino));
	assert_int_equal(ino[0], b);
	assert_int_equal(ino[1], a);
	assert_ok(vfs_rename(e->v, &user, a, "b", ROOT, "b", 0));
	assert_ok(vfs_readdir(e->v, fh, 0, false, 0, see_parent, ino));
	assert_int_equal(ino[1], ROOT);
	assert_ok(vfs_rmdir(e->v, &user, ROOT, "b"));
	assert_ok(vfs_readdir(e->v, fh, 0, false, 0, see_parent, ino));
	assert_ok(vfs_releasedir(e->v, fh));
}

static void make_many(struct env *e, uint64_t dir)
{
	struct vfs_entry out;
	char name[16];
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_ok(vfs_mknod(e->v, &user, dir, name, S_IFIFO | 0600, 0,
				    &out));
	}
}

struct churn {
	struct env *e;
	uint64_t dir;
	_Atomic bool stop;
	_Atomic unsigned rounds;
};

/* Names come and go, in the directory that is listed. */
static void *churn(void *arg)
{
	struct churn *c = arg;
	struct vfs_entry out;
	char name[16], other[16];
	unsigned i;

	for (i = 0; !c->stop; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		snprintf(other, sizeof(other), "u%u", i);
		assert_ok(vfs_mknod(c->e->v, &user, c->dir, name,
				    S_IFIFO | 0600, 0, &out));
		assert_ok(vfs_rename(c->e->v, &user, c->dir, name, c->dir,
				     other, 0));
		if (i >= 20) {
			snprintf(other, sizeof(other), "u%u", i - 20);
			assert_ok(vfs_unlink(c->e->v, &user, c->dir, other));
		}
		c->rounds = i;
	}
	return NULL;
}

static void check_once(const struct seen *s)
{
	int i;

	for (i = 0; i < MANY; i++)
		if (s->count[i] != 1)
			break;
	assert_int_equal(i, MANY);
	assert_int_equal(s->dots, 2);
}

static void test_many_with_changes(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d");
	struct churn c = { .e = e, .dir = d };
	pthread_t thread;
	int i;

	make_many(e, d);
	assert_ok(pthread_create(&thread, NULL, churn, &c));
	/* Until enough has changed meanwhile, however busy the machine is. */
	for (i = 0; i < 2 || (c.rounds <= 20 && i < 10000); i++) {
		struct seen *s = seen_new(e, d, i % 2 ? 333 : 100, i % 2 == 0);

		list_all(s, NULL);
		check_once(s);
		free(s);
	}
	c.stop = true;
	pthread_join(thread, NULL);
	assert_true(c.rounds > 20);
}

/* rm -r deletes what it was just told of. */
static void remove_seen(struct seen *s)
{
	char name[16];
	int i;

	for (i = 0; i < MANY; i++) {
		if (s->count[i] != 1)
			continue;
		snprintf(name, sizeof(name), "k%d", i);
		assert_ok(vfs_unlink(s->e->v, &user, s->dir, name));
		s->count[i] = 2;
	}
}

static void test_remove_while_listing(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d");
	struct seen *s = seen_new(e, d, 1700, false);

	make_many(e, d);
	list_all(s, remove_seen);
	assert_int_equal(s->total, MANY + 2);
	free(s);
	assert_ok(vfs_rmdir(e->v, &user, ROOT, "d"));
}

/* Names that a listing made itself do not come back in it. */
static void rename_seen(struct seen *s)
{
	char name[16], to[16];
	int i;

	for (i = 0; i < MANY; i++) {
		if (s->count[i] != 1)
			continue;
		snprintf(name, sizeof(name), "k%d", i);
		snprintf(to, sizeof(to), "r%d", i);
		assert_ok(vfs_rename(s->e->v, &user, s->dir, name, s->dir, to,
				     0));
		s->count[i] = 2;
	}
}

static void test_rename_while_listing(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d");
	struct seen *s = seen_new(e, d, 1700, true);

	make_many(e, d);
	list_all(s, rename_seen);
	assert_int_equal(s->total, MANY + 2);
	free(s);
	s = seen_new(e, d, 1700, false); /* but in the next one */
	list_all(s, NULL);
	assert_int_equal(s->others, MANY);
	free(s);
}

/* ---- a large one ----------------------------------------------------- */

#define LARGE 100000

/* Hard links to one inode: half the rows. */
static void make_large(struct env *e, uint64_t dir)
{
	uint64_t f = env_file(e, dir, "first");
	struct meta_inode in;
	char name[16];
	int i, n;

	for (i = 1; i < LARGE;) {
		META_TXN(t);

		assert_ok(meta_begin(e->meta, &t));
		for (n = 0; n < 1000 && i < LARGE; n++, i++) {
			snprintf(name, sizeof(name), "n%d", i);
			assert_ok(meta_dirent_insert(&t, dir, name,
						     strlen(name), f));
		}
		assert_ok(meta_inode_get(&t, f, &in));
		in.nlink += (uint32_t)n;
		assert_ok(meta_inode_update(&t, &in));
		assert_ok(meta_commit(&t, NULL));
	}
}

struct stream {
	unsigned n, left;
	uint64_t next;
};

static bool stream(void *arg, const struct vfs_dirent *d)
{
	struct stream *s = arg;

	if (s->left == 0)
		return false;
	assert_true(d->next > s->next);
	s->next = d->next;
	s->left--;
	s->n++;
	return true;
}

static void test_large(void **state)
{
	struct env *e = *state;
	uint64_t d = env_dir(e, ROOT, "d"), fh, half = 0;
	struct stream s = { 0 }, again = { 0 };
	unsigned before;
	size_t used;

	make_large(e, d);
	assert_ok(vfs_opendir(e->v, d, O_RDONLY, &fh));
	used = mallinfo2().uordblks;
	do {
		before = s.n;
		s.left = 195; /* entries of a reply of 32 KiB */
		assert_ok(vfs_readdir(e->v, fh, s.next, true, 195, stream, &s));
		if (half == 0 && s.n >= LARGE / 2) {
			half = s.next;
			again.n = s.n;
		}
	} while (s.n > before);
	assert_int_equal(s.n, LARGE + 2);
	assert_true(mallinfo2().uordblks < used + (1 << 20));
	/* From a cookie of long ago, all at once. */
	again.next = half;
	again.left = UINT32_MAX;
	assert_ok(vfs_readdir(e->v, fh, half, false, 0, stream, &again));
	assert_int_equal(again.n, LARGE + 2);
	assert_ok(vfs_releasedir(e->v, fh));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENV_TEST(test_small),
		ENV_TEST(test_dots),
		ENV_TEST(test_many_with_changes),
		ENV_TEST(test_remove_while_listing),
		ENV_TEST(test_rename_while_listing),
		ENV_TEST(test_large),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
