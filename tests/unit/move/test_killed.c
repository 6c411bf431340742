/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer that dies with each of its requests, before and after it was
 * served; and one beside which files are changed at each of them. What files
 * have is there at any time, also by the packs alone, and the next transfer
 * goes on.
 */
#include <sys/wait.h>

#include "tests/unit/move/transfer.h"

#define LARGE (2 * OBJECT + 12345)

/* A store that does something at one of its calls; `dir`, with copies. */
struct stepped {
	struct store base;
	struct store *inner;
};

static struct {
	int left;      /* calls of `who` before it; < 0: it has happened */
	pthread_t who; /* transfers: what others move does not count */
	void (*fn)(void);
	bool after;
} step = { .left = -1 };

static struct store *inner_of(struct store *s)
{
	return container_of(s, struct stepped, base)->inner;
}

static void step_set(int left, bool after, void (*fn)(void))
{
	step.left = left;
	step.after = after;
	step.fn = fn;
	step.who = pthread_self();
}

static void (*on_get)(void); /* before the next one, whoever asks */

static void step_here(bool after)
{
	if (!pthread_equal(step.who, pthread_self()))
		return;
	if (step.left == 0 && step.after == after) {
		step.left = -1;
		step.fn();
	}
	if (after && step.left > 0)
		step.left--;
}

static int step_end(int rc)
{
	step_here(true);
	return rc;
}

static int stepped_put(struct store *s, const char *key, const void *data,
		       size_t len, const struct store_put_opts *o)
{
	struct store_put_opts plain = *o;

	plain.storage_class = NULL;
	step_here(false);
	return step_end(store_put(inner_of(s), key, data, len, &plain));
}

static ssize_t stepped_get(struct store *s, const char *key, uint64_t off,
			   void *dst, size_t len)
{
	void (*fn)(void) = __atomic_exchange_n(&on_get, NULL, __ATOMIC_SEQ_CST);
	ssize_t n;

	if (fn)
		fn();
	step_here(false);
	n = store_get(inner_of(s), key, off, dst, len);
	step_end(0);
	return n;
}

static int stepped_copy(struct store *s, const char *from, const char *to,
			const struct store_put_opts *o)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc;

	step_here(false);
	object_read(inner_of(s), from, &b);
	rc = store_put(inner_of(s), to, b.data, b.len, NULL);
	return step_end(rc);
}

static int stepped_head(struct store *s, const char *key,
			struct store_info *out)
{
	return store_head(inner_of(s), key, out);
}

static int stepped_del(struct store *s, const char *const *keys, size_t n,
		       int *rc)
{
	return store_del(inner_of(s), keys, n, rc);
}

static int stepped_list(struct store *s, const char *prefix, const char *after,
			size_t max, struct store_list *out)
{
	return store_list(inner_of(s), prefix, after, max, out);
}

static void stepped_caps(struct store *s, struct store_caps *out)
{
	store_caps(inner_of(s), out);
	out->copy = true;
}

static int stepped_skew(struct store *s, int64_t *ahead)
{
	return store_skew(inner_of(s), ahead);
}

static void stepped_free(struct store *s)
{
	store_free(inner_of(s));
	free(container_of(s, struct stepped, base));
}

static const struct store_ops stepped_ops = {
	.put = stepped_put,
	.get = stepped_get,
	.head = stepped_head,
	.del = stepped_del,
	.list = stepped_list,
	.copy = stepped_copy,
	.caps = stepped_caps,
	.skew = stepped_skew,
	.free = stepped_free,
};

static struct store *stepped_new(const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);
	CLEANUP_FREE char *in = io_path("%s/%s/bucket", dir, name);
	struct stepped *k = calloc(1, sizeof(*k));
	struct store_opts o = { .kind = STORE_DIR,
				.name = name,
				.endpoint = path,
				.bucket = "bucket",
				.prefix = "" };

	assert_non_null(k);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mkdir(in, 0700), 0);
	k->base.ops = &stepped_ops;
	assert_int_equal(store_dir_open(&o, &k->inner, NULL), 0);
	return &k->base;
}

static int setup(void **state)
{
	static const char *const name[] = { "one", "two" };
	int i;

	if (transfer_setup(state) < 0)
		return -1;
	stop_move();
	tiers_stop();
	for (i = 0; i < 2; i++)
		rebuild_from[i] = place[i] =
			store_shared_new(stepped_new(name[i]));
	tiers_of_places();
	step.left = -1;
	return start_move();
}

#define KILLED_TEST(f) \
	cmocka_unit_test_setup_teardown(f, setup, transfer_teardown)

/* ---- what is moved ---------------------------------------------------- */

/* A pack as it is, two that are joined, and a large file that has changed. */
static void add_all(void)
{
	add_pack("large", 1, LARGE);
	bytes_write(&file[0], 100, 3 * FRAME, FRAME);
	protect_it(file[0].ino);
	add_pack("f", 2, 20 * KIB);
	add_pack("g", 2, 20 * KIB);
	add_pack("h", 3, 60 * KIB);
	evict_all();
}

static int move_all(size_t to, struct move_transferred *out)
{
	uint64_t ino[FILES_MAX];
	struct move_transfer in = order(to, ino, files);
	size_t i;

	for (i = 0; i < files; i++)
		ino[i] = file[i].ino;
	return move_transfer(mv, &in, out);
}

static size_t to_tier; /* of the child's transfer */

static void die(void)
{
	kill(getpid(), SIGKILL);
}

static void child(int left, bool after)
{
	struct move_transferred out;

	step_set(left, after, die);
	if (open_state() < 0 || start_move() < 0)
		_exit(1);
	_exit(move_all(to_tier, &out) == 0 ? 0 : 2);
}

/* Was it killed? */
static bool dies(int left, bool after)
{
	pid_t pid;
	int status;

	stop_move();
	close_state();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(left, after);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
					: WEXITSTATUS(status) == 0);
	assert_int_equal(open_state(), 0);
	assert_int_equal(start_move(), 0);
	return WIFSIGNALED(status);
}

/* Back to where it began, so that each request has its turn. */
static void test_killed(void **state)
{
	static const size_t route[] = { FAR, COLD };
	struct move_transferred out;
	int left, deaths = 0;
	size_t r;

	add_all();
	for (r = 0; r < ARRAY_SIZE(route); r++) {
		to_tier = route[r];
		for (left = 0;; left++) {
			bool before = dies(left / 2, left % 2);

			deaths += before;
			if (left % 2)
				delete_condemned();
			check_all();
			evict_all();
			if (!before)
				break;
			if (left % 3 == 2) /* from the beginning, soon */
				assert_int_equal(
					move_all(r == 0 ? NEAR : FAR, &out), 0);
		}
		assert_true(all_in(r == 0 ? "far" : "cold"));
	}
	assert_true(deaths > 15);
}

/* ---- changes meanwhile ------------------------------------------------ */

static size_t victim;
static int how;

static void change(void)
{
	struct bytes *b = &file[victim];

	switch (how) {
	case 0:
		bytes_write(b, 200 + victim, 0, 100);
		break;
	case 1:
		bytes_write(b, 300 + victim, 0, 100);
		protect_it(b->ino);
		break;
	case 2:
		bytes_cut(b, b->size / 2);
		protect_it(b->ino);
		break;
	default:
		bytes_check(b); /* it is read */
	}
}

/* Files are changed in each way, at this and that request. */
static void test_changed_meanwhile(void **state)
{
	static const size_t route[] = { FAR, COLD, NEAR };
	struct move_transferred out;
	int i, happened = 0;

	add_all();
	for (i = 0; i < 24; i++) {
		victim = (size_t)i % files;
		how = i / 2 % 4;
		step_set(i / 3, i % 2, change);
		assert_int_equal(move_all(route[i % 3], &out), 0);
		happened += step.left < 0;
		step.left = -1;
		assert_int_equal(out.failed, 0);
		protect_it(file[victim].ino);
		check_all();
		if (i % 5 == 4) {
			delete_condemned();
			check_all();
		}
		evict_all();
	}
	assert_true(happened > 8);
}

/* ---- a reader that waits for long ------------------------------------- */

static uint64_t formed;

/* All is elsewhere, and nothing is left of what was there. */
static void move_and_delete(void)
{
	struct store_list l = { 0 };
	struct move_transferred out;
	size_t i;

	assert_int_equal(move_all(FAR, &out), 0);
	assert_true(out.copied > 0);
	formed += out.formed;
	assert_int_equal(store_list(place[0], "packs/", "", 1000, &l), 0);
	assert_true(l.n > 0);
	for (i = 0; i < l.n; i++)
		assert_int_equal(store_del1(place[0], l.entry[i].key), 0);
	store_list_done(&l);
}

/* Of a pack that was formed anew, and of one that went as it is. */
static void test_read_meanwhile(void **state)
{
	static const size_t reads[] = { 1, 0 };
	struct move_transferred out;
	size_t i;

	add_all();
	for (i = 0; i < ARRAY_SIZE(reads); i++) {
		__atomic_store_n(&on_get, move_and_delete, __ATOMIC_SEQ_CST);
		bytes_check(&file[reads[i]]);
		assert_null(on_get);
		assert_true(formed > 0);
		check_all();
		delete_condemned();
		evict_all();
		assert_int_equal(move_all(NEAR, &out), 0);
		delete_condemned();
		evict_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KILLED_TEST(test_killed),
		KILLED_TEST(test_changed_meanwhile),
		KILLED_TEST(test_read_meanwhile),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
