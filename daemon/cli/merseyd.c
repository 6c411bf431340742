/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/merseyd.h"

#include <string.h>

#include "cli/exec.h"

char *path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash && slash > path ? (size_t)(slash - path) : 1;

	return strndup(slash ? path : ".", n);
}

/* Beside this program, as installed, or where the environment says. */
static char *merseyd_path(void)
{
	static const char *const at[] = { "", "/../sbin" };
	const char *env = secure_getenv("MERSEYD");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	if (env && *env)
		return strdup(env);
	self[n > 0 ? n : 0] = '\0';
	for (i = 0; n > 0 && i < ARRAY_SIZE(at); i++) {
		CLEANUP_FREE char *dir = path_dir(self);
		char *p;

		if (!dir)
			return NULL;
		p = io_path("%s%s/merseyd", dir, at[i]);
		if (!p || access(p, X_OK) == 0)
			return p;
		free(p);
	}
	return strdup("/usr/sbin/merseyd");
}

static int cannot_run(struct cli *c, int rc, const char *path)
{
	fail(&c->err, rc, "cannot run '%s': %m", path);
	return fail_hint(&c->err, rc, "set MERSEYD to where merseyd is");
}

/* The sentence behind "error: ", or the line as it is. */
static const char *said_text(const char *line)
{
	const char *e = strstr(line, " error: ");

	if (e)
		return e + 8;
	return strncmp(line, "merseyd: ", 9) == 0 ? line + 9 : line;
}

/* The last complaint on its stderr, and what to try. */
static int merseyd_failed(struct cli *c, int status, const char *mode,
			  const char *code, char *said)
{
	const char *message = "", *hint = "";
	char *line, *save = NULL;

	for (line = strtok_r(said, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *text = said_text(line), *try;

		try = strstr(text, "  try: ");
		if (try)
			hint = try + 7;
		else
			message = text;
	}
	if (status == 2)
		c->exit = CLI_USAGE;
	if (*message)
		fail(&c->err, -EIO, "%s", message);
	else
		fail(&c->err, -EIO, "merseyd %s ended with status %d", mode,
		     status);
	snprintf(c->code, sizeof(c->code), "%s", code);
	return fail_hint(&c->err, -EIO, "%s", hint);
}

int merseyd_run(struct cli *c, char *const argv[], const char *code,
		struct buf *out)
{
	CLEANUP_FREE char *path = merseyd_path();
	CLEANUP_BUF struct buf said = { 0 };
	int status;

	if (!path)
		return -ENOMEM;
	status = exec_run(path, argv, out, &said);
	if (status < 0)
		return cannot_run(c, status, path);
	if (status == 0)
		return 0;
	return merseyd_failed(c, status, argv[1], code,
			      (char *)(buf_str(&said) ? said.data : NULL));
}

int merseyd_exec(struct cli *c, char *const argv[])
{
	CLEANUP_FREE char *path = merseyd_path();

	if (!path)
		return -ENOMEM;
	execv(path, argv);
	return cannot_run(c, -errno, path);
}
