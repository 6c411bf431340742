/* SPDX-License-Identifier: Apache-2.0 */
/* Values of elements (PS3.5, section 6.2): bytes to text and numbers. What is
 * not as it should be is absent. */
#ifndef MERSEY_DICOM_VALUE_H
#define MERSEY_DICOM_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* Each gives "" or 0 for what is not valid. `size` has room for the NUL. */
void value_uid(const uint8_t *p, size_t n, char *out, size_t size);
/* Any characters but NUL, which ends it; spaces around it do not count. */
void value_text(const uint8_t *p, size_t n, char *out, size_t size);
/* Capitals, digits, spaces and '_'; the first of several. */
void value_code(const uint8_t *p, size_t n, char *out, size_t size);
/* "20261129" or the old "2026.11.29" to 20261129. */
uint32_t value_date(const uint8_t *p, size_t n);
/* Decimal; 0 also when negative or above INT32_MAX. */
uint32_t value_number(const uint8_t *p, size_t n);

#endif
