/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the places of later tiers need: the marker of the volume and its key
 * objects, so that whoever has such a bucket and the root key can read what
 * lies there. All of it can be repeated: a tier may be added to a trust that
 * has been served for years.
 */
#ifndef MERSEY_MAIN_PLACE_H
#define MERSEY_MAIN_PLACE_H

#include "main/stack.h"
#include "pack/pack.h"

/*
 * Can the bucket do what is needed, and does it take the classes of the tiers
 * that lie there? *caps is what the store was seen to do.
 */
int place_check(const struct stack_place *p, const struct conf_trust *ct,
		struct store_caps *caps, struct err *err);

struct place_setup {
	struct store *from; /* the first place, which has marker and keys */
	const struct pack_volume_id *volume;
	const struct pack_root *root;
	/* The namespace names objects there: an empty bucket is the wrong one.
	 */
	bool named;
	bool create_only; /* the store keeps it */
};

/* Puts what is missing into a place that is empty, or this volume's already;
 * -EEXIST, -EREMCHG: it is neither, and nothing was changed. */
int place_setup(struct stack_place *p, const struct place_setup *in,
		struct err *err);

#endif
