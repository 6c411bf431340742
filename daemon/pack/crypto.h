/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The primitives: AES-256-GCM, HKDF-SHA256, HMAC-SHA256, SHA-256. The only
 * file that calls OpenSSL's ciphers. Failures leave nothing in OpenSSL's
 * per-thread error queue, where they would confuse a TLS connection.
 */
#ifndef MERSEY_PACK_CRYPTO_H
#define MERSEY_PACK_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pack/format.h"

#define PACK_AAD_SIZE 56u

/* What a sealed part of a pack is bound to: its place and its meaning. */
struct pack_bind {
	const struct pack_volume_id *volume;
	const struct pack_id *id;
	enum pack_domain domain;
	uint64_t counter;
	uint64_t plain_len;
	bool compressed;
	bool last;
};

/* Writes the nonce and the additional data that stand for `b` (S17). */
void pack_bind_encode(const struct pack_bind *b, uint8_t nonce[PACK_NONCE_SIZE],
		      uint8_t aad[PACK_AAD_SIZE]);

/* A key that seals; one thread at a time. */
struct pack_sealer;

/* NULL without memory. */
struct pack_sealer *pack_sealer_new(const uint8_t key[PACK_KEY_SIZE]);
/* Wipes the key; NULL is fine. */
void pack_sealer_free(struct pack_sealer *s);
DEFINE_GUARD(struct pack_sealer *, pack_sealer_free);

/*
 * Writes len sealed bytes and the tag (PACK_TAG_SIZE) to dst. dst is `plain`
 * itself or does not overlap it. The caller never gives one nonce twice.
 * 0 or -EIO.
 */
int pack_sealer_seal(struct pack_sealer *s,
		     const uint8_t nonce[PACK_NONCE_SIZE], const void *aad,
		     size_t aad_len, const void *plain, size_t len, void *dst);

/*
 * Opens len sealed bytes that are followed by their tag into dst, which is
 * `sealed` itself or does not overlap it. Uses a context of the thread, which
 * forgets the key. -EBADMSG: not authentic, dst holds zeros. -ENOMEM.
 */
int pack_aead_open(const uint8_t key[PACK_KEY_SIZE],
		   const uint8_t nonce[PACK_NONCE_SIZE], const void *aad,
		   size_t aad_len, const void *sealed, size_t len, void *dst);

/*
 * HKDF-SHA256 (RFC 5869) of a 32-byte key. The info is the label (without
 * its NUL) and info[0..info_len), at most 64 bytes. salt_len 0: no salt.
 * 0 or -EIO, -ENOMEM.
 */
int pack_hkdf(const uint8_t key[PACK_KEY_SIZE], const void *salt,
	      size_t salt_len, const char *label, const void *info,
	      size_t info_len, void *out, size_t out_len);

/* HMAC-SHA256. 0 or -EIO. */
int pack_hmac(const uint8_t key[PACK_KEY_SIZE], const void *p, size_t len,
	      uint8_t out[PACK_DIGEST_SIZE]);

/* SHA-256. 0 or -EIO. */
int pack_sha256(const void *p, size_t len, uint8_t out[PACK_DIGEST_SIZE]);

/* Compares in a time that does not depend on the bytes. */
bool pack_same_bytes(const void *a, const void *b, size_t n);

/* The bytes of pack_root_id(). */
int pack_root_id_bytes(const struct pack_root *root,
		       uint8_t out[PACK_ROOT_ID_SIZE]);

/* The eight bytes that start each kind of object; no NUL behind them. */
static inline void pack_put_magic(uint8_t *p, const char *magic)
{
	memcpy(p, magic, PACK_MAGIC_SIZE);
}

static inline bool pack_is_magic(const uint8_t *p, const char *magic)
{
	return memcmp(p, magic, PACK_MAGIC_SIZE) == 0;
}

/* Are all n bytes zero? (For reserved fields; not for secrets.) */
bool pack_all_zero(const void *p, size_t n);

#endif
