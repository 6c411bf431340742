/* SPDX-License-Identifier: Apache-2.0 */
/* Names, tiers and data keys of the packs that were read from lately. */
#include "move/impl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

void keys_init(struct move_keys *k)
{
	pthread_mutex_init(&k->lock, NULL);
}

void keys_done(struct move_keys *k)
{
	size_t i;

	for (i = 0; i < KEYS_MAX; i++)
		pack_key_done(&k->key[i].key);
	pthread_mutex_destroy(&k->lock);
}

/* *moved: see keys_add(). */
static bool keys_find(struct move_keys *k, uint64_t row, struct move_key *out,
		      uint64_t *moved)
{
	size_t i;

	LOCK_SCOPE(&k->lock);
	*moved = k->moved;
	for (i = 0; i < KEYS_MAX; i++) {
		if (k->key[i].row != row)
			continue;
		k->key[i].used = ++k->clock;
		*out = k->key[i];
		return true;
	}
	return false;
}

/* Remembers what was read, unless a pack has moved since. */
static void keys_add(struct move_keys *k, const struct move_key *key,
		     uint64_t moved)
{
	size_t i, oldest = 0;

	LOCK_SCOPE(&k->lock);
	if (k->moved != moved)
		return;
	for (i = 1; i < KEYS_MAX; i++)
		if (k->key[i].used < k->key[oldest].used)
			oldest = i;
	pack_key_done(&k->key[oldest].key);
	k->key[oldest] = *key;
	k->key[oldest].used = ++k->clock;
}

static int keys_load(struct move *mv, uint64_t row, struct move_key *out)
{
	struct meta_pack pack = { 0 };
	struct pack_id id;
	META_TXN(t);
	int rc = meta_read(mv->m, &t);

	if (rc == 0)
		rc = meta_pack_get(&t, row, &pack);
	meta_abort(&t);
	if (rc == -ENOENT) /* an extent names it; not "no such file" (P6) */
		return -EUCLEAN;
	if (rc < 0)
		return rc;
	_Static_assert(sizeof(id.b) == sizeof(pack.id), "pack id");
	memcpy(id.b, pack.id, sizeof(id.b));
	memset(out, 0, sizeof(*out));
	out->row = row;
	out->study = pack.study;
	snprintf(out->object, sizeof(out->object), "%s", pack.object);
	out->tier = tier_find(mv, pack.tier);
	out->guess = out->tier < 0 && mv->s.n_tiers == 1;
	if (out->tier < 0)
		log_warn("object '%s' lies in tier '%s', which is not "
			 "configured%s",
			 pack.object, pack.tier,
			 out->guess ? ": it is looked for in the only one that "
				      "is"
				    : "");
	if (out->guess)
		out->tier = 0;
	return pack_key_derive(mv->kr, pack.generation, pack.salt, &id,
			       &out->key);
}

int keys_get(struct move *mv, uint64_t row, struct move_key *out)
{
	uint64_t moved;
	int rc;

	if (keys_find(&mv->keys, row, out, &moved))
		return 0;
	rc = keys_load(mv, row, out);
	if (rc == 0)
		keys_add(&mv->keys, out, moved);
	return rc;
}

int keys_moved(struct move *mv, struct move_key *key)
{
	CLEANUP(move_key_wipe) struct move_key now = { 0 };
	int rc = keys_get(mv, key->row, &now);

	if (rc < 0)
		return rc;
	if (now.tier == key->tier && strcmp(now.object, key->object) == 0)
		return 0;
	*key = now;
	return 1;
}

void keys_forget(struct move *mv, uint64_t row)
{
	struct move_keys *k = &mv->keys;
	size_t i;

	LOCK_SCOPE(&k->lock);
	k->moved++;
	for (i = 0; i < KEYS_MAX; i++) {
		if (k->key[i].row != row)
			continue;
		pack_key_done(&k->key[i].key);
		k->key[i] = (struct move_key){ 0 };
	}
}
