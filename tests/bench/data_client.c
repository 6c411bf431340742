/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that reads or writes one file of a filesystem under measurement
 * and prints one line of JSON (result.h). The clock runs from before the open
 * to after the close; what is written was made before it, and cannot be
 * compressed.
 *
 * Usage: bench-data read FILE               from its start to its end
 *        bench-data write FILE BYTES        a new file; fsync at the end
 *        bench-data at FILE SIZE OFFSET     one read
 *        bench-data random-read FILE SIZE ALIGN COUNT SECONDS SEED
 *        bench-data random-write FILE SIZE ALIGN COUNT SECONDS SEED EACH
 *
 * The random works end after COUNT, or when SECONDS are over. Offsets are
 * multiples of ALIGN, the same for the same SEED; each EACH writes an fsync.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/guard.h"
#include "result.h"

#define BLOCK	 (1ul << 20) /* of the sequential works */
#define DATA_MAX (16ul << 20)

struct job {
	const char *file;
	unsigned long size, align, count, seconds, each;
	uint64_t seed;
	uint64_t offset, bytes;
	char *data; /* DATA_MAX */
	int64_t *took_ns;
	unsigned long ops;
	uint64_t moved;
};

static int one_read(const struct job *j, int fd, size_t size, uint64_t off)
{
	ssize_t n = pread(fd, j->data, size, (off_t)off);

	return n < 0 ? -errno : n != (ssize_t)size ? -EIO : 0;
}

static int one_write(const struct job *j, int fd, size_t size, uint64_t off)
{
	ssize_t n =
		pwrite(fd, j->data + off % (DATA_MAX - size), size, (off_t)off);

	return n < 0 ? -errno : n != (ssize_t)size ? -EIO : 0;
}

static int sync_each(const struct job *j, int fd)
{
	bool due = j->each > 0 && (j->ops + 1) % j->each == 0;

	return due && fsync(fd) < 0 ? -errno : 0;
}

static int close_file(int fd, int rc)
{
	return close(fd) < 0 && rc == 0 ? -errno : rc;
}

/* ---- the works; each returns 0 or -errno ----------------------------- */

static int work_read(struct job *j)
{
	int fd = open(j->file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, j->data, BLOCK)) > 0)
		j->moved += (size_t)n;
	return close_file(fd, n < 0 ? -errno : 0);
}

static int work_write(struct job *j)
{
	int fd = open(j->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int rc = 0;

	if (fd < 0)
		return -errno;
	while (rc == 0 && j->moved < j->bytes) {
		size_t size = MIN(BLOCK, j->bytes - j->moved);

		rc = one_write(j, fd, size, j->moved);
		j->moved += size;
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	return close_file(fd, rc);
}

static int work_at(struct job *j)
{
	int fd = open(j->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	j->moved = j->size;
	return close_file(fd, one_read(j, fd, j->size, j->offset));
}

static int work_random(struct job *j)
{
	int fd = open(j->file, (j->each ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	int64_t end = now_ns() + (int64_t)j->seconds * NSEC_PER_SEC;
	int64_t start = now_ns();
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < j->size)
		return close_file(fd, -EINVAL);
	for (; rc == 0 && j->ops < j->count && start < end; j->ops++) {
		uint64_t places = ((uint64_t)st.st_size - j->size) / j->align;
		uint64_t off = next_random(&j->seed) % (places + 1) * j->align;

		rc = j->each ? one_write(j, fd, j->size, off)
			     : one_read(j, fd, j->size, off);
		if (rc == 0)
			rc = sync_each(j, fd);
		j->took_ns[j->ops] = now_ns() - start;
		start += j->took_ns[j->ops];
	}
	j->moved = j->ops * j->size;
	return close_file(fd, rc);
}

/* ---- the command line ------------------------------------------------ */

static int measure(struct job *j, int (*work)(struct job *j))
{
	int64_t began, took;
	int rc;

	j->data = malloc(DATA_MAX);
	j->took_ns = calloc(j->count + 1, sizeof(*j->took_ns));
	if (!j->data || !j->took_ns)
		return -ENOMEM;
	fill_random(j->data, DATA_MAX);
	began = now_ns();
	rc = work(j);
	took = now_ns() - began;
	if (rc < 0)
		return rc;
	if (work != work_random) { /* one piece of work */
		j->ops = 1;
		j->took_ns[0] = took;
	}
	if (j->ops == 0)
		return -ETIMEDOUT;
	result_print(j->ops, j->moved, took, j->took_ns);
	return 0;
}

static unsigned long number(char **argv, int i)
{
	return strtoul(argv[i], NULL, 10);
}

static int run(struct job *j, int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	j->file = argc > 2 ? argv[2] : NULL;
	if (strcmp(what, "read") == 0 && argc == 3)
		return measure(j, work_read);
	if (strcmp(what, "write") == 0 && argc == 4) {
		j->bytes = number(argv, 3);
		return measure(j, work_write);
	}
	if (argc < 5)
		return -EINVAL;
	j->size = number(argv, 3);
	if (j->size == 0 || j->size > BLOCK)
		return -EINVAL;
	if (strcmp(what, "at") == 0 && argc == 5) {
		j->offset = number(argv, 4);
		return measure(j, work_at);
	}
	if ((strcmp(what, "random-read") == 0 && argc == 8) ||
	    (strcmp(what, "random-write") == 0 && argc == 9)) {
		j->align = MAX(number(argv, 4), 1ul);
		j->count = number(argv, 5);
		j->seconds = number(argv, 6);
		j->seed += number(argv, 7);
		j->each = argc == 9 ? MAX(number(argv, 8), 1ul) : 0;
		return measure(j, work_random);
	}
	return -EINVAL;
}

static void job_done(struct job *j)
{
	free(j->data);
	free(j->took_ns);
}

int main(int argc, char **argv)
{
	CLEANUP(job_done) struct job j = { .seed = 88172645463325252ULL };
	int rc = run(&j, argc, argv);

	if (rc < 0)
		fprintf(stderr, "bench-data: %s\n", strerror(-rc));
	return rc < 0;
}
