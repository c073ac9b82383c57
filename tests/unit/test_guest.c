// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the three worlds make of the evidence on one guest entry.  Expected
 * states are read off the definitions of the worlds, interval by interval.
 */
#include "guest_rig.h"

static void seen_twice_alike_it_was_there_in_between_in_every_world(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	walked(&r, 20, 0x700, DIRTY);
	CHECK(&r, "?ww??", "?wwww", "wwwww", AROUND_TWO);
	rig_close(&r);
}

static void seen_with_another_page_only_the_optimist_has_it_early(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	walked(&r, 20, 0x701, READONLY);
	CHECK(&r, "?????", "???rr", "wrrrr", AROUND_TWO);
	rig_close(&r);
}

static void same_page_with_other_rights_is_another_mapping(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, READONLY);
	walked(&r, 20, 0x700, DIRTY);
	CHECK(&r, "?????", "???ww", "rwwww", AROUND_TWO);
	rig_close(&r);
}

static void absent_then_present_it_came_at_an_unknown_time_in_between(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	absent(&r, 10);
	walked(&r, 20, 0x700, DIRTY);
	CHECK(&r, "?????", "?--ww", "?wwww", AROUND_TWO);
	rig_close(&r);
}

static void present_then_absent_it_went_as_late_as_the_world_allows(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	absent(&r, 20);
	CHECK(&r, "?????", "?ww--", "www--", AROUND_TWO);
	rig_close(&r);
}

static void absent_twice_it_was_absent_in_between_in_every_world(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	absent(&r, 10);
	absent(&r, 20);
	CHECK(&r, "?--??", "?----", "?----", AROUND_TWO);
	rig_close(&r);
}

static void refused_by_a_prefetch_group_counts_as_absent(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	walked(&r, 20, 0x700, DIRTY);
	CHECK(&r, "?????", "?--ww", "?wwww", AROUND_TWO);
	rig_close(&r);

	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	shown(&r, 20, SPHT_EVIDENCE_REFUSED, 0, false);
	CHECK(&r, "?????", "?ww--", "www--", AROUND_TWO);
	rig_close(&r);

	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	shown(&r, 20, SPHT_EVIDENCE_REFUSED, 0, false);
	CHECK(&r, "?--??", "?----", "?----", AROUND_TWO);
	rig_close(&r);
}

/* A walk finds A=0, in a table that is frozen since @since. */
static void walked_untouched(struct rig *r, uint32_t step, uint32_t since)
{
	struct spht_evidence ev = {
		.table = r->table,
		.index = r->index,
		.kind = SPHT_EVIDENCE_PRESENT,
		.step = step,
		.gfn = 0x700,
		.sets_a = true,
		.frozen_since = since,
	};

	give(r, &ev);
}

static void refused_page_that_was_never_accessed_was_there_all_the_same(void **unused)
{
	struct rig r;

	(void)unused;
	/* The table was frozen when the group ended: that was for A=0. */
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	shown(&r, 15, SPHT_EVIDENCE_REFUSED, 0, false);
	walked_untouched(&r, 20, 10);
	CHECK(&r, "??????", "?ooorr", "oooorr", 5, 10, 15, 19, 20, 90);
	rig_close(&r);

	/* What was accessed when it was found may have come meanwhile. */
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	walked_frozen(&r, 20, 0x700, 10);
	CHECK(&r, "????", "?www", "?www", 5, 10, 19, 90);
	rig_close(&r);

	/* It froze later: absent for all that is known, but the optimist. */
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	shown(&r, 15, SPHT_EVIDENCE_REFUSED, 0, false);
	walked_untouched(&r, 20, 12);
	CHECK(&r, "?--???", "?--orr", "oooorr", 5, 10, 14, 19, 20, 90);
	rig_close(&r);

	/* What was seen before the refusals goes on through them. */
	rig_open(&r);
	walked_untouched(&r, 5, SPHT_NOT_FROZEN);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	walked_untouched(&r, 20, 8);
	CHECK(&r, "oooo??", "oooorr", "oooorr", 5, 10, 15, 19, 20, 90);
	rig_close(&r);
}

static void refusals_end_with_what_the_table_was_before(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_REFUSED, 0, false);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 12), 0);
	walked_untouched(&r, 20, 5);
	CHECK(&r, "??????", "?-oorr", "?-oorr", 5, 10, 12, 19, 20, 90);
	rig_close(&r);
}

static void prefetched_entry_was_present_and_accessed(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_PREFETCHED, 0x700, false);
	shown(&r, 20, SPHT_EVIDENCE_PREFETCHED, 0x700, true);
	CHECK(&r, "?ww??", "?wwww", "rwwww", AROUND_TWO);
	rig_close(&r);
}

static void read_only_prefetch_of_a_writable_page_is_the_same_mapping(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	/* KVM maps what it prefetches read-only for reasons of its own. */
	shown(&r, 10, SPHT_EVIDENCE_PREFETCHED, 0x700, false);
	walked(&r, 20, 0x700, DIRTY);
	CHECK(&r, "?ww??", "?wwww", "rwwww", AROUND_TWO);
	rig_close(&r);

	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	shown(&r, 20, SPHT_EVIDENCE_PREFETCHED, 0x700, false);
	CHECK(&r, "?rr??", "?rrrr", "wrrrr", AROUND_TWO);
	rig_close(&r);
}

static void entry_that_was_passed_over_goes_on_as_it_was(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	shown(&r, 20, SPHT_EVIDENCE_KEPT, 0, false);
	CHECK(&r, "?ww??", "?wwww", "wwwww", AROUND_TWO);
	rig_close(&r);

	/* It speaks of the shadow entry; what comes after it is judged as before. */
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	shown(&r, 20, SPHT_EVIDENCE_KEPT, 0, false);
	absent(&r, 30);
	CHECK(&r, "?ww????", "?wwww--", "wwwww--", 5, 10, 19, 20, 29, 30, 90);
	rig_close(&r);
}

static void passed_over_and_never_seen_before_only_the_optimist_knows_it(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	shown(&r, 10, SPHT_EVIDENCE_KEPT, 0, false);
	CHECK(&r, "???", "???", "rrr", 5, 10, 90);
	rig_close(&r);
}

static void writable_means_allowed_and_dirty(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, CLEAN);
	walked(&r, 20, 0x700, CLEAN);
	walked(&r, 30, 0x700, DIRTY);
	CHECK(&r, "?rrww??", "?rrwwww", "rrrwwww", 5, 10, 19, 20, 29, 30, 90);
	rig_close(&r);
}

static void walk_leaves_the_accessed_bit_set_behind_it(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, UNTOUCHED);
	CHECK(&r, "???", "?rr", "orr", 9, 10, 90);
	rig_close(&r);

	/* Found clear again, the guest has cleared it, for all that is known at once. */
	rig_open(&r);
	walked(&r, 10, 0x700, UNTOUCHED | SPHT_PTE_D);
	walked(&r, 20, 0x700, UNTOUCHED | SPHT_PTE_D);
	CHECK(&r, "?OO??", "?OOww", "OOOww", AROUND_TWO);
	rig_close(&r);
}

static void walk_that_failed_leaves_the_accessed_bit_alone(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, UNTOUCHED);
	CHECK(&r, "???", "?rr", "orr", 9, 10, 90);
	rig_close(&r);

	/* A protection fault reads the entry and sets nothing in it. */
	rig_open(&r);
	give(&r, &(struct spht_evidence){.table = r.table,
					 .index = r.index,
					 .kind = SPHT_EVIDENCE_PRESENT,
					 .step = 10,
					 .gfn = 0x700,
					 .frozen_since = SPHT_NOT_FROZEN});
	CHECK(&r, "???", "?oo", "ooo", 9, 10, 90);
	rig_close(&r);
}

/* What a receiver of changes relies on */

static void generation_flips_when_the_entry_maps_another_page_and_only_then(void **unused)
{
	static const uint64_t gfn[] = {0x700, 0x700, 0x701, 0x701, 0x701, 0x700, 0x700};
	uint8_t last = 0;
	struct rig r;

	(void)unused;
	rig_open(&r);
	for (uint32_t i = 0; i < ARRAY_SIZE(gfn); i++)
		walked(&r, 10 * i, gfn[i], DIRTY);
	/* Where two neighbouring pieces of evidence agree, all worlds have the entry. */
	for (uint32_t i = 0; i + 1 < ARRAY_SIZE(gfn); i++) {
		uint8_t gen = state_at(&r, SPHT_WORLD_STRICT, 10 * i) & SPHT_GPTE_GENERATION;

		if (gfn[i] != gfn[i + 1])
			continue;
		if (i)
			assert_int_equal(gen != last, gfn[i] != gfn[i - 1]);
		assert_int_equal(state_at(&r, SPHT_WORLD_INFERRED, 10 * i) & SPHT_GPTE_GENERATION,
				 gen);
		assert_int_equal(state_at(&r, SPHT_WORLD_OPTIMISTIC, 10 * i) & SPHT_GPTE_GENERATION,
				 gen);
		last = gen;
	}
	rig_close(&r);
}

static void changes_come_in_order_of_step_and_in_a_step_in_order_of_evidence(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	for (uint32_t i = 0; i < 8; i++) {
		r.table = 7 - i; /* against the order of tables */
		absent(&r, 10);
	}
	for (uint32_t i = 0; i < 8; i++) {
		r.table = i;
		walked(&r, 20 + i, 0x700, DIRTY); /* goes back to 10 in the optimistic world */
	}
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		uint32_t nr, at10 = 0;
		const struct spht_change *c = changes(&r, w, &nr);

		for (uint32_t i = 1; i < nr; i++)
			assert_true(c[i - 1].step <= c[i].step);
		for (uint32_t i = 0; i < nr; i++) {
			if (c[i].step != 10)
				continue;
			/* First the eight absences, table 7 first, then what overrides them. */
			assert_int_equal(c[i].table, at10 < 8 ? 7 - at10 : at10 - 8);
			at10++;
		}
		assert_int_equal(at10, w == SPHT_WORLD_STRICT     ? 0
				       : w == SPHT_WORLD_INFERRED ? 8
								  : 16);
	}
	rig_close(&r);
}

static void change_that_changes_nothing_is_not_told(void **unused)
{
	struct rig r;
	uint32_t nr;

	(void)unused;
	rig_open(&r);
	for (uint32_t step = 10; step < 60; step += 10)
		walked(&r, step, 0x700, DIRTY);
	(void)changes(&r, SPHT_WORLD_STRICT, &nr);
	assert_int_equal(nr, 2); /* there from 10, undecided from 50 */
	(void)changes(&r, SPHT_WORLD_INFERRED, &nr);
	assert_int_equal(nr, 1);
	(void)changes(&r, SPHT_WORLD_OPTIMISTIC, &nr);
	assert_int_equal(nr, 1);
	rig_close(&r);
}

static void entries_do_not_mix(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	for (unsigned int table = 0; table < 600; table += 299) {
		for (unsigned int index = 0; index < SPHT_PT_ENTRIES; index += 73) {
			r.table = table;
			r.index = (uint16_t)index;
			if ((table + index) & 1)
				walked(&r, 10, table * 512 + index, DIRTY);
			else
				absent(&r, 10);
		}
	}
	assert_int_equal(spht_guest_entries(r.guest), 3 * 8);
	for (unsigned int table = 0; table < 600; table += 299) {
		for (unsigned int index = 0; index < SPHT_PT_ENTRIES; index++) {
			char want = index % 73 ? '?' : (table + index) & 1 ? 'w' : '-';

			r.table = table;
			r.index = (uint16_t)index;
			assert_int_equal(letter(state_at(&r, SPHT_WORLD_INFERRED, 10)), want);
		}
	}
	rig_close(&r);
}

static void worlds_have_names(void **unused)
{
	(void)unused;
	assert_string_equal(spht_world_name(SPHT_WORLD_STRICT), "strict");
	assert_string_equal(spht_world_name(SPHT_WORLD_INFERRED), "inferred");
	assert_string_equal(spht_world_name(SPHT_WORLD_OPTIMISTIC), "optimistic");
	assert_string_equal(spht_world_name(SPHT_WORLD_NR), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seen_twice_alike_it_was_there_in_between_in_every_world),
		cmocka_unit_test(seen_with_another_page_only_the_optimist_has_it_early),
		cmocka_unit_test(same_page_with_other_rights_is_another_mapping),
		cmocka_unit_test(absent_then_present_it_came_at_an_unknown_time_in_between),
		cmocka_unit_test(present_then_absent_it_went_as_late_as_the_world_allows),
		cmocka_unit_test(absent_twice_it_was_absent_in_between_in_every_world),
		cmocka_unit_test(refused_by_a_prefetch_group_counts_as_absent),
		cmocka_unit_test(refused_page_that_was_never_accessed_was_there_all_the_same),
		cmocka_unit_test(refusals_end_with_what_the_table_was_before),
		cmocka_unit_test(prefetched_entry_was_present_and_accessed),
		cmocka_unit_test(read_only_prefetch_of_a_writable_page_is_the_same_mapping),
		cmocka_unit_test(entry_that_was_passed_over_goes_on_as_it_was),
		cmocka_unit_test(passed_over_and_never_seen_before_only_the_optimist_knows_it),
		cmocka_unit_test(writable_means_allowed_and_dirty),
		cmocka_unit_test(walk_leaves_the_accessed_bit_set_behind_it),
		cmocka_unit_test(walk_that_failed_leaves_the_accessed_bit_alone),
		cmocka_unit_test(generation_flips_when_the_entry_maps_another_page_and_only_then),
		cmocka_unit_test(changes_come_in_order_of_step_and_in_a_step_in_order_of_evidence),
		cmocka_unit_test(change_that_changes_nothing_is_not_told),
		cmocka_unit_test(entries_do_not_mix),
		cmocka_unit_test(worlds_have_names),
	};

	return cmocka_run_group_tests_name("guest", tests, NULL, NULL);
}
