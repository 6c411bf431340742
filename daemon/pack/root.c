/* SPDX-License-Identifier: Apache-2.0 */
/* The trust's root key: the text of its file, and its public name. */
#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/hex.h"
#include "base/io.h"
#include "pack/crypto.h"

#define ROOT_PREFIX	"mersey-root-key-1 "
#define ROOT_PREFIX_LEN (sizeof(ROOT_PREFIX) - 1)
#define ROOT_CHECK_SIZE 4u
#define ROOT_KEY_DIGITS (2 * PACK_KEY_SIZE)
/* Without the newline. */
#define ROOT_TEXT_LEN \
	(ROOT_PREFIX_LEN + ROOT_KEY_DIGITS + 1 + 2 * ROOT_CHECK_SIZE)

void pack_root_done(struct pack_root *root)
{
	OPENSSL_cleanse(root, sizeof(*root));
}

static int root_check(const struct pack_root *root,
		      uint8_t out[ROOT_CHECK_SIZE])
{
	uint8_t digest[PACK_DIGEST_SIZE];
	int rc = pack_sha256(root->key, sizeof(root->key), digest);

	if (rc < 0)
		return rc;
	memcpy(out, digest, ROOT_CHECK_SIZE);
	OPENSSL_cleanse(digest, sizeof(digest));
	return 0;
}

/* Exactly n bytes from 2n digits at s; hex_decode() wants a NUL behind. */
static int root_hex(const char *s, uint8_t *out, size_t n)
{
	char digits[ROOT_KEY_DIGITS + 1];
	int rc;

	memcpy(digits, s, 2 * n);
	digits[2 * n] = '\0';
	rc = hex_decode(digits, out, n);
	OPENSSL_cleanse(digits, sizeof(digits));
	return rc;
}

static int root_not_one(struct err *err)
{
	fail(err, -EINVAL, "not a Mersey root key");
	return fail_hint(err, -EINVAL,
			 "a key file is one line: \"mersey-root-key-1\", 64 "
			 "hexadecimal digits, 8 check digits");
}

static int root_parse(const char *text, struct pack_root *out, struct err *err)
{
	const char *key = text + ROOT_PREFIX_LEN;
	const char *check = key + ROOT_KEY_DIGITS + 1;
	uint8_t want[ROOT_CHECK_SIZE], have[ROOT_CHECK_SIZE];
	int rc;

	if (memcmp(text, ROOT_PREFIX, ROOT_PREFIX_LEN) != 0 ||
	    check[-1] != ' ' || root_hex(key, out->key, PACK_KEY_SIZE) < 0 ||
	    root_hex(check, want, ROOT_CHECK_SIZE) < 0)
		return root_not_one(err);
	rc = root_check(out, have);
	if (rc < 0)
		return fail(err, rc, "cannot check the root key: %m");
	if (memcmp(want, have, sizeof(want)) == 0)
		return 0;
	fail(err, -EINVAL, "the root key does not fit its check digits");
	return fail_hint(err, -EINVAL,
			 "compare each digit with the recovery sheet");
}

int pack_root_parse(const char *text, size_t len, struct pack_root *out,
		    struct err *err)
{
	struct pack_root root;
	int rc;

	/* An editor may have added a line end of its own kind. */
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (len != ROOT_TEXT_LEN)
		return root_not_one(err);
	rc = root_parse(text, &root, err);
	if (rc == 0)
		*out = root;
	pack_root_done(&root);
	return rc;
}

int pack_root_new(struct pack_root *out, struct buf *text)
{
	char digits[ROOT_KEY_DIGITS + 1], check_digits[2 * ROOT_CHECK_SIZE + 1];
	uint8_t check[ROOT_CHECK_SIZE];
	struct pack_root root;
	int rc;

	/* First, so that growing leaves no copy of the key behind. */
	rc = buf_reserve(text, ROOT_TEXT_LEN + 2);
	if (rc == 0)
		rc = io_random(root.key, sizeof(root.key));
	if (rc == 0)
		rc = root_check(&root, check);
	if (rc == 0) {
		hex_encode(root.key, sizeof(root.key), digits);
		hex_encode(check, sizeof(check), check_digits);
		rc = buf_addf(text, ROOT_PREFIX "%s %s\n", digits,
			      check_digits);
		OPENSSL_cleanse(digits, sizeof(digits));
	}
	if (rc == 0)
		*out = root;
	pack_root_done(&root);
	return rc;
}

int pack_root_id_bytes(const struct pack_root *root,
		       uint8_t out[PACK_ROOT_ID_SIZE])
{
	return pack_hkdf(root->key, NULL, 0, PACK_LABEL_ROOT, NULL, 0, out,
			 PACK_ROOT_ID_SIZE);
}

void pack_root_id(const struct pack_root *root, char out[17])
{
	uint8_t id[PACK_ROOT_ID_SIZE];

	if (pack_root_id_bytes(root, id) < 0)
		memset(id, 0, sizeof(id)); /* matches no key */
	hex_encode(id, sizeof(id), out);
}
