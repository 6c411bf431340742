/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small objects without which a trust cannot start, the volume marker
 * and the key objects: they lie in the bucket, and as copies under the same
 * names in the state directory, so that a start does not need the cloud
 * (P10). They are public: keys in them are wrapped by the root key.
 */
#ifndef MERSEY_MAIN_KEPT_H
#define MERSEY_MAIN_KEPT_H

#include "base/buf.h"
#include "pack/pack.h"
#include "store/store.h"

#define KEPT_MAX 65536 /* bytes of one; both are far smaller */

/* An object of the bucket, at most KEPT_MAX bytes; appends. 0, -ENOENT,
 * -EFBIG or an error of the store. */
int kept_fetch(struct store *s, const char *key, struct buf *out);

/* Makes or replaces the copy of an object. 0 or -errno. */
int kept_save(const char *state_dir, const char *key, const void *p, size_t n);

/*
 * The marker: from the copy, else (when `store` is not NULL) from the bucket,
 * and then kept. *volume receives whose it is. -ENOENT: neither has one.
 */
int kept_marker(const char *state_dir, struct store *store,
		const struct pack_root *root, struct pack_volume_id *volume,
		struct err *err);

/*
 * The key ring: all key objects of this root key that there are copies of;
 * when there is none, those in the bucket, and then they are kept. -ENOENT:
 * neither has one. `store` may be NULL.
 */
int kept_keyring(const char *state_dir, struct store *store,
		 const struct pack_volume_id *volume,
		 const struct pack_root *root, struct pack_keyring **out,
		 struct err *err);

#endif
