/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 64;
	size_t want;
	uint8_t *p;

	if (__builtin_add_overflow(b->len, more, &want))
		return -ENOMEM;
	if (want <= b->cap)
		return 0;
	while (cap < want)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			cap = want;
	p = realloc(b->data, cap);
	if (!p)
		return -ENOMEM;
	b->data = p;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	int rc = buf_reserve(b, n);

	if (rc < 0)
		return rc;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
	uint8_t *p;

	if (buf_reserve(b, n) < 0)
		return NULL;
	p = b->data + b->len;
	memset(p, 0, n);
	b->len += n;
	return p;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, rc;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	rc = buf_reserve(b, (size_t)n + 1);
	if (rc < 0)
		return rc;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

int buf_add_json(struct buf *b, const char *s)
{
	int rc = buf_add(b, "\"", 1);

	for (; rc == 0 && *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			rc = buf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			rc = buf_addf(b, "\\u%04x", c);
		else
			rc = buf_add(b, s, 1);
	}
	return rc < 0 ? rc : buf_add(b, "\"", 1);
}

int buf_add_u8(struct buf *b, uint8_t v)
{
	return buf_add(b, &v, 1);
}

int buf_add_u16(struct buf *b, uint16_t v)
{
	uint8_t p[2];

	put_le16(p, v);
	return buf_add(b, p, sizeof(p));
}

int buf_add_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	put_le32(p, v);
	return buf_add(b, p, sizeof(p));
}

int buf_add_u64(struct buf *b, uint64_t v)
{
	uint8_t p[8];

	put_le64(p, v);
	return buf_add(b, p, sizeof(p));
}

const char *buf_str(struct buf *b)
{
	if (buf_reserve(b, 1) < 0)
		return NULL;
	b->data[b->len] = '\0';
	return (const char *)b->data;
}
