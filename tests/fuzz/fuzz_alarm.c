/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alarms from where nobody vouches for them: what a worker that was taken over
 * says to the supervisor becomes JSON or nothing, and a value of the database
 * becomes alarms that can be written and read again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "alarm/impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_said(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf out = { 0 };
	struct alarm a = { 0 };
	json_t *o;

	memcpy(&a, data, size < sizeof(a) ? size : sizeof(a));
	if (alarm_json(&a, "rem", "gw1", &out) < 0)
		return;
	assert(out.len > 2 && out.data[out.len - 1] == '\n');
	assert(!memchr(out.data, '\n', out.len - 1));
	o = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES,
		       NULL);
	assert(o);
	assert(strcmp(json_string_value(json_object_get(o, "trust")), "rem") ==
	       0);
	json_decref(o);
}

/* Reads a copy of the text, ended by a NUL. */
static void read_text(struct alarm_book *b, const void *text, size_t n)
{
	CLEANUP_FREE char *copy = calloc(1, n + 1);

	assert(copy);
	memcpy(copy, text, n);
	memset(b, 0, sizeof(*b));
	b->next_id = 1;
	book_read(b, copy);
}

static void check_book(const uint8_t *data, size_t size)
{
	static struct alarm_book b, again;
	CLEANUP_BUF struct buf text = { 0 };

	read_text(&b, data, size);
	assert(b.n <= ALARMS_MAX);
	assert(book_write(&b, &text) == 0);
	read_text(&again, text.data, text.len);
	assert(again.n == b.n);
	for (size_t i = 0; i < b.n; i++) {
		assert(again.rec[i].a.id == b.rec[i].a.id);
		assert(again.rec[i].a.code == b.rec[i].a.code);
		assert(again.rec[i].told_cleared == b.rec[i].told_cleared);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_said(data, size);
	check_book(data, size);
	return 0;
}
