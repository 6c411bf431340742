/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MERSEY_CLI_RECOVERY_H
#define MERSEY_CLI_RECOVERY_H

#include "base/buf.h"
#include "config/config.h"

/*
 * The recovery sheet of a trust, to be printed and kept away from this
 * machine: the root key in groups of digits, what it belongs to, and how it
 * is used without any daemon. `key` is the text of the key file; volume may
 * be "". Appends. 0, -EINVAL when the text is no key, -ENOMEM.
 */
int recovery_sheet(const struct config_trust *t, const char *gateway,
		   const char *volume, const char *key_id, const char *key,
		   struct buf *out);

#endif
