/* SPDX-License-Identifier: Apache-2.0 */
#include "store/around.h"

#include <string.h>

#include "base/clock.h"
#include "store/call.h"

struct around_store {
	struct store base;
	struct store *inner;
	const struct store_hooks *hooks;
	void *arg;
};

static struct around_store *around(struct store *s)
{
	return container_of(s, struct around_store, base);
}

/* A call that is refused has not reached the store. */
static int begin(struct around_store *a, struct store_pass *p)
{
	int rc = a->hooks->begin(a->arg, p);

	if (rc < 0)
		store_call.sent = 0;
	p->began_ns = clock_boot_ns();
	return rc;
}

static void end(struct around_store *a, struct store_pass *p, ssize_t rc)
{
	if (a->hooks->end)
		a->hooks->end(a->arg, p, rc);
}

/* Makes the call between the hooks; evaluates to what it returned. */
#define PASS(a, call, ...)                                 \
	({                                                 \
		struct store_pass pass_ = { __VA_ARGS__ }; \
		__typeof__(call) rc_ = begin(a, &pass_);   \
                                                           \
		if (rc_ == 0) {                            \
			rc_ = (call);                      \
			end(a, &pass_, rc_);               \
		}                                          \
		rc_;                                       \
	})

static int around_put(struct store *s, const char *key, const void *data,
		      size_t len, const struct store_put_opts *opts)
{
	struct around_store *a = around(s);

	return PASS(a, store_put(a->inner, key, data, len, opts),
		    .does = STORE_PUTS, .keys = &key, .n_keys = 1, .up = len);
}

static ssize_t around_get(struct store *s, const char *key, uint64_t off,
			  void *dst, size_t len)
{
	struct around_store *a = around(s);

	return PASS(a, store_get(a->inner, key, off, dst, len), .down = len);
}

static int around_head(struct store *s, const char *key, struct store_info *out)
{
	struct around_store *a = around(s);

	return PASS(a, store_head(a->inner, key, out));
}

static int around_del(struct store *s, const char *const *keys, size_t n,
		      int *rc)
{
	struct around_store *a = around(s);
	struct store_pass p = { .does = STORE_DELETES,
				.keys = keys,
				.n_keys = n };
	int ret = begin(a, &p);

	for (size_t i = 0; i < n && ret < 0; i++)
		rc[i] = ret;
	if (ret < 0)
		return ret;
	ret = store_del(a->inner, keys, n, rc);
	end(a, &p, ret);
	return ret;
}

static int around_list(struct store *s, const char *prefix, const char *after,
		       size_t max, struct store_list *out)
{
	struct around_store *a = around(s);

	return PASS(a, store_list(a->inner, prefix, after, max, out));
}

static int around_copy(struct store *s, const char *from, const char *to,
		       const struct store_put_opts *opts)
{
	struct around_store *a = around(s);

	bool same = strcmp(from, to) == 0;

	return PASS(a, store_copy(a->inner, from, to, opts),
		    .does = same ? STORE_DELETES : STORE_PUTS, .keys = &to,
		    .n_keys = 1);
}

static int around_restore(struct store *s, const char *key, unsigned days,
			  enum store_speed speed)
{
	struct around_store *a = around(s);

	return PASS(a, store_restore(a->inner, key, days, speed));
}

static int around_del_version(struct store *s, const char *key,
			      const char *version)
{
	struct around_store *a = around(s);

	return PASS(a, store_del_version(a->inner, key, version),
		    .does = STORE_DELETES, .keys = &key, .n_keys = 1);
}

static int around_probe(struct store *s, struct store_caps *out)
{
	struct around_store *a = around(s);

	return PASS(a, store_probe(a->inner, out));
}

static void around_caps(struct store *s, struct store_caps *out)
{
	store_caps(around(s)->inner, out);
}

static int around_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(around(s)->inner, ahead_ns);
}

static void around_free(struct store *s)
{
	store_free(around(s)->inner);
	free(around(s));
}

static const struct store_ops around_ops = {
	.put = around_put,
	.get = around_get,
	.head = around_head,
	.del = around_del,
	.list = around_list,
	.copy = around_copy,
	.restore = around_restore,
	.del_version = around_del_version,
	.caps = around_caps,
	.probe = around_probe,
	.skew = around_skew,
	.free = around_free,
};

struct store *store_around_new(struct store *inner,
			       const struct store_hooks *hooks, void *arg)
{
	struct around_store *a = inner ? calloc(1, sizeof(*a)) : NULL;

	if (!a) {
		store_free(inner);
		return NULL;
	}
	a->base.ops = &around_ops;
	a->inner = inner;
	a->hooks = hooks;
	a->arg = arg;
	return &a->base;
}
