/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One store under several decorators: each handle is the same object and
 * frees one reference; the last one frees the inner store.
 */
#include <stdatomic.h>

#include "store/drivers.h"

struct shared_store {
	struct store base;
	struct store *inner;
	atomic_uint refs;
};

static struct shared_store *shared(struct store *s)
{
	return container_of(s, struct shared_store, base);
}

static int shared_put(struct store *s, const char *key, const void *data,
		      size_t len, const struct store_put_opts *opts)
{
	return store_put(shared(s)->inner, key, data, len, opts);
}

static ssize_t shared_get(struct store *s, const char *key, uint64_t off,
			  void *dst, size_t len)
{
	return store_get(shared(s)->inner, key, off, dst, len);
}

static int shared_head(struct store *s, const char *key, struct store_info *out)
{
	return store_head(shared(s)->inner, key, out);
}

static int shared_del(struct store *s, const char *const *keys, size_t n,
		      int *rc)
{
	return store_del(shared(s)->inner, keys, n, rc);
}

static int shared_list(struct store *s, const char *prefix, const char *after,
		       size_t max, struct store_list *out)
{
	return store_list(shared(s)->inner, prefix, after, max, out);
}

static int shared_copy(struct store *s, const char *from, const char *to,
		       const struct store_put_opts *opts)
{
	return store_copy(shared(s)->inner, from, to, opts);
}

static int shared_restore(struct store *s, const char *key, unsigned days,
			  enum store_speed speed)
{
	return store_restore(shared(s)->inner, key, days, speed);
}

static int shared_del_version(struct store *s, const char *key,
			      const char *version)
{
	return store_del_version(shared(s)->inner, key, version);
}

static int shared_probe(struct store *s, struct store_caps *out)
{
	return store_probe(shared(s)->inner, out);
}

static void shared_caps(struct store *s, struct store_caps *out)
{
	store_caps(shared(s)->inner, out);
}

static int shared_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(shared(s)->inner, ahead_ns);
}

static void shared_free(struct store *s)
{
	struct shared_store *sh = shared(s);

	if (atomic_fetch_sub(&sh->refs, 1) > 1)
		return;
	store_free(sh->inner);
	free(sh);
}

static const struct store_ops shared_ops = {
	.put = shared_put,
	.get = shared_get,
	.head = shared_head,
	.del = shared_del,
	.list = shared_list,
	.copy = shared_copy,
	.restore = shared_restore,
	.del_version = shared_del_version,
	.caps = shared_caps,
	.probe = shared_probe,
	.skew = shared_skew,
	.free = shared_free,
};

struct store *store_shared_new(struct store *inner)
{
	struct shared_store *sh = calloc(1, sizeof(*sh));

	if (!sh || !inner) {
		free(sh);
		store_free(inner);
		return NULL;
	}
	sh->base.ops = &shared_ops;
	sh->inner = inner;
	atomic_init(&sh->refs, 1);
	return &sh->base;
}

struct store *store_shared_ref(struct store *s)
{
	if (s)
		atomic_fetch_add(&shared(s)->refs, 1);
	return s;
}
