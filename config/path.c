/* SPDX-License-Identifier: Apache-2.0 */
#include "config/path.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

/* Cleans an absolute path in place. */
static void path_clean(char *path)
{
	char *out = path, *in = path;

	while (*in) {
		size_t n;

		while (*in == '/')
			in++;
		n = strcspn(in, "/");
		if (n == 2 && memcmp(in, "..", 2) == 0) {
			while (out > path && *--out != '/')
				;
		} else if (n && !(n == 1 && *in == '.')) {
			*out++ = '/';
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

char *config_path_join(const char *dir, const char *path)
{
	char *out = *path == '/' ? io_path("/%s", path)
				 : io_path("/%s/%s", dir, path);

	if (out)
		path_clean(out);
	return out;
}

char *config_path_dir(const char *file)
{
	CLEANUP_FREE char *copy = strdup(file), *cwd = NULL;
	char *dir, *real;

	if (!copy)
		return NULL;
	dir = dirname(copy);
	real = realpath(dir, NULL);
	if (real || errno == ENOMEM)
		return real;
	cwd = getcwd(NULL, 0); /* the text may be of no file at all */
	return config_path_join(cwd ? cwd : "/", dir);
}

bool config_path_below(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	if (strcmp(outer, "/") == 0)
		return inner[1] != '\0';
	return strncmp(inner, outer, n) == 0 && inner[n] == '/';
}
