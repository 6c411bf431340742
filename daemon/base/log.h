/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr, one write each, with journald's "<N>" priority prefix
 * when stderr is the journal.  Library code does not log what it returns:
 * the one who ends an error's journey logs it, once.
 */
#ifndef MERSEY_BASE_LOG_H
#define MERSEY_BASE_LOG_H

enum log_level {
	LOG_LEVEL_ERROR = 3, /* syslog numbers */
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/*
 * Sets the name in front of each line ("rem", "supervisor"; copied, at most
 * 31 bytes) and the least urgent level that is shown.  Before threads start.
 */
void log_setup(const char *name, enum log_level max);

/* Writes one line; control bytes in it are escaped.  errno is kept. */
void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_err(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
