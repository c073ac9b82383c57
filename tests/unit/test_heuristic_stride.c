// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the stride heuristic asks for, worked out by hand from its definition.
 */
#include "heuristic_rig.h"

/*
 * stride: in the comments c is the confidence after the fault.  It starts at 4
 * of 7; 4 is the least that is 50 % of 7 (3.5).
 */

static void stride_is_asked_for_once_it_was_seen_twice(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, /* entry, c 4 */
	       {101, ""}, /* learns 1, c 3 */
	       {102, "103 104 105 106"}, /* c 4 */
	       {103, "104 105 106 107"}); /* c 5 */
}

static void stride_works_for_steps_of_minus_four_to_four(void **unused)
{
	(void)unused;
	HIDDEN("stride", {256, ""}, {252, ""}, {248, "244 240 236 232"});
	HIDDEN("stride", {256, ""}, {253, ""}, {250, "247 244 241 238"});
	HIDDEN("stride", {256, ""}, {254, ""}, {252, "250 248 246 244"});
	HIDDEN("stride", {256, ""}, {255, ""}, {254, "253 252 251 250"});
	HIDDEN("stride", {256, ""}, {256, ""}, {256, ""}, {256, ""});
	HIDDEN("stride", {256, ""}, {257, ""}, {258, "259 260 261 262"});
	HIDDEN("stride", {256, ""}, {258, ""}, {260, "262 264 266 268"});
	HIDDEN("stride", {256, ""}, {259, ""}, {262, "265 268 271 274"});
	HIDDEN("stride", {256, ""}, {260, ""}, {264, "268 272 276 280"});
}

static void stride_without_a_repeated_step_asks_for_nothing(void **unused)
{
	(void)unused;
	/* steps 1 2 3 4 5 -5 -4 */
	HIDDEN("stride", {100, ""}, {101, ""}, {103, ""}, {106, ""}, {110, ""}, {115, ""},
	       {110, ""}, {106, ""});
}

static void refault_on_the_same_page_neither_trains_nor_resets_a_stride(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, {100, ""}, {101, ""}, {101, ""}, {101, ""},
	       {102, "103 104 105 106"}, {102, ""}, {103, "104 105 106 107"});
}

static void page_zero_and_step_minus_one_are_no_sentinels(void **unused)
{
	(void)unused;
	HIDDEN("stride", {0, ""}, {1, ""}, {2, "3 4 5 6"});
	HIDDEN("stride", {3, ""}, {2, ""}, {1, "0"}, {0, ""});
	/* leaving a descending run resets it as it does any other */
	HIDDEN("stride", {300, ""}, {299, ""}, {298, "297 296 295 294"}, /* c 4, step -1 */
	       {310, ""}, /* c 3, learns 12 */
	       {309, ""}, /* c 2, learns -1 */
	       {308, ""}, /* c 3 */
	       {307, "306 305 304 303"}); /* c 4 */
}

static void well_trained_stride_survives_three_jumps_and_not_a_fourth(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, {101, ""}, /* c 3 */
	       {102, "103 104 105 106"}, /* c 4 */
	       {103, "104 105 106 107"}, /* c 5 */
	       {104, "105 106 107 108"}, /* c 6 */
	       {105, "106 107 108 109"}, /* c 7 */
	       {106, "107 108 109 110"}, /* c 7, saturated */
	       {200, ""}, /* c 6, keeps 1 */
	       {201, "202 203 204 205"}, /* c 7 */
	       {300, ""}, /* c 6 */
	       {310, ""}, /* c 5 */
	       {320, ""}, /* c 4 */
	       {330, ""}, /* c 3, learns 10 */
	       {340, "350 360 370 380"}); /* c 4 */
}

static void stride_goes_on_past_the_pages_that_it_asked_for(void **unused)
{
	(void)unused;
	/* 103..106 built in time: the next fault is on 107, five steps on */
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, {107, "108 109 110 111"},
	       {112, "113 114 115 116"}, {114, "115 116 117 118"});
	HIDDEN("stride", {300, ""}, {298, ""}, {296, "294 292 290 288"}, {286, "284 282 280 278"});
	/* six steps on, an odd distance, back: none of these goes on; c 3, learns 6, 5, -3 */
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, {108, ""},
	       {114, "120 126 132 138"});
	HIDDEN("stride", {100, ""}, {102, ""}, {104, "106 108 110 112"}, {109, ""},
	       {114, "119 124 129 134"});
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, {99, ""},
	       {96, "93 90 87 84"});
	/* nothing was asked for at 101, so 103 is a step of 2 like any other */
	HIDDEN("stride", {100, ""}, {101, ""}, {103, ""});
	/* the reach grows with degree and distance: 1 + 3 + 2 steps */
	HIDDEN("stride:degree=2,distance=3", {100, ""}, {101, ""}, {102, "106 107"},
	       {108, "112 113"}, {115, ""});
}

static void jump_ends_what_a_stride_may_go_past(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, /* c 4 */
	       {103, "104 105 106 107"}, /* c 5 */
	       {200, ""}, /* c 4, keeps 1, has asked for nothing */
	       {203, ""}, /* so 201 and 202 explain nothing: c 3, learns 3 */
	       {206, "209 212 215 218"}); /* c 4 */
}

static void stride_told_not_to_follow_takes_single_steps_only(void **unused)
{
	(void)unused;
	HIDDEN("stride:follow=0", {100, ""}, {101, ""}, {102, "103 104 105 106"}, /* c 4 */
	       {107, ""}, /* c 3, learns 5 */
	       {112, "117 122 127 132"}); /* c 4 */
}

static void degree_and_distance_of_a_stride_say_how_many_and_from_where(void **unused)
{
	(void)unused;
	HIDDEN("stride:degree=1", {100, ""}, {101, ""}, {102, "103"});
	HIDDEN("stride:degree=6", {100, ""}, {102, ""}, {104, "106 108 110 112 114 116"});
	HIDDEN("stride:distance=2", {100, ""}, {101, ""}, {102, "105 106 107 108"});
	HIDDEN("stride:distance=1,degree=2", {100, ""}, {97, ""}, {94, "88 85"});
}

static void stride_stays_in_its_region_unless_told_to_cross(void **unused)
{
	(void)unused;
	HIDDEN("stride", {508, ""}, {509, ""}, {510, "511"}, {511, ""});
	HIDDEN("stride", {514, ""}, {513, ""}, {512, ""});
	HIDDEN("stride:cross=1", {508, ""}, {509, ""}, {510, "511 512 513 514"});
	HIDDEN("stride:cross=1", {514, ""}, {513, ""}, {512, "511 510 509 508"});
	/* a region of its own is trained on its own */
	HIDDEN("stride:cross=1", {509, ""}, {510, ""}, {511, "512 513 514 515"}, {516, ""},
	       {517, ""}, {518, "519 520 521 522"});
}

static void stride_never_leaves_the_canonical_half(void **unused)
{
	(void)unused;
	HIDDEN("stride:cross=1", {2, ""}, {1, ""}, {0, ""});
	HIDDEN("stride:cross=1", {4, ""}, {3, ""}, {2, "1 0"});
	HIDDEN("stride:cross=1", {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN("stride:cross=1", {TOP - 4, ""}, {TOP - 3, ""},
	       {TOP - 2, "68719476734 68719476735"});
	HIDDEN("stride:cross=1", {HALF - 4, ""}, {HALF - 3, ""}, {HALF - 2, "34359738367"});
	HIDDEN("stride:cross=1", {HALF + 3, ""}, {HALF + 2, ""}, {HALF + 1, "34359738368"});
}

static void confidence_of_a_stride_obeys_its_two_parameters(void **unused)
{
	(void)unused;
	/* starts at 1, the threshold is 1: one jump is enough to learn anew */
	HIDDEN("stride:conf_max=1", {100, ""}, {101, ""}, {102, "103 104 105 106"},
	       {103, "104 105 106 107"}, {200, ""}, {201, ""}, {202, "203 204 205 206"});
	/* all 7 of 7: c 4 3 4 5 6 7 */
	HIDDEN("stride:conf_threshold_pct=100", {100, ""}, {101, ""}, {102, ""}, {103, ""},
	       {104, ""}, {105, "106 107 108 109"});
	/* 3 is 42.9 % of 7: the first step is learned at c 3 and kept over a jump to c 3 */
	HIDDEN("stride:conf_threshold_pct=42", {100, ""}, {101, ""}, {102, "103 104 105 106"},
	       {200, ""}, {201, "202 203 204 205"});
	/* whatever the threshold, a step seen once is not used */
	HIDDEN("stride:conf_threshold_pct=1", {100, ""}, {101, ""}, {103, ""}, {106, ""});
}

static void step_beyond_the_longest_is_not_learned(void **unused)
{
	(void)unused;
	HIDDEN("stride:max_stride_pages=2", {100, ""}, {103, ""}, {106, ""}, {109, ""}, {112, ""});
	HIDDEN("stride:max_stride_pages=2", {200, ""}, {197, ""}, {194, ""}, {191, ""});
	HIDDEN("stride:max_stride_pages=2", {100, ""}, {102, ""}, {104, "106 108 110 112"});
	HIDDEN("stride:max_stride_pages=2", {100, ""}, {101, ""}, /* c 3, learns 1 */
	       {110, ""}, /* c 2, forgets it */
	       {111, ""}, /* c 1, learns 1 */
	       {112, ""}, {113, ""}, /* c 3 */
	       {114, "115 116 117 118"}); /* c 4 */
}

static void full_set_of_the_stride_table_loses_its_least_recently_used(void **unused)
{
	(void)unused;
	/* one set of two; regions begin at 0, 512 and 1024 */
	HIDDEN("stride:entries=2,ways=2", {0, ""}, {512, ""}, {1, ""}, /* region 0 is the newer */
	       {1024, ""}, /* drops region 1 */
	       {2, "3 4 5 6"}, {513, ""}, /* drops region 2, a new entry */
	       {514, ""}, {515, "516 517 518 519"}, {3, "4 5 6 7"}, {1025, ""}, {1026, ""});
	/* a refault on the same page is a use too */
	HIDDEN("stride:entries=2,ways=2", {0, ""}, {1, ""}, {512, ""}, {1, ""}, {1024, ""},
	       {2, "3 4 5 6"});
}

static void regions_of_one_set_share_its_ways_only(void **unused)
{
	(void)unused;
	/* four sets of one: region 4, at 2048, falls on region 0; region 1, at 512, beside it */
	HIDDEN("stride:entries=4,ways=1", {0, ""}, {1, ""}, {2048, ""}, {2, ""});
	HIDDEN("stride:entries=4,ways=1", {0, ""}, {1, ""}, {512, ""}, {2, "3 4 5 6"});
	HIDDEN("stride:entries=4,ways=4", {0, ""}, {1, ""}, {2048, ""}, {2, "3 4 5 6"});
	/* more ways than entries: all of them */
	HIDDEN("stride:entries=2,ways=64", {0, ""}, {1, ""}, {2048, ""}, {2, "3 4 5 6"});
}

static void strides_of_two_address_spaces_are_learned_apart(void **unused)
{
	/* the same pages, in one set; space 0 and page 0 are like any other */
	static const struct space_step rows[] = {
		{0, 100, ""},
		{1, 100, ""},
		{0, 101, ""},
		{1, 98, ""},
		{0, 102, "103 104 105 106"},
		{1, 96, "94 92 90 88"},
		{2, 100, ""},
		{0, 103, "104 105 106 107"},
	};

	(void)unused;
	check_spaces("stride:entries=8,ways=8", rows, ARRAY_SIZE(rows));
}

static void closed_form_stride_leaves_one_fault_in_five_of_a_run(void **unused)
{
	/*
	 * Entries built at once, 500 pages touched in order from page 0: faults
	 * on 0, 1, 2, then on 7, 12, ..., 497, that is 3 + 99.
	 */
	(void)unused;
	assert_int_equal(faults_of_run("stride", 500), 102);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stride_is_asked_for_once_it_was_seen_twice),
		cmocka_unit_test(stride_works_for_steps_of_minus_four_to_four),
		cmocka_unit_test(stride_without_a_repeated_step_asks_for_nothing),
		cmocka_unit_test(refault_on_the_same_page_neither_trains_nor_resets_a_stride),
		cmocka_unit_test(page_zero_and_step_minus_one_are_no_sentinels),
		cmocka_unit_test(well_trained_stride_survives_three_jumps_and_not_a_fourth),
		cmocka_unit_test(stride_goes_on_past_the_pages_that_it_asked_for),
		cmocka_unit_test(jump_ends_what_a_stride_may_go_past),
		cmocka_unit_test(stride_told_not_to_follow_takes_single_steps_only),
		cmocka_unit_test(degree_and_distance_of_a_stride_say_how_many_and_from_where),
		cmocka_unit_test(stride_stays_in_its_region_unless_told_to_cross),
		cmocka_unit_test(stride_never_leaves_the_canonical_half),
		cmocka_unit_test(confidence_of_a_stride_obeys_its_two_parameters),
		cmocka_unit_test(step_beyond_the_longest_is_not_learned),
		cmocka_unit_test(full_set_of_the_stride_table_loses_its_least_recently_used),
		cmocka_unit_test(regions_of_one_set_share_its_ways_only),
		cmocka_unit_test(strides_of_two_address_spaces_are_learned_apart),
		cmocka_unit_test(closed_form_stride_leaves_one_fault_in_five_of_a_run),
	};

	return cmocka_run_group_tests_name("heuristic stride", tests, NULL, NULL);
}
