/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets on their way from files of root to a worker. They lie in memory
 * that is allocated once, at its final size, and wiped: growing it would
 * leave copies on the heap. (In the socket they are the kernel's.)
 */
#include "super/secrets.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/io.h"
#include "base/secret.h"
#include "super/wire.h"

#define SECRET_WAIT_S 30

static void secret_wipe(struct super_secret *s)
{
	secret_buf_done(&s->value);
	explicit_bzero(s, sizeof(*s));
}

void super_secrets_done(struct super_secret *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		secret_wipe(&s[i]);
}

const struct buf *super_secret_find(const struct super_secret *s, size_t n,
				    const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s[i].name, name) == 0)
			return &s[i].value;
	return NULL;
}

static int set_name(struct super_secret *s, const char *name, struct err *err)
{
	if ((size_t)snprintf(s->name, sizeof(s->name), "%s", name) >=
	    sizeof(s->name))
		return fail(err, -ENAMETOOLONG, "secret '%s': %m", name);
	return 0;
}

int super_secret_read(struct super_secret *s, const char *name,
		      const char *file, struct err *err)
{
	struct super_secret tmp = { 0 };
	int rc = set_name(&tmp, name, err);

	if (rc < 0)
		return rc;
	/* io_read_secret() grows in steps: give it room for all of them. */
	rc = secret_buf(&tmp.value, 3 * SUPER_SECRET_SIZE);
	if (rc < 0)
		return fail(err, rc, "secret file '%s': %m", file);
	rc = io_read_secret(file, SUPER_SECRET_SIZE, &tmp.value, err);
	if (rc == 0 && tmp.value.len == 0)
		rc = fail(err, -ENODATA, "secret file '%s' is empty", file);
	if (rc < 0) {
		secret_wipe(&tmp);
		return rc;
	}
	*s = tmp;
	return 0;
}

static int read_text(struct super_secret *s, const struct buf *text,
		     struct err *err)
{
	int rc;

	if (!text->len) {
		rc = fail(err, -ENODATA,
			  "there are no credentials in the environment");
		return fail_hint(err, rc,
				 "start merseyd with AWS_ACCESS_KEY_ID and "
				 "AWS_SECRET_ACCESS_KEY");
	}
	rc = secret_buf(&s->value, text->len);
	if (rc == 0)
		rc = buf_add(&s->value, text->data, text->len);
	return rc < 0 ? fail(err, rc, "cannot keep a secret: %m") : 0;
}

int super_credential_read(struct super_secret *s,
			  const struct super_credential *c, struct err *err)
{
	CLEANUP_FREE char *name = io_path("credentials:%s", c->store);
	struct super_secret tmp = { 0 };
	int rc = name ? set_name(&tmp, name, err) : fail(err, -ENOMEM, "%m");

	if (rc < 0)
		return rc;
	if (c->file)
		return super_secret_read(s, name, c->file, err);
	rc = c->text ? read_text(&tmp, c->text, err)
		     : secret_from_command(&tmp, c->command, err);
	if (rc < 0) {
		secret_wipe(&tmp);
		return rc;
	}
	*s = tmp;
	return 0;
}

int super_socketpair(int fd[2], struct err *err)
{
	/* Room for all secrets at once: the worker does not run yet when they
	 * are sent. */
	int size = 2 * SUPER_SECRETS_MAX * (SUPER_SECRET_SIZE + 1024);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return fail(err, -errno, "cannot make a socketpair: %m");
	if (setsockopt(fd[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) <
	    0)
		/* Without privilege: as far as the limit goes, and a send
		 * that does not fit fails. */
		setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

/* ---- the supervisor's end -------------------------------------------- */

static int send_parts(int fd, struct iovec *iov, size_t n, struct err *err)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };

	if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return fail(err, -errno, "cannot send to the worker: %m");
	return 0;
}

int super_send_secret(int fd, const struct super_secret *s, struct err *err)
{
	size_t n = strlen(s->name);
	unsigned char head[2] = { WIRE_SECRET, (unsigned char)n };
	struct iovec iov[] = { { head, sizeof(head) },
			       { (void *)s->name, n },
			       { s->value.data, s->value.len } };

	return send_parts(fd, iov, ARRAY_SIZE(iov), err);
}

static int send_key(int fd, const char *file, struct err *err)
{
	struct super_secret s = { 0 };
	int rc = super_secret_read(&s, "key", file, err);

	if (rc == 0)
		rc = super_send_secret(fd, &s, err);
	secret_wipe(&s);
	return rc;
}

int super_send_secrets(int fd, const struct super_trust *t,
		       struct renewal *renewal, struct err *err)
{
	unsigned char end[2] = { WIRE_END, 0 };
	struct iovec iov = { end, sizeof(end) };
	struct renewal unused;
	int rc;

	if (t->n_credentials + 1 > SUPER_SECRETS_MAX)
		return fail(err, -E2BIG, "more than %d secrets",
			    SUPER_SECRETS_MAX);
	if (t->key_file) {
		rc = send_key(fd, t->key_file, err);
		if (rc < 0)
			return rc;
		end[1]++;
	}
	for (size_t i = 0; i < t->n_credentials; i++, end[1]++) {
		rc = renewal_send(fd, &t->credentials[i],
				  renewal ? &renewal[i] : &unused, err);
		if (rc < 0)
			return rc;
	}
	return send_parts(fd, &iov, 1, err);
}

/* ---- the worker's end ------------------------------------------------ */

/* One packet; its length, or -errno. */
static ssize_t receive_packet(int fd, void *p, size_t size, struct err *err)
{
	ssize_t n;

	do
		n = recv(fd, p, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return fail(err, -ETIMEDOUT,
			    "the supervisor sent no secrets within %d s",
			    SECRET_WAIT_S);
	if (n < 0)
		return fail(err, -errno, "cannot receive secrets: %m");
	if (n == 0)
		return fail(err, -EPIPE, "the supervisor hung up");
	if ((size_t)n > size)
		return fail(err, -EPROTO, "a message of %zd bytes is too long",
			    n);
	return n;
}

static bool name_ok(const unsigned char *p, size_t n)
{
	if (n == 0 || n >= sizeof(((struct super_secret *)0)->name))
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= 0x20 || p[i] >= 0x7f)
			return false;
	return true;
}

int super_secret_parse(const unsigned char *p, size_t n, struct super_secret *s,
		       struct err *err)
{
	size_t name_len = n >= 2 ? p[1] : 0;
	int rc;

	if (n == 0 || p[0] != WIRE_SECRET ||
	    !name_ok(p + 2, MIN(name_len, n - 2)) || n < 2 + name_len + 1 ||
	    n - 2 - name_len > SUPER_SECRET_SIZE)
		return fail(err, -EPROTO, "malformed message with a secret");
	rc = secret_buf(&s->value, n - 2 - name_len);
	if (rc == 0)
		rc = buf_add(&s->value, p + 2 + name_len, n - 2 - name_len);
	if (rc < 0)
		return fail(err, rc, "cannot keep a secret: %m");
	memcpy(s->name, p + 2, name_len);
	s->name[name_len] = '\0';
	return 0;
}

/* Receives into out[*n]; 1 = that was the last, 0 = one more, -errno. */
static int receive_one(int fd, struct super_secret *out, size_t max, size_t *n,
		       struct err *err)
{
	unsigned char p[2 + sizeof(out->name) + SUPER_SECRET_SIZE];
	ssize_t len = receive_packet(fd, p, sizeof(p), err);
	int rc;

	if (len < 0)
		return (int)len;
	if (p[0] == WIRE_END) {
		if (len == 2 && p[1] == *n)
			return 1;
		return fail(err, -EPROTO, "secrets are missing");
	}
	if (*n == max)
		rc = fail(err, -E2BIG, "more than %zu secrets", max);
	else
		rc = super_secret_parse(p, (size_t)len, &out[*n], err);
	explicit_bzero(p, sizeof(p));
	if (rc < 0)
		return rc;
	if (super_secret_find(out, *n, out[*n].name)) {
		secret_wipe(&out[*n]);
		return fail(err, -EPROTO, "a secret came twice");
	}
	(*n)++;
	return 0;
}

int super_receive_secrets(int fd, struct super_secret *out, size_t max,
			  size_t *n, struct err *err)
{
	struct timeval tv = { .tv_sec = SECRET_WAIT_S };
	size_t got = 0;
	int rc;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return fail(err, -errno, "cannot receive secrets: %m");
	memset(out, 0, max * sizeof(*out));
	do
		rc = receive_one(fd, out, max, &got, err);
	while (rc == 0);
	if (rc < 0) {
		super_secrets_done(out, got);
		return rc;
	}
	*n = got;
	return 0;
}

int super_worker_ready(int fd, struct err *err)
{
	unsigned char ready = WIRE_READY;
	struct iovec iov = { &ready, 1 };
	int rc = send_parts(fd, &iov, 1, err);

	return rc < 0 ? fail_prefix(err, rc, "supervisor") : 0;
}

int super_worker_alarm(int fd, const void *alarm, size_t n)
{
	unsigned char what = WIRE_ALARM;
	struct iovec iov[2] = { { &what, 1 }, { (void *)alarm, n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (n > SUPER_ALARM_SIZE)
		return -EMSGSIZE;
	if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

pid_t super_worker_parent(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -errno;
	return who.pid;
}
