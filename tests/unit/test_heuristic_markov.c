// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What markov asks for, worked out by hand: a row is the last distinct successors of a
 * page, the most recent first.
 */
#include "heuristic_rig.h"

static void successor_seen_once_is_asked_for(void **unused)
{
	(void)unused;
	HIDDEN("markov", {10, ""}, {700, ""}, /* 10: 700 */
	       {3, ""}, /* 700: 3 */
	       {10, "700"}, /* 3: 10 */
	       {3, "10"}, /* 10: 3 700 */
	       {10, "3 700"});
}

static void most_recent_successor_is_asked_for_first(void **unused)
{
	(void)unused;
	HIDDEN("markov", {1, ""}, {2, ""}, {1, "2"}, {3, ""}, {1, "3 2"}, {4, ""}, {1, "4 3 2"},
	       {2, "1"}, /* from the end of its row to the front */
	       {1, "2 4 3"});
}

static void successor_that_comes_to_the_front_leaves_its_place(void **unused)
{
	(void)unused;
	/* 4 3 2, then 3 4 2: there is room for 5 */
	HIDDEN("markov", {1, ""}, {2, ""}, {1, "2"}, {3, ""}, {1, "3 2"}, {4, ""}, {1, "4 3 2"},
	       {3, "1"}, {1, "3 4 2"}, {5, ""}, {1, "5 3 4 2"});
}

static void full_row_loses_its_least_recent_successor(void **unused)
{
	(void)unused;
	HIDDEN("markov:width=2", {1, ""}, {2, ""}, {1, "2"}, {3, ""}, {1, "3 2"}, {4, ""},
	       {1, "4 3"});
	HIDDEN("markov:width=1", {1, ""}, {2, ""}, {1, "2"}, {3, ""}, {1, "3"}, {3, "1"}, {1, "3"});
	/* the default is four: 2 is the oldest of five */
	HIDDEN("markov", {1, ""}, {2, ""}, {1, "2"}, {3, ""}, {1, "3 2"}, {4, ""}, {1, "4 3 2"},
	       {5, ""}, {1, "5 4 3 2"}, {6, ""}, {1, "6 5 4 3"});
}

static void same_page_again_neither_learns_nor_asks(void **unused)
{
	(void)unused;
	HIDDEN("markov", {1, ""}, {1, ""}, {2, ""}, {2, ""}, {1, "2"}, {1, ""}, {2, "1"});
}

static void page_zero_is_a_successor_like_any_other(void **unused)
{
	(void)unused;
	HIDDEN("markov", {5, ""}, {0, ""}, {5, "0"}, {0, "5"});
}

static void depth_goes_on_along_first_successors(void **unused)
{
	(void)unused;
	/* 1: 2; 2: 3; 3: 4; 4: 1.  What stands there already, or is the fault, is left out */
	HIDDEN("markov:depth=2", {1, ""}, {2, ""}, {3, ""}, {4, ""}, {1, "2 3"}, {2, "3 4"});
	HIDDEN("markov:depth=16", {1, ""}, {2, ""}, {3, ""}, {4, ""}, {1, "2 3 4"});
	/* 1: 5 2; 5: 1; 2: 3: the way is by 5 alone */
	HIDDEN("markov:depth=2", {1, ""}, {2, ""}, {3, ""}, {1, "2 3"}, {5, ""}, {1, "5 2"});
}

static void region_is_left_unless_told_otherwise_and_the_half_never(void **unused)
{
	(void)unused;
	HIDDEN("markov", {511, ""}, {512, ""}, {511, "512"});
	HIDDEN("markov:cross=0", {511, ""}, {512, ""}, {511, ""}, {510, ""}, {511, "510"});
	HIDDEN("markov", {HALF - 1, ""}, {HALF, ""}, {HALF - 1, ""}, {TOP, ""}, {0, ""}, {TOP, ""});
	HIDDEN("markov", {HALF, ""}, {TOP, ""}, {HALF, "68719476735"});
}

/* 1: 2 and then 3, with width 2; @state of page 2 at the time of a new successor, 4. */
static const char *row_of_one(const char *spec, uint8_t state)
{
	static char asked[64];
	struct rig rig;

	rig_open(&rig, spec);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 3);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 1), "3 2");
	rig_set(&rig, 1, 2, state);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 4);
	assert_true(snprintf(asked, sizeof(asked), "%s", ask(&rig, SPHT_FAULT_HIDDEN, 1, 1)) <
		    (int)sizeof(asked));
	rig_close(&rig);
	return asked;
}

static void successor_that_was_built_and_used_stays_in_its_row(void **unused)
{
	(void)unused;
	/* used: 2 3, and 4 takes the place of 3; else 3 2, and that of 2 */
	assert_string_equal(row_of_one("markov:width=2", SPHT_ENTRY_USED), "4 2");
	assert_string_equal(row_of_one("markov:width=2", SPHT_ENTRY_PRESENT), "4 3");
	assert_string_equal(row_of_one("markov:width=2,follow=0", SPHT_ENTRY_USED), "4 3");
}

static void order_of_successors_that_were_all_used_stays(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "markov");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 3);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 1), "3 2");
	rig_set(&rig, 1, 2, SPHT_ENTRY_USED);
	rig_set(&rig, 1, 3, SPHT_ENTRY_USED);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 9);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 1), "9 3 2");
	rig_close(&rig);
}

static void page_of_a_deeper_row_is_learned_where_it_stood(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "markov:depth=2");
	/* 1: 2; 2: 4 3; 4: 2; 3: 1 */
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 4);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 3);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 2), "3 4 1");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 9); /* 2: 9 3 4 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 1), "2 9 3 4");
	rig_set(&rig, 1, 4, SPHT_ENTRY_USED);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 8); /* 4 is used: 2: 4 9 3 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 2), "4 9 3");
	rig_close(&rig);
}

static void table_loses_the_row_that_was_used_least_recently(void **unused)
{
	(void)unused;
	/* two rows: 1's and 2's; 3's takes 1's place, when 4 comes after it */
	HIDDEN("markov:entries=2", {1, ""}, {2, ""}, {3, ""}, {4, ""}, {1, ""});
	HIDDEN("markov:entries=4", {1, ""}, {2, ""}, {3, ""}, {4, ""}, {1, "2"});
}

static void row_of_another_space_serves_if_they_share(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "markov");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	ask(&rig, SPHT_FAULT_HIDDEN, 2, 5); /* not a successor of 1: another space */
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 3, 1), "2");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 1), "2"); /* 5: 1 */
	rig_close(&rig);
	rig_open(&rig, "markov:shared=0");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 1);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 3, 1), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 1), "2");
	rig_close(&rig);
}

static void markov_trains_on_the_classes_that_it_is_told(void **unused)
{
	(void)unused;
	GUEST("markov", {1, ""}, {2, ""}, {1, ""});
	GUEST("markov:on=both", {1, ""}, {2, ""}, {1, "2"});
	HIDDEN("markov:on=guest", {1, ""}, {2, ""}, {1, ""});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(successor_seen_once_is_asked_for),
		cmocka_unit_test(most_recent_successor_is_asked_for_first),
		cmocka_unit_test(successor_that_comes_to_the_front_leaves_its_place),
		cmocka_unit_test(full_row_loses_its_least_recent_successor),
		cmocka_unit_test(same_page_again_neither_learns_nor_asks),
		cmocka_unit_test(page_zero_is_a_successor_like_any_other),
		cmocka_unit_test(depth_goes_on_along_first_successors),
		cmocka_unit_test(region_is_left_unless_told_otherwise_and_the_half_never),
		cmocka_unit_test(successor_that_was_built_and_used_stays_in_its_row),
		cmocka_unit_test(order_of_successors_that_were_all_used_stays),
		cmocka_unit_test(page_of_a_deeper_row_is_learned_where_it_stood),
		cmocka_unit_test(table_loses_the_row_that_was_used_least_recently),
		cmocka_unit_test(row_of_another_space_serves_if_they_share),
		cmocka_unit_test(markov_trains_on_the_classes_that_it_is_told),
	};

	return cmocka_run_group_tests_name("heuristic markov", tests, NULL, NULL);
}
