/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads small objects of one known shape from a bucket, byte by byte: no
 * parser of a language meets foreign bytes. Each call takes what comes next,
 * or is false, and then the object is none of ours.
 */
#ifndef MERSEY_PACK_SCAN_H
#define MERSEY_PACK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_TIME_LEN 20u /* 2026-11-24T04:00:00Z */

struct scan {
	const char *p, *end;
};

/* Exactly that text. */
bool scan_text(struct scan *s, const char *text);
/* 2n lower-case hexadecimal digits. */
bool scan_hex(struct scan *s, uint8_t *out, size_t n);
/* A time in UTC, to the second. */
bool scan_time(struct scan *s, char out[SCAN_TIME_LEN + 1]);
/* As many of these characters as there are, 1 to size - 1. */
bool scan_name_char(char c);
bool scan_name(struct scan *s, char *out, size_t size);
/* A decimal number without leading zeros. */
bool scan_u32(struct scan *s, uint32_t *out);

#endif
