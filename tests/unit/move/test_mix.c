/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers, writers, protect and evict at once, against a model: each file is
 * blocks, each of which has a seed. Also what ThreadSanitizer is run on.
 */
#include "tests/unit/move/util.h"

#include <pthread.h>

#define FILES	12
#define BLOCKS	20
#define BLOCK	40000 /* not a multiple of a frame */
#define RUN_NS	(2 * NSEC_PER_SEC)
#define THREADS 5

static struct model {
	pthread_rwlock_t lock; /* guards all below */
	uint64_t ino;
	unsigned blocks;
	uint64_t seed[BLOCKS];
} file[FILES];

static _Atomic bool stop;
static _Atomic unsigned reads, writes, evictions, failures;

static uint32_t prng(uint64_t *x)
{
	*x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*x >> 33);
}

#define CHECK(ok)                                                        \
	do {                                                             \
		if (!(ok)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #ok); \
			failures++;                                      \
		}                                                        \
	} while (0)

static void read_block(struct model *md, struct cache_file *f, unsigned b)
{
	uint8_t got[BLOCK], want[BLOCK];
	ssize_t n;
	int rc;

	rc = move_recall(mv, f, (uint64_t)b * BLOCK, BLOCK, STORE_CAUSE_READ,
			 NULL);
	CHECK(rc == 0);
	n = cache_pread(f, got, BLOCK, (uint64_t)b * BLOCK);
	CHECK(n == BLOCK);
	pattern(md->seed[b], (uint64_t)b * BLOCK, want, BLOCK);
	CHECK(memcmp(got, want, BLOCK) == 0);
	reads++;
}

static void *reader(void *arg)
{
	uint64_t x = (uintptr_t)arg;

	while (!stop) {
		struct model *md = &file[prng(&x) % FILES];
		struct cache_file *f;
		int i;

		pthread_rwlock_rdlock(&md->lock);
		CHECK(cache_get(c, md->ino, &f) == 0);
		CHECK(cache_acquire(f, false) == 0);
		for (i = 0; i < 4 && md->blocks; i++)
			read_block(md, f, prng(&x) % md->blocks);
		cache_check(f);
		CHECK(cache_release(f, false) == 0);
		cache_put(f);
		pthread_rwlock_unlock(&md->lock);
	}
	return NULL;
}

static void write_block(struct model *md, struct cache_file *f, unsigned b,
			uint64_t seed)
{
	uint8_t p[BLOCK];
	ssize_t n;

	pattern(seed, (uint64_t)b * BLOCK, p, BLOCK);
	while ((n = cache_pwrite(f, p, BLOCK, (uint64_t)b * BLOCK)) == -EAGAIN)
		CHECK(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL) == 0);
	CHECK(n == BLOCK);
	md->seed[b] = seed;
	writes++;
}

static void cut(struct model *md, struct cache_file *f, unsigned blocks)
{
	int rc;

	while ((rc = cache_truncate(f, (uint64_t)blocks * BLOCK)) == -EAGAIN)
		CHECK(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, NULL) == 0);
	CHECK(rc == 0);
	md->blocks = blocks;
}

static void *writer(void *arg)
{
	uint64_t x = (uintptr_t)arg;

	while (!stop) {
		struct model *md = &file[prng(&x) % FILES];
		struct cache_file *f;
		unsigned b;

		pthread_rwlock_wrlock(&md->lock);
		CHECK(cache_get(c, md->ino, &f) == 0);
		CHECK(cache_acquire(f, true) == 0);
		b = prng(&x) % (md->blocks + 1);
		if (prng(&x) % 8 == 0)
			cut(md, f, prng(&x) % 2 ? 0 : b);
		b = md->blocks < BLOCKS ? md->blocks : b % BLOCKS;
		md->blocks = MAX(md->blocks, b + 1);
		write_block(md, f, b, prng(&x));
		if (prng(&x) % 8 == 0)
			CHECK(cache_fsync(f, true) == 0);
		CHECK(cache_release(f, true) == 0);
		cache_put(f);
		pthread_rwlock_unlock(&md->lock);
		clock_sleep_ns(prng(&x) % 100000000);
	}
	return NULL;
}

static void *evictor(void *arg)
{
	uint64_t x = (uintptr_t)arg, freed;

	while (!stop) {
		uint64_t ino = file[prng(&x) % FILES].ino;
		int rc = cache_evict(c, ino, &freed);

		CHECK(rc == 0 || rc == -EBUSY || rc == -ENOTRECOVERABLE);
		evictions += rc == 0 && freed > 0;
		if (prng(&x) % 4 == 0)
			move_protect_now(mv, prng(&x) % 2 ? ino : 0);
		clock_sleep_ns(prng(&x) % 5000000);
	}
	return NULL;
}

static void *(*const roles[THREADS])(void *) = { reader, reader, writer, writer,
						 evictor };

static void verify(void)
{
	unsigned i, b;

	for (i = 0; i < FILES; i++) {
		struct cache_file *f = file_open(file[i].ino, false);

		assert_int_equal(cache_size(f), file[i].blocks * BLOCK);
		for (b = 0; b < file[i].blocks; b++)
			read_block(&file[i], f, b);
		file_close(f, false);
	}
	assert_int_equal(failures, 0);
}

static void test_mix(void **state)
{
	pthread_t t[THREADS];
	char name[16];
	unsigned i;
	META_TXN(txn);

	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		pthread_rwlock_init(&file[i].lock, NULL);
		file[i].ino = new_file(name);
	}
	SET(fail_percent, 1);
	SET(lose_percent, 1);
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, roles[i],
			       (void *)(uintptr_t)(i + 1));
	clock_sleep_ns(RUN_NS);
	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	SET(fail_percent, 0);
	SET(lose_percent, 0);
	print_message("%u reads, %u writes, %u evictions\n", reads, writes,
		      evictions);
	assert_true(reads > 0 && writes > 0 && evictions > 0);
	verify();
	restart();
	verify();
	assert_int_equal(meta_read(m, &txn), 0);
	assert_int_equal(meta_totals_verify(&txn, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { MOVE_TEST(test_mix) };

	return RUN_TESTS(tests, NULL, NULL);
}
