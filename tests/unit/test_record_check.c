// SPDX-License-Identifier: LGPL-2.1-or-later
/* spht-record --check: what it says about which host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/check.h"
#include "collector/profile.h"
#include "fake_host.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define TRACEFS       "/sys/kernel/tracing"

/* What the check @fn prints; static storage. */
static const char *output_of(enum spht_check_word (*fn)(FILE *out), enum spht_check_word want)
{
	static char text[8192];
	FILE *f = fmemopen(text, sizeof(text), "w");
	enum spht_check_word got = fn(f);

	fclose(f);
	if (got != want)
		fail_msg("%d is not %d:\n%s", got, want, text);
	return text;
}

static void check_says(enum spht_check_word (*fn)(FILE *out), enum spht_check_word want,
		       const char *says)
{
	const char *text = output_of(fn, want);

	if (!strstr(text, says))
		fail_msg("no \"%s\" in\n%s", says, text);
}

static void fake_tracefs(void)
{
	const struct spht_profile_event *list;
	char name[256];
	size_t nr;

	fake_file("/proc/self/mounts", "proc /proc proc rw 0 0\n"
				       "none " TRACEFS " tracefs rw,relatime 0 0\n");
	list = spht_profile_events(&nr);
	for (size_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), TRACEFS "/events/%s/%s/enable", list[i].system,
			 list[i].event);
		if (strcmp(list[i].event, "*"))
			fake_file(name, "0\n");
	}
	fake_file(TRACEFS "/events/kvm/enable", "0\n");
	fake_file(TRACEFS "/events/kvmmmu/enable", "0\n");
	fake_dir(TRACEFS "/instances");
}

static void fake_kvm(const char *module, const char *param, const char *value)
{
	char name[128];

	fake_file("/dev/kvm", "");
	fake_file("/sys/module/kvm/parameters/tdp_mmu", "N\n");
	snprintf(name, sizeof(name), "/sys/module/%s/parameters/%s", module, param);
	fake_file(name, value);
}

static void host_without_kvm_cannot_be_recorded(void **state)
{
	(void)state;
	check_says(spht_check_kvm, SPHT_CHECK_FAIL, "FAIL  kvm module: none is loaded; modprobe");
	check_says(spht_check_kvm, SPHT_CHECK_FAIL, "warn  /dev/kvm: No such file");
	fake_file("/sys/module/kvm/parameters/tdp_mmu", "N\n");
	check_says(spht_check_kvm, SPHT_CHECK_FAIL, "FAIL  kvm module: kvm is there, but");
}

static void shadow_paging_is_told_from_ept_and_npt(void **state)
{
	static const struct {
		const char *module, *param, *value;
		bool loaded;
		enum spht_check_word want;
		const char *says;
	} rows[] = {
		{"kvm_intel", "ept", "N\n", true, SPHT_CHECK_OK,
		 "ok    shadow paging: kvm_intel has ept=N"},
		{"kvm_amd", "npt", "0\n", false, SPHT_CHECK_OK,
		 "ok    shadow paging: kvm_amd has npt=N"},
		{"kvm_pvm", "verbose", "N\n", false, SPHT_CHECK_OK, "kvm_pvm always shadows"},
		{"kvm_intel", "ept", "Y\n", true, SPHT_CHECK_WARN,
		 "with no VM running: modprobe -r kvm_intel; modprobe kvm_intel ept=0"},
		{"kvm_amd", "npt", "1\n", false, SPHT_CHECK_WARN, "boot with kvm_amd.npt=0"},
		{"kvm_amd", "npt", "?\n", true, SPHT_CHECK_WARN, "is not known; with no VM"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[128];

		fake_kvm(rows[i].module, rows[i].param, rows[i].value);
		snprintf(name, sizeof(name), "/sys/module/%s/initstate", rows[i].module);
		if (rows[i].loaded)
			fake_file(name, "live\n");
		check_says(spht_check_kvm, rows[i].want, rows[i].says);
		check_says(spht_check_kvm, rows[i].want, "ok    /dev/kvm: can be opened\n");
		fake_remove("/sys/module");
	}
}

static void running_vms_are_told(void **state)
{
	(void)state;
	fake_kvm("kvm_amd", "npt", "1\n");
	fake_file("/sys/module/kvm_amd/initstate", "live\n");
	check_says(spht_check_kvm, SPHT_CHECK_WARN, "ok    virtual machines: 0 running");
	fake_thread(100, 100, 1, "vmm", 1);
	fake_fd(100, 3, "anon_inode:kvm-vm");
	check_says(spht_check_kvm, SPHT_CHECK_WARN, "ok    virtual machines: 1 running");
	check_says(spht_check_kvm, SPHT_CHECK_WARN, "end all VMs, then: modprobe -r kvm_amd");
	fake_fd(100, 4, "anon_inode:kvm-vm");
	check_says(spht_check_kvm, SPHT_CHECK_WARN,
		   "warn  virtual machines: 2 in 1 processes; say "
		   "which with --vm=PID");
}

static void container_with_thread_numbers_of_its_own_is_told(void **state)
{
	(void)state;
	fake_kvm("kvm_amd", "npt", "0\n");
	check_says(spht_check_kvm, SPHT_CHECK_OK, "warn  thread numbers: ");
	fake_thread(2, 2, 0, "kthreadd", 0);
	assert_null(strstr(output_of(spht_check_kvm, SPHT_CHECK_OK), "thread numbers"));
}

static void counters_and_role_layout_are_no_condition(void **state)
{
	(void)state;
	fake_kvm("kvm_amd", "npt", "0\n");
	check_says(spht_check_kvm, SPHT_CHECK_OK,
		   "warn  kvm counters: /sys/kernel/debug/kvm: not "
		   "there; mount -t debugfs");
	check_says(spht_check_kvm, SPHT_CHECK_OK, "warn  role layout: ");
	fake_file("/sys/kernel/debug/kvm/exits", "1\n");
	check_says(spht_check_kvm, SPHT_CHECK_OK, "warn  kvm counters: no pf_taken");
	fake_file("/sys/kernel/debug/kvm/pf_taken", "1\n");
	check_says(spht_check_kvm, SPHT_CHECK_OK, "ok    kvm counters: 2 in ");
}

static void tracefs_that_is_not_mounted_is_a_failure(void **state)
{
	(void)state;
	check_says(spht_check_tracing, SPHT_CHECK_FAIL,
		   "FAIL  tracefs: not mounted; mount -t tracefs none " TRACEFS "\n");
	fake_file("/proc/self/mounts", "none /somewhere tracefs rw 0 0\n");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL,
		   "FAIL  tracefs: /somewhere/events: No such");
}

static void events_that_are_missing_are_named(void **state)
{
	(void)state;
	fake_tracefs();
	fake_remove(TRACEFS "/events/kvm/kvm_set_spte_hva");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "this kernel has no kvm_set_spte_hva\n");
	fake_remove(TRACEFS "/events/kvmmmu/kvm_mmu_set_spte");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "are missing: kvm_mmu_set_spte; another");
	fake_remove(TRACEFS "/events/kvm");
	fake_remove(TRACEFS "/events/kvmmmu");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "FAIL  events: no kvm and kvmmmu events");
}

/* The made-up tracefs puts nothing into a new instance. */
static void instance_that_is_of_no_use_is_removed_again(void **state)
{
	char path[PATH_MAX];

	(void)state;
	fake_tracefs();
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "FAIL  switching on events: ");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "FAIL  buffers: per_cpu: No such file");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "ok    instance: one was made in");
	fake_path(path, TRACEFS "/instances");
	/* Only an empty folder can be removed. */
	assert_int_equal(rmdir(path), 0);
	check_says(spht_check_tracing, SPHT_CHECK_FAIL,
		   "FAIL  instance: " TRACEFS "/instances/spht-");
}

static void tracing_of_others_is_told(void **state)
{
	(void)state;
	fake_tracefs();
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "ok    other tracing: none\n");
	fake_dir(TRACEFS "/instances/their\033s");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "on in instances their?s\n");
	fake_file(TRACEFS "/instances/busy/events/kvm/enable", "X\n");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL,
		   "warn  other tracing: kvm events are on in "
		   "busy;");
	fake_file(TRACEFS "/events/kvmmmu/enable", "1\n");
	check_says(spht_check_tracing, SPHT_CHECK_FAIL, "the top buffer, busy");
}

static void verdict_is_the_worst_of_both(void **state)
{
	static const struct {
		enum spht_check_word tracing, kvm;
		int want;
		const char *says;
	} rows[] = {
		{SPHT_CHECK_OK, SPHT_CHECK_OK, 0, "recordable: yes\n"},
		{SPHT_CHECK_OK, SPHT_CHECK_WARN, 5, "recordable: yes, but not shadow paging\n"},
		{SPHT_CHECK_OK, SPHT_CHECK_FAIL, 1, "recordable: no\n"},
		{SPHT_CHECK_FAIL, SPHT_CHECK_OK, 1, "recordable: no\n"},
		{SPHT_CHECK_FAIL, SPHT_CHECK_WARN, 1, "recordable: no\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128] = "";
		FILE *f = fmemopen(text, sizeof(text), "w");

		assert_int_equal(spht_check_verdict(f, rows[i].tracing, rows[i].kvm), rows[i].want);
		fclose(f);
		assert_string_equal(text, rows[i].says);
	}
}

/* Every line begins with its word, on whatever host this is; no instance stays behind. */
static void this_host_is_checked_line_by_line(void **state)
{
	char text[8192] = "", path[PATH_MAX], *save = NULL, *last = NULL;
	FILE *f = fmemopen(text, sizeof(text), "w");
	int status;

	(void)state;
	spht_sysfile_root("");
	status = spht_check(f);
	fclose(f);
	assert_true(status == 0 || status == 1 || status == 5);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		last = line;
		if (strncmp(line, "ok    ", 6) && strncmp(line, "warn  ", 6) &&
		    strncmp(line, "FAIL  ", 6) && strncmp(line, "recordable: ", 12))
			fail_msg("%s", line);
	}
	assert_non_null(last);
	assert_int_equal(strncmp(last, "recordable: ", 12), 0);
	snprintf(path, sizeof(path), TRACEFS "/instances/spht-%d", (int)getpid());
	assert_int_equal(access(path, F_OK), -1);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	spht_sysfile_root("");
	if (!f)
		skip();
	assert_int_equal(spht_check(f), SPHT_CHECK_NO);
	fclose(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_host, fake_host_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(host_without_kvm_cannot_be_recorded),
		TEST(shadow_paging_is_told_from_ept_and_npt),
		TEST(running_vms_are_told),
		TEST(container_with_thread_numbers_of_its_own_is_told),
		TEST(counters_and_role_layout_are_no_condition),
		TEST(tracefs_that_is_not_mounted_is_a_failure),
		TEST(events_that_are_missing_are_named),
		TEST(instance_that_is_of_no_use_is_removed_again),
		TEST(tracing_of_others_is_told),
		TEST(verdict_is_the_worst_of_both),
		TEST(this_host_is_checked_line_by_line),
		TEST(output_that_cannot_be_written_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
