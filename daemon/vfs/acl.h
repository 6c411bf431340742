/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs as bytes: the form of linux/posix_acl_xattr.h, in which the
 * kernel sends, wants and enforces them; acl(5) has the rules. The calls
 * below acl_check() take only bytes that it accepted, and keep them so.
 */
#ifndef MERSEY_VFS_ACL_H
#define MERSEY_VFS_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* Is it an ACL: known version, whole entries in their order, the three that
 * must be there, and a mask where it is needed? 0 or -EINVAL. */
int acl_check(const void *acl, size_t len);
/* Does a mode say as much: are there only owner, group and others? */
bool acl_is_mode(const void *acl, size_t len);
/* The mode with the permissions that stat(2) shows for the ACL. */
mode_t acl_mode(const void *acl, size_t len, mode_t mode);
/* chmod(2): owner, mask (else group) and others follow the mode. */
void acl_chmod(void *acl, size_t len, mode_t mode);
/*
 * A directory's default ACL becomes the access ACL of a new object that was
 * asked for with `mode`: only what both allow. Returns the object's mode.
 */
mode_t acl_inherit(void *acl, size_t len, mode_t mode);

#endif
