/* SPDX-License-Identifier: Apache-2.0 */
/* An ACL as setxattr(2) brings it; the first two bytes are a mode. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "vfs/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* What is made of a good one is good, and says what was asked for. */
static void change(const uint8_t *acl, size_t len, mode_t mode)
{
	uint8_t *copy = malloc(len);
	mode_t kept = mode & 07000, got;

	must(copy != NULL);
	must(acl_mode(acl, len, 07777) <= 07777);
	memcpy(copy, acl, len);
	acl_chmod(copy, len, mode);
	must(acl_check(copy, len) == 0);
	must(acl_mode(copy, len, kept) == mode);
	memcpy(copy, acl, len);
	got = acl_inherit(copy, len, mode);
	must(acl_check(copy, len) == 0);
	must(got == acl_mode(copy, len, kept));
	must((got & ~mode) == 0);
	must((got & 0777 & ~acl_mode(acl, len, 0)) == 0);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *acl;
	int rc;

	if (size < 2)
		return 0;
	acl = malloc(size - 2 + 1); /* its end is the end of what it may read */
	must(acl != NULL);
	memcpy(acl + 1, data + 2, size - 2);
	rc = acl_check(acl + 1, size - 2);
	must(rc == 0 || rc == -EINVAL);
	if (rc == 0)
		change(acl + 1, size - 2, get_le16(data) & 07777);
	free(acl);
	return 0;
}
