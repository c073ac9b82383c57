/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PROC_H
#define SPHT_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Processes and threads as /proc tells them. */
struct spht_proc {
	pid_t tgid; /* the process */
	pid_t ppid;
	uint64_t start; /* clock ticks after boot: tells a thread from a later one of its number */
	char comm[64]; /* of the thread */
};

/* About the thread or process @tid.  0, or -1 with errno set (ENOENT: there is none). */
int spht_proc_get(pid_t tid, struct spht_proc *p);
/* Only .start, which is cheaper; 0 where there is no such thread. */
uint64_t spht_proc_start(pid_t tid);
/*
 * Is @tid a thread of the process @ancestor or of one that descends from it?
 * A descendant whose parent has died is none any more.
 */
bool spht_proc_belongs(pid_t tid, pid_t ancestor);

/*
 * Has /proc the numbers that events carry, those of the initial pid namespace?  Its
 * second process is a kernel thread.
 */
bool spht_proc_is_initial(void);

/* What a process holds open of KVM, as far as the first 4096 file descriptors tell. */
struct spht_proc_kvm {
	unsigned int vms, vcpus; /* open kvm-vm and kvm-vcpu files */
};

/*
 * Of the thread @tid, whose files are its process'.  1 when it holds any, 0 when none,
 * -1 with errno set when that cannot be seen.  @kvm may be NULL: then the first
 * one found is enough.
 */
int spht_proc_kvm(pid_t tid, struct spht_proc_kvm *kvm);
/* The vCPU that the open file @fd of @tid is; -1 for any other file. */
int spht_proc_vcpu_fd(pid_t tid, int fd);

/*
 * Calls @fn for each process, or each thread of @process where that is not 0, until it
 * returns other than 0; that is returned.  -1 with errno set without a /proc.
 */
int spht_proc_each(pid_t process, int (*fn)(pid_t pid, void *arg), void *arg);

#endif
