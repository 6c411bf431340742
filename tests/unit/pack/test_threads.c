/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several threads seal and open with one key ring while another adds
 * generations. ThreadSanitizer is the judge; without it the test still
 * checks that each pack is readable.
 */
#include "tests/unit/pack/helper.h"

#include <pthread.h>
#include <stdatomic.h>

#define READERS	    3
#define GENERATIONS 40

struct shared {
	struct keys keys;
	struct buf pack; /* of generation 1 */
	atomic_bool stop;
	atomic_int failures;
};

/* One of the threads' turns; asserts do not work off the main thread. */
static bool open_one(struct shared *s, uint8_t *scratch)
{
	CLEANUP(pack_reader_free_guard) struct pack_reader *r = NULL;
	struct mem m = { .p = s->pack.data, .len = s->pack.len };
	uint32_t i;

	if (pack_reader_open(s->keys.kr, mem_read, &m, m.len, NULL, &r, NULL) <
	    0)
		return false;
	for (i = 0; i < pack_reader_frames(r); i++)
		if (pack_reader_read(r, i, scratch) < 0)
			return false;
	return true;
}

static bool seal_one(struct shared *s)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = pack_writer_new(s->keys.kr);
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *p;
	size_t len;

	return w && pack_writer_frame(w, 0, "abc", 3, true, NULL) == 0 &&
	       pack_writer_member(w, NULL) == 0 &&
	       pack_writer_seal(w, &p, &len, digest) == 0;
}

static void *reader(void *arg)
{
	struct shared *s = arg;
	uint8_t *scratch = malloc(PACK_FRAME_MAX);

	while (!atomic_load(&s->stop))
		if (!scratch || !open_one(s, scratch) || !seal_one(s))
			atomic_fetch_add(&s->failures, 1);
	free(scratch);
	return NULL;
}

/* All use one key (frames are opened without a lock). */
static void *opener(void *arg)
{
	struct shared *s = arg;
	struct pack_header h;
	struct pack_key k;

	if (pack_header_parse(s->pack.data, s->pack.len, &h) < 0)
		atomic_fetch_add(&s->failures, 1);
	while (!atomic_load(&s->stop)) {
		if (pack_key_derive(s->keys.kr, 1, h.salt, &h.id, &k) < 0 ||
		    pack_header_verify(&k, s->pack.data) < 0)
			atomic_fetch_add(&s->failures, 1);
		pack_key_done(&k);
	}
	return NULL;
}

static void test_ring_grows_under_readers(void **state)
{
	static struct shared s;
	pthread_t t[READERS + 1];
	CLEANUP_BUF struct buf object = { 0 };
	uint32_t gen;
	size_t i;

	keys_init(&s.keys, 7);
	small_pack(&s.keys, &s.pack);
	for (i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader, &s), 0);
	assert_int_equal(pthread_create(&t[READERS], NULL, opener, &s), 0);
	for (gen = 2; gen < 2 + GENERATIONS; gen++) {
		assert_int_equal(pack_keyring_create(s.keys.kr, &s.keys.root,
						     gen, &object),
				 0);
		assert_int_equal(pack_keyring_newest(s.keys.kr), gen);
		usleep(2000);
	}
	atomic_store(&s.stop, true);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&s.failures), 0);
	buf_done(&s.pack);
	keys_done(&s.keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_grows_under_readers),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
