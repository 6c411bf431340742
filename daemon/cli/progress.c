/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a long verb is: a line that is drawn over, only on a terminal and
 * only once it has taken 2 s; or, with --json --progress, an object a line.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/units.h"

#define PROGRESS_AFTER (2 * NSEC_PER_SEC)
#define PROGRESS_BAR   24

/* One command runs at a time in this process. */
static int64_t progress_began;
static bool progress_drawn;

static void progress_json(struct cli *c, const char *trust, const json_t *p)
{
	CLEANUP_JSON json_t *o = json_pack("{s:i, s:s, s:s, s:O}", "mersey", 1,
					   "verb", c->verb->name, "trust",
					   trust, "progress", p);
	CLEANUP_BUF struct buf b = { 0 };

	if (o && proto_line(o, &b) == 0 && fwrite(b.data, b.len, 1, c->msg))
		fflush(c->msg);
}

static size_t progress_columns(struct cli *c)
{
	struct winsize ws;

	if (ioctl(fileno(c->msg), TIOCGWINSZ, &ws) < 0 || ws.ws_col < 20)
		return 79;
	return ws.ws_col - 1U;
}

static int progress_share(const char *trust, uint64_t done, uint64_t all,
			  struct buf *b)
{
	static const char full[PROGRESS_BAR + 1] = "========================";
	uint64_t bar = all ? (uint64_t)((double)MIN(done, all) * PROGRESS_BAR /
					(double)all)
			   : 0;

	return buf_addf(b, "%s [%-*.*s] ", trust, PROGRESS_BAR, (int)bar, full);
}

static int progress_files(const char *trust, const json_t *p, struct buf *b)
{
	char n[UNITS_SIZE], of[UNITS_SIZE], size[UNITS_SIZE];
	uint64_t done = json_u64(p, "bytes");
	int rc = progress_share(trust, done, json_u64(p, "total_bytes"), b);

	return rc < 0 ? rc
		      : buf_addf(b, "%s of %s files, %s",
				 units_format_count(json_u64(p, "files"), n),
				 units_format_count(json_u64(p, "total_files"),
						    of),
				 units_format_size(done, size));
}

static int progress_checks(const char *trust, const json_t *p, struct buf *b)
{
	uint64_t done = json_u64(p, "checks"),
		 all = json_u64(p, "total_checks");
	int rc = progress_share(trust, done, all, b);

	return rc < 0 ? rc
		      : buf_addf(b, "%" PRIu64 " of %" PRIu64 " checks, %s",
				 done, all, json_text(p, "check"));
}

static int progress_text(const char *trust, const json_t *p, struct buf *b)
{
	int rc = json_known(p, "checks") ? progress_checks(trust, p, b)
					 : progress_files(trust, p, b);

	if (rc == 0 && json_known(p, "waiting_for"))
		rc = buf_addf(b, ", waits for %s", json_text(p, "waiting_for"));
	return rc;
}

static void progress_bar(struct cli *c, const char *trust, const json_t *p)
{
	CLEANUP_BUF struct buf raw = { 0 }, b = { 0 };

	if (progress_text(trust, p, &raw) < 0 || !buf_str(&raw) ||
	    text_clean((char *)raw.data, &b) < 0 || !buf_str(&b))
		return;
	fprintf(c->msg, "\r\033[K%.*s", (int)progress_columns(c),
		(char *)b.data);
	fflush(c->msg);
	progress_drawn = true;
}

void progress_show(struct cli *c, const char *trust, const json_t *p)
{
	int64_t now = clock_boot_ns();

	if (c->json) {
		if (cli_has(c, OPT_PROGRESS))
			progress_json(c, trust, p);
		return;
	}
	if (!progress_began)
		progress_began = now;
	if (c->quiet || now - progress_began < PROGRESS_AFTER ||
	    !isatty(fileno(c->msg)))
		return;
	progress_bar(c, trust, p);
}

void progress_end(struct cli *c)
{
	if (progress_drawn)
		fputs("\r\033[K", c->msg);
	progress_drawn = false;
	progress_began = 0;
}
