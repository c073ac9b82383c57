// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/vm.h"

#define CR0_VALUE  0x80010033ull /* PG, WP, NE, ET, MP, PE */
#define CR3_PWT    (1ull << 3)
#define CR4_PAE    (1ull << 5)
#define EFER_VALUE 0x500ull /* LME, LMA */

void vm_set_slot(struct vm *vm, uint64_t bytes)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)vm->guest->mem,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		die_errno("KVM refuses %" PRIu64 " bytes of guest memory", bytes);
}

void vm_open(struct vm *vm, const struct guest *g, uint64_t mmu_pages)
{
	vm->guest = g;
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		die_errno("/dev/kvm");
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		die_errno("KVM makes no VM");
	/* KVM prefetches only what the host has at hand. */
	if (mlock(g->mem, g->used))
		die_errno("cannot lock %" PRIu64 " bytes of guest memory", g->used);
	vm_set_slot(vm, g->used);
	if (ioctl(vm->fd, KVM_SET_NR_MMU_PAGES, mmu_pages))
		die_errno("KVM_SET_NR_MMU_PAGES");
}

void vm_close(struct vm *vm)
{
	close(vm->fd);
	close(vm->kvm);
}

static void set_cpuid(const struct vm *vm, const struct vcpu *v)
{
	enum { MAX = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		die_errno("CPUID");
	cpuid->nent = MAX;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(v->fd, KVM_SET_CPUID2, cpuid))
		die_errno("CPUID");
	free(cpuid);
}

/* Straight into 64-bit user mode: flat segments, paging on, interrupts off. */
static void set_registers(const struct vm *vm, struct vcpu *v, size_t op)
{
	struct kvm_segment code = {.limit = ~0u, .selector = 0x33, .type = 11, .present = 1};
	struct kvm_segment data = {.limit = ~0u, .selector = 0x2b, .type = 3, .present = 1};
	struct kvm_regs regs = {
		.rip = CODE_GVA, .rflags = 2, .rsi = SCRIPT_GVA + op * sizeof(struct guest_op)};
	struct kvm_sregs *s = &v->start;

	code.dpl = data.dpl = 3;
	code.s = data.s = code.g = data.g = code.l = data.db = 1;
	if (ioctl(v->fd, KVM_GET_SREGS, s))
		die_errno("KVM_GET_SREGS");
	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr.type = 11;
	s->tr.present = 1;
	s->ldt.unusable = 1;
	s->cr0 = CR0_VALUE;
	s->cr3 = vm->guest->cr3;
	s->cr4 = CR4_PAE;
	s->efer = EFER_VALUE;
	if (ioctl(v->fd, KVM_SET_SREGS, s))
		die_errno("KVM refuses a guest in user mode");
	if (ioctl(v->fd, KVM_SET_REGS, &regs))
		die_errno("KVM_SET_REGS");
}

void vcpu_open(struct vcpu *v, const struct vm *vm, unsigned int id, size_t op)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (v->fd < 0 || size < (int)sizeof(*v->run))
		die_errno("KVM makes no vCPU");
	v->run_bytes = (size_t)size;
	v->run = mmap(NULL, v->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		die_errno("KVM_RUN's page");
	set_cpuid(vm, v);
	set_registers(vm, v, op);
}

void vcpu_close(struct vcpu *v)
{
	munmap(v->run, v->run_bytes);
	close(v->fd);
}

void vcpu_reload_cr3(struct vcpu *v)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		die_errno("KVM_GET_SREGS");
	s.cr3 ^= CR3_PWT;
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		die_errno("KVM_SET_SREGS");
}

uint32_t vcpu_run(struct vcpu *v)
{
	if (!ioctl(v->fd, KVM_RUN, 0))
		return v->run->exit_reason;
	if (errno != EINTR && errno != EAGAIN)
		die_errno("KVM_RUN");
	return KVM_EXIT_INTR;
}

void vcpu_run_script(struct vcpu *v)
{
	for (;;) {
		uint32_t reason = vcpu_run(v);

		if (reason == KVM_EXIT_INTR)
			continue;
		if (reason != KVM_EXIT_MMIO)
			die("the guest stops at 0x%llx with exit reason %u", vcpu_regs(v).rip,
			    reason);
		if (vcpu_command(v) == COMMAND_END)
			return;
	}
}

enum guest_command vcpu_command(const struct vcpu *v)
{
	uint64_t command;

	if (v->run->mmio.phys_addr != COMMAND_GPA)
		return COMMAND_NONE;
	memcpy(&command, v->run->mmio.data, sizeof(command));
	return command < COMMAND_NONE ? (enum guest_command)command : COMMAND_END;
}

struct kvm_regs vcpu_regs(const struct vcpu *v)
{
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_GET_REGS, &regs))
		die_errno("KVM_GET_REGS");
	return regs;
}
