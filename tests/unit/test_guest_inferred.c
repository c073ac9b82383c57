// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the inferred world concludes of entries that nobody has asked for: from frozen
 * tables, from groups that the guest mapped around a fault, from the kernel's habits.
 */
#include "guest_rig.h"

static void what_a_frozen_table_shows_was_there_since_it_froze(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked_frozen(&r, 20, 0x700, 15);
	CHECK(&r, "?????", "??www", "wwwww", 5, 14, 15, 20, 90);
	rig_close(&r);

	rig_open(&r);
	absent(&r, 10);
	walked_frozen(&r, 20, 0x700, 15);
	CHECK(&r, "??????", "?--www", "?wwwww", 5, 10, 14, 15, 20, 90);
	rig_close(&r);

	rig_open(&r);
	walked(&r, 10, 0x6ff, DIRTY);
	walked_frozen(&r, 20, 0x700, 15);
	CHECK(&r, "??????", "???www", "wwwwww", 5, 10, 14, 15, 20, 90);
	rig_close(&r);
}

/* The guest faults on entry 35 at 10 and has it at 20; entry 40 is in its group of 16. */
static void serve_a_neighbour(struct rig *r)
{
	r->index = 35;
	absent(r, 10);
	walked(r, 20, 0x600, DIRTY);
	r->index = 40;
}

static void neighbour_came_when_the_guests_fault_in_its_group_was_served(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	/* Just before the walk of step 20: with the page that the handler was asked for. */
	CHECK(&r, "????", "?www", "wwww", 18, 19, 50, 90);
	assert_true(state_at(&r, SPHT_WORLD_INFERRED, 19) & SPHT_GPTE_LEAD);
	rig_close(&r);
}

static void entries_of_a_group_that_was_mapped_around_are_guessed_to_be_there(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	r.index = 41; /* nothing ever shows it */
	CHECK(&r, "????", "?rrr", "????", 18, 19, 50, 90);
	r.index = 48; /* of the next group */
	CHECK(&r, "????", "????", "????", 18, 19, 50, 90);
	rig_close(&r);
}

static void guessed_entry_is_what_later_evidence_shows(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	r.index = 41;
	shown(&r, 60, SPHT_EVIDENCE_PREFETCHED, 0x606, true);
	CHECK(&r, "?????", "?wwww", "wwwww", 18, 19, 50, 60, 90);
	rig_close(&r);

	rig_open(&r);
	serve_a_neighbour(&r);
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	r.index = 41;
	absent(&r, 60);
	/* It was not mapped with the others: nothing took it away since. */
	CHECK(&r, "????", "?---", "????", 18, 19, 50, 59);
	CHECK(&r, "?", "-", "-", 60);
	rig_close(&r);

	rig_open(&r);
	serve_a_neighbour(&r);
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	r.index = 41;
	refaulted(&r, 60, 0x606); /* the guest fault before it met no table */
	CHECK(&r, "?????", "?---w", "wwwww", 18, 19, 50, 58, 59);
	rig_close(&r);
}

static void some_of_what_is_guessed_is_not_there(void **unused)
{
	unsigned int guessed = 0, holes = 0;
	struct rig r;

	(void)unused;
	rig_open(&r);
	for (r.table = 0; r.table < 1000; r.table++) {
		r.index = 35;
		absent(&r, 10);
	}
	for (r.table = 0; r.table < 1000; r.table++) {
		r.index = 35;
		walked(&r, 20, 0x600, DIRTY);
	}
	for (r.table = 0; r.table < 1000; r.table++) {
		r.index = 40;
		shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	}
	for (r.table = 0; r.table < 1000; r.table += 7) {
		for (r.index = 32; r.index < 48; r.index++) {
			guessed += r.index != 35 && r.index != 40;
			holes += !state_at(&r, SPHT_WORLD_INFERRED, 50);
		}
	}
	/* 4.3 % of 2002: not exactly, since only every seventh table is looked at. */
	assert_int_equal(guessed, 143 * 14);
	assert_in_range(holes, 80, 92);
	rig_close(&r);
}

static void first_refault_in_a_new_table_served_its_group(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	/* The guest fault before it met no table. */
	r.index = 35;
	refaulted(&r, 20, 0x600);
	r.index = 40;
	walked(&r, 50, 0x605, DIRTY);
	CHECK(&r, "????", "?www", "wwww", 18, 19, 50, 90);
	r.index = 41;
	CHECK(&r, "????", "?rrr", "????", 18, 19, 50, 90);
	rig_close(&r);
}

static void kernels_mappings_are_made_whole(void **unused)
{
	struct spht_evidence ev = {.table = 3,
				   .index = 40,
				   .kind = SPHT_EVIDENCE_PRESENT,
				   .step = 20,
				   .gfn = 0x600,
				   .w = true,
				   .a = true,
				   .d = true,
				   .kernel = true,
				   .frozen_since = SPHT_NOT_FROZEN};
	struct rig r;

	(void)unused;
	rig_open(&r);
	give(&r, &ev);
	r.index = 41;
	CHECK(&r, "????", "?rrr", "????", 18, 19, 50, 90);
	r.index = 48; /* of the next group */
	CHECK(&r, "????", "????", "????", 18, 19, 50, 90);
	rig_close(&r);

	/* The same of a process: it may be the only page. */
	rig_open(&r);
	ev.kernel = false;
	give(&r, &ev);
	r.index = 41;
	CHECK(&r, "????", "????", "????", 18, 19, 50, 90);
	rig_close(&r);
}

static void what_is_guessed_in_a_frozen_table_was_there_since_it_froze(void **unused)
{
	struct spht_evidence ev = {.table = 3,
				   .index = 40,
				   .kind = SPHT_EVIDENCE_PRESENT,
				   .step = 50,
				   .gfn = 0x604,
				   .kernel = true,
				   .w = true,
				   .a = true,
				   .d = true,
				   .frozen_since = 20};
	const struct spht_change *c;
	struct rig r;
	uint32_t nr;

	(void)unused;
	rig_open(&r);
	give(&r, &ev);
	CHECK(&r, "????", "?www", "wwww", 19, 20, 49, 50);
	r.index = 41; /* nothing ever shows it */
	CHECK(&r, "????", "?rrr", "????", 19, 20, 49, 50);
	rig_close(&r);

	/* The fault's own prefetch shows it: no later than the fault's entry. */
	rig_open(&r);
	give(&r, &ev);
	ev.index = 41;
	ev.kind = SPHT_EVIDENCE_PREFETCHED;
	ev.gfn = 0x605;
	give(&r, &ev);
	r.index = 41;
	CHECK(&r, "????", "?www", "wwww", 19, 20, 49, 50);
	rig_close(&r);

	/* Refuted, it never was there: nothing of it waits for a lead time. */
	rig_open(&r);
	ev.index = 40;
	ev.kind = SPHT_EVIDENCE_PRESENT;
	give(&r, &ev);
	r.index = 41;
	absent(&r, 60);
	CHECK(&r, "????", "?---", "????", 19, 20, 49, 59);
	c = changes(&r, SPHT_WORLD_INFERRED, &nr);
	for (uint32_t i = 0; i < nr; i++)
		if (c[i].step == 20)
			assert_int_equal(c[i].state & SPHT_GPTE_LEAD, 0);
	rig_close(&r);

	/* Frozen when the page was another table: it can be no older than this one. */
	rig_open(&r);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 30), 0);
	give(&r, &ev);
	r.index = 41;
	CHECK(&r, "????", "??rr", "????", 20, 29, 30, 50);
	rig_close(&r);
}

static void page_that_follows_its_own_guest_fault_says_nothing_of_its_group(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	absent(&r, 45);
	refaulted(&r, 50, 0x605);
	/* Stored a lead time before the access, not when the group was served. */
	CHECK(&r, "????", "?--w", "?www", 19, 45, 48, 49);
	assert_true(state_at(&r, SPHT_WORLD_INFERRED, 49) & SPHT_GPTE_LEAD);
	r.index = 41;
	CHECK(&r, "????", "????", "????", 18, 19, 50, 90);
	rig_close(&r);
}

static void fault_around_maps_one_aligned_group_of_sixteen(void **unused)
{
	struct rig r;

	(void)unused;
	for (unsigned int index = 16; index < 64; index++) {
		bool inside = index >= 32 && index < 48;

		if (index == 35)
			continue;
		rig_open(&r);
		serve_a_neighbour(&r);
		r.index = (uint16_t)index;
		shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
		CHECK(&r, "????", inside ? "?www" : "??ww", "wwww", 18, 19, 50, 90);
		rig_close(&r);
	}
}

static void earlier_of_frozen_table_and_served_fault_counts(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	walked_frozen(&r, 50, 0x605, 30);
	CHECK(&r, "????", "?www", "wwww", 18, 19, 50, 90);
	rig_close(&r);

	rig_open(&r);
	serve_a_neighbour(&r);
	walked_frozen(&r, 50, 0x605, 15);
	CHECK(&r, "????", "?www", "wwww", 14, 15, 50, 90);
	rig_close(&r);
}

static void entry_with_a_fault_of_its_own_did_not_come_with_the_group(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	r.index = 40;
	absent(&r, 5);
	serve_a_neighbour(&r);
	walked(&r, 50, 0x605, DIRTY);
	CHECK(&r, "????", "---w", "wwww", 5, 20, 49, 50);
	rig_close(&r);
}

static void hole_seen_in_the_group_ends_what_its_last_service_tells(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	r.index = 36;
	absent(&r, 30);
	r.index = 40;
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	CHECK(&r, "????", "???w", "wwww", 19, 20, 49, 50);
	rig_close(&r);
}

static void other_table_has_groups_of_its_own(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	r.table = 4;
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	CHECK(&r, "????", "???w", "wwww", 19, 20, 49, 50);
	rig_close(&r);
}

/* Tables that are used again */

static void used_again_table_tells_nothing_of_its_former_life(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 12), 0);
	walked(&r, 20, 0x700, DIRTY); /* even if it maps the same page */
	CHECK(&r, "??????", "?ww?ww", "wwwwww", 5, 10, 11, 12, 20, 90);
	rig_close(&r);

	rig_open(&r);
	absent(&r, 10);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 12), 0);
	absent(&r, 20);
	CHECK(&r, "??????", "?--?--", "?--?--", 5, 10, 11, 12, 20, 90);
	rig_close(&r);

	/* Nor where nothing is seen of it any more. */
	rig_open(&r);
	walked(&r, 10, 0x700, DIRTY);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 12), 0);
	CHECK(&r, "????", "?w??", "ww??", 5, 11, 12, 90);
	rig_close(&r);
}

static void used_again_table_forgets_the_faults_it_was_served(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	serve_a_neighbour(&r);
	assert_int_equal(spht_guest_reuse(r.guest, r.table, 25), 0);
	shown(&r, 50, SPHT_EVIDENCE_PREFETCHED, 0x605, true);
	CHECK(&r, "????", "???w", "??ww", 20, 24, 25, 50);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_frozen_table_shows_was_there_since_it_froze),
		cmocka_unit_test(neighbour_came_when_the_guests_fault_in_its_group_was_served),
		cmocka_unit_test(entries_of_a_group_that_was_mapped_around_are_guessed_to_be_there),
		cmocka_unit_test(guessed_entry_is_what_later_evidence_shows),
		cmocka_unit_test(some_of_what_is_guessed_is_not_there),
		cmocka_unit_test(first_refault_in_a_new_table_served_its_group),
		cmocka_unit_test(kernels_mappings_are_made_whole),
		cmocka_unit_test(what_is_guessed_in_a_frozen_table_was_there_since_it_froze),
		cmocka_unit_test(page_that_follows_its_own_guest_fault_says_nothing_of_its_group),
		cmocka_unit_test(fault_around_maps_one_aligned_group_of_sixteen),
		cmocka_unit_test(earlier_of_frozen_table_and_served_fault_counts),
		cmocka_unit_test(entry_with_a_fault_of_its_own_did_not_come_with_the_group),
		cmocka_unit_test(hole_seen_in_the_group_ends_what_its_last_service_tells),
		cmocka_unit_test(other_table_has_groups_of_its_own),
		cmocka_unit_test(used_again_table_tells_nothing_of_its_former_life),
		cmocka_unit_test(used_again_table_forgets_the_faults_it_was_served),
	};

	return cmocka_run_group_tests_name("guest_inferred", tests, NULL, NULL);
}
