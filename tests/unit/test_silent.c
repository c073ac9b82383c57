// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What syncs and unmapping do to entries without an event, as far as the observed MMU
 * foresees it before it looks at the hardware's answer.
 */
#include "machine.h"

static void assert_derived(const struct rig *r, enum spht_derived why, uint64_t right,
			   uint64_t refuted)
{
	for (unsigned int d = 0; d < SPHT_DERIVED_NR; d++) {
		assert_int_equal(r->fid->derived[d][0], d == (unsigned int)why ? right : 0);
		assert_int_equal(r->fid->derived[d][1], d == (unsigned int)why ? refuted : 0);
	}
}

/* Syncs */

static void sync_drops_an_entry_that_maps_another_page_by_now(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	sync_table(&r, 1);
	before = *r.fid;
	meet(&r, U, PTE(0x70a, DIRTY));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	assert_derived(&r, SPHT_DERIVED_FROZEN, 1, 0);
	rig_close(&r);
}

static void sync_drops_an_entry_whose_accessed_bit_is_clear(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	sync_table(&r, 1);
	before = *r.fid;
	meet(&r, U, PTE(0x709, UNTOUCHED));
	assert_believed(&r, &before, SPHT_CLASS_AD, 0, SPHT_BELIEF_ABSENT);
	assert_derived(&r, SPHT_DERIVED_FROZEN, 1, 0);
	rig_close(&r);
}

static void sync_leaves_an_entry_that_is_as_it_was(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	sync_table(&r, 1);
	before = *r.fid;
	meet(&r, P | U | W, PTE(0x709, DIRTY));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);
	assert_derived(&r, SPHT_DERIVED_NOTHING, 0, 0);
	rig_close(&r);
}

static void sync_before_the_entry_was_made_did_nothing_to_it(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	sync_table(&r, 1);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	before = *r.fid;
	meet(&r, U, PTE(0x70a, DIRTY));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_STRONG);
	assert_derived(&r, SPHT_DERIVED_NOTHING, 0, 0);
	rig_close(&r);
}

static void entry_found_there_refutes_the_drop_and_is_held_against_the_model(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	sync_table(&r, 1);
	before = *r.fid;
	meet(&r, P | U, PTE(0x70a, DIRTY));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_ABSENT);
	assert_derived(&r, SPHT_DERIVED_FROZEN, 0, 1);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void table_written_again_after_its_sync_still_tells_of_another_page(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	sync_table(&r, 1);
	write_page_table(&r, 1);
	before = *r.fid;
	meet(&r, U, PTE(0x70a, DIRTY));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	assert_derived(&r, SPHT_DERIVED_SYNCED, 1, 0);
	rig_close(&r);
}

static void accessed_bit_cleared_in_an_unsync_table_tells_nothing(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	sync_table(&r, 1);
	write_page_table(&r, 1);
	before = *r.fid;
	meet(&r, P | U | W, PTE(0x709, UNTOUCHED));
	assert_believed(&r, &before, SPHT_CLASS_AD, 1, SPHT_BELIEF_STRONG);
	assert_derived(&r, SPHT_DERIVED_NOTHING, 0, 0);
	rig_close(&r);
}

static void another_page_in_a_table_never_synced_takes_a_flush(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	for (unsigned int flush = 0; flush < 2; flush++) {
		open_with_entry(&r);
		write_page_table(&r, 1);
		if (flush)
			other_exit(&r, SVM_INVLPG);
		before = *r.fid;
		meet(&r, U, PTE(0x70a, DIRTY));
		assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0,
				flush ? SPHT_BELIEF_ABSENT : SPHT_BELIEF_STRONG);
		assert_derived(&r, SPHT_DERIVED_FLUSHED, flush, 0);
		assert_int_equal(r.fid->drops[SPHT_DROP_CHANGED], !flush);
		rig_close(&r);
	}
}

static void entry_of_which_only_its_presence_is_known_tells_nothing(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	begin(&r, VPN(1, 9), U, PTE(0x709, DIRTY));
	put(&r, ev_requested(0x709, 1)); /* and none is set: it is there */
	end(&r);
	assert_true(present(&r, VPN(1, 9)));
	sync_table(&r, 1);
	before = *r.fid;
	meet(&r, P | U | W, PTE(0x709, DIRTY));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_WEAK);
	assert_derived(&r, SPHT_DERIVED_NOTHING, 0, 0);
	rig_close(&r);
}

static void entry_from_before_a_cut_tells_nothing(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open_raw(&r, 8);
	r.f.preamble = true;
	put(&r, ev_entry(0));
	put(&r, ev_created(SIM_ROOT_GFN, ROLE(4)));
	put(&r, ev_created(SIM_L3_GFN, ROLE(3)));
	put(&r, ev_created(SIM_L2_GFN, ROLE(2)));
	put(&r, ev_created(TABLE_GFN + 1, ROLE(1)));
	set(&r, VPN(1, 9), SPTE_W(0x709));
	r.f.preamble = false;
	load_cr3(&r, SIM_ROOT_GFN, false);
	hidden(&r, VPN(1, 0), U, PTE(0x700, DIRTY), SPTE_W(0x700));
	sync_table(&r, 1);
	meet(&r, U, PTE(0x70a, DIRTY));
	assert_derived(&r, SPHT_DERIVED_NOTHING, 0, 0);
	rig_close(&r);
}

static void guest_fault_below_a_missing_page_says_nothing_of_the_entry(void **unused)
{
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	put(&r, ev_zap(SIM_L2_GFN, ROLE(2)));
	guest_fault(&r, VPN(1, 9), U, 0);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void drop_foreseen_is_dated_back_to_the_sync(void **unused)
{
	const struct spht_change *drop;
	struct spht_chunk chunk;
	struct spht_error err;
	uint32_t at;
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	sync_table(&r, 1);
	at = spht_observed_steps(r.o)->nr - 1;
	hidden(&r, VPN(1, 20), U, PTE(0x714, DIRTY), SPTE_W(0x714));
	meet(&r, U, PTE(0x70a, DIRTY));
	assert_int_equal(spht_observed_finish(r.o, &err), 0);
	first_chunk(&r, &chunk);
	drop = chunk.changes[SPHT_CHANGE_DROP];
	assert_int_equal(chunk.nr_changes[SPHT_CHANGE_DROP], 1);
	assert_int_equal(drop->step, at);
	assert_int_equal(drop->index, 9);
	spht_chunk_close(&chunk);
	rig_close(&r);
}

/* Beside one that went */

/*
 * The rule is believed once it has been right 16 times.  In table 2, @nr groups of two
 * entries each go: one is seen to by a walk, or by the guest's own fault, the other next.
 */
static void learn(struct rig *r, bool guest, unsigned int nr)
{
	begin(r, VPN(2, 0), U, PTE(0x500, DIRTY));
	put(r, ev_created(TABLE_GFN + 2, ROLE(1)));
	put(r, ev_requested(0x500, 1));
	set(r, VPN(2, 0), SPTE_W(0x500));
	end(r);
	for (unsigned int k = 1; k <= 2 * nr; k++) {
		uint64_t vpn = VPN(2, k / 2 * 8 + 8 + (k & 1));

		hidden(r, vpn, U, PTE(0x500 + k, DIRTY), SPTE_W(0x500 + k));
	}
	sync_table(r, 2);
	for (unsigned int k = 1; k <= 2 * nr; k++) {
		uint64_t vpn = VPN(2, k / 2 * 8 + 8 + (k & 1));

		if (guest && !(k & 1))
			guest_fault(r, vpn, U, 0);
		else
			hidden(r, vpn, U, PTE(0x600 + k, DIRTY), SPTE_W(0x600 + k));
	}
}

/* Entries 9 and 10 of table 1, and 16 in the next group; all are synced. */
static void make_range(struct rig *r)
{
	hidden(r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	hidden(r, VPN(1, 10), U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	hidden(r, VPN(1, 16), U, PTE(0x710, DIRTY), SPTE_W(0x710));
	write_page_table(r, 1);
	sync_table(r, 1);
}

static void open_taught(struct rig *r, bool guest)
{
	rig_open(r);
	first_fault(r);
	learn(r, guest, 20);
	make_range(r);
}

static void entry_beside_one_that_maps_another_page_went_with_it(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_taught(&r, false);
	meet(&r, U, PTE(0x809, DIRTY));
	assert_false(present(&r, VPN(1, 10)));
	assert_true(present(&r, VPN(1, 16))); /* another group */
	before = *r.fid;
	hidden(&r, VPN(1, 10), U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0],
			 before.derived[SPHT_DERIVED_BESIDE_WALK][0] + 1);
	/* It was settled with that. */
	hidden(&r, VPN(1, 10), P | U | W, PTE(0x70a, DIRTY), SPTE_W(0x70a) | 1ull << 52);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][1], 0);
	rig_close(&r);
}

static void entry_beside_it_stays_until_that_has_proved_right_often_enough(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	for (unsigned int nr = 15; nr <= 17; nr++) {
		rig_open(&r);
		first_fault(&r);
		learn(&r, false, nr);
		assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0], nr - 1);
		make_range(&r);
		meet(&r, U, PTE(0x809, DIRTY));
		assert_int_equal(present(&r, VPN(1, 10)), nr < 17);
		rig_close(&r);
	}
	/* And it goes on proving right or wrong without being believed. */
	rig_open(&r);
	first_fault(&r);
	make_range(&r);
	meet(&r, U, PTE(0x809, DIRTY));
	assert_true(present(&r, VPN(1, 10)));
	before = *r.fid;
	hidden(&r, VPN(1, 10), P | U | W, PTE(0x70a, DIRTY), SPTE_W(0x70a) | 1ull << 52);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][1], 1);
	/* Refuted once in fewer than 100: it is believed no more. */
	learn(&r, false, 40);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	sync_table(&r, 1);
	meet(&r, U, PTE(0x80b, DIRTY));
	assert_true(present(&r, VPN(1, 10)));
	rig_close(&r);
}

static void entry_beside_it_that_is_found_refutes_that(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	open_taught(&r, false);
	meet(&r, U, PTE(0x809, DIRTY));
	before = *r.fid;
	hidden(&r, VPN(1, 10), P | U | W, PTE(0x70a, DIRTY), SPTE_W(0x70a) | 1ull << 52);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_ABSENT);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0],
			 before.derived[SPHT_DERIVED_BESIDE_WALK][0]);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][1], 1);
	assert_true(present(&r, VPN(1, 10)));
	rig_close(&r);
}

static void what_went_beside_is_settled_once_and_not_by_what_the_guest_unmapped(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	make_range(&r);
	meet(&r, U, PTE(0x809, DIRTY));
	guest_fault(&r, VPN(1, 10), U, 0); /* it may have gone just now */
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0], 0);
	rig_close(&r);

	rig_open(&r);
	first_fault(&r);
	make_range(&r);
	meet(&r, U, PTE(0x809, DIRTY));
	for (unsigned int i = 0; i < 2; i++) {
		begin(&r, VPN(1, 10), U, PTE(0x80a, DIRTY));
		end(&r); /* KVM lets the guest try again */
	}
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0], 1);
	rig_close(&r);
}

static void prefetch_group_settles_what_went_beside_its_fault(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	learn(&r, false, 20);
	for (unsigned int i = 8; i < 13; i++)
		hidden(&r, VPN(1, i), U, PTE(0x800 + i, DIRTY), SPTE_W(0x800 + i));
	write_page_table(&r, 1);
	sync_table(&r, 1);
	before = *r.fid;
	group(&r, 0, 0x16); /* sets 1, 2 and 4, passes over 3 */
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0],
			 before.derived[SPHT_DERIVED_BESIDE_WALK][0] + 3);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][1], 1);
	assert_int_equal(r.fid->prefetched[0], 3);
	assert_int_equal(r.fid->kept[1], 1); /* held against the model */
	assert_true(present(&r, VPN(1, 11)));
	rig_close(&r);
}

static void copy_on_write_and_a_cleared_accessed_bit_take_nothing_beside_them(void **unused)
{
	uint64_t frozen;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	learn(&r, false, 20);
	hidden(&r, VPN(1, 9), U, PTE(0x709, READONLY), SPTE_RO(0x709));
	hidden(&r, VPN(1, 10), U, PTE(0x70a, READONLY), SPTE_RO(0x70a));
	sync_table(&r, 1);
	frozen = r.fid->derived[SPHT_DERIVED_FROZEN][0];
	meet(&r, U | W, PTE(0x809, DIRTY));
	assert_int_equal(r.fid->derived[SPHT_DERIVED_FROZEN][0], frozen + 1);
	assert_true(present(&r, VPN(1, 10)));
	rig_close(&r);

	open_taught(&r, false);
	frozen = r.fid->derived[SPHT_DERIVED_FROZEN][0];
	meet(&r, U, PTE(0x709, UNTOUCHED));
	assert_int_equal(r.fid->derived[SPHT_DERIVED_FROZEN][0], frozen + 1);
	assert_true(present(&r, VPN(1, 10)));
	rig_close(&r);
}

static void entry_made_after_the_sync_stays_beside_one_that_went(void **unused)
{
	struct rig r;

	(void)unused;
	open_taught(&r, false);
	hidden(&r, VPN(1, 11), U, PTE(0x70b, DIRTY), SPTE_W(0x70b));
	meet(&r, U, PTE(0x809, DIRTY));
	assert_false(present(&r, VPN(1, 10)));
	assert_true(present(&r, VPN(1, 11)));
	rig_close(&r);
}

static void guest_fault_on_what_was_unmapped_takes_what_was_beside_it(void **unused)
{
	uint64_t right;
	struct rig r;

	(void)unused;
	open_taught(&r, true);
	guest_fault(&r, VPN(1, 9), U, 0);
	assert_false(present(&r, VPN(1, 9)));
	assert_false(present(&r, VPN(1, 10)));
	right = r.fid->derived[SPHT_DERIVED_BESIDE_GUEST][0];
	hidden(&r, VPN(1, 10), U, PTE(0x80a, DIRTY), SPTE_W(0x80a));
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_GUEST][0], right + 1);
	rig_close(&r);

	/* Not where its own entry is there and refuses the access. */
	open_taught(&r, true);
	guest_fault(&r, VPN(1, 9), U | W, PTE(0x709, READONLY));
	assert_false(present(&r, VPN(1, 9)));
	assert_true(present(&r, VPN(1, 10)));
	rig_close(&r);

	/* Nor where nothing can have taken it: a table in sync, and no sync since. */
	rig_open(&r);
	first_fault(&r);
	learn(&r, true, 20);
	hidden(&r, VPN(1, 10), U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	other_exit(&r, SVM_CR3);
	guest_fault(&r, VPN(1, 0), U, 0);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	guest_fault(&r, VPN(1, 9), U, 0);
	assert_true(present(&r, VPN(1, 10)));
	rig_close(&r);
}

static void unmapping_that_invlpg_flushed_takes_what_was_beside_it(void **unused)
{
	struct rig r;

	(void)unused;
	for (unsigned int unsync = 0; unsync < 2; unsync++) {
		rig_open(&r);
		first_fault(&r);
		learn(&r, true, 20);
		hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
		hidden(&r, VPN(1, 10), U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
		if (unsync)
			write_page_table(&r, 1);
		other_exit(&r, SVM_INVLPG);
		guest_fault(&r, VPN(1, 9), U, 0);
		assert_int_equal(present(&r, VPN(1, 10)), !unsync);
		rig_close(&r);
	}
}

static void page_made_anew_settles_nothing_of_the_one_before_it(void **unused)
{
	uint64_t right;
	struct rig r;

	(void)unused;
	open_taught(&r, false);
	right = r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0];
	meet(&r, U, PTE(0x809, DIRTY));
	put(&r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	begin(&r, VPN(1, 10), U, PTE(0x70a, DIRTY));
	put(&r, ev_created(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_requested(0x70a, 1));
	set(&r, VPN(1, 10), SPTE_W(0x70a));
	end(&r);
	hidden(&r, VPN(1, 10), P | U | W, PTE(0x70a, DIRTY), SPTE_W(0x70a) | 1ull << 52);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][0], right);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_BESIDE_WALK][1], 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sync_drops_an_entry_that_maps_another_page_by_now),
		cmocka_unit_test(sync_drops_an_entry_whose_accessed_bit_is_clear),
		cmocka_unit_test(sync_leaves_an_entry_that_is_as_it_was),
		cmocka_unit_test(sync_before_the_entry_was_made_did_nothing_to_it),
		cmocka_unit_test(entry_found_there_refutes_the_drop_and_is_held_against_the_model),
		cmocka_unit_test(table_written_again_after_its_sync_still_tells_of_another_page),
		cmocka_unit_test(accessed_bit_cleared_in_an_unsync_table_tells_nothing),
		cmocka_unit_test(another_page_in_a_table_never_synced_takes_a_flush),
		cmocka_unit_test(entry_of_which_only_its_presence_is_known_tells_nothing),
		cmocka_unit_test(entry_from_before_a_cut_tells_nothing),
		cmocka_unit_test(guest_fault_below_a_missing_page_says_nothing_of_the_entry),
		cmocka_unit_test(drop_foreseen_is_dated_back_to_the_sync),
		cmocka_unit_test(entry_beside_one_that_maps_another_page_went_with_it),
		cmocka_unit_test(entry_beside_it_stays_until_that_has_proved_right_often_enough),
		cmocka_unit_test(entry_beside_it_that_is_found_refutes_that),
		cmocka_unit_test(
			what_went_beside_is_settled_once_and_not_by_what_the_guest_unmapped),
		cmocka_unit_test(prefetch_group_settles_what_went_beside_its_fault),
		cmocka_unit_test(copy_on_write_and_a_cleared_accessed_bit_take_nothing_beside_them),
		cmocka_unit_test(entry_made_after_the_sync_stays_beside_one_that_went),
		cmocka_unit_test(guest_fault_on_what_was_unmapped_takes_what_was_beside_it),
		cmocka_unit_test(unmapping_that_invlpg_flushed_takes_what_was_beside_it),
		cmocka_unit_test(page_made_anew_settles_nothing_of_the_one_before_it),
	};

	return cmocka_run_group_tests_name("silent", tests, NULL, NULL);
}
