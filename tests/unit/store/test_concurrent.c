/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen threads on one store: each of the drivers, behind all decorators.
 * The S3 driver talks to a server in this process, which keeps the objects
 * in memory. ThreadSanitizer is the judge.
 */
#include "tests/test.h"

#include <pthread.h>

#include "base/io.h"
#include "store/drivers.h"
#include "tests/unit/store/http_server.h"

#define THREADS 16
#define ROUNDS	20
#define SIZE	20000

static struct store_counts counts;
static struct store_health health;
static struct store_fault_plan plan;

struct worker {
	pthread_t thread;
	struct store *store;
	unsigned id;
	int rc;
};

static int round_trip(struct worker *w, unsigned n)
{
	CLEANUP_FREE uint8_t *data = malloc(SIZE), *got = malloc(SIZE);
	struct store_put_opts o = { .if_absent = true };
	struct store_info info;
	char key[32];
	ssize_t len;
	int rc;

	if (!data || !got)
		return -ENOMEM;
	memset(data, (int)(w->id * ROUNDS + n), SIZE);
	snprintf(key, sizeof(key), "t%u/k%u", w->id, n);
	rc = store_put(w->store, key, data, SIZE, &o);
	if (rc < 0)
		return rc;
	len = store_get(w->store, key, 100, got, SIZE);
	if (len != SIZE - 100 || memcmp(got, data, SIZE - 100) != 0)
		return len < 0 ? (int)len : -EBADMSG;
	rc = store_head(w->store, key, &info);
	if (rc < 0 || info.size != SIZE)
		return rc < 0 ? rc : -EBADMSG;
	return n % 2 ? store_del1(w->store, key) : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned n = 0; n < ROUNDS && w->rc == 0; n++) {
		struct store_health h;
		struct store_counts c;

		w->rc = round_trip(w, n);
		store_health_read(&health, &h);
		store_meter_read(&counts, &c);
	}
	return NULL;
}

/* Runs all threads on `inner`, which it frees. */
static void run(struct store *inner)
{
	struct store_retry_opts o = { .attempts = 30, .base_ns = 100000 };
	struct worker w[THREADS] = { 0 };
	struct store *s;

	counts = (struct store_counts){ 0 };
	health = (struct store_health){ 0 };
	plan = (struct store_fault_plan){ .fail_percent = 10,
					  .lose_percent = 5,
					  .seed = 1 };
	s = store_fault_new(store_shared_new(inner), &plan);
	s = store_retry_new(store_meter_new(s, &counts, &health), &o);
	assert_non_null(s);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i].store = s;
		w[i].id = i;
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		if (w[i].rc)
			print_error("thread %u: %s\n", i, errno_name(w[i].rc));
		assert_int_equal(w[i].rc, 0);
	}
	assert_true(counts.puts > THREADS * ROUNDS);
	assert_true(counts.unknown > 0);
	store_free(s);
}

static void test_mem(void **state)
{
	run(store_mem_new());
}

static void test_dir(void **state)
{
	char top[] = "/tmp/mersey-test-conc-XXXXXX";
	struct store_opts o = { .kind = STORE_DIR,
				.name = "dir",
				.endpoint = top,
				.bucket = "bucket",
				.prefix = "" };
	struct store *s = NULL;

	assert_non_null(mkdtemp(top));
	assert_int_equal(store_open(&o, &s, NULL), 0);
	run(s);
	assert_int_equal(test_rm(top), 0);
}

/* --- S3, as far as the driver needs it --------------------------------- */

static void say_put(struct store *mem, const struct http_request *r,
		    const char *key, struct buf *out)
{
	char v[8];
	struct store_put_opts o = { .if_absent = http_header(r, "if-none-match",
							     v, sizeof(v)) };
	int rc = store_put(mem, key, r->body.data, r->body.len, &o);

	buf_addf(out, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n",
		 rc == 0	 ? "200 OK"
		 : rc == -EEXIST ? "412 Precondition Failed"
				 : "500 Error");
}

static void say_get(struct store *mem, const struct http_request *r,
		    const char *key, struct buf *out)
{
	unsigned long long first, last;
	CLEANUP_FREE char *data = NULL;
	struct store_info info;
	ssize_t n = -EINVAL;
	char v[64];

	if (http_header(r, "range", v, sizeof(v)) &&
	    sscanf(v, "bytes=%llu-%llu", &first, &last) == 2 &&
	    store_head(mem, key, &info) == 0) {
		data = malloc(last - first + 1);
		n = data ? store_get(mem, key, first, data, last - first + 1)
			 : -ENOMEM;
	}
	if (n < 0) {
		buf_addf(out, "HTTP/1.1 500 E\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	buf_addf(out,
		 "HTTP/1.1 206 P\r\nContent-Length: %zd\r\nContent-Range: "
		 "bytes %llu-%llu/%llu\r\n\r\n",
		 n, first, first + (unsigned long long)n - 1,
		 (unsigned long long)info.size);
	buf_add(out, data, (size_t)n);
}

static void say_head(struct store *mem, const char *key, struct buf *out)
{
	struct store_info info;

	if (store_head(mem, key, &info) == 0)
		buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
			 (unsigned long long)info.size);
	else
		buf_addf(out, "HTTP/1.1 404 N\r\n\r\n");
}

static bool say(const struct http_request *r, struct buf *out, void *arg)
{
	static const char root[] = "/bucket/";
	const char *key = r->path + strlen(root);

	if (strncmp(r->path, root, strlen(root)) != 0)
		return false;
	if (strcmp(r->method, "PUT") == 0) {
		say_put(arg, r, key, out);
	} else if (strcmp(r->method, "GET") == 0) {
		say_get(arg, r, key, out);
	} else if (strcmp(r->method, "HEAD") == 0) {
		say_head(arg, key, out);
	} else {
		store_del1(arg, key);
		buf_addf(out, "HTTP/1.1 204 N\r\n\r\n");
	}
	return r->number % 37 != 36; /* now and then it hangs up */
}

static void test_s3(void **state)
{
	struct store *mem = store_mem_new(), *s = NULL;
	struct http_server *server = http_server_start(say, mem);
	struct store_opts o = { .kind = STORE_S3,
				.name = "s3",
				.region = "r",
				.bucket = "bucket",
				.prefix = "",
				.in_flight = 5,
				.access_key = "AK",
				.secret_key = "SK" };

	assert_non_null(server);
	o.endpoint = http_server_url(server);
	assert_int_equal(store_open(&o, &s, NULL), 0);
	run(s);
	http_server_stop(server);
	store_free(mem);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mem),
		cmocka_unit_test(test_dir),
		cmocka_unit_test(test_s3),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
