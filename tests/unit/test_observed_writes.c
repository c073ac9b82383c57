// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The observed MMU, where the guest writes to its page tables and to pages that it
 * shares: write protection, copy on write, emulated stores.
 */
#include "machine.h"
#include "replay/observe-local.h"

/* Write protection of page tables */

static void page_table_loses_its_writable_mapping_when_it_is_shadowed(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	/* The page of table 2 is data as yet. */
	hidden(&r, VPN(0, 2), W | U, PTE(TABLE_GFN + 2, DIRTY), SPTE_W(TABLE_GFN + 2));
	assert_true(writable(&r, VPN(0, 2)));
	begin(&r, VPN(2, 0), U, PTE(0x720, DIRTY));
	put(&r, ev_created(TABLE_GFN + 2, ROLE(1)));
	put(&r, ev_requested(0x720, 1));
	set(&r, VPN(2, 0), SPTE_W(0x720));
	end(&r);
	assert_true(present(&r, VPN(0, 2)));
	assert_false(writable(&r, VPN(0, 2)));
	before = *r.fid;
	begin(&r, VPN(0, 2), P | W | U, PTE(TABLE_GFN + 2, DIRTY));
	put(&r, ev_requested(TABLE_GFN + 2, 1));
	set(&r, VPN(0, 2), SPTE_W(TABLE_GFN + 2));
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_WEAK);
	rig_close(&r);
}

static void entry_is_remembered_as_a_writer_of_its_last_page_only(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(0, 4), W | U, PTE(TABLE_GFN + 2, DIRTY), SPTE_W(TABLE_GFN + 2));
	for (unsigned int i = 0; i < 500; i++) {
		uint64_t gfn = i & 1 ? TABLE_GFN + 3 : TABLE_GFN + 2;

		hidden(&r, VPN(0, 2), W | U, PTE(gfn, DIRTY), SPTE_W(gfn));
		hidden(&r, VPN(0, 3), W | U, PTE(gfn, DIRTY), SPTE_W(gfn));
	}
	/* Its memory is of entries, not of events. */
	assert_true(r.o->nr_rmap <= 4);
	begin(&r, VPN(2, 0), U, PTE(0x720, DIRTY));
	put(&r, ev_created(TABLE_GFN + 2, ROLE(1)));
	put(&r, ev_requested(0x720, 1));
	set(&r, VPN(2, 0), SPTE_W(0x720));
	end(&r);
	assert_true(writable(&r, VPN(0, 2)));
	assert_true(writable(&r, VPN(0, 3)));
	assert_false(writable(&r, VPN(0, 4)));
	begin(&r, VPN(3, 0), U, PTE(0x730, DIRTY));
	put(&r, ev_created(TABLE_GFN + 3, ROLE(1)));
	put(&r, ev_requested(0x730, 1));
	set(&r, VPN(3, 0), SPTE_W(0x730));
	end(&r);
	assert_false(writable(&r, VPN(0, 2)));
	assert_false(writable(&r, VPN(0, 3)));
	rig_close(&r);
}

static void page_table_is_writable_from_unsync_to_sync(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	write_page_table(&r, 1);
	assert_true(writable(&r, VPN(0, 1)));
	sync_table(&r, 1);
	assert_true(present(&r, VPN(0, 1)));
	assert_false(writable(&r, VPN(0, 1)));
	rig_close(&r);
}

static void entry_that_maps_another_page_by_now_keeps_its_w(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(0, 2), W | U, PTE(TABLE_GFN + 2, DIRTY), SPTE_W(TABLE_GFN + 2));
	hidden(&r, VPN(0, 2), W | U, PTE(0x800, DIRTY), SPTE_W(0x800));
	begin(&r, VPN(2, 0), U, PTE(0x720, DIRTY));
	put(&r, ev_created(TABLE_GFN + 2, ROLE(1)));
	put(&r, ev_requested(0x720, 1));
	set(&r, VPN(2, 0), SPTE_W(0x720));
	end(&r);
	assert_true(writable(&r, VPN(0, 2)));
	rig_close(&r);
}

static void direct_page_protects_nothing(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), W | U, PTE(0x400, DIRTY), SPTE_W(0x400));
	put(&r, ev_created(0x400, ROLE_DIRECT(7)));
	assert_true(writable(&r, VPN(1, 9)));
	rig_close(&r);
}

/* Copy on write */

/* The guest writes to a read-only page: its handler copies it and flushes the address. */
static void copy_on_write(struct rig *r, bool unsync)
{
	first_fault(r);
	hidden(r, VPN(1, 9), U, PTE(0x709, READONLY), SPTE_RO(0x709));
	guest_fault(r, VPN(1, 9), P | W | U, PTE(0x709, READONLY));
	assert_true(present(r, VPN(1, 9)));
	if (unsync)
		write_page_table(r, 1);
	other_exit(r, SVM_INVLPG);
}

static void write_that_hardware_and_guest_refuse_takes_the_w_of_the_entry(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), W | U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_true(writable(&r, VPN(1, 9)));
	/* The guest forks; a sync, which shows nowhere, copies that its entry is read-only. */
	guest_fault(&r, VPN(1, 9), P | W | U, PTE(0x709, READONLY));
	assert_true(present(&r, VPN(1, 9)));
	assert_false(writable(&r, VPN(1, 9)));
	before = *r.fid;
	/* It may write again, in place. */
	hidden(&r, VPN(1, 9), P | W | U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_WEAK);
	rig_close(&r);
}

static void read_that_the_guest_refuses_leaves_the_w_of_the_entry(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), W | U, PTE(0x709, DIRTY), SPTE_W(0x709));
	guest_fault(&r, VPN(1, 9), P | U, PTE(0x709, READONLY));
	assert_true(writable(&r, VPN(1, 9)));
	rig_close(&r);
}

static void invlpg_after_a_copy_on_write_drops_the_unsync_entry(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	copy_on_write(&r, true);
	assert_false(present(&r, VPN(1, 9)));
	before = *r.fid;
	hidden(&r, VPN(1, 9), W | U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void invlpg_leaves_a_synced_table_and_other_entries_alone(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	copy_on_write(&r, false);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);

	rig_open(&r);
	copy_on_write(&r, true);
	assert_true(present(&r, VPN(1, 0)));
	/* And only once: the next one has nothing to do with that fault. */
	hidden(&r, VPN(1, 9), W | U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	other_exit(&r, SVM_INVLPG);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void injected_protection_fault_drops_the_unsync_entry_at_once(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, READONLY), SPTE_RO(0x709));
	write_page_table(&r, 1);
	guest_fault(&r, VPN(1, 9), P | W | U, PTE(0x709, READONLY));
	assert_false(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void entry_mapped_again_by_the_invalidation_is_there(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	copy_on_write(&r, true);
	guest_fault(&r, VPN(1, 9), P | W | U, PTE(0x709, READONLY));
	put(&r, ev_exit_svm(SVM_INVLPG, 0, 0, 0));
	set(&r, VPN(1, 9), SPTE_PRE_W(0x70a)); /* without a request */
	put(&r, ev_entry(0));
	assert_true(present(&r, VPN(1, 9)));
	assert_true(writable(&r, VPN(1, 9)));
	before = *r.fid;
	hidden(&r, VPN(1, 9), P | U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);
	assert_int_equal(r.fid->unbound, 0);
	rig_close(&r);
}

/* Emulated stores */

static void emulated_store(struct rig *r, uint64_t gpa)
{
	const uint64_t walk[4] = {PTE(SIM_L3_GFN, TABLE), PTE(SIM_L2_GFN, TABLE),
				  PTE(TABLE_GFN, TABLE), PTE(gpa >> 12, DIRTY)};

	begin(r, VPN(0, 7), P | W, PTE(gpa >> 12, DIRTY));
	put(r, ev_emulate(0x401000));
	put(r, ev_walk(VPN(0, 7) << 12 | (gpa & 0xfff), W));
	feed_elems(&r->f, 4, walk, 4);
	end(r);
}

static void emulated_store_unlinks_what_hung_at_the_entry(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	emulated_store(&r, (uint64_t)SIM_L2_GFN << 12 | 2 << 3); /* the entry beside it */
	before = *r.fid;
	hidden(&r, VPN(1, 0), P | U, PTE(0x700, DIRTY), SPTE_W(0x700) | 1ull << 52);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);

	emulated_store(&r, (uint64_t)SIM_L2_GFN << 12 | 1 << 3);
	assert_true(present(&r, VPN(1, 0)));
	before = *r.fid;
	hidden(&r, VPN(1, 0), U, PTE(0x700, DIRTY), SPTE_W(0x700));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void emulated_store_drops_a_leaf_entry_of_every_page_of_that_table(void **unused)
{
	uint32_t other_role = ROLE(1) & ~(4u << 8), other;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_created(TABLE_GFN + 1, other_role)); /* as the kernel half sees it */
	begin(&r, VPN(1, 0), 0, PTE(0x700, DIRTY));
	put(&r, ev_found(TABLE_GFN + 1, other_role, false));
	put(&r, ev_requested(0x700, 1));
	put(&r, ev_set(0x700, SPTE_W(0x700), SPTEP(0x9100, 0), 1));
	end(&r);
	other = spht_shadow_page(spht_observed_shadow(r.o), TABLE_GFN + 1, other_role);
	assert_true(spht_mmu_present(spht_observed_mmu(r.o), other, 0));
	emulated_store(&r, (uint64_t)(TABLE_GFN + 1) << 12 | 0 << 3);
	assert_false(present(&r, VPN(1, 0)));
	assert_false(spht_mmu_present(spht_observed_mmu(r.o), other, 0));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_table_loses_its_writable_mapping_when_it_is_shadowed),
		cmocka_unit_test(entry_is_remembered_as_a_writer_of_its_last_page_only),
		cmocka_unit_test(page_table_is_writable_from_unsync_to_sync),
		cmocka_unit_test(entry_that_maps_another_page_by_now_keeps_its_w),
		cmocka_unit_test(direct_page_protects_nothing),
		cmocka_unit_test(write_that_hardware_and_guest_refuse_takes_the_w_of_the_entry),
		cmocka_unit_test(read_that_the_guest_refuses_leaves_the_w_of_the_entry),
		cmocka_unit_test(invlpg_after_a_copy_on_write_drops_the_unsync_entry),
		cmocka_unit_test(invlpg_leaves_a_synced_table_and_other_entries_alone),
		cmocka_unit_test(injected_protection_fault_drops_the_unsync_entry_at_once),
		cmocka_unit_test(entry_mapped_again_by_the_invalidation_is_there),
		cmocka_unit_test(emulated_store_unlinks_what_hung_at_the_entry),
		cmocka_unit_test(emulated_store_drops_a_leaf_entry_of_every_page_of_that_table),
	};

	return cmocka_run_group_tests_name("observed writes", tests, NULL, NULL);
}
