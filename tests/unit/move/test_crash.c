/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at random moments while files are written, changed, protected,
 * evicted and recalled: what was acknowledged is there after the next start.
 */
#include "tests/unit/move/util.h"

#include <pthread.h>
#include <sys/mman.h>

#define FILES  1000
#define ROUNDS 6

/* Written by the child, read by the parent after its death. */
struct record {
	uint64_t ino;
	uint32_t size;
	_Atomic int made; /* 1: written and closed */
	_Atomic int over; /* 1: block 0 is being changed; 2: was */
};

static struct shared {
	_Atomic unsigned n; /* files begun */
	_Atomic unsigned evicted, recalled;
	struct record r[FILES];
} * sh;

static uint32_t prng(uint64_t *x)
{
	*x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*x >> 33);
}

/* ---- the child -------------------------------------------------------- */

static void need(bool ok)
{
	if (!ok)
		_exit(3);
}

/* As vfs: completes the file when its first change needs that. */
static void overwrite(struct record *r, unsigned i)
{
	uint8_t p[4096];
	struct cache_file *f;
	ssize_t n;

	pattern(i + 1000, 0, p, sizeof(p));
	need(cache_get(c, r->ino, &f) == 0 && cache_acquire(f, true) == 0);
	r->over = 1;
	while ((n = cache_pwrite(f, p, sizeof(p), 0)) == -EAGAIN)
		need(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL) == 0);
	need(n == (ssize_t)sizeof(p));
	r->over = 2;
	need(cache_release(f, true) == 0);
	cache_put(f);
}

static void *evictor(void *arg)
{
	uint64_t x = getpid(), freed;

	for (;;) {
		unsigned n = sh->n;
		struct record *r = &sh->r[n ? prng(&x) % n : 0];
		struct cache_file *f;

		if (n == 0 || !r->made)
			continue;
		if (cache_evict(c, r->ino, &freed) == 0 && freed)
			sh->evicted++;
		if (cache_get(c, r->ino, &f) < 0)
			continue;
		need(cache_acquire(f, false) == 0);
		if (state_of(r->ino) == META_REMOTE)
			sh->recalled++;
		need(move_recall(mv, f, 0, 100000, STORE_CAUSE_READ, NULL) ==
		     0);
		need(cache_release(f, false) == 0);
		cache_put(f);
	}
	return NULL;
}

static void child(unsigned round)
{
	uint64_t x = round * 7919 + 1;
	pthread_t t;

	need(open_state() == 0 && start_move() == 0);
	pthread_create(&t, NULL, evictor, NULL);
	for (;;) {
		unsigned i = sh->n;
		struct record *r = &sh->r[i];
		char name[32];

		if (i == FILES || prng(&x) % 3 == 0) {
			r = &sh->r[i ? prng(&x) % i : 0];
			if (i && r->made && r->size >= 4096)
				overwrite(r, (unsigned)(r - sh->r));
			continue;
		}
		/* The last child may have died before it counted its file. */
		snprintf(name, sizeof(name), "f%u.%u", i, round);
		r->size = prng(&x) % 5 ? prng(&x) % 70000 : prng(&x) % 600000;
		r->ino = new_file(name);
		sh->n = i + 1;
		write_file(r->ino, i, r->size);
		r->made = 1;
	}
}

/* ---- the parent ------------------------------------------------------- */

static void verify_block0(struct cache_file *f, const struct record *r,
			  unsigned i)
{
	uint8_t got[4096], old[4096], new[4096];

	assert_int_equal(cache_pread(f, got, 4096, 0), 4096);
	pattern(i, 0, old, 4096);
	pattern(i + 1000, 0, new, 4096);
	if (r->over == 2 || (r->over == 1 && memcmp(got, old, 4096) != 0))
		assert_memory_equal(got, new, 4096);
	else
		assert_memory_equal(got, old, 4096);
}

static void verify_file(const struct record *r, unsigned i)
{
	struct cache_file *f = file_open(r->ino, false);
	struct meta_inode row;

	row_get(r->ino, &row);
	assert_false(row.damaged);
	assert_false(row.opened_for_write);
	assert_int_equal(cache_size(f), r->size);
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL), 0);
	if (r->size >= 4096) {
		verify_block0(f, r, i);
		expect_at(f, i, 4096, r->size - 4096);
	} else {
		expect_at(f, i, 0, r->size);
	}
	file_close(f, false);
}

static void verify_meta(void)
{
	struct err err = ERR_INIT;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals_verify(&t, &err), 0);
	meta_abort(&t);
	assert_int_equal(meta_check(m, &err), 0);
}

static void round_once(unsigned round)
{
	unsigned made = sh->n, i;
	uint64_t x = (uint64_t)clock_wall_ns();
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(round);
	/* A kill with nothing in flight is none. */
	while (sh->n < MIN(made + 3, (unsigned)FILES) &&
	       waitpid(pid, &status, WNOHANG) == 0)
		clock_sleep_ns(1000000);
	clock_sleep_ns(50000000 + prng(&x) % 250000000);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(open_state(), 0);
	assert_int_equal(start_move(), 0);
	verify_meta();
	for (i = 0; i < sh->n; i++) {
		struct record *r = &sh->r[i];

		if (r->made)
			verify_file(r, i);
		if (r->over == 1) /* either way; from now on a known one */
			overwrite(r, i);
	}
	stop_move();
	close_state();
}

static void test_kill(void **state)
{
	unsigned i;

	stop_move();
	use_dir();
	close_state();
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sh != MAP_FAILED);
	for (i = 0; i < ROUNDS && sh->n + 3 < FILES; i++)
		round_once(i);
	assert_true(i >= 2);
	assert_true(sh->evicted > 0 && sh->recalled > 0);
	assert_int_equal(open_state(), 0);
	assert_int_equal(start_move(), 0);
	move_protect_now(mv, 0); /* and all is protected in the end */
	for (i = 0; i < sh->n; i++)
		if (sh->r[i].made)
			assert_true(wait_state(sh->r[i].ino, META_LOCAL) ||
				    state_of(sh->r[i].ino) != META_DIRTY);
	munmap(sh, sizeof(*sh));
}

int main(void)
{
	const struct CMUnitTest tests[] = { MOVE_TEST(test_kill) };

	return RUN_TESTS(tests, NULL, NULL);
}
