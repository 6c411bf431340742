/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/frame.h"

#include <string.h>

#include <lz4.h>

#define PRESS_SKIP_MAX 15u

struct pack_press *pack_press_new(void)
{
	struct pack_press *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	pack_press_begin(p, true);
	p->state = malloc((size_t)LZ4_sizeofState());
	if (p->state)
		return p;
	free(p);
	return NULL;
}

void pack_press_free(struct pack_press *p)
{
	if (!p)
		return;
	free(p->state);
	free(p);
}

void pack_press_begin(struct pack_press *p, bool compressible)
{
	p->never = !compressible;
	p->skip = p->pass = 0;
}

/* Is the next frame to be tried? */
static bool press_wanted(struct pack_press *p)
{
	if (p->never)
		return false;
	if (p->pass == 0)
		return true;
	p->pass--;
	return false;
}

static void press_learn(struct pack_press *p, bool shrank)
{
	p->pass = shrank ? 0 : p->skip;
	p->skip = shrank ? 0 : MIN(2 * p->skip + 1, PRESS_SKIP_MAX);
}

size_t pack_press_try(struct pack_press *p, const void *plain, size_t len)
{
	size_t room = len - len / 20 - 1;
	int n;

	if (room == 0 || room > sizeof(p->out) || !press_wanted(p))
		return 0;
	/* LZ4 gives up as soon as the room is used up. */
	n = LZ4_compress_fast_extState(p->state, plain, (char *)p->out,
				       (int)len, (int)room, 1);
	press_learn(p, n > 0);
	return n > 0 ? (size_t)n : 0;
}

static struct pack_bind frame_bind(const struct pack_volume_id *volume,
				   const struct pack_id *id,
				   const struct pack_frame *f, bool last)
{
	return (struct pack_bind){
		.volume = volume,
		.id = id,
		.domain = PACK_DOMAIN_FRAME,
		.counter = f->index,
		.plain_len = f->plain_len,
		.compressed = f->compressed,
		.last = last,
	};
}

/* `bytes` are those of the frame, compressed when it says so. */
static int frame_seal(struct pack_sealer *s,
		      const struct pack_volume_id *volume,
		      const struct pack_id *id, const struct pack_frame *f,
		      bool last, const void *bytes, void *dst)
{
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
	const struct pack_bind bind = frame_bind(volume, id, f, last);

	pack_bind_encode(&bind, nonce, aad);
	return pack_sealer_seal(s, nonce, aad, sizeof(aad), bytes,
				f->stored_len - PACK_TAG_SIZE, dst);
}

int pack_frame_seal(struct pack_sealer *s, struct pack_press *p,
		    const struct pack_volume_id *volume,
		    const struct pack_id *id, struct pack_frame *f, bool last,
		    const void *plain, void *dst)
{
	size_t len = pack_press_try(p, plain, f->plain_len);
	int rc;

	f->compressed = len > 0;
	if (f->compressed)
		plain = p->out;
	else
		len = f->plain_len;
	f->stored_len = (uint32_t)len + PACK_TAG_SIZE;
	rc = frame_seal(s, volume, id, f, last, plain, dst);
	if (rc == 0)
		memcpy(f->check, (uint8_t *)dst + len, sizeof(f->check));
	return rc;
}

bool pack_frame_sane(const struct pack_frame *f)
{
	if (f->plain_len == 0 || f->plain_len > PACK_FRAME_MAX ||
	    f->stored_len <= PACK_TAG_SIZE || f->index >= PACK_FRAMES_MAX)
		return false;
	if (f->compressed)
		return f->stored_len < f->plain_len + PACK_TAG_SIZE;
	return f->stored_len == f->plain_len + PACK_TAG_SIZE;
}

static int decompress(const void *src, size_t len, void *dst, size_t want)
{
	int n = LZ4_decompress_safe(src, dst, (int)len, (int)want);

	if (n >= 0 && (size_t)n == want)
		return 0;
	memset(dst, 0, want);
	return -EBADMSG;
}

int pack_frame_open(const struct pack_key *k, const struct pack_frame *f,
		    bool last, const void *sealed, void *dst, void *scratch)
{
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
	struct pack_bind bind;
	size_t len;
	int rc;

	if (!pack_frame_sane(f))
		return -EBADMSG;
	len = f->stored_len - PACK_TAG_SIZE;
	bind = frame_bind(&k->volume, &k->id, f, last);
	pack_bind_encode(&bind, nonce, aad);
	rc = pack_aead_open(k->key, nonce, aad, sizeof(aad), sealed, len,
			    f->compressed ? scratch : dst);
	if (rc < 0 || !f->compressed)
		return rc;
	return decompress(scratch, len, dst, f->plain_len);
}

/* ---- still the same? -------------------------------------------------- */

struct pack_checker {
	struct pack_sealer *sealer;
	struct pack_press *press;
	uint8_t key[PACK_KEY_SIZE]; /* that the sealer has */
	uint8_t sealed[PACK_SEALED_MAX];
};

struct pack_checker *pack_checker_new(void)
{
	struct pack_checker *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->press = pack_press_new();
	if (c->press)
		return c;
	free(c);
	return NULL;
}

void pack_checker_free(struct pack_checker *c)
{
	if (!c)
		return;
	pack_sealer_free(c->sealer);
	pack_press_free(c->press);
	explicit_bzero(c->key, sizeof(c->key));
	free(c);
}

/* Neighbours are mostly of one pack: its key is kept. */
static int checker_key(struct pack_checker *c, const struct pack_key *k)
{
	if (c->sealer && memcmp(c->key, k->key, sizeof(c->key)) == 0)
		return 0;
	pack_sealer_free(c->sealer);
	c->sealer = pack_sealer_new(k->key);
	memcpy(c->key, k->key, sizeof(c->key));
	return c->sealer ? 0 : -ENOMEM;
}

int pack_checker_same(struct pack_checker *c, const struct pack_key *k,
		      const struct pack_frame *f, bool last, const void *plain)
{
	const void *bytes = plain;
	int rc;

	if (!pack_frame_sane(f))
		return 0;
	if (f->compressed) {
		size_t n;

		pack_press_begin(c->press, true); /* always tries */
		n = pack_press_try(c->press, plain, f->plain_len);
		if (n == 0 || n + PACK_TAG_SIZE != f->stored_len)
			return 0;
		bytes = c->press->out;
	}
	rc = checker_key(c, k);
	if (rc == 0)
		rc = frame_seal(c->sealer, &k->volume, &k->id, f, last, bytes,
				c->sealed);
	if (rc < 0)
		return rc;
	return pack_same_bytes(c->sealed + f->stored_len - PACK_TAG_SIZE,
			       f->check, sizeof(f->check));
}
