/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server can do is tried, not believed: servers ignore headers that
 * they do not know. Which header makes a put create-only differs, too: S3 has
 * If-None-Match, Google a generation that must be 0 (under one of two names;
 * it does not take both families of headers in one request).
 *
 * Trials are objects below scratch/, with names that nobody else has, and are
 * removed at once. Two threads may try at the same time.
 *
 * Sources: "Conditional writes", "GetBucketVersioning",
 * "GetObjectLockConfiguration", Amazon S3 documentation; "Request
 * preconditions", Google Cloud Storage XML API.
 */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "store/s3/impl.h"
#include "store/s3/xml.h"

static const struct s3_field conditions[] = {
	{ "if-none-match", "*" },
	{ "x-goog-if-generation-match", "0" },
	{ "x-amz-if-generation-match", "0" },
};

/* An object of a trial. */
struct scratch {
	struct s3_store *s;
	char key[64];
	bool made;
	char version[2][STORE_VERSION_MAX]; /* a trial makes at most two */
	unsigned n_versions;
};

static int scratch_init(struct scratch *t, struct s3_store *s)
{
	uint8_t id[16];
	char hex[2 * sizeof(id) + 1];
	int rc = io_random(id, sizeof(id));

	*t = (struct scratch){ .s = s };
	if (rc < 0)
		return rc;
	hex_encode(id, sizeof(id), hex);
	snprintf(t->key, sizeof(t->key), "scratch/%s", hex);
	return 0;
}

/* Removes it, in all versions that this trial made; best effort: what stays
 * is a few bytes below scratch/. What failed before keeps its reason. */
static void scratch_done(struct scratch *t)
{
	struct store_call then = store_call;

	if (!t->made)
		return;
	for (unsigned i = 0; i < t->n_versions; i++) {
		s3_del_version(&t->s->base, t->key, t->version[i]);
		then.besides.deletes += store_call.sent;
	}
	if (t->n_versions == 0) {
		s3_del(&t->s->base, (const char *[]){ t->key }, 1,
		       (int[1]){ 0 });
		then.besides.deletes += store_call.sent;
	}
	store_call.sent = then.sent;
	store_call.besides = then.besides;
	memcpy(store_call.detail, then.detail, sizeof(then.detail));
}

/* Puts `text` there, only when nothing is there by condition `which`. */
static int scratch_put(struct scratch *t, const char *text, unsigned which)
{
	CLEANUP_REQUEST struct s3_request r = { .body = text,
						.body_len = strlen(text),
						.text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_PUT, t->key);
	char hash[S3_SHA256_HEX];
	int rc = s3_sha256_hex(text, strlen(text), hash);

	if (rc < 0)
		return rc;
	c.payload_hash = hash;
	s3_add_header(&c, conditions[which].name, conditions[which].value);
	t->made = true;
	rc = s3_do_besides(t->s, &c, &r, &store_call.besides.puts);
	if (rc == 0 && r.answer.status != 200)
		rc = s3_refused(t->s, &r, NULL);
	if (rc == 0 && r.answer.version[0] &&
	    t->n_versions < ARRAY_SIZE(t->version))
		memcpy(t->version[t->n_versions++], r.answer.version,
		       STORE_VERSION_MAX);
	return rc;
}

/* The first one. Nobody else has its name: what is there is of an attempt of
 * this put whose answer was lost, which says nothing of the caller's key. */
static int scratch_make(struct scratch *t, unsigned which)
{
	int rc = scratch_put(t, "one", which);

	return rc == -EEXIST ? store_explain(-EAGAIN, "a trial was cut short")
			     : rc;
}

/* ---- create-only ------------------------------------------------------ */

void s3_add_condition(struct s3_store *s, struct s3_call *c)
{
	const struct s3_field *f = &conditions[atomic_load(&s->condition)];

	s3_add_header(c, f->name, f->value);
}

/* Does condition `which` hold? 0, -ENOTSUP when it does not, or why that is
 * not known. */
static int try_condition(struct scratch *t, unsigned which)
{
	int rc = scratch_make(t, which);

	/* It may refuse what it does not know. */
	if (rc == -EIO || rc == -ENOTSUP)
		return -ENOTSUP;
	if (rc < 0)
		return rc;
	rc = scratch_put(t, "two", which);
	if (rc == -EEXIST)
		return 0;
	return rc == 0 || rc == -EIO ? -ENOTSUP : rc;
}

static int find_condition(struct s3_store *s)
{
	unsigned n = ARRAY_SIZE(conditions), first = s->google ? 1 : 0;
	int rc = -ENOTSUP;

	/* Nobody but Google has generations. */
	for (unsigned i = 0; i < (first ? n : 1) && rc == -ENOTSUP; i++) {
		unsigned which = (first + i) % n;
		CLEANUP(scratch_done) struct scratch t = { 0 };

		rc = scratch_init(&t, s);
		if (rc == 0)
			rc = try_condition(&t, which);
		if (rc == 0)
			atomic_store(&s->condition, which);
	}
	if (rc == 0 || rc == -ENOTSUP)
		atomic_store(&s->create_only, rc == 0 ? S3_YES : S3_NO);
	return rc;
}

static int no_create_only(void)
{
	return store_explain(-ENOTSUP, "it overwrites what is only to be "
				       "created: it has no create-only PUT");
}

int s3_create_only(struct s3_store *s)
{
	int rc = 0;

	if (atomic_load(&s->create_only) == S3_UNKNOWN)
		rc = find_condition(s);
	if (rc < 0 && rc != -ENOTSUP)
		return rc;
	return atomic_load(&s->create_only) == S3_YES ? 0 : no_create_only();
}

/* One part, completed over an object that is there. */
static int try_parts(struct scratch *t)
{
	struct store_put_opts only_new = { .if_absent = true };
	CLEANUP(s3_upload_done) struct s3_upload u = { 0 };
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_PUT, NULL);
	int rc = s3_upload_create(&u, t->s, t->key, &(struct store_put_opts){});

	if (rc == 0)
		rc = s3_upload_part(&u, 1, &c, &r, NULL);
	if (rc == 0)
		rc = s3_upload_complete(&u, &only_new);
	store_call.besides.puts += store_call.sent;
	store_call.sent = 0;
	if (rc == -EEXIST)
		return 0;
	return rc == 0 || rc == -EIO ? -ENOTSUP : rc;
}

int s3_create_parts(struct s3_store *s)
{
	CLEANUP(scratch_done) struct scratch t = { 0 };
	int rc = s3_create_only(s);

	if (rc < 0 || atomic_load(&s->create_parts) == S3_YES)
		return rc;
	if (atomic_load(&s->create_parts) == S3_NO)
		return no_create_only();
	rc = scratch_init(&t, s);
	if (rc == 0)
		rc = scratch_make(&t, atomic_load(&s->condition));
	if (rc == 0)
		rc = try_parts(&t);
	if (rc == 0 || rc == -ENOTSUP)
		atomic_store(&s->create_parts, rc == 0 ? S3_YES : S3_NO);
	return rc;
}

/* ---- what the bucket says of itself ----------------------------------- */

/* Asks for a part of its configuration; `on` is how it says yes. Who may not
 * ask, or whose server has none, does not know: -EACCES, -ENOTSUP. */
static int ask_config(struct s3_store *s, const char *query, const char *root,
		      const char *name, const char *on, atomic_int *known)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = S3_ERROR_MAX };
	struct s3_call c = S3_CALL(S3_GET, NULL);
	char text[32];
	int rc;

	c.query = query;
	rc = s3_do_besides(s, &c, &r, &store_call.besides.gets);
	if (rc < 0)
		return rc;
	if (r.answer.status != 200) {
		rc = s3_refused(s, &r, NULL);
		if (rc != -EACCES && !store_is_transient(rc))
			atomic_store(known, S3_NO);
		return rc;
	}
	/* No such element: it never was switched on. */
	rc = s3_xml_text(r.answer.text.data, r.answer.text.len, root, name,
			 text, sizeof(text));
	atomic_store(known, rc == 0 && strcmp(text, on) == 0 ? S3_YES : S3_NO);
	return 0;
}

int s3_locks(struct s3_store *s)
{
	int rc = 0;

	if (atomic_load(&s->locks) == S3_UNKNOWN)
		rc = ask_config(s, "object-lock=", "ObjectLockConfiguration",
				"ObjectLockEnabled", "Enabled", &s->locks);
	switch (atomic_load(&s->locks)) {
	case S3_YES:
		return 0;
	case S3_NO:
		return store_explain(-ENOTSUP,
				     "Object Lock is not on in this bucket");
	default:
		return rc;
	}
}

/* Whoever knows it says that there is nothing to restore. */
static int try_restore(struct s3_store *s)
{
	CLEANUP(scratch_done) struct scratch t = { 0 };
	int rc = scratch_init(&t, s);

	if (rc == 0)
		rc = scratch_make(&t, atomic_load(&s->condition));
	if (rc < 0)
		return rc;
	rc = s3_restore(&s->base, t.key, 1, STORE_STANDARD);
	store_call.besides.puts += store_call.sent;
	store_call.sent = 0;
	return rc;
}

void s3_caps(struct store *st, struct store_caps *out)
{
	struct s3_store *s = s3_of(st);

	*out = (struct store_caps){
		/* The first put that relies on it tries it. */
		.create_only = atomic_load(&s->create_only) != S3_NO,
		.storage_class = true,
		.copy = true,
		.restore = atomic_load(&s->restore) == S3_YES,
		.versions = atomic_load(&s->versions) == S3_YES,
		.lock = atomic_load(&s->locks) == S3_YES,
	};
}

int s3_probe(struct store *st, struct store_caps *out)
{
	struct s3_store *s = s3_of(st);
	int rc;

	store_call.sent = 0;
	rc = find_condition(s);
	if (rc < 0 && rc != -ENOTSUP)
		return rc;
	rc = ask_config(s, "versioning=", "VersioningConfiguration", "Status",
			"Enabled", &s->versions);
	if (!store_is_transient(rc))
		rc = s3_locks(s);
	if (!store_is_transient(rc))
		rc = try_restore(s);
	if (store_is_transient(rc))
		return rc;
	s3_caps(st, out);
	return 0;
}
