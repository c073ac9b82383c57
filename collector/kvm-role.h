/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_KVM_ROLE_H
#define SPHT_KVM_ROLE_H

#include <jansson.h>

#include "spht_error.h"

/*
 * The layout of union kvm_mmu_page_role (arch/x86/include/asm/kvm_host.h) of the
 * running kernel, from its BTF: [{"name", "offset", "bits"}, ...], in bits from the
 * lowest of the 32, in the order of the kernel.  @source becomes "BTF of kvm"
 * or "BTF of vmlinux".  A new array, or NULL with @err set: no BTF, no such
 * union in it, or built without libbpf.  Takes some 50 ms.
 */
json_t *spht_kvm_role(const char **source, struct spht_error *err);

#endif
