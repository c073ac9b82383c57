// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: in which book every request ends.
 */
#include "what_if_script.h"

static void request_that_finds_no_room_is_refused(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	w.costs.queue_limit = 3;
	a = run(&w, "window:size=16", OPTIMISTIC);
	/* In each pass every fourth page faults; it asks for 15, of which 3 get in. */
	assert_int_equal(a.avoided_direct, 2 * (3 + 3 + 3 + 3));
	assert_int_equal(a.queue_full, 2 * (12 + 8 + 4));
	assert_int_equal(a.duplicate, 2 * (4 + 8 + 12));
	rig_close(&r);
}

static void demand_fault_cancels_the_request_that_waits_for_it(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {VPN(1, 0), VPN(1, 2)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 3);
	guest_runs(&r, 4000); /* at 5000 page 1 is begun, page 2 waits */
	hidden(&r, VPN(1, 2), U, page_pte(2), SPTE_W(0x702));
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	see_again(&r, 3);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.cancelled_demand, 1);
	assert_int_equal(a.used_late, 0);
	assert_int_equal(a.used_timely, 1 + 2); /* page 1, and both after see_again() */
	rig_close(&r);
}

static void asking_twice_is_a_duplicate_at_every_stage(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)},
					    {VPN(1, 0), VPN(1, 1)}, /* queued already */
					    {VPN(1, 3), VPN(1, 1)}, /* being built */
					    {VPN(1, 4), VPN(1, 1)}, /* built */
					    {VPN(1, 4), VPN(1, 4)}, /* there by the fault itself */
					    {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	zap_table(&r, 1);
	guest_runs(&r, LONG_NS);
	remake(&r, VPN(1, 0), page_pte(0), SPTE_W(0x700)); /* asks for 1 */
	guest_runs(&r, 5000);
	hidden(&r, VPN(1, 3), U, page_pte(3), SPTE_W(0x703));
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 4), U, page_pte(4), SPTE_W(0x704));
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	/* The very first fault asks twice as well, for what strict does not know by then. */
	assert_int_equal(a.generated, 7);
	assert_int_equal(a.unknown, 1);
	assert_int_equal(a.duplicate, 5);
	assert_int_equal(a.used_timely, 1);
	rig_close(&r);
}

static void page_of_which_nothing_is_known_is_unknown(void **unused)
{
	static const struct script ask[] = {
		{VPN(1, 9), VPN(5, 0)}, {VPN(1, 9), 1ull << 40}, {VPN(1, 9), VPN(1, 77)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, OPTIMISTIC);
	assert_int_equal(a.generated, 3);
	assert_int_equal(a.unknown, 3);
	rig_close(&r);
}

static void built_and_never_used_is_resident_at_the_end(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.built, 30);
	assert_int_equal(a.used_timely, 15);
	assert_int_equal(a.resident_unused, 15);
	rig_close(&r);
}

static void what_waits_and_what_is_built_at_the_end_is_counted(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.pending_end, 15);
	assert_int_equal(a.in_progress_end, 0);
	rig_close(&r);

	begin_second_pass(&r, 16);
	guest_runs(&r, 4000); /* the first is begun at 5000 */
	put(&r, ev_exit_svm(SVM_HLT, 0, 0, 0));
	put(&r, ev_zap(0x99999, ROLE(1)));
	put(&r, ev_entry(0));
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.pending_end, 14);
	assert_int_equal(a.in_progress_end, 1);
	rig_close(&r);
}

static void zap_takes_built_entries_unused_and_waiting_requests(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	pause_long(&r);
	zap_table(&r, 1);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.zapped_unused, 15);
	assert_int_equal(a.resident_unused, 0);
	rig_close(&r);

	begin_second_pass(&r, 16);
	zap_table(&r, 1);
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.cancelled_zap, 15);
	assert_int_equal(a.built, 15); /* of the first pass */
	rig_close(&r);

	begin_second_pass(&r, 16);
	pause_long(&r);
	put(&r, ev_bare(SPHT_EV_ZAP_ALL_FAST));
	w = whatif_of(&r, 1);
	assert_int_equal(run(&w, "window:size=16", OPTIMISTIC).zapped_unused, 15);
	rig_close(&r);
}

static void zap_of_another_table_takes_nothing(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	zap_table(&r, 2);
	pause_long(&r);
	zap_table(&r, 2);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.zapped_unused + a.cancelled_zap, 0);
	assert_int_equal(a.resident_unused, 15);
	rig_close(&r);
}

static void losing_events_ends_what_is_known_of_built_entries(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	pause_long(&r);
	put(&r, ev_lost(9));
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.lost_epoch, 15);
	assert_int_equal(a.resident_unused, 0);
	rig_close(&r);
}

/* `none` is the recorded MMU in every world: run() checks the books. */
static void none_closes(struct rig *r)
{
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
		struct whatif w = whatif_of(r, 8);

		run(&w, "none", world);
	}
}

/*
 * Its own entry was never set; what was lies in no group of its: nobody prefetched, and
 * `none` must not, whatever the optimist holds of the neighbours.
 */
static void fault_whose_entry_was_set_elsewhere_prefetches_nothing(void **unused)
{
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	begin(&r, VPN(1, 19), U, page_pte(19));
	put(&r, ev_requested(0x713, 1));
	put(&r, ev_set(0x713, SPTE_W(0x713), SPTEP(FRAME(VPN(1, 19)), 200), 1));
	end(&r);
	hidden(&r, VPN(1, 16), U, page_pte(16), SPTE_W(0x710));
	none_closes(&r);
	rig_close(&r);
}

/*
 * No KVM does that, nor sets an entry twice; a damaged recording does, and `none` is as
 * recorded all the same.
 */
static void group_that_goes_over_entries_of_a_new_page_is_as_recorded(void **unused)
{
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	begin(&r, VPN(2, 5), U, page_pte(5));
	put(&r, ev_created(TABLE_GFN + 2, ROLE(1)));
	put(&r, ev_requested(0x705, 1));
	set(&r, VPN(2, 5), SPTE_W(0x705));
	prefetch(&r, VPN(2, 7), 0x707);
	set(&r, VPN(2, 7), SPTE_PRE_RO(0x707));
	end(&r);
	hidden(&r, VPN(2, 6), U, page_pte(6), SPTE_W(0x706));
	none_closes(&r);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_that_finds_no_room_is_refused),
		cmocka_unit_test(demand_fault_cancels_the_request_that_waits_for_it),
		cmocka_unit_test(asking_twice_is_a_duplicate_at_every_stage),
		cmocka_unit_test(page_of_which_nothing_is_known_is_unknown),
		cmocka_unit_test(built_and_never_used_is_resident_at_the_end),
		cmocka_unit_test(what_waits_and_what_is_built_at_the_end_is_counted),
		cmocka_unit_test(zap_takes_built_entries_unused_and_waiting_requests),
		cmocka_unit_test(zap_of_another_table_takes_nothing),
		cmocka_unit_test(fault_whose_entry_was_set_elsewhere_prefetches_nothing),
		cmocka_unit_test(group_that_goes_over_entries_of_a_new_page_is_as_recorded),
		cmocka_unit_test(losing_events_ends_what_is_known_of_built_entries),
	};

	return cmocka_run_group_tests_name("what-if: books", tests, NULL, NULL);
}
