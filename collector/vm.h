/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_VM_H
#define SPHT_VM_H

#include <sys/types.h>

#include <jansson.h>

/*
 * Which threads belong to which VM, from /proc and, where it is readable, KVM's
 * debugfs.  Nothing is attached to and nothing is stopped.  Thread numbers are those
 * of the recorder's own pid namespace; events carry the initial one's.
 */
struct spht_vms;

enum spht_vm_class {
	SPHT_VM_UNKNOWN, /* gone before it was looked at, or not to be seen */
	SPHT_VM_NOBODY, /* holds no VM: kernel threads, tools, idle */
	SPHT_VM_OURS,
	SPHT_VM_OTHER, /* of a process with a VM that is not the one asked for */
};

/*
 * Ours are all threads of the process @pid, and those of its descendants that hold a
 * VM; with @pid 0 those of every process that does.  @pid need not hold a VM
 * yet, or be alive.  NULL without memory.
 */
struct spht_vms *spht_vm_open(pid_t pid);
void spht_vm_close(struct spht_vms *v);

/*
 * An enum spht_vm_class for the thread @tid of an event.  From memory, except for
 * a thread that is new and once a second for each; at most 4000 such
 * look-ups of some 10 us are made in a second, past that UNKNOWN or the last answer
 * is given.  A thread that ended, and one whose process is closing its VM, keeps its
 * class until its number is used by another one.  Takes a lock: any thread may call,
 * and one that reads events should only ask where the tid changes.
 */
int spht_vm_of(struct spht_vms *v, pid_t tid);

/*
 * Looks for vCPU threads of our processes and adds them to what it found before.
 * For each process that is known to hold a VM, 20 us a thread; all of /proc is looked
 * through too, but in no more than a fiftieth of the time.  Once a second is often enough.
 * The number of vCPU threads known, or -1 without memory or /proc.
 */
int spht_vm_scan(struct spht_vms *v);

/*
 * What the scans, and a last one of all of /proc, found:
 *   [{"pid", "name", "vms", "vcpu_files", "vcpus": {"TID": vcpu_id}}, ...]
 * in the order of pid; "vms" and "vcpu_files" are the most that were open at once.  A
 * vCPU's thread is told by debugfs (vcpuN/pid), by its name ("CPU 3/KVM", "vcpu3",
 * "fc_vcpu 3"), or by its being in ioctl(KVM_RUN) of the vCPU's file when looked at.
 * With several VMs in one process two threads may have one vcpu_id.
 * Lines about what is not known are appended to the array @missing: "memslots"
 * always, as nothing but the VM's process itself can tell them; "vCPU threads of process
 * N".  A new array, NULL without memory.
 */
json_t *spht_vm_map(struct spht_vms *v, json_t *missing);

/* The processes that hold a VM; *vms becomes the number of open VMs.  -1 without /proc. */
int spht_vm_count(unsigned int *vms);

#endif
