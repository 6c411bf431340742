/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs: the sealed objects that hold file data (mersey-pack(5)).
 *
 * header | frames | sealed, padded index | trailer. A frame holds at most
 * PACK_FRAME_MAX bytes of one file, LZ4-compressed when that pays, sealed
 * with AES-256-GCM under the pack's data key:
 *   data key = HKDF-SHA256(generation key, salt || volume id || pack id).
 * A writer makes a new pack id, salt and key each time, and seals each frame
 * once (S17): a retry sends the same bytes, sealing again is a new pack.
 *
 * Everything that is read is bounded and authenticated before it is used;
 * what does not fit is -EBADMSG, never wrong data.
 */
#ifndef MERSEY_PACK_PACK_H
#define MERSEY_PACK_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/guard.h"

#define PACK_FRAME_MAX	  65536u
#define PACK_TAG_SIZE	  16u
#define PACK_HEADER_SIZE  128u
#define PACK_TRAILER_SIZE 64u
#define PACK_ID_SIZE	  16u
#define PACK_SALT_SIZE	  32u
#define PACK_KEY_SIZE	  32u
#define PACK_DIGEST_SIZE  32u /* SHA-256 of the whole pack */
#define PACK_FRAMES_MAX	  (1u << 20)
#define PACK_MEMBERS_MAX  (1u << 20)
#define PACK_PATH_MAX	  65536u
#define PACK_NAME_SIZE	  128 /* of pack_object_name(), with NUL */
#define PACK_CHECK_SIZE	  12u /* of a frame's tag, see pack_checker */

/* A volume: one trust's namespace; made at init, for ever (S20). */
struct pack_volume_id {
	uint8_t b[16];
};

/* ---- keys ---------------------------------------------------------- */

/* The trust's root key: 32 bytes from the key file (see pack_root_parse). */
struct pack_root {
	uint8_t key[PACK_KEY_SIZE];
};

/* Wipes the memory. */
void pack_root_done(struct pack_root *root);

/*
 * Reads the text of a key file: "mersey-root-key-1 <64 hex digits> <check>"
 * and a newline; <check> = first 8 hex digits of SHA-256 of the key, against
 * typing mistakes on a recovery sheet.
 */
int pack_root_parse(const char *text, size_t len, struct pack_root *out,
		    struct err *err);

/* Makes a new root key and the text of its file (appended to `text`). */
int pack_root_new(struct pack_root *out, struct buf *text);

/* Public name of a root key: 16 hex digits and NUL; tells nothing of it. */
void pack_root_id(const struct pack_root *root, char out[17]);

/* Generation keys of one volume, unwrapped in memory. Thread-safe. */
struct pack_keyring;

/* Empty; NULL without memory. */
struct pack_keyring *pack_keyring_new(const struct pack_volume_id *volume);
/* Wipes. NULL is fine. */
void pack_keyring_free(struct pack_keyring *kr);
DEFINE_GUARD(struct pack_keyring *, pack_keyring_free);

/* Owned by the key ring. */
const struct pack_volume_id *pack_keyring_volume(const struct pack_keyring *kr);

/*
 * Makes generation `gen` (> 0, new) with a random key, adds it to the ring
 * and appends its key object (wrapped by root) to `object`. The object is
 * stored as pack_key_object_name(). -EEXIST: the ring has that generation.
 */
int pack_keyring_create(struct pack_keyring *kr, const struct pack_root *root,
			uint32_t gen, struct buf *object);

/*
 * Unwraps a key object and adds it; again is fine. -EBADMSG: damaged, of
 * another volume, or wrapped by another root key (err says which it looks
 * like). -EEXIST: the ring has another key of that generation.
 */
int pack_keyring_add(struct pack_keyring *kr, const struct pack_root *root,
		     const void *object, size_t len, struct err *err);

/* Highest generation in the ring, 0 when empty. */
uint32_t pack_keyring_newest(const struct pack_keyring *kr);

/* The volume id that a key object claims (unauthenticated), for offline use
 * where nothing else tells it. 0 or -EBADMSG. */
int pack_key_object_volume(const void *object, size_t len,
			   struct pack_volume_id *out);

/* "keys/00000001-<root id>" into out (PACK_NAME_SIZE bytes). */
void pack_key_object_name(uint32_t gen, const struct pack_root *root,
			  char out[PACK_NAME_SIZE]);

/* ---- names --------------------------------------------------------- */

struct pack_id {
	uint8_t b[PACK_ID_SIZE];
};

/*
 * "packs/<generation, 8 hex>-<sequence, 16 hex>-<pack id, 32 hex>": nothing
 * in it names a trust, study or path (S21). `seq` only orders listings.
 */
void pack_object_name(uint32_t gen, uint64_t seq, const struct pack_id *id,
		      char out[PACK_NAME_SIZE]);

/* ---- writing ------------------------------------------------------- */

struct pack_xattr {
	const char *name; /* NUL-terminated */
	const void *value;
	size_t len;
};

/*
 * Bytes of a member that lie in another pack: an older version of the file
 * had them too, and the frames it was given then go on to serve.
 */
struct pack_kept {
	uint64_t file_off;
	uint64_t len;
	struct pack_id pack;
	uint32_t first_frame, frames; /* in that pack */
};

/* What the index says of a member file. Borrowed pointers. */
struct pack_member {
	uint64_t inode;
	uint64_t content_version;
	uint64_t meta_version;
	const void *path; /* raw bytes below the mount, no leading '/' */
	size_t path_len;
	uint32_t mode, uid, gid;
	uint64_t size; /* of the whole file, holes included */
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	const struct pack_xattr *xattr;
	size_t xattrs;
	/* Ascending; of a large file also what its parts have. */
	const struct pack_kept *kept;
	size_t kepts;
	/* Frames of a version that another pack names, when all of them are
	 * stored. All members of a pack are parts, or none is. */
	bool part;
};

/* Where the writer put one frame. */
struct pack_frame {
	uint32_t index;	     /* of the frame in the pack = nonce counter */
	uint64_t offset;     /* of its first sealed byte in the pack */
	uint32_t stored_len; /* sealed bytes, tag included */
	uint32_t plain_len;
	bool compressed;
	uint8_t check[PACK_CHECK_SIZE]; /* set by the writer */
};

struct pack_writer;

/* Starts a pack of the newest generation. NULL without memory, keys or
 * randomness, errno set. */
struct pack_writer *pack_writer_new(struct pack_keyring *kr);
void pack_writer_free(struct pack_writer *w);
DEFINE_GUARD(struct pack_writer *, pack_writer_free);

/*
 * A writer leaves the memory of its pack for the next one of the thread. Gives
 * it back, when none is to come soon; the end of a thread does, too.
 */
void pack_writers_rest(void);

/* What the database keeps of a pack; owned by the writer. */
const struct pack_id *pack_writer_id(const struct pack_writer *w);
uint32_t pack_writer_generation(const struct pack_writer *w);
const uint8_t *pack_writer_salt(const struct pack_writer *w);
/* Bytes of the pack so far, header and frames. */
size_t pack_writer_len(const struct pack_writer *w);
uint32_t pack_writer_frames(const struct pack_writer *w);

/*
 * Is it worth trying to compress the frames of the member that comes next, or
 * is being written? A writer thinks so until told, and again after
 * pack_writer_member(). False for what is compressed already; frames that do
 * not shrink are found anyway, at some cost.
 */
void pack_writer_hint(struct pack_writer *w, bool compressible);

/*
 * Seals one frame of the current member: plain[0..len), 1 <= len <=
 * PACK_FRAME_MAX, which lies at `file_off` in the file (ascending, not
 * overlapping). `last` marks the member's last frame in this pack. `out` may
 * be NULL.
 *   -ENOSPC  PACK_FRAMES_MAX, or the index is full: nothing was written,
 *            end this pack and go on in the next
 *   -EINVAL  the arguments break the rules above, or the pack is sealed
 *   -EIO     the writer is broken and takes nothing more: throw it away
 */
int pack_writer_frame(struct pack_writer *w, uint64_t file_off,
		      const void *plain, size_t len, bool last,
		      struct pack_frame *out);

/*
 * Ends the member whose frames were just written: with `m` it is named in
 * the index (copied); with NULL its frames stay as unnamed dead frames (S18).
 * A member without frames (empty file, or all hole) is fine.
 *   -ENOSPC  the index (64 MiB) is full: the member still waits, end it with
 *            NULL and write it into the next pack
 *   -EINVAL  the path is not one (empty, NUL, leading '/', empty or "." or
 *            ".." part, too long), an xattr is too long, frames lie behind
 *            `size`, its last frame was not marked `last`, kept runs do not
 *            ascend, or lie behind `size`, or it is a part with kept runs, or
 *            beside a member that is none
 */
int pack_writer_member(struct pack_writer *w, const struct pack_member *m);

/*
 * Appends index and trailer. `data`/`len` is the whole pack, owned by the
 * writer; digest = SHA-256 of it. Once (then -EINVAL), and not while a
 * member waits for its end; the writer takes no more frames. -ENOMEM: may be
 * tried again; -EIO: throw the writer away.
 */
int pack_writer_seal(struct pack_writer *w, const void **data, size_t *len,
		     uint8_t digest[PACK_DIGEST_SIZE]);

/* SHA-256 of a whole pack, as pack_writer_seal() gives it. 0 or -EIO. */
int pack_digest(const void *p, size_t len, uint8_t out[PACK_DIGEST_SIZE]);

/* ---- how large a pack will be --------------------------------------- */

/* What it holds so far; all zero: nothing. */
struct pack_size {
	uint64_t frames, stored; /* their sealed bytes */
	uint64_t members;	 /* bytes in the index, but for kept runs */
	uint64_t kepts;		 /* kept runs */
};

void pack_size_frame(struct pack_size *s, uint32_t stored_len);
/* A member with so many runs of frames; its kept runs are not looked at but
 * for their number. -EINVAL as pack_writer_member(). */
int pack_size_member(struct pack_size *s, const struct pack_member *m,
		     size_t runs);
/* Bytes of the sealed pack. */
uint64_t pack_size_total(const struct pack_size *s);

/* ---- reading frames (daemon: the database knows the table) ---------- */

/* What opens the frames of one pack. */
struct pack_key {
	struct pack_volume_id volume;
	struct pack_id id;
	uint8_t key[PACK_KEY_SIZE];
};

/* -ENOKEY when the ring lacks the generation. Wipe with pack_key_done(). */
int pack_key_derive(struct pack_keyring *kr, uint32_t gen,
		    const uint8_t salt[PACK_SALT_SIZE],
		    const struct pack_id *id, struct pack_key *out);
void pack_key_done(struct pack_key *k);

/*
 * Opens one sealed frame: sealed[0..f->stored_len) into dst (f->plain_len
 * bytes). -EBADMSG when it is not exactly that frame of that pack, or when
 * the lengths in `f` cannot be a frame's; dst then holds nothing of it.
 * `scratch` is PACK_FRAME_MAX bytes of the caller's (for decompression).
 * f->offset is not looked at. Any number of threads may use one key.
 */
int pack_frame_open(const struct pack_key *k, const struct pack_frame *f,
		    bool last, const void *sealed, void *dst, void *scratch);

/*
 * Tells whether a file still holds the bytes of a frame. The check is the
 * first 96 bits of the frame's tag, made anew from the bytes: a MAC under the
 * pack's own key, so the checks of a database say no more than the bucket
 * does, and nobody who does not know the key can choose bytes that pass for
 * others (2^-84 for each try). Compares as opening a frame does: what is
 * sealed for it leaves no trace (S17). One thread at a time.
 */
struct pack_checker;

/* NULL without memory. */
struct pack_checker *pack_checker_new(void);
/* Wipes; NULL is fine. */
void pack_checker_free(struct pack_checker *c);
DEFINE_GUARD(struct pack_checker *, pack_checker_free);

/*
 * Is plain[0..f->plain_len) what frame f of the pack holds? Lengths, flags and
 * check of `f` are looked at, and its index. 1 yes, 0 no, or -errno. Frames
 * that LZ4 compressed in another way than it would now are no more the same.
 */
int pack_checker_same(struct pack_checker *c, const struct pack_key *k,
		      const struct pack_frame *f, bool last, const void *plain);

/* ---- frame tables: how extents keep stored lengths in the database --- */

/*
 * A frame table is one little-endian u32 per frame: stored_len in the low 24
 * bits, bit 31 = compressed, bit 30 = last frame of its member in the pack.
 * Frames are consecutive in the pack; all but the last of a run of file
 * bytes have plain_len PACK_FRAME_MAX.
 */
#define PACK_TABLE_COMPRESSED 0x80000000u
#define PACK_TABLE_LAST	      0x40000000u
#define PACK_TABLE_LEN	      0x00ffffffu

/* ---- reading whole packs (offline, rebuild) ------------------------- */

struct pack_run { /* consecutive frames = consecutive file bytes */
	uint64_t file_off;
	uint64_t len;
	uint32_t first_frame;
	uint32_t frames;
};

struct pack_entry {
	struct pack_member m; /* pointers into the reader */
	const struct pack_run *run;
	size_t runs;
};

struct pack_reader;

/* Source of pack bytes: fills dst with len bytes at off, 0 or -errno. */
typedef int (*pack_read_fn)(void *arg, uint64_t off, void *dst, size_t len);

/*
 * Reads and checks header, trailer and index of a pack of `size` bytes.
 * `want_id` (may be NULL) must be the pack's id, else -EBADMSG. -ENOKEY: the
 * ring lacks the generation that the header names. Errors of `read` are
 * passed on.
 */
int pack_reader_open(struct pack_keyring *kr, pack_read_fn read, void *arg,
		     uint64_t size, const struct pack_id *want_id,
		     struct pack_reader **out, struct err *err);
void pack_reader_free(struct pack_reader *r);
DEFINE_GUARD(struct pack_reader *, pack_reader_free);

/* What the header and the index say. */
uint32_t pack_reader_generation(const struct pack_reader *r);
uint32_t pack_reader_frames(const struct pack_reader *r);
size_t pack_reader_members(const struct pack_reader *r);
/*
 * Member i, NULL when there is none. Its path has no NUL, no leading '/' and
 * no empty, "." or ".." part. Frames of no member are dead (S18).
 */
const struct pack_entry *pack_reader_member(const struct pack_reader *r,
					    size_t i);
/* Where frame i lies. -EINVAL when there is none. */
int pack_reader_frame(const struct pack_reader *r, uint32_t i,
		      struct pack_frame *out);
/* Reads and opens frame i into dst (PACK_FRAME_MAX bytes); plain length or
 * -errno. One thread at a time per reader. */
ssize_t pack_reader_read(struct pack_reader *r, uint32_t i, void *dst);

/*
 * What can be told of a pack without any key (header only, unauthenticated):
 * for messages and to find the generation. 0 or -EBADMSG.
 */
struct pack_header {
	uint16_t version;
	struct pack_volume_id volume;
	struct pack_id id;
	uint32_t generation;
	uint8_t salt[PACK_SALT_SIZE];
};
int pack_header_parse(const void *p, size_t len, struct pack_header *out);

/* ---- volume marker -------------------------------------------------- */

/*
 * The object mersey.json in the bucket: {"mersey":1,"volume":"<32 hex>",
 * "created_at":...,"root":"<root id>","check":"<64 hex>"}; check is an HMAC
 * of the volume id and the time under a key derived from the root key, so
 * that a wrong key or bucket is told at once (S20).
 */
#define PACK_MARKER_NAME "mersey.json"
int pack_marker_make(const struct pack_volume_id *volume,
		     const struct pack_root *root, struct buf *out);
/* -EBADMSG: not a marker, or altered. -EKEYREJECTED: a marker, but of another
 * root key. */
int pack_marker_check(const void *p, size_t len, const struct pack_root *root,
		      struct pack_volume_id *out, struct err *err);

/* ---- claims ---------------------------------------------------------- */

/*
 * Who writes a bucket (S22). The one who made the object gen/<n> of the
 * highest n, create-only: nothing is decided by what the object says but
 * whose it is, which its maker knows by its bytes. The rest is for people:
 *
 * {"mersey":1,"generation":2,"volume":"<32 hex>","owner":"<32 hex>",
 *  "gateway":"gw1","host":"node1","boot":"<32 hex>","pid":4711,
 *  "claimed_at":"2026-11-24T04:00:00Z","nonce":"<32 hex>"}
 */
#define PACK_CLAIM_PREFIX    "gen/"
#define PACK_CLAIM_NAME_SIZE 16 /* of pack_claim_name(), with NUL */
#define PACK_CLAIM_MAX	     1024

struct pack_claim {
	uint32_t generation;
	struct pack_volume_id volume;
	uint8_t owner[16]; /* pack_claim_owner() */
	char gateway[65], host[65];
	uint8_t boot[16];
	uint32_t pid;
	char claimed_at[21];
	uint8_t nonce[16]; /* no two claims are the same */
};

/* "gen/00000002" into out. */
void pack_claim_name(uint32_t gen, char out[PACK_CLAIM_NAME_SIZE]);
/* The generation in a claim's or a pack's name; 0: it is neither. */
uint32_t pack_name_generation(const char *key);

/* Public name of a machine and directory; tells nothing of them. */
int pack_claim_owner(const struct pack_root *root, const void *what, size_t len,
		     uint8_t out[16]);
/* Appends the object. Gateway and host get '_' for what is not a letter,
 * digit, '.', '_' or '-'. */
int pack_claim_make(const struct pack_claim *c, struct buf *out);
/* -EBADMSG: it has another shape. */
int pack_claim_parse(const void *p, size_t len, struct pack_claim *out);

#endif
