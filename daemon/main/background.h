/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going to the background. The process that was started waits until the one
 * that stays says that it is ready, or why it cannot be, and ends with that.
 */
#ifndef MERSEY_MAIN_BACKGROUND_H
#define MERSEY_MAIN_BACKGROUND_H

#include "base/err.h"

/*
 * Only the process that stays returns: without terminal and in "/", its
 * messages are appended to log_file, and *ready_fd (CLOEXEC) leads to the one
 * that waits, which ends with status 0 or `failed`. Before threads start; on
 * failure *ready_fd may be open already.
 */
int background_start(const char *log_file, int failed, int *ready_fd,
		     struct err *err);

/* Says "ready", or what is wrong; closes the descriptor. */
void background_ready(int ready_fd);
void background_failed(int ready_fd, const struct err *err);

#endif
