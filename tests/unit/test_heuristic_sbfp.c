// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What sbfp asks for, worked out by hand from its rule.  In the comments cD is the counter
 * of the free distance D; the lines of 8 begin at multiples of 8.
 */
#include "heuristic_rig.h"

static void distance_that_was_sampled_and_touched_is_asked_for(void **unused)
{
	(void)unused;
	HIDDEN("sbfp:threshold=0", {8, ""}, /* samples 9 (1) .. 15 (7) */
	       {9, "10"}, /* c1 = 1; all but 10 are sampled: 8 (-1), 11 (2), 12 (3) .. */
	       {10, "11"}, /* it was asked for, too late: c1 = 2 */
	       {12, "13 14"}, /* sampled last at 10, by 2: c2 = 1 */
	       {22, "23"}); /* another line: 23 (1); 24 is of the next line */
}

static void page_sampled_from_behind_trains_a_negative_distance(void **unused)
{
	(void)unused;
	HIDDEN("sbfp:threshold=0", {15, ""}, {14, "13"}, /* c-1 = 1 */
	       {0, ""}, {1, "0 2"}, /* c1 = 1 */
	       {10, "9 11"});
}

static void line_is_not_left_at_either_end(void **unused)
{
	(void)unused;
	/* 15 and 16 are neighbours of different lines: nothing is learned */
	HIDDEN("sbfp:threshold=0", {15, ""}, {16, ""}, {17, "18"}, /* c1 = 1 */
	       {7, ""}, {0, "1"}, /* c-7 = 1 */
	       {TOP, "68719476728"}, {HALF, "34359738369"});
	HIDDEN("sbfp:threshold=0,line=2", {8, ""}, {9, ""}, {10, "11"}, {13, ""});
	/* in a line of 32, 16 is 1 after 15 */
	HIDDEN("sbfp:threshold=0,line=32", {15, ""}, {16, "17"}, {31, ""});
}

static void distance_is_used_above_the_threshold_and_not_at_it(void **unused)
{
	(void)unused;
	HIDDEN("sbfp:threshold=1", {8, ""}, {9, ""}, /* c1 = 1 */
	       {16, ""}, {17, "18"}, /* c1 = 2 */
	       {24, "25"});
}

static void default_threshold_takes_a_hundred_and_one_hits(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "sbfp");
	for (uint64_t i = 0; i < 100; i++) {
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 8 * i), "");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 8 * i + 1), "");
	}
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 8000), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 8001), "8002");
	rig_close(&rig);
}

static void full_counter_halves_all(void **unused)
{
	(void)unused;
	/* top 3: c1 goes 1, 2, and from 3 to 1, which is not above 1 */
	HIDDEN("sbfp:threshold=1,counter_bits=2", {8, ""}, {9, ""}, {16, ""}, {17, "18"}, {18, ""},
	       {32, ""});
	/* c2 = 2 is halved with it: 12 was sampled at 10 by 2, 20 at 18 by 2 */
	HIDDEN("sbfp:threshold=1,counter_bits=2", {10, ""}, {12, ""}, {18, ""}, {20, "22"},
	       {32, "34"}, {33, "35"}, {40, "42"}, {41, "43"}, {42, ""}, {48, ""});
}

/* Three lines of faults, of which the last makes page 18 leave a queue of one. */
static const char *after_leaving(uint8_t state)
{
	static char asked[64];
	struct rig rig;

	rig_open(&rig, "sbfp:threshold=1,counter_bits=2,queue=1");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 8);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 9);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 16);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 17), "18");
	rig_set(&rig, 1, 18, state);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 24), "25");
	assert_true(snprintf(asked, sizeof(asked), "%s", ask(&rig, SPHT_FAULT_HIDDEN, 1, 32)) <
		    (int)sizeof(asked));
	rig_close(&rig);
	return asked;
}

static void page_found_used_as_it_leaves_the_queue_is_a_hit(void **unused)
{
	(void)unused;
	/* c1 was 2; a third hit is the top and halves it to 1 */
	assert_string_equal(after_leaving(SPHT_ENTRY_USED), "");
	assert_string_equal(after_leaving(SPHT_ENTRY_PRESENT), "33");
	assert_string_equal(after_leaving(SPHT_ENTRY_ABSENT), "33");
}

static void page_that_is_there_is_neither_sampled_nor_asked_for(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "sbfp:threshold=0");
	rig_set(&rig, 1, 9, SPHT_ENTRY_PRESENT);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 8);
	/* 9 was no sample, so its fault is no hit */
	rig_set(&rig, 1, 9, SPHT_ENTRY_ABSENT);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 9), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 10), "11"); /* c1 = 1 */
	rig_set(&rig, 1, 17, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 16), "");
	rig_close(&rig);
}

static void page_in_the_queue_is_not_asked_for_again(void **unused)
{
	(void)unused;
	HIDDEN("sbfp:threshold=0", {0, ""}, {2, "4"}, /* c2 = 1 */
	       {16, "18"}, {17, "19"}, /* c1 = 1, but 18 is waited for */
	       {18, "20"}, /* c2 = 2, and 19 is waited for */
	       {17, "16 18"}); /* c-1 = 1; 18 has left by its fault, 19 is there still */
	/* a queue of one has lost 19 to 20 */
	HIDDEN("sbfp:threshold=0,queue=1", {0, ""}, {2, "4"}, {16, "18"}, {17, "19"}, {18, "20"},
	       {17, "16 18 19"});
}

static void sampler_forgets_the_oldest(void **unused)
{
	(void)unused;
	/* 9 .. 15 fill 7 of the places; the next line's 7 push out 9 .. 14 of 8 */
	HIDDEN("sbfp:threshold=0,sampler=8", {8, ""}, {16, ""}, {14, ""});
	HIDDEN("sbfp:threshold=0,sampler=8", {8, ""}, {16, ""}, {15, ""}, {0, "7"});
	HIDDEN("sbfp:threshold=0,sampler=14", {8, ""}, {16, ""}, {9, "10"});
}

static void counters_are_of_all_spaces_unless_told_otherwise(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "sbfp:threshold=0");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 8);
	/* the page was sampled in another space */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 9), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 9), "10");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 16), "17");
	rig_close(&rig);
	rig_open(&rig, "sbfp:threshold=0,shared=0");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 8);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 9), "10");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 16), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 16), "17");
	rig_close(&rig);
}

static void sbfp_trains_on_the_classes_that_it_is_told(void **unused)
{
	(void)unused;
	GUEST("sbfp:threshold=0", {8, ""}, {9, ""});
	GUEST("sbfp:threshold=0,on=guest", {8, ""}, {9, "10"});
	HIDDEN("sbfp:threshold=0,on=guest", {8, ""}, {9, ""});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distance_that_was_sampled_and_touched_is_asked_for),
		cmocka_unit_test(page_sampled_from_behind_trains_a_negative_distance),
		cmocka_unit_test(line_is_not_left_at_either_end),
		cmocka_unit_test(distance_is_used_above_the_threshold_and_not_at_it),
		cmocka_unit_test(default_threshold_takes_a_hundred_and_one_hits),
		cmocka_unit_test(full_counter_halves_all),
		cmocka_unit_test(page_found_used_as_it_leaves_the_queue_is_a_hit),
		cmocka_unit_test(page_that_is_there_is_neither_sampled_nor_asked_for),
		cmocka_unit_test(page_in_the_queue_is_not_asked_for_again),
		cmocka_unit_test(sampler_forgets_the_oldest),
		cmocka_unit_test(counters_are_of_all_spaces_unless_told_otherwise),
		cmocka_unit_test(sbfp_trains_on_the_classes_that_it_is_told),
	};

	return cmocka_run_group_tests_name("heuristic sbfp", tests, NULL, NULL);
}
