// SPDX-License-Identifier: Apache-2.0
#include "main/place.h"

#include <stdio.h>
#include <string.h>

#include "main/bucket.h"
#include "main/identity.h"
#include "main/kept.h"

/* ---- what a bucket can do --------------------------------------------- */

/* Claims lie in the first place alone, and what else is written carries the
 * number of a claim: elsewhere nothing depends on PUTs that only create. */
static bool vouched_for(const struct stack_place *p,
			const struct conf_trust *ct)
{
	return p->tier->terms.place > 0 || ct->tier->single_writer_confirmed;
}

int place_check(const struct stack_place *p, const struct conf_trust *ct,
		struct store_caps *caps, struct err *err)
{
	int rc = bucket_check(p->direct, vouched_for(p, ct), caps, err);

	for (size_t i = 0; rc == 0 && i < ct->n_tiers; i++) {
		const struct tier_terms *t = &ct->tiers[i].terms;

		if (t->place == p->tier->terms.place && *t->storage_class)
			rc = bucket_check_class(p->direct, t->storage_class,
						err);
	}
	return rc;
}

/* ---- marker ------------------------------------------------------------ */

/* A setup that was cut off may have left what it tried the bucket with. */
static bool is_scratch(const char *key)
{
	return strncmp(key, "scratch/", 8) == 0;
}

static int check_empty(struct store *s, struct err *err)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };
	int rc = store_list(s, "", "", 1000, &l);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot list the bucket");
	for (size_t i = 0; i < l.n; i++) {
		if (is_scratch(l.entry[i].key))
			continue;
		rc = fail(err, -EEXIST,
			  "the bucket is not empty, and has no %s: '%s' lies "
			  "there",
			  PACK_MARKER_NAME, l.entry[i].key);
		return fail_hint(err, rc,
				 "check bucket and prefix: a tier begins with "
				 "an empty one");
	}
	return 0;
}

/* The same bytes as in the first place. */
static int put_marker(struct stack_place *p, const struct place_setup *in,
		      struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	int rc;

	if (in->named) {
		rc = fail(err, -EREMCHG,
			  "files of this trust lie in the tier, and the bucket "
			  "has no %s: it is another bucket, or has lost them",
			  PACK_MARKER_NAME);
		return fail_hint(err, rc,
				 "check bucket and prefix, and that what lies "
				 "below a directory store is mounted");
	}
	rc = check_empty(p->direct, err);
	if (rc < 0)
		return rc;
	rc = kept_fetch(in->from, PACK_MARKER_NAME, &text);
	if (rc < 0)
		return bucket_fail(err, rc, "cannot read %s of the first tier",
				   PACK_MARKER_NAME);
	rc = bucket_create(p->direct, in->create_only, PACK_MARKER_NAME,
			   text.data, text.len);
	return rc < 0 ? bucket_fail(err, rc,
				    "cannot put the volume marker into the "
				    "bucket")
		      : 0;
}

/* ---- keys ---------------------------------------------------------------- */

/* It is there: as it should be? */
static int same_key(struct store *s, const char *key, const struct buf *want,
		    struct err *err)
{
	CLEANUP_BUF struct buf found = { 0 };
	int rc = kept_fetch(s, key, &found);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot read '%s' from the bucket",
				   key);
	if (found.len != want->len ||
	    memcmp(found.data, want->data, want->len) != 0)
		return fail(err, -EREMCHG,
			    "'%s' in the bucket is not that of the first tier",
			    key);
	return 0;
}

static int put_key(struct stack_place *p, const struct place_setup *in,
		   const char *key, struct err *err)
{
	CLEANUP_BUF struct buf object = { 0 };
	int rc = kept_fetch(in->from, key, &object);

	if (rc < 0)
		return bucket_fail(err, rc,
				   "cannot read '%s' of the first tier", key);
	rc = bucket_create(p->direct, in->create_only, key, object.data,
			   object.len);
	if (rc == -EEXIST)
		return same_key(p->direct, key, &object, err);
	return rc < 0 ? bucket_fail(err, rc, "cannot put '%s' into the bucket",
				    key)
		      : 0;
}

static int put_keys(struct stack_place *p, const struct place_setup *in,
		    struct err *err)
{
	char after[STORE_KEY_MAX + 1] = "";
	bool more = true;
	int rc = 0;

	while (rc == 0 && more) {
		CLEANUP(store_list_done) struct store_list l = { 0 };

		rc = store_list(in->from, "keys/", after, 1000, &l);
		if (rc < 0)
			return bucket_fail(err, rc,
					   "cannot list the keys of the first "
					   "tier");
		for (size_t i = 0; rc == 0 && i < l.n; i++)
			rc = put_key(p, in, l.entry[i].key, err);
		more = l.more && l.n > 0;
		if (more)
			snprintf(after, sizeof(after), "%s",
				 l.entry[l.n - 1].key);
	}
	return rc;
}

int place_setup(struct stack_place *p, const struct place_setup *in,
		struct err *err)
{
	/* Marker first: what was cut off behind it is this volume's, and goes
	 * on; keys without a marker would be somebody's. */
	int rc = identity_look(p->direct, in->volume, in->root, err);

	if (rc == -ENOENT)
		rc = put_marker(p, in, err);
	return rc < 0 ? rc : put_keys(p, in, err);
}
