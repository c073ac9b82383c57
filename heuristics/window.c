// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The neighbours of a fault, as Linux's fault-around maps them and as KVM's own
 * prefetch builds the aligned eight: no memory, no training.
 */
#include "heuristic.h"

enum { SIZE, ALIGN, ON, NR_PARAMS };

static const struct spht_param window_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[SIZE] = {"size", SPHT_PARAM_INT, 16, 2, SPHT_REGION_PAGES, true, "pages", NULL,
		  "default 16: Linux fault_around_bytes, 64 KiB (8 is KVM's PTE_PREFETCH_NUM)"},
	[ALIGN] = {"align", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		   "1: the aligned window around the fault, as both kernels do (default); 0: the "
		   "size-1 pages after it"},
	[ON] = SPHT_PARAM_ON,
};

static void window_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	uint64_t size = params[SIZE];
	uint64_t region_end = (fault->vpn | (SPHT_REGION_PAGES - 1)) + 1;
	uint64_t first = params[ALIGN] ? fault->vpn & ~(size - 1) : fault->vpn;
	uint64_t end = first + size;

	(void)state;
	if (!spht_is_on(fault, params[ON]))
		return;
	/* Only an unaligned window can reach past the page table of the fault. */
	if (end > region_end)
		end = region_end;
	for (uint64_t vpn = first; vpn < end; vpn++) {
		if (vpn != fault->vpn)
			spht_request(host, fault->space, vpn);
	}
}

SPHT_HEURISTIC(window, .name = "window",
	       .summary = "the pages around a fault, inside its 2 MiB region",
	       .cite = "Linux do_fault_around() (mm/memory.c) and KVM FNAME(pte_prefetch) "
		       "(arch/x86/kvm/mmu/paging_tmpl.h)",
	       .params = window_params, .nr_params = NR_PARAMS, .fault = window_fault);
