/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/recovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define KEY_DIGITS  64
#define GROUP	    4
#define GROUPS_LINE 8

/* "    1  0123 4567 …": eight groups of four digits a line. */
static int sheet_digits(const char *digits, struct buf *out)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < KEY_DIGITS && rc == 0; i += GROUP) {
		if (i % (GROUP * GROUPS_LINE) == 0)
			rc = buf_addf(out, "%s    line %zu:  ", i ? "\n" : "",
				      i / (GROUP * GROUPS_LINE) + 1);
		if (rc == 0)
			rc = buf_addf(out, "%.*s ", GROUP, digits + i);
	}
	return rc < 0 ? rc : buf_addf(out, "\n");
}

static int sheet_head(const struct config_trust *t, const char *gateway,
		      const char *volume, const char *key_id, struct buf *out)
{
	char now[CLOCK_ISO_SIZE];

	return buf_addf(
		out,
		"MERSEY RECOVERY SHEET\n"
		"=====================\n\n"
		"Print this, keep it in a safe, and remove the file from this "
		"machine.\n"
		"Whoever has it can read all data of the trust. Without the key "
		"nobody can.\n\n"
		"  trust:    %s  %s\n"
		"  bucket:   %s, prefix '%s', store '%s' (%s)\n"
		"  volume:   %s\n"
		"  key id:   %s\n"
		"  gateway:  %s\n"
		"  written:  %s\n\n",
		t->name, t->long_name, t->tiers[0].bucket, t->tiers[0].prefix,
		t->tiers[0].store->name, t->tiers[0].store->endpoint,
		volume[0] ? volume : "(see mersey.json in the bucket)", key_id,
		gateway, clock_iso(clock_wall_ns(), now));
}

static int sheet_use(const char *word, const char *check, struct buf *out)
{
	return buf_addf(
		out,
		"    check:   %s\n\n"
		"To use it, type one line into a file with mode 0600 (the digits "
		"without\nblanks; a typing mistake is found by the check):\n\n"
		"  %s <64 digits> %s\n\n"
		"To start the gateway again: name that file under `key` of the "
		"trust.\n\n"
		"To read data without any gateway, on any machine with "
		"mersey(1):\n"
		"  1. copy all objects below keys/ of the bucket's prefix into a "
		"directory DIR\n"
		"  2. copy an object PACK from below packs/\n"
		"  3. mersey pack extract PACK --key FILE --keys DIR --out "
		"WHERE\n",
		check, word, check);
}

int recovery_sheet(const struct config_trust *t, const char *gateway,
		   const char *volume, const char *key_id, const char *key,
		   struct buf *out)
{
	char word[32], digits[KEY_DIGITS + 1], check[16];
	int rc;

	if (sscanf(key, "%31s %64s %15s", word, digits, check) != 3 ||
	    strlen(digits) != KEY_DIGITS)
		return -EINVAL;
	rc = sheet_head(t, gateway, volume, key_id, out);
	if (rc == 0)
		rc = buf_addf(out, "  The key, 64 digits in two lines:\n\n");
	if (rc == 0)
		rc = sheet_digits(digits, out);
	if (rc == 0)
		rc = sheet_use(word, check, out);
	explicit_bzero(digits, sizeof(digits));
	return rc;
}
