// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "schema.h"

/*
 * What predicts what, found by measuring on a Kernel Build recording.  Only
 * the writer needs this table: the file carries the result.  "." is the last
 * value of the part itself, names are the last values of other parts
 * (event.field, .lo and .hi where the field is split), 0 is nothing, "+n" adds,
 * @bits(keys) is a table of 2^bits last values under a key.  A candidate that
 * names what the file lacks is left out.
 */
static const struct spht_prediction specs[] = {
	/* One exit: the fault says again what the exit said, the walk walks that address. */
	{"kvm_exit", "exit_reason", 0, 0,
	 "0@8(.,prev2,kvm_entry.rip)"
	 "|0@10(.,prev2)"
	 "|raw",
	 NULL},
	{"kvm_exit", "info1", 0, 0,
	 "0@8(kvm_exit.exit_reason,prev2,kvm_entry.rip)"
	 "|0@8(kvm_exit.exit_reason,prev2,.)"
	 "|0@8(kvm_exit.exit_reason)",
	 NULL},
	{"kvm_exit", "guest_rip", 0, 0,
	 "kvm_entry.rip"
	 "|0@8(kvm_exit.exit_reason,kvm_entry.rip)"
	 "|kvm_exit.info1"
	 "|0@8(kvm_exit.exit_reason,kvm_exit.info1)",
	 NULL},
	{"kvm_exit", "isa", 0, 0, ".", NULL},
	{"kvm_exit", "info2", 0, 0,
	 "0@8(kvm_exit.exit_reason,kvm_exit.guest_rip)"
	 "|kvm_exit.guest_rip"
	 "|0@8(kvm_exit.exit_reason,kvm_exit.info1)",
	 NULL},
	{"kvm_exit", "intr_info", 0, 0,
	 "0@10(prev2,kvm_exit.exit_reason)"
	 "|raw",
	 NULL},
	{"kvm_exit", "error_code", 0, 0,
	 "0@8(kvm_exit.exit_reason,kvm_exit.info1)"
	 "|raw",
	 NULL},
	{"kvm_page_fault", "guest_rip", 0, 0,
	 "kvm_exit.guest_rip"
	 "|.",
	 NULL},
	{"kvm_page_fault", "fault_address", 0, 0,
	 "kvm_exit.info2"
	 "|kvm_exit.info1"
	 "|.",
	 NULL},
	{"kvm_page_fault", "error_code", 0, 0,
	 "kvm_exit.info1"
	 "|kvm_exit.error_code"
	 "|raw",
	 NULL},
	{"kvm_mmu_pagetable_walk", "addr", 0, 0,
	 "kvm_page_fault.fault_address"
	 "|kvm_exit.guest_rip"
	 "|0@8(.)"
	 "|.",
	 NULL},
	{"kvm_mmu_pagetable_walk", "pferr", 0, 0,
	 "0@10(kvm_page_fault.error_code,prev,kvm_exit.exit_reason)"
	 "|raw",
	 NULL},
	{"kvm_mmu_paging_element", "level", 0, 0,
	 "0@10(.,prev)"
	 "|raw",
	 NULL},
	{"kvm_mmu_paging_element", "pte", 12, 24,
	 "0@11(kvm_mmu_pagetable_walk.addr>>3*kvm_mmu_paging_element.level,kvm_mmu_paging_element."
	 "level)"
	 "|0@10(.,kvm_mmu_paging_element.level,kvm_mmu_pagetable_walk.pferr)"
	 "|raw",
	 "0@11(kvm_mmu_pagetable_walk.addr>>3*kvm_mmu_paging_element.level,kvm_mmu_paging_element."
	 "level,kvm_mmu_paging_element.pte.lo)"
	 "|0@6(kvm_mmu_paging_element.level,kvm_mmu_paging_element.pte.lo)"},
	{"kvm_mmu_walker_error", "pferr", 0, 0,
	 "0@10(kvm_mmu_pagetable_walk.pferr,kvm_mmu_paging_element.pte.lo)"
	 "|raw",
	 NULL},
	{"kvm_inj_exception", "error_code", 0, 0,
	 "kvm_mmu_walker_error.pferr"
	 "|.",
	 NULL},
	{"kvm_entry", "rip", 0, 0,
	 "kvm_exit.guest_rip"
	 "|kvm_emulate_insn.rip@8(kvm_emulate_insn.rip)"
	 "|kvm_exit.guest_rip@8(kvm_exit.exit_reason)"
	 "|0@8(.)",
	 NULL},
	{"kvm_emulate_insn", "rip", 0, 0,
	 "kvm_exit.guest_rip"
	 "|.",
	 NULL},
	{"kvm_emulate_insn", "len", 0, 0,
	 "0@8(kvm_emulate_insn.rip)"
	 "|.",
	 NULL},
	{"kvm_emulate_insn", "insn", 0, 0,
	 "0@8(kvm_emulate_insn.rip)"
	 "|0@8(.)"
	 "|raw",
	 NULL},
	{"kvm_emulate_insn", "flags", 0, 0,
	 "0@8(kvm_emulate_insn.rip)"
	 "|.",
	 NULL},
	/* Installing: pfn and gfn move together inside 2 MiB, neighbours follow each other. */
	{"kvm_mmu_spte_requested", "gfn", 0, 0,
	 "kvm_mmu_paging_element.pte.hi"
	 "|.",
	 NULL},
	{"kvm_mmu_spte_requested", "pfn", 0, 0,
	 "kvm_mmu_spte_requested.gfn@9(kvm_mmu_spte_requested.gfn>>9)"
	 "|kvm_mmu_spte_requested.gfn@2(pid)",
	 NULL},
	{"kvm_mmu_set_spte", "gfn", 0, 0,
	 "kvm_mmu_spte_requested.gfn"
	 "|0@11(.)"
	 "|.+1",
	 NULL},
	{"kvm_mmu_set_spte", "spte", 12, 24,
	 "0@10(.,prev,kvm_mmu_paging_element.pte.lo)"
	 "|0@10(.,prev)"
	 "|raw",
	 "kvm_mmu_set_spte.gfn@9(kvm_mmu_set_spte.gfn>>9)"
	 "|kvm_mmu_set_spte.gfn@2(pid)"},
	{"kvm_mmu_set_spte", "sptep", 0, 0,
	 ".+8"
	 "|kvm_mmu_pagetable_walk.addr>>12<<3@11(kvm_mmu_pagetable_walk.addr>>21)"
	 "|.>>6<<6"
	 "|.",
	 NULL},
	{"kvm_mmu_set_spte", "r", 0, 0,
	 "0@6(kvm_mmu_set_spte.spte.lo)"
	 "|.",
	 NULL},
	{"kvm_mmu_set_spte", "x", 0, 0,
	 "0@6(kvm_mmu_set_spte.spte.lo)"
	 "|.",
	 NULL},
	{"kvm_mmu_set_spte", "u", 0, 0,
	 "0@6(kvm_mmu_set_spte.spte.lo)"
	 "|.",
	 NULL},
	/* Snapshots have a CPU, and so blocks, of their own: walks come back to the same tables. */
	{"snap", "gfn", 0, 0,
	 "."
	 "|0@11(.,snap.kind)"
	 "|0@11(.)"
	 "|raw",
	 NULL},
	{"snap", "kind", 0, 0,
	 "0@11(.,snap.gfn)"
	 "|raw",
	 NULL},
	{"snap", "role", 0, 0,
	 "0@11(snap.gfn,snap.kind)"
	 "|0@4(snap.kind)",
	 NULL},
	{"snap", "flags", 0, 0,
	 "0@4(snap.kind)"
	 "|raw",
	 NULL},
	{"snap", "entries", 0, 0,
	 "0@11(snap.gfn,snap.kind)"
	 "|raw",
	 NULL},
	{"snap_entry", "gfn", 0, 0, "snap.gfn", NULL},
	{"snap_entry", "index", 0, 0,
	 ".+1"
	 "|0@11(snap.gfn)+1"
	 "|.",
	 NULL},
	{"snap_entry", "value", 12, 24,
	 "."
	 "|0@11(snap_entry.gfn,snap_entry.index)"
	 "|0@11(.)"
	 "|raw",
	 ".+1"
	 "|0@11(snap_entry.gfn,snap_entry.index)"
	 "|snap_entry.index@10(snap.gfn)"
	 "|."},
};

/* A field nobody measured: it repeats, it repeats what followed last time, or it moves on. */
static const struct spht_prediction general = {NULL, NULL, 0, 0, ".|0@8(.)|.", NULL};

const struct spht_prediction *spht_prediction_find(const char *event, const char *field,
						   unsigned int *order)
{
	unsigned int i;

	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (!strcmp(specs[i].event, event) && !strcmp(specs[i].field, field))
			break;
	if (order)
		*order = i;
	return i < sizeof(specs) / sizeof(specs[0]) ? &specs[i] : &general;
}
