/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which study a file belongs to: the headers of files that were closed are
 * read when protect looks for work, before it chooses, and their rows say it
 * from then on. So no client waits for it, the bytes are still in memory, and
 * after a restart no header is read twice.
 *
 * Within a study files are ordered as a viewer shows them: by the number of
 * their series, then by their own. A modality or an archive may send them in
 * any order, over several associations at once, under names that say nothing.
 */
#include "move/impl.h"

#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "dicom/dicom.h"

#define STUDY_PAGE 32

/* A file whose cache file is not as it should be is protect's to find. */
static int header_open(struct move *mv, const struct meta_unread *u)
{
	return u->size ? cache_peek(mv->c, u->ino) : -ENOENT;
}

int dicom_header_read(int fd, uint64_t size, struct dicom_header *out)
{
	CLEANUP_FREE uint8_t *buf = malloc(DICOM_WINDOW);
	struct dicom_reader r;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	dicom_begin(&r, size);
	do {
		n = io_pread(fd, buf, DICOM_WINDOW, (off_t)r.off);
	} while (n > 0 && dicom_feed(&r, buf, (size_t)n) == 1);
	*out = r.h;
	return 0;
}

static int header_read(struct move *mv, const struct meta_unread *u,
		       struct dicom_header *out)
{
	CLEANUP_CLOSE int fd = header_open(mv, u);

	*out = (struct dicom_header){ 0 };
	if (fd == -EMFILE || fd == -ENFILE)
		return fd;
	return fd < 0 ? 0 : dicom_header_read(fd, u->size, out);
}

/* FNV-1a: two series of one number are not mixed. */
static uint32_t uid_hash(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619U;
	return h;
}

static int place_write(struct meta_txn *t, const struct meta_unread *u,
		       const struct dicom_header *h)
{
	struct meta_instance at = { 0 };
	struct meta_study s = { .date = h->date };
	int rc;

	if (*h->study) {
		memcpy(s.uid, h->study, sizeof(s.uid));
		memcpy(s.patient, h->patient, sizeof(s.patient));
		memcpy(s.modality, h->modality, sizeof(h->modality));
		rc = meta_study_put(t, &s);
		if (rc < 0)
			return rc;
		at.study = s.row;
		at.series = (uint64_t)h->series_number << 32 |
			    uid_hash(h->series);
		at.number = h->instance_number;
	}
	return meta_instance_set(t, u->ino, u->version, &at);
}

static int places_write(struct move *mv, const struct meta_unread *u,
			const struct dicom_header *h, int n)
{
	META_TXN(t);
	int rc = meta_begin(mv->m, &t), i;

	for (i = 0; rc == 0 && i < n; i++)
		rc = place_write(&t, &u[i], &h[i]);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static int unread_page(struct move *mv, uint64_t after, struct meta_unread *out)
{
	META_TXN(t);
	int rc = meta_look(mv->m, &t);

	return rc < 0 ? rc : meta_unread(&t, after, out, STUDY_PAGE);
}

int study_read_headers(struct move *mv, struct job *job)
{
	struct dicom_header h[STUDY_PAGE];
	struct meta_unread u[STUDY_PAGE];
	uint64_t after = 0;
	int n, i, rc = 0;

	do {
		if (job_stopping(job))
			return -EINTR;
		n = unread_page(mv, after, u);
		for (i = 0; rc == 0 && i < n; i++)
			rc = header_read(mv, &u[i], &h[i]);
		if (rc == 0 && n > 0)
			rc = places_write(mv, u, h, n);
		if (n > 0)
			after = u[n - 1].ino;
	} while (rc == 0 && n == STUDY_PAGE);
	return rc < 0 ? rc : MIN(n, 0);
}

int study_of_parcel(struct meta_txn *t, const struct parcel *p, uint64_t *study)
{
	struct meta_instance at;
	bool any = false;
	size_t i;
	int rc;

	*study = 0;
	for (i = 0; i < p->n; i++) {
		if (!p->item[i].named)
			continue;
		rc = meta_instance_get(t, item_ino(&p->item[i]), &at);
		if (rc == -ENOENT)
			continue; /* nothing will name it */
		if (rc < 0 && rc != -ENODATA)
			return rc;
		if (rc == -ENODATA || at.study == 0 ||
		    (any && at.study != *study)) {
			*study = 0;
			return 0;
		}
		*study = at.study;
		any = true;
	}
	return 0;
}
