/* SPDX-License-Identifier: Apache-2.0 */
#include "main/service.h"

#include <ctype.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secret.h"
#include "ctl/watch.h"
#include "super/mountinfo.h"
#include "main/bucket.h"
#include "main/ending.h"
#include "main/kept.h"

/* How long a start waits for the store to say whose bucket it is. */
#define IDENTITY_WAIT (2 * NSEC_PER_SEC)

/* ---- limits: from three numbers of the config to those of the layers --- */

static uint64_t clamp(uint64_t v, uint64_t least, uint64_t most)
{
	return v < least ? least : v > most ? most : v;
}

/*
 * limits.memory. The big users are the packs in the making (one for each
 * stream, with its index) and recalls (a pack's run of frames for each
 * thread); the rows of the namespace get an eighth, and the kernel-facing
 * buffers are small and fixed.
 */
static unsigned memory_streams(const struct conf_trust *ct)
{
	const struct config_store *s = ct->tier->store;
	uint64_t n = clamp(ct->t->limit_memory /
				   (4 * ct->tiers[0].terms.object_size),
			   1, 8);

	/* Half of the requests at once stay for who reads. */
	return (unsigned)clamp(n, 1, MAX(s->in_flight / 2, 1U));
}

/* Names and attributes: rows, and pages of the database. */
static uint64_t memory_rows(const struct config_trust *t)
{
	return clamp(t->limit_memory / 8, 4ULL << 20, 4ULL << 30);
}

/* Bytes of recalls in flight. */
static uint64_t memory_recall(const struct config_trust *t)
{
	return clamp(t->limit_memory / 8, 4ULL << 20, 256ULL << 20);
}

/* limits.threads: half of them answer the kernel, three eighths fetch; the
 * rest are the jobs, the checkpoint and the control socket. */
static unsigned receive_threads(const struct config_trust *t)
{
	return (unsigned)clamp(t->limit_threads / 2, 2, 64);
}

static unsigned fetch_threads(const struct config_trust *t,
			      const struct config_store *s)
{
	return (unsigned)clamp(t->limit_threads * 3 / 8, 1, s->in_flight);
}

/* limits.descriptors: half for open handles, a quarter for files that wait for
 * their flush; each has up to two, one to read and one to write. */
static unsigned handles_max(const struct config_trust *t)
{
	return MAX(t->limit_descriptors / 4, 16u);
}

static unsigned keep_fds(const struct config_trust *t)
{
	return MAX(t->limit_descriptors / 8, 8u);
}

/* Two descriptors each: half of all. */
static unsigned unseen_max(const struct config_trust *t)
{
	return MAX(t->limit_descriptors / 4, 8u);
}

/* Files registered with the kernel: no descriptors of ours, but of the
 * machine's open files each takes one. The broker has a limit, too. */
static unsigned backing_max(const struct config_trust *t)
{
	return MIN(t->limit_descriptors, 32768u);
}

/* Of the cache's filesystem this much is never filled with file data:
 * database and log live there too (S13). 2 %, within 64 MiB and 16 GiB. */
static uint64_t free_min(const char *dir)
{
	struct statvfs st;
	uint64_t size;

	if (statvfs(dir, &st) < 0)
		return 64ULL << 20;
	size = (uint64_t)st.f_blocks * st.f_frsize;
	return clamp(size / 50, 64ULL << 20, 16ULL << 30);
}

void service_limit_memory(void)
{
	/* An arena per thread would multiply what malloc keeps; and what is
	 * larger than this goes back to the kernel when it is freed. */
	mallopt(M_ARENA_MAX, 4);
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

struct super_sandbox service_sandbox(const struct conf_trust *ct, pid_t parent)
{
	tzset(); /* timetables have local time; its file is out of sight then */
	return (struct super_sandbox){
		.uid = ct->uid,
		.gid = ct->gid,
		.descriptors = ct->t->limit_descriptors,
		.parent = parent,
	};
}

/* ---- opening --------------------------------------------------------- */

const char *service_root_name(void)
{
	return super_can_attach(NULL) ? ".mersey-root" : NULL;
}

char *service_database(const char *state_dir)
{
	return io_path("%s/mersey.db", state_dir);
}

static int open_root(struct service *s, const struct super_secret *secrets,
		     size_t n, struct err *err)
{
	const struct buf *key = super_secret_find(secrets, n, "key");
	int rc;

	if (!key)
		return fail(err, -ENOKEY, "no root key was received");
	s->root = secret_alloc(sizeof(*s->root));
	if (!s->root)
		return fail(err, -ENOMEM, "%m");
	rc = pack_root_parse((const char *)key->data, key->len, s->root, err);
	return rc < 0 ? fail_prefix(err, rc, "root key") : 0;
}

static int open_stack(struct service *s, const struct super_secret *secrets,
		      size_t n, struct err *err)
{
	struct stack_open in = {
		.ct = s->ct,
		.secrets = secrets,
		.n_secrets = n,
	};

	return stack_open(&s->stack, &in, err);
}

/* What is not there yet is made by the setup. */
static int hint_setup(const struct service *s, int rc, struct err *err)
{
	return rc == -ENOENT ? fail_hint(err, rc, "mersey trust add %s",
					 s->ct->t->name)
			     : rc;
}

/*
 * S4: nobody can know what the kernel dropped. The next process reads the log
 * as the file has it, and writes it again.
 */
static void log_lost(void *arg, int rc)
{
	const struct service *s = arg;

	log_err("the database in '%s' cannot be made durable: %s; this process "
		"ends, the next one starts from its file",
		s->ct->state_dir, strerror(-rc));
	_exit(EXIT_FAILURE);
}

/* The database and the marker must speak of one volume. */
static int open_volume(struct service *s, struct err *err)
{
	CLEANUP_FREE char *path = service_database(s->ct->state_dir);
	struct pack_volume_id marked;
	int rc = cache_ballast_spare(s->ct->state_dir);

	if (rc < 0)
		return fail(err, rc, "cannot look after the disk of '%s': %m",
			    s->ct->state_dir);
	rc = path ? meta_open(path, &s->meta, s->volume.b, err)
		  : fail(err, -ENOMEM, "%m");
	if (rc < 0)
		return hint_setup(s, rc, err);
	meta_on_lost(s->meta, log_lost, s);
	rc = meta_set_memory(s->meta, memory_rows(s->ct->t));
	if (rc < 0)
		return fail(err, rc, "the database wants memory: %m");
	rc = kept_marker(s->ct->state_dir, s->stack.place[0].direct, s->root,
			 &marked, err);
	if (rc < 0)
		return hint_setup(s, rc, err);
	if (memcmp(&marked, &s->volume, sizeof(marked)) != 0)
		return fail(err, -EREMCHG,
			    "database and volume marker in '%s' are of "
			    "different volumes",
			    s->ct->state_dir);
	rc = kept_keyring(s->ct->state_dir, s->stack.place[0].direct,
			  &s->volume, s->root, &s->keyring, err);
	return hint_setup(s, rc, err);
}

/* The text of /etc/machine-id; where there is none, the host's name. */
static char *machine_id(void)
{
	CLEANUP_BUF struct buf b = { 0 };
	char host[HOST_NAME_MAX + 1] = "";
	size_t n = 0;

	if (io_read_file("/etc/machine-id", 256, &b) < 0)
		b.len = 0;
	while (n < b.len && isxdigit(b.data[n]))
		n++;
	if (n > 0)
		return strndup((const char *)b.data, n);
	if (gethostname(host, sizeof(host) - 1) < 0)
		return NULL;
	return strdup(host);
}

static void bucket_probed(void *arg, const struct store_caps *caps)
{
	const struct service *s = arg;

	bucket_tell(caps, s->stack.place[0].store, s->stack.place[0].bucket);
}

static int open_fence(struct service *s, struct err *err)
{
	struct fence_opts o = {
		.probed = bucket_probed,
		.arg = s,
		.trust = s->ct->t->name,
		.gateway = s->ct->c->gateway_name,
		.single_writer = s->ct->tier->single_writer_confirmed,
		.others = s->later,
	};
	int rc;

	o.machine = s->machine = machine_id();
	o.dir = s->real_dir = realpath(s->ct->state_dir, NULL);
	if (!o.machine || !o.dir)
		return fail(err, -errno, "cannot tell this gateway's name: %m");
	for (size_t i = 1; i < s->ct->n_places; i++)
		s->later[o.n_others++] = s->stack.stores.tier[s->ct->place[i]]
						 .cause[STORE_CAUSE_BACKUP];
	rc = fence_start(&o, s->meta, s->stack.place[0].direct, &s->volume,
			 s->root, &s->fence, err);
	stack_fence(&s->stack, s->fence);
	return rc;
}

static int open_data(struct service *s, struct err *err)
{
	const struct config_trust *t = s->ct->t;
	struct cache_opts co = {
		.dir = s->ct->state_dir,
		.size = t->cache_size,
		.high = t->cache_high,
		.low = t->cache_low,
		.reserve = t->cache_reserve,
		.free_min = free_min(s->ct->state_dir),
		.ballast = free_min(s->ct->state_dir) / 4,
		.keep_fds = keep_fds(t),
		.passthrough_reserve = t->cache_passthrough_reserve,
		.backing_max = backing_max(t),
		.unseen_max = unseen_max(t),
	};
	struct move_opts mo = {
		.settle_ns = t->settle_ns,
		.max_unprotected_ns = t->max_unprotected_ns,
		.read_wait_ns = t->read_wait_ns,
		.recall_wait_ns = t->recall_wait_ns,
		.delete_after_ns = t->delete_after_ns,
		.object_size = s->ct->tiers[0].terms.object_size,
		.streams = memory_streams(s->ct),
		.in_flight = fetch_threads(t, s->ct->tier->store),
		.recall_bytes = memory_recall(t),
		.tier = s->ct->tier->name,
		.storage_class = s->ct->tiers[0].terms.storage_class,
	};
	struct meta_quota quota = { .bytes = t->quota_bytes,
				    .files = t->quota_files };
	int rc = cache_open(&co, s->meta, s->volume.b, &s->cache, err);

	if (rc < 0)
		return rc;
	meta_quota_set(s->meta, &quota);
	return move_start(&mo, s->meta, s->cache, s->keyring, &s->stack.stores,
			  &s->move, err);
}

static int open_front(struct service *s, struct err *err)
{
	struct vfs_opts vo = { .handles_max = handles_max(s->ct->t),
			       .no_atime = s->ct->no_atime };
	struct cost_ledger_opts lo = { .read = stack_counts,
				       .arg = &s->stack,
				       .tiers = s->terms.cost_tier,
				       .n_tiers = s->ct->n_tiers };
	int rc = terms_init(&s->terms, s->ct, s->meta);

	if (rc < 0)
		return fail(err, rc, "cannot open the policies: %m");
	rc = cost_ledger_start(s->meta, &lo, &s->ledger);
	if (rc < 0)
		return fail(err, rc, "cannot start the ledger: %m");
	s->terms.ledger = s->ledger;
	rc = terms_missing(s->ct, s->meta, &s->missing);
	if (rc < 0)
		return fail(err, rc, "cannot read what is stored: %m");
	if (s->missing.len)
		log_err("objects lie in tier %s, which the config does not "
			"have: their files cannot be read",
			buf_str(&s->missing));
	rc = tier_start(&s->terms.policies, s->meta, s->move, &s->tier, err);
	if (rc < 0)
		return rc;
	rc = vfs_new(&vo, s->meta, s->cache, s->move, &s->vfs);
	if (rc < 0)
		return fail(err, rc, "cannot open the filesystem: %m");
	return 0;
}

static int open_identity(struct service *s, struct err *err)
{
	const struct identity_opts o = {
		.trust = s->ct->t->name,
		.volume = &s->volume,
		.root = s->root,
		.wait_ns = IDENTITY_WAIT,
	};

	return identity_start(&s->stack, &o, &s->identity, err);
}

int service_open(struct service *s, const struct conf_trust *ct,
		 const struct super_secret *secrets, size_t n_secrets,
		 struct err *err)
{
	int rc;

	*s = (struct service){ .ct = ct };
	rc = open_root(s, secrets, n_secrets, err);
	if (rc == 0)
		rc = open_stack(s, secrets, n_secrets, err);
	if (rc == 0)
		rc = open_volume(s, err);
	if (rc == 0)
		rc = alarms_open(s->meta, &s->alarms, err);
	if (rc == 0)
		rc = open_fence(s, err);
	if (rc == 0)
		rc = open_identity(s, err);
	if (rc == 0)
		rc = open_data(s, err);
	return rc < 0 ? rc : open_front(s, err);
}

void service_close(struct service *s)
{
	stack_stop(&s->stack);
	vfs_free(s->vfs);
	tier_stop(s->tier);
	move_stop(s->move);
	if (s->ledger) {
		int rc = cost_ledger_flush(s->ledger);

		if (rc < 0)
			log_err("cannot write the ledger's last second: %s",
				strerror(-rc));
		cost_ledger_stop(s->ledger);
	}
	cache_close(s->cache);
	super_backing_free(s->backing);
	super_control_stop(s->control);
	identity_stop(s->identity);
	fence_stop(s->fence);
	free(s->machine);
	free(s->real_dir);
	alarms_close(s->alarms);
	pack_keyring_free(s->keyring);
	stack_close(&s->stack);
	meta_close(s->meta);
	secret_free(s->root, sizeof(*s->root));
	conf_role_done(&s->ops);
	conf_role_done(&s->finance);
	terms_done(&s->terms);
	buf_done(&s->missing);
}

/* ---- how files are read and written ---------------------------------- */

/* Why the kernel does not read and write files itself; NULL: it does. */
static const char *passthrough_reason(const struct service *s)
{
	if (!s->ct->t->cache_passthrough)
		return "off";
	if (!s->backing)
		return "not_root";
	return super_backing_why(s->backing);
}

static void data_path(void *arg, struct ctl_data_path *out)
{
	const struct service *s = arg;
	struct fuse_requests r[CTL_REQUESTS_MAX];
	size_t i;

	out->reason = passthrough_reason(s);
	out->n = fuse_server_requests(s->fuse, r, CTL_REQUESTS_MAX);
	for (i = 0; i < out->n; i++)
		out->request[i] = (struct ctl_requests){ r[i].name, r[i].n };
}

/* ---- the supervisor --------------------------------------------------- */

/* Credentials came again: in the control's thread. */
static void renew(void *arg, const struct super_secret *secret)
{
	struct service *s = arg;
	struct err err = ERR_INIT;
	const char *store;
	int rc = stack_renew(&s->stack, s->ct, secret, &store, &err);

	if (rc == -ENOENT) /* of a store that no tier lies in */
		return;
	if (rc < 0)
		log_err("the old credentials of store '%s' stay in use: %s",
			store, err.msg);
	else
		log_info("new credentials of store '%s' are in use", store);
}

static int control_open(struct service *s, const struct service_run *r,
			struct err *err)
{
	int fd = r->control_fd >= 0 ? r->control_fd : r->keeper_fd;
	int rc = fd < 0 ? 0 : super_control_start(fd, renew, s, &s->control);

	return rc < 0 ? fail(err, rc, "cannot listen to the supervisor: %m")
		      : 0;
}

/* What the kernel registers files with; NULL: nothing does. Who mounts as a
 * plain user has no broker, and is not told of one. */
static int backing_open(struct service *s, const struct service_run *r,
			const struct cache_backing **out, struct err *err)
{
	*out = NULL;
	if (!s->ct->t->cache_passthrough || r->fuse_fd < 0)
		return 0;
	s->backing = super_backing_new(
		r->broker_fd, /* another one comes from a supervisor only */
		r->control_fd < 0 ? -1 : super_control_broker_fd(s->control));
	if (!s->backing)
		return fail(err, -ENOMEM, "%m");
	s->cache_backing = (struct cache_backing){
		.open = super_backing_open,
		.close = super_backing_close,
		.hold = super_backing_hold,
		.arg = s->backing,
	};
	if (r->broker_fd >= 0)
		*out = &s->cache_backing;
	return 0;
}

static void log_data_path(const struct service *s)
{
	const char *why = passthrough_reason(s);

	log_info("files are read and written by %s%s",
		 why ? "this process, without passthrough: "
		     : "the kernel itself where they are whole",
		 why ? why : "");
}

/* ---- serving --------------------------------------------------------- */

/* What verbs see of the tiers. */
static void describe_tiers(struct service *s)
{
	struct ctl_worker *w = &s->worker;

	for (size_t i = 0; i < s->stack.n_places; i++) {
		const struct stack_place *p = &s->stack.place[i];

		w->places[w->n_places++] = (struct ctl_place){
			.tier = p->tier->terms.name,
			.store = p->store,
			.bucket = p->bucket,
			.direct = p->direct,
			.health = &p->health,
			.counts = p->counts == &p->own_counts ? p->counts
							      : NULL,
			.flow = p->flow,
		};
	}
	for (size_t i = 0; i < s->ct->n_tiers; i++) {
		const struct tier_terms *t = &s->ct->tiers[i].terms;

		w->tiers[w->n_tiers++] = (struct ctl_tier){
			.name = t->name,
			.storage_class = t->storage_class,
			.place = t->place,
			.counts = s->stack.counts[i],
		};
	}
}

static int describe(struct service *s, const struct service_run *r,
		    struct err *err)
{
	const struct conf_trust *ct = s->ct;
	int rc = conf_role(&ct->c->ops, &s->ops);

	if (rc == 0)
		rc = conf_role(&ct->c->finance, &s->finance);
	if (rc < 0)
		return fail(err, rc, "operators: %m");
	s->worker = (struct ctl_worker){
		.trust = ct->t->name,
		.long_name = ct->t->long_name,
		.gateway = ct->c->gateway_name,
		.version = MERSEY_VERSION,
		.mountpoint = r->mountpoint,
		.state_dir = ct->state_dir,
		.started_ns = clock_wall_ns(),
		.alarm_unprotected_ns = ct->t->alarm_unprotected_ns,
		.alarm_room_ns = ct->t->alarm_room_ns,
		.disk_reserve = free_min(ct->state_dir),
		.restarts = r->restarts,
		.meta = s->meta,
		.cache = s->cache,
		.move = s->move,
		.vfs = s->vfs,
		.data_path = data_path,
		.data_path_arg = s,
		.fence = s->fence,
		.pace = &s->stack.pace,
		.ledger = s->ledger,
		.alarms = s->alarms,
		.missing = s->missing.len ? buf_str(&s->missing) : NULL,
		.cost = &s->terms.cost,
		.policies = s->tier,
		.tier_opts = &s->terms.policies,
		.policy_parse = terms_policy,
		.policy_done = config_policy_done,
		.policy_arg = &s->terms,
		.ops = s->ops,
		.finance = s->finance,
		.worker_uid = geteuid(),
	};
	describe_tiers(s);
	return 0;
}

/* Looks at what can go wrong, until it is unwatched. */
static int watch(struct service *s, const struct service_run *r,
		 struct err *err)
{
	int rc;

	if (r->restarts)
		alarms_restarted(s->alarms);
	alarms_after(s->alarms, ALARM_STORE_DOWN,
		     s->ct->t->alarm_store_down_ns);
	if (r->alarm)
		alarms_on_change(s->alarms, r->alarm, r->arg);
	rc = alarms_watch(s->alarms, ctl_watch, &s->worker);
	return rc < 0 ? fail(err, rc, "cannot watch for alarms: %m") : 0;
}

static void unwatch(struct alarms **a)
{
	alarms_unwatch(*a);
}

static int serve(struct service *s, struct fuse_server *fuse,
		 const struct service_run *r, struct err *err)
{
	CLEANUP(unwatch) struct alarms *watched = s->alarms;
	CLEANUP(ctl_server_stop_guard) struct ctl_server *ctl = NULL;
	int rc = watch(s, r, err);

	(void)watched; /* ends with this function */
	if (rc < 0) {
		close(r->ctl_fd);
		return rc;
	}
	rc = ctl_server_start(r->ctl_fd, &s->worker, &ctl, err);
	if (rc == 0 && r->ready)
		rc = r->ready(r->arg, err);
	if (rc < 0)
		return rc;
	ending_attach(fuse, r->unmount_fd);
	rc = fuse_server_wait(fuse);
	ending_detach();
	return rc < 0 ? fail(err, rc, "the FUSE session ended: %m") : 0;
}

int service_run(struct service *s, const struct service_run *r, struct err *err)
{
	CLEANUP_FREE char *fsname = io_path(MOUNT_SOURCE "%s", s->ct->t->name);
	struct fuse_server_opts fo = {
		.threads = receive_threads(s->ct->t),
		.fuse_fd = r->fuse_fd,
		.mountpoint = r->mountpoint,
		.fsname = fsname,
		.options = r->options,
		.read_wait_ns = s->ct->t->read_wait_ns,
		.root_name = r->fuse_fd >= 0 ? service_root_name() : NULL,
	};
	struct fuse_server *fuse = NULL;
	int rc = fsname ? describe(s, r, err) : fail(err, -ENOMEM, "%m");

	if (rc == 0)
		rc = control_open(s, r, err);
	if (rc == 0)
		rc = backing_open(s, r, &fo.backing, err);
	if (rc == 0)
		rc = fuse_server_start(&fo, s->vfs, &fuse, err);
	if (rc < 0) {
		close(r->ctl_fd);
		return rc;
	}
	s->fuse = fuse;
	if (s->backing && !fuse_server_passthrough(fuse))
		super_backing_stop(s->backing);
	log_data_path(s);
	rc = serve(s, fuse, r, err);
	fuse_server_free(fuse);
	log_info("stopped serving '%s'", r->mountpoint);
	return rc;
}
