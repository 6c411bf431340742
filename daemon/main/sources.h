/* SPDX-License-Identifier: Apache-2.0 */
/* From the config to where a trust's credentials come from. */
#ifndef MERSEY_MAIN_SOURCES_H
#define MERSEY_MAIN_SOURCES_H

#include "main/conf.h"

/*
 * One for each of the trust's credentials, in the order of the config; with
 * sources_done(), also after a failure. What the environment of this process
 * has is taken out of it the first time. Before threads start.
 */
int sources_init(const struct conf_trust *ct, struct super_credential **out,
		 struct err *err);
/* Children have none of it from now on: after the last fork of a process that
 * goes on as its own child. */
int sources_hide(struct err *err);
void sources_done(struct super_credential *all, size_t n);

#endif
