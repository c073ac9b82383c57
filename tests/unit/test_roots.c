// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which root a vCPU runs on where no event tells: loads of CR3 that hit KVM's root cache.
 */
#include "machine.h"

#define KERNEL_VPN ((0x1ffull << 27) | VPN(1, 0)) /* level-4 entry 511 */

/* A fault in the kernel's half, under the level-3 table @l3; KVM gets it if @got. */
static void kernel_fault_under(struct rig *r, uint64_t l3, unsigned int index, bool made, bool got)
{
	const uint64_t walk[4] = {PTE(l3, TABLE), PTE(l3 + 1, TABLE), PTE(l3 + 2, TABLE),
				  PTE(0x900 + index, DIRTY)};
	uint64_t gva = 0xffff000000000000ull | (KERNEL_VPN + index) << 12;

	feed_pf(&r->f, gva, 0, r->vcpu);
	put(r, ev_walk(gva, 0));
	feed_elems(&r->f, 4, walk, 4);
	for (unsigned int i = 0; made && i < 3; i++)
		put(r, ev_created(l3 + i, ROLE(3 - i)));
	if (got)
		put(r, ev_found(l3, ROLE(3), false));
	put(r, ev_requested(0x900 + index, 1));
	put(r, ev_set(0x900 + index, SPTE_W(0x900 + index), SPTEP(0xb000 + l3, index), 1));
	end(r);
}

static void kernel_fault(struct rig *r, unsigned int index, bool made, bool got)
{
	kernel_fault_under(r, 0x40, index, made, got);
}

static uint32_t root_of_last(const struct rig *r)
{
	return spht_path_root(spht_observed_shadow(r->o), last_step(r)->path);
}

static uint32_t root_page(const struct rig *r, uint64_t gfn)
{
	return spht_shadow_page(spht_observed_shadow(r->o), gfn, ROLE(4));
}

static void root_in_doubt_does_not_matter_where_all_lead_to_the_same_place(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	kernel_fault(&r, 0, true, false);
	other_exit(&r, SVM_CR3); /* there is but one to be had */
	kernel_fault(&r, 1, false, false);
	assert_int_equal(r.fid->root_unknown, 0);
	load_cr3(&r, 0x19, true);
	other_exit(&r, SVM_CR3); /* one of two, and the second leads nowhere */
	kernel_fault(&r, 2, false, false);
	assert_int_equal(r.fid->root_unknown, 1);
	rig_close(&r);
}

static void root_in_doubt_is_told_by_what_kvm_had_to_get(void **unused)
{
	struct spht_fidelity before;
	uint32_t second;
	struct rig r;

	(void)unused;
	for (unsigned int got = 0; got < 2; got++) {
		rig_open(&r);
		kernel_fault(&r, 0, true, false);
		load_cr3(&r, 0x19, true);
		other_exit(&r, SVM_CR3);
		kernel_fault(&r, 1, false, got);
		second = spht_shadow_page(spht_observed_shadow(r.o), got ? 0x19 : SIM_ROOT_GFN,
					  ROLE(4));
		assert_int_equal(root_of_last(&r), second);
		/* And it holds for what follows. */
		before = *r.fid;
		kernel_fault(&r, 2, false, false);
		assert_int_equal(r.fid->root_unknown, before.root_unknown);
		assert_int_equal(root_of_last(&r), second);
		rig_close(&r);
	}
}

static void zapped_root_is_not_the_one_that_a_guest_runs_on(void **unused)
{
	uint32_t first;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	first = root_page(&r, SIM_ROOT_GFN);
	load_cr3(&r, 0x19, true);
	put(&r, ev_zap(0x19, ROLE(4)));
	/* No get_page of another: the guest had gone back before. */
	hidden(&r, 1ull << 27 | VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_int_equal(root_of_last(&r), first);
	rig_close(&r);
}

static void found_root_keeps_what_is_known_of_it(void **unused)
{
	uint32_t first;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	first = root_page(&r, SIM_ROOT_GFN);
	put(&r, ev_zap(SIM_L3_GFN, ROLE(3))); /* its link goes, the guest's entry does not */
	load_cr3(&r, SIM_ROOT_GFN, false);
	load_cr3(&r, 0x19, true);
	other_exit(&r, SVM_CR3);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_int_equal(root_of_last(&r), first);
	rig_close(&r);
}

static void root_that_leads_elsewhere_is_not_the_one_that_was_walked(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	kernel_fault(&r, 0, true, false);
	load_cr3(&r, 0x19, true);
	kernel_fault_under(&r, 0x50, 0, true, false);
	other_exit(&r, SVM_CR3);
	kernel_fault(&r, 1, false, false);
	assert_int_equal(r.fid->root_unknown, 0);
	rig_close(&r);
}

static void what_a_doubtful_fault_linked_excludes_no_root_later(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	kernel_fault(&r, 0, true, false);
	load_cr3(&r, 0x19, true);
	load_cr3(&r, 0x1a, true);
	/* The one or the other of the two leads to the kernel's level-3 table after this. */
	other_exit(&r, SVM_CR3);
	kernel_fault(&r, 1, false, true);
	assert_int_equal(root_of_last(&r), SPHT_NO_ID);
	/* So one that leads there need not be the first. */
	other_exit(&r, SVM_CR3);
	kernel_fault(&r, 2, false, false);
	assert_int_equal(root_of_last(&r), SPHT_NO_ID);
	assert_int_equal(r.fid->root_unknown, 2);
	rig_close(&r);
}

static void table_that_hung_in_a_root_before_tells_nothing_of_it(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_zap(SIM_ROOT_GFN, ROLE(4)));
	load_cr3(&r, 0x19, true);
	begin(&r, VPN(1, 9), U, PTE(0x709, DIRTY));
	put(&r, ev_found(SIM_L3_GFN, ROLE(3), false));
	put(&r, ev_requested(0x709, 1));
	set(&r, VPN(1, 9), SPTE_W(0x709));
	end(&r);
	for (uint64_t gfn = 0x1a; gfn < 0x1e; gfn++)
		load_cr3(&r, gfn, true);
	other_exit(&r, SVM_CR3);
	hidden(&r, VPN(1, 10), U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	assert_int_equal(root_of_last(&r), root_page(&r, 0x19));
	rig_close(&r);
}

static void losing_events_forgets_where_roots_lead(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	load_cr3(&r, 0x19, true);
	put(&r, ev_lost(10)); /* stores to top-level tables may have been among them */
	other_exit(&r, SVM_CR3);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_int_equal(root_of_last(&r), root_page(&r, 0x19)); /* the most recent one */
	rig_close(&r);
}

static void root_last_used_long_ago_is_told_by_the_table_that_hangs_in_it(void **unused)
{
	struct spht_fidelity before;
	uint32_t first;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	first = root_page(&r, SIM_ROOT_GFN);
	/* Four others, without a walk that would show that it came up in between. */
	for (uint64_t gfn = 0x19; gfn < 0x1d; gfn++)
		load_cr3(&r, gfn, true);
	other_exit(&r, SVM_CR3);
	before = *r.fid;
	hidden(&r, VPN(1, 0), P | U | W, PTE(0x700, DIRTY), SPTE_W(0x700) | 1ull << 52);
	assert_int_equal(root_of_last(&r), first);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_in_doubt_does_not_matter_where_all_lead_to_the_same_place),
		cmocka_unit_test(root_in_doubt_is_told_by_what_kvm_had_to_get),
		cmocka_unit_test(zapped_root_is_not_the_one_that_a_guest_runs_on),
		cmocka_unit_test(found_root_keeps_what_is_known_of_it),
		cmocka_unit_test(root_that_leads_elsewhere_is_not_the_one_that_was_walked),
		cmocka_unit_test(table_that_hung_in_a_root_before_tells_nothing_of_it),
		cmocka_unit_test(losing_events_forgets_where_roots_lead),
		cmocka_unit_test(what_a_doubtful_fault_linked_excludes_no_root_later),
		cmocka_unit_test(root_last_used_long_ago_is_told_by_the_table_that_hangs_in_it),
	};

	return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
