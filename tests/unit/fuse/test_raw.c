/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as bytes: what is taken before libfuse sees them. */
#include "tests/test.h"

#include <string.h>

#include "fuse/abi.h"
#include "fuse/impl.h"

static struct fuse_server server;
static struct slot slot = { .s = &server };
static union {
	struct fuse_in_header head;
	char bytes[512];
} request;

static void *args(void)
{
	return request.bytes + sizeof(request.head);
}

static void take_request(uint32_t opcode, size_t size)
{
	request.head.opcode = opcode;
	request.head.len = (uint32_t)(sizeof(request.head) + size);
	slot.opcode = opcode;
	slot.unique = request.head.unique = 77;
	slot.buf.mem = request.bytes;
	slot.buf.size = request.head.len;
	raw_request(&slot);
}

static void greet(uint32_t flags)
{
	struct fuse_init_in *in = args();

	memset(&request, 0, sizeof(request));
	in->major = FUSE_KERNEL_VERSION;
	in->flags = flags;
	take_request(FUSE_INIT, sizeof(*in));
	memset(&request, 0, sizeof(request));
}

/* What the reply to INIT asks for. */
static uint32_t asked(uint32_t flags)
{
	struct fuse_out_header h = { .unique = 77 };
	struct fuse_init_out out = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { &out, sizeof(out) } };

	greet(flags);
	slot.opcode = FUSE_INIT;
	raw_init_reply(&slot, iov, 2);
	return out.flags;
}

static struct fuse_in_header *ask(uint32_t opcode, uint64_t node,
				  const void *in, size_t size)
{
	memset(&request, 0, sizeof(request));
	memcpy(args(), in, size);
	request.head.nodeid = node;
	take_request(opcode, size);
	return &request.head;
}

/* The root's two nodes, and the name between them. */
static void test_root(void **state)
{
	struct fuse_rename_in rename = { 0 };
	uint64_t other;

	assert_int_equal(raw_node(&server, 1), 1);
	ask(FUSE_LOOKUP, 1, "top", 4);
	assert_string_equal(args(), "top");
	server.root_name = "top";
	other = raw_node(&server, 1);
	assert_true(other != 1);
	assert_int_equal(raw_node(&server, 2), 2);
	assert_int_equal(ask(FUSE_LOOKUP, 1, "top", 4)->len,
			 sizeof(request.head) + 2);
	assert_string_equal(args(), ".");
	assert_int_equal(slot.buf.size, request.head.len);
	ask(FUSE_LOOKUP, 1, "topmost", 8);
	assert_string_equal(args(), "topmost");
	ask(FUSE_LOOKUP, 1, "to", 2); /* no NUL: libfuse's to refuse */
	assert_memory_equal(args(), "to", 2);
	assert_int_equal(ask(FUSE_LOOKUP, other, "top", 4)->nodeid, 1);
	assert_string_equal(args(), "top");
	rename.newdir = other;
	assert_int_equal(ask(FUSE_RENAME, 5, &rename, sizeof(rename))->nodeid,
			 5);
	assert_int_equal(((struct fuse_rename_in *)args())->newdir, 1);
	rename.newdir = 6;
	ask(FUSE_RENAME2, other, &rename, sizeof(rename));
	assert_int_equal(((struct fuse_rename_in *)args())->newdir, 6);
	ask(FUSE_RENAME, other, &rename, 4); /* cut short */
	server.root_name = NULL;
}

static void test_init(void **state)
{
	assert_int_equal(asked(0), 0);
	assert_int_equal(asked(FUSE_HANDLE_KILLPRIV_V2 | FUSE_SPLICE_READ),
			 FUSE_HANDLE_KILLPRIV_V2);
	assert_int_equal(asked(UINT32_MAX), FUSE_HANDLE_KILLPRIV_V2 |
						    FUSE_SETXATTR_EXT |
						    FUSE_PARALLEL_DIROPS);
}

/* Files that the kernel reads itself: asked for when it offers that, and
 * there is who registers them. */
static void test_passthrough(void **state)
{
	const struct cache_backing backing = { 0 };
	struct fuse_out_header h = { .unique = 77 };
	struct abi_init_out out = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { &out, sizeof(out) } };
	struct fuse_init_in *in = args();
	unsigned i;

	for (i = 0; i < 16; i++) {
		bool wanted = i & 1, extended = i & 2, offered = i & 4;
		size_t size = i & 8 ? sizeof(struct abi_init_in) - 4
				    : sizeof(*in);
		bool yes = wanted && extended && offered && !(i & 8);

		server.backing = wanted ? &backing : NULL;
		memset(&request, 0, sizeof(request));
		memset(&out, 0, sizeof(out));
		in->flags = extended ? FUSE_INIT_EXT : 0;
		in->flags2 = offered ? UINT32_MAX : ~ABI_PASSTHROUGH;
		take_request(FUSE_INIT, size);
		raw_init_reply(&slot, iov, 2);
		assert_int_equal(server.passthrough, yes);
		assert_int_equal(out.flags2, yes ? ABI_PASSTHROUGH : 0);
		assert_int_equal(out.flags, yes ? FUSE_INIT_EXT : 0);
		assert_int_equal(out.max_stack_depth, yes ? 1 : 0);
	}
	server.backing = NULL;
	server.passthrough = false;
}

static void test_flags(void **state)
{
	struct fuse_write_in *w = args();
	struct fuse_setattr_in *a = args();
	struct fuse_open_in *o = args();
	struct fuse_create_in *c = args();

	greet(UINT32_MAX);
	take_request(FUSE_WRITE, sizeof(*w));
	assert_false(slot.no_setid);
	w->write_flags = FUSE_WRITE_KILL_SUIDGID;
	take_request(FUSE_WRITE, sizeof(*w));
	assert_true(slot.no_setid);
	take_request(FUSE_READ, sizeof(*w)); /* nothing of the one before */
	assert_false(slot.no_setid);
	take_request(FUSE_WRITE, sizeof(*w) - 1); /* cut short */
	assert_false(slot.no_setid);
	memset(&request, 0, sizeof(request));
	a->valid = FATTR_UID | FATTR_KILL_SUIDGID;
	take_request(FUSE_SETATTR, sizeof(*a));
	assert_true(slot.no_setid);
	memset(&request, 0, sizeof(request));
	o->open_flags = FUSE_OPEN_KILL_SUIDGID;
	take_request(FUSE_OPEN, sizeof(*o));
	assert_true(slot.no_setid);
	memset(&request, 0, sizeof(request));
	c->open_flags = FUSE_OPEN_KILL_SUIDGID;
	take_request(FUSE_CREATE, sizeof(*c) + 2);
	assert_true(slot.no_setid);
	/* A kernel that leaves O_TRUNC to us, and says nothing. */
	greet(0);
	take_request(FUSE_OPEN, sizeof(*o));
	assert_false(slot.no_setid);
	request.head.uid = 5;
	take_request(FUSE_OPEN, sizeof(*o));
	assert_true(slot.no_setid);
	take_request(FUSE_WRITE, sizeof(*w)); /* those it does itself */
	assert_false(slot.no_setid);
}

static void test_setxattr(void **state)
{
	struct fuse_setxattr_in *in = args();

	greet(UINT32_MAX);
	in->size = 3;
	in->setxattr_flags = FUSE_SETXATTR_ACL_KILL_SGID;
	memcpy(in + 1, "user.a\0abc", 10);
	take_request(FUSE_SETXATTR, sizeof(*in) + 10);
	assert_true(slot.no_setgid);
	assert_int_equal(slot.buf.size, sizeof(request.head) + 8 + 10);
	assert_int_equal(request.head.len, slot.buf.size);
	assert_memory_equal((char *)args() + 8, "user.a\0abc", 10);
	/* A kernel that has no such flag. */
	greet(0);
	memcpy((char *)args() + 8, "user.a\0abc", 10);
	request.head.uid = 5;
	take_request(FUSE_SETXATTR, 18);
	assert_true(slot.no_setgid);
	assert_int_equal(slot.buf.size, sizeof(request.head) + 18);
	request.head.uid = 0;
	take_request(FUSE_SETXATTR, 18);
	assert_false(slot.no_setgid);
	assert_memory_equal((char *)args() + 8, "user.a\0abc", 10);
}

static void test_tmpfile(void **state)
{
	struct fuse_create_in *in = args();

	greet(UINT32_MAX);
	in->mode = S_IFREG | 0600;
	memcpy(in + 1, "/", 2);
	take_request(FUSE_TMPFILE, sizeof(*in) + 2);
	assert_true(slot.tmpfile);
	assert_int_equal(request.head.opcode, FUSE_CREATE);
	take_request(FUSE_CREATE, sizeof(*in) + 2);
	assert_false(slot.tmpfile);
	take_request(FUSE_TMPFILE, sizeof(*in) + 1); /* no end of the name */
	assert_false(slot.tmpfile);
	assert_int_equal(request.head.opcode, FUSE_TMPFILE);
	take_request(FUSE_TMPFILE, sizeof(*in) - 1);
	assert_false(slot.tmpfile);
	take_request(FUSE_TMPFILE, 0);
	assert_false(slot.tmpfile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_passthrough),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_setxattr),
		cmocka_unit_test(test_tmpfile),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
