/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes what a trust needs to be served: the namespace, the volume marker,
 * the first generation key, and their copies; checks the bucket. As root it
 * makes the directories and then becomes the trust's user for all that
 * touches state or bucket. Every step can be repeated: what is there and
 * right stays, what is there and wrong is refused.
 *
 * The result is one JSON object on stdout, for `mersey trust add`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "main/bucket.h"
#include "main/identity.h"
#include "main/kept.h"
#include "main/modes.h"
#include "main/place.h"
#include "main/service.h"
#include "main/stack.h"

struct setup {
	const struct conf_trust *ct;
	struct super_secret secret[SUPER_SECRETS_MAX];
	size_t n_secrets;
	struct pack_root root;
	struct pack_volume_id volume;
	struct stack stack;
	struct store_caps caps[MOVE_TIERS_MAX]; /* of the places */
	char *database;
	bool has_database;
	bool names_objects; /* the database does */
	bool names_place[MOVE_TIERS_MAX];
};

/* Where new data and the keys lie. */
static struct stack_place *first(struct setup *s)
{
	return &s->stack.place[0];
}

/* ---- as root --------------------------------------------------------- */

/* A directory of the trust's user, closed to all others. */
static int make_private_dir(const char *path, uid_t uid, gid_t gid,
			    struct err *err)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0
				       : fail(err, -errno,
					      "cannot make '%s': %m", path);
	if (chown(path, uid, gid) < 0)
		return fail(err, -errno, "cannot give '%s' to user %u: %m",
			    path, uid);
	return 0;
}

/* The bucket of a directory store, which nobody else would make. */
static int make_bucket_dir(const struct conf_trust *ct,
			   const struct config_tier *t, struct err *err)
{
	CLEANUP_FREE char *path =
		io_path("%s/%s", t->store->endpoint, t->bucket);

	if (!path)
		return fail(err, -ENOMEM, "%m");
	return make_private_dir(path, ct->uid, ct->gid, err);
}

static int make_dirs(const struct conf_trust *ct, struct err *err)
{
	int rc;

	umask(022);
	rc = io_mkdir_p(ct->c->state_dir, 0755);
	if (rc < 0)
		return fail(err, rc, "cannot make '%s': %m", ct->c->state_dir);
	rc = make_private_dir(ct->state_dir, ct->uid, ct->gid, err);
	for (size_t i = 0; rc == 0 && i < ct->n_tiers; i++)
		if (ct->tiers[i].t->store->kind == STORE_DIR)
			rc = make_bucket_dir(ct, ct->tiers[i].t, err);
	return rc;
}

static int prepare(struct setup *s, struct err *err)
{
	const struct conf_trust *ct = s->ct;
	struct super_sandbox sandbox = service_sandbox(ct, 0);
	bool root = geteuid() == 0;
	int rc = conf_read_secrets(ct, s->secret, &s->n_secrets, err);

	if (rc == 0 && root)
		rc = make_dirs(ct, err);
	if (rc == 0)
		rc = conf_check_state_dir(ct, root ? ct->uid : geteuid(), err);
	if (rc < 0)
		return rc;
	umask(077);
	return super_drop_privileges(&sandbox, err);
}

/* ---- as the trust's user --------------------------------------------- */

static int open_all(struct setup *s, struct err *err)
{
	const struct stack_open in = {
		.ct = s->ct,
		.secrets = s->secret,
		.n_secrets = s->n_secrets,
		.beside = true,
	};
	const struct buf *key =
		super_secret_find(s->secret, s->n_secrets, "key");
	int rc;

	s->database = service_database(s->ct->state_dir);
	if (!s->database || !key)
		return fail(err, -ENOMEM, "%m");
	rc = pack_root_parse((const char *)key->data, key->len, &s->root, err);
	if (rc < 0)
		return fail_prefix(err, rc, "'%s'", s->ct->key_file);
	return stack_open(&s->stack, &in, err);
}

/* Which places have objects of the database. */
static int read_names(struct setup *s, struct meta *m, struct err *err)
{
	int rc = bucket_is_named(m, NULL, err);

	s->names_objects = rc > 0;
	for (size_t i = 0; rc >= 0 && i < s->ct->n_tiers; i++) {
		const struct tier_terms *t = &s->ct->tiers[i].terms;

		rc = bucket_is_named(m, t->name, err);
		s->names_place[t->place] |= rc > 0;
	}
	return MIN(rc, 0);
}

/* The volume of a database that is there already. */
static int read_database(struct setup *s, struct err *err)
{
	CLEANUP(meta_close_guard) struct meta *m = NULL;
	int rc;

	if (access(s->database, F_OK) < 0)
		return errno == ENOENT
			       ? 0
			       : fail(err, -errno, "'%s': %m", s->database);
	rc = meta_open(s->database, &m, s->volume.b, err);
	if (rc == 0)
		rc = read_names(s, m, err);
	s->has_database = rc == 0;
	return rc;
}

static int make_database(struct setup *s, struct err *err)
{
	struct meta_opts o = {
		.path = s->database,
		.root_mode = S_IFDIR | s->ct->t->root_mode,
		.root_uid = s->ct->root_uid,
		.root_gid = s->ct->root_gid,
	};

	memcpy(o.volume, s->volume.b, sizeof(o.volume));
	return meta_create(&o, err);
}

/*
 * The bucket has a marker of ours and this machine has no database: either an
 * earlier setup was cut off, and nothing was stored yet, or a gateway was
 * lost. A new namespace would orphan what that one stored.
 */
static int adopt(struct setup *s, struct err *err)
{
	int rc = bucket_has_packs(first(s)->direct, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return make_database(s, err);
	rc = fail(err, -EEXIST,
		  "the bucket holds this trust's data, and there is no "
		  "database in '%s': the trust must be restored, not made anew",
		  s->ct->state_dir);
	return fail_hint(err, rc,
			 "put back the state directory of the gateway that "
			 "wrote it");
}

/*
 * A marker in a bucket that is not the one where the objects are (a wrong
 * name, a disk that is not mounted) would let new files go there, and old
 * ones look lost.
 */
static int refuse_bucket(const struct setup *s, struct err *err)
{
	int rc = fail(err, -EREMCHG,
		      "the database in '%s' names objects, and the bucket has "
		      "no %s: it is another bucket, or has lost them",
		      s->ct->state_dir, PACK_MARKER_NAME);

	return fail_hint(err, rc,
			 "check bucket and prefix, and that what lies below a "
			 "directory store is mounted");
}

/* A new volume: database first, so that a marker always has one. */
static int create_volume(struct setup *s, struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	int rc = 0;

	if (s->names_objects)
		return refuse_bucket(s, err);
	if (!s->has_database)
		rc = io_random(s->volume.b, sizeof(s->volume.b));
	if (rc == 0)
		rc = pack_marker_make(&s->volume, &s->root, &text);
	if (rc < 0)
		return fail(err, rc, "cannot make a volume marker: %m");
	if (!s->has_database)
		rc = make_database(s, err);
	if (rc < 0)
		return rc;
	rc = bucket_create(first(s)->direct, s->caps[0].create_only,
			   PACK_MARKER_NAME, text.data, text.len);
	if (rc < 0)
		return bucket_fail(
			err, rc,
			"cannot put the volume marker into the bucket");
	return 0;
}

/* Marker and database agree afterwards, or nothing was changed. */
static int setup_volume(struct setup *s, struct err *err)
{
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_volume_id found;
	int rc = read_database(s, err);

	if (rc < 0)
		return rc;
	rc = kept_fetch(first(s)->direct, PACK_MARKER_NAME, &text);
	if (rc == -ENOENT)
		return create_volume(s, err);
	if (rc < 0)
		return bucket_fail(err, rc, "cannot read the bucket");
	rc = pack_marker_check(text.data, text.len, &s->root, &found, err);
	if (rc < 0)
		return fail_prefix(err, rc, "the bucket is in use");
	if (s->has_database && memcmp(&found, &s->volume, sizeof(found)) != 0)
		return fail(err, -EREMCHG,
			    "the bucket belongs to another volume than the "
			    "database in '%s'",
			    s->ct->state_dir);
	s->volume = found;
	return s->has_database ? 0 : adopt(s, err);
}

/* The copy of the marker is read from the bucket anew: it is what a start
 * with the cloud away believes. */
static int setup_marker_copy(struct setup *s, struct err *err)
{
	CLEANUP_FREE char *path =
		io_path("%s/%s", s->ct->state_dir, PACK_MARKER_NAME);
	struct pack_volume_id volume;

	if (!path || (unlink(path) < 0 && errno != ENOENT))
		return fail(err, -errno, "cannot renew the marker's copy: %m");
	return kept_marker(s->ct->state_dir, first(s)->direct, &s->root,
			   &volume, err);
}

/* The first generation key: into the bucket, then its copy. */
static int create_key(struct setup *s, struct err *err)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&s->volume);
	CLEANUP_BUF struct buf object = { 0 };
	char key[PACK_NAME_SIZE];
	int rc = kr ? pack_keyring_create(kr, &s->root, 1, &object) : -ENOMEM;

	if (rc < 0)
		return fail(err, rc, "cannot make a generation key: %m");
	pack_key_object_name(1, &s->root, key);
	rc = bucket_create(first(s)->direct, s->caps[0].create_only, key,
			   object.data, object.len);
	if (rc < 0)
		return bucket_fail(err, rc,
				   "cannot put the key object into the bucket");
	rc = kept_save(s->ct->state_dir, key, object.data, object.len);
	return rc < 0 ? fail(err, rc, "cannot keep the key object: %m") : 0;
}

static int setup_keys(struct setup *s, struct err *err)
{
	CLEANUP(pack_keyring_free_guard) struct pack_keyring *kr = NULL;
	int rc = kept_keyring(s->ct->state_dir, first(s)->direct, &s->volume,
			      &s->root, &kr, err);

	return rc == -ENOENT ? create_key(s, err) : rc;
}

static const char *tier_name(const struct stack_place *p)
{
	return p->tier->terms.name;
}

/* As fail_prefix(): which tier is the trouble's. */
static int in_tier(const struct setup *s, size_t place, int rc, struct err *err)
{
	return rc < 0 ? fail_prefix(err, rc, "trust '%s', tier '%s'",
				    s->ct->t->name,
				    tier_name(&s->stack.place[place]))
		      : 0;
}

/* Before anything is made anywhere. */
static int check_places(struct setup *s, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->stack.n_places; i++)
		rc = in_tier(s, i,
			     place_check(&s->stack.place[i], s->ct, &s->caps[i],
					 err),
			     err);
	return rc;
}

static int setup_first(struct setup *s, struct err *err)
{
	int rc = setup_volume(s, err);

	if (rc == 0)
		rc = setup_marker_copy(s, err);
	if (rc == 0)
		rc = setup_keys(s, err);
	return in_tier(s, 0, rc, err);
}

static int setup_others(struct setup *s, struct err *err)
{
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < s->stack.n_places; i++) {
		const struct place_setup in = {
			.from = first(s)->direct,
			.volume = &s->volume,
			.root = &s->root,
			.named = s->names_place[i],
			.create_only = s->caps[i].create_only,
		};

		rc = in_tier(s, i, place_setup(&s->stack.place[i], &in, err),
			     err);
	}
	return rc;
}

static int run(struct setup *s, struct err *err)
{
	int rc = open_all(s, err);

	super_secrets_done(s->secret, s->n_secrets);
	s->n_secrets = 0;
	if (rc < 0)
		return fail_prefix(err, rc, "trust '%s'", s->ct->t->name);
	rc = check_places(s, err);
	if (rc == 0)
		rc = setup_first(s, err);
	return rc < 0 ? rc : setup_others(s, err);
}

/* ---- the answer ------------------------------------------------------ */

static int answer_tier(const struct setup *s, size_t tier, struct buf *out)
{
	const struct tier_terms *t = &s->ct->tiers[tier].terms;
	const struct store_caps *caps = &s->caps[t->place];
	int rc = buf_addf(out, "%s{\"tier\": ", tier ? ", " : "");

	rc = rc ?: buf_add_json(out, t->name);
	return rc
		       ?: buf_addf(out,
				   ", \"capabilities\": {\"create_only\": %s, "
				   "\"storage_class\": %s}}",
				   caps->create_only ? "true" : "false",
				   caps->storage_class ? "true" : "false");
}

static int answer(const struct setup *s, struct buf *out)
{
	const struct config_trust *t = s->ct->t;
	char key_id[17], volume[2 * sizeof(s->volume) + 1];
	int rc;

	pack_root_id(&s->root, key_id);
	hex_encode(&s->volume, sizeof(s->volume), volume);
	rc = buf_add(out, "{\"trust\": ", 10);
	rc = rc ?: buf_add_json(out, t->name);
	rc = rc ?: buf_addf(out, ", \"user\": ");
	rc = rc ?: buf_add_json(out, t->user);
	rc = rc ?: buf_addf(out, ", \"uid\": %u, \"state_dir\": ", s->ct->uid);
	rc = rc ?: buf_add_json(out, s->ct->state_dir);
	rc = rc
		     ?: buf_addf(out,
				 ", \"key_id\": \"%s\", \"volume\": \"%s\", ",
				 key_id, volume);
	rc = rc ?: buf_addf(out, "\"stores\": [");
	for (size_t i = 0; rc == 0 && i < s->ct->n_tiers; i++)
		rc = answer_tier(s, i, out);
	return rc ?: buf_addf(out, "]}\n");
}

static int print_answer(const struct setup *s, struct err *err)
{
	CLEANUP_BUF struct buf out = { 0 };
	int rc = answer(s, &out);

	if (rc == 0)
		rc = io_write(STDOUT_FILENO, out.data, out.len);
	return rc < 0 ? fail(err, rc, "cannot write the result: %m") : 0;
}

static void setup_done(struct setup *s)
{
	super_secrets_done(s->secret, s->n_secrets);
	stack_close(&s->stack);
	pack_root_done(&s->root);
	free(s->database);
}

int mode_setup(const struct args *a)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	CLEANUP(conf_trust_done) struct conf_trust ct = { 0 };
	CLEANUP(setup_done) struct setup s = { .ct = &ct };
	struct err err = ERR_INIT;
	int rc;

	if (conf_load(a->config, &c) < 0)
		return EXIT_USAGE;
	rc = conf_trust_init(&ct, c, a->trust, &err);
	if (rc == 0)
		rc = prepare(&s, &err);
	if (rc == 0)
		rc = run(&s, &err);
	if (rc == 0)
		rc = print_answer(&s, &err);
	if (rc == 0)
		return EXIT_SUCCESS;
	/* For the person at the other end of `mersey trust add`: no log. */
	fprintf(stderr, "merseyd: %s\n", err.msg);
	if (err.hint[0])
		fprintf(stderr, "  try: %s\n", err.hint);
	return EXIT_FAILURE;
}
