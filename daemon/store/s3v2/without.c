/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for the driver in a build without libs3 (meson -Ds3v2=disabled). */
#include "store/drivers.h"

int store_s3v2_open(const struct store_opts *o, struct store **out,
		    struct err *err)
{
	(void)out;
	return fail(err, -ENOTSUP,
		    "store '%s': this merseyd was built without s3v2", o->name);
}

int store_s3v2_renew(struct store *driver, const struct store_opts *opts)
{
	(void)driver;
	(void)opts;
	return -ENOTSUP;
}
