/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials that change while a worker runs: who sees it, who gets them. */
#include "tests/test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"
#include "super/passfd.h"
#include "super/secrets.h"
#include "super/wire.h"

static char dir[] = "/tmp/mersey-test-renewal-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(dir);
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(io_write_file(path, 0600, text, strlen(text), false),
			 0);
}

/* The secret that lies in the socket. */
static void assert_sent(int fd, const char *name, const char *value)
{
	struct super_secret s = { 0 };
	unsigned char p[2000];
	ssize_t n = recv(fd, p, sizeof(p), MSG_DONTWAIT);

	assert_true(n > 0);
	assert_int_equal(super_secret_parse(p, (size_t)n, &s, NULL), 0);
	assert_string_equal(s.name, name);
	assert_int_equal(s.value.len, strlen(value));
	assert_memory_equal(s.value.data, value, strlen(value));
	super_secrets_done(&s, 1);
}

static void assert_nothing_sent(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_file(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/cred", dir);
	CLEANUP_FREE char *other = io_path("%s/cred.new", dir);
	struct super_credential c = { .store = "st", .file = path };
	struct renewal r = { 0 };
	struct err err = ERR_INIT;
	int fd[2];

	assert_int_equal(super_socketpair(fd, &err), 0);
	write_file(path, "one");
	assert_int_equal(renewal_send(fd[0], &c, &r, &err), 0);
	assert_sent(fd[1], "credentials:st", "one");
	assert_int_equal(r.due_ns, 0);
	assert_false(renewal_wanted(&c, &r, INT64_MAX));

	/* In its place, as careful people and tools do it. */
	write_file(other, "two");
	assert_int_equal(rename(other, path), 0);
	assert_true(renewal_wanted(&c, &r, 0));
	assert_int_equal(renewal_send(fd[0], &c, &r, &err), 0);
	assert_sent(fd[1], "credentials:st", "two");
	assert_false(renewal_wanted(&c, &r, 0));

	/* One that is gone, or open to others, is looked at until it can be
	 * used. */
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(renewal_wanted(&c, &r, 0));
	assert_int_equal(renewal_send(fd[0], &c, &r, &err), -EPERM);
	assert_nothing_sent(fd[1]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(renewal_send(fd[0], &c, &r, &err), -ENOENT);
	assert_true(renewal_wanted(&c, &r, 0));
	write_file(path, "three");
	assert_int_equal(renewal_send(fd[0], &c, &r, &err), 0);
	assert_sent(fd[1], "credentials:st", "three");
	close(fd[0]);
	close(fd[1]);
}

static void test_text(void **state)
{
	struct buf text = { .data = (uint8_t *)"abc", .len = 3 };
	struct super_credential c = { .store = "st", .text = &text };
	struct renewal r = { 0 };
	struct err err = ERR_INIT;
	int fd[2];

	assert_int_equal(super_socketpair(fd, NULL), 0);
	assert_int_equal(renewal_send(fd[0], &c, &r, NULL), 0);
	assert_sent(fd[1], "credentials:st", "abc");
	assert_false(renewal_wanted(&c, &r, INT64_MAX));
	text.len = 0;
	assert_int_equal(renewal_send(fd[0], &c, &r, &err), -ENODATA);
	assert_non_null(strstr(err.hint, "AWS_ACCESS_KEY_ID"));
	close(fd[0]);
	close(fd[1]);
}

/* A program that prints what a super_secret_print() with that time would. */
static int run_command(const char *script, int64_t expires_ns,
		       struct super_secret *s, struct err *err)
{
	CLEANUP_FREE char *path = io_path("%s/printed", dir);
	const char *argv[] = { "/bin/sh", "-c", script, "sh", path, NULL };
	struct buf value = { .data = (uint8_t *)"the keys", .len = 8 };
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(super_secret_print(fd, &value, expires_ns), 0);
	close(fd);
	*s = (struct super_secret){ 0 };
	return secret_from_command(s, argv, err);
}

static void test_command(void **state)
{
	struct super_secret s;
	struct err err = ERR_INIT;

	assert_int_equal(run_command("cat $1", 12345, &s, &err), 0);
	assert_int_equal(s.expires_ns, 12345);
	assert_int_equal(s.value.len, 8);
	assert_memory_equal(s.value.data, "the keys", 8);
	super_secrets_done(&s, 1);
	assert_int_equal(
		run_command("echo -n no role here; exit 1", 1, &s, &err),
		-EACCES);
	assert_string_equal(err.msg, "no role here");
	/* It fails, prints nothing, only half of the head, or too much. */
	assert_int_equal(run_command("cat $1; exit 3", 1, &s, &err), -EACCES);
	assert_int_equal(run_command(":", 1, &s, &err), -ENODATA);
	assert_int_equal(run_command("head -c 8 $1", 1, &s, &err), -ENODATA);
	assert_int_equal(run_command("head -c 40000 /dev/zero", 1, &s, &err),
			 -EFBIG);
	assert_null(s.value.data);
}

/* Asked again in time, and not all the time. */
static void test_expiry(void **state)
{
	static const struct {
		int64_t left_s, least_s, most_s;
	} cases[] = {
		{ 6 * 3600, 6 * 3600 - 700, 6 * 3600 - 500 },
		{ 600, 200, 300 },
		{ 8, 3, 6 },
		{ -1000, 3, 6 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP_FREE char *path = io_path("%s/role", dir);
		const char *argv[] = { "/bin/cat", path, NULL };
		struct super_credential c = { .store = "s", .command = argv };
		struct buf value = { .data = (uint8_t *)"v", .len = 1 };
		int64_t now = clock_boot_ns(), expires;
		struct renewal r = { 0 };
		int fd[2], out;

		expires = clock_wall_ns() + cases[i].left_s * NSEC_PER_SEC;
		out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			   0600);
		assert_int_equal(super_secret_print(out, &value, expires), 0);
		close(out);
		assert_int_equal(super_socketpair(fd, NULL), 0);
		assert_int_equal(renewal_send(fd[0], &c, &r, NULL), 0);
		assert_false(renewal_wanted(
			&c, &r, now + cases[i].least_s * NSEC_PER_SEC));
		/* most_s and the time that all this took */
		assert_true(renewal_wanted(
			&c, &r, now + (cases[i].most_s + 60) * NSEC_PER_SEC));
		close(fd[0]);
		close(fd[1]);
	}
}

/* ---- the worker's end ------------------------------------------------- */

struct heard {
	pthread_mutex_t lock;
	unsigned n;
	char last[128];
};

static void hear(void *arg, const struct super_secret *s)
{
	struct heard *h = arg;

	LOCK_SCOPE(&h->lock);
	h->n++;
	snprintf(h->last, sizeof(h->last), "%.90s=%.*s", s->name,
		 MIN((int)s->value.len, 20), (const char *)s->value.data);
}

static unsigned heard(struct heard *h)
{
	LOCK_SCOPE(&h->lock);
	return h->n;
}

static void wait_heard(struct heard *h, unsigned n)
{
	for (int i = 0; i < 1000 && heard(h) < n; i++)
		clock_sleep_ns(10 * NSEC_PER_SEC / 1000);
	assert_int_equal(heard(h), n);
}

static void test_control(void **state)
{
	struct heard h = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct super_control *c = NULL;
	const char broker = WIRE_BROKER;
	int fd[2], null, got = -1;
	char what = 0;

	assert_int_equal(super_socketpair(fd, NULL), 0);
	assert_int_equal(super_control_start(fd[1], hear, &h, &c), 0);
	assert_int_equal(send(fd[0], "S\3keyv", 6, 0), 6);
	wait_heard(&h, 1);
	assert_string_equal(h.last, "key=v");
	/* Nonsense is passed by, and does not end it. */
	assert_int_equal(send(fd[0], "?", 1, 0), 1);
	assert_int_equal(send(fd[0], "S\3ke", 4, 0), 4);
	assert_int_equal(send(fd[0], "B", 1, 0), 1);
	/* A broker goes to who waits for it. */
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(passfd_send(fd[0], &broker, 1, null), 0);
	close(null);
	assert_int_equal(
		passfd_receive(super_control_broker_fd(c), &what, 1, 0, &got),
		1);
	assert_int_equal(what, WIRE_BROKER);
	assert_true(got >= 0);
	close(got);
	assert_int_equal(send(fd[0], "S\3keyw", 6, 0), 6);
	wait_heard(&h, 2);
	assert_string_equal(h.last, "key=w");
	super_control_stop(c);
	/* The supervisor may be gone, too. */
	close(fd[0]);
	assert_int_equal(super_control_start(fd[1], hear, &h, &c), 0);
	super_control_stop(c);
	close(fd[1]);
	super_control_stop(NULL);
}

/* It looks every few seconds, and ends with the socket. */
static void test_keeper(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/kept", dir);
	struct super_credential c = { .store = "st", .file = path };
	struct super_keeper k = { 0 };
	struct pollfd p = { .events = POLLIN };

	super_keeper_finish(&k);
	write_file(path, "one");
	assert_int_equal(super_keeper_start(&k, &c, 1, NULL), 0);
	p.fd = k.fd;
	assert_int_equal(poll(&p, 1, 100), 0); /* nothing is new */
	write_file(path, "two!");
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_sent(k.fd, "credentials:st", "two!");
	super_keeper_finish(&k);
	assert_int_equal(k.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),	cmocka_unit_test(test_text),
		cmocka_unit_test(test_command), cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_control), cmocka_unit_test(test_keeper),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
