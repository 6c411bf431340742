/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that go together share packs, so they are estimated and moved as one.
 * A plan writes the items of a batch one after another, and what applies it
 * cuts them by the same rule: both speak of the same packs.
 */
#include "tier/impl.h"

#include <string.h>

#define AGE_NS (30 * SEC_PER_DAY * NSEC_PER_SEC)

void ages_add(struct ages *a, int64_t access_ns, int64_t now_ns, uint64_t files,
	      uint64_t bytes)
{
	int64_t band = access_ns < now_ns ? (now_ns - access_ns) / AGE_NS : 0;
	size_t i = (size_t)MIN(band, (int64_t)META_REREAD_AGES - 1);

	a->files[i] += files;
	a->bytes[i] += bytes;
}

void batch_done(struct batch *b)
{
	free(b->item);
	free(b->ino);
	memset(b, 0, sizeof(*b));
}

void batch_clear(struct batch *b)
{
	struct batch old = *b;

	*b = (struct batch){ .rule = old.rule,
			     .action = old.action,
			     .from = old.from,
			     .to = old.to,
			     .item = old.item,
			     .room = old.room,
			     .ino = old.ino,
			     .ino_room = old.ino_room };
}

static uint64_t batch_bytes(const struct tier *t, const struct batch *b)
{
	uint64_t pack = b->to < 0 ? 0 : t->o.tier[b->to].object_size;

	return MAX(TIER_BATCH_BYTES, TIER_BATCH_PACKS * pack);
}

bool batch_fits(const struct tier *t, const struct batch *b, uint64_t bytes,
		const struct subject *s)
{
	uint64_t most = batch_bytes(t, b);

	if (b->n == 0 || (b->n < TIER_BATCH_ITEMS && b->bytes + bytes <= most))
		return true;
	return s->pack && s->pack == b->pack && b->n < 2 * TIER_BATCH_ITEMS &&
	       b->bytes + bytes <= 2 * most;
}

bool batch_takes(const struct tier *t, const struct batch *b,
		 const struct meta_plan_item *i)
{
	return b->rule == i->rule && b->action == (enum tier_action)i->action &&
	       b->from == tier_index(t, i->source) &&
	       b->to == tier_index(t, i->target);
}

static int batch_item(struct batch *b, const struct meta_plan_item *i)
{
	if (b->n == b->room) {
		size_t room = b->room ? 2 * b->room : 64;
		struct meta_plan_item *p =
			reallocarray(b->item, room, sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->item = p;
		b->room = room;
	}
	b->item[b->n++] = *i;
	return 0;
}

static int batch_inos(struct batch *b, const struct subject *s)
{
	if (b->inos + s->n > b->ino_room) {
		size_t room = MAX(2 * b->ino_room, b->inos + s->n);
		uint64_t *p = reallocarray(b->ino, room, sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->ino = p;
		b->ino_room = room;
	}
	memcpy(&b->ino[b->inos], s->ino, s->n * sizeof(*s->ino));
	b->inos += s->n;
	return 0;
}

int batch_add(struct batch *b, const struct meta_plan_item *i,
	      const struct subject *s, int64_t now_ns)
{
	int rc = batch_inos(b, s);

	if (rc == 0)
		rc = batch_item(b, i);
	if (rc < 0)
		return rc;
	b->files += i->files;
	b->bytes += i->bytes;
	b->studies += i->study;
	b->subjects++;
	b->absent += s->bytes - MIN(s->bytes, s->cached_bytes);
	b->pack = s->pack;
	ages_add(&b->ages, s->access_ns, now_ns, s->files, s->bytes);
	return 0;
}
