/* SPDX-License-Identifier: Apache-2.0 */
/* Packs and the parts of a large file are on their way at the same time. */
#include "tests/unit/move/util.h"

#define STREAMS 4
#define WAIT_NS (20 * NSEC_PER_SEC)

/* A store in memory whose puts wait until so many are there at once. */
static struct store_ops ops;
static int (*inner_put)(struct store *s, const char *key, const void *data,
			size_t len, const struct store_put_opts *o);
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic unsigned want; /* at once; 0: nobody waits */
	_Atomic unsigned now, most, puts;
	_Atomic unsigned fail; /* the so manieth put, from 1 */
	_Atomic int error;     /* with that */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .changed = PTHREAD_COND_INITIALIZER };

/* True when this one is to fail. */
static bool gate_enter(void)
{
	struct timespec ts;
	bool fail;

	LOCK_SCOPE(&gate.lock);
	fail = ++gate.puts == gate.fail;
	gate.now++;
	gate.most = MAX((unsigned)gate.most, (unsigned)gate.now);
	if (gate.most >= gate.want)
		gate.want = 0;
	pthread_cond_broadcast(&gate.changed);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts = clock_timespec(clock_ns(ts) + WAIT_NS);
	while (gate.want &&
	       pthread_cond_timedwait(&gate.changed, &gate.lock, &ts) == 0)
		;
	gate.now--;
	return fail;
}

static int gate_put(struct store *s, const char *key, const void *data,
		    size_t len, const struct store_put_opts *o)
{
	return gate_enter() ? gate.error : inner_put(s, key, data, len, o);
}

static int setup(void **state)
{
	struct store *mem = store_mem_new();

	if (move_setup(state) < 0)
		return -1;
	gate.want = gate.now = gate.most = gate.puts = gate.fail = 0;
	gate.error = -EIO;
	ops = *mem->ops;
	inner_put = ops.put;
	ops.put = gate_put;
	mem->ops = &ops;
	stop_move();
	drop_bucket();
	use_bucket(mem);
	mopts.streams = STREAMS;
	mopts.settle_ns = 3600 * NSEC_PER_SEC;
	return start_move();
}

static void test_packs_at_once(void **state)
{
	uint64_t ino[4 * STREAMS];
	char name[8];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(ino); i++) {
		snprintf(name, sizeof(name), "%u", i);
		ino[i] = make_file(name, i, OBJECT * 3 / 4);
	}
	gate.want = STREAMS;
	protect_all(ino[0]);
	for (i = 0; i < ARRAY_SIZE(ino); i++)
		assert_true(wait_state(ino[i], META_LOCAL));
	assert_int_equal(gate.most, STREAMS);
	for (i = 0; i < ARRAY_SIZE(ino); i++) {
		evict_file(ino[i]);
		expect_file(ino[i], i, OBJECT * 3 / 4);
	}
}

static void test_parts_at_once(void **state)
{
	const size_t n = 3 * STREAMS * OBJECT + 5;
	uint64_t ino = make_file("large", 1, n);

	gate.want = STREAMS;
	protect_all(ino);
	assert_int_equal(gate.most, STREAMS);
	assert_int_equal(gate.puts, 3 * STREAMS + 2); /* and its name */
	evict_file(ino);
	expect_file(ino, 1, n);
}

/* Small files do not wait for the end of a large one. */
static void test_large_holds_up_nobody(void **state)
{
	uint64_t large, small;

	stop_move();
	mopts.streams = 2;
	assert_int_equal(start_move(), 0);
	large = make_file("large", 1, 100 * OBJECT);
	small = make_file("small", 2, 1000);
	gate.want = UINT32_MAX; /* until told */
	move_protect_now(mv, 0);
	while (gate.puts < 2)
		clock_sleep_ns(1000000);
	pthread_mutex_lock(&gate.lock);
	gate.want = 0;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	assert_true(wait_state(small, META_LOCAL));
	assert_true(wait_state(large, META_LOCAL));
}

/* What holes there are is not read, and not sent. */
static void test_holes(void **state)
{
	const uint64_t size = 1ULL << 40,
		       at[] = { 0, 5 * MIB, 1ULL << 39, (1ULL << 40) - 100 };
	uint64_t ino = new_file("sparse"), moff, mlen;
	struct cache_file *f = file_open(ino, true);
	int64_t begun;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		write_at(f, 3, at[i], 100);
	assert_int_equal(cache_size(f), size);
	file_close(f, true);
	begun = clock_boot_ns();
	protect_all(ino);
	print_message("%lld ms\n",
		      (long long)(clock_boot_ns() - begun) / 1000000);
	assert_int_equal(gate.puts, 1); /* what lies between shares it */
	evict_file(ino);
	f = file_open(ino, false);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		assert_int_equal(
			move_recall(mv, f, at[i], 100, STORE_CAUSE_READ, NULL),
			0);
		expect_at(f, 3, at[i], 100);
	}
	assert_int_equal(cache_missing(f, 0, size, &moff, &mlen), 1);
	file_close(f, false);
}

static void test_all_hole(void **state)
{
	uint64_t ino = new_file("hole");
	struct cache_file *f = file_open(ino, true);

	assert_int_equal(cache_truncate(f, 50 * OBJECT), 0);
	file_close(f, true);
	protect_all(ino);
	assert_int_equal(gate.puts, 1); /* its name is rebuilt from that */
	assert_int_equal(count_packs(META_PACK_STORED), 1);
}

static bool wait_condemned(int want)
{
	int i;

	for (i = 0; i < 1000 && count_packs(META_PACK_CONDEMNED) < want; i++)
		clock_sleep_ns(10000000);
	return count_packs(META_PACK_CONDEMNED) >= want;
}

/* One part fails for good: none is named, all are condemned. */
static void test_part_fails(void **state)
{
	const size_t n = 4 * STREAMS * OBJECT;
	uint64_t ino = make_file("large", 1, n);
	struct job_info info[32];

	gate.fail = 3;
	move_protect_now(mv, 0);
	assert_true(wait_condemned(1));
	assert_int_equal(count_packs(META_PACK_STORED), 0);
	assert_true(move_jobs(mv, info, ARRAY_SIZE(info)) > STREAMS);
	protect_all(ino);
	assert_int_equal(count_packs(META_PACK_INTENT), 0);
	evict_file(ino);
	expect_file(ino, 1, n);
}

/* One part is refused: it is sent again, the others are not. */
static void test_part_refused(void **state)
{
	const size_t n = 4 * STREAMS * OBJECT;
	uint64_t ino = make_file("large", 1, n);

	gate.fail = 3;
	gate.error = -EACCES;
	protect_all(ino);
	assert_int_equal(gate.puts, 4 * STREAMS + 2); /* and its name */
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
	evict_file(ino);
	expect_file(ino, 1, n);
}

/* Whoever stops waits for nobody who waits for the store. */
static void test_stop_while_away(void **state)
{
	uint64_t ino = make_file("large", 1, 4 * STREAMS * OBJECT);

	SET(down, true);
	move_protect_now(mv, 0);
	while (count_packs(META_PACK_INTENT) < STREAMS)
		clock_sleep_ns(1000000);
	stop_move();
	SET(down, false);
	assert_int_equal(count_packs(META_PACK_INTENT), 0);
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_int_equal(start_move(), 0);
	protect_all(ino);
}

#define STREAMS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, move_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAMS_TEST(test_packs_at_once),
		STREAMS_TEST(test_parts_at_once),
		STREAMS_TEST(test_large_holds_up_nobody),
		STREAMS_TEST(test_holes),
		STREAMS_TEST(test_all_hole),
		STREAMS_TEST(test_part_fails),
		STREAMS_TEST(test_part_refused),
		STREAMS_TEST(test_stop_while_away),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
