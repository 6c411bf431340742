/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the elements of a file.
 *
 * Only what has no length is walked into: sequences and items of undefined
 * length, whose depth is one number; all else is jumped over. The walk ends
 * behind the last element that is wanted, at the first thing that makes no
 * sense, and after DICOM_READ_MAX bytes: what was found until then is the
 * result. Each step takes at least the eight bytes of an element's head.
 */
#include "dicom/dicom.h"

#include <string.h>

#include "base/bytes.h"
#include "dicom/value.h"

#define DEPTH_MAX 64
#define VALUE_MAX 128 /* a longer one of those below is not valid */
#define UNDEFINED UINT32_MAX
#define PREAMBLE  128

#define TAG(group, element) ((uint32_t)(group) << 16 | (element))
#define TAG_SYNTAX	    TAG(0x0002, 0x0010)
#define TAG_DATE	    TAG(0x0008, 0x0020)
#define TAG_MODALITY	    TAG(0x0008, 0x0060)
#define TAG_PATIENT	    TAG(0x0010, 0x0020)
#define TAG_STUDY	    TAG(0x0020, 0x000d)
#define TAG_SERIES	    TAG(0x0020, 0x000e)
#define TAG_SERIES_NUMBER   TAG(0x0020, 0x0011)
#define TAG_NUMBER	    TAG(0x0020, 0x0013) /* the last one wanted */
#define TAG_ITEM	    TAG(0xfffe, 0xe000)
#define TAG_ITEM_END	    TAG(0xfffe, 0xe00d)
#define TAG_SEQUENCE_END    TAG(0xfffe, 0xe0dd)

struct element {
	uint32_t tag;
	unsigned head; /* bytes before the value */
	uint32_t len;
	bool un;
};

enum { END, MORE, NEXT };

/* ---- heads of elements ---------------------------------------------- */

static bool is_vr(const uint8_t *p)
{
	return p[0] >= 'A' && p[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z';
}

/* The VRs with 16 bits of length; one that is not known has 32 (PS3.5,
 * 7.1.2). */
static bool is_short_vr(const uint8_t *p)
{
	static const char vrs[] = "AEASATCSDADSDTFDFLISLOLTPNSHSLSSSTTMUIULUS";
	size_t i;

	for (i = 0; i + 1 < sizeof(vrs); i += 2)
		if (memcmp(p, vrs + i, 2) == 0)
			return true;
	return false;
}

static uint32_t get_tag(const uint8_t *p, bool big)
{
	uint32_t v = get_le32(p);

	return big ? be32toh(htole32(v)) : v << 16 | v >> 16;
}

static uint32_t get_len(const uint8_t *p, bool big)
{
	uint32_t v = get_le32(p);

	return big ? be32toh(htole32(v)) : v;
}

static uint32_t get_short_len(const uint8_t *p, bool big)
{
	return big ? (uint32_t)p[0] << 8 | p[1] : get_le16(p);
}

/* MORE: it is not all here; END: it is none. */
static int element_read(const struct dicom_reader *r, const uint8_t *p,
			size_t n, struct element *e)
{
	bool big = r->big && !r->meta && !r->un;

	if (n < 8)
		return MORE;
	*e = (struct element){ .tag = get_tag(p, big), .head = 8 };
	if (e->tag >> 16 == 0xfffe || (!r->meta && (r->implicit || r->un))) {
		e->len = get_len(p + 4, big);
		return NEXT;
	}
	if (!is_vr(p + 4))
		return END;
	e->un = memcmp(p + 4, "UN", 2) == 0;
	if (is_short_vr(p + 4)) {
		e->len = get_short_len(p + 6, big);
		return NEXT;
	}
	if (n < 12)
		return MORE;
	e->head = 12;
	e->len = get_len(p + 8, big);
	return NEXT;
}

/* ---- values --------------------------------------------------------- */

/* PS3.5, annex A; nothing of a private one is known. */
static void take_syntax(struct dicom_reader *r, const uint8_t *p, size_t n)
{
	static const char known[] = "1.2.840.10008.1.2";
	char uid[DICOM_UID_SIZE];
	const char *s = uid + strlen(known);

	value_uid(p, n, uid, sizeof(uid));
	if (strncmp(uid, known, strlen(known)) != 0)
		return;
	r->told_big = strcmp(s, ".2") == 0;
	r->deflated = strcmp(s, ".1.99") == 0;
	r->h.compressed = r->deflated || strncmp(s, ".4.", 3) == 0 ||
			  strcmp(s, ".5") == 0;
}

static bool is_wanted(uint32_t tag)
{
	switch (tag) {
	case TAG_SYNTAX:
	case TAG_DATE:
	case TAG_MODALITY:
	case TAG_PATIENT:
	case TAG_STUDY:
	case TAG_SERIES:
	case TAG_SERIES_NUMBER:
	case TAG_NUMBER:
		return true;
	default:
		return false;
	}
}

static void take_value(struct dicom_reader *r, uint32_t tag, const uint8_t *p,
		       size_t n)
{
	struct dicom_header *h = &r->h;

	switch (tag) {
	case TAG_SYNTAX:
		take_syntax(r, p, n);
		break;
	case TAG_DATE:
		h->date = value_date(p, n);
		break;
	case TAG_MODALITY:
		value_code(p, n, h->modality, sizeof(h->modality));
		break;
	case TAG_PATIENT:
		value_text(p, n, h->patient, sizeof(h->patient));
		break;
	case TAG_STUDY:
		value_uid(p, n, h->study, sizeof(h->study));
		break;
	case TAG_SERIES:
		value_uid(p, n, h->series, sizeof(h->series));
		break;
	case TAG_SERIES_NUMBER:
		h->series_number = value_number(p, n);
		break;
	default:
		h->instance_number = value_number(p, n);
	}
}

/* ---- the walk ------------------------------------------------------- */

/* The data set begins: how is it written? Writers have called implicit files
 * explicit and the other way round, so its first element is asked. */
static void data_begin(struct dicom_reader *r, const uint8_t *p)
{
	uint16_t group = get_le16(p);

	r->meta = false;
	r->implicit = !is_vr(p + 4);
	r->big = r->told_big || (r->bare && group > 0xff && !(group & 0xff));
}

/*
 * Where the first element stands: behind preamble and "DICM"; or, in old
 * files, at the very start, when that looks like group 2 or 8.
 */
static int file_begin(struct dicom_reader *r, const uint8_t *p, size_t n)
{
	uint16_t group = n < 8 ? 0 : get_le16(p);

	r->started = r->meta = true;
	if (n >= PREAMBLE + 4 && memcmp(p + PREAMBLE, "DICM", 4) == 0) {
		r->off = PREAMBLE + 4;
		return NEXT;
	}
	r->bare = true;
	return group == 2 || group == 8 || group == 8 << 8 ? NEXT : END;
}

/* Into a sequence or item of undefined length. */
static int walk_in(struct dicom_reader *r, bool un)
{
	if (++r->depth > DEPTH_MAX)
		return END;
	if (un && !r->un && !r->implicit)
		r->un = r->depth;
	return NEXT;
}

static int walk_out(struct dicom_reader *r)
{
	if (r->un == r->depth)
		r->un = 0;
	r->depth--;
	return NEXT;
}

/* Inside a sequence or item. */
static int walk_nested(struct dicom_reader *r, const struct element *e)
{
	bool sequence = r->depth % 2;

	if (e->tag == (sequence ? TAG_SEQUENCE_END : TAG_ITEM_END))
		return e->len == 0 ? walk_out(r) : END;
	if (sequence ? e->tag != TAG_ITEM : e->tag >> 16 == 0xfffe)
		return END;
	return e->len == UNDEFINED ? walk_in(r, e->un) : NEXT;
}

/* Behind the last that is wanted, or where no element can be? */
static bool walk_ends(const struct dicom_reader *r, const struct element *e)
{
	if (r->meta)
		return false;
	return e->tag > TAG_NUMBER || (r->bare && e->tag < r->last);
}

static int walk_top(struct dicom_reader *r, const struct element *e,
		    const uint8_t *value, size_t left)
{
	if (walk_ends(r, e))
		return END;
	if (e->len == UNDEFINED) {
		r->last = e->tag;
		return r->meta ? END : walk_in(r, e->un);
	}
	if (is_wanted(e->tag) && e->len <= VALUE_MAX) {
		if (left < e->len)
			return MORE;
		take_value(r, e->tag, value, e->len);
	}
	r->last = e->tag;
	return r->deflated || e->tag == TAG_NUMBER ? END : NEXT;
}

/* One element at p; *took receives its length, which may be beyond n. */
static int walk_step(struct dicom_reader *r, const uint8_t *p, size_t n,
		     uint64_t *took)
{
	struct element e;
	int rc;

	if (n < 8)
		return MORE;
	if (r->meta && get_le16(p) != 2)
		data_begin(r, p);
	rc = element_read(r, p, n, &e);
	if (rc != NEXT)
		return rc;
	*took = e.head + (e.len == UNDEFINED ? 0 : (uint64_t)e.len);
	return r->depth > 0 ? walk_nested(r, &e)
			    : walk_top(r, &e, p + e.head, n - e.head);
}

static int walk(struct dicom_reader *r, const uint8_t *p, size_t n)
{
	uint64_t from = r->off, at, took;
	int rc = r->started ? NEXT : file_begin(r, p, n);

	while (rc == NEXT) {
		at = r->off - from;
		if (at >= n)
			return MORE;
		rc = walk_step(r, p + at, n - at, &took);
		if (rc == NEXT)
			r->off += took;
	}
	return rc;
}

void dicom_begin(struct dicom_reader *r, uint64_t size)
{
	*r = (struct dicom_reader){ .size = size };
}

int dicom_feed(struct dicom_reader *r, const void *bytes, size_t n)
{
	uint64_t from = r->off;
	int rc = walk(r, bytes, n);

	r->seen += n;
	/* Bytes that the file does not have will not come. */
	if (rc == MORE && from + n < r->size && r->off < r->size &&
	    r->off > from && r->seen < DICOM_READ_MAX)
		return 1;
	if (r->bare && !*r->h.study)
		r->h = (struct dicom_header){ 0 };
	return 0;
}
