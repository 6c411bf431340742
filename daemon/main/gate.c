/* SPDX-License-Identifier: Apache-2.0 */
#include "main/gate.h"

struct gate_store {
	struct store base;
	struct store *inner;
	struct gate *gate;
};

void gate_open(struct gate *g)
{
	__atomic_store_n(&g->open, true, __ATOMIC_RELEASE);
}

/* The store behind an open gate, NULL behind a closed one. */
static struct store *behind(struct store *s)
{
	struct gate_store *g = container_of(s, struct gate_store, base);

	return __atomic_load_n(&g->gate->open, __ATOMIC_ACQUIRE) ? g->inner
								 : NULL;
}

static int gate_put(struct store *s, const char *key, const void *data,
		    size_t len, const struct store_put_opts *opts)
{
	struct store *in = behind(s);

	return in ? store_put(in, key, data, len, opts) : -EAGAIN;
}

static ssize_t gate_get(struct store *s, const char *key, uint64_t off,
			void *dst, size_t len)
{
	struct store *in = behind(s);

	return in ? store_get(in, key, off, dst, len) : -EAGAIN;
}

static int gate_head(struct store *s, const char *key, struct store_info *out)
{
	struct store *in = behind(s);

	return in ? store_head(in, key, out) : -EAGAIN;
}

static int gate_del(struct store *s, const char *const *keys, size_t n, int *rc)
{
	struct store *in = behind(s);

	if (in)
		return store_del(in, keys, n, rc);
	for (size_t i = 0; i < n; i++)
		rc[i] = -EAGAIN;
	return n ? -EAGAIN : 0;
}

static int gate_list(struct store *s, const char *prefix, const char *after,
		     size_t max, struct store_list *out)
{
	struct store *in = behind(s);

	return in ? store_list(in, prefix, after, max, out) : -EAGAIN;
}

static int gate_copy(struct store *s, const char *from, const char *to,
		     const struct store_put_opts *opts)
{
	struct store *in = behind(s);

	return in ? store_copy(in, from, to, opts) : -EAGAIN;
}

static int gate_restore(struct store *s, const char *key, unsigned days,
			enum store_speed speed)
{
	struct store *in = behind(s);

	return in ? store_restore(in, key, days, speed) : -EAGAIN;
}

static int gate_del_version(struct store *s, const char *key,
			    const char *version)
{
	struct store *in = behind(s);

	return in ? store_del_version(in, key, version) : -EAGAIN;
}

static int gate_probe(struct store *s, struct store_caps *out)
{
	struct store *in = behind(s);

	return in ? store_probe(in, out) : -EAGAIN;
}

/* What costs no request goes through. */
static void gate_caps(struct store *s, struct store_caps *out)
{
	store_caps(container_of(s, struct gate_store, base)->inner, out);
}

static int gate_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(container_of(s, struct gate_store, base)->inner,
			  ahead_ns);
}

static void gate_free(struct store *s)
{
	struct gate_store *g = container_of(s, struct gate_store, base);

	store_free(g->inner);
	free(g);
}

static const struct store_ops gate_ops = {
	.put = gate_put,
	.get = gate_get,
	.head = gate_head,
	.del = gate_del,
	.list = gate_list,
	.copy = gate_copy,
	.restore = gate_restore,
	.del_version = gate_del_version,
	.caps = gate_caps,
	.probe = gate_probe,
	.skew = gate_skew,
	.free = gate_free,
};

struct store *gate_store_new(struct store *inner, struct gate *g)
{
	struct gate_store *s = inner ? calloc(1, sizeof(*s)) : NULL;

	if (!s) {
		store_free(inner);
		return NULL;
	}
	s->base.ops = &gate_ops;
	s->inner = inner;
	s->gate = g;
	return &s->base;
}
