/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recall --clinic-list: the studies of the patients that are expected, here
 * before each appointment. They are pinned until the slot is over. It is for
 * patients: a budget does not stop it, and the log says so.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/back.h"
#include "ctl/files.h"

#define CLINIC_SLOT_NS (3600 * NSEC_PER_SEC) /* from the appointment on */
#define CLINIC_PAGE    64
#define CLINIC_DAYS    30 /* that copies are kept, at most */

struct patient {
	const char *id; /* of the arguments */
	int64_t at_ns, ready_ns;
	uint64_t studies, bytes;
	uint64_t missing; /* files that are not here */
	struct ctl_item *item;
	size_t n, room;
};

struct clinic {
	struct ctl_call *c;
	struct back back;
	struct back_want want;
	struct patient *patient;
	size_t n;
	uint64_t archived, archived_bytes; /* files to be restored first */
	bool dry_run;
};

static void clinic_done(struct clinic *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		free(k->patient[i].item);
	free(k->patient);
	back_done(&k->back);
}

/* ---- what there is of a patient ------------------------------------------ */

static int patient_add(struct patient *p, uint64_t ino, uint64_t bytes)
{
	if (p->n == CTL_FILES_MAX)
		return -E2BIG;
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : CLINIC_PAGE;
		struct ctl_item *i =
			reallocarray(p->item, room, sizeof(*p->item));

		if (!i)
			return -ENOMEM;
		p->item = i;
		p->room = room;
	}
	p->item[p->n++] = (struct ctl_item){ .ino = ino, .bytes = bytes };
	p->bytes += bytes;
	return 0;
}

/* Nobody waits for what comes after that. */
static int64_t patient_over_ns(const struct patient *p)
{
	return p->at_ns + CLINIC_SLOT_NS;
}

static int clinic_file(struct clinic *k, struct patient *p, uint64_t ino)
{
	struct meta_inode in;
	int64_t ready;
	int rc = ctl_inode(k->c, ino, &in);

	if (rc < 0 || in.nlink == 0)
		return rc == -ENOENT ? 0 : rc;
	rc = patient_add(p, ino, in.size);
	if (rc < 0 || in.size == 0 || in.state == META_DIRTY ||
	    in.state == META_LOCAL)
		return rc;
	p->missing++;
	if (patient_over_ns(p) <= k->back.now_ns)
		return 0;
	k->want.by_ns = p->at_ns;
	rc = back_add(&k->back, ino, in.size, &k->want, &ready);
	p->ready_ns = MAX(p->ready_ns, ready);
	if (rc == 1) {
		k->archived++;
		k->archived_bytes += in.size;
	}
	return MIN(rc, 0);
}

static int clinic_files(struct clinic *k, uint64_t study, uint64_t after,
			uint64_t ino[CLINIC_PAGE])
{
	META_TXN(t);
	int rc = meta_look(k->c->w->meta, &t);

	return rc < 0 ? rc
		      : meta_study_files(&t, study, after, ino, CLINIC_PAGE);
}

static int clinic_study(struct clinic *k, struct patient *p, uint64_t study)
{
	uint64_t ino[CLINIC_PAGE], after = 0;
	size_t before = p->n;
	int n, i, rc = 0;

	do {
		n = clinic_files(k, study, after, ino);
		for (i = 0; i < n && rc == 0; i++) {
			after = ino[i];
			rc = clinic_file(k, p, after);
		}
	} while (n == CLINIC_PAGE && rc == 0);
	p->studies += p->n > before;
	return rc < 0 ? rc : MIN(n, 0);
}

static int clinic_studies(struct clinic *k, const char *id, uint64_t after,
			  struct meta_study s[CLINIC_PAGE])
{
	META_TXN(t);
	int rc = meta_look(k->c->w->meta, &t);

	return rc < 0 ? rc
		      : meta_patient_studies(&t, id, after, s, CLINIC_PAGE);
}

static int clinic_patient(struct clinic *k, struct patient *p)
{
	struct meta_study s[CLINIC_PAGE];
	uint64_t after = 0;
	int n, i, rc = 0;

	p->ready_ns = k->back.now_ns;
	do {
		n = clinic_studies(k, p->id, after, s);
		for (i = 0; i < n && rc == 0; i++) {
			after = s[i].row;
			rc = ctl_gone(k->c) ? -EINTR
					    : clinic_study(k, p, after);
		}
	} while (n == CLINIC_PAGE && rc == 0);
	return rc < 0 ? rc : MIN(n, 0);
}

/* ---- what is done about it ------------------------------------------------
 */

static int clinic_pin(struct clinic *k, const struct patient *p)
{
	struct meta_pin pin = { .until_ns = patient_over_ns(p),
				.made_ns = k->back.now_ns,
				.uid = k->c->peer->uid,
				.cause = "clinic-list" };
	META_TXN(t);
	int rc;

	if (!p->n || pin.until_ns <= k->back.now_ns)
		return 0;
	rc = meta_look(k->c->w->meta, &t);
	if (rc == 0)
		rc = meta_dirent_parent(&t, p->item[0].ino, &pin.ino);
	meta_abort(&t);
	if (rc == -ENOENT) /* deleted meanwhile */
		pin.ino = p->item[0].ino;
	else if (rc < 0)
		return rc;
	return ctl_pin(k->c, &pin, p->item, p->n);
}

static int clinic_do(struct clinic *k)
{
	size_t i;
	int rc = back_order(&k->back);

	for (i = 0; i < k->n && rc == 0; i++)
		rc = clinic_pin(k, &k->patient[i]);
	return rc;
}

/* ---- what is said of it ---------------------------------------------------
 */

static const char *patient_state(const struct patient *p)
{
	if (!p->studies)
		return "unknown";
	if (!p->missing)
		return "ready";
	return p->ready_ns > p->at_ns ? "at_risk" : "coming";
}

/* Will all of it be here? What is over is not fetched. */
static bool patient_comes(const struct clinic *k, const struct patient *p)
{
	return p->studies &&
	       (!p->missing || patient_over_ns(p) > k->back.now_ns);
}

static json_t *patient_json(const struct clinic *k, const struct patient *p)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s}", "patient_id", p->id,
			 "appointment_at", proto_time(p->at_ns), "studies",
			 proto_count(p->studies), "bytes",
			 proto_count(p->bytes), "ready_at",
			 patient_comes(k, p) ? proto_time(p->ready_ns)
					     : json_null(),
			 "state", patient_state(p));
}

static int clinic_result(struct clinic *k, json_t *result)
{
	CLEANUP_JSON json_t *list = json_array();
	size_t i;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < k->n; i++)
		if (json_array_append_new(list,
					  patient_json(k, &k->patient[i])) < 0)
			return -ENOMEM;
	if (proto_set(result, "patients", take(list)) < 0)
		return -ENOMEM;
	if (proto_set(result, "archived_files", proto_count(k->archived)) < 0 ||
	    proto_set(result, "archived_bytes",
		      proto_count(k->archived_bytes)) < 0)
		return -ENOMEM;
	return proto_set(result, "dry_run", json_boolean(k->dry_run));
}

static int clinic_args(struct clinic *k)
{
	const json_t *list = json_object_get(k->c->args, "patients"), *o;
	int64_t day = SEC_PER_DAY * NSEC_PER_SEC, last = k->back.now_ns;
	size_t i;
	int rc = back_speed(k->c, &k->want);

	k->patient = calloc(json_array_size(list) + 1, sizeof(*k->patient));
	if (!k->patient)
		return -ENOMEM;
	if (rc == 0 && !json_array_size(list))
		rc = fail(&k->c->err, -EINVAL, "no patient was named");
	if (rc < 0)
		return rc;
	json_array_foreach(list, i, o) {
		struct patient *p = &k->patient[k->n++];

		p->id = json_string_value(json_object_get(o, "patient_id"));
		rc = clock_iso_parse(
			json_string_value(json_object_get(o, "appointment_at")),
			&p->at_ns);
		if (rc < 0) /* ctl_args_check() has seen them */
			return rc;
		last = MAX(last, patient_over_ns(p));
	}
	k->back.days =
		(unsigned)MIN((last - k->back.now_ns) / day + 1, CLINIC_DAYS);
	return 0;
}

int ctl_verb_clinic(struct ctl_call *c, json_t *result)
{
	CLEANUP(clinic_done)
	struct clinic k = { .c = c,
			    .back = { .c = c, .now_ns = clock_wall_ns() },
			    .dry_run = ctl_flag(c, "dry_run") };
	char what[48];
	money_t amount = 0;
	size_t i;
	int rc = clinic_args(&k);

	for (i = 0; i < k.n && rc == 0; i++)
		rc = clinic_patient(&k, &k.patient[i]);
	if (rc == 0)
		rc = back_cost(&k.back, result, &amount);
	snprintf(what, sizeof(what), "a clinic list of %zu patients", k.n);
	if (rc == 0 && !k.dry_run)
		rc = back_budget(&k.back, amount, what);
	if (rc == 0 && !k.dry_run)
		rc = clinic_do(&k);
	if (rc == 0 && !k.dry_run)
		log_info("audit: user %u recalls for %s: %llu packs from an "
			 "archive",
			 (unsigned)c->peer->uid, what,
			 (unsigned long long)k.back.orders);
	return rc < 0 ? rc : clinic_result(&k, result);
}
