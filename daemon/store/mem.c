/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in memory, for tests: one sorted array under one lock.
 *
 * GLACIER and DEEP_ARCHIVE are archive classes, as on AWS. Without terms of a
 * test an expedited restore is done at once, any other when a get or head has
 * found that it is not. Versions have names, but only the newest is kept; so a
 * put over a locked object is refused, where S3 would keep both.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"

struct mem_object {
	char *key;
	uint8_t *data;
	size_t len;
	int64_t modified_ns;
	char storage_class[STORE_CLASS_MAX];
	uint64_t version;
	int64_t lock_until_ns;
	bool restoring;
	int64_t ready_ns;	   /* of a restore by the terms */
	int64_t restored_until_ns; /* also while it is being restored */
};

struct mem_store {
	struct store base;
	pthread_mutex_t lock;	   /* guards what follows */
	struct mem_object *object; /* in byte order of the keys */
	size_t n, cap;
	uint64_t versions; /* so far */
	bool has_terms;
	struct store_mem_archive terms;
	unsigned orders; /* taken by them */
};

static struct mem_store *mem(struct store *s)
{
	return container_of(s, struct mem_store, base);
}

/* Where the first key >= `key` is. */
static size_t mem_find_locked(const struct mem_store *m, const char *key)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(m->object[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct mem_object *mem_get_locked(struct mem_store *m, const char *key)
{
	size_t i = mem_find_locked(m, key);

	if (i < m->n && strcmp(m->object[i].key, key) == 0)
		return &m->object[i];
	return NULL;
}

static void mem_object_done(struct mem_object *o)
{
	free(o->key);
	free(o->data);
}

static bool mem_is_archive(const struct mem_object *o)
{
	return strcmp(o->storage_class, "GLACIER") == 0 ||
	       strcmp(o->storage_class, "DEEP_ARCHIVE") == 0;
}

/* What there is of it to be read. */
static enum store_archive mem_archive(const struct mem_object *o)
{
	if (!mem_is_archive(o))
		return STORE_READY;
	if (o->restored_until_ns <= clock_wall_ns())
		return STORE_ARCHIVED;
	return o->restoring || o->ready_ns > clock_wall_ns() ? STORE_RESTORING
							     : STORE_READY;
}

/* The same, and a restore gets on. */
static enum store_archive mem_look(struct mem_object *o)
{
	enum store_archive a = mem_archive(o);

	o->restoring = false;
	return a;
}

static bool mem_is_locked(const struct mem_object *o)
{
	return o->lock_until_ns > clock_wall_ns();
}

static int mem_object_init(struct mem_object *o, const char *key,
			   const void *data, size_t len,
			   const struct store_put_opts *opts)
{
	const char *storage_class = opts->storage_class;

	if (!storage_class)
		storage_class = "STANDARD";
	if (strlen(storage_class) >= sizeof(o->storage_class))
		return -ENOTSUP;
	*o = (struct mem_object){ .key = strdup(key),
				  .data = malloc(len ? len : 1),
				  .len = len,
				  .modified_ns = clock_wall_ns() };
	if (opts->lock != STORE_UNLOCKED)
		o->lock_until_ns = opts->lock_until_ns;
	if (!o->key || !o->data)
		return -ENOMEM;
	snprintf(o->storage_class, sizeof(o->storage_class), "%s",
		 storage_class);
	if (len)
		memcpy(o->data, data, len);
	return 0;
}

static void mem_version_text(const struct mem_object *o,
			     char out[STORE_VERSION_MAX])
{
	snprintf(out, STORE_VERSION_MAX, "v%llu",
		 (unsigned long long)o->version);
}

/* Takes over what is in *o, leaves what is to be freed. */
static int mem_store_locked(struct mem_store *m, struct mem_object *o,
			    const struct store_put_opts *opts)
{
	size_t i = mem_find_locked(m, o->key);

	o->version = ++m->versions;
	if (opts->version)
		mem_version_text(o, opts->version);
	if (i < m->n && strcmp(m->object[i].key, o->key) == 0) {
		struct mem_object old = m->object[i];

		if (opts->if_absent)
			return -EEXIST;
		if (mem_is_locked(&old))
			return store_explain(-EACCES, "it is locked");
		m->object[i] = *o;
		*o = old;
		return 0;
	}
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 16;
		void *p = reallocarray(m->object, cap, sizeof(*m->object));

		if (!p)
			return -ENOMEM;
		m->object = p;
		m->cap = cap;
	}
	memmove(&m->object[i + 1], &m->object[i],
		(m->n - i) * sizeof(*m->object));
	m->object[i] = *o;
	*o = (struct mem_object){ 0 };
	m->n++;
	return 0;
}

static int mem_put(struct store *s, const char *key, const void *data,
		   size_t len, const struct store_put_opts *opts)
{
	struct mem_store *m = mem(s);
	struct mem_object o = { 0 };
	int rc = mem_object_init(&o, key, data, len, opts);

	if (rc == 0) {
		LOCK_SCOPE(&m->lock);
		rc = mem_store_locked(m, &o, opts);
	}
	mem_object_done(&o);
	return rc;
}

static ssize_t mem_get(struct store *s, const char *key, uint64_t off,
		       void *dst, size_t len)
{
	struct mem_store *m = mem(s);
	struct mem_object *o;

	LOCK_SCOPE(&m->lock);
	o = mem_get_locked(m, key);
	if (!o)
		return -ENOENT;
	if (mem_look(o) != STORE_READY)
		return -ENOMEDIUM;
	if (off >= o->len)
		return -ERANGE;
	len = MIN(len, o->len - (size_t)off);
	memcpy(dst, o->data + off, len);
	return (ssize_t)len;
}

static int mem_head(struct store *s, const char *key, struct store_info *out)
{
	struct mem_store *m = mem(s);
	struct mem_object *o;

	LOCK_SCOPE(&m->lock);
	o = mem_get_locked(m, key);
	if (!o)
		return -ENOENT;
	*out = (struct store_info){ .size = o->len,
				    .modified_ns = o->modified_ns };
	memcpy(out->storage_class, o->storage_class,
	       sizeof(out->storage_class));
	mem_version_text(o, out->version);
	out->archive = mem_look(o);
	if (out->archive == STORE_READY && mem_is_archive(o))
		out->restored_until_ns = o->restored_until_ns;
	return 0;
}

static int mem_remove_locked(struct mem_store *m, struct mem_object *o)
{
	if (mem_is_locked(o))
		return store_explain(-EACCES, "it is locked");
	mem_object_done(o);
	m->n--;
	memmove(o, o + 1, (size_t)(m->object + m->n - o) * sizeof(*o));
	return 0;
}

static int mem_del(struct store *s, const char *const *keys, size_t n, int *rc)
{
	struct mem_store *m = mem(s);
	int first = 0;

	LOCK_SCOPE(&m->lock);
	for (size_t i = 0; i < n; i++) {
		struct mem_object *o = mem_get_locked(m, keys[i]);

		rc[i] = o ? mem_remove_locked(m, o) : 0;
		first = first ? first : rc[i];
	}
	return first;
}

static int mem_del_version(struct store *s, const char *key,
			   const char *version)
{
	struct mem_store *m = mem(s);
	char have[STORE_VERSION_MAX];
	struct mem_object *o;

	LOCK_SCOPE(&m->lock);
	o = mem_get_locked(m, key);
	if (!o)
		return 0;
	mem_version_text(o, have);
	return strcmp(have, version) == 0 ? mem_remove_locked(m, o) : 0;
}

static int mem_copy_locked(struct mem_store *m, const char *from,
			   struct mem_object *to, const char *key,
			   const struct store_put_opts *opts)
{
	struct mem_object *o = mem_get_locked(m, from);
	int rc;

	if (!o)
		return -ENOENT;
	if (mem_look(o) != STORE_READY)
		return -ENOMEDIUM;
	rc = mem_object_init(to, key, o->data, o->len, opts);
	return rc < 0 ? rc : mem_store_locked(m, to, opts);
}

static int mem_copy(struct store *s, const char *from, const char *to,
		    const struct store_put_opts *opts)
{
	struct mem_store *m = mem(s);
	struct mem_object o = { 0 };
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = mem_copy_locked(m, from, &o, to, opts);
	pthread_mutex_unlock(&m->lock);
	mem_object_done(&o);
	return rc;
}

/* By the terms of a test. */
static int mem_order_locked(struct mem_store *m, struct mem_object *o,
			    unsigned days, enum store_speed speed)
{
	const struct store_mem_archive *a = &m->terms;
	int64_t now = clock_wall_ns(), ready = now;

	if (a->error)
		return a->error;
	if (mem_archive(o) != STORE_READY)
		ready += a->takes_ns[speed];
	o->ready_ns = a->never ? INT64_MAX : ready;
	o->restored_until_ns =
		a->never ? INT64_MAX
			 : ready + (int64_t)days * SEC_PER_DAY * NSEC_PER_SEC;
	m->orders++;
	return 0;
}

static int mem_restore(struct store *s, const char *key, unsigned days,
		       enum store_speed speed)
{
	struct mem_store *m = mem(s);
	struct mem_object *o;

	LOCK_SCOPE(&m->lock);
	o = mem_get_locked(m, key);
	if (!o)
		return -ENOENT;
	if (m->has_terms)
		return mem_order_locked(m, o, days, speed);
	if (mem_archive(o) == STORE_ARCHIVED)
		o->restoring = speed != STORE_EXPEDITED;
	o->restored_until_ns =
		clock_wall_ns() + (int64_t)days * SEC_PER_DAY * NSEC_PER_SEC;
	return 0;
}

static int mem_list(struct store *s, const char *prefix, const char *after,
		    size_t max, struct store_list *out)
{
	struct mem_store *m = mem(s);
	size_t i, plen = strlen(prefix);
	int rc;

	LOCK_SCOPE(&m->lock);
	i = mem_find_locked(m, strcmp(after, prefix) > 0 ? after : prefix);
	for (; i < m->n; i++) {
		const struct mem_object *o = &m->object[i];

		if (strncmp(o->key, prefix, plen) != 0)
			break;
		if (strcmp(o->key, after) <= 0)
			continue;
		if (out->n == max) {
			out->more = true;
			break;
		}
		rc = store_list_add(out, o->key, o->len, o->modified_ns);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void mem_caps(struct store *s, struct store_caps *out)
{
	(void)s;
	*out = (struct store_caps){ .create_only = true,
				    .storage_class = true,
				    .copy = true,
				    .restore = true,
				    .lock = true };
}

static int mem_skew(struct store *s, int64_t *ahead_ns)
{
	(void)s;
	*ahead_ns = 0;
	return 0;
}

static void mem_free(struct store *s)
{
	struct mem_store *m = mem(s);
	size_t i;

	for (i = 0; i < m->n; i++)
		mem_object_done(&m->object[i]);
	free(m->object);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_ops mem_ops = {
	.put = mem_put,
	.get = mem_get,
	.head = mem_head,
	.del = mem_del,
	.list = mem_list,
	.copy = mem_copy,
	.restore = mem_restore,
	.del_version = mem_del_version,
	.caps = mem_caps,
	.skew = mem_skew,
	.free = mem_free,
};

void store_mem_terms(struct store *s, const struct store_mem_archive *a)
{
	struct mem_store *m = mem(s);

	LOCK_SCOPE(&m->lock);
	m->has_terms = true;
	m->terms = *a;
}

unsigned store_mem_orders(struct store *s)
{
	struct mem_store *m = mem(s);

	LOCK_SCOPE(&m->lock);
	return m->orders;
}

struct store *store_mem_new(void)
{
	struct mem_store *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->base.ops = &mem_ops;
	pthread_mutex_init(&m->lock, NULL);
	return &m->base;
}
