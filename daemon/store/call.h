/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call that a thread is making, beside its arguments: until when it may
 * take (set by retry, honoured by who waits: drivers for a network, limits for
 * their turn), which requests it became (for the meter), and what it said when
 * it failed (read through store_detail()). Calls block in their thread, so a
 * thread makes one at a time.
 *
 * Also helpers for drivers and decorators; nobody else includes this.
 */
#ifndef MERSEY_STORE_CALL_H
#define MERSEY_STORE_CALL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct store_call {
	int64_t deadline_ns; /* of clock_boot_ns(); 0 = none */
	/* Requests that may have reached the store: one for each object, or
	 * what the driver sets because it knows better. 0 on a failure means
	 * that the store did nothing. */
	size_t sent;
	/* Requests that it needed before and after, of any kind: trials, and
	 * the parts of a large object. They change nothing that was asked. */
	struct {
		size_t puts, gets, heads, deletes;
		uint64_t out_bytes;
	} besides;
	bool in_parts; /* of a put: what was `sent` carried no data */
	char detail[160];
	uint64_t max_rate; /* of its data, bytes a second; 0 = no limit */
	bool throttled;	   /* the store asks for fewer requests */
	/* Of a refusal: another attempt before that would be refused, too.
	 * clock_boot_ns(); 0 = not known. */
	int64_t not_before_ns;
	/* Of a get; NULL = nobody wants to know. */
	void (*progress)(void *arg, size_t got);
	void *progress_arg;
};

extern _Thread_local struct store_call store_call;

/* May anything of the call have reached the store? */
static inline bool store_reached(void)
{
	return store_call.sent || store_call.besides.puts ||
	       store_call.besides.gets || store_call.besides.heads ||
	       store_call.besides.deletes;
}

/* Did the caller's time end this call (which began then), and so soon that it
 * says nothing about the store? */
bool store_cut_short(int rc, int64_t began_ns);

/* Says why this call fails; %m is the text of rc. Returns rc. */
int store_explain(int rc, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Is the object exactly these bytes? 0 (and opts->version is set), -EEXIST
 * when it is not, or -errno. All that it asks counts as besides.
 */
int store_compare(struct store *s, const char *key, const void *data,
		  size_t len, const struct store_put_opts *opts);

/* Appends to a listing. 0 or -ENOMEM. */
int store_list_add(struct store_list *l, const char *key, uint64_t size,
		   int64_t modified_ns);

#endif
