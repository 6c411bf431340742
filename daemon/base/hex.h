/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as lower-case hexadecimal and as base64 (RFC 4648). */
#ifndef MERSEY_BASE_HEX_H
#define MERSEY_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Writes 2n digits and a NUL. */
void hex_encode(const void *p, size_t n, char *out);

/*
 * Reads exactly n bytes from exactly 2n digits of either case.
 * 0 or -EINVAL.
 */
int hex_decode(const char *s, void *out, size_t n);

/* Newly allocated base64 text with padding; NULL without memory. */
char *base64_encode(const void *p, size_t n);

/*
 * Reads padded base64 text into out, which has room for 3 * (len / 4) bytes;
 * *n is how many there were.  0 or -EINVAL.
 */
int base64_decode(const char *s, size_t len, void *out, size_t *n);

#endif
