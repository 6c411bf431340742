/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for secrets: whole pages of their own, which no core dump has
 * (MADV_DONTDUMP) and which are wiped before they are given back. Never grown:
 * that would leave a copy behind.
 */
#ifndef MERSEY_BASE_SECRET_H
#define MERSEY_BASE_SECRET_H

#include <stddef.h>

#include "base/buf.h"

/* Room for n (> 0) bytes, zeroed; NULL without memory. */
void *secret_alloc(size_t n);
/* Wipes and frees what secret_alloc(n) gave. NULL is fine. */
void secret_free(void *p, size_t n);

/* The same for text: a copy of s[0..n) and a NUL. */
char *secret_text(const char *s, size_t n);
/* Wipes, frees and sets to NULL. */
void secret_text_done(char **s);

/* Room for n (> 0) bytes in an empty buffer. 0 or -ENOMEM. */
int secret_buf(struct buf *b, size_t n);
/* Wipes and frees; the buffer is empty afterwards, and may have been. */
void secret_buf_done(struct buf *b);

#endif
