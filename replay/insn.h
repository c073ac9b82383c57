/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_INSN_H
#define SPHT_INSN_H

#include <stdbool.h>
#include <stdint.h>

/* Just enough of x86 to tell what KVM makes of a store that it emulates. */
#define SPHT_INSN_MAX  15u

/* Bits of kvm_emulate_insn's flags (arch/x86/kvm/trace.h). */
#define SPHT_INSN_CS_D 4u
#define SPHT_INSN_CS_L 8u

/*
 * How many bytes @insn (SPHT_INSN_MAX of them) stores, if it is one of those that
 * KVM takes for a write to a page table (the PageTable flag of emulate.c): mov, xchg,
 * cmpxchg, cmpxchg8b/16b, and, or, bts, btc.  0 for all others: these make KVM give up
 * the shadow pages instead (retry_instruction).  @flags: of kvm_emulate_insn.
 */
unsigned int spht_insn_table_store(const uint8_t *insn, uint32_t flags);

#endif
