/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of a worker are those of the table, and none is there twice. */
#include "tests/unit/ctl/util.h"

#include "ctl/metrics.h"

/* What only a mount or the command knows. */
static bool elsewhere(const char *name)
{
	static const char *const names[] = {
		"mersey_up",
		"mersey_cache_reads_total",
		"mersey_cache_opens_total",
		"mersey_writer_active",
		"mersey_writer_generation",
		"mersey_quarantined_objects",
		"mersey_quarantined_bytes",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void fake_path(void *arg, struct ctl_data_path *out)
{
	out->request[0] = (struct ctl_requests){ "read", 12 };
	out->n = 1;
}

/* All that can be absent is there. */
static void make_everything(void)
{
	struct meta_quota q = { .bytes = 1 << 30, .files = 100 };
	uint64_t stored = new_file_in(META_ROOT_INO, "a", S_IFREG | 0644);
	struct store_info info;

	write_file(stored, 1, 1000);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(fake_protect(stored), 0);
	write_file(new_file_in(META_ROOT_INO, "b", S_IFREG | 0644), 1, 1000);
	assert_int_equal(cache_flush(c), 0);
	clock_shift(120 * NSEC_PER_SEC, 0);
	meta_quota_set(m, &q);
	fake.asked = 1000;
	fake.failing = 3;
	worker.data_path = fake_path;
	assert_int_equal(store_head(worker.places[0].direct, "none", &info),
			 -ENOENT);
}

static json_t *samples(void)
{
	json_t *a = ask("{\"id\":1,\"verb\":\"metrics\"}");
	json_t *list = json_incref(at(a, "result.samples"));

	json_decref(a);
	assert_true(json_is_array(list));
	return list;
}

/* "tier, store" */
static void label_names(const json_t *sample, struct buf *out)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(sample, "labels"), name, v) {
		assert_true(json_is_string(v));
		assert_int_equal(
			buf_addf(out, "%s%s", out->len ? ", " : "", name), 0);
	}
}

static void check_histogram(const json_t *h)
{
	json_t *n = json_object_get(h, "buckets");
	json_int_t last = 0;

	assert_int_equal(json_array_size(n),
			 json_array_size(json_object_get(h, "le")));
	for (size_t i = 0; i < json_array_size(n); i++) {
		json_int_t at = json_integer_value(json_array_get(n, i));

		assert_true(at >= last);
		last = at;
	}
	assert_true(json_integer_value(json_object_get(h, "count")) >= last);
	assert_true(json_is_real(json_object_get(h, "sum")));
}

static void check_sample(const json_t *s)
{
	CLEANUP_BUF struct buf labels = { 0 };
	const char *name = json_string_value(json_object_get(s, "metric"));
	const struct metric *of = metric_find(name);
	const json_t *h = json_object_get(s, "histogram");

	if (!of)
		print_error("%s is not in the table\n", name);
	assert_non_null(of);
	label_names(s, &labels);
	assert_string_equal(buf_str(&labels), of->labels);
	assert_int_equal(of->type == METRIC_HISTOGRAM, json_is_object(h));
	assert_int_equal(of->type != METRIC_HISTOGRAM,
			 json_is_number(json_object_get(s, "value")));
	if (json_is_object(h))
		check_histogram(h);
}

static void test_samples(void **state)
{
	CLEANUP_JSON json_t *list = NULL, *seen = json_object();
	const json_t *s;
	size_t i;

	make_everything();
	list = samples();
	json_array_foreach(list, i, s) {
		json_t *key = json_pack("[O, O]", json_object_get(s, "metric"),
					json_object_get(s, "labels"));
		CLEANUP_FREE char *text = json_dumps(key, 0);

		json_decref(key);
		check_sample(s);
		if (json_object_get(seen, text))
			print_error("twice: %s\n", text);
		assert_null(json_object_get(seen, text));
		json_object_set_new(seen, text, json_true());
		json_object_set_new(
			seen, json_string_value(json_object_get(s, "metric")),
			json_true());
	}
	for (i = 0; i < metrics_n; i++) {
		bool there = json_object_get(seen, metrics[i].name);

		if (there == elsewhere(metrics[i].name))
			print_error("%s\n", metrics[i].name);
		assert_int_equal(there, !elsewhere(metrics[i].name));
	}
}

/* Unknown is absent, never 0. */
static void test_absent(void **state)
{
	CLEANUP_JSON json_t *list = samples();
	CLEANUP_FREE char *text = json_dumps(list, 0);

	assert_null(strstr(text, "mersey_quota_bytes"));
	assert_null(strstr(text, "mersey_cache_room_seconds"));
	assert_null(strstr(text, "mersey_recall_amplification_ratio"));
	assert_null(strstr(text, "mersey_store_up"));
	assert_null(strstr(text, "mersey_job_last_failure"));
	assert_non_null(strstr(text, "mersey_store_refusing"));
}

static json_int_t value_of(const json_t *list, const char *name)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
		if (strcmp(json_string_value(json_object_get(s, "metric")),
			   name) == 0)
			return json_integer_value(json_object_get(s, "value"));
	return -1;
}

/* Of a sample with all these labels; -1: there is none. */
static json_int_t value_with(const json_t *list, const char *name,
			     json_t *labels)
{
	json_int_t value = -1;
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
		if (strcmp(json_string_value(json_object_get(s, "metric")),
			   name) == 0 &&
		    json_equal(json_object_get(s, "labels"), labels)) {
			assert_int_equal(value, -1);
			value = json_integer_value(json_object_get(s, "value"));
		}
	json_decref(labels);
	return value;
}

static void store_pack(const char *tier, const char *class, uint64_t n)
{
	struct meta_pack p = { .generation = 1, .length = n };
	META_TXN(t);

	assert_int_equal(io_random(p.id, sizeof(p.id)), 0);
	snprintf(p.object, sizeof(p.object), "packs/%s-%s", tier, class);
	snprintf(p.tier, sizeof(p.tier), "%s", tier);
	snprintf(p.storage_class, sizeof(p.storage_class), "%s", class);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

/* The store's own class has one name, by which all of it is one series. */
static void test_stored(void **state)
{
	CLEANUP_JSON json_t *list = NULL;

	store_pack("near", "", 100);
	store_pack("near", "GLACIER", 20);
	store_pack("near", "STANDARD", 3);
	store_pack("cold", "STANDARD", 4000);
	list = samples();
	assert_int_equal(value_with(list, "mersey_stored_bytes",
				    json_pack("{s:s, s:s}", "tier", "near",
					      "storage_class", "STANDARD")),
			 103);
	assert_int_equal(value_with(list, "mersey_stored_objects",
				    json_pack("{s:s, s:s}", "tier", "near",
					      "storage_class", "STANDARD")),
			 2);
	assert_int_equal(value_with(list, "mersey_stored_bytes",
				    json_pack("{s:s, s:s}", "tier", "near",
					      "storage_class", "GLACIER")),
			 20);
	assert_int_equal(value_with(list, "mersey_stored_bytes",
				    json_pack("{s:s, s:s}", "tier", "cold",
					      "storage_class", "STANDARD")),
			 4000);
}

static json_t *series(const char *tier, const char *store, const char *cause,
		      const char *op)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "tier", tier, "store", store,
			 "cause", cause, "operation", op);
}

/* Marker and keys count as the first tier of their bucket. */
static void test_two_tiers(void **state)
{
	CLEANUP_JSON json_t *list = NULL;
	static const char name[] = "mersey_store_billed_requests_total";

	cold_count[STORE_CAUSE_POLICY].puts = 2;
	cold_count[STORE_CAUSE_BACKUP].heads = 1;
	cold_own.heads = 4;
	store_count[STORE_CAUSE_BACKUP].heads = 7;
	list = samples();
	assert_int_equal(
		value_with(list, name, series("cold", "aws", "policy", "put")),
		2);
	assert_int_equal(
		value_with(list, name, series("cold", "aws", "backup", "head")),
		5);
	assert_int_equal(value_with(list, name,
				    series("near", "ceph", "backup", "head")),
			 7);
	assert_int_equal(
		value_with(list, name, series("near", "ceph", "policy", "put")),
		0);
}

/* What keeps the load on the store within bounds. */
static void test_flow(void **state)
{
	CLEANUP_JSON json_t *before = samples(), *after = NULL;

	assert_int_equal(value_of(before, "mersey_store_breaker_open"), 0);
	assert_int_equal(value_of(before, "mersey_store_in_flight_limit"), 16);
	flow.breaker.state = STORE_OPEN;
	flow.limiter.milli = 4000;
	flow.limiter.busy = 3;
	flow.limiter.queue.waiting = 7;
	after = samples();
	assert_int_equal(value_of(after, "mersey_store_breaker_open"), 1);
	assert_int_equal(value_of(after, "mersey_store_in_flight_limit"), 4);
	assert_int_equal(value_of(after, "mersey_store_in_flight_requests"), 3);
	assert_int_equal(value_of(after, "mersey_store_waiting_calls"), 7);
	assert_int_equal(value_of(after, "mersey_store_retries_left"),
			 STORE_BUDGET_MAX);
}

/* What Prometheus asks of names, and a unit in each that has one. */
static void test_table(void **state)
{
	for (size_t i = 0; i < metrics_n; i++) {
		const struct metric *of = &metrics[i];
		size_t n = strlen(of->name);
		bool total = n > 6 && !strcmp(of->name + n - 6, "_total");

		assert_ptr_equal(metric_find(of->name), of);
		assert_int_equal(strncmp(of->name, "mersey_", 7), 0);
		assert_int_equal(
			strspn(of->name, "abcdefghijklmnopqrstuvwxyz_"), n);
		assert_int_equal(total, of->type == METRIC_COUNTER);
		assert_true(of->help[strlen(of->help) - 1] == '.');
		assert_null(strchr(of->help, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKER_TEST(test_samples),	 WORKER_TEST(test_absent),
		WORKER_TEST(test_flow),		 WORKER_TEST(test_stored),
		WORKER_TWO_TEST(test_two_tiers), cmocka_unit_test(test_table),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
