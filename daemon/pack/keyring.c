/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generation keys: in memory, sorted by generation, and wrapped by a root
 * key in key objects. The wrapping key is derived from the root key with a
 * salt of its own for each object, so its one nonce may be fixed (zero).
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/secret.h"
#include "pack/crypto.h"

/* More generations than any volume has; bounds the memory. */
#define KEYRING_MAX (1u << 20)

struct gen_key {
	uint32_t gen;
	uint8_t key[PACK_KEY_SIZE];
};

struct pack_keyring {
	struct pack_volume_id volume;
	pthread_mutex_t lock; /* guards what follows; no I/O under it */
	struct gen_key *key;  /* ascending by gen */
	size_t n;
	size_t cap;
};

static const uint8_t wrap_nonce[PACK_NONCE_SIZE];

struct pack_keyring *pack_keyring_new(const struct pack_volume_id *volume)
{
	struct pack_keyring *kr = calloc(1, sizeof(*kr));

	if (!kr)
		return NULL;
	kr->volume = *volume;
	pthread_mutex_init(&kr->lock, NULL);
	return kr;
}

void pack_keyring_free(struct pack_keyring *kr)
{
	if (!kr)
		return;
	secret_free(kr->key, kr->cap * sizeof(*kr->key));
	pthread_mutex_destroy(&kr->lock);
	free(kr);
}

const struct pack_volume_id *pack_keyring_volume(const struct pack_keyring *kr)
{
	return &kr->volume;
}

/* ---- the sorted array ------------------------------------------------ */

/* Where `gen` is, or would be. */
static size_t find_locked(const struct pack_keyring *kr, uint32_t gen)
{
	size_t lo = 0, hi = kr->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (kr->key[mid].gen < gen)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Not realloc(): it would leave keys behind in freed memory. */
static int grow_locked(struct pack_keyring *kr)
{
	size_t cap = kr->cap ? 2 * kr->cap : 16;
	struct gen_key *bigger;

	if (kr->n < kr->cap)
		return 0;
	if (kr->n >= KEYRING_MAX)
		return -ENOSPC;
	bigger = secret_alloc(cap * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	if (kr->n)
		memcpy(bigger, kr->key, kr->n * sizeof(*bigger));
	secret_free(kr->key, kr->cap * sizeof(*bigger));
	kr->key = bigger;
	kr->cap = cap;
	return 0;
}

/* 0 also when the same key is there; -EEXIST when another is. */
static int keyring_insert(struct pack_keyring *kr, const struct gen_key *gk)
{
	LOCK_SCOPE(&kr->lock);
	size_t i = find_locked(kr, gk->gen);
	int rc;

	if (i < kr->n && kr->key[i].gen == gk->gen)
		return CRYPTO_memcmp(kr->key[i].key, gk->key, PACK_KEY_SIZE)
			       ? -EEXIST
			       : 0;
	rc = grow_locked(kr);
	if (rc < 0)
		return rc;
	memmove(kr->key + i + 1, kr->key + i, (kr->n - i) * sizeof(*gk));
	kr->key[i] = *gk;
	kr->n++;
	return 0;
}

static bool keyring_get(struct pack_keyring *kr, uint32_t gen,
			struct gen_key *out)
{
	LOCK_SCOPE(&kr->lock);
	size_t i = find_locked(kr, gen);

	if (i == kr->n || kr->key[i].gen != gen)
		return false;
	*out = kr->key[i];
	return true;
}

uint32_t pack_keyring_newest(const struct pack_keyring *kr)
{
	/* The lock is not part of what the caller sees as constant. */
	LOCK_SCOPE((pthread_mutex_t *)&kr->lock);

	return kr->n ? kr->key[kr->n - 1].gen : 0;
}

/* ---- key objects ----------------------------------------------------- */

static int wrap_key(const struct pack_root *root, const uint8_t *object,
		    uint8_t out[PACK_KEY_SIZE])
{
	return pack_hkdf(root->key, object + KEYOBJ_SALT, PACK_SALT_SIZE,
			 PACK_LABEL_WRAP, object + KEYOBJ_VOLUME,
			 sizeof(struct pack_volume_id), out, PACK_KEY_SIZE);
}

/* All but the wrapped key and its tag: that part is the additional data. */
static int key_object_head(const struct pack_keyring *kr,
			   const struct pack_root *root, uint32_t gen,
			   uint8_t object[PACK_KEY_OBJECT_SIZE])
{
	int rc;

	memset(object, 0, PACK_KEY_OBJECT_SIZE);
	pack_put_magic(object, PACK_KEY_MAGIC);
	put_le16(object + KEYOBJ_VERSION, PACK_VERSION);
	put_le32(object + KEYOBJ_GENERATION, gen);
	memcpy(object + KEYOBJ_VOLUME, kr->volume.b, sizeof(kr->volume.b));
	rc = pack_root_id_bytes(root, object + KEYOBJ_ROOT_ID);
	if (rc < 0)
		return rc;
	return io_random(object + KEYOBJ_SALT, PACK_SALT_SIZE);
}

static int key_object_wrap(const struct pack_keyring *kr,
			   const struct pack_root *root,
			   const struct gen_key *gk,
			   uint8_t object[PACK_KEY_OBJECT_SIZE])
{
	CLEANUP(pack_sealer_free_guard) struct pack_sealer *s = NULL;
	uint8_t key[PACK_KEY_SIZE];
	int rc = key_object_head(kr, root, gk->gen, object);

	if (rc == 0)
		rc = wrap_key(root, object, key);
	if (rc < 0)
		return rc;
	s = pack_sealer_new(key);
	OPENSSL_cleanse(key, sizeof(key));
	if (!s)
		return -ENOMEM;
	return pack_sealer_seal(s, wrap_nonce, object, KEYOBJ_WRAPPED, gk->key,
				PACK_KEY_SIZE, object + KEYOBJ_WRAPPED);
}

static int create(struct pack_keyring *kr, const struct pack_root *root,
		  struct gen_key *gk, struct buf *object)
{
	uint8_t bytes[PACK_KEY_OBJECT_SIZE];
	struct gen_key old;
	int rc = buf_reserve(object, sizeof(bytes));

	if (rc < 0)
		return rc;
	if (keyring_get(kr, gk->gen, &old)) {
		OPENSSL_cleanse(&old, sizeof(old));
		return -EEXIST;
	}
	rc = io_random(gk->key, sizeof(gk->key));
	if (rc == 0)
		rc = key_object_wrap(kr, root, gk, bytes);
	if (rc == 0)
		rc = keyring_insert(kr, gk);
	if (rc == 0)
		rc = buf_add(object, bytes, sizeof(bytes)); /* has room */
	return rc;
}

int pack_keyring_create(struct pack_keyring *kr, const struct pack_root *root,
			uint32_t gen, struct buf *object)
{
	struct gen_key gk = { .gen = gen };
	int rc;

	if (gen == 0)
		return -EINVAL;
	rc = create(kr, root, &gk, object);
	OPENSSL_cleanse(&gk, sizeof(gk));
	return rc;
}

/* Shape only: nothing is authenticated yet. */
static int key_object_shape(const uint8_t *o, size_t len, struct err *err)
{
	if (len != PACK_KEY_OBJECT_SIZE || !pack_is_magic(o, PACK_KEY_MAGIC))
		return fail(err, -EBADMSG, "not a key object");
	if (get_le16(o + KEYOBJ_VERSION) != PACK_VERSION)
		return fail(err, -EBADMSG,
			    "key object of format %u; this program knows %u",
			    get_le16(o + KEYOBJ_VERSION), PACK_VERSION);
	if (!pack_all_zero(o + KEYOBJ_ZERO1, 2) ||
	    !pack_all_zero(o + KEYOBJ_ZERO2, 8) ||
	    get_le32(o + KEYOBJ_GENERATION) == 0)
		return fail(err, -EBADMSG, "the key object is damaged");
	return 0;
}

static int key_object_ours(const struct pack_keyring *kr,
			   const struct pack_root *root, const uint8_t *o,
			   struct err *err)
{
	char theirs[2 * PACK_ROOT_ID_SIZE + 1], ours[17];
	uint8_t id[PACK_ROOT_ID_SIZE];
	int rc;

	if (memcmp(o + KEYOBJ_VOLUME, kr->volume.b, sizeof(kr->volume.b)) != 0)
		return fail(err, -EBADMSG,
			    "the key object belongs to another volume");
	rc = pack_root_id_bytes(root, id);
	if (rc < 0)
		return fail(err, rc, "cannot derive the root key's id: %m");
	if (memcmp(o + KEYOBJ_ROOT_ID, id, sizeof(id)) == 0)
		return 0;
	hex_encode(o + KEYOBJ_ROOT_ID, PACK_ROOT_ID_SIZE, theirs);
	hex_encode(id, sizeof(id), ours);
	return fail(err, -EBADMSG,
		    "the key object is wrapped by another root key: %s, "
		    "this one is %s",
		    theirs, ours);
}

static int key_object_unwrap(const struct pack_root *root, const uint8_t *o,
			     struct gen_key *gk)
{
	uint8_t key[PACK_KEY_SIZE];
	int rc = wrap_key(root, o, key);

	if (rc < 0)
		return rc;
	gk->gen = get_le32(o + KEYOBJ_GENERATION);
	rc = pack_aead_open(key, wrap_nonce, o, KEYOBJ_WRAPPED,
			    o + KEYOBJ_WRAPPED, PACK_KEY_SIZE, gk->key);
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

int pack_keyring_add(struct pack_keyring *kr, const struct pack_root *root,
		     const void *object, size_t len, struct err *err)
{
	struct gen_key gk = { 0 };
	uint32_t gen;
	int rc;

	rc = key_object_shape(object, len, err);
	if (rc == 0)
		rc = key_object_ours(kr, root, object, err);
	if (rc < 0)
		return rc;
	rc = key_object_unwrap(root, object, &gk);
	if (rc < 0) {
		OPENSSL_cleanse(&gk, sizeof(gk));
		return rc == -EBADMSG
			       ? fail(err, rc, "the key object is damaged")
			       : fail(err, rc,
				      "cannot open the key object: %m");
	}
	gen = gk.gen;
	rc = keyring_insert(kr, &gk);
	OPENSSL_cleanse(&gk, sizeof(gk));
	if (rc == -EEXIST)
		return fail(err, rc, "generation %u has two different keys",
			    gen);
	if (rc < 0)
		return fail(err, rc, "cannot keep the key: %m");
	return 0;
}

int pack_key_object_volume(const void *object, size_t len,
			   struct pack_volume_id *out)
{
	int rc = key_object_shape(object, len, NULL);

	if (rc == 0)
		memcpy(out->b, (const uint8_t *)object + KEYOBJ_VOLUME,
		       sizeof(out->b));
	return rc;
}

void pack_key_object_name(uint32_t gen, const struct pack_root *root,
			  char out[PACK_NAME_SIZE])
{
	char id[17];

	pack_root_id(root, id);
	snprintf(out, PACK_NAME_SIZE, "keys/%08x-%s", gen, id);
}

/* ---- data keys ------------------------------------------------------- */

int pack_key_derive(struct pack_keyring *kr, uint32_t gen,
		    const uint8_t salt[PACK_SALT_SIZE],
		    const struct pack_id *id, struct pack_key *out)
{
	uint8_t info[sizeof(kr->volume) + PACK_ID_SIZE];
	struct gen_key gk;
	int rc;

	if (!keyring_get(kr, gen, &gk))
		return -ENOKEY;
	memcpy(info, kr->volume.b, sizeof(kr->volume));
	memcpy(info + sizeof(kr->volume), id->b, PACK_ID_SIZE);
	rc = pack_hkdf(gk.key, salt, PACK_SALT_SIZE, PACK_LABEL_DATA, info,
		       sizeof(info), out->key, PACK_KEY_SIZE);
	OPENSSL_cleanse(&gk, sizeof(gk));
	if (rc < 0)
		return rc;
	out->volume = kr->volume;
	out->id = *id;
	return 0;
}

void pack_key_done(struct pack_key *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}
