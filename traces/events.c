// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "spht_event.h"

#define MAX_FIELDS 12

/* A field name and its slot; several names may share a slot (kernels renamed them). */
struct known_field {
	const char *name;
	uint8_t slot;
};

struct known_event {
	enum spht_event_id id;
	const char *system;
	const char *name;
	struct known_field fields[MAX_FIELDS];
};

#define SP_FIELDS \
	{"mmu_valid_gen", SPHT_SP_GEN}, {"gfn", SPHT_SP_GFN}, {"role", SPHT_SP_ROLE}, \
		{"root_count", SPHT_SP_ROOT_COUNT}, \
	{ \
		"unsync", SPHT_SP_UNSYNC \
	}

/* The first row of an id gives its canonical name; later rows are older or newer names. */
static const struct known_event known[] = {
	{SPHT_EV_ENTRY,
	 "kvm",
	 "kvm_entry",
	 {{"vcpu_id", SPHT_ENTRY_VCPU},
	  {"rip", SPHT_ENTRY_RIP},
	  {"immediate_exit", SPHT_ENTRY_IMMEDIATE},
	  {"intr_info", SPHT_ENTRY_INTR_INFO},
	  {"error_code", SPHT_ENTRY_ERROR_CODE}}},
	{SPHT_EV_EXIT,
	 "kvm",
	 "kvm_exit",
	 {{"exit_reason", SPHT_EXIT_REASON},
	  {"guest_rip", SPHT_EXIT_RIP},
	  {"isa", SPHT_EXIT_ISA},
	  {"info1", SPHT_EXIT_INFO1},
	  {"info2", SPHT_EXIT_INFO2},
	  {"intr_info", SPHT_EXIT_INTR_INFO},
	  {"error_code", SPHT_EXIT_ERROR_CODE},
	  {"vcpu_id", SPHT_EXIT_VCPU},
	  {"requests", SPHT_EXIT_REQUESTS}}},
	{SPHT_EV_PAGE_FAULT,
	 "kvm",
	 "kvm_page_fault",
	 {{"vcpu_id", SPHT_PF_VCPU},
	  {"guest_rip", SPHT_PF_RIP},
	  {"fault_address", SPHT_PF_ADDRESS},
	  {"error_code", SPHT_PF_ERROR_CODE}}},
	{SPHT_EV_INJ_EXCEPTION,
	 "kvm",
	 "kvm_inj_exception",
	 {{"exception", SPHT_INJ_EXCEPTION},
	  {"has_error", SPHT_INJ_HAS_ERROR},
	  {"error_code", SPHT_INJ_ERROR_CODE},
	  {"reinjected", SPHT_INJ_REINJECTED}}},
	{SPHT_EV_INJ_VIRQ,
	 "kvm",
	 "kvm_inj_virq",
	 {{"vector", 0}, {"irq", 0}, {"soft", 1}, {"reinjected", 2}}},
	{SPHT_EV_CR,
	 "kvm",
	 "kvm_cr",
	 {{"rw", SPHT_CR_RW}, {"cr", SPHT_CR_CR}, {"val", SPHT_CR_VAL}}},
	{SPHT_EV_EMULATE_INSN,
	 "kvm",
	 "kvm_emulate_insn",
	 {{"rip", SPHT_EMUL_RIP},
	  {"csbase", SPHT_EMUL_CSBASE},
	  {"len", SPHT_EMUL_LEN},
	  {"insn", SPHT_EMUL_INSN0},
	  {"flags", SPHT_EMUL_FLAGS},
	  {"failed", SPHT_EMUL_FAILED}}},
	{SPHT_EV_MMIO,
	 "kvm",
	 "kvm_mmio",
	 {{"type", SPHT_MMIO_TYPE},
	  {"len", SPHT_MMIO_LEN},
	  {"gpa", SPHT_MMIO_GPA},
	  {"val", SPHT_MMIO_VAL}}},
	{SPHT_EV_VCPU_MATCH_MMIO,
	 "kvm",
	 "vcpu_match_mmio",
	 {{"gva", 0}, {"gpa", 1}, {"write", 2}, {"gpa_match", 3}}},
	{SPHT_EV_PIO,
	 "kvm",
	 "kvm_pio",
	 {{"rw", SPHT_PIO_RW},
	  {"port", SPHT_PIO_PORT},
	  {"size", SPHT_PIO_SIZE},
	  {"count", SPHT_PIO_COUNT},
	  {"val", SPHT_PIO_VAL}}},
	{SPHT_EV_INVLPGA, "kvm", "kvm_invlpga", {{"rip", 0}, {"asid", 1}, {"address", 2}}},
	{SPHT_EV_HYPERCALL,
	 "kvm",
	 "kvm_hypercall",
	 {{"nr", 0}, {"a0", 1}, {"a1", 2}, {"a2", 3}, {"a3", 4}}},
	{SPHT_EV_USERSPACE_EXIT,
	 "kvm",
	 "kvm_userspace_exit",
	 {{"reason", SPHT_UEXIT_REASON}, {"errno", SPHT_UEXIT_ERRNO}}},
	{SPHT_EV_UNMAP_HVA_RANGE,
	 "kvm",
	 "kvm_unmap_hva_range",
	 {{"start", SPHT_UNMAP_START}, {"end", SPHT_UNMAP_END}}},
	{SPHT_EV_AGE_HVA, "kvm", "kvm_age_hva", {{"start", 0}, {"end", 1}}},
	{SPHT_EV_TEST_AGE_HVA, "kvm", "kvm_test_age_hva", {{"hva", 0}}},
	{SPHT_EV_AGE_PAGE,
	 "kvm",
	 "kvm_age_page",
	 {{"hva", 0}, {"gfn", 1}, {"level", 2}, {"referenced", 3}}},
	{SPHT_EV_SET_SPTE_HVA, "kvm", "kvm_set_spte_hva", {{"hva", 0}}},
	{SPHT_EV_TRY_ASYNC_GET_PAGE, "kvm", "kvm_try_async_get_page", {{"gva", 0}, {"gfn", 1}}},
	{SPHT_EV_ASYNC_PF_REPEATED_FAULT,
	 "kvm",
	 "kvm_async_pf_repeated_fault",
	 {{"gva", 0}, {"gfn", 1}}},
	{SPHT_EV_ASYNC_PF_DOUBLEFAULT, "kvm", "kvm_async_pf_doublefault", {{"gva", 0}, {"gfn", 1}}},
	{SPHT_EV_ASYNC_PF_NOT_PRESENT,
	 "kvm",
	 "kvm_async_pf_not_present",
	 {{"token", 0}, {"gva", 1}}},
	{SPHT_EV_ASYNC_PF_READY, "kvm", "kvm_async_pf_ready", {{"token", 0}, {"gva", 1}}},
	{SPHT_EV_ASYNC_PF_COMPLETED, "kvm", "kvm_async_pf_completed", {{"address", 0}, {"gva", 1}}},
	{SPHT_EV_MSR, "kvm", "kvm_msr", {{"write", 0}, {"ecx", 1}, {"data", 2}, {"exc", 3}}},
	{SPHT_EV_PV_TLB_FLUSH, "kvm", "kvm_pv_tlb_flush", {{"vcpu_id", 0}, {"need_flush_tlb", 1}}},
	{SPHT_EV_VCPU_WAKEUP, "kvm", "kvm_vcpu_wakeup", {{"ns", 0}, {"waited", 1}, {"valid", 2}}},
	{SPHT_EV_PAGETABLE_WALK,
	 "kvmmmu",
	 "kvm_mmu_pagetable_walk",
	 {{"addr", SPHT_WALK_ADDR}, {"pferr", SPHT_WALK_PFERR}}},
	{SPHT_EV_PAGING_ELEMENT,
	 "kvmmmu",
	 "kvm_mmu_paging_element",
	 {{"pte", SPHT_ELEM_PTE}, {"level", SPHT_ELEM_LEVEL}}},
	{SPHT_EV_SET_ACCESSED_BIT, "kvmmmu", "kvm_mmu_set_accessed_bit", {{"gpa", SPHT_SETBIT_GPA}}},
	{SPHT_EV_SET_DIRTY_BIT, "kvmmmu", "kvm_mmu_set_dirty_bit", {{"gpa", SPHT_SETBIT_GPA}}},
	{SPHT_EV_WALKER_ERROR, "kvmmmu", "kvm_mmu_walker_error", {{"pferr", SPHT_WERR_PFERR}}},
	{SPHT_EV_GET_PAGE, "kvmmmu", "kvm_mmu_get_page", {SP_FIELDS, {"created", SPHT_SP_CREATED}}},
	{SPHT_EV_SYNC_PAGE, "kvmmmu", "kvm_mmu_sync_page", {SP_FIELDS}},
	{SPHT_EV_UNSYNC_PAGE, "kvmmmu", "kvm_mmu_unsync_page", {SP_FIELDS}},
	{SPHT_EV_PREPARE_ZAP_PAGE, "kvmmmu", "kvm_mmu_prepare_zap_page", {SP_FIELDS}},
	{SPHT_EV_PREPARE_ZAP_PAGE, "kvmmmu", "kvm_mmu_zap_page", {SP_FIELDS}},
	{SPHT_EV_SET_SPTE,
	 "kvmmmu",
	 "kvm_mmu_set_spte",
	 {{"gfn", SPHT_SET_GFN},
	  {"spte", SPHT_SET_SPTE},
	  {"sptep", SPHT_SET_SPTEP},
	  {"level", SPHT_SET_LEVEL},
	  {"r", SPHT_SET_R},
	  {"x", SPHT_SET_X},
	  {"u", SPHT_SET_U}}},
	{SPHT_EV_SPTE_REQUESTED,
	 "kvmmmu",
	 "kvm_mmu_spte_requested",
	 {{"gfn", SPHT_REQ_GFN},
	  {"pfn", SPHT_REQ_PFN},
	  {"level", SPHT_REQ_LEVEL},
	  {"access", SPHT_REQ_ACCESS}}},
	{SPHT_EV_MARK_MMIO_SPTE,
	 "kvmmmu",
	 "mark_mmio_spte",
	 {{"sptep", 0}, {"gfn", 1}, {"access", 2}, {"gen", 3}}},
	{SPHT_EV_HANDLE_MMIO_PAGE_FAULT,
	 "kvmmmu",
	 "handle_mmio_page_fault",
	 {{"addr", 0}, {"gfn", 1}, {"access", 2}}},
	{SPHT_EV_CHECK_MMIO_SPTE,
	 "kvmmmu",
	 "check_mmio_spte",
	 {{"kvm_gen", 0}, {"spte_gen", 1}, {"spte", 2}}},
	{SPHT_EV_FAST_PAGE_FAULT,
	 "kvmmmu",
	 "fast_page_fault",
	 {{"vcpu_id", 0},
	  {"cr2_or_gpa", 1},
	  {"error_code", 2},
	  {"sptep", 3},
	  {"old_spte", 4},
	  {"new_spte", 5},
	  {"ret", 6},
	  {"retry", 6}}},
	{SPHT_EV_ZAP_ALL_FAST,
	 "kvmmmu",
	 "kvm_mmu_zap_all_fast",
	 {{"mmu_valid_gen", SPHT_ZAPALL_GEN}, {"mmu_used_pages", SPHT_ZAPALL_USED}}},
	{SPHT_EV_TDP_SPTE_CHANGED,
	 "kvmmmu",
	 "kvm_tdp_mmu_spte_changed",
	 {{"gfn", 0}, {"old_spte", 1}, {"new_spte", 2}, {"level", 3}, {"as_id", 4}}},
	{SPHT_EV_SPLIT_HUGE_PAGE,
	 "kvmmmu",
	 "kvm_mmu_split_huge_page",
	 {{"gfn", 0}, {"spte", 1}, {"level", 2}, {"errno", 3}}},
	{SPHT_EV_SNAP,
	 "spht",
	 "snap",
	 {{"gfn", SPHT_SNAP_GFN},
	  {"role", SPHT_SNAP_ROLE},
	  {"kind", SPHT_SNAP_KIND},
	  {"flags", SPHT_SNAP_FLAGS},
	  {"entries", SPHT_SNAP_ENTRIES}}},
	{SPHT_EV_SNAP_ENTRY,
	 "spht",
	 "snap_entry",
	 {{"gfn", SPHT_SNAP_ENTRY_GFN},
	  {"index", SPHT_SNAP_ENTRY_INDEX},
	  {"value", SPHT_SNAP_ENTRY_VALUE}}},
};

#define NR_KNOWN (sizeof(known) / sizeof(known[0]))

static const struct known_event *known_by_id(enum spht_event_id id)
{
	for (size_t i = 0; i < NR_KNOWN; i++)
		if (known[i].id == id)
			return &known[i];
	return NULL;
}

enum spht_event_id spht_event_find(const char *system, const char *name)
{
	for (size_t i = 0; i < NR_KNOWN; i++)
		if (!strcmp(known[i].name, name) && !strcmp(known[i].system, system))
			return known[i].id;
	return SPHT_EV_UNKNOWN;
}

const char *spht_event_name(enum spht_event_id id)
{
	const struct known_event *k = known_by_id(id);

	if (k)
		return k->name;
	return id == SPHT_EV_LOST ? "lost" : "?";
}

int spht_event_slot(enum spht_event_id id, const char *field)
{
	const struct known_event *k = known_by_id(id);

	for (int i = 0; k && i < MAX_FIELDS && k->fields[i].name; i++)
		if (!strcmp(k->fields[i].name, field))
			return k->fields[i].slot;
	return -1;
}

/* Slots that only canonical fields may use, so that an absent field reads as 0. */
static uint32_t reserved_slots(enum spht_event_id id)
{
	const struct known_event *k = known_by_id(id);
	uint32_t mask = 0;

	for (int i = 0; k && i < MAX_FIELDS && k->fields[i].name; i++)
		mask |= 1u << k->fields[i].slot;
	if (id == SPHT_EV_EMULATE_INSN)
		mask |= 1u << SPHT_EMUL_INSN1;
	return mask;
}

static unsigned int words_of(const struct spht_event_field *f)
{
	if (!f->is_array)
		return f->size >= 1 && f->size <= 8 ? 1 : 0;
	return f->size >= 1 && f->size <= 64 ? (f->size + 7u) / 8 : 0;
}

/* First run of @words slots outside @taken, or -1. */
static int free_run(uint32_t taken, unsigned int words)
{
	uint32_t run = (1u << words) - 1;

	for (unsigned int s = 0; s + words <= SPHT_EVENT_SLOTS; s++)
		if (!(taken & run << s))
			return (int)s;
	return -1;
}

unsigned int spht_event_layout(enum spht_event_id id, struct spht_event_field *fields,
			       unsigned int nr, uint32_t *have)
{
	uint32_t used = 0, reserved = reserved_slots(id);
	unsigned int stored = 0;

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int words = words_of(&fields[i]);
		int slot = spht_event_slot(id, fields[i].name);
		uint32_t run = ((1u << words) - 1) << (slot < 0 ? 0 : slot);

		/* A canonical field of a foreign shape is kept, but where nobody misreads it. */
		fields[i].nwords = 0;
		if (slot < 0 || !words || (run & ~reserved) || (run & used) ||
		    (words > 1) != (id == SPHT_EV_EMULATE_INSN && slot == SPHT_EMUL_INSN0))
			continue;
		fields[i].slot = (uint8_t)slot;
		fields[i].nwords = (uint8_t)words;
		used |= run;
		stored++;
	}
	for (unsigned int i = 0; i < nr; i++) {
		unsigned int words = words_of(&fields[i]);
		int slot = words && !fields[i].nwords ? free_run(used | reserved, words) : -1;

		if (slot < 0)
			continue;
		fields[i].slot = (uint8_t)slot;
		fields[i].nwords = (uint8_t)words;
		used |= ((1u << words) - 1) << slot;
		stored++;
	}
	if (have)
		*have = used;
	return stored;
}
