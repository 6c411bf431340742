/* SPDX-License-Identifier: Apache-2.0 */
/* The object itself, and what the kernel must forget. */
#include "vfs/impl.h"

#include <stdlib.h>

int vfs_new(const struct vfs_opts *o, struct meta *m, struct cache *c,
	    struct move *mv, struct vfs **out)
{
	struct vfs *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	v->meta = m;
	v->cache = c;
	v->move = mv;
	v->no_atime = o->no_atime;
	pthread_mutex_init(&v->hook_lock, NULL);
	rc = handles_init(&v->handles, o->handles_max);
	if (rc < 0) {
		vfs_free(v);
		return rc;
	}
	move_on_reap(mv, handles_open, v);
	*out = v;
	return 0;
}

void vfs_counts(struct vfs *v, struct vfs_counts *out)
{
	*out = (struct vfs_counts){
		.reads_hit = atomic_load(&v->reads_hit),
		.reads_missed = atomic_load(&v->reads_missed),
		.opens_passed = atomic_load(&v->opens_passed),
		.opens_served = atomic_load(&v->opens_served),
	};
}

void vfs_free(struct vfs *v)
{
	if (!v)
		return;
	move_on_reap(v->move, NULL, NULL);
	handles_done(v);
	pthread_mutex_destroy(&v->hook_lock);
	free(v);
}

void vfs_on_invalidate(struct vfs *v, void (*fn)(void *arg, uint64_t ino),
		       void *arg)
{
	LOCK_SCOPE(&v->hook_lock);
	v->hook = fn;
	v->hook_arg = arg;
}

void vfs_invalidate(struct vfs *v, uint64_t ino)
{
	void (*fn)(void *arg, uint64_t ino);
	void *arg;

	pthread_mutex_lock(&v->hook_lock);
	fn = v->hook;
	arg = v->hook_arg;
	pthread_mutex_unlock(&v->hook_lock);
	/* Not under the lock: the kernel may wait for a read to end. */
	if (fn)
		fn(arg, ino);
}
