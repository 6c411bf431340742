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

int pack_frame_seal(struct pack_sealer *s, struct pack_press *p,
		    const struct pack_volume_id *volume,
		    const struct pack_id *id, struct pack_frame *f, bool last,
		    const void *plain, void *dst)
{
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
	size_t len = pack_press_try(p, plain, f->plain_len);
	struct pack_bind bind;

	f->compressed = len > 0;
	if (f->compressed)
		plain = p->out;
	else
		len = f->plain_len;
	f->stored_len = (uint32_t)len + PACK_TAG_SIZE;
	bind = frame_bind(volume, id, f, last);
	pack_bind_encode(&bind, nonce, aad);
	return pack_sealer_seal(s, nonce, aad, sizeof(aad), plain, len, dst);
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
