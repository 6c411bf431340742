/* SPDX-License-Identifier: Apache-2.0 */
#include "main/kept.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "main/bucket.h"

int kept_fetch(struct store *s, const char *key, struct buf *out)
{
	CLEANUP_FREE uint8_t *p = malloc(KEPT_MAX + 1);
	ssize_t n = p ? store_get(s, key, 0, p, KEPT_MAX + 1) : -ENOMEM;

	if (n == -ERANGE) /* empty */
		return 0;
	if (n < 0)
		return (int)n;
	return n > KEPT_MAX ? -EFBIG : buf_add(out, p, (size_t)n);
}

int kept_save(const char *state_dir, const char *key, const void *p, size_t n)
{
	CLEANUP_FREE char *path = io_path("%s/%s", state_dir, key);
	char *slash;
	int rc;

	if (!path)
		return -ENOMEM;
	slash = strrchr(path, '/');
	*slash = '\0';
	rc = io_mkdir_p(path, 0700);
	*slash = '/';
	return rc < 0 ? rc : io_write_file(path, 0600, p, n, false);
}

/* ---- marker ---------------------------------------------------------- */

static int marker_fetch(const char *state_dir, struct store *store,
			struct buf *text, struct err *err)
{
	int rc = kept_fetch(store, PACK_MARKER_NAME, text);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot read %s from the bucket",
				   PACK_MARKER_NAME);
	rc = kept_save(state_dir, PACK_MARKER_NAME, text->data, text->len);
	if (rc < 0)
		return fail(err, rc, "cannot keep a copy of %s: %m",
			    PACK_MARKER_NAME);
	return 0;
}

int kept_marker(const char *state_dir, struct store *store,
		const struct pack_root *root, struct pack_volume_id *volume,
		struct err *err)
{
	CLEANUP_FREE char *path = io_path("%s/%s", state_dir, PACK_MARKER_NAME);
	CLEANUP_BUF struct buf text = { 0 };
	int rc = path ? io_read_file(path, KEPT_MAX, &text) : -ENOMEM;

	if (rc == -ENOENT && store)
		rc = marker_fetch(state_dir, store, &text, err);
	else if (rc < 0)
		rc = fail(err, rc, "cannot read '%s': %m",
			  path ? path : PACK_MARKER_NAME);
	if (rc < 0)
		return rc;
	return pack_marker_check(text.data, text.len, root, volume, err);
}

/* ---- keys ------------------------------------------------------------ */

/* The last part of a key object's name tells its root key. */
static bool is_of_root(const char *name, const struct pack_root *root)
{
	const char *dash = strrchr(name, '-');
	char id[17];

	pack_root_id(root, id);
	return dash && strcmp(dash + 1, id) == 0;
}

/* All copies; how many were added, or -errno. */
static int ring_from_copies(const char *state_dir, struct pack_keyring *kr,
			    const struct pack_root *root, struct err *err)
{
	CLEANUP_FREE char *dir = io_path("%s/keys", state_dir);
	DIR *d = dir ? opendir(dir) : NULL;
	int n = 0, rc = 0;
	struct dirent *e;

	if (!d && dir && errno == ENOENT)
		return 0;
	if (!d)
		return fail(err, -errno, "cannot list the key copies: %m");
	while (rc == 0 && (e = readdir(d))) {
		CLEANUP_FREE char *path = io_path("%s/%s", dir, e->d_name);
		CLEANUP_BUF struct buf b = { 0 };

		if (!is_of_root(e->d_name, root))
			continue;
		rc = path ? io_read_file(path, KEPT_MAX, &b) : -ENOMEM;
		if (rc < 0)
			rc = fail(err, rc, "cannot read a key copy: %m");
		else
			rc = pack_keyring_add(kr, root, b.data, b.len, err);
		if (rc < 0 && path)
			fail_prefix(err, rc, "'%s'", path);
		n++;
	}
	closedir(d);
	return rc < 0 ? rc : n;
}

static int ring_add_object(const char *state_dir, struct store *store,
			   const char *key, struct pack_keyring *kr,
			   const struct pack_root *root, struct err *err)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = kept_fetch(store, key, &b);

	if (rc < 0)
		return bucket_fail(err, rc, "cannot read '%s' from the bucket",
				   key);
	rc = pack_keyring_add(kr, root, b.data, b.len, err);
	if (rc < 0)
		return fail_prefix(err, rc, "'%s' in the bucket", key);
	rc = kept_save(state_dir, key, b.data, b.len);
	if (rc < 0)
		return fail(err, rc, "cannot keep a copy of '%s': %m", key);
	return 0;
}

/* All objects of the bucket; how many were added, or -errno. */
static int ring_from_bucket(const char *state_dir, struct store *store,
			    struct pack_keyring *kr,
			    const struct pack_root *root, struct err *err)
{
	char after[STORE_KEY_MAX + 1] = "";
	bool more = true;
	int n = 0;

	while (more) {
		CLEANUP(store_list_done) struct store_list l = { 0 };
		int rc = store_list(store, "keys/", after, 1000, &l);

		if (rc < 0)
			return bucket_fail(
				err, rc, "cannot list the keys in the bucket");
		for (size_t i = 0; i < l.n; i++) {
			if (!is_of_root(l.entry[i].key, root))
				continue;
			rc = ring_add_object(state_dir, store, l.entry[i].key,
					     kr, root, err);
			if (rc < 0)
				return rc;
			n++;
		}
		more = l.more && l.n > 0;
		if (more)
			snprintf(after, sizeof(after), "%s",
				 l.entry[l.n - 1].key);
	}
	return n;
}

int kept_keyring(const char *state_dir, struct store *store,
		 const struct pack_volume_id *volume,
		 const struct pack_root *root, struct pack_keyring **out,
		 struct err *err)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(volume);
	int n;

	if (!kr)
		return fail(err, -ENOMEM, "%m");
	n = ring_from_copies(state_dir, kr, root, err);
	if (n == 0 && store)
		n = ring_from_bucket(state_dir, store, kr, root, err);
	if (n < 0)
		return n;
	if (n == 0)
		return fail(err, -ENOENT,
			    "there is no key object of this root key");
	*out = take(kr);
	return 0;
}
