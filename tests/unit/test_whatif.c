// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: what is avoided, by whom, and what goes with an avoided fault.
 */
#include "what_if_script.h"

/* none */

static void without_a_helper_the_what_if_equals_the_recording(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
		struct spht_account a = run(&w, "none", world),
				    empty = {.f_base = 32, .remaining = 32};

		assert_true(a.base_ns > 0);
		assert_int_equal(a.helped_ns, a.base_ns);
		/* 32 exits of 1 us. */
		assert_int_equal(a.f_base_ns, 32000);
		empty.base_ns = empty.helped_ns = a.base_ns;
		empty.f_base_ns = a.f_base_ns;
		assert_memory_equal(&a, &empty, sizeof(a));
	}
	rig_close(&r);
}

static void without_a_helper_an_mmio_groups_end_holds(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	begin(&r, VPN(1, 8), U, PTE(0xfec00, DIRTY));
	put(&r, ev_requested(0xfec00, 1));
	put(&r, ev_bare(SPHT_EV_MARK_MMIO_SPTE));
	prefetch(&r, VPN(1, 9), 0x709);
	put(&r, ev_emulate(0x401000));
	end(&r);
	/* Entry 10 stopped the group; for all the optimist knows it was there before. */
	hidden(&r, VPN(1, 10), U, page_pte(10), SPTE_W(0x70a));
	w = whatif_of(&r, 8);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++)
		run(&w, "none", world);
	rig_close(&r);
}

static void without_a_helper_silent_drops_do_not_part_the_two(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	touch_pages(&r, 1, 7, false);
	sync_table(&r, 1);
	touch_pages(&r, 3, 2, false); /* gone at the sync */
	put(&r, ev_lost(5));
	touch_pages(&r, 1, 7, false);
	w = whatif_of(&r, 8);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++)
		run(&w, "none", world);
	rig_close(&r);
}

/* window */

static void window_avoids_the_known_neighbours_of_the_first_fault(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", STRICT);
	assert_int_equal(a.f_base, 32);
	assert_int_equal(a.avoided_direct, 15);
	assert_int_equal(a.avoided_side, 0);
	assert_int_equal(a.remaining, 17);
	/* First pass: fault i asks for 15; the i before it are there, the others not known. */
	assert_int_equal(a.generated, 16 * 15 + 15);
	assert_int_equal(a.duplicate, 15 * 16 / 2);
	assert_int_equal(a.unknown, 15 * 16 / 2);
	assert_int_equal(a.issued, 15);
	assert_int_equal(a.built, 15);
	assert_int_equal(a.used_timely, 15);
	assert_int_equal(a.new_exits_hi + a.helper_exits, 0);
	assert_int_equal(a.helper_busy_ns, 120 * 200 + 15 * 6200);

	/* Optimistic: present from the start.  Inferred: since the table is write-protected. */
	for (unsigned int world = INFERRED; world <= OPTIMISTIC; world++) {
		a = run(&w, "window:size=16", world);
		assert_int_equal(a.avoided_direct, 30);
		assert_int_equal(a.remaining, 2);
		assert_int_equal(a.generated, 30);
		assert_int_equal(a.built, 30);
	}
	rig_close(&r);
}

static void oracle_avoids_all_that_the_world_knows(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	a = run(&w, "oracle", STRICT);
	assert_int_equal(a.avoided_direct, 16);
	a = run(&w, "oracle", OPTIMISTIC);
	assert_int_equal(a.avoided_direct, 32);
	assert_int_equal(a.remaining, 0);
	rig_close(&r);
}

/* KVM's own prefetch, and the helper's: two groups of eight, twice. */
static void two_groups_twice(struct rig *r)
{
	open_timed(r, 8);
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int first = 8; first < 24; first += 8) {
			guest_runs(r, LONG_NS);
			begin(r, VPN(1, first), U, page_pte(first));
			if (pass && first == 8)
				put(r, ev_created(TABLE_GFN + 1, ROLE(1)));
			put(r, ev_requested(0x700 + first, 1));
			set(r, VPN(1, first), SPTE_W(0x700 + first));
			for (unsigned int i = first + 1; i < first + 8; i++)
				prefetch(r, VPN(1, i), 0x700 + i);
			end(r);
		}
		if (!pass)
			zap_table(r, 1);
	}
}

static const struct script ask_for_16_at_8[] = {{VPN(1, 8), VPN(1, 16)}, {0, 0}};

static void helpers_build_brings_its_neighbours(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	w.helper_prefetch = true;
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.side_built, 7);
	assert_int_equal(a.new_exits_hi, 0);
	assert_int_equal(a.use_unknown, 0); /* nobody asked for them */
	assert_int_equal(a.generated, 2);
	assert_int_equal(a.unknown, 1); /* in the first pass */
	rig_close(&r);
}

static void helpers_group_ends_at_a_hole_as_kvms_does(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	for (unsigned int pass = 0; pass < 3; pass++) {
		touch_pages(&r, 8, 1, pass);
		guest_runs(&r, LONG_NS);
		begin(&r, VPN(1, 16), U, page_pte(16));
		put(&r, ev_requested(0x710, 1));
		set(&r, VPN(1, 16), SPTE_W(0x710));
		prefetch(&r, VPN(1, 17), 0x711); /* 18 is a hole */
		end(&r);
		touch_pages(&r, 19, 1, false);
		zap_table(&r, 1);
	}
	w = whatif_of(&r, 8);
	w.helper_prefetch = true;
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.avoided_direct, 2);
	assert_int_equal(a.side_built, 2); /* page 17, twice */
	assert_int_equal(a.avoided_side, 0);
	rig_close(&r);
}

static void avoided_fault_takes_its_prefetch_with_it(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.side_built, 0);
	assert_int_equal(a.new_exits_hi, 7);
	assert_int_equal(a.new_exits_lo, 0); /* nobody is seen to touch them */
	rig_close(&r);
}

static void touch_of_a_lacking_entry_is_proven_by_a_fault_on_what_is_there(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	begin(&r, VPN(1, 18), U, page_pte(18)); /* spurious */
	put(&r, ev_requested(0x712, 1));
	end(&r);
	guest_fault(&r, VPN(1, 19), U, 0); /* P=0: proves nothing */
	hidden(&r, VPN(1, 17), P | W | U, page_pte(17), SPTE_W(0x711)); /* P=1 */
	hidden(&r, VPN(1, 17), P | W | U, page_pte(17), SPTE_W(0x711)); /* the same once more */
	w = whatif_of(&r, 8);
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.new_exits_hi, 7);
	assert_int_equal(a.new_exits_lo, 2);
	w.helper_prefetch = true; /* now they are there */
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.new_exits_hi, 0);
	assert_int_equal(a.new_exits_lo, 0);
	rig_close(&r);
}

static void entry_prefetched_in_the_recording_has_an_unseen_use(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	a = run(&w, "window:size=32", STRICT);
	assert_int_equal(a.avoided_direct, 1); /* page 16 */
	assert_int_equal(a.use_unknown, 7); /* 17 to 23: KVM set them by itself */
	assert_int_equal(a.new_exits_hi, 0);
	rig_close(&r);
}

static void oracle_does_not_lose_a_group_to_avoid_its_fault(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	for (unsigned int prefetch_too = 0; prefetch_too <= 1; prefetch_too++) {
		w.helper_prefetch = prefetch_too;
		for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
			double best = 0, own;

			a = run(&w, "oracle", world);
			own = spht_account_avoided(&a, (double)a.new_exits_hi);
			a = run(&w, "window:size=32", world);
			best = spht_account_avoided(&a, (double)a.new_exits_hi);
			assert_true(best >= 1);
			assert_true(own >= best);
		}
	}
	rig_close(&r);
}

static void oracle_lets_a_fault_happen_that_brings_what_nobody_knows(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	touch_pages(&r, 8, 1, false);
	zap_table(&r, 1);
	guest_runs(&r, LONG_NS);
	begin(&r, VPN(1, 8), U, page_pte(8));
	put(&r, ev_created(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_requested(0x708, 1));
	set(&r, VPN(1, 8), SPTE_W(0x708));
	prefetch(&r, VPN(1, 9), 0x709);
	end(&r);
	w = whatif_of(&r, 8);
	/* Strict: page 9 is shown by this group alone, before and after it is not known. */
	a = run(&w, "oracle", STRICT);
	assert_int_equal(a.avoided_direct, 0);
	/* Inferred: it is known right after, so it can be built in place of the group. */
	a = run(&w, "oracle", INFERRED);
	assert_int_equal(a.avoided_direct, 2); /* page 8 each time: its table was frozen */
	assert_int_equal(a.new_exits_hi, 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_helper_the_what_if_equals_the_recording),
		cmocka_unit_test(without_a_helper_an_mmio_groups_end_holds),
		cmocka_unit_test(without_a_helper_silent_drops_do_not_part_the_two),
		cmocka_unit_test(window_avoids_the_known_neighbours_of_the_first_fault),
		cmocka_unit_test(oracle_avoids_all_that_the_world_knows),
		cmocka_unit_test(helpers_build_brings_its_neighbours),
		cmocka_unit_test(helpers_group_ends_at_a_hole_as_kvms_does),
		cmocka_unit_test(avoided_fault_takes_its_prefetch_with_it),
		cmocka_unit_test(touch_of_a_lacking_entry_is_proven_by_a_fault_on_what_is_there),
		cmocka_unit_test(entry_prefetched_in_the_recording_has_an_unseen_use),
		cmocka_unit_test(oracle_does_not_lose_a_group_to_avoid_its_fault),
		cmocka_unit_test(oracle_lets_a_fault_happen_that_brings_what_nobody_knows),
	};

	return cmocka_run_group_tests_name("what-if", tests, NULL, NULL);
}
