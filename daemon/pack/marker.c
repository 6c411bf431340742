/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volume marker. We are its only writer and write one shape, so it is
 * read by matching that shape byte by byte: no JSON parser meets bytes from
 * a bucket here.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/hex.h"
#include "pack/crypto.h"
#include "pack/scan.h"

struct marker {
	struct pack_volume_id volume;
	char created[SCAN_TIME_LEN + 1];
	uint8_t root_id[PACK_ROOT_ID_SIZE];
	uint8_t check[PACK_DIGEST_SIZE];
};

/* HMAC(key of the root for markers, volume id || creation time). */
static int marker_mac(const struct marker *m, const struct pack_root *root,
		      uint8_t out[PACK_DIGEST_SIZE])
{
	uint8_t text[sizeof(m->volume.b) + SCAN_TIME_LEN], key[PACK_KEY_SIZE];
	int rc;

	memcpy(text, m->volume.b, sizeof(m->volume.b));
	memcpy(text + sizeof(m->volume.b), m->created, SCAN_TIME_LEN);
	rc = pack_hkdf(root->key, NULL, 0, PACK_LABEL_MARKER, NULL, 0, key,
		       sizeof(key));
	if (rc == 0)
		rc = pack_hmac(key, text, sizeof(text), out);
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

int pack_marker_make(const struct pack_volume_id *volume,
		     const struct pack_root *root, struct buf *out)
{
	char vol[2 * sizeof(volume->b) + 1], id[2 * PACK_ROOT_ID_SIZE + 1];
	char check[2 * PACK_DIGEST_SIZE + 1], now[CLOCK_ISO_SIZE];
	struct marker m = { .volume = *volume };
	int rc;

	clock_iso(clock_wall_ns(), now);
	if (strlen(now) != SCAN_TIME_LEN)
		return -EINVAL; /* a clock beyond the year 9999 */
	memcpy(m.created, now, sizeof(m.created));
	rc = pack_root_id_bytes(root, m.root_id);
	if (rc == 0)
		rc = marker_mac(&m, root, m.check);
	if (rc < 0)
		return rc;
	hex_encode(volume->b, sizeof(volume->b), vol);
	hex_encode(m.root_id, sizeof(m.root_id), id);
	hex_encode(m.check, sizeof(m.check), check);
	return buf_addf(out,
			"{\"mersey\":1,\"volume\":\"%s\",\"created_at\":\"%s\","
			"\"root\":\"%s\",\"check\":\"%s\"}\n",
			vol, m.created, id, check);
}

/* ---- reading --------------------------------------------------------- */

static bool marker_parse(const void *p, size_t len, struct marker *m)
{
	struct scan s = { .p = p, .end = (const char *)p + len };

	return scan_text(&s, "{\"mersey\":1,\"volume\":\"") &&
	       scan_hex(&s, m->volume.b, sizeof(m->volume.b)) &&
	       scan_text(&s, "\",\"created_at\":\"") &&
	       scan_time(&s, m->created) && scan_text(&s, "\",\"root\":\"") &&
	       scan_hex(&s, m->root_id, sizeof(m->root_id)) &&
	       scan_text(&s, "\",\"check\":\"") &&
	       scan_hex(&s, m->check, sizeof(m->check)) &&
	       scan_text(&s, "\"}\n") && s.p == s.end;
}

static int marker_verify(const struct marker *m, const struct pack_root *root,
			 struct err *err)
{
	char theirs[2 * PACK_ROOT_ID_SIZE + 1], ours[17];
	uint8_t id[PACK_ROOT_ID_SIZE], check[PACK_DIGEST_SIZE];
	int rc = pack_root_id_bytes(root, id);

	if (rc == 0)
		rc = marker_mac(m, root, check);
	if (rc < 0)
		return fail(err, rc, "cannot check the volume marker: %m");
	if (CRYPTO_memcmp(check, m->check, sizeof(check)) == 0 &&
	    memcmp(id, m->root_id, sizeof(id)) == 0)
		return 0;
	if (memcmp(id, m->root_id, sizeof(id)) == 0)
		return fail(err, -EBADMSG, "the volume marker was altered");
	hex_encode(m->root_id, sizeof(m->root_id), theirs);
	hex_encode(id, sizeof(id), ours);
	fail(err, -EKEYREJECTED,
	     "the bucket was set up with root key %s, this one is %s", theirs,
	     ours);
	return fail_hint(err, -EKEYREJECTED,
			 "check bucket, prefix and key file of this trust");
}

int pack_marker_check(const void *p, size_t len, const struct pack_root *root,
		      struct pack_volume_id *out, struct err *err)
{
	struct marker m;
	int rc;

	if (!marker_parse(p, len, &m))
		return fail(err, -EBADMSG,
			    "not a volume marker of a known format");
	rc = marker_verify(&m, root, err);
	if (rc == 0)
		*out = m.volume;
	return rc;
}
