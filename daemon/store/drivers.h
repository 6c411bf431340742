/* SPDX-License-Identifier: Apache-2.0 */
/* Constructors of the drivers and decorators; see store.h for the contract. */
#ifndef MERSEY_STORE_DRIVERS_H
#define MERSEY_STORE_DRIVERS_H

#include "base/buf.h"
#include "store/opts.h"
#include "store/store.h"

/* Who asked for a request; ledger rows keep these apart. */
enum store_cause {
	STORE_CAUSE_PROTECT,
	STORE_CAUSE_READ, /* a program read a file */
	STORE_CAUSE_POLICY,
	STORE_CAUSE_RECALL, /* a person or list ordered it */
	STORE_CAUSE_BACKUP, /* volume marker, keys, metadata */
	STORE_CAUSE_COUNT,
};

/* "protect", "read", ...: as the ledger names it. */
const char *store_cause_name(enum store_cause c);

/* Kinds of requests, and how an attempt ended; in the order of their names. */
enum store_op {
	STORE_OP_PUT,
	STORE_OP_GET,
	STORE_OP_HEAD,
	STORE_OP_LIST,
	STORE_OP_DELETE,
	STORE_OP_COPY,
	STORE_OP_RESTORE,
	STORE_OP_COUNT,
};
enum store_result {
	STORE_OK,
	STORE_ABSENT,	   /* no such object, not restored, the key is taken */
	STORE_REFUSED,	   /* -EACCES */
	STORE_BUSY,	   /* -EAGAIN: throttled, 5xx */
	STORE_UNREACHABLE, /* any other transient error */
	STORE_BROKEN,	   /* all the rest */
	STORE_RESULT_COUNT,
};
/* "put", "get", ... and "ok", "absent", ... */
const char *store_op_name(enum store_op op);
const char *store_result_name(enum store_result r);

/*
 * How attempts of one kind ended, and how long they took. Bucket i holds those
 * of at most STORE_TIME_FIRST_NS << i, the last one those that took longer.
 */
#define STORE_TIME_BUCKETS  19
#define STORE_TIME_FIRST_NS 500000ULL /* then 1, 2, 4 ms ... 65.536 s */
struct store_times {
	uint64_t result[STORE_RESULT_COUNT];
	uint64_t bucket[STORE_TIME_BUCKETS];
	uint64_t total_ns;
};

/*
 * What was asked of a store, counted where the money is counted: each
 * attempt that left this machine is one request, also a failed or retried
 * one whose outcome is unknown. All fields are only added to, atomically.
 */
struct store_counts {
	uint64_t puts, gets, heads, lists, deletes; /* requests */
	uint64_t copies, restores;		    /* priced as puts, mostly */
	uint64_t in_bytes;			    /* downloaded by gets */
	uint64_t out_bytes; /* uploaded by puts, refused ones included */
	uint64_t errors;    /* attempts that failed, in any way but ENOENT,
			       EEXIST, ERANGE and ENOMEDIUM */
	uint64_t unknown;   /* changes with an unknown outcome */
	struct store_times op[STORE_OP_COUNT]; /* of calls; one of delete may
						  be many requests */
};

/* Adds `more` to `sum`. */
void store_counts_add(struct store_counts *sum,
		      const struct store_counts *more);

/*
 * Whether a store answers, seen from the requests that were made. A store
 * that refuses (-EACCES) or answers nonsense is not down, but has an error.
 */
struct store_health {
	bool down;	  /* the last attempt failed transiently */
	int64_t since_ns; /* wall time of the last change, 0 never used */
	int last_error;	  /* -errno, when the last attempt failed; else 0 */
	char detail[160]; /* in words; "" none */
};

/* How store_detail() says what is wrong with a certificate. */
#define STORE_TLS_AUTHORITY "its certificate is of an unknown authority"
#define STORE_TLS_HOST	    "its certificate is for another host name"
#define STORE_TLS_EXPIRED   "its certificate has expired"
#define STORE_TLS_EARLY	    "its certificate is not valid yet"

/* What to change when a store failed with `rc` and said `detail`; NULL when
 * nothing is known to help. */
const char *store_advice(int rc, const char *detail);

/* Opens the driver that opts->kind names. `err` says what was wrong. */
int store_open(const struct store_opts *opts, struct store **out,
	       struct err *err);

/* Memory, for tests. NULL without memory. */
struct store *store_mem_new(void);
/* How it brings objects of archive classes back from now on: by the wall clock,
 * which may be shifted. */
struct store_mem_archive {
	int64_t takes_ns[3]; /* by enum store_speed */
	bool never;	     /* it takes orders, and brings nothing */
	int error;	     /* it takes none; -errno */
};
void store_mem_terms(struct store *s, const struct store_mem_archive *a);
/* Orders that it took by such terms. */
unsigned store_mem_orders(struct store *s);

/*
 * A directory. Objects are files below <endpoint>/<bucket>/<prefix>; the
 * directory `endpoint` must exist, the rest is made.
 */
int store_dir_open(const struct store_opts *opts, struct store **out,
		   struct err *err);

/* S3, Signature V4. */
int store_s3_open(const struct store_opts *opts, struct store **out,
		  struct err *err);

/* S3, Signature V2: for old appliances, see s3v2/s3v2.c. -ENOTSUP in a build
 * without libs3. */
int store_s3v2_open(const struct store_opts *opts, struct store **out,
		    struct err *err);

/*
 * New credentials for a store of store_s3_open(): copied, and what is signed
 * from now on is signed with them. 0, -EINVAL (one is missing) or -ENOMEM.
 */
int store_s3_credentials(struct store *s3, const char *access_key,
			 const char *secret_key, const char *session_token);

/*
 * From now on the driver (what store_open() gave, nothing around it) uses the
 * keys of `opts`, otherwise the opts it was opened with; what is under way
 * ends with the old ones. 0, -EINVAL (one is missing, or cannot be used),
 * -ENOTSUP (a kind without keys) or -ENOMEM. Any thread.
 */
int store_renew(struct store *driver, const struct store_opts *opts);
int store_s3v2_renew(struct store *driver, const struct store_opts *opts);

/* In memory of base/secret.h. */
struct store_credentials {
	char *access_key, *secret_key;
	char *session_token; /* NULL = none */
};
/* Wipes and frees. */
void store_credentials_done(struct store_credentials *c);

/*
 * Finds aws_access_key_id, aws_secret_access_key and aws_session_token in the
 * text of an AWS shared-credentials file: those of `profile`, or (NULL) of
 * [default] or the only profile. On failure *out holds nothing.
 */
int store_credentials_parse(const char *text, size_t len, const char *profile,
			    struct store_credentials *out, struct err *err);

/*
 * The credentials of the role that this container (AWS_CONTAINER_CREDENTIALS_
 * FULL_URI or _RELATIVE_URI in the environment) or this machine (IMDSv2) has,
 * as text of a shared-credentials file in `out` (empty; secret_buf_done()).
 * *expires_ns is wall time, 0 when it was not said. Only for a process that
 * does this and ends (S29).
 */
int store_role_fetch(struct buf *out, int64_t *expires_ns, struct err *err);

/* A store that several decorators share: each handle frees one reference. */
struct store *store_shared_new(struct store *inner);
struct store *store_shared_ref(struct store *shared);

/*
 * How the decorators are stacked, outermost first:
 *
 *   one per cause     retry(pace(limit(breaker(meter(shared)))))
 *   one in common                                    shared(driver)
 *
 * The meter sits inside retry, so that it counts each attempt, also those
 * whose answer was lost and the HEAD and GETs with which retry looks at an
 * object that was there already; and inside of all that may refuse a call, so
 * that what it counts, and what it says of the store's health, is only what
 * the store was asked. A place in flight is held while an attempt runs, not
 * while retry sleeps or pace waits for bandwidth. The breaker sits inside
 * limit: when it opens, who queues for a place moves on at once. Faults go
 * around the driver.
 */

/*
 * Counts requests into *counts and keeps *health; either may be NULL. Both
 * belong to the caller and outlive the store; store_meter_read() copies
 * counts consistently enough for a ledger (each field atomically).
 */
struct store *store_meter_new(struct store *inner, struct store_counts *counts,
			      struct store_health *health);
void store_meter_read(const struct store_counts *counts,
		      struct store_counts *out);
void store_health_read(const struct store_health *health,
		       struct store_health *out);
/* The store answers, but not as what it should be: shown until the next
 * request that is answered. `rc` < 0. */
void store_health_refuse(struct store_health *health, int rc, const char *why);

struct store_retry_opts {
	unsigned attempts;   /* at most, the first included; >= 1 */
	int64_t deadline_ns; /* for the whole call; 0 = none */
	int64_t base_ns;     /* first pause; doubles, jittered, <= 5 s */
	struct store_budget *budget; /* see flow.h; borrowed, NULL = none */
};

/*
 * Repeats what failed transiently (S17: with the same bytes). When the
 * deadline has passed that gives -ETIMEDOUT, when the attempts are used up
 * the last error. A call with a deadline waits until the budget can pay for a
 * retry, one without ends with the last error. A create-only put that finds its
 * key taken, after an attempt that may have reached the store, reads what is
 * there: the same bytes count as stored (S25). So what claims a key must be
 * unique to the claimant, for instance by a random id.
 */
struct store *store_retry_new(struct store *inner,
			      const struct store_retry_opts *opts);

/* What the fault decorator does to one call. */
struct store_fault_plan {
	unsigned fail_percent;	   /* error before the inner call */
	unsigned lose_percent;	   /* inner call done, answer lost */
	unsigned truncate_percent; /* get: fewer bytes than there are */
	unsigned flip_percent;	   /* get: one bit flipped */
	int error;		   /* -errno of fail and lose; 0 = -EAGAIN */
	uint64_t seed;
	bool down; /* every call -> -ECONNREFUSED; may change any time */
};

/* Injects faults by `plan`, which is borrowed and may be changed. */
struct store *store_fault_new(struct store *inner,
			      struct store_fault_plan *plan);

#endif
