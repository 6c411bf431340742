/* SPDX-License-Identifier: Apache-2.0 */
/* Claims: written in one shape and read by matching it, as the marker is. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/hex.h"
#include "pack/crypto.h"
#include "pack/scan.h"

void pack_claim_name(uint32_t gen, char out[PACK_CLAIM_NAME_SIZE])
{
	snprintf(out, PACK_CLAIM_NAME_SIZE, PACK_CLAIM_PREFIX "%08x", gen);
}

uint32_t pack_name_generation(const char *key)
{
	struct scan s = { .p = key, .end = key + strlen(key) };
	bool claim = scan_text(&s, PACK_CLAIM_PREFIX);
	uint8_t gen[4];

	if (!claim && !scan_text(&s, "packs/"))
		return 0;
	if (!scan_hex(&s, gen, sizeof(gen)) ||
	    (claim ? s.p != s.end : !scan_text(&s, "-")))
		return 0;
	return (uint32_t)gen[0] << 24 | (uint32_t)gen[1] << 16 |
	       (uint32_t)gen[2] << 8 | gen[3];
}

int pack_claim_owner(const struct pack_root *root, const void *what, size_t len,
		     uint8_t out[16])
{
	uint8_t key[PACK_KEY_SIZE], mac[PACK_DIGEST_SIZE];
	int rc = pack_hkdf(root->key, NULL, 0, PACK_LABEL_OWNER, NULL, 0, key,
			   sizeof(key));

	if (rc == 0)
		rc = pack_hmac(key, what, len, mac);
	OPENSSL_cleanse(key, sizeof(key));
	if (rc == 0)
		memcpy(out, mac, 16);
	return rc;
}

/* ---- writing --------------------------------------------------------- */

static void claim_clean(const char *in, char out[65])
{
	size_t n;

	for (n = 0; n < 64 && in[n]; n++)
		out[n] = scan_name_char(in[n]) ? in[n] : '_';
	out[n] = '\0';
	if (n == 0)
		memcpy(out, "unnamed", sizeof("unnamed"));
}

int pack_claim_make(const struct pack_claim *c, struct buf *out)
{
	char volume[33], owner[33], boot[33], nonce[33];
	char gateway[65], host[65];

	hex_encode(c->volume.b, sizeof(c->volume.b), volume);
	hex_encode(c->owner, sizeof(c->owner), owner);
	hex_encode(c->boot, sizeof(c->boot), boot);
	hex_encode(c->nonce, sizeof(c->nonce), nonce);
	claim_clean(c->gateway, gateway);
	claim_clean(c->host, host);
	return buf_addf(out,
			"{\"mersey\":1,\"generation\":%u,\"volume\":\"%s\","
			"\"owner\":\"%s\",\"gateway\":\"%s\",\"host\":\"%s\","
			"\"boot\":\"%s\",\"pid\":%u,\"claimed_at\":\"%s\","
			"\"nonce\":\"%s\"}\n",
			c->generation, volume, owner, gateway, host, boot,
			c->pid, c->claimed_at, nonce);
}

/* ---- reading --------------------------------------------------------- */

static bool claim_who(struct scan *s, struct pack_claim *c)
{
	return scan_text(s, "\",\"owner\":\"") &&
	       scan_hex(s, c->owner, sizeof(c->owner)) &&
	       scan_text(s, "\",\"gateway\":\"") &&
	       scan_name(s, c->gateway, sizeof(c->gateway)) &&
	       scan_text(s, "\",\"host\":\"") &&
	       scan_name(s, c->host, sizeof(c->host)) &&
	       scan_text(s, "\",\"boot\":\"") &&
	       scan_hex(s, c->boot, sizeof(c->boot)) &&
	       scan_text(s, "\",\"pid\":") && scan_u32(s, &c->pid);
}

int pack_claim_parse(const void *p, size_t len, struct pack_claim *out)
{
	struct scan s = { .p = p, .end = (const char *)p + len };
	struct pack_claim c = { 0 };

	if (!scan_text(&s, "{\"mersey\":1,\"generation\":") ||
	    !scan_u32(&s, &c.generation) || !scan_text(&s, ",\"volume\":\"") ||
	    !scan_hex(&s, c.volume.b, sizeof(c.volume.b)) ||
	    !claim_who(&s, &c) || !scan_text(&s, ",\"claimed_at\":\"") ||
	    !scan_time(&s, c.claimed_at) || !scan_text(&s, "\",\"nonce\":\"") ||
	    !scan_hex(&s, c.nonce, sizeof(c.nonce)) ||
	    !scan_text(&s, "\"}\n") || s.p != s.end)
		return -EBADMSG;
	*out = c;
	return 0;
}
