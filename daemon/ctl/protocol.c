/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"

int proto_parse(const char *text, size_t len, json_t **out, struct err *err)
{
	json_error_t je;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);

	if (!o)
		return fail(err, -EINVAL, "bad JSON at byte %d: %s",
			    je.position, je.text);
	if (!json_is_object(o)) {
		json_decref(o);
		return fail(err, -EINVAL, "not a JSON object");
	}
	*out = o;
	return 0;
}

static int proto_dump(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n) < 0 ? -1 : 0;
}

int proto_line(const json_t *o, struct buf *out)
{
	if (json_dump_callback(o, proto_dump, out, JSON_COMPACT) < 0)
		return -ENOMEM;
	return buf_add(out, "\n", 1);
}

int proto_set(json_t *o, const char *key, json_t *value)
{
	return json_object_set_new(o, key, value) < 0 ? -ENOMEM : 0;
}

json_t *proto_count(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

json_t *proto_time(int64_t wall_ns)
{
	char iso[CLOCK_ISO_SIZE];

	return wall_ns ? json_string(clock_iso(wall_ns, iso)) : json_null();
}

json_t *proto_text(const char *s)
{
	CLEANUP_BUF struct buf b = { 0 };
	json_t *o;

	if (!s || !*s)
		return json_null();
	o = json_string(s);
	if (o) /* NULL: not UTF-8 (or no memory) */
		return o;
	if (proto_utf8(s, strlen(s), &b) < 0)
		return NULL;
	return json_stringn((const char *)b.data, b.len);
}

/* ---- paths ---------------------------------------------------------- */

/*
 * Length of the UTF-8 character at p (RFC 3629: shortest form, no
 * surrogates, at most U+10FFFF), 0 when there is none.
 */
static size_t utf8_char(const uint8_t *p, size_t n)
{
	uint32_t min, v;
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xf5 || p[0] < 0xc2)
		return 0;
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	min = len == 4 ? 0x10000 : len == 3 ? 0x800 : 0x80;
	if (n < len)
		return 0;
	v = p[0] & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < min || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	return len;
}

int proto_utf8(const void *p, size_t n, struct buf *out)
{
	const uint8_t *b = p;

	while (n) {
		size_t len = utf8_char(b, n);
		int rc = len ? buf_add(out, b, len)
			     : buf_add(out, "\xef\xbf\xbd", 3);

		if (rc < 0)
			return rc;
		len = len ? len : 1;
		b += len;
		n -= len;
	}
	return 0;
}

bool proto_is_utf8(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n) {
		size_t len = utf8_char(b, n);

		if (!len)
			return false;
		b += len;
		n -= len;
	}
	return true;
}

int proto_set_path(json_t *o, const void *p, size_t n)
{
	CLEANUP_BUF struct buf text = { 0 };
	CLEANUP_FREE char *b64 = NULL;
	int rc = proto_utf8(p, n, &text);

	if (rc == 0)
		rc = proto_set(o, "path",
			       json_stringn(text.len ? (char *)text.data : "",
					    text.len));
	if (rc < 0 || proto_is_utf8(p, n))
		return rc;
	b64 = base64_encode(p, n);
	return b64 ? proto_set(o, "path_base64", json_string(b64)) : -ENOMEM;
}

json_t *proto_path(const void *p, size_t n)
{
	CLEANUP_JSON json_t *o = json_object();

	if (!o || proto_set_path(o, p, n) < 0)
		return NULL;
	return take(o);
}

static int proto_get_raw(const json_t *b64, struct buf *out)
{
	size_t len = json_string_length(b64), n;
	int rc = buf_reserve(out, len / 4 * 3 + 1);

	if (rc < 0)
		return rc;
	rc = base64_decode(json_string_value(b64), len, out->data + out->len,
			   &n);
	if (rc < 0)
		return rc;
	if (memchr(out->data + out->len, '\0', n))
		return -EINVAL;
	out->len += n;
	return 0;
}

int proto_get_path(const json_t *o, struct buf *out)
{
	const json_t *b64 = json_object_get(o, "path_base64");
	const json_t *path = json_object_get(o, "path");

	if (json_is_string(b64))
		return proto_get_raw(b64, out);
	if (b64 || !json_is_string(path) ||
	    strlen(json_string_value(path)) != json_string_length(path))
		return -EINVAL;
	return buf_add(out, json_string_value(path), json_string_length(path));
}

/* ---- findings ------------------------------------------------------- */

json_t *proto_vtext(const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	return proto_text(text);
}

json_t *proto_finding(const char *check, const char *trust,
		      enum proto_level level, const char *hint, json_t *message)
{
	static const char *const name[] = { "ok", "warn", "fail" };

	return json_pack("{s:s, s:o, s:s, s:o, s:o}", "check", check, "trust",
			 proto_text(trust), "level", name[level], "message",
			 message, "hint",
			 proto_text(level == PROTO_OK ? NULL : hint));
}

/* ---- errors --------------------------------------------------------- */

static const struct {
	int rc;
	const char *code;
} proto_codes[] = {
	{ -ENOENT, "not_found" },
	{ -ENOTDIR, "not_found" },
	{ -EBUSY, "busy" },
	{ -ENOTRECOVERABLE, "not_protected" },
	{ -EPERM, "not_allowed" },
	{ -EACCES, "not_allowed" },
	{ -EINVAL, "bad_request" },
	{ -EMSGSIZE, "bad_request" },
	{ -ENOTSUP, "not_supported" },
	{ -E2BIG, "too_many" },
	{ -EIO, "damaged" },
	{ -EBADMSG, "damaged" },
	{ -EUCLEAN, "damaged" },
	{ -ENOSPC, "no_space" },
	{ -EDQUOT, "quota" },
	{ -EROFS, "read_only" },
	{ -EEXIST, "exists" },
	{ -EINTR, "cancelled" },
	{ -EKEYREJECTED, "wrong_key" },
	{ -EKEYEXPIRED, "out_of_date" },
	{ -EALREADY, "done_already" },
	{ -ENOKEY, "no_key" },
	{ -EAGAIN, "not_now" },
	{ -ETIMEDOUT, "not_now" },
	{ -ECONNREFUSED, "unreachable" },
	{ -ECONNRESET, "unreachable" },
	{ -EPIPE, "unreachable" },
	{ -EHOSTUNREACH, "unreachable" },
	{ -ENETUNREACH, "unreachable" },
};

const char *proto_code(int rc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(proto_codes); i++)
		if (proto_codes[i].rc == rc)
			return proto_codes[i].code;
	return "failed";
}

json_t *proto_error(const char *code, int rc, const struct err *err)
{
	bool said = err && err->msg[0];

	return json_pack("{s:s, s:s, s:o, s:o}", "code",
			 code ? code : proto_code(rc), "errno", errno_name(rc),
			 "message", proto_text(said ? err->msg : strerror(-rc)),
			 "hint", proto_text(said ? err->hint : NULL));
}

int proto_errno(const json_t *error)
{
	const char *name = json_string_value(json_object_get(error, "errno"));
	int i;

	for (i = 1; name && i < 200; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0)
			return -i;
	}
	return -EIO;
}

/* ---- lines ---------------------------------------------------------- */

void proto_reader_init(struct proto_reader *r, int fd, size_t max)
{
	memset(r, 0, sizeof(*r));
	r->fd = fd;
	r->max = max;
}

void proto_reader_done(struct proto_reader *r)
{
	buf_done(&r->in);
}

/* More bytes behind what is there. Count, 0 at the end, or -errno. */
static ssize_t proto_reader_fill(struct proto_reader *r)
{
	ssize_t n;
	int rc = buf_reserve(&r->in, 16384);

	if (rc < 0)
		return rc;
	do {
		n = read(r->fd, r->in.data + r->in.len, 16384);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->in.len += (size_t)n;
	return n;
}

/* Moves the unread rest to the front. */
static void proto_reader_shift(struct proto_reader *r)
{
	if (!r->used)
		return;
	r->in.len -= r->used;
	memmove(r->in.data, r->in.data + r->used, r->in.len);
	r->used = 0;
}

int proto_reader_line(struct proto_reader *r, const char **line, size_t *len)
{
	size_t looked = 0;

	proto_reader_shift(r);
	for (;;) {
		uint8_t *nl = r->in.len > looked
				      ? memchr(r->in.data + looked, '\n',
					       r->in.len - looked)
				      : NULL;
		ssize_t n;

		if (nl) {
			*line = (const char *)r->in.data;
			*len = (size_t)(nl - r->in.data);
			r->used = *len + 1;
			return *len > r->max ? -EMSGSIZE : 1;
		}
		looked = r->in.len;
		if (looked > r->max)
			return -EMSGSIZE;
		n = proto_reader_fill(r);
		if (n <= 0)
			return (int)n;
	}
}

int proto_send(int fd, const void *p, size_t n)
{
	const char *b = p;

	while (n) {
		ssize_t sent = send(fd, b, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		b += sent;
		n -= (size_t)sent;
	}
	return 0;
}
