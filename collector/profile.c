// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "profile.h"

static const char *const names[SPHT_PROFILES] = {"minimal", "shadow", "full"};

#define MMU(event, from, needed) \
	{ \
		"kvmmmu", event, SPHT_PROFILE_##from, needed \
	}
#define KVM(event, from, needed) \
	{ \
		"kvm", event, SPHT_PROFILE_##from, needed \
	}

/*
 * Names as in arch/x86/kvm/trace.h, arch/x86/kvm/mmu/mmutrace.h and
 * include/trace/events/kvm.h, of 5.10 to 6.18; no kernel has them all.
 */
static const struct spht_profile_event events[] = {
	MMU("kvm_mmu_pagetable_walk", MINIMAL, true),
	MMU("kvm_mmu_paging_element", MINIMAL, true),
	MMU("kvm_mmu_set_accessed_bit", MINIMAL, true),
	MMU("kvm_mmu_set_dirty_bit", MINIMAL, true),
	MMU("kvm_mmu_walker_error", MINIMAL, true),
	MMU("kvm_mmu_get_page", MINIMAL, true),
	MMU("kvm_mmu_sync_page", MINIMAL, true),
	MMU("kvm_mmu_unsync_page", MINIMAL, true),
	MMU("kvm_mmu_prepare_zap_page", MINIMAL, true),
	MMU("kvm_mmu_set_spte", MINIMAL, true),
	MMU("kvm_mmu_spte_requested", MINIMAL, true),
	MMU("kvm_mmu_zap_all_fast", MINIMAL, false),
	MMU("mark_mmio_spte", MINIMAL, false),
	MMU("handle_mmio_page_fault", MINIMAL, false),
	MMU("fast_page_fault", MINIMAL, false),
	KVM("kvm_entry", MINIMAL, true),
	KVM("kvm_exit", MINIMAL, true),
	KVM("kvm_page_fault", MINIMAL, true),
	KVM("kvm_inj_exception", MINIMAL, true),
	KVM("kvm_cr", MINIMAL, false),
	KVM("kvm_emulate_insn", MINIMAL, false),
	KVM("kvm_invlpga", MINIMAL, false),
	KVM("kvm_unmap_hva_range", MINIMAL, false),
	KVM("kvm_set_spte_hva", MINIMAL, false),
	KVM("kvm_try_async_get_page", MINIMAL, false),
	KVM("kvm_async_pf_not_present", MINIMAL, false),
	KVM("kvm_async_pf_ready", MINIMAL, false),
	/* Of these only marks, unless the profile is "full". */
	KVM("kvm_pio", MINIMAL, false),
	MMU("check_mmio_spte", SHADOW, false),
	MMU("kvm_mmu_split_huge_page", SHADOW, false),
	MMU("kvm_tdp_mmu_spte_changed", SHADOW, false),
	KVM("kvm_mmio", SHADOW, false),
	KVM("vcpu_match_mmio", SHADOW, false),
	KVM("kvm_hypercall", SHADOW, false),
	KVM("kvm_userspace_exit", SHADOW, false),
	KVM("kvm_age_hva", SHADOW, false),
	KVM("kvm_test_age_hva", SHADOW, false),
	KVM("kvm_age_page", SHADOW, false),
	KVM("kvm_async_pf_repeated_fault", SHADOW, false),
	KVM("kvm_async_pf_doublefault", SHADOW, false),
	KVM("kvm_async_pf_completed", SHADOW, false),
	KVM("kvm_msr", SHADOW, false),
	KVM("kvm_pv_tlb_flush", SHADOW, false),
	KVM("kvm_vcpu_wakeup", SHADOW, false),
	MMU("*", FULL, false),
	KVM("*", FULL, false),
};

int spht_profile_find(const char *name)
{
	for (int i = 0; i < SPHT_PROFILES; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

const char *spht_profile_name(enum spht_profile p)
{
	return names[p];
}

const struct spht_profile_event *spht_profile_events(size_t *nr)
{
	*nr = sizeof(events) / sizeof(events[0]);
	return events;
}
