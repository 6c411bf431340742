/* SPDX-License-Identifier: Apache-2.0 */
/* The socket: several clients, hang-ups, refusals, an orderly end. */
#include "tests/unit/ctl/util.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct ctl_server *server;
static char sock[128];

static int server_setup(void **state)
{
	struct err err = ERR_INIT;
	int fd, rc = worker_setup(state);

	if (rc)
		return rc;
	snprintf(sock, sizeof(sock), "%s/rem.sock", dir);
	fd = ctl_listen(sock, &err);
	assert_true(fd >= 0);
	return ctl_server_start(fd, &worker, &server, &err);
}

static int server_teardown(void **state)
{
	ctl_server_stop(server);
	return worker_teardown(state);
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, sock);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void put(int fd, const char *line)
{
	assert_int_equal(proto_send(fd, line, strlen(line)), 0);
}

/* The next line; NULL at the end. */
static json_t *next(struct proto_reader *r)
{
	const char *line;
	json_t *o = NULL;
	size_t len;

	if (proto_reader_line(r, &line, &len) != 1)
		return NULL;
	assert_int_equal(proto_parse(line, len, &o, NULL), 0);
	return o;
}

static void test_lines(void **state)
{
	struct proto_reader r;
	int i, fd = dial();

	proto_reader_init(&r, fd, PROTO_REPLY_MAX);
	put(fd, "{\"id\":0,\"verb\":\"status\"}\n{\"id\":1,\"verb\":"
		"\"jobs\"}\nrubbish\n{\"id\":3,\"verb\":\"status\"}\n");
	for (i = 0; i < 4; i++) {
		CLEANUP_JSON json_t *o = next(&r);

		assert_non_null(o);
		if (i == 2)
			assert_string_equal(error_code(o), "bad_request");
		else
			assert_int_equal(int_at(o, "id"), i);
	}
	proto_reader_done(&r);
	close(fd);
}

static void test_endless_line(void **state)
{
	static char junk[65536];
	struct proto_reader r;
	CLEANUP_JSON json_t *o = NULL;
	int i, fd = dial();

	memset(junk, 'x', sizeof(junk));
	for (i = 0; i < 20; i++)
		if (proto_send(fd, junk, sizeof(junk)) < 0)
			break; /* it had enough */
	proto_reader_init(&r, fd, PROTO_REPLY_MAX);
	o = next(&r);
	if (o) /* unless the reset overtook it */
		assert_string_equal(text_at(o, "error.errno"), "EMSGSIZE");
	assert_null(next(&r));
	proto_reader_done(&r);
	close(fd);
}

static bool gets_an_answer(void)
{
	struct proto_reader r;
	CLEANUP_JSON json_t *o = NULL;
	int fd = dial();

	proto_send(fd, "{\"id\":1,\"verb\":\"jobs\"}\n", 24);
	proto_reader_init(&r, fd, PROTO_REPLY_MAX);
	o = next(&r);
	proto_reader_done(&r);
	close(fd);
	return o && at(o, "result");
}

static void test_hang_up_ends_the_verb(void **state)
{
	int fd[16], i;

	fake.hold = true;
	write_file(new_file("a"), 1, 10);
	for (i = 0; i < 16; i++) { /* all places wait */
		fd[i] = dial();
		put(fd[i], "{\"id\":1,\"verb\":\"wait\",\"args\":"
			   "{\"all\":true}}\n");
	}
	clock_sleep_ns(NSEC_PER_SEC / 10);
	assert_false(gets_an_answer()); /* the 17th is told to come back */
	for (i = 0; i < 16; i++)
		close(fd[i]);
	for (i = 0; i < 200 && !gets_an_answer(); i++)
		clock_sleep_ns(NSEC_PER_SEC / 50);
	assert_true(i < 200);
}

/* Half closed is not gone: `echo ... | nc -N` wants its answer. */
static void test_half_closed(void **state)
{
	struct proto_reader r;
	CLEANUP_JSON json_t *o = NULL;
	int fd = dial();

	write_file(new_file("a"), 1, 10);
	put(fd, "{\"id\":1,\"verb\":\"wait\",\"args\":{\"all\":true}}\n");
	shutdown(fd, SHUT_WR);
	proto_reader_init(&r, fd, PROTO_REPLY_MAX);
	o = next(&r);
	assert_int_equal(int_at(o, "result.files"), 1);
	proto_reader_done(&r);
	close(fd);
}

static void test_stop_with_waiting_clients(void **state)
{
	int fd = dial(), idle = dial();
	int64_t began = clock_boot_ns();

	fake.hold = true;
	write_file(new_file("a"), 1, 10);
	put(fd, "{\"id\":1,\"verb\":\"wait\",\"args\":{\"all\":true}}\n");
	clock_sleep_ns(NSEC_PER_SEC / 10);
	ctl_server_stop(server);
	server = NULL;
	assert_true(clock_boot_ns() - began < 10 * NSEC_PER_SEC);
	close(fd);
	close(idle);
}

/* A stranger: as another uid, in a child, when the test may do that. */
static void test_stranger(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0711), 0);
	pid = fork();
	if (pid == 0) {
		struct proto_reader r;
		json_t *o;
		int fd;

		if (setgid(61001) < 0 || setuid(61001) < 0)
			_exit(2);
		fd = dial();
		proto_send(fd, "{\"id\":1,\"verb\":\"status\"}\n", 26);
		proto_reader_init(&r, fd, PROTO_REPLY_MAX);
		o = next(&r);
		_exit(o && strcmp(error_code(o), "not_allowed") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_listen(void **state)
{
	struct err err = ERR_INIT;
	char path[300];
	int fd;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ctl_listen(path, &err), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/none/x.sock", dir);
	assert_int_equal(ctl_listen(path, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "x.sock"));
	snprintf(path, sizeof(path), "%s/two.sock", dir);
	fd = ctl_listen(path, &err);
	assert_true(fd >= 0);
	close(fd);
	fd = ctl_listen(path, &err); /* what a dead worker left */
	assert_true(fd >= 0);
	close(fd);
}

#define SERVER_TEST(f) \
	cmocka_unit_test_setup_teardown(f, server_setup, server_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_lines),
		SERVER_TEST(test_endless_line),
		SERVER_TEST(test_hang_up_ends_the_verb),
		SERVER_TEST(test_half_closed),
		SERVER_TEST(test_stop_with_waiting_clients),
		SERVER_TEST(test_stranger),
		SERVER_TEST(test_listen),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
