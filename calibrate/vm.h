/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_VM_H
#define SPHT_VM_H

#include <linux/kvm.h>

#include "calibrate/guest.h"

/*
 * A VM for a guest of guest.h, over KVM's own interface.  All functions die where KVM
 * refuses.
 */
struct vm {
	int kvm, fd;
	const struct guest *guest;
};

struct vcpu {
	int fd;
	size_t run_bytes;
	struct kvm_run *run;
	struct kvm_sregs start; /* as the guest began */
};

/* Locks @g's memory, which must be finished, and may shadow @mmu_pages pages of tables. */
void vm_open(struct vm *vm, const struct guest *g, uint64_t mmu_pages);
void vm_close(struct vm *vm);
/* The memory slot has @bytes from now on; 0: there is none. */
void vm_set_slot(struct vm *vm, uint64_t bytes);

/* vCPU @id, in 64-bit user mode, before entry @op of the script. */
void vcpu_open(struct vcpu *v, const struct vm *vm, unsigned int id, size_t op);
void vcpu_close(struct vcpu *v);
/* Another CR3 value for the same table: KVM gets the root anew and syncs what it maps. */
void vcpu_reload_cr3(struct vcpu *v);
/*
 * Runs until the guest leaves for user space or a signal comes.  Returns KVM's exit
 * reason, KVM_EXIT_INTR for a signal.
 */
uint32_t vcpu_run(struct vcpu *v);
/* Runs to the end of the script; commands other than the last are not carried out. */
void vcpu_run_script(struct vcpu *v);
/* The command that the guest has stored, COMMAND_NONE where it was another store. */
enum guest_command vcpu_command(const struct vcpu *v);
struct kvm_regs vcpu_regs(const struct vcpu *v);

#endif
