/* SPDX-License-Identifier: Apache-2.0 */
#include "main/bucket.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "store/drivers.h"

#define BUCKET_TOTALS 64 /* tiers x storage classes, also of former tiers */

static const char scratch[] = "mersey scratch object; may be deleted\n";

int bucket_fail(struct err *err, int rc, const char *fmt, ...)
{
	const char *said = store_detail(), *advice;
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	advice = store_advice(rc, said);
	if (*said)
		fail(err, rc, "%s: %m (%s)", what, said);
	else
		fail(err, rc, "%s: %m", what);
	return advice ? fail_hint(err, rc, "%s", advice) : rc;
}

static int write_and_read(struct store *s, const char *key, struct err *err)
{
	char back[sizeof(scratch) + 1];
	ssize_t n;
	int rc = store_put(s, key, scratch, sizeof(scratch), NULL);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot write to the bucket");
	n = store_get(s, key, 0, back, sizeof(back));
	if (n < 0)
		return bucket_fail(err, (int)n, "cannot read from the bucket");
	if (n != sizeof(scratch) || memcmp(back, scratch, sizeof(scratch)) != 0)
		return fail(err, -EPROTO,
			    "the bucket gives back other bytes than were "
			    "written");
	return 0;
}

/* Other bytes under a key that is taken must be refused: by the store, not by
 * a look before the put. */
static int create_only(struct store *s, const char *key, bool single_writer,
		       struct store_caps *caps, struct err *err)
{
	struct store_put_opts create = { .if_absent = true };
	int rc = store_put(s, key, "other", 5, &create);

	store_caps(s, caps); /* that may just have been found out */
	if (rc == -EEXIST && caps->create_only)
		return 0;
	caps->create_only = false;
	if (rc < 0 && rc != -ENOTSUP && rc != -EEXIST)
		return bucket_fail(err, rc, "cannot write to the bucket");
	if (single_writer)
		return 0;
	rc = fail(err, -ENOTSUP,
		  "the store overwrites an object that was to be created "
		  "only: two gateways could destroy each other's data");
	return fail_hint(err, rc,
			 "use a store with create-only PUT, or, if no other "
			 "gateway ever writes that bucket: single_writer: "
			 "confirmed");
}

int bucket_create(struct store *s, bool create_only, const char *key,
		  const void *p, size_t n)
{
	struct store_put_opts create = { .if_absent = create_only };
	struct store_info info;
	int rc = create_only ? -ENOENT : store_head(s, key, &info);

	if (rc == 0)
		return -EEXIST;
	return rc == -ENOENT ? store_put(s, key, p, n, &create) : rc;
}

static int remove_it(struct store *s, const char *key, struct err *err)
{
	struct store_info info;
	int rc = store_del1(s, key);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot delete from the bucket");
	rc = store_head(s, key, &info);
	if (rc == 0)
		return fail(err, -EPROTO,
			    "a deleted object is still in the bucket");
	if (rc != -ENOENT)
		return bucket_fail(err, rc, "cannot look into the bucket");
	return 0;
}

/* A key below scratch/ that nobody else has. */
static int scratch_key(char key[64], struct err *err)
{
	uint8_t id[16];
	char hex[2 * sizeof(id) + 1];
	int rc = io_random(id, sizeof(id));

	if (rc < 0)
		return fail(err, rc, "no random numbers: %m");
	hex_encode(id, sizeof(id), hex);
	snprintf(key, 64, "scratch/%s", hex);
	return 0;
}

int bucket_check(struct store *s, bool single_writer, struct store_caps *caps,
		 struct err *err)
{
	char key[64];
	int rc = scratch_key(key, err), gone;

	if (rc < 0)
		return rc;
	store_caps(s, caps);
	rc = write_and_read(s, key, err);
	if (rc == 0)
		rc = create_only(s, key, single_writer, caps, err);
	gone = remove_it(s, key, rc < 0 ? NULL : err);
	return rc < 0 ? rc : gone;
}

int bucket_check_class(struct store *s, const char *storage_class,
		       struct err *err)
{
	const struct store_put_opts o = { .storage_class = storage_class };
	char key[64];
	int rc = scratch_key(key, err);

	if (rc < 0)
		return rc;
	rc = store_put(s, key, scratch, sizeof(scratch), &o);
	if (rc < 0)
		return bucket_fail(err, rc,
				   "the store does not take objects of storage "
				   "class '%s'",
				   storage_class);
	return remove_it(s, key, err);
}

/* Do any of the packs that are billed lie in the tier? */
static int tier_is_named(struct meta_txn *t, const char *tier)
{
	struct meta_pack_totals all[BUCKET_TOTALS];
	int n = meta_pack_totals(t, all, BUCKET_TOTALS);

	for (int i = 0; i < MIN(n, BUCKET_TOTALS); i++)
		if (strcmp(all[i].tier, tier) == 0 && all[i].objects)
			return 1;
	return MIN(n, 0);
}

int bucket_is_named(struct meta *m, const char *tier, struct err *err)
{
	struct meta_pack pack;
	META_TXN(t);
	int rc = meta_read(m, &t);

	if (rc == 0 && tier)
		rc = tier_is_named(&t, tier);
	else if (rc == 0)
		rc = meta_pack_list(&t, META_PACK_STORED, 0, INT64_MAX, &pack,
				    1);
	return rc < 0 ? fail(err, rc, "cannot read the packs' rows: %m") : rc;
}

int bucket_has_packs(struct store *s, struct err *err)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };
	int rc = store_list(s, "packs/", "", 1, &l);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot list the bucket");
	return l.n > 0;
}

static const char *yes(bool is)
{
	return is ? "yes" : "no";
}

void bucket_tell(const struct store_caps *caps, const char *store,
		 const char *bucket)
{
	log_info("store '%s', bucket '%s': create-only PUT: %s; storage "
		 "classes: %s; restore from an archive class: %s; versioning: "
		 "%s; object lock: %s",
		 store, bucket, yes(caps->create_only),
		 yes(caps->storage_class), yes(caps->restore),
		 yes(caps->versions), yes(caps->lock));
}
