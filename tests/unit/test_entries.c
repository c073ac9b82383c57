// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Entries that come and go otherwise than by a fault of their own: large ones, too many
 * of one page, INVLPG, and guests that do not page in four levels.
 */
#include "machine.h"

/* Large pages: the hardware goes by the links as they are */

static void large(struct rig *r, unsigned int index, uint32_t code, uint64_t pte_bits)
{
	walk_large(r, VPN(3, index), code, pte_bits);
	put(r, ev_requested(0x400, 2));
	put(r, ev_set(0x400, SPTE_W(0x400) | SPHT_PTE_PS, SPTEP(0x9500, 3), 2));
	end(r);
}

static void small(struct rig *r, unsigned int index, uint32_t code, unsigned int access, bool made)
{
	uint64_t gfn = 0x400 + index;

	walk_large(r, VPN(3, index), code, code & W ? DIRTY : CLEAN);
	put(r, ev_requested(gfn, 1));
	put(r, made ? ev_created(0x400, ROLE_DIRECT(access))
		    : ev_found(0x400, ROLE_DIRECT(access), false));
	put(r, ev_set(gfn, (code & W ? SPTE_W(gfn) : SPTE_RO(gfn)) | 1ull << 52,
		      SPTEP(0x9500 + access, index), 1));
	end(r);
}

static void write_meets_the_direct_page_that_was_made_for_reading(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	small(&r, 5, U, 5, true);
	before = *r.fid;
	small(&r, 5, P | U | W, 7, true); /* validate_direct_spte() replaces it only now */
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 1, SPHT_BELIEF_WEAK);
	/* From now on the other one is linked. */
	before = *r.fid;
	small(&r, 6, U | W, 7, false);
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void large_entry_takes_the_place_of_a_direct_page_and_the_reverse(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	small(&r, 5, U | W, 7, true);
	before = *r.fid;
	large(&r, 6, U | W, DIRTY); /* not in the direct page */
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 0, SPHT_BELIEF_ABSENT);
	before = *r.fid;
	large(&r, 300, P | U | W, DIRTY); /* all of it is mapped now */
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 1, SPHT_BELIEF_STRONG);
	before = *r.fid;
	small(&r, 7, P | U | W, 7, false);
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 1, SPHT_BELIEF_STRONG);
	before = *r.fid;
	small(&r, 8, U | W, 7, false);
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void large_entry_loses_its_w_when_a_table_inside_of_it_is_shadowed(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	for (unsigned int inside = 0; inside < 2; inside++) {
		rig_open(&r);
		first_fault(&r);
		large(&r, 5, U | W, DIRTY);
		put(&r, ev_created(inside ? 0x412 : 0x612, ROLE(1)));
		before = *r.fid;
		large(&r, 9, P | U | W, DIRTY);
		assert_believed(&r, &before, SPHT_CLASS_HUGE, 1,
				inside ? SPHT_BELIEF_WEAK : SPHT_BELIEF_STRONG);
		rig_close(&r);
	}
}

static void small_entry_at_the_beginning_of_a_large_page_keeps_its_w(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U | W, PTE(0x400, DIRTY), SPTE_W(0x400));
	put(&r, ev_created(0x412, ROLE(1)));
	assert_true(writable(&r, VPN(1, 9)));
	put(&r, ev_created(0x400, ROLE(1)));
	assert_false(writable(&r, VPN(1, 9)));
	rig_close(&r);
}

/* INVLPG whose address is recorded */

static void invlpg(struct rig *r, bool vmx, uint64_t vpn)
{
	put(r, vmx ? ev_exit_vmx(14, vpn << 12, 0, 0, r->vcpu)
		   : ev_exit_svm(SVM_INVLPG, vpn << 12, 0, r->vcpu));
	put(r, ev_entry(r->vcpu));
}

static void invlpg_with_an_address_drops_that_entry_of_an_unsync_table(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	for (unsigned int vmx = 0; vmx < 2; vmx++) {
		open_with_entry(&r);
		write_page_table(&r, 1);
		invlpg(&r, vmx, VPN(1, 9));
		assert_false(present(&r, VPN(1, 9)));
		assert_true(present(&r, VPN(1, 0)));
		before = *r.fid;
		meet(&r, U, PTE(0x709, DIRTY));
		assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
		rig_close(&r);
	}
}

static void invlpg_with_an_address_leaves_a_synced_table_alone_and_makes_no_step(void **unused)
{
	struct rig r;
	uint32_t nr;

	(void)unused;
	open_with_entry(&r);
	nr = spht_observed_steps(r.o)->nr;
	invlpg(&r, true, VPN(1, 9));
	assert_true(present(&r, VPN(1, 9)));
	assert_int_equal(spht_observed_steps(r.o)->nr, nr);
	rig_close(&r);
}

static void invlpg_reaches_what_hangs_in_cached_roots_too(void **unused)
{
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	load_cr3(&r, 0x19, true);
	invlpg(&r, true, VPN(1, 9));
	assert_false(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void address_of_invlpg_goes_before_the_last_copy_on_write(void **unused)
{
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	guest_fault(&r, VPN(1, 9), P | W | U, PTE(0x709, READONLY));
	write_page_table(&r, 1);
	invlpg(&r, true, VPN(1, 0));
	assert_true(present(&r, VPN(1, 9)));
	assert_false(present(&r, VPN(1, 0)));
	rig_close(&r);
}

/* Too many entries of one guest page */

/* Entry 16 and up of table 1 and others, all for page @gfn: @nr entries in all. */
static void map_one_page(struct rig *r, uint64_t gfn, unsigned int nr)
{
	for (unsigned int k = 0; k < nr; k++) {
		uint64_t vpn = VPN(4 + k / 400, 16 + k % 400);

		begin(r, vpn, U, PTE(gfn, READONLY));
		if (k % 400 == 0)
			put(r, ev_created(TABLE_GFN + (vpn >> 9), ROLE(1)));
		put(r, ev_requested(gfn, 1));
		set(r, vpn, SPTE_RO(gfn));
		end(r);
	}
}

static void open_with_one_page(struct rig *r, unsigned int nr)
{
	rig_open(r);
	first_fault(r);
	map_one_page(r, 0x900, nr);
}

/* Maps page 0x900 at entry @index of table 1, or another one. */
static void remap(struct rig *r, unsigned int index, uint64_t gfn)
{
	hidden(r, VPN(1, index), U, PTE(gfn, READONLY), SPTE_RO(gfn));
}

static void more_than_a_thousand_entries_of_one_page_are_all_dropped(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_one_page(&r, 1001);
	assert_int_equal(r.fid->rmap_recycled, 0);
	assert_true(present(&r, VPN(4, 16)));
	rig_close(&r);

	open_with_one_page(&r, 1002);
	assert_int_equal(r.fid->rmap_recycled, 1);
	assert_false(present(&r, VPN(4, 16)));
	assert_false(present(&r, VPN(6, 16 + 201))); /* the last one, too */
	assert_true(present(&r, VPN(1, 0)));
	before = *r.fid;
	hidden(&r, VPN(5, 16), U, PTE(0x900, READONLY), SPTE_RO(0x900));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	assert_int_equal(r.fid->rmap_recycled, 1);
	rig_close(&r);
}

static void entries_that_went_before_do_not_count_against_the_limit(void **unused)
{
	struct rig r;

	(void)unused;
	open_with_one_page(&r, 1000);
	remap(&r, 1, 0x900);
	remap(&r, 1, 0x901); /* it maps another page by now */
	remap(&r, 2, 0x900); /* 1001 */
	assert_int_equal(r.fid->rmap_recycled, 0);
	remap(&r, 3, 0x900);
	assert_int_equal(r.fid->rmap_recycled, 1);
	rig_close(&r);

	open_with_one_page(&r, 1001);
	put(&r, ev_zap(TABLE_GFN + 5, ROLE(1))); /* 400 of them */
	for (unsigned int k = 0; k < 1000; k++)
		remap(&r, 1, k & 1 ? 0x900 : 0x901); /* one entry, many times */
	assert_int_equal(r.fid->rmap_recycled, 0);
	assert_true(present(&r, VPN(4, 16)));
	rig_close(&r);
}

static void limit_is_one_of_entries_of_a_level(void **unused)
{
	uint32_t l2;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	large(&r, 5, U | W, DIRTY); /* from page 0x400 on */
	map_one_page(&r, 0x400, 1001);
	assert_int_equal(r.fid->rmap_recycled, 0);
	remap(&r, 1, 0x400);
	assert_int_equal(r.fid->rmap_recycled, 1);
	l2 = spht_shadow_page(spht_observed_shadow(r.o), SIM_L2_GFN, ROLE(2));
	assert_true(spht_mmu_present(spht_observed_mmu(r.o), l2, 3));
	rig_close(&r);
}

static void drop_of_too_many_entries_reaches_the_what_ifs_after_the_step(void **unused)
{
	struct spht_chunk chunk;
	struct spht_error err;
	struct rig r;

	(void)unused;
	open_with_one_page(&r, 1002);
	assert_int_equal(spht_observed_finish(r.o, &err), 0);
	first_chunk(&r, &chunk);
	assert_int_equal(chunk.nr_changes[SPHT_CHANGE_DROP], 1002);
	for (uint32_t i = 0; i < 1002; i++)
		assert_int_equal(chunk.changes[SPHT_CHANGE_DROP][i].step, chunk.nr - 1);
	spht_chunk_close(&chunk);
	rig_close(&r);
}

/* Guests that do not page in four levels */

static void entries_of_a_guest_that_does_not_page_are_told_apart(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open_raw(&r, 8);
	feed_pf(&r.f, 0xfe000, U, 0);
	put(&r, ev_requested(0xfe, 1));
	put(&r, ev_set(0xfe, SPTE_W(0xfe), SPTEP(0x9999, 0xfe), 1));
	end(&r);
	assert_int_equal(r.fid->other_mode, 1);
	assert_int_equal(r.fid->unbound, 0);
	rig_close(&r);
}

/* Linux 5.10 prints the address and the guest's level with spte_requested. */
static void level_of_an_entry_is_its_own_not_the_one_requested(void **unused)
{
	uint32_t page;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	walk_large(&r, VPN(3, 5), U, DIRTY);
	put(&r, ev_requested(VPN(3, 5), 2));
	put(&r, ev_created(0x400, ROLE_DIRECT(7)));
	put(&r, ev_set(0x405, SPTE_W(0x405), SPTEP(0x9500, 5), 1));
	end(&r);
	assert_int_equal(last_step(&r)->leaf_level, 1);
	page = spht_shadow_page(spht_observed_shadow(r.o), 0x400, ROLE_DIRECT(7));
	assert_int_equal(last_step(&r)->page, page);
	assert_true(spht_mmu_present(spht_observed_mmu(r.o), page, 5));
	assert_int_equal(r.fid->role_mismatch, 0);
	rig_close(&r);
}

/* What is not modelled */

static void shadow_page_of_a_nested_guest_is_refused(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_exit_svm(SVM_CR3, 0, 0, 0));
	put(&r, ev_created(0x500, ROLE(4) | 1u << 17));
	assert_int_equal(feed_raw(&r.f, ev_entry(0)), -1);
	assert_non_null(strstr(r.f.err.text, "nested guest"));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_meets_the_direct_page_that_was_made_for_reading),
		cmocka_unit_test(large_entry_takes_the_place_of_a_direct_page_and_the_reverse),
		cmocka_unit_test(large_entry_loses_its_w_when_a_table_inside_of_it_is_shadowed),
		cmocka_unit_test(small_entry_at_the_beginning_of_a_large_page_keeps_its_w),
		cmocka_unit_test(invlpg_with_an_address_drops_that_entry_of_an_unsync_table),
		cmocka_unit_test(
			invlpg_with_an_address_leaves_a_synced_table_alone_and_makes_no_step),
		cmocka_unit_test(invlpg_reaches_what_hangs_in_cached_roots_too),
		cmocka_unit_test(address_of_invlpg_goes_before_the_last_copy_on_write),
		cmocka_unit_test(more_than_a_thousand_entries_of_one_page_are_all_dropped),
		cmocka_unit_test(entries_that_went_before_do_not_count_against_the_limit),
		cmocka_unit_test(limit_is_one_of_entries_of_a_level),
		cmocka_unit_test(drop_of_too_many_entries_reaches_the_what_ifs_after_the_step),
		cmocka_unit_test(entries_of_a_guest_that_does_not_page_are_told_apart),
		cmocka_unit_test(level_of_an_entry_is_its_own_not_the_one_requested),
		cmocka_unit_test(shadow_page_of_a_nested_guest_is_refused),
	};

	return cmocka_run_group_tests_name("entries", tests, NULL, NULL);
}
