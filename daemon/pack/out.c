/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/out.h"

#include <errno.h>
#include <sys/mman.h>

/* Address space for a pack of the usual 16 MiB without moving. */
#define OUT_FIRST (32u << 20)
/* A pack up to this size has small pages, to take no more than it needs. */
#define OUT_SMALL (2u << 20)

static int out_map(struct pack_out *o, size_t cap)
{
	void *p;

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
	if (o->data)
		munmap(o->data, o->cap);
	*o = (struct pack_out){ 0 };
}
