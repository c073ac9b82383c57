/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_KVM_STATS_H
#define SPHT_KVM_STATS_H

#include <sys/types.h>

#include <jansson.h>

#include "spht_error.h"

/*
 * KVM's own counters, from debugfs (virt/kvm/kvm_main.c:kvm_create_vm_debugfs):
 *   {"mono": when, CLOCK_MONOTONIC in ns as a hex string,
 *    "global": {"pf_taken": 12, ...}                    summed over the VMs that run
 *    "vms": {"PID-FD": {"pf_taken": 12, ..., "vcpus": {"0": {...}}}}}
 * of all VMs, or of those that the process @vm or a descendant of it made where
 * @vm is not 0.  Counters are integers, from 2^53 on hex strings.  A kernel that is locked
 * down (Secure Boot) lets nobody open most of them: "unreadable" tells how many.
 *
 * A VM's counters vanish with it and leave the global ones, so a recorder that
 * wants the last ones asks while the VM runs.  Files are opened for each call:
 * an open one would keep the VM's memory alive (kvm_get_kvm_safe).
 * About 3 us a file, so 0.3 ms and as much more for each VM; @vm alone without
 * the global ones is had by SPHT_KVM_STATS_VM.
 *
 * A new object; NULL with @err set, the reason and the remedy, when there is
 * nothing to read.
 */
#define SPHT_KVM_STATS_VM 1u /* leave out "global" */
json_t *spht_kvm_stats(pid_t vm, unsigned int flags, struct spht_error *err);

/*
 * The vCPU threads of the VMs that debugfs knows: {"TID": vcpu_id}, put into @vcpus, where the
 * kernel has a file vcpuN/pid.  How many it found.
 */
unsigned int spht_kvm_stats_vcpus(pid_t vm, json_t *vcpus);

#endif
