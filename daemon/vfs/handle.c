/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files and directories. The table is allocated once and never moves,
 * so a handle's address is good while a reference is held.
 */
#include "vfs/impl.h"

#include <stdlib.h>

#include "base/log.h"

#define NONE UINT32_MAX

static uint32_t bucket_of(const struct handles *hs, uint64_t ino)
{
	return (uint32_t)((ino * 0x9e3779b97f4a7c15ULL) >> 32) &
	       (hs->nbuckets - 1);
}

int handles_init(struct handles *hs, unsigned max)
{
	uint32_t i;

	pthread_mutex_init(&hs->lock, NULL);
	if (max == 0 || max > 1U << 24)
		return -EINVAL;
	for (hs->nbuckets = 16; hs->nbuckets < max; hs->nbuckets *= 2)
		;
	hs->n = max;
	hs->free = NONE;
	hs->tab = calloc(max, sizeof(*hs->tab));
	hs->bucket = malloc(hs->nbuckets * sizeof(*hs->bucket));
	if (!hs->tab || !hs->bucket)
		return -ENOMEM;
	for (i = 0; i < hs->nbuckets; i++)
		hs->bucket[i] = NONE;
	return 0;
}

static struct handle *place_take(struct handles *hs)
{
	struct handle *h;

	if (hs->free != NONE) {
		h = &hs->tab[hs->free];
		hs->free = h->next;
		return h;
	}
	if (hs->used == hs->n)
		return NULL;
	h = &hs->tab[hs->used++];
	pthread_mutex_init(&h->ra.lock, NULL);
	return h;
}

static uint32_t *bucket_find(struct handles *hs, struct handle *h)
{
	uint32_t me = (uint32_t)(h - hs->tab);
	uint32_t *at = &hs->bucket[bucket_of(hs, h->ino)];

	while (*at != me)
		at = &hs->tab[*at].next;
	return at;
}

static void bucket_add(struct handles *hs, struct handle *h, uint64_t ino)
{
	uint32_t *head = &hs->bucket[bucket_of(hs, ino)];

	h->ino = ino;
	h->next = *head;
	*head = (uint32_t)(h - hs->tab);
}

static void next_generation(struct handle *h)
{
	if (++h->generation == 0) /* 0 would make fh 0, "no handle" */
		h->generation = 1;
}

int handle_new(struct vfs *v, enum handle_kind kind, uint64_t ino,
	       struct handle **out, uint64_t *fh)
{
	struct handles *hs = &v->handles;
	struct handle *h;

	LOCK_SCOPE(&hs->lock);
	h = place_take(hs);
	if (!h)
		return -ENFILE;
	h->kind = kind;
	next_generation(h);
	h->refs = 1;
	h->unlinked = false;
	h->tmpfile = false;
	h->f = NULL;
	h->writable = false;
	h->passed = false;
	h->pass = (struct cache_pass){ 0 };
	h->atime_due = false;
	h->plain = 0;
	h->last = 0;
	ahead_reset(&h->ra);
	h->refused_ns = 0;
	bucket_add(hs, h, ino);
	*out = h;
	*fh = (uint64_t)h->generation << 32 | (uint32_t)(h - hs->tab);
	return 0;
}

void handle_set_ino(struct vfs *v, struct handle *h, uint64_t ino)
{
	struct handles *hs = &v->handles;

	LOCK_SCOPE(&hs->lock);
	*bucket_find(hs, h) = h->next;
	bucket_add(hs, h, ino);
}

/* The first handle of an inode that `only_tmpfile` lets pass. */
static struct handle *find_ino_locked(struct handles *hs, uint64_t ino,
				      bool only_tmpfile)
{
	uint32_t i;

	for (i = hs->bucket[bucket_of(hs, ino)]; i != NONE; i = hs->tab[i].next)
		if (hs->tab[i].ino == ino &&
		    (hs->tab[i].tmpfile || !only_tmpfile))
			return &hs->tab[i];
	return NULL;
}

bool handles_open(void *vfs, uint64_t ino)
{
	struct handles *hs = &((struct vfs *)vfs)->handles;

	LOCK_SCOPE(&hs->lock);
	return find_ino_locked(hs, ino, false) != NULL;
}

struct handle *handle_get_tmpfile(struct vfs *v, uint64_t ino)
{
	struct handle *h;

	LOCK_SCOPE(&v->handles.lock);
	h = find_ino_locked(&v->handles, ino, true);
	if (!h || h->refs == 0) /* it is being closed */
		return NULL;
	h->refs++;
	return h;
}

void handles_suspect(struct vfs *v, uint64_t ino)
{
	struct handles *hs = &v->handles;
	uint32_t i;

	LOCK_SCOPE(&hs->lock);
	for (i = hs->bucket[bucket_of(hs, ino)]; i != NONE; i = hs->tab[i].next)
		if (hs->tab[i].ino == ino)
			hs->tab[i].plain = 0;
}

/* The handle that fh names, or NULL. Caller holds the lock. */
static struct handle *find_locked(struct handles *hs, uint64_t fh,
				  enum handle_kind kind)
{
	uint32_t index = (uint32_t)fh;
	struct handle *h;

	if (index >= hs->used)
		return NULL;
	h = &hs->tab[index];
	if (h->kind != kind || h->generation != fh >> 32)
		return NULL;
	return h;
}

struct handle *handle_get(struct vfs *v, uint64_t fh, enum handle_kind kind)
{
	struct handle *h;

	LOCK_SCOPE(&v->handles.lock);
	h = find_locked(&v->handles, fh, kind);
	if (h)
		h->refs++;
	return h;
}

/* Takes the handle off its inode's chain; true: reap may look at the inode,
 * this was the last handle of one without a name. */
static bool chain_leave(struct handles *hs, struct handle *h)
{
	LOCK_SCOPE(&hs->lock);
	*bucket_find(hs, h) = h->next;
	return h->unlinked && !find_ino_locked(hs, h->ino, false);
}

/* Nobody has a reference any more. */
static void handle_end(struct vfs *v, struct handle *h)
{
	struct handles *hs = &v->handles;
	int rc;

	if (h->passed)
		cache_pass_end(h->f, &h->pass);
	if (h->f) {
		rc = cache_release(h->f, h->writable);
		if (rc < 0) /* close(2) was answered long ago */
			log_err("closing inode %llu: %s",
				(unsigned long long)h->ino, errno_name(rc));
		cache_put(take(h->f));
	}
	if (chain_leave(hs, h))
		move_reap_soon(v->move);
	LOCK_SCOPE(&hs->lock);
	h->kind = HANDLE_FREE;
	h->next = hs->free;
	hs->free = (uint32_t)(h - hs->tab);
}

void handle_put(struct vfs *v, struct handle *h)
{
	bool last;

	pthread_mutex_lock(&v->handles.lock);
	last = --h->refs == 0;
	pthread_mutex_unlock(&v->handles.lock);
	if (last)
		handle_end(v, h);
}

int handle_close(struct vfs *v, uint64_t fh, enum handle_kind kind)
{
	struct handle *h;

	pthread_mutex_lock(&v->handles.lock);
	h = find_locked(&v->handles, fh, kind);
	if (h)
		next_generation(h); /* the fh is stale from here on */
	pthread_mutex_unlock(&v->handles.lock);
	if (!h)
		return -EBADF;
	handle_put(v, h);
	return 0;
}

void handles_done(struct vfs *v)
{
	struct handles *hs = &v->handles;
	uint32_t i;

	for (i = 0; i < hs->used; i++) {
		if (hs->tab[i].kind != HANDLE_FREE)
			handle_end(v, &hs->tab[i]);
		pthread_mutex_destroy(&hs->tab[i].ra.lock);
	}
	free(hs->tab);
	free(hs->bucket);
	pthread_mutex_destroy(&hs->lock);
}

void vfs_gone(struct vfs *v, uint64_t ino)
{
	struct handles *hs = &v->handles;
	bool open = false;
	uint32_t i;

	pthread_mutex_lock(&hs->lock);
	for (i = hs->bucket[bucket_of(hs, ino)]; i != NONE; i = hs->tab[i].next)
		if (hs->tab[i].ino == ino) {
			hs->tab[i].unlinked = true;
			open = true;
		}
	pthread_mutex_unlock(&hs->lock);
	if (!open)
		move_reap_soon(v->move);
}
