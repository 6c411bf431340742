/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/crypto.h"

#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "base/bytes.h"

#define HKDF_INFO_MAX 128

static const uint8_t zeros[PACK_KEY_SIZE];

/* Returns rc, with the thread's OpenSSL error queue empty. */
static int crypto_fail(int rc)
{
	ERR_clear_error();
	return rc;
}

bool pack_all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n && *b == 0) {
		b++;
		n--;
	}
	return n == 0;
}

bool pack_same_bytes(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void pack_bind_encode(const struct pack_bind *b, uint8_t nonce[PACK_NONCE_SIZE],
		      uint8_t aad[PACK_AAD_SIZE])
{
	put_le32(nonce, b->domain);
	put_le64(nonce + 4, b->counter);
	put_le16(aad, PACK_VERSION);
	aad[2] = b->compressed ? 1 : 0;
	aad[3] = b->last ? 1 : 0;
	put_le32(aad + 4, b->domain);
	put_le64(aad + 8, b->counter);
	memcpy(aad + 16, b->volume->b, sizeof(b->volume->b));
	memcpy(aad + 32, b->id->b, sizeof(b->id->b));
	put_le64(aad + 48, b->plain_len);
}

/* ---- sealing --------------------------------------------------------- */

/* struct pack_sealer is OpenSSL's context by another name. */
static EVP_CIPHER_CTX *sealer_ctx(struct pack_sealer *s)
{
	return (EVP_CIPHER_CTX *)s;
}

struct pack_sealer *pack_sealer_new(const uint8_t key[PACK_KEY_SIZE])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx &&
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, NULL) == 1)
		return (struct pack_sealer *)ctx;
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return NULL;
}

void pack_sealer_free(struct pack_sealer *s)
{
	EVP_CIPHER_CTX_free(sealer_ctx(s)); /* cleanses the key schedule */
}

int pack_sealer_seal(struct pack_sealer *s,
		     const uint8_t nonce[PACK_NONCE_SIZE], const void *aad,
		     size_t aad_len, const void *plain, size_t len, void *dst)
{
	EVP_CIPHER_CTX *ctx = sealer_ctx(s);
	uint8_t *out = dst;
	int n = 0;

	if (len > INT_MAX || aad_len > INT_MAX)
		return -EINVAL;
	if (EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) != 1)
		return crypto_fail(-EIO);
	if (len && EVP_EncryptUpdate(ctx, out, &n, plain, (int)len) != 1)
		return crypto_fail(-EIO);
	if (EVP_EncryptFinal_ex(ctx, out + len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, PACK_TAG_SIZE,
				out + len) != 1)
		return crypto_fail(-EIO);
	return 0;
}

/* ---- opening --------------------------------------------------------- */

/*
 * One context per thread, made at its first use and freed when it ends: an
 * allocation for each frame would be a tenth of the work.
 */
static pthread_key_t open_slot;
static pthread_once_t open_once = PTHREAD_ONCE_INIT;
static bool open_slot_ok;

static void open_free(void *ctx)
{
	EVP_CIPHER_CTX_free(ctx);
}

static void open_make_slot(void)
{
	open_slot_ok = pthread_key_create(&open_slot, open_free) == 0;
}

static EVP_CIPHER_CTX *open_ctx(void)
{
	EVP_CIPHER_CTX *ctx;

	pthread_once(&open_once, open_make_slot);
	if (!open_slot_ok)
		return NULL;
	ctx = pthread_getspecific(open_slot);
	if (ctx)
		return ctx;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx &&
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
	    pthread_setspecific(open_slot, ctx) == 0)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static bool open_with(EVP_CIPHER_CTX *ctx, const uint8_t *nonce,
		      const void *aad, size_t aad_len, const uint8_t *sealed,
		      size_t len, uint8_t *dst)
{
	uint8_t tag[PACK_TAG_SIZE], end[PACK_TAG_SIZE];
	int n = 0;

	memcpy(tag, sealed + len, sizeof(tag)); /* dst may be sealed */
	if (EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_len) != 1)
		return false;
	if (len && EVP_DecryptUpdate(ctx, dst, &n, sealed, (int)len) != 1)
		return false;
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, PACK_TAG_SIZE,
				   tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, end, &n) == 1;
}

int pack_aead_open(const uint8_t key[PACK_KEY_SIZE],
		   const uint8_t nonce[PACK_NONCE_SIZE], const void *aad,
		   size_t aad_len, const void *sealed, size_t len, void *dst)
{
	EVP_CIPHER_CTX *ctx;
	bool ok;

	if (len > INT_MAX || aad_len > INT_MAX)
		return -EBADMSG;
	ctx = open_ctx();
	if (!ctx)
		return crypto_fail(-ENOMEM);
	ok = EVP_DecryptInit_ex(ctx, NULL, NULL, key, NULL) == 1 &&
	     open_with(ctx, nonce, aad, aad_len, sealed, len, dst);
	/* The context lives on; the key in it does not. */
	if (EVP_DecryptInit_ex(ctx, NULL, NULL, zeros, NULL) != 1)
		ok = false;
	if (ok)
		return 0;
	if (len)
		memset(dst, 0, len); /* what came out was not authentic */
	return crypto_fail(-EBADMSG);
}

/* ---- hashes and derivation ------------------------------------------- */

/* Fills params for one HKDF call; what they point to outlives them. */
static void hkdf_params(OSSL_PARAM *p, const uint8_t *key, const void *salt,
			size_t salt_len, const void *info, size_t info_len)
{
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						(char *)"SHA256", 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						 (void *)key, PACK_KEY_SIZE);
	if (salt_len)
		*p++ = OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SALT, (void *)salt, salt_len);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
						 (void *)info, info_len);
	*p = OSSL_PARAM_construct_end();
}

int pack_hkdf(const uint8_t key[PACK_KEY_SIZE], const void *salt,
	      size_t salt_len, const char *label, const void *info,
	      size_t info_len, void *out, size_t out_len)
{
	size_t label_len = strlen(label);
	uint8_t all[HKDF_INFO_MAX], *end;
	OSSL_PARAM params[5];
	EVP_KDF *kdf;
	EVP_KDF_CTX *ctx;
	bool ok;

	if (label_len > sizeof(all) - 64 || info_len > 64)
		return -EINVAL;
	end = mempcpy(all, label, label_len);
	if (info_len)
		end = mempcpy(end, info, info_len);
	hkdf_params(params, key, salt, salt_len, all, (size_t)(end - all));
	kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	ok = ctx && EVP_KDF_derive(ctx, out, out_len, params) == 1;
	EVP_KDF_CTX_free(ctx); /* cleanses its copy of the key */
	EVP_KDF_free(kdf);
	if (!ok)
		return crypto_fail(ctx ? -EIO : -ENOMEM);
	return 0;
}

int pack_hmac(const uint8_t key[PACK_KEY_SIZE], const void *p, size_t len,
	      uint8_t out[PACK_DIGEST_SIZE])
{
	unsigned int n = 0;

	if (!HMAC(EVP_sha256(), key, PACK_KEY_SIZE, p, len, out, &n) ||
	    n != PACK_DIGEST_SIZE)
		return crypto_fail(-EIO);
	return 0;
}

int pack_sha256(const void *p, size_t len, uint8_t out[PACK_DIGEST_SIZE])
{
	unsigned int n = 0;

	if (EVP_Digest(p, len, out, &n, EVP_sha256(), NULL) != 1 ||
	    n != PACK_DIGEST_SIZE)
		return crypto_fail(-EIO);
	return 0;
}
