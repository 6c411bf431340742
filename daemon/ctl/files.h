/* SPDX-License-Identifier: Apache-2.0 */
/* Inside ctl: what verbs that do something to files share. */
#ifndef MERSEY_CTL_FILES_H
#define MERSEY_CTL_FILES_H

#include "ctl/verbs.h"

struct ctl_files {
	struct ctl_call *c;
	struct ctl_set set;
	struct ctl_skipped skipped;
	uint64_t files, bytes; /* done */
	uint64_t looked;       /* of the set's bytes, for progress */
	bool dry_run;
};
void ctl_files_done(struct ctl_files *f);

/* The first `at` of the set were looked at. */
json_t *ctl_files_progress(const struct ctl_files *f, size_t at);
/* Sets files, bytes, dry_run, skipped. */
int ctl_files_result(struct ctl_files *f, json_t *r);
/* What the kernel keeps of the file is out of date: clients see the new state
 * at once, not when its hour is over. */
void ctl_files_tell(const struct ctl_files *f, uint64_t ino);
/* Is it pinned? 1 and until when (0 = for ever; NULL: not asked), 0, or
 * -errno. */
int ctl_pinned(const struct ctl_call *c, uint64_t ino, int64_t *until_ns);

#endif
