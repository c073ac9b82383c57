// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the recorder finds out about the host, its KVM and KVM's counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>
#ifdef HAVE_LIBBPF
#include <bpf/btf.h>
#endif

#include "collector/host.h"
#include "collector/kvm-facts.h"
#include "collector/kvm-role.h"
#include "collector/kvm-stats.h"
#include "fake_host.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "(none)";
}

static json_int_t number_of(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static bool is_listed(const json_t *list, const char *begin)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strncmp(json_string_value(json_array_get(list, i)), begin, strlen(begin)))
			return true;
	return false;
}

static void host_is_described_without_its_name_and_secrets(void **state)
{
	json_t *host;
	char *all;

	(void)state;
	fake_file("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\n"
				   "model name\t: AMD EPYC 7543P\nflags\t\t: fpu hypervisor npt\n\n"
				   "processor\t: 1\nvendor_id\t: GenuineIntel\n");
	fake_file("/sys/devices/system/cpu/online", "0-3,8,10-11\n");
	fake_file("/proc/sys/kernel/random/boot_id", "b0-1\n");
	fake_file("/proc/sys/kernel/hostname", "secret-name\n");
	fake_file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	fake_file("/proc/cmdline", "root=/dev/sda1 mitigations=off secret=1 kvm_amd.npt=0 "
				   "hugepages=16 -- mitigations=init\n");
	host = spht_host_json();
	assert_string_equal(text_of(host, "cpu_model"), "AMD EPYC 7543P");
	assert_string_equal(text_of(host, "cpu_vendor"), "AuthenticAMD");
	assert_true(json_is_true(json_object_get(host, "under_hypervisor")));
	assert_int_equal(number_of(host, "cpus"), 7);
	assert_string_equal(text_of(host, "boot_id"), "b0-1");
	assert_string_equal(text_of(host, "transparent_hugepage"), "madvise");
	assert_string_equal(text_of(host, "cmdline"), "mitigations=off kvm_amd.npt=0 hugepages=16");
	assert_non_null(json_object_get(host, "kernel"));
	all = json_dumps(host, 0);
	assert_null(strstr(all, "secret"));
	free(all);
	json_decref(host);
}

static void what_cannot_be_had_is_left_out(void **state)
{
	static const char *const absent[] = {
		"cpu_model", "cpu_vendor", "under_hypervisor",    "cpus",
		"boot_id",   "cmdline",    "transparent_hugepage"};
	json_t *host = spht_host_json();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		assert_null(json_object_get(host, absent[i]));
	assert_non_null(json_object_get(host, "machine"));
	json_decref(host);
}

static void odd_lists_of_cpus_are_not_counted(void **state)
{
	static const char *const odd[] = {"",   "x",   "0-",   "3-1", "0-99999999999",
					  "-1", "0;1", "0-1-2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		json_t *host;

		fake_file("/sys/devices/system/cpu/online", odd[i]);
		fake_file("/proc/cpuinfo", "model name\t: \xff\xfe\n");
		host = spht_host_json();
		if (json_object_get(host, "cpus") || json_object_get(host, "cpu_model"))
			fail_msg("\"%s\" was counted", odd[i]);
		json_decref(host);
	}
}

static void clocks_are_read_together_and_advance(void **state)
{
	static const char *const clocks[] = {"mono", "boot", "realtime"};
	const struct timespec wait = {.tv_nsec = 2000000};
	json_t *a = spht_clock_snapshot(), *b;

	(void)state;
	nanosleep(&wait, NULL);
	b = spht_clock_snapshot();
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		uint64_t d = strtoull(text_of(b, clocks[i]), NULL, 16) -
			     strtoull(text_of(a, clocks[i]), NULL, 16);

		/* Another one may set CLOCK_REALTIME. */
		if (i < 2 && (d < 1900000 || d > 10000000000))
			fail_msg("%s advanced by %llu ns", clocks[i], (unsigned long long)d);
	}
	assert_true(number_of(a, "uncertainty_ns") >= 0);
	assert_true(number_of(a, "uncertainty_ns") < 1000000000);
	json_decref(a);
	json_decref(b);
}

static void kvm_shadows_where_its_parameter_says_so(void **state)
{
	static const struct {
		const char *module, *param, *value;
		int tdp;
	} rows[] = {
		{"kvm_intel", "ept", "Y\n", 1},      {"kvm_intel", "ept", "N\n", 0},
		{"kvm_amd", "npt", "1\n", 1},        {"kvm_amd", "npt", "0\n", 0},
		{"kvm_amd", "npt", "N", 0},          {"kvm_intel", "ept", "", -1},
		{"kvm_intel", "ept", "maybe\n", -1}, {"kvm_intel", "other", "1\n", -1},
		{"kvm_pvm", "verbose", "N\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spht_kvm_module m;
		char name[128];
		json_t *missing = json_array(), *kvm, *params;

		fake_file("/sys/module/kvm/parameters/tdp_mmu", "Y\n");
		snprintf(name, sizeof(name), "/sys/module/%s/parameters/%s", rows[i].module,
			 rows[i].param);
		fake_file(name, rows[i].value);
		spht_kvm_module(&m);
		assert_true(m.kvm && m.built_in);
		assert_string_equal(m.name, rows[i].module);
		assert_int_equal(m.tdp, rows[i].tdp);
		kvm = spht_kvm_json(missing);
		assert_string_equal(text_of(kvm, "module"), rows[i].module);
		params = json_object_get(kvm, "params");
		assert_string_equal(text_of(json_object_get(params, "kvm"), "tdp_mmu"), "Y");
		assert_true(json_is_string(
			json_object_get(json_object_get(params, rows[i].module), rows[i].param)));
		assert_false(is_listed(missing, "kvm"));
		json_decref(kvm);
		json_decref(missing);
		fake_remove("/sys/module");
	}
}

static void no_kvm_is_told_as_missing(void **state)
{
	struct spht_kvm_module m;
	json_t *missing = json_array(), *kvm = spht_kvm_json(missing);

	(void)state;
	spht_kvm_module(&m);
	assert_false(m.kvm);
	assert_string_equal(m.name, "");
	assert_int_equal(m.tdp, -1);
	assert_null(json_object_get(kvm, "module"));
	assert_null(json_object_get(kvm, "params"));
	assert_null(json_object_get(kvm, "role"));
	assert_true(json_is_null(json_object_get(kvm, "tdp")));
	assert_true(is_listed(missing, "kvm vendor module"));
	assert_true(is_listed(missing, "kvm module parameters"));
	assert_true(is_listed(missing, "role layout: "));
	json_decref(kvm);
	json_decref(missing);
}

/* A kernel with both built in has both folders, whatever its processor. */
static void of_two_vendor_modules_the_active_one_counts(void **state)
{
	struct spht_kvm_module m;

	(void)state;
	fake_file("/sys/module/kvm_intel/parameters/ept", "Y\n");
	fake_file("/sys/module/kvm_amd/parameters/npt", "0\n");
	spht_kvm_module(&m);
	assert_string_equal(m.name, "");
	assert_int_equal(m.tdp, -1);
	fake_file("/proc/cpuinfo", "vendor_id\t: AuthenticAMD\n");
	spht_kvm_module(&m);
	assert_string_equal(m.name, "kvm_amd");
	assert_int_equal(m.tdp, 0);
	/* Loaded beats built in. */
	fake_file("/sys/module/kvm_intel/initstate", "live\n");
	spht_kvm_module(&m);
	assert_string_equal(m.name, "kvm_intel");
	assert_false(m.built_in);
	assert_int_equal(m.tdp, 1);
}

static void parameters_that_are_no_text_are_left_out(void **state)
{
	json_t *missing = json_array(), *kvm, *params;

	(void)state;
	fake_file("/sys/module/kvm_amd/parameters/npt", "N\n");
	fake_file("/sys/module/kvm_amd/parameters/odd", "\xff\n");
	fake_dir("/sys/module/kvm_amd/parameters/folder");
	kvm = spht_kvm_json(missing);
	params = json_object_get(json_object_get(kvm, "params"), "kvm_amd");
	assert_int_equal(json_object_size(params), 1);
	assert_string_equal(text_of(params, "npt"), "N");
	json_decref(kvm);
	json_decref(missing);
}

#ifdef HAVE_LIBBPF
/* Adds the union, with a level of @level_bits, to @btf, and writes it as @name. */
static void save_btf(struct btf *btf, const char *name, const char *union_name, int level_bits)
{
	char path[PATH_MAX];
	const void *raw;
	uint32_t size;
	int u32, role;
	FILE *f;

	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	role = btf__add_struct(btf, NULL, 4);
	btf__add_field(btf, "level", u32, 0, level_bits);
	btf__add_field(btf, "direct", u32, 7, 1);
	btf__add_field(btf, NULL, u32, 8, 3);
	btf__add_field(btf, "smm", u32, 24, 8);
	btf__add_union(btf, union_name, 4);
	btf__add_field(btf, "word", u32, 0, 0);
	btf__add_field(btf, NULL, role, 0, 0);
	raw = btf__raw_data(btf, &size);
	assert_non_null(raw);
	fake_file(name, "");
	fake_path(path, name);
	f = fopen(path, "w");
	assert_int_equal(fwrite(raw, 1, size, f), size);
	fclose(f);
}

static void check_role(const char *want_source, int level_bits)
{
	struct spht_error err = {""};
	const char *source = NULL;
	json_t *role = spht_kvm_role(&source, &err), *first;

	if (!role)
		fail_msg("%s", err.text);
	assert_string_equal(source, want_source);
	/* What has no name is padding. */
	assert_int_equal(json_array_size(role), 3);
	first = json_array_get(role, 0);
	assert_string_equal(text_of(first, "name"), "level");
	assert_int_equal(number_of(first, "offset"), 0);
	assert_int_equal(number_of(first, "bits"), level_bits);
	assert_string_equal(text_of(json_array_get(role, 2), "name"), "smm");
	assert_int_equal(number_of(json_array_get(role, 2), "offset"), 24);
	json_decref(role);
}

static void role_layout_comes_from_the_kernel_that_kvm_is_built_in(void **state)
{
	struct btf *btf = btf__new_empty();

	(void)state;
	save_btf(btf, "/sys/kernel/btf/vmlinux", "kvm_mmu_page_role", 4);
	check_role("BTF of vmlinux", 4);
	btf__free(btf);
}

static void role_layout_comes_from_the_kvm_module_where_it_is_one(void **state)
{
	struct btf *base = btf__new_empty(), *split;

	(void)state;
	save_btf(base, "/sys/kernel/btf/vmlinux", "something_else", 4);
	split = btf__new_empty_split(base);
	save_btf(split, "/sys/kernel/btf/kvm", "kvm_mmu_page_role", 5);
	check_role("BTF of kvm", 5);
	btf__free(split);
	btf__free(base);
}

static void type_information_of_no_use_is_told(void **state)
{
	struct btf *btf = btf__new_empty();
	const char *source = NULL;
	struct spht_error err;

	(void)state;
	save_btf(btf, "/sys/kernel/btf/vmlinux", "something_else", 4);
	assert_null(spht_kvm_role(&source, &err));
	assert_non_null(strstr(err.text, "no usable union"));
	fake_file("/sys/kernel/btf/kvm", "rubbish");
	assert_null(spht_kvm_role(&source, &err));
	assert_non_null(strstr(err.text, "/btf/kvm: "));
	fake_file("/sys/kernel/btf/vmlinux", "rubbish");
	assert_null(spht_kvm_role(&source, &err));
	assert_non_null(strstr(err.text, "/btf/vmlinux: "));
	btf__free(btf);
}
#endif

/* The counters of one VM that the thread @tid made, with one vCPU. */
static void fake_vm_counters(int tid, const char *pf_taken)
{
	char name[128];

	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-11/pf_taken", tid);
	fake_file(name, pf_taken);
	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-11/mmu_rmaps_stat", tid);
	fake_file(name, "1\n");
	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-11/vcpu3/tsc-offset", tid);
	fake_file(name, "-12345\n");
	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-11/vcpu3/pid", tid);
	fake_file(name, "77\n");
	snprintf(name, sizeof(name), "/sys/kernel/debug/kvm/%d-11/vcpux/guest_mode", tid);
	fake_file(name, "1\n");
}

static void counters_are_integers_or_hex_beyond_53_bits(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"0\n", "0"},
		{"9007199254740991\n", "9007199254740991"},
		{"9007199254740992\n", "\"0x20000000000000\""},
		{"18446744073709551615\n", "\"0xffffffffffffffff\""},
		{"18446744073709551616\n", NULL},
		{"-5\n", "-5"},
		{"-9007199254740993\n", "\"0xffdfffffffffffff\""},
		{"", NULL},
		{"-\n", NULL},
		{"1 2\n", NULL},
		{"0x10\n", NULL},
		{"many\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spht_error err = {""};
		json_t *stats, *value;
		char *got;

		fake_file("/sys/kernel/debug/kvm/pf_taken", rows[i].text);
		stats = spht_kvm_stats(0, 0, &err);
		value = json_object_get(json_object_get(stats, "global"), "pf_taken");
		got = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
		if (!rows[i].want ? !!got : !got || strcmp(got, rows[i].want))
			fail_msg("\"%s\" became %s", rows[i].text, got ? got : "nothing");
		free(got);
		json_decref(stats);
	}
}

static void counters_are_those_of_the_vm_asked_for(void **state)
{
	struct spht_error err = {""};
	json_t *stats, *vms, *vm, *vcpus;

	(void)state;
	fake_file("/sys/kernel/debug/kvm/pf_taken", "12\n");
	fake_dir("/sys/kernel/debug/kvm/no-vm");
	/* Made by a thread of its process, and by a child of that. */
	fake_thread(500, 500, 1, "vmm", 10);
	fake_thread(500, 501, 1, "vmm", 11);
	fake_thread(600, 600, 500, "child", 12);
	fake_thread(700, 700, 1, "other", 13);
	fake_vm_counters(501, "5\n");
	fake_vm_counters(600, "6\n");
	fake_vm_counters(700, "7\n");
	stats = spht_kvm_stats(0, 0, &err);
	assert_int_equal(json_object_size(json_object_get(stats, "vms")), 3);
	json_decref(stats);
	stats = spht_kvm_stats(500, SPHT_KVM_STATS_VM, &err);
	assert_null(json_object_get(stats, "global"));
	vms = json_object_get(stats, "vms");
	assert_int_equal(json_object_size(vms), 2);
	assert_int_equal(number_of(json_object_get(vms, "600-11"), "pf_taken"), 6);
	vm = json_object_get(vms, "501-11");
	assert_int_equal(number_of(vm, "pf_taken"), 5);
	/* Reading it would stop the guest. */
	assert_null(json_object_get(vm, "mmu_rmaps_stat"));
	vcpus = json_object_get(vm, "vcpus");
	assert_int_equal(json_object_size(vcpus), 1);
	assert_int_equal(number_of(json_object_get(vcpus, "3"), "tsc-offset"), -12345);
	assert_null(json_object_get(json_object_get(vcpus, "3"), "pid"));
	json_decref(stats);
	vcpus = json_object();
	assert_int_equal(spht_kvm_stats_vcpus(700, vcpus), 1);
	assert_int_equal(number_of(vcpus, "77"), 3);
	json_decref(vcpus);
}

static void absence_of_counters_has_a_reason(void **state)
{
	struct spht_error err = {""};

	(void)state;
	assert_null(spht_kvm_stats(0, 0, &err));
	assert_non_null(strstr(err.text, "mount -t debugfs"));
	fake_file("/sys/kernel/debug/clear_warn_once", "");
	assert_null(spht_kvm_stats(0, 0, &err));
	assert_non_null(strstr(err.text, "no kvm module"));
	fake_file("/sys/kernel/debug/kvm", "");
	assert_null(spht_kvm_stats(0, 0, &err));
	assert_non_null(strstr(err.text, "Not a directory"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_host, fake_host_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(host_is_described_without_its_name_and_secrets),
		TEST(what_cannot_be_had_is_left_out),
		TEST(odd_lists_of_cpus_are_not_counted),
		TEST(clocks_are_read_together_and_advance),
		TEST(kvm_shadows_where_its_parameter_says_so),
		TEST(no_kvm_is_told_as_missing),
		TEST(of_two_vendor_modules_the_active_one_counts),
		TEST(parameters_that_are_no_text_are_left_out),
#ifdef HAVE_LIBBPF
		TEST(role_layout_comes_from_the_kernel_that_kvm_is_built_in),
		TEST(role_layout_comes_from_the_kvm_module_where_it_is_one),
		TEST(type_information_of_no_use_is_told),
#endif
		TEST(counters_are_integers_or_hex_beyond_53_bits),
		TEST(counters_are_those_of_the_vm_asked_for),
		TEST(absence_of_counters_has_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
