// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How the observed MMU is held against a recording beyond the P bit: prefetch
 * groups, spurious faults, pages, what is not known, and whole recordings.
 */
#include "machine.h"

/* Checks 2 and 3: what a prefetch group says */

static void prefetched_entry_must_have_been_absent(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	group(&r, 0, 0x3e);
	assert_int_equal(r.fid->prefetched[0], 5);
	assert_int_equal(r.fid->prefetched[1], 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(present(&r, VPN(1, 8 + i)), i < 6);
	/* The same once more: KVM skips what is present, so all had gone. */
	group(&r, 0, 0x0e);
	assert_int_equal(r.fid->prefetched[0], 5);
	assert_int_equal(r.fid->prefetched[1], 3);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void entry_passed_over_below_a_set_one_was_present(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 10), U, PTE(0x70a, DIRTY), SPTE_W(0x70a));
	group(&r, 0, 0x32); /* 1, 4 and 5: 2 and 3 were passed over */
	assert_int_equal(r.fid->kept[0], 1); /* 2 is known */
	assert_int_equal(r.fid->kept[1], 1); /* 3 is not: but there it is */
	assert_true(present(&r, VPN(1, 11)));
	assert_false(present(&r, VPN(1, 14)));
	rig_close(&r);
}

static void group_ends_at_the_first_absent_entry_above_its_last(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 12), U, PTE(0x70c, DIRTY), SPTE_W(0x70c));
	group(&r, 0, 0x0e); /* 1, 2, 3; 4 was there; 5 stopped it */
	assert_true(last_step(&r)->flags & SPHT_STEP_STOP);
	assert_int_equal(last_step(&r)->stop, 8 + 5);
	group(&r, 6, 0); /* 5 again; 7 is above it and was never reached */
	assert_true(last_step(&r)->flags & SPHT_STEP_STOP);
	assert_int_equal(last_step(&r)->stop, 8 + 5);
	group(&r, 5, 0x80);
	assert_false(last_step(&r)->flags & SPHT_STEP_STOP);
	rig_close(&r);
}

static void stop_of_a_group_is_evidence_against_the_guests_entry(void **unused)
{
	const struct spht_change *c;
	struct spht_chunk chunk;
	struct spht_error err;
	bool refused = false;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	group(&r, 0, 0x0e);
	assert_int_equal(spht_observed_finish(r.o, &err), 0);
	first_chunk(&r, &chunk);
	c = chunk.changes[SPHT_CHANGE_INFERRED];
	for (uint32_t i = 0; i < chunk.nr_changes[SPHT_CHANGE_INFERRED]; i++)
		refused |= c[i].index == 12 && c[i].state == SPHT_GPTE_DECIDED;
	assert_true(refused);
	spht_chunk_close(&chunk);
	rig_close(&r);
}

static void group_around_an_mmio_entry_has_an_end_too(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	begin(&r, VPN(1, 8), U, PTE(0xfec00, DIRTY));
	put(&r, ev_requested(0xfec00, 1));
	put(&r, ev_bare(SPHT_EV_MARK_MMIO_SPTE)); /* in place of a set_spte */
	prefetch(&r, VPN(1, 9), 0x709);
	prefetch(&r, VPN(1, 10), 0x70a);
	put(&r, ev_emulate(0x401000));
	end(&r);
	assert_int_equal(last_step(&r)->cls, SPHT_CLASS_MMIO);
	assert_true(present(&r, VPN(1, 10)));
	assert_true(last_step(&r)->flags & SPHT_STEP_STOP);
	assert_int_equal(last_step(&r)->stop, 11);
	rig_close(&r);
}

/* Spurious faults */

static void spurious_fault_proves_its_entry_present(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	begin(&r, VPN(1, 0), U, PTE(0x700, DIRTY));
	put(&r, ev_requested(0x700, 1));
	end(&r);
	assert_int_equal(r.fid->spurious[0], 1);
	begin(&r, VPN(1, 9), U, PTE(0x709, DIRTY));
	put(&r, ev_requested(0x709, 1));
	end(&r);
	assert_int_equal(r.fid->spurious[1], 1);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

/* Check 4 */

static void pages_are_checked_for_being_made_or_found(void **unused)
{
	uint64_t pages[2];
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r); /* root and three more made */
	assert_int_equal(r.fid->get_page[false][true], 4);
	put(&r, ev_found(TABLE_GFN + 1, ROLE(1), false));
	assert_int_equal(r.fid->get_page[true][false], 1);
	put(&r, ev_created(TABLE_GFN + 1, ROLE(1))); /* and was never zapped */
	assert_int_equal(r.fid->get_page[true][true], 1);
	put(&r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_found(TABLE_GFN + 1, ROLE(1), false));
	assert_int_equal(r.fid->get_page[false][false], 1);
	put(&r, ev_found(TABLE_GFN + 5, ROLE(1), false)); /* older than the recording */
	assert_int_equal(r.fid->get_page[false][false], 1);
	assert_int_equal(r.fid->unknown_start, 1);
	put(&r, ev_found(TABLE_GFN + 5, ROLE(1), false)); /* and from now on known */
	spht_fidelity_pages(r.fid, pages);
	assert_int_equal(pages[0], 6);
	assert_int_equal(pages[1], 8);
	rig_close(&r);
}

/* What is not known */

static void state_from_before_the_recording_is_outside_the_score(void **unused)
{
	uint64_t agreed, all;
	struct rig r;

	(void)unused;
	rig_open_raw(&r, 8);
	load_cr3(&r, SIM_ROOT_GFN, false); /* found: the table may have any entries */
	hidden(&r, VPN(1, 0), P | U | W, PTE(0x700, DIRTY), SPTE_W(0x700));
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	spht_fidelity_score(r.fid, &agreed, &all);
	assert_int_equal(all, 0);
	assert_true(r.fid->unknown_start >= 2);
	/* What was seen is known from then on. */
	hidden(&r, VPN(1, 9), P | U | W, PTE(0x709, DIRTY), SPTE_W(0x709) | 1ull << 52);
	spht_fidelity_score(r.fid, &agreed, &all);
	assert_int_equal(all, 1);
	rig_close(&r);
}

static void losing_events_makes_every_belief_unknown_until_the_page_is_made_anew(void **unused)
{
	uint64_t agreed, all, all_then;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	spht_fidelity_score(r.fid, &agreed, &all);
	put(&r, ev_lost(10));
	assert_true(last_step(&r)->flags & SPHT_STEP_LOSS);
	hidden(&r, VPN(1, 0), U, PTE(0x700, DIRTY), SPTE_W(0x700));
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	spht_fidelity_score(r.fid, &agreed, &all_then);
	assert_int_equal(all_then, all);
	put(&r, ev_bare(SPHT_EV_ZAP_ALL_FAST));
	load_cr3(&r, SIM_ROOT_GFN, true);
	first_fault(&r);
	spht_fidelity_score(r.fid, &agreed, &all_then);
	assert_int_equal(all_then, all + 1);
	rig_close(&r);
}

static void preamble_of_a_cut_gives_pages_and_entries_and_no_verdict(void **unused)
{
	uint64_t agreed, all;
	struct spht_fidelity before;
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
	set(&r, VPN(1, 10), SPTE_RO(0x70a));
	r.f.preamble = false;
	/* The first fault binds the frame of the entries to its page. */
	load_cr3(&r, SIM_ROOT_GFN, false);
	hidden(&r, VPN(1, 0), U, PTE(0x700, DIRTY), SPTE_W(0x700));
	assert_true(present(&r, VPN(1, 9)));
	assert_true(writable(&r, VPN(1, 9)));
	assert_true(present(&r, VPN(1, 10)));
	assert_false(writable(&r, VPN(1, 10)));
	assert_false(present(&r, VPN(1, 11)));
	spht_fidelity_score(r.fid, &agreed, &all);
	assert_int_equal(all, 0);
	assert_int_equal(r.fid->get_page[false][true], 0);
	/* One of them may have been dropped before the cut: not held against the model. */
	before = *r.fid;
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_believed(&r, &before, SPHT_CLASS_NR, 0, 0);
	assert_int_equal(r.fid->unknown_start, before.unknown_start + 1);
	/* The rest of the table is known to be absent. */
	before = *r.fid;
	hidden(&r, VPN(1, 20), U, PTE(0x714, DIRTY), SPTE_W(0x714));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void entry_set_on_a_frame_that_no_page_has_is_counted(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_set(0x900, SPTE_PRE_W(0x900), SPTEP(0x9999, 4), 1));
	assert_int_equal(r.fid->unbound, 1);
	put(&r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	set(&r, VPN(1, 4), SPTE_PRE_W(0x900)); /* its page is gone */
	assert_int_equal(r.fid->unbound, 2);
	rig_close(&r);
}

/* Walks that the model cannot follow */

static void walk_that_skips_a_level_resolves_to_nothing(void **unused)
{
	static const struct {
		unsigned int level;
		uint64_t pte;
	} last[] = {{1, PTE(0x700, DIRTY)},
		    {2, PTE(0x400, DIRTY | SPHT_PTE_PS)},
		    {3, PTE(0x400, DIRTY | SPHT_PTE_PS)}};
	struct rig r;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
		for (unsigned int level = 1; level <= 2; level++) {
			rig_open(&r);
			first_fault(&r);
			feed_pf(&r.f, VPN(1, 0) << 12, U, 0);
			put(&r, ev_walk(VPN(1, 0) << 12, U));
			put(&r, ev_elem(PTE(SIM_L3_GFN, TABLE), 4));
			put(&r, ev_elem(last[i].pte, last[i].level));
			put(&r, ev_requested(0x700, level));
			set(&r, VPN(1, 0), SPTE_W(0x700));
			end(&r);
			assert_int_equal(r.fid->unmodelled, 1);
			assert_true(last_step(&r)->flags & SPHT_STEP_UNMODELLED);
			assert_false(last_step(&r)->flags & SPHT_STEP_HAS_LEAF);
			rig_close(&r);
		}
	}
}

/* Whole recordings */

static void consistent_recording_is_explained_wholly(void **unused)
{
	uint64_t kept = 0, weak = 0;

	(void)unused;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct rig r;
		struct sim *s = simulate(&r, seed & 1 ? 8 : 16, 1 + seed % 2, seed, false, -1);
		const struct spht_assemble_stats *st = spht_assemble_stats(r.f.assemble);
		uint64_t agreed, all;

		assert_int_equal(st->exits_total, s->exits);
		assert_memory_equal(st->by_class, s->by_class, sizeof(s->by_class));
		spht_fidelity_score(r.fid, &agreed, &all);
		if (agreed != all)
			fail_msg("seed %" PRIu64 ": %" PRIu64 " of %" PRIu64 " checks agree", seed,
				 agreed, all);
		assert_true(all > 1000);
		kept += r.fid->kept[0];
		weak += r.fid->pbit[SPHT_CLASS_AD][1][SPHT_BELIEF_WEAK];
		for (unsigned int d = 0; d < SPHT_DROP_NR; d++)
			assert_int_equal(r.fid->drops[d], 0);
		assert_int_equal(r.fid->get_page[true][true] + r.fid->get_page[false][false], 0);
		assert_int_equal(r.fid->unbound + r.fid->unmodelled + r.fid->role_mismatch, 0);
		free(s);
		rig_close(&r);
	}
	/* The side that says "present" is there in numbers, too. */
	assert_true(kept > 50);
	assert_true(weak > 50);
}

static void consistent_recording_ends_with_every_entry_as_it_is(void **unused)
{
	(void)unused;
	for (uint64_t seed = 21; seed <= 26; seed++) {
		struct rig r;
		struct sim *s = simulate(&r, 8, 1, seed, false, -1);

		for (unsigned int t = 0; t < SIM_TABLES; t++) {
			for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
				uint8_t spte = s->sp[t].spte[i];

				/* A flush may just have dropped what nobody has touched since. */
				if (present(&r, VPN(t, i)) == !spte)
					fail_msg("seed %" PRIu64 ": entry %u of table %u", seed, i,
						 t);
				if (spte)
					assert_int_equal(writable(&r, VPN(t, i)),
							 spte == SIM_WRITABLE);
			}
		}
		free(s);
		rig_close(&r);
	}
}

static void model_that_is_always_empty_or_always_full_scores_worse_on_each_side(void **unused)
{
	(void)unused;
	for (int mock = 0; mock <= 1; mock++) {
		struct spht_fidelity_sides sides;
		uint64_t agreed, all;
		struct rig r;
		struct sim *s = simulate(&r, 8, 1, 7, false, mock);

		spht_fidelity_score(r.fid, &agreed, &all);
		assert_true(all > 1000);
		assert_true(agreed * 100 < all * 99);
		spht_fidelity_sides(r.fid, &sides);
		assert_int_equal(sides.absent[0], mock ? 0 : sides.absent[1]);
		if (!mock)
			assert_int_equal(sides.present[0], 0);
		assert_false(spht_fidelity_passes(r.fid));
		free(s);
		rig_close(&r);
	}
}

static void silent_drops_are_foreseen_where_the_guests_entry_tells_of_them(void **unused)
{
	(void)unused;
	for (uint64_t seed = 31; seed <= 36; seed++) {
		uint64_t agreed, all, drops = 0, foreseen = 0;
		struct rig r;
		struct sim *s = simulate(&r, 8, 1, seed, true, -1);

		for (unsigned int d = 0; d < SPHT_DROP_NR; d++)
			drops += r.fid->drops[d];
		/* Those by the guest's entry; this guest does not unmap ranges. */
		for (unsigned int d = 0; d <= SPHT_DERIVED_FLUSHED; d++) {
			foreseen += r.fid->derived[d][0];
			assert_int_equal(r.fid->derived[d][1], 0);
		}
		assert_true(r.fid->derived[SPHT_DERIVED_BESIDE_GUEST][1] > 10);
		assert_true(foreseen > 10);
		assert_true(foreseen > 2 * drops);
		assert_int_equal(r.fid->drops[SPHT_DROP_UNEXPLAINED], 0);
		spht_fidelity_score(r.fid, &agreed, &all);
		assert_true(all - agreed >= drops); /* drops, and prefetches over stale entries */
		assert_true(agreed * 1000 > all * 990);
		free(s);
		rig_close(&r);
	}
}

static void threads_that_are_held_up_cost_no_side_of_the_score(void **unused)
{
	(void)unused;
	for (unsigned int vcpus = 1; vcpus <= 3; vcpus++) {
		struct spht_fidelity_sides all = {0};

		for (uint64_t seed = 41; seed <= 46; seed++) {
			struct spht_fidelity_sides s;
			struct rig r;
			struct sim *sim = simulate_held(&r, 8, vcpus, seed, false, -1, 40);
			const struct spht_assemble_stats *st = spht_assemble_stats(r.f.assemble);

			assert_int_equal(st->exits_total, sim->exits);
			assert_memory_equal(st->by_class, sim->by_class, sizeof(sim->by_class));
			assert_int_equal(r.fid->drops[SPHT_DROP_UNEXPLAINED], 0);
			assert_int_equal(r.fid->get_page[true][true], 0);
			assert_int_equal(r.fid->get_page[false][false], 0);
			assert_int_equal(r.fid->unbound + r.fid->role_mismatch, 0);
			spht_fidelity_sides(r.fid, &s);
			for (unsigned int i = 0; i < 2; i++) {
				all.absent[i] += s.absent[i];
				all.present[i] += s.present[i];
			}
			free(sim);
			rig_close(&r);
		}
		assert_true(all.present[1] > 1000);
		assert_true(all.present[0] * 1000 >= all.present[1] * 998);
		assert_true(all.absent[0] * 1000 >= all.absent[1] * 998);
	}
}

static void prefetch_window_is_told_by_the_recorded_groups(void **unused)
{
	(void)unused;
	for (unsigned int window = 1; window <= 64; window *= 2) {
		struct rig r;
		struct sim *s;

		if (window == 2 || window == 4)
			continue;
		s = simulate(&r, window, 1, 3, false, -1);
		assert_int_equal(spht_observed_window(r.o), window);
		free(s);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefetched_entry_must_have_been_absent),
		cmocka_unit_test(entry_passed_over_below_a_set_one_was_present),
		cmocka_unit_test(group_ends_at_the_first_absent_entry_above_its_last),
		cmocka_unit_test(stop_of_a_group_is_evidence_against_the_guests_entry),
		cmocka_unit_test(group_around_an_mmio_entry_has_an_end_too),
		cmocka_unit_test(spurious_fault_proves_its_entry_present),
		cmocka_unit_test(pages_are_checked_for_being_made_or_found),
		cmocka_unit_test(state_from_before_the_recording_is_outside_the_score),
		cmocka_unit_test(
			losing_events_makes_every_belief_unknown_until_the_page_is_made_anew),
		cmocka_unit_test(preamble_of_a_cut_gives_pages_and_entries_and_no_verdict),
		cmocka_unit_test(entry_set_on_a_frame_that_no_page_has_is_counted),
		cmocka_unit_test(walk_that_skips_a_level_resolves_to_nothing),
		cmocka_unit_test(consistent_recording_is_explained_wholly),
		cmocka_unit_test(consistent_recording_ends_with_every_entry_as_it_is),
		cmocka_unit_test(
			model_that_is_always_empty_or_always_full_scores_worse_on_each_side),
		cmocka_unit_test(silent_drops_are_foreseen_where_the_guests_entry_tells_of_them),
		cmocka_unit_test(threads_that_are_held_up_cost_no_side_of_the_score),
		cmocka_unit_test(prefetch_window_is_told_by_the_recorded_groups),
	};

	return cmocka_run_group_tests_name("fidelity", tests, NULL, NULL);
}
