/* SPDX-License-Identifier: Apache-2.0 */
/* One request to a worker, and its answer. */
#include "cli/cli.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CLIENT_CONNECT_SECONDS 5

static int client_offline(struct cli *c, const struct config_trust *t, int rc)
{
	snprintf(c->code, sizeof(c->code), "unreachable");
	fail(&c->err, rc, "trust '%s' is not served here now: %m", t->name);
	return fail_hint(&c->err, rc, "systemctl status mersey");
}

int cli_offline(struct cli *c, const struct config_trust *t, int rc)
{
	char why[128];

	snprintf(why, sizeof(why), "not served here now (%s)", strerror(-rc));
	return cli_problem(c, t->name, c->code, why, c->err.hint);
}

static int client_timeout(int fd, int which, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	return setsockopt(fd, SOL_SOCKET, which, &tv, sizeof(tv)) < 0 ? -errno
								      : 0;
}

static int client_connect(const char *path)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int rc;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path) + 1);
	rc = client_timeout(fd, SO_SNDTIMEO, CLIENT_CONNECT_SECONDS);
	if (rc < 0)
		return rc;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == ENOENT ? -ECONNREFUSED : -errno;
	return take_fd(fd);
}

static int client_open(struct cli *c, const struct config_trust *t)
{
	CLEANUP_FREE char *path = config_socket(c->cfg, t);
	int fd;

	if (!path)
		return -ENOMEM;
	fd = client_connect(path);
	if (fd == -EACCES) /* the socket lets anybody in, its directory not */
		return fail(&c->err, -EPERM, "you may not reach '%s'", path);
	return fd < 0 ? client_offline(c, t, fd) : fd;
}

/* The worker's error becomes the command's. */
static int client_error(struct cli *c, const json_t *e)
{
	int rc = proto_errno(e);

	snprintf(c->code, sizeof(c->code), "%s", json_text(e, "code"));
	fail(&c->err, rc, "%s", json_text(e, "message"));
	fail_hint(&c->err, rc, "%s", json_text(e, "hint"));
	return rc;
}

/* 1 = that was the answer, 0 = progress, -errno. */
static int client_line(struct cli *c, const struct config_trust *t,
		       const char *line, size_t len, json_t **result)
{
	CLEANUP_JSON json_t *o = NULL;
	json_t *v;
	int rc = proto_parse(line, len, &o, &c->err);

	if (rc < 0)
		return fail_prefix(&c->err, -EPROTO, "worker of '%s'", t->name);
	v = json_object_get(o, "progress");
	if (v) {
		progress_show(c, t->name, v);
		return 0;
	}
	v = json_object_get(o, "error");
	if (v)
		return client_error(c, v);
	v = json_object_get(o, "result");
	if (!json_is_object(v))
		return fail(&c->err, -EPROTO, "worker of '%s' gave no result",
			    t->name);
	*result = json_incref(v);
	return 1;
}

static int client_answer(struct cli *c, const struct config_trust *t, int fd,
			 json_t **result)
{
	struct proto_reader r;
	const char *line;
	size_t len;
	int rc;

	proto_reader_init(&r, fd, PROTO_REPLY_MAX);
	do {
		rc = proto_reader_line(&r, &line, &len);
		if (rc == 1)
			rc = client_line(c, t, line, len, result);
		else if (rc == -EAGAIN)
			rc = client_offline(c, t, -ETIMEDOUT);
		else
			rc = client_offline(c, t, rc ? rc : -ECONNRESET);
	} while (rc == 0);
	proto_reader_done(&r);
	return rc < 0 ? rc : 0;
}

static int client_send(int fd, const char *verb, json_t *args)
{
	CLEANUP_JSON json_t *req = json_pack("{s:i, s:s, s:O}", "id", 1, "verb",
					     verb, "args", args);
	CLEANUP_BUF struct buf b = { 0 };
	int rc = req ? proto_line(req, &b) : -ENOMEM;

	if (rc == 0 && b.len > PROTO_REQUEST_MAX)
		rc = -E2BIG;
	if (rc == 0)
		rc = proto_send(fd, b.data, b.len);
	/* the worker may have refused already: its answer says why */
	return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

int cli_call(struct cli *c, const struct config_trust *t, const char *verb,
	     json_t *args, int seconds, json_t **result)
{
	CLEANUP_JSON json_t *a = args;
	CLEANUP_CLOSE int fd = -1;
	int rc;

	if (!a)
		return -ENOMEM;
	c->code[0] = '\0';
	c->err = (struct err)ERR_INIT;
	fd = client_open(c, t);
	if (fd < 0)
		return fd;
	rc = client_timeout(fd, SO_RCVTIMEO, seconds);
	if (rc == 0)
		rc = client_send(fd, verb, a);
	if (rc == -E2BIG) {
		fail(&c->err, rc, "too many paths for one request");
		return fail_hint(&c->err, rc, "name their directory instead");
	}
	return rc < 0 ? rc : client_answer(c, t, fd, result);
}

int cli_take_problems(struct cli *c, const struct config_trust *t,
		      json_t *result)
{
	json_t *list = json_object_get(result, "problems"), *p;
	size_t i;
	int rc = 0;

	json_array_foreach(list, i, p) {
		if (rc == 0 && json_object_get(p, "path"))
			rc = cli_path_out(c, p, t);
		if (rc == 0 && json_array_append(c->problems, p) < 0)
			rc = -ENOMEM;
	}
	json_object_del(result, "problems");
	return rc;
}
