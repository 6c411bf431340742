/* SPDX-License-Identifier: Apache-2.0 */
/* Names and data keys of the packs that were read from lately. */
#include "move/impl.h"

#include <stdio.h>
#include <string.h>

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

static bool keys_find(struct move_keys *k, uint64_t row, struct move_key *out)
{
	size_t i;

	LOCK_SCOPE(&k->lock);
	for (i = 0; i < KEYS_MAX; i++) {
		if (k->key[i].row != row)
			continue;
		k->key[i].used = ++k->clock;
		*out = k->key[i];
		return true;
	}
	return false;
}

static void keys_add(struct move_keys *k, const struct move_key *key)
{
	size_t i, oldest = 0;

	LOCK_SCOPE(&k->lock);
	for (i = 1; i < KEYS_MAX; i++)
		if (k->key[i].used < k->key[oldest].used)
			oldest = i;
	pack_key_done(&k->key[oldest].key);
	k->key[oldest] = *key;
	k->key[oldest].used = ++k->clock;
}

/* A pack's row never changes in what is needed here. */
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
	return pack_key_derive(mv->kr, pack.generation, pack.salt, &id,
			       &out->key);
}

int keys_get(struct move *mv, uint64_t row, struct move_key *out)
{
	int rc;

	if (keys_find(&mv->keys, row, out))
		return 0;
	rc = keys_load(mv, row, out);
	if (rc == 0)
		keys_add(&mv->keys, out);
	return rc;
}
