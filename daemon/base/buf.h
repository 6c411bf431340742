/* SPDX-License-Identifier: Apache-2.0 */
/* A growable run of bytes. */
#ifndef MERSEY_BASE_BUF_H
#define MERSEY_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/guard.h"

struct buf {
	uint8_t *data; /* NULL when nothing was ever added */
	size_t len;
	size_t cap;
};

/* Frees the memory; the buffer is empty and usable again. */
void buf_done(struct buf *b);

static inline void buf_guard(struct buf *b)
{
	buf_done(b);
}

#define CLEANUP_BUF CLEANUP(buf_guard)

/* Makes room for `more` bytes behind len.  0 or -ENOMEM. */
int buf_reserve(struct buf *b, size_t more);

/* Appends n bytes.  0 or -ENOMEM. */
int buf_add(struct buf *b, const void *p, size_t n);

/* Appends n zero bytes and returns where they start, NULL without memory. */
uint8_t *buf_grow(struct buf *b, size_t n);

/* Appends text, without its NUL.  0 or -ENOMEM. */
int buf_addf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends a JSON string, quotes included; `s` is UTF-8. 0 or -ENOMEM. */
int buf_add_json(struct buf *b, const char *s);

/* Appends little-endian integers.  0 or -ENOMEM. */
int buf_add_u8(struct buf *b, uint8_t v);
int buf_add_u16(struct buf *b, uint16_t v);
int buf_add_u32(struct buf *b, uint32_t v);
int buf_add_u64(struct buf *b, uint64_t v);

/*
 * The text so far, with a NUL behind it that does not count; NULL without
 * memory.  Valid until the next change; owned by the buffer.
 */
const char *buf_str(struct buf *b);

#endif
