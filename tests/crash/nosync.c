/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A planted bug: preloaded into a program, it makes syncs of some files do
 * nothing, as if the program had forgotten them. The tests of power cuts must
 * see what is lost then.
 *
 * MERSEY_NOSYNC is a list of words with commas between. A sync is left out
 * when the path of its descriptor contains one of them.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool left_out(int fd)
{
	const char *words = getenv("MERSEY_NOSYNC");
	char link[32], path[PATH_MAX], list[256];
	char *word, *rest = list;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || !words)
		return false;
	path[n] = '\0';
	snprintf(list, sizeof(list), "%s", words);
	while ((word = strsep(&rest, ",")))
		if (*word && strstr(path, word))
			return true;
	return false;
}

#define LEAVE_OUT(name)                                        \
	int name(int fd)                                       \
	{                                                      \
		int (*real)(int fd) = dlsym(RTLD_NEXT, #name); \
                                                               \
		return left_out(fd) ? 0 : real(fd);            \
	}

LEAVE_OUT(fsync)
LEAVE_OUT(fdatasync)
LEAVE_OUT(syncfs)

int sync_file_range(int fd, __off64_t off, __off64_t len, unsigned flags)
{
	int (*real)(int, __off64_t, __off64_t, unsigned) =
		dlsym(RTLD_NEXT, "sync_file_range");

	return left_out(fd) ? 0 : real(fd, off, len, flags);
}
