/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/tape.h"

#include <stdlib.h>

#include "base/clock.h"

struct tape_store {
	struct store base;
	struct store *inner;
	struct tape *tape;
	const char *tier, *cause;
};

int tape_open(struct tape *t, const char *path)
{
	pthread_mutex_init(&t->lock, NULL);
	t->f = fopen(path, "we");
	if (!t->f)
		return -errno;
	fputs("ns,tier,cause,op,key,bytes,class,speed,days,rc\n", t->f);
	return 0;
}

int tape_close(struct tape *t)
{
	int rc = ferror(t->f) ? -EIO : 0;

	if (fclose(t->f))
		rc = -errno;
	pthread_mutex_destroy(&t->lock);
	return rc;
}

static struct tape_store *tape(struct store *s)
{
	return container_of(s, struct tape_store, base);
}

struct line {
	const char *op, *key, *class;
	uint64_t bytes;
	int speed;
	unsigned days;
	long rc;
};

static void tape_line(struct tape_store *s, const struct line *l)
{
	LOCK_SCOPE(&s->tape->lock);
	fprintf(s->tape->f, "%lld,%s,%s,%s,%s,%llu,%s,%d,%u,%ld\n",
		(long long)clock_wall_ns(), s->tier, s->cause, l->op, l->key,
		(unsigned long long)l->bytes, l->class ? l->class : "",
		l->speed, l->days, l->rc);
}

static int tape_put(struct store *s, const char *key, const void *data,
		    size_t len, const struct store_put_opts *opts)
{
	int rc = store_put(tape(s)->inner, key, data, len, opts);

	tape_line(tape(s), &(struct line){ .op = "put",
					   .key = key,
					   .bytes = len,
					   .class = opts->storage_class,
					   .rc = rc });
	return rc;
}

static ssize_t tape_get(struct store *s, const char *key, uint64_t off,
			void *dst, size_t len)
{
	ssize_t n = store_get(tape(s)->inner, key, off, dst, len);

	tape_line(tape(s), &(struct line){ .op = "get",
					   .key = key,
					   .bytes = n > 0 ? (uint64_t)n : 0,
					   .rc = n < 0 ? n : 0 });
	return n;
}

static int tape_head(struct store *s, const char *key, struct store_info *out)
{
	int rc = store_head(tape(s)->inner, key, out);

	tape_line(tape(s),
		  &(struct line){ .op = "head", .key = key, .rc = rc });
	return rc;
}

static int tape_del(struct store *s, const char *const *keys, size_t n, int *rc)
{
	int first = store_del(tape(s)->inner, keys, n, rc);
	size_t i;

	for (i = 0; i < n; i++)
		tape_line(tape(s), &(struct line){ .op = "delete",
						   .key = keys[i],
						   .rc = rc[i] });
	return first;
}

static int tape_list(struct store *s, const char *prefix, const char *after,
		     size_t max, struct store_list *out)
{
	int rc = store_list(tape(s)->inner, prefix, after, max, out);

	tape_line(tape(s),
		  &(struct line){ .op = "list", .key = prefix, .rc = rc });
	return rc;
}

static int tape_copy(struct store *s, const char *from, const char *to,
		     const struct store_put_opts *opts)
{
	struct store_info info = { 0 };
	int rc = store_copy(tape(s)->inner, from, to, opts);

	if (rc == 0)
		rc = store_head(tape(s)->inner, to, &info);
	tape_line(tape(s), &(struct line){ .op = "copy",
					   .key = to,
					   .bytes = info.size,
					   .class = opts->storage_class,
					   .rc = rc });
	return rc;
}

static int tape_restore(struct store *s, const char *key, unsigned days,
			enum store_speed speed)
{
	int rc = store_restore(tape(s)->inner, key, days, speed);

	tape_line(tape(s), &(struct line){ .op = "restore",
					   .key = key,
					   .speed = (int)speed,
					   .days = days,
					   .rc = rc });
	return rc;
}

static int tape_del_version(struct store *s, const char *key,
			    const char *version)
{
	int rc = store_del_version(tape(s)->inner, key, version);

	tape_line(tape(s),
		  &(struct line){ .op = "delete", .key = key, .rc = rc });
	return rc;
}

static void tape_caps(struct store *s, struct store_caps *out)
{
	store_caps(tape(s)->inner, out);
}

static int tape_probe(struct store *s, struct store_caps *out)
{
	return store_probe(tape(s)->inner, out);
}

static int tape_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(tape(s)->inner, ahead_ns);
}

static void tape_free(struct store *s)
{
	store_free(tape(s)->inner);
	free(tape(s));
}

static const struct store_ops tape_ops = {
	.put = tape_put,
	.get = tape_get,
	.head = tape_head,
	.del = tape_del,
	.list = tape_list,
	.copy = tape_copy,
	.restore = tape_restore,
	.del_version = tape_del_version,
	.caps = tape_caps,
	.probe = tape_probe,
	.skew = tape_skew,
	.free = tape_free,
};

struct store *tape_store_new(struct store *inner, struct tape *t,
			     const char *tier, const char *cause)
{
	struct tape_store *s = calloc(1, sizeof(*s));

	if (!s || !inner) {
		free(s);
		store_free(inner);
		return NULL;
	}
	*s = (struct tape_store){ .base = { &tape_ops },
				  .inner = inner,
				  .tape = t,
				  .tier = tier,
				  .cause = cause };
	return &s->base;
}
