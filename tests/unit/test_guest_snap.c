// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the three worlds make of whole tables that were read at once.  Expected states
 * are read off the definitions of the worlds, interval by interval.
 */
#include "guest_rig.h"

/* The recorder reads @bits of page @gfn in entry @index of a table that is known. */
static void shown_at(struct rig *r, uint32_t step, unsigned int index, uint64_t gfn, uint64_t bits)
{
	assert_int_equal(spht_guest_shown(r->guest, r->table, index, step, PTE(gfn, bits)), 0);
}

/* The whole table is read for the first time; of all entries the rig's alone is @bits. */
static void known(struct rig *r, uint32_t step, uint64_t gfn, uint64_t bits)
{
	uint64_t pte[SPHT_PT_ENTRIES] = {0};

	pte[r->index] = PTE(gfn, bits);
	assert_int_equal(spht_guest_know(r->guest, r->table, step, pte, SPHT_PT_ENTRIES), 0);
}

/* And again: that entry has changed. */
static void changed(struct rig *r, uint32_t step, uint64_t gfn, uint64_t bits)
{
	shown_at(r, step, r->index, gfn, bits);
	spht_guest_still(r->guest, r->table, step);
}

static void unchanged(struct rig *r, uint32_t step)
{
	spht_guest_still(r->guest, r->table, step);
}

static void entry_that_no_snapshot_sees_change_is_proven_from_the_first_to_the_last(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, DIRTY);
	for (uint32_t step = 11; step <= 20; step++)
		unchanged(&r, step);
	CHECK(&r, "?ww??", "?wwww", "wwwww", AROUND_TWO);
	rig_close(&r);
}

static void entry_that_was_never_seen_is_absent_in_a_table_that_is_known(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	CHECK(&r, "?--??", "?----", "?----", AROUND_TWO);
	r.index = 500;
	CHECK(&r, "?--??", "?----", "?----", AROUND_TWO);
	r.table = 4;
	CHECK(&r, "?????", "?????", "?????", AROUND_TWO);
	rig_close(&r);
}

static void entry_that_comes_between_two_snapshots_was_absent_until_the_first(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	changed(&r, 30, 0x700, DIRTY);
	unchanged(&r, 40);
	CHECK(&r, "-??ww?", "---www", "-wwwww", 10, 20, 29, 30, 39, 40);
	rig_close(&r);
}

static void entry_that_goes_between_two_snapshots_was_there_until_the_first(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, DIRTY);
	unchanged(&r, 20);
	changed(&r, 30, 0, 0);
	unchanged(&r, 40);
	CHECK(&r,
	      "w?"
	      "?--?",
	      "www---", "www---", 10, 20, 29, 30, 39, 40);
	rig_close(&r);
}

static void refault_in_a_known_table_comes_a_lead_time_before_the_access(void **unused)
{
	struct rig r;
	uint32_t nr, leads = 0;
	const struct spht_change *c;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	refaulted(&r, 30, 0x700);
	unchanged(&r, 30);
	CHECK(&r, "-???", "--ww", "-www", 10, 28, 29, 30);
	c = changes(&r, SPHT_WORLD_INFERRED, &nr);
	for (uint32_t i = 0; i < nr; i++)
		leads += c[i].step == 29 && (c[i].state & SPHT_GPTE_LEAD);
	assert_int_equal(leads, 1);
	rig_close(&r);
}

static void neighbours_that_come_with_a_refault_come_with_its_handler(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0, 0);
	absent(&r, 20);
	unchanged(&r, 20);
	refaulted(&r, 30, 0x700);
	shown_at(&r, 30, 41, 0x701, READONLY);
	shown_at(&r, 30, 60, 0x702, READONLY);
	unchanged(&r, 30);
	r.index = 41;
	CHECK(&r, "-?", "-r", "-r", 19, 29);
	/* Nobody guesses where everything is known. */
	r.index = 42;
	CHECK(&r, "---", "---", "---", 20, 29, 30 - 1);
	/* Of another group: no one knows when. */
	r.index = 60;
	CHECK(&r, "-??", "--r", "-rr", 10, 29, 30);
	rig_close(&r);
}

static void accessed_bit_that_comes_or_goes_is_there_only_where_both_looks_have_it(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, UNTOUCHED);
	changed(&r, 20, 0x700, DIRTY);
	changed(&r, 30, 0x700, UNTOUCHED);
	unchanged(&r, 40);
	CHECK(&r, "ooooo?", "oowwoo", "wwwwoo", 10, 19, 20, 29, 30, 40);
	rig_close(&r);
}

static void walk_that_sets_the_bits_itself_is_no_change_of_the_guests(void **unused)
{
	struct spht_evidence ev = {.table = 3,
				   .index = 40,
				   .kind = SPHT_EVIDENCE_PRESENT,
				   .step = 20,
				   .gfn = 0x700,
				   .w = true,
				   .sets_a = true,
				   .sets_d = true,
				   .frozen_since = SPHT_NOT_FROZEN};
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, UNTOUCHED);
	give(&r, &ev);
	unchanged(&r, 20);
	changed(&r, 30, 0x700, DIRTY);
	CHECK(&r, "oww?", "owww", "owww", 19, 20, 29, 30);
	rig_close(&r);
}

static void end_of_a_prefetch_group_says_nothing_of_a_known_table(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, DIRTY);
	shown(&r, 15, SPHT_EVIDENCE_REFUSED, 0, false);
	shown(&r, 16, SPHT_EVIDENCE_PREFETCHED, 0x700, false);
	unchanged(&r, 20);
	CHECK(&r, "ww", "ww", "ww", 10, 19);
	rig_close(&r);
}

static void prefetched_entry_that_no_snapshot_had_yet_came_before_it(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0, 0);
	shown(&r, 15, SPHT_EVIDENCE_PREFETCHED, 0x700, true);
	changed(&r, 20, 0x700, DIRTY);
	CHECK(&r, "??w", "--w", "www", 10, 14, 15);
	rig_close(&r);
}

static void table_that_cannot_be_read_any_more_is_proven_until_it_could(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, DIRTY);
	unchanged(&r, 20);
	assert_int_equal(spht_guest_unknow(r.guest, r.table), 0);
	assert_false(spht_guest_is_known(r.guest, r.table));
	known(&r, 30, 0x700, DIRTY);
	unchanged(&r, 40);
	CHECK(&r, "www?", "wwww", "wwww", 10, 29, 39, 40);
	r.index = 41;
	CHECK(&r, "-?--?", "-----", "-----", 19, 20, 30, 39, 40);
	/* A chunk of entries that no evidence has spoken of. */
	r.index = 300;
	CHECK(&r, "-?--?", "-----", "-----", 19, 20, 30, 39, 40);
	rig_close(&r);
}

static void entry_seen_after_a_table_was_known_was_absent_while_it_was(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	r.index = 300;
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	assert_int_equal(spht_guest_unknow(r.guest, r.table), 0);
	walked(&r, 30, 0x700, DIRTY);
	CHECK(&r, "-???", "---w", "-www", 10, 20, 29, 30);
	rig_close(&r);
}

static void entry_of_a_table_that_is_known_again_may_have_come_since_it_was(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	r.index = 300;
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	assert_int_equal(spht_guest_unknow(r.guest, r.table), 0);
	known(&r, 30, 0x700, DIRTY);
	CHECK(&r, "-???", "---w", "-www", 10, 20, 29, 30);
	rig_close(&r);
}

static void used_again_table_keeps_what_snapshots_showed_until_then(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0x700, DIRTY);
	unchanged(&r, 20);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 12), 0);
	assert_false(spht_guest_is_known(r.guest, r.table));
	CHECK(&r, "ww??", "ww??", "ww??", 10, 19, 20, 90);
	r.index = 300;
	CHECK(&r, "--??", "--??", "--??", 10, 19, 20, 90);
	rig_close(&r);
}

static void what_was_known_of_an_entry_before_is_held_against_the_first_snapshot(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 5, 0x700, DIRTY);
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	CHECK(&r,
	      "?"
	      "?--?",
	      "ww---", "ww---", 5, 9, 10, 19, 20);
	rig_close(&r);
}

static void store_into_a_frozen_table_is_not_dated_back_behind_a_snapshot(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	known(&r, 10, 0, 0);
	unchanged(&r, 20);
	walked_frozen(&r, 30, 0x700, 10);
	CHECK(&r, "-??", "---", "-ww", 10, 20, 29);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			entry_that_no_snapshot_sees_change_is_proven_from_the_first_to_the_last),
		cmocka_unit_test(entry_that_was_never_seen_is_absent_in_a_table_that_is_known),
		cmocka_unit_test(entry_that_comes_between_two_snapshots_was_absent_until_the_first),
		cmocka_unit_test(entry_that_goes_between_two_snapshots_was_there_until_the_first),
		cmocka_unit_test(refault_in_a_known_table_comes_a_lead_time_before_the_access),
		cmocka_unit_test(neighbours_that_come_with_a_refault_come_with_its_handler),
		cmocka_unit_test(
			accessed_bit_that_comes_or_goes_is_there_only_where_both_looks_have_it),
		cmocka_unit_test(walk_that_sets_the_bits_itself_is_no_change_of_the_guests),
		cmocka_unit_test(end_of_a_prefetch_group_says_nothing_of_a_known_table),
		cmocka_unit_test(prefetched_entry_that_no_snapshot_had_yet_came_before_it),
		cmocka_unit_test(table_that_cannot_be_read_any_more_is_proven_until_it_could),
		cmocka_unit_test(entry_seen_after_a_table_was_known_was_absent_while_it_was),
		cmocka_unit_test(entry_of_a_table_that_is_known_again_may_have_come_since_it_was),
		cmocka_unit_test(used_again_table_keeps_what_snapshots_showed_until_then),
		cmocka_unit_test(
			what_was_known_of_an_entry_before_is_held_against_the_first_snapshot),
		cmocka_unit_test(store_into_a_frozen_table_is_not_dated_back_behind_a_snapshot),
	};

	return cmocka_run_group_tests_name("guest_snap", tests, NULL, NULL);
}
