// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whose thread is it: ours, another VM's, nobody's; and which vCPU does it run? */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "collector/proc.h"
#include "collector/vm.h"
#include "fake_host.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define VM            "anon_inode:kvm-vm"
#define VCPU          "anon_inode:kvm-vcpu:"

/* More than a look at a thread is believed. */
static void wait_for_recheck(void)
{
	const struct timespec wait = {.tv_sec = 1, .tv_nsec = 50000000};

	nanosleep(&wait, NULL);
}

/* The VMM 100 with threads to 103, another one, a shell with a VMM below it, and the kernel. */
static void fake_processes(void)
{
	fake_thread(100, 100, 1, "qemu-system-x86", 1000);
	fake_thread(100, 101, 1, "CPU 0/KVM", 1001);
	fake_thread(100, 102, 1, "CPU 1/KVM", 1002);
	fake_thread(100, 103, 1, "worker", 1003);
	fake_thread(200, 200, 1, "firecracker", 2000);
	fake_thread(200, 201, 1, "fc_vcpu 7", 2001);
	fake_thread(300, 300, 1, "sh", 3000);
	fake_thread(310, 310, 300, "a) S 1 (b", 3100);
	fake_thread(320, 320, 310, "cc1", 3200);
	fake_thread(50, 50, 2, "kswapd0", 5);
	for (int tid = 100; tid <= 103; tid++) {
		fake_fd(tid, 3, "/dev/kvm");
		fake_fd(tid, 8, VM);
		fake_fd(tid, 9, VCPU "0");
		fake_fd(tid, 10, VCPU "1");
	}
	for (int tid = 200; tid <= 201; tid++) {
		fake_fd(tid, 8, VM);
		fake_fd(tid, 9, VCPU "7");
	}
	fake_fd(310, 8, VM);
	fake_fd(310, 9, "anon_inode:kvm-vcpu");
	fake_fd(320, 1, "/tmp/anon_inode:kvm-vm");
	fake_fd(300, 1, "/dev/kvm");
}

/* A real /proc has folders of threads too, but lists only those of processes. */
static void hide_threads(void)
{
	static const char *const threads[] = {"/proc/101", "/proc/102", "/proc/103", "/proc/201"};

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		fake_remove(threads[i]);
}

static void check_classes(pid_t pid, const int (*want)[2], size_t nr)
{
	struct spht_vms *v = spht_vm_open(pid);

	assert_non_null(v);
	/* The second time from memory. */
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < nr; k++)
			if (spht_vm_of(v, want[k][0]) != want[k][1])
				fail_msg("of %d: thread %d is %d", pid, want[k][0],
					 spht_vm_of(v, want[k][0]));
	spht_vm_close(v);
}

static void threads_are_those_of_the_process_asked_for_or_not(void **state)
{
	static const int all[][2] = {{100, SPHT_VM_OURS},   {103, SPHT_VM_OURS},
				     {201, SPHT_VM_OURS},   {310, SPHT_VM_OURS},
				     {300, SPHT_VM_NOBODY}, {320, SPHT_VM_NOBODY},
				     {50, SPHT_VM_NOBODY},  {0, SPHT_VM_NOBODY},
				     {-1, SPHT_VM_UNKNOWN}, {999, SPHT_VM_UNKNOWN}};
	static const int one[][2] = {{102, SPHT_VM_OURS},  {103, SPHT_VM_OURS},
				     {200, SPHT_VM_OTHER}, {201, SPHT_VM_OTHER},
				     {310, SPHT_VM_OTHER}, {300, SPHT_VM_NOBODY},
				     {50, SPHT_VM_NOBODY}, {999, SPHT_VM_UNKNOWN}};
	/* A shell that holds no VM itself, and a child that does. */
	static const int below[][2] = {{300, SPHT_VM_OURS},
				       {310, SPHT_VM_OURS},
				       {320, SPHT_VM_NOBODY},
				       {101, SPHT_VM_OTHER}};

	(void)state;
	fake_processes();
	check_classes(0, all, ARRAY_SIZE(all));
	check_classes(100, one, ARRAY_SIZE(one));
	check_classes(300, below, ARRAY_SIZE(below));
}

static void thread_that_ended_stays_what_it_was(void **state)
{
	struct spht_vms *v;

	(void)state;
	fake_processes();
	v = spht_vm_open(100);
	assert_int_equal(spht_vm_of(v, 102), SPHT_VM_OURS);
	assert_int_equal(spht_vm_of(v, 201), SPHT_VM_OTHER);
	/* One is gone, the other has closed its VM. */
	fake_remove("/proc/102");
	fake_remove("/proc/201/fd");
	fake_dir("/proc/201/fd");
	wait_for_recheck();
	assert_int_equal(spht_vm_of(v, 102), SPHT_VM_OURS);
	assert_int_equal(spht_vm_of(v, 201), SPHT_VM_OTHER);
	spht_vm_close(v);
}

static void number_that_is_used_again_is_another_thread(void **state)
{
	struct spht_vms *v;

	(void)state;
	fake_processes();
	v = spht_vm_open(100);
	assert_int_equal(spht_vm_of(v, 102), SPHT_VM_OURS);
	assert_int_equal(spht_vm_of(v, 100), SPHT_VM_OURS);
	assert_int_equal(spht_vm_of(v, 300), SPHT_VM_NOBODY);
	fake_remove("/proc/102");
	fake_thread(102, 102, 1, "cat", 9000);
	fake_remove("/proc/100");
	fake_thread(100, 100, 1, "another", 9001);
	/* And one that had no VM now has. */
	fake_fd(300, 8, VM);
	/* For a second what was seen is believed. */
	assert_int_equal(spht_vm_of(v, 102), SPHT_VM_OURS);
	wait_for_recheck();
	assert_int_equal(spht_vm_of(v, 102), SPHT_VM_NOBODY);
	assert_int_equal(spht_vm_of(v, 100), SPHT_VM_NOBODY);
	assert_int_equal(spht_vm_of(v, 300), SPHT_VM_OTHER);
	spht_vm_close(v);
}

static void more_threads_than_can_be_looked_at_are_unknown_for_a_while(void **state)
{
	struct spht_vms *v = spht_vm_open(0);
	int nobody = 0;

	(void)state;
	fake_thread(50, 50, 2, "kswapd0", 5);
	/* None of these is there; each costs a look. */
	for (int tid = 1000; tid < 7000; tid++)
		assert_int_equal(spht_vm_of(v, tid), SPHT_VM_UNKNOWN);
	assert_int_equal(spht_vm_of(v, 50), SPHT_VM_UNKNOWN);
	wait_for_recheck();
	assert_int_equal(spht_vm_of(v, 50), SPHT_VM_NOBODY);
	for (int tid = 1000; tid < 300000; tid++)
		nobody += spht_vm_of(v, tid) == SPHT_VM_NOBODY;
	assert_int_equal(nobody, 0);
	spht_vm_close(v);
}

static json_t *find_process(const json_t *map, int pid)
{
	for (size_t i = 0; i < json_array_size(map); i++) {
		json_t *p = json_array_get(map, i);

		if (json_integer_value(json_object_get(p, "pid")) == pid)
			return p;
	}
	return NULL;
}

/* "101:0 102:1", in the order of threads up to 399. */
static const char *vcpus_of(const json_t *map, int pid)
{
	static char text[256];
	const json_t *vcpus = json_object_get(find_process(map, pid), "vcpus");
	size_t len = 0;
	char key[16];

	text[0] = '\0';
	for (int tid = 1; tid < 400; tid++) {
		snprintf(key, sizeof(key), "%d", tid);
		if (json_object_get(vcpus, key))
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "%s%d:%d", len ? " " : "", tid,
				(int)json_integer_value(json_object_get(vcpus, key)));
	}
	return text;
}

static bool is_listed(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), text))
			return true;
	return false;
}

static void vcpus_are_found_by_the_names_of_their_threads(void **state)
{
	struct spht_vms *v;
	json_t *map, *missing = json_array();

	(void)state;
	fake_processes();
	hide_threads();
	v = spht_vm_open(0);
	assert_int_equal(spht_vm_scan(v), 3);
	map = spht_vm_map(v, missing);
	assert_int_equal(json_array_size(map), 3);
	assert_string_equal(vcpus_of(map, 100), "101:0 102:1");
	assert_string_equal(vcpus_of(map, 200), "201:7");
	assert_string_equal(vcpus_of(map, 310), "");
	assert_true(is_listed(missing, "memslots"));
	assert_true(is_listed(missing, "vCPU threads of process 310"));
	assert_int_equal(json_array_size(missing), 2);
	assert_string_equal(json_string_value(json_object_get(find_process(map, 310), "name")),
			    "a) S 1 (b");
	json_decref(map);
	json_decref(missing);
	spht_vm_close(v);
}

static void odd_names_are_no_vcpus(void **state)
{
	static const char *const odd[] = {
		"CPU /KVM", "CPU 1/TCG", "CPU 1/KVMx", "CPU -1/KVM", "CPU 9999999999/KVM",
		"vcpu",     "vcpu 1x",   "cpu1",       "vcpu 4096",  "my vcpus 1"};
	struct spht_vms *v;
	json_t *map, *missing = json_array();

	(void)state;
	fake_thread(100, 100, 1, "vmm", 1);
	fake_fd(100, 8, VM);
	fake_fd(100, 9, VCPU "0");
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		fake_thread(100, 101 + (int)i, 1, odd[i], 2);
	v = spht_vm_open(100);
	map = spht_vm_map(v, missing);
	assert_string_equal(vcpus_of(map, 100), "");
	json_decref(map);
	json_decref(missing);
	spht_vm_close(v);
}

static void vcpus_are_found_in_the_call_that_runs_them(void **state)
{
	struct spht_vms *v;
	json_t *map, *missing = json_array();

	(void)state;
	fake_thread(100, 100, 1, "vmm", 1);
	fake_fd(100, 8, VM);
	fake_fd(100, 9, VCPU "5");
	fake_fd(100, 10, VCPU "6");
	for (int tid = 101; tid < 107; tid++)
		fake_thread(100, tid, 1, "vmm", 2);
	fake_file("/proc/100/task/101/syscall", "16 0x9 0xae80 0x0 0x0 0x55ab 0x0 0x7fd3 0x7fd4\n");
	/* Another call of the vCPU's; KVM_RUN of a VM; it runs; a kernel thread; no such file. */
	fake_file("/proc/100/task/102/syscall", "16 0xa 0xae81 0x0 0x0 0x55ab 0x0 0x7fd3 0x7fd4\n");
	fake_file("/proc/100/task/103/syscall", "16 0x8 0xae80 0x0 0x0 0x55ab 0x0 0x7fd3 0x7fd4\n");
	fake_file("/proc/100/task/104/syscall", "running\n");
	fake_file("/proc/100/task/105/syscall", "16 0xa 0xae80 0x0 0x0 0x55ab 0x0 0x0 0x0\n");
	fake_file("/proc/100/task/106/syscall",
		  "16 0xffffffff 0xae80 0x0 0x0 0x55ab 0x0 0x7fd3 0x7fd4\n");
	v = spht_vm_open(100);
	map = spht_vm_map(v, missing);
	assert_string_equal(vcpus_of(map, 100), "101:5");
	assert_true(is_listed(missing, "vCPU threads of process 100"));
	json_decref(map);
	/* Caught by a later scan, and known after it ended. */
	fake_file("/proc/100/task/104/syscall", "16 0xa 0xae80 0x0 0x0 0x55ab 0x0 0x7fd3 0x7fd4\n");
	assert_int_equal(spht_vm_scan(v), 2);
	fake_remove("/proc/100/task/104");
	map = spht_vm_map(v, missing);
	assert_string_equal(vcpus_of(map, 100), "101:5 104:6");
	json_decref(map);
	json_decref(missing);
	spht_vm_close(v);
}

static void kvms_own_word_about_a_vcpu_goes_before_a_name(void **state)
{
	struct spht_vms *v;
	json_t *map, *missing = json_array();

	(void)state;
	fake_processes();
	hide_threads();
	fake_file("/sys/kernel/debug/kvm/100-8/vcpu1/pid", "101\n");
	fake_file("/sys/kernel/debug/kvm/100-8/vcpu0/pid", "0\n");
	v = spht_vm_open(100);
	map = spht_vm_map(v, missing);
	assert_string_equal(vcpus_of(map, 100), "101:1 102:1");
	assert_int_equal(json_array_size(map), 1);
	json_decref(map);
	json_decref(missing);
	spht_vm_close(v);
}

static void vms_are_counted(void **state)
{
	unsigned int vms = 77;

	(void)state;
	assert_int_equal(spht_vm_count(&vms), 0);
	assert_int_equal(vms, 0);
	fake_processes();
	hide_threads();
	fake_fd(200, 12, VM);
	assert_int_equal(spht_vm_count(&vms), 3);
	assert_int_equal(vms, 4);
}

/* The real /proc. */
static void processes_of_this_host_are_read(void **state)
{
	struct spht_proc self, child;
	struct spht_vms *v;
	pid_t pid;

	(void)state;
	spht_sysfile_root("");
	assert_int_equal(spht_proc_get(getpid(), &self), 0);
	assert_int_equal(self.tgid, getpid());
	assert_int_equal(self.ppid, getppid());
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	v = spht_vm_open(getpid());
	assert_int_equal(spht_vm_of(v, getpid()), SPHT_VM_OURS);
	assert_int_equal(spht_vm_of(v, pid), SPHT_VM_NOBODY);
	assert_true(spht_proc_belongs(pid, getpid()));
	assert_false(spht_proc_belongs(getpid(), pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(spht_proc_get(pid, &child), -1);
	assert_int_equal(spht_proc_start(pid), 0);
	spht_vm_close(v);
}

static void damaged_proc_is_no_thread(void **state)
{
	static const char *const odd[] = {
		"",          "100",       "100 (",         "100 (a",
		"100 ) S (", "100 (a) S", "100 (a) S x 1", "100 (a) S 1 1 1 0 -1"};
	struct spht_proc p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		fake_thread(100, 100, 1, "a", 1);
		assert_int_equal(spht_proc_get(100, &p), 0);
		fake_file("/proc/100/stat", odd[i]);
		assert_int_equal(spht_proc_get(100, &p), -1);
	}
	fake_thread(100, 100, 1, "a", 1);
	fake_file("/proc/100/status", "Name:\tTgid:\t5\n");
	assert_int_equal(spht_proc_get(100, &p), -1);
	/* A circle of parents ends. */
	fake_thread(101, 101, 102, "a", 1);
	fake_thread(102, 102, 101, "a", 1);
	assert_false(spht_proc_belongs(101, 7));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_host, fake_host_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(threads_are_those_of_the_process_asked_for_or_not),
		TEST(thread_that_ended_stays_what_it_was),
		TEST(number_that_is_used_again_is_another_thread),
		TEST(more_threads_than_can_be_looked_at_are_unknown_for_a_while),
		TEST(vcpus_are_found_by_the_names_of_their_threads),
		TEST(odd_names_are_no_vcpus),
		TEST(vcpus_are_found_in_the_call_that_runs_them),
		TEST(kvms_own_word_about_a_vcpu_goes_before_a_name),
		TEST(vms_are_counted),
		TEST(processes_of_this_host_are_read),
		TEST(damaged_proc_is_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
