/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published format (mersey-pack(5)) as constants: offsets, sizes, limits
 * and labels. All integers are little-endian. Private to pack/ and its tests.
 *
 * What stands here is on disk for ever: a change is a new format version.
 */
#ifndef MERSEY_PACK_FORMAT_H
#define MERSEY_PACK_FORMAT_H

#include <stdint.h>

#include "pack/pack.h"

#define PACK_VERSION	1u
#define PACK_NONCE_SIZE 12u
#define PACK_MAGIC_SIZE 8u

/* First half of a nonce: no two kinds of sealed bytes share one. */
enum pack_domain {
	PACK_DOMAIN_FRAME = 1,
	PACK_DOMAIN_INDEX = 2,
	PACK_DOMAIN_HEADER = 3,
};

/* HKDF labels; no label is the start of another. */
#define PACK_LABEL_DATA	  "mersey-pack-1 data key"
#define PACK_LABEL_WRAP	  "mersey-pack-1 wrap key"
#define PACK_LABEL_ROOT	  "mersey-pack-1 root id"
#define PACK_LABEL_MARKER "mersey-pack-1 marker key"
#define PACK_LABEL_OWNER  "mersey-pack-1 owner key"

/* ---- header: PACK_HEADER_SIZE bytes, in clear, authenticated --------- */
#define PACK_HEADER_MAGIC "MERSEYPK"
#define HEADER_VERSION	  8   /* u16 */
#define HEADER_ZERO1	  10  /* 2 bytes, zero */
#define HEADER_GENERATION 12  /* u32 */
#define HEADER_VOLUME	  16  /* 16 bytes */
#define HEADER_ID	  32  /* 16 bytes */
#define HEADER_SALT	  48  /* 32 bytes */
#define HEADER_ZERO2	  80  /* 32 bytes, zero */
#define HEADER_TAG	  112 /* 16 bytes */

/* ---- trailer: the last PACK_TRAILER_SIZE bytes, in clear ------------- */
#define PACK_TRAILER_MAGIC   "MERSEYTR"
#define TRAILER_VERSION	     8	/* u16 */
#define TRAILER_ZERO1	     10 /* 6 bytes, zero */
#define TRAILER_INDEX_OFFSET 16 /* u64 */
#define TRAILER_INDEX_LEN    24 /* u64, tag included */
#define TRAILER_ID	     32 /* 16 bytes */
#define TRAILER_ZERO2	     48 /* 16 bytes, zero */

/* ---- index: its plain bytes, padded with zeros ---------------------- */
#define PACK_INDEX_MAGIC  "MERSEYIX"
#define PACK_INDEX_PAD	  4096u
#define PACK_INDEX_MAX	  (64u << 20) /* plain bytes, padding included */
#define INDEX_VERSION	  8	      /* u16 */
#define INDEX_ZERO	  10	      /* 2 bytes, zero */
#define INDEX_GENERATION  12	      /* u32 */
#define INDEX_HEADER_HASH 16	      /* 32 bytes: SHA-256 of the header */
#define INDEX_FRAMES	  48	      /* u32 */
#define INDEX_MEMBERS	  52	      /* u32 */
#define INDEX_RUNS	  56	      /* u32: of all members together */
#define INDEX_XATTRS	  60	      /* u32: of all members together */
#define INDEX_OFFSET	  64	      /* u64: of the sealed index in the pack */
#define INDEX_LEN	  72	      /* u64: bytes before the padding */
#define INDEX_HEAD_SIZE	  80

/* Per frame: table entry u32 (pack.h), plain length - 1 u16. */
#define INDEX_FRAME_SIZE 6u
/* Per member, before path, xattrs and runs. */
#define INDEX_MEMBER_SIZE 88u
/* Per xattr: name length u16 (without NUL), value length u32; then the name,
 * its NUL, the value. */
#define INDEX_XATTR_SIZE 6u
/* Per run: file offset u64, first frame u32, frames u32. */
#define INDEX_RUN_SIZE 16u
/* Version 2, behind the members: their count u32; per kept run: number of its
 * member u32, first frame u32, frames u32, file offset u64, length u64, pack
 * id 16 bytes. */
#define INDEX_VERSION_KEPT 2u
/* Version 3: as 1, and its members are parts, which name no version. */
#define INDEX_VERSION_PART 3u
#define INDEX_KEPT_SIZE	   44u

#define PACK_XATTR_NAME_MAX  255u
#define PACK_XATTR_VALUE_MAX 65536u

/* ---- key object: PACK_KEY_OBJECT_SIZE bytes -------------------------- */
#define PACK_KEY_MAGIC	     "MERSEYKY"
#define PACK_KEY_OBJECT_SIZE 128u
#define KEYOBJ_VERSION	     8	 /* u16 */
#define KEYOBJ_ZERO1	     10	 /* 2 bytes, zero */
#define KEYOBJ_GENERATION    12	 /* u32 */
#define KEYOBJ_VOLUME	     16	 /* 16 bytes */
#define KEYOBJ_ROOT_ID	     32	 /* 8 bytes */
#define KEYOBJ_ZERO2	     40	 /* 8 bytes, zero */
#define KEYOBJ_SALT	     48	 /* 32 bytes */
#define KEYOBJ_WRAPPED	     80	 /* 32 bytes */
#define KEYOBJ_TAG	     112 /* 16 bytes */

#define PACK_ROOT_ID_SIZE 8u

#endif
