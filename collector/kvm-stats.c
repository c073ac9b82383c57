// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "kvm-stats.h"
#include "proc.h"
#include "sysfile.h"

#define KVM_DIR   "/sys/kernel/debug/kvm"
#define MAX_EXACT ((int64_t)1 << 53)

/*
 * mmu_rmaps_stat walks all reverse maps under mmu_lock, which stops the guest; of a
 * histogram only one column would be seen.
 */
static bool is_counter(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && strcmp(name, "pid") && strcmp(name, "mmu_rmaps_stat") &&
	       (len < 5 || strcmp(name + len - 5, "_hist"));
}

/* NULL for what is no decimal number. */
static json_t *number(const char *text)
{
	bool negative = *text == '-';
	uint64_t v;
	char *end;

	if (text[negative] < '0' || text[negative] > '9')
		return NULL;
	errno = 0;
	v = negative ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 10);
	if (errno || *end)
		return NULL;
	if (negative ? (int64_t)v > -MAX_EXACT : v < (uint64_t)MAX_EXACT)
		return json_integer((json_int_t)v);
	return spht_json_hex(v);
}

static DIR *open_below(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* Every counter that lies in @dir itself; what may not be read is counted. */
static json_t *counters(DIR *dir, unsigned int *unreadable)
{
	json_t *object = json_object();
	const struct dirent *e;
	char text[64];

	while ((e = readdir(dir))) {
		json_t *value;

		if (e->d_type == DT_DIR || !is_counter(e->d_name))
			continue;
		if (spht_sysfile_read_at(dirfd(dir), e->d_name, text, sizeof(text)) < 0) {
			*unreadable += errno == EPERM || errno == EACCES;
			continue;
		}
		value = number(text);
		if (value)
			json_object_set_new(object, e->d_name, value);
	}
	return object;
}

static bool is_vcpu(const struct dirent *e)
{
	return e->d_type == DT_DIR && !strncmp(e->d_name, "vcpu", 4) && e->d_name[4] &&
	       strspn(e->d_name + 4, "0123456789") == strlen(e->d_name + 4);
}

static json_t *vm_counters(DIR *vm, unsigned int *unreadable)
{
	json_t *object = counters(vm, unreadable), *vcpus = json_object();
	const struct dirent *e;

	rewinddir(vm);
	while ((e = readdir(vm))) {
		DIR *dir = is_vcpu(e) ? open_below(dirfd(vm), e->d_name) : NULL;

		if (!dir)
			continue;
		json_object_set_new(vcpus, e->d_name + 4, counters(dir, unreadable));
		closedir(dir);
	}
	json_object_set_new(object, "vcpus", vcpus);
	return object;
}

/* Named "PID-FD", after the thread that made the VM; is that thread @process' or below it? */
static bool is_vm_of(const struct dirent *e, pid_t process)
{
	int pid, fd, len = 0;

	if (e->d_type != DT_DIR || sscanf(e->d_name, "%d-%d%n", &pid, &fd, &len) != 2 ||
	    e->d_name[len])
		return false;
	return !process || spht_proc_belongs(pid, process);
}

static void set_reason(struct spht_error *err, int error)
{
	char path[PATH_MAX];
	bool mounted;

	/* Without debugfs the folder is there, and empty. */
	mounted = !spht_sysfile_path(path, sizeof(path), "/sys/kernel/debug/clear_warn_once") &&
		  !access(path, F_OK);
	if (error == EACCES || error == EPERM)
		spht_error_set(err, "%s: %s; needs root", KVM_DIR, strerror(error));
	else if (error == ENOENT && mounted)
		spht_error_set(err, "%s: not there; no kvm module is loaded", KVM_DIR);
	else if (error == ENOENT)
		spht_error_set(err, "%s: not there; mount -t debugfs none /sys/kernel/debug",
			       KVM_DIR);
	else
		spht_error_set(err, "%s: %s", KVM_DIR, strerror(error));
}

static DIR *open_kvm(struct spht_error *err)
{
	char path[PATH_MAX];
	DIR *dir = NULL;

	if (!spht_sysfile_path(path, sizeof(path), KVM_DIR))
		dir = opendir(path);
	if (!dir)
		set_reason(err, errno);
	return dir;
}

json_t *spht_kvm_stats(pid_t vm, unsigned int flags, struct spht_error *err)
{
	json_t *stats, *vms;
	const struct dirent *e;
	unsigned int unreadable = 0;
	struct timespec now;
	DIR *dir = open_kvm(err);

	if (!dir)
		return NULL;
	stats = json_object();
	vms = json_object();
	clock_gettime(CLOCK_MONOTONIC, &now);
	json_object_set_new(
		stats, "mono",
		spht_json_hex((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec));
	if (!(flags & SPHT_KVM_STATS_VM)) {
		json_object_set_new(stats, "global", counters(dir, &unreadable));
		rewinddir(dir);
	}
	while ((e = readdir(dir))) {
		DIR *below = is_vm_of(e, vm) ? open_below(dirfd(dir), e->d_name) : NULL;

		if (!below)
			continue;
		json_object_set_new(vms, e->d_name, vm_counters(below, &unreadable));
		closedir(below);
	}
	closedir(dir);
	json_object_set_new(stats, "vms", vms);
	if (unreadable)
		json_object_set_new(stats, "unreadable", json_integer(unreadable));
	return stats;
}

static unsigned int vm_vcpus(DIR *vm, json_t *vcpus)
{
	const struct dirent *e;
	char name[300], text[32];
	unsigned int nr = 0;
	int tid;

	while ((e = readdir(vm))) {
		if (!is_vcpu(e))
			continue;
		snprintf(name, sizeof(name), "%s/pid", e->d_name);
		/* 0 until the vCPU has run. */
		if (spht_sysfile_read_at(dirfd(vm), name, text, sizeof(text)) <= 0 ||
		    sscanf(text, "%d", &tid) != 1 || tid <= 0)
			continue;
		snprintf(text, sizeof(text), "%d", tid);
		json_object_set_new(vcpus, text, json_integer(atoi(e->d_name + 4)));
		nr++;
	}
	return nr;
}

unsigned int spht_kvm_stats_vcpus(pid_t vm, json_t *vcpus)
{
	const struct dirent *e;
	struct spht_error err;
	unsigned int nr = 0;
	DIR *dir = open_kvm(&err);

	while (dir && (e = readdir(dir))) {
		DIR *below = is_vm_of(e, vm) ? open_below(dirfd(dir), e->d_name) : NULL;

		if (!below)
			continue;
		nr += vm_vcpus(below, vcpus);
		closedir(below);
	}
	if (dir)
		closedir(dir);
	return nr;
}
