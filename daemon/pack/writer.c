/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a pack into memory. The data key lives and dies with the writer,
 * and every nonce under it is used once: frames by their ever-growing index,
 * header and index by their domain. A call that fails after a nonce was used
 * breaks the writer for good (S17).
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/io.h"
#include "pack/frame.h"
#include "pack/header.h"
#include "pack/index.h"
#include "pack/out.h"

enum writer_state {
	WRITER_OPEN,
	WRITER_SEALED,
	WRITER_BROKEN, /* a nonce was used, its bytes are not in the pack */
};

/* The member whose frames are being written. */
struct pending {
	struct pack_run *run;
	size_t runs, cap;
	uint64_t end;  /* in the file, of its newest frame */
	bool full;     /* its newest frame is a full one */
	bool complete; /* its last frame was written */
};

struct pack_writer {
	enum writer_state state;
	struct pack_header head;
	uint8_t header_hash[PACK_DIGEST_SIZE];
	struct pack_sealer *sealer;
	struct pack_press *press;
	EVP_MD_CTX *digest;
	struct pack_out out; /* the pack so far */
	struct pack_index_build index;
	struct pending now;
};

/* ---- life ------------------------------------------------------------ */

void pack_writer_free(struct pack_writer *w)
{
	if (!w)
		return;
	pack_sealer_free(w->sealer);
	pack_press_free(w->press);
	EVP_MD_CTX_free(w->digest);
	pack_out_done(&w->out);
	pack_index_build_done(&w->index);
	free(w->now.run);
	free(w);
}

/* New identity: id, salt and so the key never serve a second content. */
static int writer_identity(struct pack_writer *w, struct pack_keyring *kr)
{
	struct pack_header *h = &w->head;
	int rc;

	h->version = PACK_VERSION;
	h->volume = *pack_keyring_volume(kr);
	h->generation = pack_keyring_newest(kr);
	if (h->generation == 0)
		return -ENOKEY;
	rc = io_random(h->id.b, sizeof(h->id.b));
	return rc < 0 ? rc : io_random(h->salt, sizeof(h->salt));
}

static int writer_key(struct pack_writer *w, struct pack_keyring *kr)
{
	const struct pack_header *h = &w->head;
	struct pack_key key;
	int rc;

	rc = pack_key_derive(kr, h->generation, h->salt, &h->id, &key);
	if (rc < 0)
		return rc;
	w->sealer = pack_sealer_new(key.key);
	pack_key_done(&key);
	return w->sealer ? 0 : -ENOMEM;
}

/* Appends to the digest what was appended to the pack since `from`. */
static int writer_digest(struct pack_writer *w, size_t from)
{
	if (EVP_DigestUpdate(w->digest, w->out.data + from,
			     w->out.len - from) == 1)
		return 0;
	ERR_clear_error();
	return -EIO;
}

static int writer_header(struct pack_writer *w)
{
	int rc = pack_out_reserve(&w->out, PACK_HEADER_SIZE);

	if (rc < 0)
		return rc;
	rc = pack_header_make(w->sealer, &w->head, w->out.data);
	w->out.len = PACK_HEADER_SIZE;
	if (rc == 0)
		rc = pack_sha256(w->out.data, w->out.len, w->header_hash);
	return rc < 0 ? rc : writer_digest(w, 0);
}

static int writer_init(struct pack_writer *w, struct pack_keyring *kr)
{
	int rc = writer_identity(w, kr);

	if (rc == 0)
		rc = writer_key(w, kr);
	if (rc < 0)
		return rc;
	w->press = pack_press_new();
	w->digest = EVP_MD_CTX_new();
	if (!w->press || !w->digest ||
	    EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL) != 1) {
		ERR_clear_error();
		return -ENOMEM;
	}
	return writer_header(w);
}

struct pack_writer *pack_writer_new(struct pack_keyring *kr)
{
	CLEANUP(pack_writer_free_guard)
	struct pack_writer *w = calloc(1, sizeof(*w));
	int rc = w ? writer_init(w, kr) : -ENOMEM;

	if (rc < 0) {
		pack_writer_free(take(w));
		errno = -rc;
		return NULL;
	}
	return take(w);
}

const struct pack_id *pack_writer_id(const struct pack_writer *w)
{
	return &w->head.id;
}

uint32_t pack_writer_generation(const struct pack_writer *w)
{
	return w->head.generation;
}

const uint8_t *pack_writer_salt(const struct pack_writer *w)
{
	return w->head.salt;
}

size_t pack_writer_len(const struct pack_writer *w)
{
	return w->out.len;
}

uint32_t pack_writer_frames(const struct pack_writer *w)
{
	return w->index.frames;
}

void pack_writer_hint(struct pack_writer *w, bool compressible)
{
	pack_press_begin(w->press, compressible);
}

/* ---- frames ---------------------------------------------------------- */

/* Room for one more run, so that nothing can fail once a frame is sealed. */
static int pending_reserve(struct pending *now)
{
	size_t cap = now->cap ? 2 * now->cap : 8;
	struct pack_run *run;

	if (now->runs < now->cap)
		return 0;
	run = reallocarray(now->run, cap, sizeof(*run));
	if (!run)
		return -ENOMEM;
	now->run = run;
	now->cap = cap;
	return 0;
}

static void pending_add(struct pending *now, const struct pack_frame *f,
			uint64_t file_off, bool last)
{
	struct pack_run *r;

	if (now->runs == 0 || !now->full || file_off != now->end)
		now->run[now->runs++] = (struct pack_run){
			.file_off = file_off,
			.first_frame = f->index,
		};
	r = &now->run[now->runs - 1];
	r->frames++;
	r->len += f->plain_len;
	now->end = file_off + f->plain_len;
	now->full = f->plain_len == PACK_FRAME_MAX;
	now->complete = last;
}

static bool frame_args_ok(const struct pack_writer *w, uint64_t file_off,
			  size_t len)
{
	return w->state == WRITER_OPEN && len > 0 && len <= PACK_FRAME_MAX &&
	       !w->now.complete && file_off >= w->now.end &&
	       file_off <= INT64_MAX - len;
}

static int writer_frame(struct pack_writer *w, struct pack_frame *f, bool last,
			const void *plain)
{
	size_t at = w->out.len;
	int rc;

	rc = pack_frame_seal(w->sealer, w->press, &w->head.volume, &w->head.id,
			     f, last, plain, w->out.data + at);
	if (rc < 0)
		return rc;
	w->out.len += f->stored_len;
	pack_index_add_frame(&w->index, f, last);
	return writer_digest(w, at);
}

int pack_writer_frame(struct pack_writer *w, uint64_t file_off,
		      const void *plain, size_t len, bool last,
		      struct pack_frame *out)
{
	struct pack_frame f = {
		.index = w->index.frames,
		.offset = w->out.len,
		.plain_len = (uint32_t)len,
	};
	int rc;

	if (w->state == WRITER_BROKEN)
		return -EIO;
	if (!frame_args_ok(w, file_off, len))
		return -EINVAL;
	rc = pack_index_room(&w->index);
	if (rc == 0)
		rc = pending_reserve(&w->now);
	if (rc == 0)
		rc = pack_out_reserve(&w->out, PACK_SEALED_MAX);
	if (rc < 0)
		return rc;
	rc = writer_frame(w, &f, last, plain);
	if (rc < 0) {
		w->state = WRITER_BROKEN;
		return rc;
	}
	pending_add(&w->now, &f, file_off, last);
	if (out)
		*out = f;
	return 0;
}

/* ---- members and the end --------------------------------------------- */

static void pending_reset(struct pending *now)
{
	struct pack_run *run = now->run;
	size_t cap = now->cap;

	*now = (struct pending){ .run = run, .cap = cap };
}

int pack_writer_member(struct pack_writer *w, const struct pack_member *m)
{
	struct pending *now = &w->now;
	int rc = 0;

	if (w->state == WRITER_BROKEN)
		return -EIO;
	if (w->state != WRITER_OPEN)
		return -EINVAL;
	if (m && ((now->runs && !now->complete) || now->end > m->size))
		return -EINVAL;
	if (m)
		rc = pack_index_add_member(&w->index, m, now->run, now->runs);
	if (rc < 0)
		return rc;
	pending_reset(now);
	pack_press_begin(w->press, true);
	return 0;
}

static int seal_index(struct pack_writer *w, const struct buf *plain)
{
	const struct pack_bind bind = {
		.volume = &w->head.volume,
		.id = &w->head.id,
		.domain = PACK_DOMAIN_INDEX,
		.plain_len = plain->len,
	};
	const struct pack_trailer trailer = {
		.id = w->head.id,
		.index_off = w->out.len,
		.index_len = plain->len + PACK_TAG_SIZE,
	};
	uint8_t nonce[PACK_NONCE_SIZE], aad[PACK_AAD_SIZE];
	uint8_t *p = w->out.data + w->out.len;
	int rc;

	pack_bind_encode(&bind, nonce, aad);
	rc = pack_sealer_seal(w->sealer, nonce, aad, sizeof(aad), plain->data,
			      plain->len, p);
	if (rc < 0)
		return rc;
	pack_trailer_make(&trailer, p + trailer.index_len);
	w->out.len += trailer.index_len + PACK_TRAILER_SIZE;
	return writer_digest(w, trailer.index_off);
}

static int writer_finish(struct pack_writer *w, const struct buf *plain,
			 uint8_t digest[PACK_DIGEST_SIZE])
{
	unsigned int n = 0;
	int rc = seal_index(w, plain);

	if (rc < 0)
		return rc;
	if (EVP_DigestFinal_ex(w->digest, digest, &n) != 1 ||
	    n != PACK_DIGEST_SIZE) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}

int pack_writer_seal(struct pack_writer *w, const void **data, size_t *len,
		     uint8_t digest[PACK_DIGEST_SIZE])
{
	CLEANUP_BUF struct buf plain = { 0 };
	struct pack_index_bind bind = {
		.generation = w->head.generation,
		.index_off = w->out.len,
	};
	int rc;

	if (w->state == WRITER_BROKEN)
		return -EIO;
	if (w->state != WRITER_OPEN || w->now.runs)
		return -EINVAL;
	memcpy(bind.header_hash, w->header_hash, sizeof(bind.header_hash));
	rc = pack_index_encode(&w->index, &bind, &plain);
	if (rc == 0)
		rc = pack_out_reserve(&w->out, plain.len + PACK_TAG_SIZE +
						       PACK_TRAILER_SIZE);
	if (rc < 0)
		return rc;
	rc = writer_finish(w, &plain, digest);
	w->state = rc < 0 ? WRITER_BROKEN : WRITER_SEALED;
	/* Nothing is sealed with this key again. */
	pack_sealer_free(take(w->sealer));
	if (rc < 0)
		return rc;
	*data = w->out.data;
	*len = w->out.len;
	return 0;
}

int pack_digest(const void *p, size_t len, uint8_t out[PACK_DIGEST_SIZE])
{
	return pack_sha256(p, len, out);
}
