/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
	char name[32];
	enum log_level max;
	int journal; /* stderr is the journal: it adds the time itself */
} log_conf = { .name = "mersey", .max = LOG_LEVEL_INFO };

/* systemd sets JOURNAL_STREAM=device:inode when stderr is the journal. */
static int log_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!env || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return 0;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

void log_setup(const char *name, enum log_level max)
{
	snprintf(log_conf.name, sizeof(log_conf.name), "%s", name);
	log_conf.max = max;
	log_conf.journal = log_is_journal();
}

static size_t log_prefix(char *line, size_t size, enum log_level level)
{
	static const char *const word[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warning",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	struct timespec ts;
	struct tm tm;
	char when[32];

	if (log_conf.journal)
		return (size_t)snprintf(line, size, "<%d>%s: ", level,
					log_conf.name);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	return (size_t)snprintf(line, size, "%s.%03ldZ %s %s: ", when,
				ts.tv_nsec / 1000000, log_conf.name,
				word[level]);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char text[2048], line[4096];
	size_t n, i;
	ssize_t w;
	va_list ap;

	if (level > log_conf.max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	n = log_prefix(line, sizeof(line), level);
	for (i = 0; text[i] && n + 5 < sizeof(line); i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(line + n, 5, "\\x%02x", c);
		else
			line[n++] = (char)c;
	}
	line[n++] = '\n';
	do
		w = write(STDERR_FILENO, line, n);
	while (w < 0 && errno == EINTR);
	/* A log that cannot be written has nobody left to be told. */
	errno = saved;
}
