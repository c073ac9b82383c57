// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "check.h"
#include "kvm-facts.h"
#include "kvm-role.h"
#include "kvm-stats.h"
#include "proc.h"
#include "sysfile.h"
#include "vm.h"

#define NESTED "or record a nested guest (scripts/lab)"

void spht_check_line(FILE *out, enum spht_check_word word, const char *what, const char *remedy,
		     const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "FAIL"};
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	fprintf(out, "%-4s  %s: %s%s%s\n", words[word], what, text, remedy ? "; " : "",
		remedy ? remedy : "");
}

/* A node without the module loads it when it is opened. */
static void check_device(FILE *out)
{
	char path[PATH_MAX];
	int fd = -1;

	if (!spht_sysfile_path(path, sizeof(path), "/dev/kvm"))
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		spht_check_line(out, SPHT_CHECK_OK, "/dev/kvm", NULL, "can be opened");
		close(fd);
	} else if (errno == EACCES || errno == EPERM) {
		spht_check_line(
			out, SPHT_CHECK_WARN, "/dev/kvm",
			"VMs that others start can be recorded; to start one, be root or in "
			"the group kvm",
			"%s", strerror(errno));
	} else {
		spht_check_line(out, SPHT_CHECK_WARN, "/dev/kvm",
				"load kvm_intel or kvm_amd; in a VM, give it nested virtualization",
				"%s", strerror(errno));
	}
}

static bool check_module(FILE *out, const struct spht_kvm_module *m)
{
	if (!m->kvm && !m->name[0]) {
		spht_check_line(out, SPHT_CHECK_FAIL, "kvm module",
				"modprobe kvm_intel ept=0, or modprobe kvm_amd npt=0",
				"none is loaded");
		return false;
	}
	if (!m->name[0]) {
		spht_check_line(out, SPHT_CHECK_FAIL, "kvm module",
				"modprobe kvm_intel ept=0, or modprobe kvm_amd npt=0",
				"kvm is there, but neither kvm_intel, kvm_amd nor kvm_pvm is, or "
				"which of them works here is not clear");
		return false;
	}
	spht_check_line(out, SPHT_CHECK_OK, "kvm module", NULL, "%s, %s", m->name,
			m->built_in ? "built in" : "loaded");
	return true;
}

/* How to make the module shadow. */
static void shadow_remedy(const struct spht_kvm_module *m, unsigned int vms, char *text,
			  size_t size)
{
	if (m->built_in)
		snprintf(text, size, "boot with %s.%s=0 on the kernel's command line, " NESTED,
			 m->name, m->tdp_param);
	else
		snprintf(text, size, "%smodprobe -r %s; modprobe %s %s=0, " NESTED,
			 vms ? "end all VMs, then: " : "with no VM running: ", m->name, m->name,
			 m->tdp_param);
}

static bool check_shadow(FILE *out, const struct spht_kvm_module *m, unsigned int vms)
{
	char remedy[256];

	if (!m->tdp_param) {
		spht_check_line(out, SPHT_CHECK_OK, "shadow paging", NULL,
				"%s always shadows; it never tells kvm_entry, kvm_exit and "
				"kvm_page_fault, so exits other than page faults are not counted",
				m->name);
		return true;
	}
	if (!m->tdp) {
		spht_check_line(out, SPHT_CHECK_OK, "shadow paging", NULL, "%s has %s=N", m->name,
				m->tdp_param);
		return true;
	}
	shadow_remedy(m, vms, remedy, sizeof(remedy));
	if (m->tdp > 0)
		spht_check_line(
			out, SPHT_CHECK_WARN, "shadow paging", remedy,
			"%s has %s=Y, so the hardware walks the guest's tables and there is "
			"nothing to record",
			m->name, m->tdp_param);
	else
		spht_check_line(
			out, SPHT_CHECK_WARN, "shadow paging", remedy,
			"/sys/module/%s/parameters/%s cannot be read, so whether it shadows "
			"is not known",
			m->name, m->tdp_param);
	return false;
}

static void check_counters(FILE *out)
{
	struct spht_error err;
	json_t *stats = spht_kvm_stats(0, 0, &err), *global = json_object_get(stats, "global");
	json_int_t unreadable = json_integer_value(json_object_get(stats, "unreadable"));

	if (!stats)
		spht_check_line(out, SPHT_CHECK_WARN, "kvm counters", NULL, "%s", err.text);
	else if (!json_object_get(global, "pf_taken"))
		spht_check_line(
			out, SPHT_CHECK_WARN, "kvm counters",
			unreadable ? "needs root, and a kernel that is not locked down (Secure "
				     "Boot locks it)"
				   : NULL,
			"no pf_taken in /sys/kernel/debug/kvm, so nothing tells whether all "
			"faults were seen; %zu others, %" JSON_INTEGER_FORMAT
			" that nobody may read",
			json_object_size(global), unreadable);
	else
		spht_check_line(out, SPHT_CHECK_OK, "kvm counters", NULL,
				"%zu in /sys/kernel/debug/kvm", json_object_size(global));
	json_decref(stats);
}

static void check_role(FILE *out)
{
	const char *source = NULL;
	struct spht_error err;
	json_t *role = spht_kvm_role(&source, &err);

	if (role)
		spht_check_line(out, SPHT_CHECK_OK, "role layout", NULL, "%zu fields, %s",
				json_array_size(role), source);
	else
		spht_check_line(
			out, SPHT_CHECK_WARN, "role layout",
			"spht-replay takes it from the kernel's version, where it knows that", "%s",
			err.text);
	json_decref(role);
}

static void check_namespace(FILE *out)
{
	if (!spht_proc_is_initial())
		spht_check_line(out, SPHT_CHECK_WARN, "thread numbers",
				"record outside of containers, or with the host's pid namespace",
				"those in /proc seem not to be the kernel's, so threads cannot be "
				"told apart");
}

/* How many VMs run. */
static unsigned int check_vms(FILE *out)
{
	unsigned int vms = 0;
	int processes = spht_vm_count(&vms);

	if (processes < 0)
		spht_check_line(out, SPHT_CHECK_WARN, "virtual machines", NULL, "/proc: %s",
				strerror(errno));
	else if (vms > 1)
		spht_check_line(
			out, SPHT_CHECK_WARN, "virtual machines",
			"say which with --vm=PID; a zap by a thread that holds no VM cannot be "
			"told apart",
			"%u in %d processes", vms, processes);
	else
		spht_check_line(out, SPHT_CHECK_OK, "virtual machines", NULL, "%u running%s", vms,
				geteuid() ? ", as far as this user can see" : "");
	return vms;
}

enum spht_check_word spht_check_kvm(FILE *out)
{
	struct spht_kvm_module m;
	unsigned int vms;
	bool shadow;

	/* First, as it may load the module. */
	check_device(out);
	spht_kvm_module(&m);
	if (!check_module(out, &m))
		return SPHT_CHECK_FAIL;
	check_namespace(out);
	vms = check_vms(out);
	shadow = check_shadow(out, &m, vms);
	check_counters(out);
	check_role(out);
	return shadow ? SPHT_CHECK_OK : SPHT_CHECK_WARN;
}

int spht_check_verdict(FILE *out, enum spht_check_word tracing, enum spht_check_word kvm)
{
	if (tracing == SPHT_CHECK_FAIL || kvm == SPHT_CHECK_FAIL) {
		fprintf(out, "recordable: no\n");
		return SPHT_CHECK_NO;
	}
	if (kvm == SPHT_CHECK_WARN) {
		fprintf(out, "recordable: yes, but not shadow paging\n");
		return SPHT_CHECK_NO_SHADOW;
	}
	fprintf(out, "recordable: yes\n");
	return SPHT_CHECK_YES;
}

int spht_check(FILE *out)
{
	enum spht_check_word kvm = spht_check_kvm(out), tracing = spht_check_tracing(out);
	/* trace-cmd, perf and the like are not looked for: nothing of them is needed. */
	int status = spht_check_verdict(out, tracing, kvm);

	return fflush(out) || ferror(out) ? SPHT_CHECK_NO : status;
}
