/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object store: what Mersey needs of a bucket, and nothing else.
 *
 * Calls block and may be made from any thread. Drivers (dir, mem, s3) sit at
 * the bottom; decorators (meter, retry, fault) wrap one inner store, own it
 * (free frees it, a failed x_new frees it too) and have the same contract.
 *
 * Keys are relative to the store's bucket and prefix, 1 to 512 bytes of
 * [A-Za-z0-9._/-], without empty, "." or ".." parts; the inline callers
 * check that, and return -EINVAL otherwise.
 *
 * Errors, the same for every driver (each maps its own in one table):
 *   -ENOENT     no such object
 *   -EEXIST     create-only put: the key is taken
 *   -EACCES     refused: by the store (credentials, policy, signature, a
 *               lock), or by us (its certificate); says nothing about the
 *               object
 *   -ENOMEDIUM  get, copy: the object is in an archive class and there is no
 *               restored copy: not now, see restore. It is not damaged
 *   -ERANGE     get: the range starts at or behind the end of the object
 *   -ENOTSUP    this store cannot do that (see store_caps)
 *   -ENOSPC     full, or over the bucket's quota
 *   -EPROTO     an answer that is not one: malformed, wrong length
 *   -EIO        broken for good, as far as the store says
 *   -EAGAIN     try again: throttled, 5xx
 *   -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH, -ENETUNREACH
 *               the store cannot be reached now
 *   -ENOMEM     no memory here
 * store_is_transient() tells those worth another try. store_detail() says
 * more about the latest failure in words.
 *
 * A key cannot also be a directory of another key ("a" and "a/b"): a store
 * that keeps objects as files cannot hold both and says -ENOTSUP.
 */
#ifndef MERSEY_STORE_STORE_H
#define MERSEY_STORE_STORE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/guard.h"

#define STORE_KEY_MAX	  512
#define STORE_CLASS_MAX	  32
#define STORE_VERSION_MAX 128 /* with the NUL */

struct store;

/* As far as it is known without a request; see probe. */
struct store_caps {
	bool create_only;   /* put with if_absent is atomic; else it looks
			       whether the key is taken, and then puts */
	bool storage_class; /* put honours a storage class; else one that is
			       not "STANDARD" gives -ENOTSUP */
	bool copy;	    /* copy works */
	bool restore;	    /* restore works: it has archive classes */
	bool versions;	    /* it keeps what is overwritten or deleted, until
			       del_version; put and head name the version */
	bool lock;	    /* put honours a lock; else it gives -ENOTSUP */
};

/* Can an object be read? */
enum store_archive {
	STORE_READY,	 /* yes */
	STORE_ARCHIVED,	 /* after a restore */
	STORE_RESTORING, /* soon: a restore is under way */
};

/* How fast a restore is to be; faster costs more. */
enum store_speed { STORE_STANDARD, STORE_BULK, STORE_EXPEDITED };

/* Until a lock ends, its version can be deleted by nobody, or only by who
 * has the permission to do it in spite of that (governance). */
enum store_lock { STORE_UNLOCKED, STORE_GOVERNANCE, STORE_COMPLIANCE };

struct store_info {
	uint64_t size;
	int64_t modified_ns;		     /* wall time, 0 unknown */
	char storage_class[STORE_CLASS_MAX]; /* "STANDARD" when not said */
	char etag[80]; /* as the store gives it, without quotes; "" none */
	char version[STORE_VERSION_MAX]; /* "" none, or not known */
	enum store_archive archive;
	int64_t restored_until_ns; /* of a restored copy; else 0 */
};

struct store_put_opts {
	const char *storage_class; /* NULL = the store's default */
	bool if_absent;
	/* SHA-256 of the data (32 bytes), for stores that have to send it: who
	 * knows it spares them a pass over the data. NULL = not known. */
	const uint8_t *sha256;
	enum store_lock lock;
	int64_t lock_until_ns; /* wall time; of a lock */
	/* Where the name of the new version goes, STORE_VERSION_MAX bytes, ""
	 * when there is none; NULL = not asked. Undefined on failure. */
	char *version;
};

struct store_entry {
	char *key; /* relative to the prefix, as in put */
	uint64_t size;
	int64_t modified_ns;
};

/* One page of a listing, in byte order of the keys. */
struct store_list {
	struct store_entry *entry;
	size_t n;
	bool more; /* there are keys behind the last one */
};

/* Frees the entries; the list is empty and usable again. */
void store_list_done(struct store_list *l);

struct store_ops {
	/*
	 * Stores data[0..len) under `key` in one step: afterwards the object
	 * is whole or absent (or, without if_absent, the old one), and 0 is
	 * returned only when it is durable by the store's own promise.
	 */
	int (*put)(struct store *s, const char *key, const void *data,
		   size_t len, const struct store_put_opts *opts);
	/*
	 * Reads up to len (> 0) bytes from `off` into dst. Returns how many
	 * there were (fewer than len only at the end of the object).
	 */
	ssize_t (*get)(struct store *s, const char *key, uint64_t off,
		       void *dst, size_t len);
	int (*head)(struct store *s, const char *key, struct store_info *out);
	/*
	 * Deletes n (> 0) keys; rc[i] is 0 (gone, or was not there) or -errno.
	 * Returns 0 when every rc is 0, else the first error.
	 */
	int (*del)(struct store *s, const char *const *keys, size_t n, int *rc);
	/*
	 * At most `max` (1..1000) keys that start with `prefix` ("" = all)
	 * and are greater than `after` ("" = from the start). `out` is empty
	 * on entry, and owned by the caller also on failure.
	 */
	int (*list)(struct store *s, const char *prefix, const char *after,
		    size_t max, struct store_list *out);
	/*
	 * Copies an object inside the store, or changes the class of one
	 * (`from` is `to`): in one step, as a put. No if_absent, no sha256.
	 */
	int (*copy)(struct store *s, const char *from, const char *to,
		    const struct store_put_opts *opts);
	/*
	 * Asks for a readable copy of an archived object, kept for so many
	 * days (>= 1); head says when it is there. 0 also when it was asked
	 * for before (then the days may be new) or can be read as it is.
	 */
	int (*restore)(struct store *s, const char *key, unsigned days,
		       enum store_speed speed);
	/* Deletes one version for good; 0 also when it was not there. */
	int (*del_version)(struct store *s, const char *key,
			   const char *version);
	void (*caps)(struct store *s, struct store_caps *out);
	/*
	 * Finds out what it can do, by requests and scratch objects, and what
	 * caps says from then on. Fails when that could not be found out.
	 */
	int (*probe)(struct store *s, struct store_caps *out);
	/*
	 * How far the store's clock is ahead of this machine's, by its latest
	 * answer. 0, or -ENODATA when it has not said yet.
	 */
	int (*skew)(struct store *s, int64_t *ahead_ns);
	void (*free)(struct store *s);
};

/* First member of each driver and decorator. */
struct store {
	const struct store_ops *ops;
};

/* Is it a key that every store takes? See the top. */
bool store_key_ok(const char *key);

/* Can keys start like this? As store_key_ok(), the last part open; "" is. */
bool store_prefix_ok(const char *prefix);

/* Is this -errno one that may go away by itself? */
bool store_is_transient(int rc);

/*
 * What the calling thread's latest call on any store said when it failed:
 * "InvalidAccessKeyId: ..." or so, "" when there is nothing to add to the
 * error. Valid until the thread's next call.
 */
const char *store_detail(void);

/*
 * From now on the calling thread's gets tell how many bytes of dst are there:
 * fn(arg, 0) before any byte of an attempt is written, again when another
 * attempt begins, then more and more, from any thread. Never more than what
 * the get returns, if it succeeds. What arrives at once may not be told of.
 * NULL: not any more.
 */
void store_on_progress(void (*fn)(void *arg, size_t got), void *arg);

/* For the inline callers: starts a call that is so many requests; or
 * refuses it, with -EINVAL. */
void store_begin(size_t requests);
int store_refuse(void);

static inline int store_put(struct store *s, const char *key, const void *data,
			    size_t len, const struct store_put_opts *opts)
{
	static const struct store_put_opts none;

	if (!store_key_ok(key))
		return store_refuse();
	store_begin(1);
	if (opts && opts->version)
		*opts->version = '\0';
	return s->ops->put(s, key, data, len, opts ? opts : &none);
}

static inline ssize_t store_get(struct store *s, const char *key, uint64_t off,
				void *dst, size_t len)
{
	if (!store_key_ok(key) || len == 0 || off > INT64_MAX)
		return store_refuse();
	store_begin(1);
	return s->ops->get(s, key, off, dst, len);
}

static inline int store_head(struct store *s, const char *key,
			     struct store_info *out)
{
	if (!store_key_ok(key))
		return store_refuse();
	store_begin(1);
	return s->ops->head(s, key, out);
}

/* Deletes n keys, as ops->del says; none when one of them is not a key. */
int store_del(struct store *s, const char *const *keys, size_t n, int *rc);
/* Deletes one key. */
int store_del1(struct store *s, const char *key);

static inline int store_list(struct store *s, const char *prefix,
			     const char *after, size_t max,
			     struct store_list *out)
{
	if (max == 0 || max > 1000 || !store_prefix_ok(prefix) ||
	    !store_prefix_ok(after))
		return store_refuse();
	store_begin(1);
	return s->ops->list(s, prefix, after, max, out);
}

/* For what a driver has no method: -ENOTSUP, explained. */
int store_cannot(const char *what);

static inline int store_copy(struct store *s, const char *from, const char *to,
			     const struct store_put_opts *opts)
{
	static const struct store_put_opts none;

	if (!store_key_ok(from) || !store_key_ok(to) ||
	    (opts && (opts->if_absent || opts->sha256)))
		return store_refuse();
	if (!s->ops->copy)
		return store_cannot("copy");
	store_begin(1);
	if (opts && opts->version)
		*opts->version = '\0';
	return s->ops->copy(s, from, to, opts ? opts : &none);
}

static inline int store_restore(struct store *s, const char *key, unsigned days,
				enum store_speed speed)
{
	if (!store_key_ok(key) || days == 0)
		return store_refuse();
	if (!s->ops->restore)
		return store_cannot("restore");
	store_begin(1);
	return s->ops->restore(s, key, days, speed);
}

static inline int store_del_version(struct store *s, const char *key,
				    const char *version)
{
	if (!store_key_ok(key) || !*version)
		return store_refuse();
	if (!s->ops->del_version)
		return store_cannot("delete versions");
	store_begin(1);
	return s->ops->del_version(s, key, version);
}

static inline void store_caps(struct store *s, struct store_caps *out)
{
	s->ops->caps(s, out);
}

/* A driver that knows without asking has no method for it. */
static inline int store_probe(struct store *s, struct store_caps *out)
{
	store_begin(0);
	if (s->ops->probe)
		return s->ops->probe(s, out);
	s->ops->caps(s, out);
	return 0;
}

static inline int store_skew(struct store *s, int64_t *ahead_ns)
{
	return s->ops->skew(s, ahead_ns);
}

/* NULL is fine. */
static inline void store_free(struct store *s)
{
	if (s)
		s->ops->free(s);
}

DEFINE_GUARD(struct store *, store_free);

#endif
