// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the ghb heuristic asks for, worked out by hand from its definition.
 */
#include "heuristic_rig.h"

#define G_DC "ghb:zone_pages=68719476736"

static void run_asks_once_its_last_two_deltas_were_there_before(void **unused)
{
	(void)unused;
	HIDDEN("ghb", {100, ""}, {101, ""}, {102, ""}, {103, "104 105 106 107"});
	HIDDEN("ghb", {400, ""}, {393, ""}, {386, ""}, {379, "372 365 358 351"});
}

static void deltas_that_followed_the_last_two_are_replayed_as_a_period(void **unused)
{
	(void)unused;
	/* 1 3 1 3: after 3 that followed 1 came 1, then 3 */
	HIDDEN("ghb", {100, ""}, {101, ""}, {104, ""}, {105, ""}, {108, "109 112 113 116"});
	/* 1 2 5 1 2: 5 1 2, and 5 again */
	HIDDEN("ghb", {100, ""}, {101, ""}, {103, ""}, {108, ""}, {109, ""},
	       {111, "116 117 119 124"});
	HIDDEN("ghb:degree=2", {100, ""}, {101, ""}, {103, ""}, {108, ""}, {109, ""},
	       {111, "116 117"});
}

static void latest_place_of_the_two_deltas_is_taken(void **unused)
{
	(void)unused;
	/* 1 2 5 1 2 7 1 2: 7 1 2, and 7 again */
	HIDDEN("ghb", {100, ""}, {101, ""}, {103, ""}, {108, ""}, {109, ""},
	       {111, "116 117 119 124"}, {118, ""}, {119, ""}, {121, "128 129 131 138"});
}

static void one_delta_alone_is_no_match(void **unused)
{
	(void)unused;
	/* 1 2 1 3 1 4 */
	HIDDEN("ghb", {100, ""}, {101, ""}, {103, ""}, {104, ""}, {107, ""}, {108, ""}, {112, ""});
}

static void sums_that_come_back_are_asked_for_once(void **unused)
{
	(void)unused;
	/* 1 -1 1 -1: 101, then the fault's own page, then both again */
	HIDDEN("ghb", {100, ""}, {101, ""}, {100, ""}, {101, ""}, {100, "101"});
}

static void each_zone_has_deltas_of_its_own(void **unused)
{
	(void)unused;
	HIDDEN("ghb", {100, ""}, {612, ""}, {101, ""}, {613, ""}, {102, ""}, {614, ""},
	       {103, "104 105 106 107"}, {615, "616 617 618 619"});
	/* one zone of all: 512 -511 512 -511 */
	HIDDEN(G_DC ",cross=1", {100, ""}, {612, ""}, {101, ""}, {613, ""},
	       {102, "614 103 615 104"});
	HIDDEN(G_DC, {100, ""}, {612, ""}, {101, ""}, {613, ""}, {102, "103 104"});
	/* zones of 16 pages: 14 and 15 are in another one */
	HIDDEN("ghb", {14, ""}, {15, ""}, {16, ""}, {17, "18 19 20 21"});
	HIDDEN("ghb:zone_pages=16", {14, ""}, {15, ""}, {16, ""}, {17, ""}, {18, ""},
	       {19, "20 21 22 23"});
}

static void miss_on_the_newest_page_of_its_zone_is_left_out(void **unused)
{
	(void)unused;
	HIDDEN("ghb", {100, ""}, {100, ""}, {101, ""}, {612, ""}, {101, ""}, {102, ""},
	       {103, "104 105 106 107"}, {103, ""});
}

static void history_reaches_as_far_as_the_buffer(void **unused)
{
	(void)unused;
	HIDDEN("ghb:history=8", {100, ""}, {101, ""}, {612, ""}, {102, ""},
	       {103, "104 105 106 107"});
	HIDDEN("ghb:history=4", {100, ""}, {101, ""}, {612, ""}, {102, ""}, {103, ""},
	       {104, ""}, /* 612 102 103 104 */
	       {105, "106 107 108 109"});
}

static void used_pages_are_entered_before_the_fault(void **unused)
{
	struct rig rig;

	(void)unused;
	for (int follow = 0; follow < 2; follow++) {
		rig_open(&rig, follow ? "ghb" : "ghb:follow=0");
		for (uint64_t v = 100; v < 104; v++)
			ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
		rig_set(&rig, 7, 104, SPHT_ENTRY_USED);
		rig_set(&rig, 7, 105, SPHT_ENTRY_USED);
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 106),
				    follow ? "107 108 109 110" : "");
		/* once: 3 1 without them, 1 1 with them */
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 107),
				    follow ? "108 109 110 111" : "");
		rig_close(&rig);
	}
}

static void page_that_was_built_and_not_used_is_not_entered(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "ghb");
	for (uint64_t v = 100; v < 104; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
	rig_set(&rig, 7, 104, SPHT_ENTRY_PRESENT);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "");
	rig_close(&rig);
}

static void page_that_is_there_is_not_asked_for(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "ghb");
	rig_set(&rig, 7, 105, SPHT_ENTRY_PRESENT);
	for (uint64_t v = 100; v < 103; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 103), "104 106 107");
	rig_close(&rig);
}

static void only_twice_the_degree_of_pages_asked_for_is_looked_at(void **unused)
{
	struct rig rig;

	(void)unused;
	/* degree 1: a run in each region, which asks for its fifth page; two are kept */
	for (uint64_t runs = 2; runs < 4; runs++) {
		rig_open(&rig, "ghb:degree=1");
		for (uint64_t run = 0; run < runs; run++)
			for (uint64_t v = 100; v < 104; v++)
				ask(&rig, SPHT_FAULT_HIDDEN, 7, run * SPHT_REGION_PAGES + v);
		rig_set(&rig, 7, 104, SPHT_ENTRY_USED);
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), runs == 2 ? "106" : "");
		rig_close(&rig);
	}
}

static void page_asked_for_again_takes_no_second_place(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "ghb:degree=1"); /* two places */
	for (uint64_t v = 100; v < 104; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v); /* asks for 104 */
	/* 1 -1 1 -1 in the next region: 613 and 612 are asked for in turn */
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 612);
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 613);
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 612);
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 613);
	rig_set(&rig, 7, 612, SPHT_ENTRY_PRESENT);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 612), "613");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 613), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 612), "613");
	rig_set(&rig, 7, 104, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106");
	rig_close(&rig);
}

static void ghb_stays_in_its_region_and_always_in_its_half(void **unused)
{
	(void)unused;
	HIDDEN("ghb", {506, ""}, {507, ""}, {508, ""}, {509, "510 511"});
	HIDDEN("ghb:cross=1", {506, ""}, {507, ""}, {508, ""}, {509, "510 511 512 513"});
	HIDDEN("ghb:cross=1", {3, ""}, {2, ""}, {1, ""}, {0, ""});
	HIDDEN("ghb:cross=1", {TOP - 3, ""}, {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN("ghb:cross=1", {HALF - 4, ""}, {HALF - 3, ""}, {HALF - 2, ""}, {HALF - 1, ""});
	HIDDEN("ghb:cross=1", {HALF + 3, ""}, {HALF + 2, ""}, {HALF + 1, ""}, {HALF, ""});
	/* what lies outside is passed over, and what comes back in is asked for: 5 -4 5 -4 */
	HIDDEN("ghb", {505, ""}, {510, ""}, {506, ""}, {511, ""}, {507, "508 509"});
}

static void space_used_longest_ago_makes_room(void **unused)
{
	struct rig rig;

	(void)unused;
	for (int entries = 1; entries < 3; entries++) {
		rig_open(&rig, entries == 1 ? "ghb:entries=1" : "ghb:entries=2");
		for (uint64_t v = 100; v < 103; v++)
			ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
		ask(&rig, SPHT_FAULT_HIDDEN, 8, 100);
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 103),
				    entries == 1 ? "" : "104 105 106 107");
		rig_close(&rig);
	}
}

static void guest_faults_are_history_when_told_so(void **unused)
{
	(void)unused;
	GUEST("ghb", {100, ""}, {101, ""}, {102, ""}, {103, ""});
	GUEST("ghb:on=guest", {100, ""}, {101, ""}, {102, ""}, {103, "104 105 106 107"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_asks_once_its_last_two_deltas_were_there_before),
		cmocka_unit_test(deltas_that_followed_the_last_two_are_replayed_as_a_period),
		cmocka_unit_test(latest_place_of_the_two_deltas_is_taken),
		cmocka_unit_test(one_delta_alone_is_no_match),
		cmocka_unit_test(sums_that_come_back_are_asked_for_once),
		cmocka_unit_test(each_zone_has_deltas_of_its_own),
		cmocka_unit_test(miss_on_the_newest_page_of_its_zone_is_left_out),
		cmocka_unit_test(history_reaches_as_far_as_the_buffer),
		cmocka_unit_test(used_pages_are_entered_before_the_fault),
		cmocka_unit_test(page_that_was_built_and_not_used_is_not_entered),
		cmocka_unit_test(page_that_is_there_is_not_asked_for),
		cmocka_unit_test(only_twice_the_degree_of_pages_asked_for_is_looked_at),
		cmocka_unit_test(page_asked_for_again_takes_no_second_place),
		cmocka_unit_test(ghb_stays_in_its_region_and_always_in_its_half),
		cmocka_unit_test(space_used_longest_ago_makes_room),
		cmocka_unit_test(guest_faults_are_history_when_told_so),
	};

	return cmocka_run_group_tests_name("heuristic ghb", tests, NULL, NULL);
}
