/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets over the socketpair, and what must not get through it. */
#include "tests/test.h"

#include <sys/socket.h>

#include "base/io.h"
#include "super/super.h"

static char dir[] = "/tmp/mersey-test-secrets-XXXXXX";
static struct super_secret got[SUPER_SECRETS_MAX];

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(dir);
}

static char *put(const char *name, const void *p, size_t n)
{
	char *path = io_path("%s/%s", dir, name);

	assert_int_equal(io_write_file(path, 0600, p, n, false), 0);
	return path;
}

static void test_transfer(void **state)
{
	static char big[SUPER_SECRET_SIZE];
	CLEANUP_FREE char *key = put("key", "the key\n", 8);
	CLEANUP_FREE char *cred =
		put("cred", memset(big, 'x', sizeof(big)), sizeof(big));
	struct super_trust t = { .name = "rem", .key_file = key };
	struct err err = ERR_INIT;
	size_t n = 99;
	int fd[2];

	t.n_credentials = SUPER_SECRETS_MAX - 1;
	t.credentials = calloc(t.n_credentials, sizeof(*t.credentials));
	for (size_t i = 0; i < t.n_credentials; i++) {
		t.credentials[i].store = io_path("store-%zu", i);
		t.credentials[i].file = cred;
	}
	assert_int_equal(super_socketpair(fd, &err), 0);
	assert_int_equal(super_send_secrets(fd[0], &t, NULL, &err), 0);
	assert_int_equal(
		super_receive_secrets(fd[1], got, ARRAY_SIZE(got), &n, &err),
		0);
	assert_int_equal(n, SUPER_SECRETS_MAX);
	assert_memory_equal(super_secret_find(got, n, "key")->data, "the key\n",
			    8);
	assert_int_equal(super_secret_find(got, n, "credentials:store-30")->len,
			 sizeof(big));
	assert_null(super_secret_find(got, n, "credentials:other"));
	super_secrets_done(got, n);
	assert_null(got[0].value.data);
	assert_int_equal(got[0].name[0], '\0');

	/* One more than there may be. */
	t.n_credentials++;
	assert_int_equal(super_send_secrets(fd[0], &t, NULL, &err), -E2BIG);
	for (size_t i = 0; i < SUPER_SECRETS_MAX - 1; i++)
		free((char *)t.credentials[i].store);
	free(t.credentials);
	close(fd[0]);
	close(fd[1]);
}

static void test_bad_files(void **state)
{
	static char big[SUPER_SECRET_SIZE + 1];
	CLEANUP_FREE char *large = put("large", big, sizeof(big));
	CLEANUP_FREE char *empty = put("empty", "", 0);
	CLEANUP_FREE char *gone = io_path("%s/gone", dir);
	struct super_trust t = { .name = "rem", .key_file = large };
	struct err err = ERR_INIT;
	size_t n = 99;
	int fd[2];

	assert_int_equal(super_socketpair(fd, &err), 0);
	assert_int_equal(super_send_secrets(fd[0], &t, NULL, &err), -EFBIG);
	t.key_file = empty;
	assert_int_equal(super_send_secrets(fd[0], &t, NULL, &err), -ENODATA);
	t.key_file = gone;
	assert_int_equal(super_send_secrets(fd[0], &t, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.msg, gone));
	/* Nothing of it was sent. */
	close(fd[0]);
	assert_int_equal(
		super_receive_secrets(fd[1], got, ARRAY_SIZE(got), &n, &err),
		-EPIPE);
	assert_int_equal(n, 99);
	close(fd[1]);
}

/* Sends the packets (each a counted string; NULL ends), returns what the
 * worker makes of them. */
static int receive(size_t max, const char *const *packet, const size_t *len)
{
	struct err err = ERR_INIT;
	size_t n = 99;
	int fd[2], rc;

	assert_int_equal(super_socketpair(fd, &err), 0);
	for (; *packet; packet++, len++)
		assert_int_equal(send(fd[0], *packet, *len, 0), *len);
	close(fd[0]);
	rc = super_receive_secrets(fd[1], got, max, &n, &err);
	close(fd[1]);
	if (rc == 0) {
		super_secrets_done(got, n);
		return (int)n;
	}
	assert_int_equal(n, 99);
	assert_true(err.msg[0]);
	for (size_t i = 0; i < max; i++)
		assert_null(got[i].value.data);
	return rc;
}

#define PACKETS(...)              \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
#define LENGTHS(...)        \
	(const size_t[])    \
	{                   \
		__VA_ARGS__ \
	}

static void test_garbage(void **state)
{
	static char big[SUPER_SECRET_SIZE + 200] = "S\3key";

	/* Fine: the control for all that follow. */
	assert_int_equal(receive(4, PACKETS("S\3keyv", "E\1"), LENGTHS(6, 2)),
			 1);
	assert_int_equal(receive(4, PACKETS("E\0"), LENGTHS(2)), 0);
	/* Not a message; too short; name longer than the packet; no value. */
	assert_int_equal(receive(4, PACKETS("?"), LENGTHS(1)), -EPROTO);
	assert_int_equal(receive(4, PACKETS("S"), LENGTHS(1)), -EPROTO);
	assert_int_equal(receive(4, PACKETS("S\x50key"), LENGTHS(5)), -EPROTO);
	assert_int_equal(receive(4, PACKETS("S\3key"), LENGTHS(5)), -EPROTO);
	/* No name; a name with a NUL or a space. */
	assert_int_equal(receive(4, PACKETS("S\0v"), LENGTHS(3)), -EPROTO);
	assert_int_equal(receive(4, PACKETS("S\3k\0yv"), LENGTHS(6)), -EPROTO);
	assert_int_equal(receive(4, PACKETS("S\3k yv"), LENGTHS(6)), -EPROTO);
	/* Too long, as a value and as a packet. */
	assert_int_equal(
		receive(4, PACKETS(big), LENGTHS(5 + SUPER_SECRET_SIZE + 1)),
		-EPROTO);
	assert_int_equal(receive(4, PACKETS(big), LENGTHS(sizeof(big))),
			 -EPROTO);
	/* One is missing; one came twice; more than fit; no end. */
	assert_int_equal(receive(4, PACKETS("S\3keyv", "E\2"), LENGTHS(6, 2)),
			 -EPROTO);
	assert_int_equal(receive(4, PACKETS("S\3keyv", "E"), LENGTHS(6, 1)),
			 -EPROTO);
	assert_int_equal(receive(4, PACKETS("S\3keyv", "S\3keyw", "E\2"),
				 LENGTHS(6, 6, 2)),
			 -EPROTO);
	assert_int_equal(receive(1, PACKETS("S\3keyv", "S\3keww", "E\2"),
				 LENGTHS(6, 6, 2)),
			 -E2BIG);
	assert_int_equal(receive(4, PACKETS("S\3keyv"), LENGTHS(6)), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
