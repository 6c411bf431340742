/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes on the control socket: whatever comes is answered with one
 * line that is JSON itself, has the id that was sent, and a result or error.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const json_t *e)
{
	assert(json_is_object(e));
	assert(json_is_string(json_object_get(e, "code")));
	assert(json_is_string(json_object_get(e, "errno")));
	assert(json_is_string(json_object_get(e, "message")));
	assert(proto_errno(e) < 0);
}

static void check_reply(const struct buf *reply, const json_t *request)
{
	CLEANUP_JSON json_t *o = NULL;
	const json_t *id = request ? json_object_get(request, "id") : NULL;

	assert(reply->len > 1 && reply->data[reply->len - 1] == '\n');
	assert(!memchr(reply->data, '\n', reply->len - 1));
	assert(proto_parse((const char *)reply->data, reply->len, &o, NULL) ==
	       0);
	assert(!id || json_equal(json_object_get(o, "id"), id));
	if (json_object_get(o, "error"))
		check_error(json_object_get(o, "error"));
	else
		assert(json_is_object(json_object_get(o, "result")));
}

/* A path that is read comes back the same when it is written again. */
static void check_paths(const json_t *request)
{
	const json_t *args = json_object_get(request, "args"), *p;
	size_t i;

	json_array_foreach(json_object_get(args, "paths"), i, p) {
		CLEANUP_BUF struct buf raw = { 0 }, again = { 0 };
		CLEANUP_JSON json_t *o = NULL;

		if (proto_get_path(p, &raw) < 0)
			continue;
		o = proto_path(raw.data, raw.len);
		assert(o && proto_get_path(o, &again) == 0);
		assert(again.len == raw.len);
		assert(!raw.len || !memcmp(again.data, raw.data, raw.len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf reply = { 0 };
	CLEANUP_JSON json_t *request = NULL;
	struct ctl_peer peer = { 0 };

	assert(ctl_handle_line(NULL, &peer, (const char *)data, size, &reply) ==
	       0);
	if (proto_parse((const char *)data, size, &request, NULL) == 0)
		check_paths(request);
	check_reply(&reply, request);
	return 0;
}
