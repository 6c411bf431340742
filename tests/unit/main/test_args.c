/* SPDX-License-Identifier: Apache-2.0 */
/* merseyd's command line. */
#include "tests/test.h"

#include <getopt.h>
#include <sys/mount.h>

#include "config/config.h"
#include "main/args.h"

static int parse_as(const char *name, struct args *a, const char *const *words)
{
	char *argv[24] = { (char *)name };
	int argc = 1, rc;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	optind = 0; /* glibc: from the start */
	opterr = 0;
	rc = args_parse(argc, argv, a);
	if (rc < 0)
		args_done(a);
	return rc;
}

/* Parses a command line of words (NULL ends). */
static int parse(struct args *a, const char *const *words)
{
	return parse_as("merseyd", a, words);
}

static int helper(struct args *a, const char *const *words)
{
	return parse_as("/sbin/mount.fuse.mersey", a, words);
}

#define WORDS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static void test_modes(void **state)
{
	const char *const none[] = { NULL };
	struct args a;

	unsetenv("MERSEY_CONFIG");
	assert_int_equal(parse(&a, none), 0);
	assert_int_equal(a.mode, MODE_BACKGROUND);
	assert_string_equal(a.config, CONFIG_DEFAULT_PATH);
	setenv("MERSEY_CONFIG", "/from/env", 1);
	assert_int_equal(parse(&a, WORDS("--foreground", "-v")), 0);
	assert_int_equal(a.mode, MODE_FOREGROUND);
	assert_true(a.verbose);
	assert_string_equal(a.config, "/from/env");
	assert_int_equal(
		parse(&a, WORDS("--setup", "rem", "--json", "--config", "c")),
		0);
	assert_int_equal(a.mode, MODE_SETUP);
	assert_string_equal(a.trust, "rem");
	assert_string_equal(a.config, "c");
	assert_int_equal(parse(&a, WORDS("--help")), 0);
	assert_int_equal(a.mode, MODE_HELP);
}

static void test_single(void **state)
{
	struct args a;

	assert_int_equal(
		parse(&a, WORDS("--single", "rem", "/mnt", "--config", "c")),
		0);
	assert_int_equal(a.mode, MODE_SINGLE);
	assert_string_equal(a.trust, "rem");
	assert_string_equal(a.mountpoint, "/mnt");
	assert_false(a.no_barrier);
	assert_int_equal(parse(&a, WORDS("--single", "rem")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--single", "rem", "/mnt", "x")),
			 -EINVAL);
}

static void test_worker(void **state)
{
	struct args a;

	assert_int_equal(
		parse(&a, WORDS("--worker", "rem", "--config", "c", "--fuse-fd",
				"4", "--control-fd", "3", "--restarts", "7")),
		0);
	assert_int_equal(a.mode, MODE_WORKER);
	assert_int_equal(a.fuse_fd, 4);
	assert_int_equal(a.control_fd, 3);
	assert_int_equal(a.restarts, 7);
	assert_int_equal(parse(&a, WORDS("--worker", "rem")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--worker", "rem", "--fuse-fd", "4x",
					 "--control-fd", "3")),
			 -EINVAL);
	assert_int_equal(parse(&a, WORDS("--worker", "rem", "--fuse-fd", "-4",
					 "--control-fd", "3")),
			 -EINVAL);
}

static void test_wrong(void **state)
{
	struct args a;

	assert_int_equal(parse(&a, WORDS("--nonsense")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("stray")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--config")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--foreground", "--setup", "rem")),
			 -EINVAL);
}

static void test_single_options(void **state)
{
	struct args a;

	assert_int_equal(
		parse(&a, WORDS("--single", "rem", "/mnt", "-o", "ro,log=/l",
				"--options", "noexec", "--background")),
		0);
	assert_true(a.background);
	assert_false(a.helper);
	assert_int_equal(a.mount.flags,
			 MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
	assert_string_equal(a.log_file, "/l");
	args_done(&a);
	assert_int_equal(parse(&a, WORDS("--background")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--foreground", "-o", "ro")), -EINVAL);
	assert_int_equal(parse(&a, WORDS("--single", "rem", "/mnt", "-o", "x")),
			 -EINVAL);
}

/* As mount(8) and systemd call it for a line of fstab. */
static void test_helper(void **state)
{
	struct args a;

	assert_int_equal(
		helper(&a, WORDS("rem", "/mnt/rem", "-o",
				 "rw,noatime,config=/c.yaml,_netdev,nofail",
				 "-t", "fuse.mersey")),
		0);
	assert_int_equal(a.mode, MODE_SINGLE);
	assert_true(a.helper && a.background && !a.fake);
	assert_string_equal(a.trust, "rem");
	assert_string_equal(a.mountpoint, "/mnt/rem");
	assert_string_equal(a.config, "/c.yaml");
	assert_int_equal(a.mount.flags, MS_NOATIME | MS_NOSUID | MS_NODEV);
	args_done(&a);
	/* options before and between; several -o; as the mount table has it */
	assert_int_equal(
		helper(&a, WORDS("-n", "-v", "-f", "-o", "ro", "mersey:rem",
				 "-o", "config=/d", "/mnt/rem")),
		0);
	assert_true(a.fake);
	assert_string_equal(a.trust, "rem");
	assert_string_equal(a.config, "/d");
	assert_true(a.mount.flags & MS_RDONLY);
	args_done(&a);
	assert_int_equal(helper(&a, WORDS("rem", "/mnt", "-o", "bogus")),
			 -EINVAL);
	assert_int_equal(helper(&a, WORDS("rem", "/mnt", "-o", "bogus", "-s")),
			 0);
	args_done(&a);
	assert_int_equal(helper(&a, WORDS("rem")), -EINVAL);
	assert_int_equal(helper(&a, WORDS("rem", "/mnt", "x")), -EINVAL);
	assert_int_equal(helper(&a, WORDS("rem", "/mnt", "-t", "ext4")),
			 -EINVAL);
	assert_int_equal(helper(&a, WORDS("rem", "/mnt", "--config", "x")),
			 -EINVAL);
	assert_true(a.helper); /* so that main() exits as mount(8) wants */
}

static unsigned long flags_of(const char *list)
{
	struct mountopt o;
	unsigned long flags;

	mountopt_init(&o);
	assert_int_equal(mountopt_add(&o, list, false, NULL), 0);
	flags = o.flags;
	mountopt_done(&o);
	return flags;
}

static void test_mount_options(void **state)
{
	const unsigned long usual = MS_NOSUID | MS_NODEV;
	struct err err = ERR_INIT;
	CLEANUP(mountopt_done) struct mountopt o;
	CLEANUP_BUF struct buf text = { 0 };

	assert_int_equal(flags_of(""), usual);
	assert_int_equal(flags_of("defaults,rw,,auto,noauto,user,users,"
				  "x-systemd.automount,X-a,comment=a b,user=me,"
				  "default_permissions,user_id=0,group_id=0"),
			 usual);
	/* the last one counts */
	assert_int_equal(flags_of("ro,rw"), usual);
	assert_int_equal(flags_of("rw,ro"), usual | MS_RDONLY);
	assert_int_equal(flags_of("suid,dev"), 0);
	assert_int_equal(flags_of("allow_suid,allow_dev"), 0);
	assert_int_equal(flags_of("suid,nosuid"), usual);
	assert_int_equal(flags_of("noexec,noatime"),
			 usual | MS_NOEXEC | MS_NOATIME);
	assert_int_equal(flags_of("noatime,strictatime"),
			 usual | MS_STRICTATIME);

	mountopt_init(&o);
	assert_int_equal(mountopt_add(&o,
				      "remount,ro,context=\"a:s0:c1,c2\","
				      "allow_other,config=/a b/c",
				      false, &err),
			 0);
	assert_true(o.remount && o.allow_other);
	assert_string_equal(o.config, "/a b/c");
	assert_string_equal(buf_str(&o.context), "context=\"a:s0:c1,c2\"");
	assert_int_equal(mountopt_text(&o, &text), 0);
	assert_string_equal(buf_str(&text), "allow_other,ro");
	assert_int_equal(mountopt_add(&o, "rw,rwx", false, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "'rwx'"));
	assert_int_equal(mountopt_add(&o, "config=rel", false, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "absolute"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_single_options),
		cmocka_unit_test(test_helper),
		cmocka_unit_test(test_mount_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
