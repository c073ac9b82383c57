// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvm-stats.h"
#include "sysfile.h"
#include "vm-vcpus.h"

#define MAX_VCPU_ID 4096
#define KVM_RUN_CMD 0xae80u /* _IO(KVMIO, 0x80), include/uapi/linux/kvm.h */

struct process {
	pid_t pid;
	char name[64];
	unsigned int vms, vcpu_files; /* the most at a time */
	json_t *vcpus; /* {"TID": vcpu_id} */
};

struct spht_vm_vcpus {
	struct process *list; /* in the order of pid */
	size_t nr;
};

struct spht_vm_vcpus *spht_vm_vcpus_new(void)
{
	return calloc(1, sizeof(struct spht_vm_vcpus));
}

void spht_vm_vcpus_free(struct spht_vm_vcpus *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->nr; i++)
		json_decref(v->list[i].vcpus);
	free(v->list);
	free(v);
}

/* The number at the end of @text; -1 where none is or it is no vCPU's. */
static int id_at(const char *text)
{
	char *end;
	long id;

	if (*text < '0' || *text > '9')
		return -1;
	id = strtol(text, &end, 10);
	return !*end && id < MAX_VCPU_ID ? (int)id : -1;
}

/* QEMU (with debug-threads=on) "CPU 3/KVM"; Firecracker "fc_vcpu 3"; others "vcpu3", "x_vcpu3". */
static int id_of_name(const char *comm)
{
	char number[16];
	const char *p;
	int len = 0;

	if (sscanf(comm, "CPU %15[0-9]/KVM%n", number, &len) == 1 && len && !comm[len])
		return id_at(number);
	p = strstr(comm, "vcpu");
	if (!p)
		return -1;
	p += 4;
	return id_at(p + (*p == ' ' || *p == '_' || *p == '-'));
}

/*
 * Of a thread that sleeps in ioctl(fd, KVM_RUN), as that of an idle vCPU does.  The
 * file says "running" for one that runs; then a later scan has to catch it.  A
 * kernel thread that counts as one of the process shows the call that made it,
 * with a stack pointer of 0 (arch/x86/kernel/process.c:copy_thread).
 */
static int id_of_call(pid_t pid, pid_t tid)
{
	unsigned long long number, fd, command, sp;
	char text[256];

	if (spht_sysfile_read(text, sizeof(text), "/proc/%d/task/%d/syscall", pid, tid) < 0 ||
	    sscanf(text, "%llu 0x%llx 0x%llx 0x%*x 0x%*x 0x%*x 0x%*x 0x%llx", &number, &fd,
		   &command, &sp) != 4 ||
	    (uint32_t)command != KVM_RUN_CMD || fd > INT32_MAX || !sp)
		return -1;
	return spht_proc_vcpu_fd(pid, (int)fd);
}

static struct process *get_process(struct spht_vm_vcpus *v, pid_t pid)
{
	struct process *list;
	size_t i = 0;

	while (i < v->nr && v->list[i].pid < pid)
		i++;
	if (i < v->nr && v->list[i].pid == pid)
		return &v->list[i];
	list = reallocarray(v->list, v->nr + 1, sizeof(*list));
	if (!list)
		return NULL;
	v->list = list;
	memmove(&list[i + 1], &list[i], (v->nr - i) * sizeof(*list));
	v->nr++;
	list[i] = (struct process){.pid = pid, .vcpus = json_object()};
	return &list[i];
}

static int scan_thread(pid_t tid, void *arg)
{
	const struct process *p = arg;
	char key[16], comm[64];
	int id;

	snprintf(key, sizeof(key), "%d", tid);
	if (json_object_get(p->vcpus, key) ||
	    spht_sysfile_read(comm, sizeof(comm), "/proc/%d/task/%d/comm", p->pid, tid) < 0)
		return 0;
	id = id_of_name(comm);
	if (id < 0)
		id = id_of_call(p->pid, tid);
	if (id >= 0)
		json_object_set_new(p->vcpus, key, json_integer(id));
	return 0;
}

int spht_vm_vcpus_scan(struct spht_vm_vcpus *v, pid_t pid, const struct spht_proc_kvm *kvm)
{
	struct process *p = get_process(v, pid);
	struct spht_proc leader;

	if (!p || !p->vcpus)
		return -1;
	if (!spht_proc_get(pid, &leader))
		snprintf(p->name, sizeof(p->name), "%s", leader.comm);
	if (kvm->vms > p->vms)
		p->vms = kvm->vms;
	if (kvm->vcpus > p->vcpu_files)
		p->vcpu_files = kvm->vcpus;
	/* The best source first, as what is known is not asked again. */
	spht_kvm_stats_vcpus(pid, p->vcpus);
	spht_proc_each(pid, scan_thread, p);
	return 0;
}

pid_t spht_vm_vcpus_process(const struct spht_vm_vcpus *v, size_t i)
{
	return i < v->nr ? v->list[i].pid : 0;
}

int spht_vm_vcpus_count(const struct spht_vm_vcpus *v)
{
	size_t nr = 0;

	for (size_t i = 0; i < v->nr; i++)
		nr += json_object_size(v->list[i].vcpus);
	return (int)nr;
}

json_t *spht_vm_vcpus_json(const struct spht_vm_vcpus *v, json_t *missing)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < v->nr; i++) {
		const struct process *p = &v->list[i];
		json_t *j = json_object(), *name = json_string(p->name);

		json_object_set_new(j, "pid", json_integer(p->pid));
		json_object_set_new(j, "name", name ? name : json_string("?"));
		json_object_set_new(j, "vms", json_integer(p->vms));
		json_object_set_new(j, "vcpu_files", json_integer(p->vcpu_files));
		json_object_set_new(j, "vcpus", json_deep_copy(p->vcpus));
		json_array_append_new(list, j);
		if (json_object_size(p->vcpus) < p->vcpu_files)
			json_array_append_new(missing,
					      json_sprintf("vCPU threads of process %d", p->pid));
	}
	return list;
}
