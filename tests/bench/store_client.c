/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 driver alone, for bench: COUNT objects of SIZE bytes, JOBS at once.
 *
 *   bench-store get|put SIZE COUNT JOBS
 *
 * Where the server is comes from the environment, as for the contract test:
 * MERSEY_TEST_S3_ENDPOINT, _REGION, _ACCESS_KEY, _SECRET_KEY, _BUCKET. The
 * objects are object-0, object-1, ... Prints a line of JSON; "cpu" is the
 * processor time of this process, in seconds.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/guard.h"
#include "base/hex.h"
#include "result.h"
#include "store/drivers.h"
#include "store/s3/sign.h"

#define JOBS_MAX 64

static struct {
	struct store *store;
	bool put;
	size_t size;
	unsigned long count;
	atomic_ulong next;
	atomic_bool failed;
	pthread_barrier_t ready;
	uint8_t sha256[32]; /* of what all objects hold; packs come with theirs
			     */
} bench;

static const char *env(const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "MERSEY_TEST_S3_%s", name);
	return getenv(full);
}

static bool one(const char *key, void *data)
{
	struct store_put_opts opts = { .sha256 = bench.sha256 };
	ssize_t n =
		bench.put ? store_put(bench.store, key, data, bench.size, &opts)
			  : store_get(bench.store, key, 0, data, bench.size);

	if (n == (bench.put ? 0 : (ssize_t)bench.size))
		return true;
	fprintf(stderr, "%s: %zd: %s\n", key, n, store_detail());
	return false;
}

static void *work(void *arg)
{
	CLEANUP_FREE void *data = malloc(bench.size);
	unsigned long i = 0;

	(void)arg;
	if (data)
		fill_random(data, bench.size);
	pthread_barrier_wait(&bench.ready); /* the clock starts */
	while (data && (i = atomic_fetch_add(&bench.next, 1)) < bench.count) {
		char key[32];

		snprintf(key, sizeof(key), "object-%lu", i);
		if (!one(key, data))
			break;
	}
	if (i < bench.count)
		atomic_store(&bench.failed, true);
	return NULL;
}

static int open_store(unsigned jobs)
{
	struct store_opts o = { .kind = STORE_S3,
				.name = "bench",
				.endpoint = env("ENDPOINT"),
				.region = env("REGION"),
				.access_key = env("ACCESS_KEY"),
				.secret_key = env("SECRET_KEY"),
				.bucket = env("BUCKET"),
				.ca_file = env("CA"),
				.prefix = "",
				.in_flight = jobs };
	CLEANUP_FREE void *data = malloc(bench.size);
	char hex[S3_SHA256_HEX];
	struct err err = ERR_INIT;

	if (!data)
		return -ENOMEM;
	fill_random(data, bench.size);
	if (s3_sha256_hex(data, bench.size, hex) < 0 ||
	    hex_decode(hex, bench.sha256, sizeof(bench.sha256)) < 0)
		return -EIO;
	if (store_open(&o, &bench.store, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return -EIO;
	}
	return 0;
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int run(unsigned jobs)
{
	pthread_t thread[JOBS_MAX];
	int64_t start, took;
	struct rusage before, after;

	pthread_barrier_init(&bench.ready, NULL, jobs + 1);
	for (unsigned i = 0; i < jobs; i++)
		if (pthread_create(&thread[i], NULL, work, NULL) != 0)
			return 1;
	pthread_barrier_wait(&bench.ready);
	start = now_ns();
	getrusage(RUSAGE_SELF, &before);
	for (unsigned i = 0; i < jobs; i++)
		pthread_join(thread[i], NULL);
	took = now_ns() - start;
	getrusage(RUSAGE_SELF, &after);
	if (atomic_load(&bench.failed))
		return 1;
	printf("{\"ops\": %lu, \"bytes\": %zu, \"seconds\": %.6f, "
	       "\"cpu\": %.3f}\n",
	       bench.count, bench.count * bench.size, (double)took / 1e9,
	       seconds_of(after.ru_utime) + seconds_of(after.ru_stime) -
		       seconds_of(before.ru_utime) -
		       seconds_of(before.ru_stime));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long jobs = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	int rc;

	if (jobs == 0 || jobs > JOBS_MAX) {
		fprintf(stderr, "usage: %s get|put SIZE COUNT JOBS\n", argv[0]);
		return 2;
	}
	bench.put = strcmp(argv[1], "put") == 0;
	bench.size = strtoull(argv[2], NULL, 10);
	bench.count = strtoul(argv[3], NULL, 10);
	if (bench.size == 0 || bench.count == 0 ||
	    open_store((unsigned)jobs) < 0)
		return 1;
	rc = run((unsigned)jobs);
	store_free(bench.store);
	return rc;
}
