/* SPDX-License-Identifier: Apache-2.0 */
#include "vfs/acl.h"

#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "base/bytes.h"

#define HEAD  sizeof(struct posix_acl_xattr_header)
#define ENTRY sizeof(struct posix_acl_xattr_entry)
#define PERMS 07U

struct entry {
	uint8_t *at;
	unsigned tag, perm;
	uint32_t id;
};

/* The entry at `off`, and moves off behind it; false at the end. */
static bool next_entry(const void *acl, size_t len, size_t *off,
		       struct entry *e)
{
	if (*off + ENTRY > len)
		return false;
	e->at = (uint8_t *)acl + *off;
	e->tag = get_le16(e->at);
	e->perm = get_le16(e->at + 2);
	e->id = get_le32(e->at + 4);
	*off += ENTRY;
	return true;
}

#define FOR_EACH_ENTRY(acl, len, e) \
	for (size_t off_ = HEAD; next_entry(acl, len, &off_, &(e));)

/* What may follow in the order of the entries. */
enum place { OWNER, USERS, GROUPS, OTHERS, END, WRONG };

static enum place place_after(enum place p, const struct entry *e, bool *named)
{
	switch (e->tag) {
	case ACL_USER_OBJ:
		return p == OWNER ? USERS : WRONG;
	case ACL_GROUP_OBJ:
		return p == USERS ? GROUPS : WRONG;
	case ACL_USER:
	case ACL_GROUP:
		*named = true;
		if (e->id == (uint32_t)ACL_UNDEFINED_ID)
			return WRONG;
		return p == (e->tag == ACL_USER ? USERS : GROUPS) ? p : WRONG;
	case ACL_MASK:
		return p == GROUPS ? OTHERS : WRONG;
	case ACL_OTHER:
		/* Without a mask nobody may be named. */
		return p == OTHERS || (p == GROUPS && !*named) ? END : WRONG;
	default:
		return WRONG;
	}
}

int acl_check(const void *acl, size_t len)
{
	enum place p = OWNER;
	bool named = false;
	struct entry e;

	if (len < HEAD || (len - HEAD) % ENTRY != 0 ||
	    get_le32(acl) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	FOR_EACH_ENTRY(acl, len, e)
	{
		p = e.perm & ~PERMS ? WRONG : place_after(p, &e, &named);
		if (p == WRONG)
			return -EINVAL;
	}
	return p == END ? 0 : -EINVAL;
}

bool acl_is_mode(const void *acl, size_t len)
{
	return len == HEAD + 3 * ENTRY;
}

static bool has_mask(const void *acl, size_t len)
{
	struct entry e;

	FOR_EACH_ENTRY(acl, len, e)
	if (e.tag == ACL_MASK)
		return true;
	return false;
}

/* Where in a mode the permissions of an entry are; -1: nowhere. */
static int mode_shift(const struct entry *e, bool masked)
{
	switch (e->tag) {
	case ACL_USER_OBJ:
		return 6;
	case ACL_GROUP_OBJ:
		return masked ? -1 : 3;
	case ACL_MASK:
		return 3;
	case ACL_OTHER:
		return 0;
	default:
		return -1;
	}
}

mode_t acl_mode(const void *acl, size_t len, mode_t mode)
{
	bool masked = has_mask(acl, len);
	struct entry e;

	FOR_EACH_ENTRY(acl, len, e)
	{
		int shift = mode_shift(&e, masked);

		if (shift >= 0)
			mode = (mode & ~(PERMS << shift)) | e.perm << shift;
	}
	return mode;
}

static void set_perm(const struct entry *e, unsigned perm)
{
	put_le16(e->at + 2, (uint16_t)(perm & PERMS));
}

/* The entries that a mode shows become it, or what both allow. */
static void follow(void *acl, size_t len, mode_t mode, bool both)
{
	bool masked = has_mask(acl, len);
	struct entry e;

	FOR_EACH_ENTRY(acl, len, e)
	{
		int shift = mode_shift(&e, masked);

		if (shift >= 0)
			set_perm(&e, mode >> shift & (both ? e.perm : PERMS));
	}
}

void acl_chmod(void *acl, size_t len, mode_t mode)
{
	follow(acl, len, mode, false);
}

mode_t acl_inherit(void *acl, size_t len, mode_t mode)
{
	follow(acl, len, mode, true);
	return acl_mode(acl, len, mode);
}
