/* SPDX-License-Identifier: Apache-2.0 */
/* meter, retry, fault and shared, around a store that answers by script. */
#include "tests/test.h"

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"

#define MSEC 1000000LL

/* Answers the n-th call with script[n]; 1 means "as the inner store", the
 * last one goes on. `lost` calls happen although they fail. */
struct scripted {
	struct store base;
	struct store *mem;
	const int *script;
	size_t n, calls;
	bool lost;
	bool unsent;
	int64_t takes_ns; /* each call */
	int *freed;
};

static struct scripted *scripted(struct store *s)
{
	return container_of(s, struct scripted, base);
}

static int next(struct scripted *t)
{
	size_t i = MIN(t->calls, t->n - 1);

	t->calls++;
	clock_shift(0, t->takes_ns);
	if (t->script[i] < 0 && t->unsent)
		store_call.sent = 0;
	return t->script[i] < 0 ? store_explain(t->script[i], "scripted") : 1;
}

static int scripted_put(struct store *s, const char *key, const void *data,
			size_t len, const struct store_put_opts *opts)
{
	struct scripted *t = scripted(s);
	int rc = next(t);

	if (rc < 0 && t->lost)
		store_put(t->mem, key, data, len, opts);
	return rc < 0 ? store_explain(rc, "scripted")
		      : store_put(t->mem, key, data, len, opts);
}

static ssize_t scripted_get(struct store *s, const char *key, uint64_t off,
			    void *dst, size_t len)
{
	int rc = next(scripted(s));

	return rc < 0 ? rc : store_get(scripted(s)->mem, key, off, dst, len);
}

static int scripted_head(struct store *s, const char *key,
			 struct store_info *out)
{
	int rc = next(scripted(s));

	return rc < 0 ? rc : store_head(scripted(s)->mem, key, out);
}

static int scripted_del(struct store *s, const char *const *keys, size_t n,
			int *rc)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		rc[i] = next(scripted(s));
		if (rc[i] > 0)
			rc[i] = store_del1(scripted(s)->mem, keys[i]);
		first = first ? first : rc[i];
	}
	store_call.sent = n;
	return first;
}

static int scripted_list(struct store *s, const char *prefix, const char *after,
			 size_t max, struct store_list *out)
{
	int rc = next(scripted(s));

	return rc < 0 ? rc
		      : store_list(scripted(s)->mem, prefix, after, max, out);
}

static void scripted_caps(struct store *s, struct store_caps *out)
{
	store_caps(scripted(s)->mem, out);
}

static int scripted_skew(struct store *s, int64_t *ahead_ns)
{
	return -ENODATA;
}

static void scripted_free(struct store *s)
{
	store_free(scripted(s)->mem);
	if (scripted(s)->freed)
		++*scripted(s)->freed;
}

static const struct store_ops scripted_ops = {
	.put = scripted_put,
	.get = scripted_get,
	.head = scripted_head,
	.del = scripted_del,
	.list = scripted_list,
	.caps = scripted_caps,
	.skew = scripted_skew,
	.free = scripted_free,
};

static struct store *script(struct scripted *t, const int *s, size_t n)
{
	*t = (struct scripted){ .base.ops = &scripted_ops,
				.mem = store_mem_new(),
				.script = s,
				.n = n };
	assert_non_null(t->mem);
	return &t->base;
}

#define SCRIPT(t, ...)                                   \
	({                                               \
		static const int s_[] = { __VA_ARGS__ }; \
		script(&(t), s_, ARRAY_SIZE(s_));        \
	})

static struct store *retrying(struct store *inner, unsigned attempts,
			      int64_t deadline_ns)
{
	struct store_retry_opts o = { .attempts = attempts,
				      .deadline_ns = deadline_ns,
				      .base_ns = MSEC };

	return store_retry_new(inner, &o);
}

/* --- retry ------------------------------------------------------------- */

static void test_retry_succeeds(void **state)
{
	struct scripted t;
	struct store *s = retrying(
		SCRIPT(t, -EAGAIN, -ECONNREFUSED, 1, -ETIMEDOUT, 1), 3, 0);
	char got[4];

	assert_int_equal(store_put(s, "k", "data", 4, NULL), 0);
	assert_int_equal(t.calls, 3);
	assert_int_equal(store_get(s, "k", 0, got, 4), 4);
	assert_memory_equal(got, "data", 4);
	assert_int_equal(t.calls, 5);
	store_free(s);
}

static void test_retry_gives_up(void **state)
{
	struct scripted t;
	struct store *s = retrying(SCRIPT(t, -EAGAIN), 4, 0);
	struct store_list l = { 0 };
	struct store_info info;
	char c;

	assert_int_equal(store_put(s, "k", "d", 1, NULL), -EAGAIN);
	assert_int_equal(t.calls, 4);
	assert_string_equal(store_detail(), "scripted");
	assert_int_equal(store_get(s, "k", 0, &c, 1), -EAGAIN);
	assert_int_equal(store_head(s, "k", &info), -EAGAIN);
	assert_int_equal(store_list(s, "", "", 10, &l), -EAGAIN);
	assert_int_equal(store_del1(s, "k"), -EAGAIN);
	assert_int_equal(t.calls, 20);
	store_free(s);
}

static void test_retry_only_transient(void **state)
{
	struct scripted t;
	struct store *s = retrying(SCRIPT(t, -EACCES), 5, 0);

	assert_int_equal(store_put(s, "k", "d", 1, NULL), -EACCES);
	assert_int_equal(t.calls, 1);
	store_free(s);
}

static void test_retry_deadline(void **state)
{
	struct scripted t;
	struct store *s =
		retrying(SCRIPT(t, -ECONNREFUSED), 1000000, 60 * MSEC);
	int64_t start = clock_boot_ns(), took;
	char c;

	assert_int_equal(store_get(s, "k", 0, &c, 1), -ETIMEDOUT);
	took = clock_boot_ns() - start;
	assert_true(took >= 60 * MSEC && took < 3000 * MSEC);
	assert_true(t.calls > 1);
	assert_int_equal(store_call.deadline_ns, 0);
	store_free(s);
}

/* The deadline of an outer retry holds for an inner one, too. */
static void test_retry_nested(void **state)
{
	struct scripted t;
	struct store *s = retrying(retrying(SCRIPT(t, -EAGAIN), 1000000, 0), 1,
				   50 * MSEC);
	char c;

	assert_int_equal(store_get(s, "k", 0, &c, 1), -ETIMEDOUT);
	assert_int_equal(store_call.deadline_ns, 0);
	store_free(s);
}

static const struct store_put_opts only_new = { .if_absent = true };

static void test_retry_lost_answer(void **state)
{
	struct scripted t;
	/* put: stored, answer lost; put: taken; head, get: compared */
	struct store *s = retrying(SCRIPT(t, -ETIMEDOUT, 1), 3, 0);

	t.lost = true;
	assert_int_equal(store_put(s, "k", "mine", 4, &only_new), 0);
	assert_int_equal(t.calls, 4);
	store_free(s);
}

/* Looking at what is there may need another try as well. */
static void test_retry_compare_again(void **state)
{
	struct scripted t;
	struct store *s = retrying(
		SCRIPT(t, -ETIMEDOUT, 1, -EAGAIN, 1, -EAGAIN, 1), 3, 0);

	t.lost = true;
	assert_int_equal(store_put(s, "k", "mine", 4, &only_new), 0);
	store_free(s);
}

static void test_retry_taken_by_another(void **state)
{
	struct scripted t;
	struct store *s = retrying(SCRIPT(t, -ETIMEDOUT, 1), 3, 0);

	/* Same length, other bytes; then another length. */
	assert_int_equal(store_put(t.mem, "a", "them", 4, NULL), 0);
	assert_int_equal(store_put(s, "a", "mine", 4, &only_new), -EEXIST);
	assert_int_equal(store_put(t.mem, "b", "longer", 6, NULL), 0);
	t.calls = 0;
	assert_int_equal(store_put(s, "b", "mine", 4, &only_new), -EEXIST);
	store_free(s);
}

/* Nothing left this machine, so what is there is not ours, even if equal. */
static void test_retry_not_mine(void **state)
{
	struct scripted t;
	struct store *s = retrying(SCRIPT(t, -ECONNREFUSED, 1), 3, 0);

	t.unsent = true;
	assert_int_equal(store_put(t.mem, "k", "same", 4, NULL), 0);
	assert_int_equal(store_put(s, "k", "same", 4, &only_new), -EEXIST);
	store_free(s);
}

static void test_retry_delete(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	struct scripted t;
	/* a: at once; b: refused; c: at the second attempt */
	struct store *s = retrying(SCRIPT(t, 1, -EACCES, -EAGAIN, 1), 3, 0);
	int rc[3];

	assert_int_equal(store_del(s, keys, 3, rc), -EACCES);
	assert_int_equal(rc[0], 0);
	assert_int_equal(rc[1], -EACCES);
	assert_int_equal(rc[2], 0);
	assert_int_equal(t.calls, 4);
	store_free(s);
}

/* --- meter ------------------------------------------------------------- */

static void test_meter_counts_attempts(void **state)
{
	struct store_counts n = { 0 };
	struct store_health h = { 0 };
	struct scripted t;
	struct store *s = retrying(
		store_meter_new(SCRIPT(t, -ETIMEDOUT, -EAGAIN, 1), &n, &h), 5,
		0);
	struct store_list l = { 0 };
	struct store_info info;
	char got[8];

	assert_int_equal(store_put(s, "k", "12345", 5, NULL), 0);
	assert_int_equal(n.puts, 3);
	assert_int_equal(n.out_bytes, 15);
	assert_int_equal(n.errors, 2);
	assert_int_equal(n.unknown, 2);
	assert_int_equal(store_get(s, "k", 1, got, 8), 4);
	assert_int_equal(store_get(s, "none", 1, got, 8), -ENOENT);
	assert_int_equal(n.gets, 2);
	assert_int_equal(n.in_bytes, 4);
	assert_int_equal(n.errors, 2);
	assert_int_equal(store_head(s, "k", &info), 0);
	assert_int_equal(n.heads, 1);
	assert_int_equal(store_list(s, "", "", 10, &l), 0);
	assert_int_equal(n.lists, 1);
	store_list_done(&l);
	assert_int_equal(store_del(s, (const char *const[]){ "k", "l" }, 2,
				   (int[2]){ 0 }),
			 0);
	assert_int_equal(n.deletes, 2);
	store_free(s);
}

/* Money: a copy and a restore are requests, each time. */
static void test_meter_copies(void **state)
{
	struct store_put_opts cold = { .storage_class = "GLACIER" };
	struct store_counts n = { 0 };
	struct store *s = store_meter_new(store_mem_new(), &n, NULL);
	char c;

	assert_int_equal(store_put(s, "a", "x", 1, NULL), 0);
	assert_int_equal(store_copy(s, "a", "b", &cold), 0);
	assert_int_equal(store_copy(s, "none", "b", &cold), -ENOENT);
	assert_int_equal(n.copies, 2);
	assert_int_equal(store_get(s, "b", 0, &c, 1), -ENOMEDIUM);
	assert_int_equal(store_restore(s, "b", 1, STORE_EXPEDITED), 0);
	assert_int_equal(n.restores, 1);
	assert_int_equal(store_del_version(s, "b", "v1"), 0);
	assert_int_equal(n.deletes, 1);
	assert_int_equal(n.puts, 1);
	assert_int_equal(n.out_bytes, 1);
	assert_int_equal(n.errors, 0);
	store_free(s);
}

static void test_meter_not_sent(void **state)
{
	struct store_counts n = { 0 };
	struct store_health h = { 0 };
	struct scripted t;
	struct store *s = store_meter_new(SCRIPT(t, -ECONNREFUSED), &n, &h);

	t.unsent = true;
	assert_int_equal(store_put(s, "k", "1", 1, NULL), -ECONNREFUSED);
	assert_int_equal(store_put(s, "bad key", "1", 1, NULL), -EINVAL);
	assert_int_equal(n.puts, 0);
	assert_int_equal(n.out_bytes, 0);
	assert_int_equal(n.unknown, 0);
	assert_int_equal(n.errors, 1);
	store_free(s);
}

static uint64_t sum(const uint64_t *v, size_t n)
{
	uint64_t all = 0;

	while (n--)
		all += v[n];
	return all;
}

/* 16.5 ms lie in the bucket up to 32 ms; whatever the machine adds. */
static void test_meter_times_attempts(void **state)
{
	struct store_counts n = { 0 };
	struct scripted t;
	struct store *s = store_meter_new(
		SCRIPT(t, -EAGAIN, -ETIMEDOUT, -EACCES, -EIO, 1), &n, NULL);
	const struct store_times *put = &n.op[STORE_OP_PUT];
	char got[8];

	t.takes_ns = 33 * MSEC / 2;
	for (int i = 0; i < 5; i++)
		store_put(s, "k", "12345", 5, NULL);
	for (int r = STORE_OK; r < STORE_RESULT_COUNT; r++)
		assert_int_equal(put->result[r], r != STORE_ABSENT);
	for (int i = 0; i < 6; i++)
		assert_int_equal(put->bucket[i], 0);
	assert_int_equal(sum(put->bucket, STORE_TIME_BUCKETS), 5);
	assert_true(put->total_ns >= 5 * (uint64_t)t.takes_ns);
	t.takes_ns = 3600 * NSEC_PER_SEC;
	assert_int_equal(store_get(s, "none", 0, got, 8), -ENOENT);
	assert_int_equal(n.op[STORE_OP_GET].result[STORE_ABSENT], 1);
	assert_int_equal(n.op[STORE_OP_GET].bucket[STORE_TIME_BUCKETS - 1], 1);
	assert_int_equal(store_get(s, "bad key", 0, got, 8), -EINVAL);
	assert_int_equal(sum(n.op[STORE_OP_GET].bucket, STORE_TIME_BUCKETS), 1);
	store_free(s);
}

static void test_meter_compare_is_paid(void **state)
{
	struct store_counts n = { 0 };
	struct scripted t;
	struct store *s = retrying(
		store_meter_new(SCRIPT(t, -ETIMEDOUT, 1), &n, NULL), 3, 0);

	t.lost = true;
	assert_int_equal(store_put(s, "k", "mine", 4, &only_new), 0);
	assert_int_equal(n.puts, 2);
	assert_int_equal(n.heads, 1);
	assert_int_equal(n.gets, 1);
	store_free(s);
}

static void test_health(void **state)
{
	struct store_health h = { 0 }, now;
	struct scripted t;
	struct store *s = store_meter_new(
		SCRIPT(t, 1, -ECONNREFUSED, -EACCES, 1), NULL, &h);

	store_health_read(&h, &now);
	assert_int_equal(now.since_ns, 0);
	assert_int_equal(store_put(s, "k", "1", 1, NULL), 0);
	store_health_read(&h, &now);
	assert_true(now.since_ns > 0);
	assert_false(now.down);
	store_put(s, "k", "1", 1, NULL);
	store_health_read(&h, &now);
	assert_true(now.down);
	assert_int_equal(now.last_error, -ECONNREFUSED);
	assert_string_equal(now.detail, "scripted");
	store_put(s, "k", "1", 1, NULL); /* it answers, and refuses */
	store_health_read(&h, &now);
	assert_false(now.down);
	assert_int_equal(now.last_error, -EACCES);
	store_put(s, "k", "1", 1, NULL);
	store_health_read(&h, &now);
	assert_int_equal(now.last_error, 0);
	assert_string_equal(now.detail, "");
	store_free(s);
}

/* --- fault ------------------------------------------------------------- */

static void test_fault_none(void **state)
{
	struct store_fault_plan plan = { 0 };
	struct store *s = store_fault_new(store_mem_new(), &plan);
	char c;

	for (int i = 0; i < 200; i++) {
		assert_int_equal(store_put(s, "k", "x", 1, NULL), 0);
		assert_int_equal(store_get(s, "k", 0, &c, 1), 1);
		assert_int_equal(c, 'x');
	}
	store_free(s);
}

static void test_fault_all(void **state)
{
	struct store_fault_plan plan = { .fail_percent = 100,
					 .error = -ETIMEDOUT };
	struct store *mem = store_mem_new();
	struct store *s = store_fault_new(mem, &plan);
	char got[64], sent[64];
	struct store_info info;

	memset(sent, 'x', sizeof(sent));
	assert_int_equal(store_put(s, "a", sent, 64, NULL), -ETIMEDOUT);
	assert_int_equal(store_head(mem, "a", &info), -ENOENT);
	plan = (struct store_fault_plan){ .lose_percent = 100 };
	assert_int_equal(store_put(s, "a", sent, 64, NULL), -EAGAIN);
	assert_int_equal(store_head(mem, "a", &info), 0);
	plan = (struct store_fault_plan){ .truncate_percent = 100 };
	assert_true(store_get(s, "a", 0, got, 64) < 64);
	plan = (struct store_fault_plan){ .flip_percent = 100 };
	assert_int_equal(store_get(s, "a", 0, got, 64), 64);
	assert_memory_not_equal(got, sent, 64);
	plan = (struct store_fault_plan){ .down = true };
	assert_int_equal(store_get(s, "a", 0, got, 64), -ECONNREFUSED);
	plan.down = false;
	assert_int_equal(store_get(s, "a", 0, got, 64), 64);
	store_free(s);
}

static uint64_t failures(uint64_t seed, unsigned *n)
{
	struct store_fault_plan plan = { .fail_percent = 30, .seed = seed };
	struct store *s = store_fault_new(store_mem_new(), &plan);
	uint64_t bits = 0;

	*n = 0;
	for (int i = 0; i < 64; i++)
		if (store_put(s, "k", "x", 1, NULL) < 0) {
			bits |= 1ULL << i;
			++*n;
		}
	store_free(s);
	return bits;
}

static void test_fault_seed(void **state)
{
	unsigned n;
	uint64_t a = failures(7, &n);

	assert_in_range(n, 5, 40);
	assert_true(a == failures(7, &n));
	assert_true(a != failures(8, &n));
}

/* --- ownership --------------------------------------------------------- */

static void test_shared(void **state)
{
	int freed = 0;
	struct scripted t;
	struct store *s = SCRIPT(t, 1), *a, *b;

	t.freed = &freed;
	a = store_shared_new(s);
	b = store_meter_new(store_shared_ref(a), NULL, NULL);
	store_free(a);
	assert_int_equal(freed, 0);
	assert_int_equal(store_put(b, "k", "x", 1, NULL), 0);
	store_free(b);
	assert_int_equal(freed, 1);
}

static void test_null_inner(void **state)
{
	struct store_retry_opts o = { .attempts = 1 };
	struct store_fault_plan plan = { 0 };

	assert_null(store_shared_new(NULL));
	assert_null(store_meter_new(NULL, NULL, NULL));
	assert_null(store_retry_new(NULL, &o));
	assert_null(store_fault_new(NULL, &plan));
	store_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_succeeds),
		cmocka_unit_test(test_retry_gives_up),
		cmocka_unit_test(test_retry_only_transient),
		cmocka_unit_test(test_retry_deadline),
		cmocka_unit_test(test_retry_nested),
		cmocka_unit_test(test_retry_lost_answer),
		cmocka_unit_test(test_retry_compare_again),
		cmocka_unit_test(test_retry_taken_by_another),
		cmocka_unit_test(test_retry_not_mine),
		cmocka_unit_test(test_retry_delete),
		cmocka_unit_test(test_meter_counts_attempts),
		cmocka_unit_test(test_meter_copies),
		cmocka_unit_test(test_meter_not_sent),
		cmocka_unit_test(test_meter_times_attempts),
		cmocka_unit_test(test_meter_compare_is_paid),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_fault_none),
		cmocka_unit_test(test_fault_all),
		cmocka_unit_test(test_fault_seed),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_null_inner),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
