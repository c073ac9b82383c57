/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_VM_VCPUS_H
#define SPHT_VM_VCPUS_H

#include <sys/types.h>

#include <jansson.h>

#include "proc.h"

/* The vCPU threads of some processes, found over a recording's time.  For vm.c alone. */
struct spht_vm_vcpus;

struct spht_vm_vcpus *spht_vm_vcpus_new(void);
void spht_vm_vcpus_free(struct spht_vm_vcpus *v);
/* Looks for those of the process @pid, which has @kvm open.  0, or -1 without memory. */
int spht_vm_vcpus_scan(struct spht_vm_vcpus *v, pid_t pid, const struct spht_proc_kvm *kvm);
/* The process number @i of those that were looked through; 0 behind the last. */
pid_t spht_vm_vcpus_process(const struct spht_vm_vcpus *v, size_t i);
/* How many vCPU threads are known. */
int spht_vm_vcpus_count(const struct spht_vm_vcpus *v);
/* See spht_vm_map(). */
json_t *spht_vm_vcpus_json(const struct spht_vm_vcpus *v, json_t *missing);

#endif
