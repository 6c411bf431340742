/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decorator that decides when a call is made, not what it does: it is told
 * of each call before and after, and may refuse it.
 */
#ifndef MERSEY_STORE_AROUND_H
#define MERSEY_STORE_AROUND_H

#include "store/store.h"

/* What a call does to objects. */
enum store_does {
	STORE_READS,
	STORE_PUTS,    /* one that is not there, as far as its caller knows */
	STORE_DELETES, /* or replaces: what was there is gone */
};

/* A call that passes through. */
struct store_pass {
	enum store_does does;
	const char *const *keys; /* that it puts or deletes */
	size_t n_keys;
	size_t up;	  /* bytes of data that it sends */
	size_t down;	  /* bytes of data that it asks for */
	int64_t began_ns; /* clock_boot_ns(), when begin() has let it pass */
	bool marked;	  /* for the hooks, as the next */
	int64_t kept_ns;
};

/* Any thread; `end` is only told of calls that `begin` has let pass. */
struct store_hooks {
	/* 0, or why the call is not made (explained). */
	int (*begin)(void *arg, struct store_pass *p);
	/* How it ended: bytes of a get, 0, or -errno, which it keeps. NULL:
	 * nobody wants to know. */
	void (*end)(void *arg, struct store_pass *p, ssize_t rc);
};

/*
 * Puts the hooks around `inner`, which it owns, also on failure (NULL).
 * `hooks` and `arg` are borrowed. What makes no request (caps, skew) goes
 * through.
 */
struct store *store_around_new(struct store *inner,
			       const struct store_hooks *hooks, void *arg);

#endif
