/* SPDX-License-Identifier: Apache-2.0 */
/* Which driver a kind of store has. */
#include "store/drivers.h"

int store_open(const struct store_opts *opts, struct store **out,
	       struct err *err)
{
	switch (opts->kind) {
	case STORE_DIR:
		return store_dir_open(opts, out, err);
	case STORE_S3:
		return store_s3_open(opts, out, err);
	case STORE_S3V2:
		return store_s3v2_open(opts, out, err);
	}
	return fail(err, -EINVAL, "store '%s' has an unknown kind", opts->name);
}

int store_renew(struct store *driver, const struct store_opts *opts)
{
	switch (opts->kind) {
	case STORE_S3:
		return store_s3_credentials(driver, opts->access_key,
					    opts->secret_key,
					    opts->session_token);
	case STORE_S3V2:
		return store_s3v2_renew(driver, opts);
	case STORE_DIR:
		break;
	}
	return -ENOTSUP;
}
