/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists a directory tree in byte order of the keys. A directory counts as
 * its name with '/' behind it, so that "a-b", "a/b" and "a0" come in this
 * order. Each page reads the directories again on its way, but goes only
 * into those that may hold keys of the page.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/dir.h"

/* So many names of one directory are kept at once; more take more passes. */
#define NAMES_MAX 2048

struct listing {
	const char *prefix, *after;
	size_t max;
	struct store_list *out;
	char key[STORE_KEY_MAX + 2]; /* of the directory that is read */
};

/* The first names of one directory; those of directories end with '/'. */
struct names {
	char *name[2 * NAMES_MAX];
	size_t n;
	bool cut; /* there are names behind the last one */
};

static void names_free(struct names *l)
{
	while (l->n)
		free(l->name[--l->n]);
	free(l);
}

DEFINE_GUARD(struct names *, names_free);

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts, and drops what is too much. */
static void names_settle(struct names *l)
{
	if (l->n)
		qsort(l->name, l->n, sizeof(*l->name), names_compare);
	while (l->n > NAMES_MAX) {
		free(l->name[--l->n]);
		l->cut = true;
	}
}

static int names_add(struct names *l, const char *name)
{
	char *copy;

	if (l->n == ARRAY_SIZE(l->name))
		names_settle(l);
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	l->name[l->n++] = copy;
	return 0;
}

/* 1 for a directory, 0 for a file, -ENOENT for what is neither. */
static int entry_type(int at, const struct dirent *e)
{
	struct stat st;

	if (e->d_type == DT_DIR)
		return 1;
	if (e->d_type == DT_REG)
		return 0;
	if (e->d_type != DT_UNKNOWN ||
	    fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	return S_ISDIR(st.st_mode) ? 1 : S_ISREG(st.st_mode) ? 0 : -ENOENT;
}

/*
 * Can `name` be, or hold, a key of this page? Sets the key of the entry for
 * the caller: ls->key has `len` bytes of the directory already.
 */
static bool wanted(struct listing *ls, size_t len, const char *name)
{
	size_t n = strlen(name), plen = strlen(ls->prefix);

	if (len + n > STORE_KEY_MAX)
		return false;
	memcpy(ls->key + len, name, n + 1);
	if (strncmp(ls->key, ls->prefix, MIN(len + n, plen)) != 0)
		return false;
	if (name[n - 1] != '/') /* a file */
		return len + n >= plen && strcmp(ls->key, ls->after) > 0;
	/* The keys in a directory start with its own. */
	return strncmp(ls->key, ls->after, len + n) >= 0;
}

/* The first names of directory `d` that are wanted and behind `from`. */
static int read_names(struct listing *ls, DIR *d, size_t len, const char *from,
		      struct names *out)
{
	for (;;) {
		struct dirent *e;
		char name[NAME_MAX + 2];
		int type, rc;

		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		type = store_key_ok(e->d_name) ? entry_type(dirfd(d), e) : -1;
		if (type < 0)
			continue;
		snprintf(name, sizeof(name), "%s%s", e->d_name,
			 type ? "/" : "");
		if (strcmp(name, from) <= 0 || !wanted(ls, len, name))
			continue;
		rc = names_add(out, name);
		if (rc < 0)
			return rc;
	}
	if (errno)
		return -errno;
	names_settle(out);
	return 0;
}

static int list_file(struct listing *ls, int at, const char *name)
{
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* deleted just now */
	if (ls->out->n == ls->max) {
		ls->out->more = true;
		return 0;
	}
	return store_list_add(ls->out, ls->key, (uint64_t)st.st_size,
			      clock_ns(st.st_mtim));
}

static int list_dir(struct listing *ls, int at, size_t len);

static int list_sub(struct listing *ls, int at, const char *name, size_t len)
{
	char part[NAME_MAX + 1];
	size_t n = strlen(name) - 1;
	int fd;

	memcpy(part, name, n);
	part[n] = '\0';
	fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return list_dir(ls, fd, len + n + 1);
}

static int list_names(struct listing *ls, int at, size_t len,
		      const struct names *names)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < names->n && !ls->out->more; i++) {
		const char *name = names->name[i];
		size_t n = strlen(name);

		memcpy(ls->key + len, name, n + 1);
		if (name[n - 1] == '/')
			rc = list_sub(ls, at, name, len);
		else
			rc = list_file(ls, at, name);
	}
	return rc;
}

/* One pass over directory `d`. 1 when there may be more behind `from`. */
static int list_pass(struct listing *ls, DIR *d, size_t len,
		     char from[NAME_MAX + 2])
{
	CLEANUP(names_free_guard) struct names *names = malloc(sizeof(*names));
	int rc;

	if (!names)
		return -ENOMEM;
	names->n = 0;
	names->cut = false;
	rewinddir(d);
	rc = read_names(ls, d, len, from, names);
	if (rc == 0)
		rc = list_names(ls, dirfd(d), len, names);
	if (rc < 0 || !names->cut || ls->out->more)
		return rc;
	snprintf(from, NAME_MAX + 2, "%s", names->name[names->n - 1]);
	return 1;
}

/* Lists the directory `fd`, which it closes; its key has `len` bytes. The
 * depth is bounded by the length of keys. */
static int list_dir(struct listing *ls, int fd, size_t len)
{
	char from[NAME_MAX + 2] = "";
	DIR *d = fdopendir(fd);
	int rc;

	if (!d) {
		rc = -errno;
		close(fd);
		return rc;
	}
	do {
		rc = list_pass(ls, d, len, from);
	} while (rc == 1);
	closedir(d);
	return rc;
}

int dir_list_tree(int at, const char *prefix, size_t base, const char *after,
		  size_t max, struct store_list *out)
{
	struct listing ls = {
		.prefix = prefix, .after = after, .max = max, .out = out
	};
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	memcpy(ls.key, prefix, base);
	return list_dir(&ls, fd, base);
}
