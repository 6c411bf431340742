/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/out.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pack/pack.h"

/* Address space for a pack of the usual 16 MiB without moving. */
#define OUT_FIRST (32u << 20)
/* A pack up to this size has small pages, to take no more than it needs. */
#define OUT_SMALL (2u << 20)

/* No more than this is kept for the next. */
#define OUT_KEPT_MAX (64u << 20)

/* ---- what the last one left ------------------------------------------- */

static pthread_key_t kept_slot;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;
static bool kept_slot_ok;

static void kept_free(void *arg)
{
	struct pack_out *o = arg;

	munmap(o->data, o->cap);
	free(o);
}

static void kept_make_slot(void)
{
	kept_slot_ok = pthread_key_create(&kept_slot, kept_free) == 0;
}

/* The slot's content, which is no more there; NULL: nothing. */
static struct pack_out *kept_take(void)
{
	struct pack_out *o;

	pthread_once(&kept_once, kept_make_slot);
	o = kept_slot_ok ? pthread_getspecific(kept_slot) : NULL;
	if (o)
		pthread_setspecific(kept_slot, NULL);
	return o;
}

/* True: the memory is the slot's. */
static bool kept_put(const struct pack_out *o)
{
	struct pack_out *copy;

	pthread_once(&kept_once, kept_make_slot);
	if (!kept_slot_ok || !o->huge || o->cap > OUT_KEPT_MAX ||
	    pthread_getspecific(kept_slot))
		return false;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return false;
	*copy = *o;
	if (pthread_setspecific(kept_slot, copy) == 0)
		return true;
	free(copy);
	return false;
}

void pack_writers_rest(void)
{
	struct pack_out *o = kept_take();

	if (o)
		kept_free(o);
}

/* Takes over what the last one left. False: nothing that is enough. */
static bool out_again(struct pack_out *o, size_t cap)
{
	struct pack_out *kept = o->data ? NULL : kept_take();
	bool enough = kept && kept->cap >= cap;

	if (!kept)
		return false;
	if (enough) {
		kept->len = o->len;
		*o = *kept;
		free(kept);
	} else {
		kept_free(kept);
	}
	return enough;
}

/* ---- mapping ----------------------------------------------------------- */

static int out_map(struct pack_out *o, size_t cap)
{
	void *p;

	if (out_again(o, cap))
		return 0;
	if (o->data)
		p = mremap(o->data, o->cap, cap, MREMAP_MAYMOVE);
	else
		p = mmap(NULL, cap, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	o->data = p;
	o->cap = cap;
	return 0;
}

/*
 * The whole mapping is advised, not the part behind OUT_SMALL: mremap() does
 * not move a mapping that consists of two. Where the advice is not taken,
 * things are slower, no more.
 */
static void ask_huge(struct pack_out *o)
{
	(void)madvise(o->data, o->cap, MADV_HUGEPAGE);
	o->huge = true;
}

int pack_out_reserve(struct pack_out *o, size_t more)
{
	size_t cap = o->cap ? o->cap : OUT_FIRST;
	size_t want;
	int rc = 0;

	if (__builtin_add_overflow(o->len, more, &want))
		return -ENOMEM;
	while (cap < want)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			return -ENOMEM;
	if (cap != o->cap)
		rc = out_map(o, cap);
	if (rc == 0 && want > OUT_SMALL && !o->huge)
		ask_huge(o);
	return rc;
}

void pack_out_done(struct pack_out *o)
{
	if (o->data && !kept_put(o))
		munmap(o->data, o->cap);
	*o = (struct pack_out){ 0 };
}
