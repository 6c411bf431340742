/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker has of its broker, also on a real FUSE connection. */
#include "tests/unit/super/brokers.h"

/* A broker that is a thread of this test's. */
static void *fake(void *arg)
{
	struct broker *b = arg;

	broker_serve(b);
	close(b->fd);
	return NULL;
}

/* A kernel that passes nothing through needs no broker. */
static void test_stop(void **unused)
{
	struct super_broker b;
	struct super_backing *c;

	if (geteuid() != 0)
		skip();
	start(&b);
	c = super_backing_new(b.fd, -1);
	assert_null(super_backing_why(c));
	super_backing_stop(c);
	assert_int_equal(ended(&b), 0);
	assert_string_equal(super_backing_why(c), "kernel");
	assert_int_equal(super_backing_open(c, 0), -EOPNOTSUPP);
	super_backing_close(c, 5);
	super_backing_free(c);
}

static void test_no_broker(void **unused)
{
	struct super_backing *b = super_backing_new(-1, -1);
	int p[2];

	assert_string_equal(super_backing_why(b), "broker");
	assert_int_equal(super_backing_open(b, 0), -EOPNOTSUPP);
	super_backing_close(b, 5);
	super_backing_free(b);
	super_backing_free(NULL);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	b = super_backing_new(p[1], -1);
	assert_null(super_backing_why(b));
	close(p[0]); /* it died */
	super_backing_close(b, 5);
	assert_string_equal(super_backing_why(b), "broker");
	assert_int_equal(super_backing_open(b, 0), -EOPNOTSUPP);
	assert_string_equal(super_backing_why(b), "broker");
	super_backing_close(b, 6);
	super_backing_free(b);
}

/* A broker that was killed: ids that it gave go back to the next one. */
static void test_another_broker(void **unused)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const uint32_t want[4] = { BROKER_CLOSE, 5, 6, 7 };
	uint32_t m[2], ids[4], reply[2] = { 2, 41 };
	struct super_backing *b;
	int control[2], p[2], q[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, q), 0);
	b = super_backing_new(p[1], control[1]);
	assert_int_equal(super_backing_open(b, null), -EAGAIN); /* late */
	close(p[0]);
	assert_string_equal(super_backing_why(b), "broker");
	super_backing_close(b, 5);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	super_backing_close(b, 6);
	assert_int_equal(passfd_send(control[0], "B", 1, q[1]), 0);
	close(q[1]);
	assert_null(super_backing_why(b));
	super_backing_close(b, 7);
	assert_int_equal(recv(q[0], ids, sizeof(ids), 0), sizeof(ids));
	assert_memory_equal(ids, want, sizeof(ids)); /* none is lost */
	/* Nobody waits for what the first one was asked. */
	assert_int_equal(send(q[0], reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(super_backing_open(b, null), 41);
	assert_int_equal(recv(q[0], m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m[0], BROKER_OPEN);
	/* What is no broker is none. */
	close(q[0]);
	assert_int_equal(passfd_send(control[0], "X", 1, null), 0);
	assert_string_equal(super_backing_why(b), "broker");
	close(control[0]);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	super_backing_free(b);
	close(control[1]);
}

/* What the kernel says once and for all. */
static void test_judged(void **unused)
{
	struct super_backing *b;
	struct broker s = { .uid = geteuid() };
	CLEANUP_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pthread_t t;
	struct stat st;
	int p[2];

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	s.uid = st.st_uid;
	s.dev = st.st_dev + 1;
	s.fd = p[0];
	s.fuse_fd = null;
	assert_int_equal(pthread_create(&t, NULL, fake, &s), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(super_backing_open(b, null), -EACCES);
	assert_null(super_backing_why(b)); /* that file only */
	assert_int_equal(super_backing_open(b, fd), -EOPNOTSUPP);
	assert_string_equal(super_backing_why(b), "filesystem");
	super_backing_free(b);
	pthread_join(t, NULL);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	s = (struct broker){ p[0], null, st.st_uid, st.st_dev, 0, 0 };
	assert_int_equal(pthread_create(&t, NULL, fake, &s), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(super_backing_open(b, fd), -EOPNOTSUPP);
	assert_string_equal(super_backing_why(b), "kernel");
	super_backing_free(b);
	pthread_join(t, NULL);
}

#define LATE_IDS 100000
#define POKE	 0x7fffffff

/* Counts the ids of one message. */
static void count_ids(const uint32_t *m, size_t n, uint8_t *seen)
{
	assert_int_equal(m[0], BROKER_CLOSE);
	for (size_t i = 1; i < n; i++)
		if (m[i] != POKE) {
			assert_in_range(m[i], 1, LATE_IDS);
			seen[m[i]]++;
		}
}

/* A broker that is slow: nobody waits for long, and no id is lost. */
static void test_late(void **unused)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE uint8_t *seen = calloc(LATE_IDS + 1, 1);
	uint32_t m[BROKER_WORDS], reply[2] = { 1, 41 };
	struct super_backing *b;
	int p[2], i;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	assert_int_equal(super_backing_open(b, null), -EAGAIN);
	for (i = 1; i <= LATE_IDS; i++) /* more than the socket takes */
		super_backing_close(b, i);
	assert_int_equal(recv(p[0], m, sizeof(m), 0), 8);
	assert_int_equal(m[0], BROKER_OPEN); /* one question only */
	assert_int_equal(m[1], 1);
	/* The id that comes too late is given back. */
	assert_int_equal(send(p[0], reply, sizeof(reply), 0), sizeof(reply));
	for (i = 0; i < 10000; i++) {
		while ((n = recv(p[0], m, sizeof(m), MSG_DONTWAIT)) > 0)
			if (m[0] != BROKER_OPEN)
				count_ids(m, (size_t)n / sizeof(*m), seen);
		if (seen[41] < 2)
			super_backing_open(b, null);
		else if (memchr(seen + 1, 0, LATE_IDS))
			super_backing_close(b, POKE);
		else
			break;
	}
	assert_int_equal(seen[41], 2);
	assert_null(memchr(seen + 1, 0, LATE_IDS));
	close(p[0]);
	super_backing_free(b);
}

/* An answer to what somebody else was asked: no id of another file. */
static void test_other_answer(void **unused)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const uint32_t other[2] = { 9, 40 }, own[2] = { 1, 41 };
	uint32_t m[BROKER_WORDS];
	struct super_backing *b;
	int p[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), 0);
	b = super_backing_new(p[1], -1);
	assert_int_equal(send(p[0], other, sizeof(other), 0), sizeof(other));
	assert_int_equal(send(p[0], own, sizeof(own), 0), sizeof(own));
	assert_int_equal(super_backing_open(b, null), 41);
	assert_int_equal(recv(p[0], m, sizeof(m), 0), 8);
	assert_int_equal(m[0], BROKER_OPEN);
	assert_int_equal(recv(p[0], m, sizeof(m), MSG_DONTWAIT), 8);
	assert_int_equal(m[0], BROKER_CLOSE);
	assert_int_equal(m[1], 40);
	close(p[0]);
	super_backing_free(b);
}

/* ---- on a FUSE connection --------------------------------------------- */

#ifndef FUSE_INIT_EXT
#define FUSE_INIT_EXT (1U << 30)
#endif

/* INIT as Linux 7.40 has it. */
struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth, unused[6];
};

/* Answers INIT, with passthrough; false when the kernel has none. */
static bool greet(int fd)
{
	union {
		struct fuse_in_header head;
		char b[FUSE_MIN_READ_BUFFER];
	} in;
	struct {
		struct fuse_out_header head;
		struct init_out body;
	} out = { .body = { .major = 7,
			    .minor = 40,
			    .flags = FUSE_INIT_EXT,
			    .max_write = 65536,
			    .flags2 = 1U << 5,
			    .max_stack_depth = 1 } };
	uint32_t flags2;

	assert_true(read(fd, in.b, sizeof(in.b)) >= 56);
	assert_int_equal(in.head.opcode, FUSE_INIT);
	memcpy(&flags2, in.b + sizeof(in.head) + 16, sizeof(flags2));
	out.head.len = sizeof(out);
	out.head.unique = in.head.unique;
	assert_int_equal(write(fd, &out, sizeof(out)), sizeof(out));
	return flags2 & (1U << 5);
}

/* Threads that register and give back at once. */
struct work {
	struct super_backing *b;
	int fd;
	_Atomic unsigned *failed;
};

static void *work(void *arg)
{
	struct work *w = arg;

	for (int i = 0; i < 200; i++) {
		int id = super_backing_open(w->b, w->fd);

		*w->failed += id <= 0;
		if (id > 0)
			super_backing_close(w->b, id);
	}
	return NULL;
}

static void threads(struct super_backing *b, int fd)
{
	_Atomic unsigned failed = 0;
	struct work w = { b, fd, &failed };
	pthread_t t[4];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, work, &w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(failed, 0);
}

static void measure(struct super_backing *b, int fd)
{
	enum { N = 2000 };
	static int id[N];
	int64_t t0 = clock_boot_ns(), t1, t2;

	for (int i = 0; i < N; i++)
		assert_true((id[i] = super_backing_open(b, fd)) > 0);
	t1 = clock_boot_ns();
	for (int i = 0; i < N; i++)
		super_backing_close(b, id[i]);
	t2 = clock_boot_ns();
	print_message("a registration %.1f us, giving back %.1f us\n",
		      (double)(t1 - t0) / 1e3 / N, (double)(t2 - t1) / 1e3 / N);
}

static void test_registers(void **unused)
{
	CLEANUP_FREE char *mnt = io_path("%s/mnt", base);
	CLEANUP_CLOSE int fuse_fd = -1, fd = -1;
	struct super_broker b;
	struct super_backing *c;
	struct err err = ERR_INIT;
	int id;

	if (geteuid() != 0)
		skip();
	fuse_fd = super_mount("rem", mnt, NULL, &err);
	assert_true(fuse_fd >= 0);
	if (!greet(fuse_fd)) {
		super_unmount(mnt, true);
		skip(); /* Linux before 6.9 */
	}
	assert_int_equal(super_broker_start(&b, &trust, fuse_fd, &err), 0);
	c = super_backing_new(b.fd, -1);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	id = super_backing_open(c, fd);
	assert_true(id > 0);
	super_backing_close(c, id);
	assert_int_not_equal(super_backing_open(c, fd), id);
	threads(c, fd);
	measure(c, fd);
	assert_null(super_backing_why(c));
	super_backing_free(c);
	assert_int_equal(ended(&b), 0);
	assert_int_equal(super_unmount(mnt, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_no_broker),
		cmocka_unit_test(test_another_broker),
		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_other_answer),
		cmocka_unit_test(test_registers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
