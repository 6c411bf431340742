/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of a filesystem under measurement: does one kind of work on many
 * files and prints one line of JSON (result.h).
 * Each writer is a process with a directory of its own; the clock runs from
 * the moment they are let go together until the last one is done. Files lie
 * in directories of 1,000, which are made before the clock starts.
 *
 * Usage: bench-client create DIRECTORY FILES WRITERS [BYTES]
 *        bench-client stat|unlink DIRECTORY FILES WRITERS
 *        bench-client lookup LIST        lstat of each path of a file
 *        bench-client read LIST READERS  open, read whole, close each of them;
 *                                        each reader its share, in order
 *        bench-client rename FROM TO
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "result.h"

#define PER_DIRECTORY 1000ul
#define BYTES_MAX     (16ul << 20)
#define READ_SIZE     (1ul << 20)

struct job {
	const char *dir;
	unsigned long files, writers, bytes;
	char *data;
	char **paths;	  /* of `lookup` */
	int64_t *took_ns; /* of each file, shared by the writers */
	int (*one)(const struct job *j, const char *path);
};

/* ---- what is done to one file ---------------------------------------- */

static int create_one(const struct job *j, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, j->data, j->bytes);
	if (n != (ssize_t)j->bytes) {
		int rc = n < 0 ? -errno : -EIO;

		close(fd);
		return rc;
	}
	return close(fd) < 0 ? -errno : 0;
}

static int stat_one(const struct job *j, const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? -errno : 0;
}

static int unlink_one(const struct job *j, const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

/* Whole, as a viewer reads a slice. */
static int read_one(const struct job *j, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, j->data, READ_SIZE)) > 0)
		;
	if (n < 0)
		n = -errno;
	return close(fd) < 0 ? -errno : (int)n;
}

/* ---- names ----------------------------------------------------------- */

static void name_of(const struct job *j, unsigned long i, char *out, size_t max)
{
	unsigned long each = j->files / j->writers, w = i / each, k = i % each;

	if (j->paths)
		snprintf(out, max, "%s", j->paths[i]);
	else
		snprintf(out, max, "%s/w%lu/d%04lu/f%07lu.dcm", j->dir, w,
			 k / PER_DIRECTORY, k);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_dirs(const struct job *j)
{
	unsigned long each = j->files / j->writers, w, d;
	char path[4096];
	int rc = make_dir(j->dir);

	for (w = 0; rc == 0 && w < j->writers; w++) {
		snprintf(path, sizeof(path), "%s/w%lu", j->dir, w);
		rc = make_dir(path);
		for (d = 0; rc == 0 && d * PER_DIRECTORY < each; d++) {
			snprintf(path, sizeof(path), "%s/w%lu/d%04lu", j->dir,
				 w, d);
			rc = make_dir(path);
		}
	}
	return rc;
}

/* ---- the run --------------------------------------------------------- */

static int work(const struct job *j, unsigned long writer)
{
	unsigned long each = j->files / j->writers, i;
	char path[4096];

	for (i = writer * each; i < (writer + 1) * each; i++) {
		int64_t start;
		int rc;

		name_of(j, i, path, sizeof(path));
		start = now_ns();
		rc = j->one(j, path);
		if (rc < 0) {
			fprintf(stderr, "bench-client: %s: %s\n", path,
				strerror(-rc));
			return rc;
		}
		j->took_ns[i] = now_ns() - start;
	}
	return 0;
}

/* A writer: ready, waits for the start, works. */
static int writer_main(const struct job *j, unsigned long w, int ready,
		       int start)
{
	char c = 0;

	if (write(ready, &c, 1) != 1 || read(start, &c, 1) != 0)
		return 1;
	return work(j, w) < 0;
}

static int fork_writers(const struct job *j, int ready[2], int start[2])
{
	unsigned long w;

	for (w = 0; w < j->writers; w++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			close(start[1]);
			_exit(writer_main(j, w, ready[1], start[0]));
		}
	}
	return 0;
}

/* Nanoseconds from the common start to the last end, or -errno. */
static int64_t run(const struct job *j)
{
	int ready[2], start[2], status, rc;
	unsigned long w;
	int64_t began;
	char c;

	if (pipe(ready) < 0 || pipe(start) < 0)
		return -errno;
	rc = fork_writers(j, ready, start);
	if (rc < 0)
		return rc;
	for (w = 0; w < j->writers; w++)
		if (read(ready[0], &c, 1) != 1)
			return -EPIPE;
	began = now_ns();
	close(start[1]);
	for (w = 0; w < j->writers; w++)
		if (wait(&status) < 0 || status != 0)
			rc = -EIO;
	return rc < 0 ? rc : now_ns() - began;
}

static int measure(struct job *j)
{
	int64_t ns;

	j->took_ns = mmap(NULL, j->files * sizeof(*j->took_ns),
			  PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (j->took_ns == MAP_FAILED)
		return -errno;
	ns = run(j);
	if (ns < 0)
		return (int)ns;
	result_print(j->files, j->files * j->bytes, ns, j->took_ns);
	return 0;
}

static int rename_one(const char *from, const char *to)
{
	int64_t start = now_ns();

	if (rename(from, to) < 0)
		return -errno;
	printf("{\"ops\": 1, \"seconds\": %.6f}\n",
	       (double)(now_ns() - start) / 1e9);
	return 0;
}

/* ---- the command line ------------------------------------------------ */

/* The lines of a file. */
static int read_paths(struct job *j, const char *file)
{
	CLEANUP_FREE char *line = NULL;
	FILE *f = fopen(file, "re");
	size_t room = 0, cap = 0;
	ssize_t n;

	if (!f)
		return -errno;
	while ((n = getline(&line, &cap, f)) > 0) {
		line[n - 1] = '\0';
		if (j->files == room) {
			room = room ? 2 * room : 1024;
			j->paths = realloc(j->paths, room * sizeof(char *));
			if (!j->paths)
				return -ENOMEM;
		}
		j->paths[j->files] = strdup(line);
		if (!j->paths[j->files++])
			return -ENOMEM;
	}
	fclose(f);
	return j->files > 0 ? 0 : -EINVAL;
}

static int on_list(struct job *j, const char *file, const char *readers)
{
	int rc = read_paths(j, file);

	j->writers = readers ? strtoul(readers, NULL, 10) : 1;
	j->one = readers ? read_one : stat_one;
	j->data = malloc(READ_SIZE);
	if (rc == 0 && !j->data)
		rc = -ENOMEM;
	if (rc == 0 && (j->writers == 0 || j->files % j->writers != 0))
		rc = -EINVAL;
	return rc < 0 ? rc : measure(j);
}

static int on_files(struct job *j, const char *what, char **argv)
{
	static const struct {
		const char *name;
		int (*one)(const struct job *j, const char *path);
	} works[] = {
		{ "create", create_one },
		{ "stat", stat_one },
		{ "unlink", unlink_one },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		if (strcmp(what, works[i].name) == 0)
			j->one = works[i].one;
	j->dir = argv[0];
	j->files = strtoul(argv[1], NULL, 10);
	j->writers = strtoul(argv[2], NULL, 10);
	j->bytes = argv[3] ? strtoul(argv[3], NULL, 10) : 0;
	if (!j->one || j->writers == 0 || j->files < j->writers ||
	    j->bytes > BYTES_MAX)
		return -EINVAL;
	j->files -= j->files % j->writers;
	j->data = malloc(j->bytes + 8);
	if (!j->data)
		return -ENOMEM;
	fill_random(j->data, j->bytes + 8);
	if (j->one == create_one)
		rc = make_dirs(j);
	return rc < 0 ? rc : measure(j);
}

static void job_done(struct job *j)
{
	if (j->paths)
		for (unsigned long i = 0; i < j->files; i++)
			free(j->paths[i]);
	free(j->paths);
	free(j->data);
}

int main(int argc, char **argv)
{
	CLEANUP(job_done) struct job j = { 0 };
	int rc = -EINVAL;

	if (argc == 3 && strcmp(argv[1], "lookup") == 0)
		rc = on_list(&j, argv[2], NULL);
	else if (argc == 4 && strcmp(argv[1], "read") == 0)
		rc = on_list(&j, argv[2], argv[3]);
	else if (argc == 4 && strcmp(argv[1], "rename") == 0)
		rc = rename_one(argv[2], argv[3]);
	else if (argc == 5 || argc == 6)
		rc = on_files(&j, argv[1], argv + 2);
	if (rc < 0)
		fprintf(stderr, "bench-client: %s\n", strerror(-rc));
	return rc < 0;
}
