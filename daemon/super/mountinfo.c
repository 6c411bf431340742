/* SPDX-License-Identifier: Apache-2.0 */
#include "super/mountinfo.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"

#define MOUNTINFO_MAX (64UL << 20)

/* Undoes the kernel's \ooo for space, tab, newline and backslash. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		unsigned v;

		if (s[0] == '\\' && sscanf(s + 1, "%3o", &v) == 1 &&
		    strspn(s + 1, "01234567") >= 3) {
			*to++ = (char)v;
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/*
 * 36 35 0:42 / /srv/mersey/rem rw,nosuid shared:1 - fuse.mersey mersey:rem rw
 * 0  1  2    3 4               5         ...      -  1           2
 */
static bool parse_line(char *line, const char *path, struct mount_entry *out)
{
	char *save = NULL, *tok = strtok_r(line, " ", &save);
	char *fstype, *source;
	unsigned minor = 0;

	for (int i = 0; tok && i < 4; i++) {
		tok = strtok_r(NULL, " ", &save);
		if (tok && i == 1 && sscanf(tok, "%*u:%u", &minor) != 1)
			return false;
	}
	if (!tok)
		return false;
	unescape(tok);
	if (strcmp(tok, path) != 0)
		return false;
	while (tok && strcmp(tok, "-") != 0)
		tok = strtok_r(NULL, " ", &save);
	fstype = tok ? strtok_r(NULL, " ", &save) : NULL;
	source = fstype ? strtok_r(NULL, " ", &save) : NULL;
	if (!source)
		return false;
	unescape(source);
	out->minor = minor;
	snprintf(out->fstype, sizeof(out->fstype), "%s", fstype);
	snprintf(out->source, sizeof(out->source), "%s", source);
	return true;
}

bool mountinfo_find(const char *text, const char *path, struct mount_entry *out)
{
	CLEANUP_FREE char *copy = strdup(text);
	char *save = NULL, *line;
	bool found = false;

	if (!copy)
		return false;
	/* Later lines lie above earlier ones. */
	for (line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		found |= parse_line(line, path, out);
	return found;
}

/* `path` with the directories above it resolved; NULL and errno. */
static char *canonical(const char *path)
{
	const char *base = strrchr(path, '/');
	CLEANUP_FREE char *dir = NULL, *real = NULL;

	if (path[0] != '/' || !base[1]) {
		errno = EINVAL;
		return NULL;
	}
	dir = strndup(path, base == path ? 1 : (size_t)(base - path));
	real = dir ? realpath(dir, NULL) : NULL;
	if (!real)
		return NULL;
	return io_path("%s/%s", strcmp(real, "/") == 0 ? "" : real, base + 1);
}

int mountinfo_lookup(const char *path, struct mount_entry *out, struct err *err)
{
	CLEANUP_FREE char *real = canonical(path);
	CLEANUP_BUF struct buf text = { 0 };
	const char *s;
	int rc;

	if (!real && errno == ENOENT)
		return 0;
	if (!real)
		return fail(err, -errno, "cannot resolve '%s': %m", path);
	rc = io_read_file("/proc/self/mountinfo", MOUNTINFO_MAX, &text);
	s = rc == 0 ? buf_str(&text) : NULL;
	if (!s)
		return fail(err, rc < 0 ? rc : -ENOMEM,
			    "cannot read /proc/self/mountinfo: %m");
	return mountinfo_find(s, real, out);
}
