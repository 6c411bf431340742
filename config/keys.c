/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of mersey.yaml. */
#include "config/keys.h"

#include "base/clock.h"
#include "config/any.h"
#include "config/config.h"
#include "config/shape.h"

#define SEC NSEC_PER_SEC
#define DAY (SEC_PER_DAY * SEC)

/* ---- gateway ---------------------------------------------------------- */

static const struct config_key role_keys[] = {
	{ .name = "users",
	  .type = CONFIG_ACCOUNTS,
	  .help = "Users, by name or number.",
	  .pattern = CONFIG_ACCOUNT_PATTERN,
	  .check = config_shape_account,
	  CONFIG_FIELD(struct config_role, users) },
	{ .name = "groups",
	  .type = CONFIG_ACCOUNTS,
	  .help = "Groups, by name or number.",
	  .pattern = CONFIG_ACCOUNT_PATTERN,
	  .check = config_shape_account,
	  CONFIG_FIELD(struct config_role, groups) },
};

static const struct config_section role_section = { CONFIG_ROWS(role_keys) };

static const struct config_key operator_keys[] = {
	{ .name = "ops",
	  .type = CONFIG_SECTION,
	  .help = "May use every verb that asks a worker.",
	  .section = &role_section,
	  CONFIG_FIELD(struct config, ops) },
	{ .name = "finance",
	  .type = CONFIG_SECTION,
	  .help = "May use status, quota and cost only.",
	  .section = &role_section,
	  CONFIG_FIELD(struct config, finance) },
	{ .name = "auditors", .part = 6 },
};

static const struct config_section operators_section = { CONFIG_ROWS(
	operator_keys) };

static const struct config_key gateway_keys[] = {
	{ .name = "name",
	  .type = CONFIG_TEXT,
	  .computed = "the name of the host",
	  .help = "Name of this gateway in reports, leases and audit.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct config, gateway_name) },
	{ .name = "state_dir",
	  .type = CONFIG_PATH,
	  .def = "/var/lib/mersey",
	  .help = "Holds one directory for each trust, with its database and "
		  "its cache. It belongs to the trust's service account, mode "
		  "0700.",
	  CONFIG_FIELD(struct config, state_dir) },
	{ .name = "mount_dir",
	  .type = CONFIG_PATH,
	  .def = "/srv/mersey",
	  .help = "Where the trusts' filesystems are mounted unless they say "
		  "otherwise.",
	  CONFIG_FIELD(struct config, mount_dir) },
	{ .name = "runtime_dir",
	  .type = CONFIG_PATH,
	  .def = "/run/mersey",
	  .help = "Holds the control sockets.",
	  CONFIG_FIELD(struct config, runtime_dir) },
	{ .name = "operators",
	  .type = CONFIG_SECTION,
	  .help = "Who may use mersey(1) on every trust. Root always may.",
	  .section = &operators_section },
	{ .name = "accept_missing", .part = 6 },
	{ .name = "alarm_command",
	  .type = CONFIG_WORDS,
	  .computed = "none",
	  .help = "A program and its arguments: run for each alarm that is "
		  "raised or cleared, with the alarm as one JSON object on its "
		  "standard input. The path of the program is absolute; no "
		  "shell sees it.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct config, alarm_command) },
};

static const struct config_section gateway_section = { CONFIG_ROWS(
	gateway_keys) };

/* ---- cost ------------------------------------------------------------- */

static const struct config_key exchange_keys[] = {
	{ .name = "as_of",
	  .type = CONFIG_DATE,
	  .required = true,
	  .chars = true,
	  .help = "Date of the rates.",
	  CONFIG_FIELD(struct price_exchange, as_of) },
	{ .name = "source",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .chars = true,
	  .help = "Who published them.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct price_exchange, source) },
};

static const struct config_section exchange_section = {
	CONFIG_ROWS(exchange_keys),
	.any = &config_any_rate,
};

static const struct config_key disk_keys[] = {
	{ .name = "tb_month",
	  .type = CONFIG_MONEY,
	  .required = true,
	  .help = "A TB (10^12 bytes) kept for a month (730 hours), in the "
		  "currency of reports: an exact decimal, in quotes.",
	  CONFIG_FLAGGED(struct config, local_disk_tb_month.amount,
			 local_disk_tb_month.known) },
	{ .name = "as_of",
	  .type = CONFIG_DATE,
	  .required = true,
	  .chars = true,
	  .help = "Date of the figure.",
	  CONFIG_FIELD(struct config, local_disk_tb_month.as_of) },
	{ .name = "source",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .chars = true,
	  .help = "Where it comes from.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct config, local_disk_tb_month.source) },
	{ .name = "confirmed",
	  .type = CONFIG_BOOL,
	  .def = "false",
	  .help = "Whether finance agreed to it; reports name the figures that "
		  "are not confirmed.",
	  CONFIG_FLAGGED(struct config, local_disk_tb_month.confirmed,
			 local_disk_tb_month.known) },
};

static const struct config_section disk_section = {
	CONFIG_ROWS(disk_keys),
	.has_present = true,
	.present_offset = offsetof(struct config, local_disk_tb_month.known),
};

static const struct config_key cost_keys[] = {
	{ .name = "prices",
	  .type = CONFIG_PATHS,
	  .help = "Files of price tables. Stores name the tables by their "
		  "name, not by the file.",
	  CONFIG_FIELD(struct config, price_files) },
	{ .name = "currency",
	  .type = CONFIG_TEXT,
	  .def = "GBP",
	  .help = "Currency of reports (ISO 4217).",
	  .pattern = CONFIG_CURRENCY_PATTERN,
	  .check = config_shape_currency,
	  CONFIG_FIELD(struct config, currency) },
	{ .name = "exchange",
	  .type = CONFIG_SECTION,
	  .help = "What one unit of another currency is worth in the currency "
		  "of reports.",
	  .section = &exchange_section,
	  CONFIG_FIELD(struct config, exchange) },
	{ .name = "vat",
	  .type = CONFIG_PERCENT,
	  .def = "20%",
	  .help = "Value added tax, a line of its own in reports.",
	  .max = 100,
	  CONFIG_FIELD(struct config, vat) },
	{ .name = "local_disk",
	  .type = CONFIG_SECTION,
	  .help = "What the local disk costs, so that reports show what the "
		  "cache takes as well.",
	  .section = &disk_section },
};

static const struct config_section cost_section = { CONFIG_ROWS(cost_keys) };

/* ---- stores ----------------------------------------------------------- */

/* In the order of enum store_kind. */
static const char *const store_kinds[] = { "dir", "s3", "s3v2", NULL };
#define S3_KINDS "s3 s3v2"
static const char *const address_styles[] = { "path", "virtual", NULL };

static const struct config_key timeout_keys[] = {
	{ .name = "connect",
	  .type = CONFIG_DURATION,
	  .def = "5s",
	  .help = "Until a connection stands, TLS included.",
	  .min = SEC / 10,
	  .max = 5 * 60 * SEC,
	  CONFIG_FIELD(struct config_store, connect_ns) },
	{ .name = "stall",
	  .type = CONFIG_DURATION,
	  .def = "20s",
	  .help = "While no byte comes or goes.",
	  .min = SEC,
	  .max = DAY / 24,
	  CONFIG_FIELD(struct config_store, stall_ns) },
	{ .name = "request",
	  .type = CONFIG_DURATION,
	  .def = "2m",
	  .help = "For one request in all.",
	  .min = SEC,
	  .max = DAY / 24,
	  CONFIG_FIELD(struct config_store, request_ns) },
};

static const struct config_section timeout_section = { CONFIG_ROWS(
	timeout_keys) };

static const struct config_key store_keys[] = {
	{ .name = "kind",
	  .type = CONFIG_CHOICE,
	  .required = true,
	  .help = "A service that speaks S3 with Signature V4, an old one "
		  "that only knows Signature V2, or a directory (for trials, "
		  "and for a mounted NAS).",
	  .choices = store_kinds,
	  CONFIG_FIELD(struct config_store, kind) },
	{ .name = "endpoint",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .only = S3_KINDS,
	  .help = "Address of the service: https://host[:port]. Plain http is "
		  "allowed to this machine, and with allow_plain_http.",
	  .pattern = CONFIG_ENDPOINT_PATTERN,
	  .check = config_shape_endpoint,
	  CONFIG_FIELD(struct config_store, endpoint) },
	{ .name = "path",
	  .type = CONFIG_PATH,
	  .required = true,
	  .only = "dir",
	  .help = "The directory. Each bucket is a directory in it.",
	  CONFIG_FIELD(struct config_store, endpoint) },
	{ .name = "region",
	  .type = CONFIG_TEXT,
	  .def = "us-east-1",
	  .only = "s3",
	  .help = "Region, as the service reports it; it goes into the "
		  "signature of requests. The default is what services "
		  "without regions expect.",
	  .pattern = CONFIG_REGION_PATTERN,
	  .check = config_shape_region,
	  CONFIG_FIELD(struct config_store, region) },
	{ .name = "address_style",
	  .type = CONFIG_CHOICE,
	  .def = "path",
	  .only = S3_KINDS,
	  .help = "Whether the bucket stands in the path or in front of the "
		  "host's name.",
	  .choices = address_styles,
	  CONFIG_FIELD(struct config_store, virtual_style) },
	{ .name = "ca_file",
	  .type = CONFIG_PATH,
	  .computed = "the system's",
	  .only = "s3",
	  .help = "Certificates (PEM) that vouch for the service.",
	  CONFIG_FIELD(struct config_store, ca_file) },
	{ .name = "prices",
	  .type = CONFIG_TEXT,
	  .computed = "none: reports flag what is stored there as unpriced",
	  .help = "Price table, by the name in it.",
	  .pattern = CONFIG_NAME_PATTERN,
	  .check = config_shape_name,
	  CONFIG_FIELD(struct config_store, prices) },
	{ .name = "in_flight",
	  .type = CONFIG_NUMBER,
	  .def = "16",
	  .help = "Requests at once, for each trust.",
	  .min = 1,
	  .max = 256,
	  CONFIG_FIELD(struct config_store, in_flight) },
	{ .name = "on_prem", .part = 6 },
	{ .name = "allow_plain_http",
	  .type = CONFIG_BOOL,
	  .def = "false",
	  .only = S3_KINDS,
	  .help = "Allow plain http to another machine: whoever can listen to "
		  "the network then sees the names of objects, and can change "
		  "answers. Said in the log at each start.",
	  CONFIG_FIELD(struct config_store, allow_plain_http) },
	{ .name = "timeout",
	  .type = CONFIG_SECTION,
	  .only = S3_KINDS,
	  .help = "When a request is given up.",
	  .section = &timeout_section },
	{ .name = "accept_unverified_peer",
	  .type = CONFIG_TEXT,
	  .computed = "nobody: such a store is refused",
	  .only = "s3v2",
	  .help = "Who accepted, and where, that nobody checks the "
		  "certificate of the service: what speaks Signature V2 "
		  "cannot. Needed for https, and said in the log at each "
		  "start.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct config_store, accept_unverified_peer) },
};

static const struct config_section store_section = {
	CONFIG_ROWS(store_keys),
	.has_discriminator = true,
	.size = sizeof(struct config_store),
	.placeholder = "<store>",
	.name_offset = offsetof(struct config_store, name),
	.name_pattern = CONFIG_NAME_PATTERN,
	.name_check = config_shape_name,
};

/* ---- defaults, and what a trust may say otherwise --------------------- */

static const struct config_key cache_keys[] = {
	{ .name = "size",
	  .type = CONFIG_BYTES,
	  .def = "1TiB",
	  .help = "What the trust's files may take on the local disk.",
	  .min = 1 << 20,
	  CONFIG_FIELD(struct config_trust, cache_size) },
	{ .name = "high",
	  .type = CONFIG_PERCENT,
	  .def = "90%",
	  .help = "When the cache is this full, protected files are dropped, "
		  "least valuable first.",
	  .min = 1,
	  .max = 100,
	  CONFIG_FIELD(struct config_trust, cache_high) },
	{ .name = "low",
	  .type = CONFIG_PERCENT,
	  .def = "80%",
	  .help = "Until it is only this full. Must be below high.",
	  .min = 0,
	  .max = 99,
	  CONFIG_FIELD(struct config_trust, cache_low) },
	{ .name = "reserve",
	  .type = CONFIG_PERCENT,
	  .def = "10%",
	  .help = "This much is kept for new writes: bytes that come back from "
		  "the bucket do not take it. Above high, writers are slowed "
		  "more and more.",
	  .min = 0,
	  .max = 90,
	  CONFIG_FIELD(struct config_trust, cache_reserve) },
	{ .name = "encrypt",
	  .type = CONFIG_BOOL,
	  .def = "false",
	  .help = "Serve the trust only when its state directory is "
		  "encrypted (fscrypt).",
	  CONFIG_FIELD(struct config_trust, cache_encrypt) },
	{ .name = "passthrough",
	  .type = CONFIG_BOOL,
	  .def = "true",
	  .help = "Let the kernel read and write files that are whole in the "
		  "cache itself (Linux 6.9), which is as fast as the local "
		  "disk. Otherwise, and when false, the worker serves them.",
	  CONFIG_FIELD(struct config_trust, cache_passthrough) },
	{ .name = "passthrough_reserve",
	  .type = CONFIG_BYTES,
	  .def = "1GiB",
	  .help = "A file that is opened for writing is left to the kernel "
		  "only while the trust has more room than this, in its cache "
		  "and in its quota: what the kernel writes is counted once a "
		  "second. Of the cache at most a sixteenth, of its disk all of "
		  "it.",
	  CONFIG_FIELD(struct config_trust, cache_passthrough_reserve) },
};

static const struct config_section cache_section = { CONFIG_ROWS(cache_keys) };

static const struct config_key limit_keys[] = {
	{ .name = "memory",
	  .type = CONFIG_BYTES,
	  .def = "512MiB",
	  .help = "Memory of the worker.",
	  .min = 16 << 20,
	  CONFIG_FIELD(struct config_trust, limit_memory) },
	{ .name = "threads",
	  .type = CONFIG_NUMBER,
	  .def = "32",
	  .help = "Threads of the worker.",
	  .min = 2,
	  .max = 1024,
	  CONFIG_FIELD(struct config_trust, limit_threads) },
	{ .name = "descriptors",
	  .type = CONFIG_NUMBER,
	  .def = "8192",
	  .help = "Files and sockets the worker may have open.",
	  .min = 64,
	  .max = 1048576,
	  CONFIG_FIELD(struct config_trust, limit_descriptors) },
};

static const struct config_section limits_section = { CONFIG_ROWS(limit_keys) };

static const struct config_key quota_keys[] = {
	{ .name = "bytes",
	  .type = CONFIG_BYTES,
	  .def = "0",
	  .help = "What the trust's regular files may hold in all, wherever "
		  "their bytes are. 0: no limit.",
	  .max = INT64_C(1) << 60,
	  CONFIG_FIELD(struct config_trust, quota_bytes) },
	{ .name = "files",
	  .type = CONFIG_NUMBER,
	  .def = "0",
	  .help = "How many files, directories and others the trust may "
		  "have, the top directory not counted. 0: no limit.",
	  CONFIG_FIELD(struct config_trust, quota_files) },
	{ .name = "directories", .part = 6 },
};

static const struct config_section quota_section = { CONFIG_ROWS(quota_keys) };

static const struct config_key alarm_keys[] = {
	{ .name = "unprotected_for",
	  .type = CONFIG_DURATION,
	  .def = "15m",
	  .help = "The trust needs attention when a file has waited this long "
		  "to be protected.",
	  .min = SEC,
	  CONFIG_FIELD(struct config_trust, alarm_unprotected_ns) },
	{ .name = "cache_room_below",
	  .type = CONFIG_DURATION,
	  .def = "2d",
	  .help = "The trust needs attention when its store is away and, at "
		  "the rate of new writes, the cache takes them for less than "
		  "this. 0s: never.",
	  .max = 365 * DAY,
	  CONFIG_FIELD(struct config_trust, alarm_room_ns) },
	{ .name = "store_down_for",
	  .type = CONFIG_DURATION,
	  .def = "2m",
	  .help = "The trust needs attention when its store has not answered "
		  "for this long.",
	  .min = SEC,
	  .max = DAY,
	  CONFIG_FIELD(struct config_trust, alarm_store_down_ns) },
	{ .name = "mass_change", .part = 7 },
};

static const struct config_section alarms_section = { CONFIG_ROWS(alarm_keys) };

static const struct config_key bandwidth_keys[] = {
	{ .name = "when",
	  .type = CONFIG_WHEN,
	  .def = "Mon-Sun",
	  .help = "Days, hours or both, in the gateway's local time. Hours "
		  "that end before they begin go on into the next day.",
	  CONFIG_FIELD(struct store_bandwidth_rule, when) },
	{ .name = "up",
	  .type = CONFIG_RATE,
	  .computed = "no limit",
	  .help = "What may be sent to the store.",
	  .min = 10000,
	  .max = INT64_C(1000000000000),
	  CONFIG_FIELD(struct store_bandwidth_rule, rates.up) },
	{ .name = "down",
	  .type = CONFIG_RATE,
	  .computed = "no limit",
	  .help = "What may be fetched from it.",
	  .min = 10000,
	  .max = INT64_C(1000000000000),
	  CONFIG_FIELD(struct store_bandwidth_rule, rates.down) },
};

static const struct config_section bandwidth_section = {
	CONFIG_ROWS(bandwidth_keys),
	.size = sizeof(struct store_bandwidth_rule),
	.max_items = STORE_BANDWIDTH_MAX,
	.in_place = true,
	.placeholder = "<limit>",
};

static const struct config_key defaults_keys[] = {
	{ .name = "settle",
	  .type = CONFIG_DURATION,
	  .def = "60s",
	  .help = "A file is protected this long after its last close; in a "
		  "DICOM study or a directory that is still being filled "
		  "after up to four times that, so that files that arrive "
		  "one by one share an object.",
	  .max = DAY,
	  CONFIG_FIELD(struct config_trust, settle_ns) },
	{ .name = "max_unprotected",
	  .type = CONFIG_DURATION,
	  .def = "24h",
	  .help = "A file that is open for writing or mapped for longer than "
		  "this is copied, and the copy is protected; again after as "
		  "long. 0s: never.",
	  .max = 365 * DAY,
	  CONFIG_FIELD(struct config_trust, max_unprotected_ns) },
	{ .name = "read_wait",
	  .type = CONFIG_DURATION,
	  .def = "20s",
	  .help = "A read of bytes that are not cached waits this long for a "
		  "store that is away. Then it fails with ETIMEDOUT.",
	  .min = SEC / 10,
	  .max = DAY / 24,
	  CONFIG_FIELD(struct config_trust, read_wait_ns) },
	{ .name = "recall_wait",
	  .type = CONFIG_DURATION,
	  .def = "60s",
	  .help = "A read of bytes in an archive class starts their recall and "
		  "waits this long for it. Then it fails with ETIMEDOUT; the "
		  "recall goes on.",
	  .min = SEC / 10,
	  .max = DAY,
	  CONFIG_FIELD(struct config_trust, recall_wait_ns) },
	{ .name = "cache",
	  .type = CONFIG_SECTION,
	  .help = "The local cache.",
	  .section = &cache_section },
	{ .name = "limits",
	  .type = CONFIG_SECTION,
	  .help = "What one worker may use.",
	  .section = &limits_section },
	{ .name = "quota",
	  .type = CONFIG_SECTION,
	  .help = "Limits that programs meet as EDQUOT. Who is over one may "
		  "do everything but grow.",
	  .section = &quota_section },
	{ .name = "delete_after",
	  .type = CONFIG_DURATION,
	  .def = "35d",
	  .help = "Objects that nothing names any more are kept this long.",
	  CONFIG_FIELD(struct config_trust, delete_after_ns) },
	{ .name = "alarms",
	  .type = CONFIG_SECTION,
	  .help = "When a person is needed.",
	  .section = &alarms_section },
	{ .name = "bandwidth",
	  .type = CONFIG_ITEMS,
	  .computed = "no limit",
	  .help = "What the trust's transfers may take of the line. The first "
		  "item that has the time holds; the one without when, at the "
		  "end, is for all other times.",
	  .section = &bandwidth_section,
	  CONFIG_MANY(struct config_trust, bandwidth.rule, bandwidth.n) },
	{ .name = "durability", .part = 7 },
	{ .name = "weight", .part = 6 },
	{ .name = "backup", .part = 7 },
	{ .name = "snapshots", .part = 7 },
	{ .name = "audit", .part = 6 },
	{ .name = "access", .part = 6 },
};

const struct config_section config_defaults = { CONFIG_ROWS(defaults_keys) };

/* ---- trusts ----------------------------------------------------------- */

static const struct config_key top_keys[] = {
	{ .name = "owner",
	  .type = CONFIG_ACCOUNT,
	  .def = "0",
	  .help = "User that owns the top directory.",
	  .pattern = CONFIG_ACCOUNT_PATTERN,
	  .check = config_shape_account,
	  CONFIG_FIELD(struct config_trust, root_owner) },
	{ .name = "group",
	  .type = CONFIG_ACCOUNT,
	  .def = "0",
	  .help = "Its group.",
	  .pattern = CONFIG_ACCOUNT_PATTERN,
	  .check = config_shape_account,
	  CONFIG_FIELD(struct config_trust, root_group) },
	{ .name = "mode",
	  .type = CONFIG_MODE,
	  .def = "0700",
	  .help = "Its mode.",
	  .max = 07777,
	  CONFIG_FIELD(struct config_trust, root_mode) },
};

static const struct config_section top_section = { CONFIG_ROWS(top_keys) };

static const struct config_key secret_keys[] = {
	{ .name = "file",
	  .type = CONFIG_PATH,
	  .help = "The file that holds it; only its owner may read it.",
	  CONFIG_FIELD(struct config_trust, key_file) },
	{ .name = "credential",
	  .type = CONFIG_TEXT,
	  .help = "The name of a credential that systemd hands over.",
	  .pattern = CONFIG_CREDENTIAL_PATTERN,
	  .check = config_shape_credential,
	  CONFIG_FIELD(struct config_trust, key_credential) },
	{ .name = "command", .part = 6 },
	{ .name = "timeout", .part = 6 },
};

static const struct config_section secret_section = {
	CONFIG_ROWS(secret_keys),
	.exactly_one = true,
};

static const struct config_section credentials_section = {
	.any = &config_any_credential,
};

static const char *const single_writers[] = { "proven", "confirmed", NULL };

static const struct config_key tier_keys[] = {
	{ .name = "name",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .help = "What reports call the tier.",
	  .pattern = CONFIG_NAME_PATTERN,
	  .check = config_shape_name,
	  CONFIG_FIELD(struct config_tier, name) },
	{ .name = "store",
	  .type = CONFIG_STORE,
	  .required = true,
	  .help = "One of stores.",
	  .pattern = CONFIG_NAME_PATTERN,
	  CONFIG_FIELD(struct config_tier, store) },
	{ .name = "bucket",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .help = "The trust's bucket there.",
	  .pattern = CONFIG_BUCKET_PATTERN,
	  .check = config_shape_bucket,
	  CONFIG_FIELD(struct config_tier, bucket) },
	{ .name = "prefix",
	  .type = CONFIG_TEXT,
	  .computed = "mersey/<trust>/",
	  .help = "What the names of the trust's objects begin with; ends "
		  "with a slash.",
	  .pattern = CONFIG_PREFIX_PATTERN,
	  .check = config_shape_prefix,
	  CONFIG_FIELD(struct config_tier, prefix) },
	{ .name = "single_writer",
	  .type = CONFIG_CHOICE,
	  .def = "proven",
	  .help = "How it is known that no other gateway writes there: the "
		  "store proves it, by PUTs that create and never replace; or "
		  "it cannot, and you confirm it.",
	  .choices = single_writers,
	  CONFIG_FIELD(struct config_tier, single_writer_confirmed) },
	{ .name = "storage_class",
	  .type = CONFIG_TEXT,
	  .computed = "the store's own",
	  .help = "The storage class of the tier's objects, as the store calls "
		  "it.",
	  .pattern = CONFIG_CLASS_PATTERN,
	  .check = config_shape_class,
	  CONFIG_FIELD(struct config_tier, storage_class) },
	{ .name = "object_size",
	  .type = CONFIG_BYTES,
	  .computed = "16MiB, and 64MiB in GLACIER and DEEP_ARCHIVE",
	  .help = "How large the tier's objects get: small files share one, "
		  "large ones are cut. What moves here is packed anew when it "
		  "came in smaller ones.",
	  .min = 1 << 20,
	  .max = 256 << 20,
	  CONFIG_FIELD(struct config_tier, object_size) },
};

static const struct config_section tier_section = {
	CONFIG_ROWS(tier_keys),
	.size = sizeof(struct config_tier),
	.max_items = CONFIG_TIERS_MAX,
	.placeholder = "<tier>",
};

static const struct config_key trust_keys[] = {
	{ .name = "name",
	  .type = CONFIG_TEXT,
	  .computed = "the short name",
	  .help = "The trust's name in reports.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct config_trust, long_name) },
	{ .name = "user",
	  .type = CONFIG_ACCOUNT,
	  .required = true,
	  .help = "Service account of the worker. Nobody logs in as it, no "
		  "client uses it, no other trust has it.",
	  .pattern = CONFIG_ACCOUNT_PATTERN,
	  .check = config_shape_account,
	  CONFIG_FIELD(struct config_trust, user) },
	{ .name = "mount",
	  .type = CONFIG_PATH,
	  .computed = "<mount_dir>/<trust>",
	  .help = "Where the trust's filesystem is mounted.",
	  CONFIG_FIELD(struct config_trust, mount) },
	{ .name = "root",
	  .type = CONFIG_SECTION,
	  .help = "The top directory, used when the trust is created.",
	  .section = &top_section },
	{ .name = "key",
	  .type = CONFIG_SECTION,
	  .required = true,
	  .help = "The trust's root key: file or credential.",
	  .section = &secret_section },
	{ .name = "credentials",
	  .type = CONFIG_SECTION,
	  .help = "Credentials of each store of kind s3 that the trust's "
		  "tiers use.",
	  .section = &credentials_section },
	{ .name = "tiers",
	  .type = CONFIG_ITEMS,
	  .required = true,
	  .help = "Where the trust's data lies, in order: new data goes to the "
		  "first, policies move it on. Tiers may share a bucket when "
		  "their storage classes differ.",
	  .section = &tier_section,
	  CONFIG_MANY(struct config_trust, tiers, n_tiers) },
	{ .name = "policy",
	  .type = CONFIG_POLICY,
	  .computed = "none: data stays in the first tier",
	  .help = "One of policies.",
	  .pattern = CONFIG_NAME_PATTERN,
	  CONFIG_FIELD(struct config_trust, policy) },
	{ .name = "exports", .part = 6 },
	{ .name = "budget",
	  .type = CONFIG_BUDGET,
	  .computed = "no limit",
	  .help = "What the trust's policy runs and bulk recalls may cost in a "
		  "calendar month. They stop there; a recall for patients' "
		  "appointments does not.",
	  CONFIG_FLAGGED(struct config_trust, budget, has_budget) },
	{ .name = "retention", .part = 7 },
	{ .name = "offshore_approval", .part = 6 },
};

static const struct config_section trust_section = {
	CONFIG_ROWS(trust_keys),
	.inherited = &config_defaults,
	.size = sizeof(struct config_trust),
	.placeholder = "<trust>",
	.name_offset = offsetof(struct config_trust, name),
	.name_pattern = CONFIG_TRUST_PATTERN,
	.name_check = config_shape_trust,
};

/* ---- the file --------------------------------------------------------- */

/* In the order of reading: tiers refer to stores, trusts start as copies of
 * the defaults. */
static const struct config_key root_keys[] = {
	{ .name = "version",
	  .type = CONFIG_NUMBER,
	  .required = true,
	  .help = "Version of this format: 1.",
	  .min = 1,
	  CONFIG_FIELD(struct config, version) },
	{ .name = "gateway",
	  .type = CONFIG_SECTION,
	  .help = "This machine.",
	  .section = &gateway_section },
	{ .name = "cost",
	  .type = CONFIG_SECTION,
	  .help = "What cost reports count with.",
	  .section = &cost_section },
	{ .name = "stores",
	  .type = CONFIG_NAMED,
	  .required = true,
	  .help = "Places that hold buckets, shared by trusts. No buckets and "
		  "no secrets stand here.",
	  .section = &store_section,
	  CONFIG_MANY(struct config, stores, n_stores) },
	{ .name = "policies",
	  .type = CONFIG_NAMED,
	  .help = "What belongs in which tier, named once, used by many "
		  "trusts: mersey-policy(7).",
	  .section = &config_policy_keys,
	  CONFIG_MANY(struct config, policies, n_policies) },
	{ .name = "defaults",
	  .type = CONFIG_SECTION,
	  .help = "What holds for each trust unless it says otherwise, key by "
		  "key.",
	  .section = &config_defaults,
	  CONFIG_FIELD(struct config, defaults) },
	{ .name = "trusts",
	  .type = CONFIG_NAMED,
	  .required = true,
	  .help = "The trusts, by short name. It names the control socket, "
		  "the state directory and the mount point.",
	  .section = &trust_section,
	  CONFIG_MANY(struct config, trusts, n_trusts) },
	{ .name = "residency", .part = 6 },
	{ .name = "retention_schedules", .part = 7 },
	{ .name = "include", .part = 6 },
};

const struct config_section config_root = { CONFIG_ROWS(root_keys) };
