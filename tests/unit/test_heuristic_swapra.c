// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the swapra heuristic asks for, worked out by hand from its definition.  In the
 * comments w is the window after the fault.
 */
#include "heuristic_rig.h"

#define FIRST "97 98 99 101 102 103 104" /* of a first fault on 100, in the middle of 8 */

static void first_window_of_a_region_is_eight_pages_around_the_fault(void **unused)
{
	(void)unused;
	HIDDEN("swapra", {100, FIRST}); /* 4 + 2, rounded up; 3 below */
	HIDDEN("swapra", {1, "0 2 3 4 5"}); /* page 0 was no last access */
	HIDDEN("swapra", {700, "697 698 699 701 702 703 704"});
}

static void window_without_hits_halves_down_to_nothing(void **unused)
{
	(void)unused;
	HIDDEN("swapra", {100, FIRST}, {300, "299 301 302"}, /* w 4, 1 below */
	       {400, "401"}, /* w 2, none below */
	       {450, ""}, /* w 1 */
	       {460, ""});
}

static void fault_next_to_the_last_one_gets_two_pages_that_way(void **unused)
{
	(void)unused;
	HIDDEN("swapra", {100, FIRST}, {300, "299 301 302"}, {400, "401"}, {450, ""}, /* w 1 */
	       {451, "452"}, {452, "453"}, /* w 2 */
	       {451, "450"}, {450, "449"}, /* and down */
	       {450, ""}); /* the same page is not next to it: w 1 */
	/* after a large window half of it, that way: w 4 */
	HIDDEN("swapra", {100, FIRST}, {101, "102 103 104"});
	HIDDEN("swapra", {100, FIRST}, {99, "96 97 98"});
}

static void window_is_cut_off_at_the_ends_of_the_region(void **unused)
{
	(void)unused;
	HIDDEN("swapra", {0, "1 2 3 4"}, {511, "510"}); /* w 4: 510 to 513 */
	HIDDEN("swapra", {511, "508 509 510"});
	HIDDEN("swapra", {513, "512 514 515 516 517"});
	HIDDEN("swapra", {HALF - 1, "34359738364 34359738365 34359738366"});
	HIDDEN("swapra", {HALF, "34359738369 34359738370 34359738371 34359738372"});
	HIDDEN("swapra", {TOP, "68719476732 68719476733 68719476734"});
}

/* A fault on 100; pages @from to @to of its window are used; then one on @vpn. */
static void after_first(const char *text, uint64_t from, uint64_t to, uint64_t vpn,
			const char *asked)
{
	struct rig rig;

	rig_open(&rig, text);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 100), FIRST);
	for (; from <= to; from++)
		rig_set(&rig, 7, from, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, vpn), asked);
	rig_close(&rig);
}

static void window_grows_with_the_pages_that_were_used(void **unused)
{
	(void)unused;
	/* 3 hits: 5, rounded up to 8; far from all: 3 below */
	after_first("swapra", 97, 99, 300, "297 298 299 301 302 303 304");
	/* 2 hits: 4 */
	after_first("swapra", 97, 98, 300, "299 301 302");
	/* 7 hits: 9, rounded up to 16, at most 8; 104 was the last access */
	after_first("swapra", 97, 104, 105, "106 107 108 109 110 111 112");
	after_first("swapra:max_pages=16", 97, 104, 105,
		    "106 107 108 109 110 111 112 113 114 115 116 117 118 119 120");
	/* 6 hits: 8 */
	after_first("swapra:max_pages=16", 99, 104, 105, "106 107 108 109 110 111 112");
}

static void used_page_next_to_the_fault_was_the_last_access(void **unused)
{
	(void)unused;
	/* 1 hit: 3, rounded up to 4 */
	after_first("swapra", 102, 102, 103, "104 105 106");
	after_first("swapra", 98, 98, 97, "94 95 96");
	/* 103 came after 100, which is next to 101 no more: w 4, 1 below */
	after_first("swapra", 103, 103, 101, "100 102");
}

static void of_two_used_neighbours_the_one_below_was_the_last_access(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "swapra");
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 100);
	rig_set(&rig, 7, 102, SPHT_ENTRY_USED);
	rig_set(&rig, 7, 104, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 103), "105 106");
	rig_close(&rig);
}

/* Faults on 100, 300 and 400, which leaves w 2; 401 comes to be @state; then 450. */
static const char *after_three(uint8_t state, struct rig *rig)
{
	rig_open(rig, "swapra");
	ask(rig, SPHT_FAULT_HIDDEN, 7, 100);
	ask(rig, SPHT_FAULT_HIDDEN, 7, 300);
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 7, 400), "401");
	rig_set(rig, 7, 401, state);
	return ask(rig, SPHT_FAULT_HIDDEN, 7, 450);
}

static void page_that_was_built_and_not_used_is_no_hit(void **unused)
{
	struct rig rig;

	(void)unused;
	assert_string_equal(after_three(SPHT_ENTRY_USED, &rig), "449 451 452"); /* 3, so 4 */
	rig_close(&rig);
	assert_string_equal(after_three(SPHT_ENTRY_PRESENT, &rig), "");
	/* later it is: once */
	rig_set(&rig, 7, 401, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 480), "479 481 482");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 350), "351"); /* half of it */
	rig_close(&rig);
}

static void page_that_is_there_is_not_asked_for_again(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "swapra");
	rig_set(&rig, 7, 99, SPHT_ENTRY_PRESENT);
	rig_set(&rig, 7, 102, SPHT_ENTRY_USED); /* and is no hit of the next */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 100), "97 98 101 103 104");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 300), "299 301 302");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 400), "401");
	rig_close(&rig);
}

/* With 32 places for pages asked for: of 122 to 152 and 15 others, @from and 6 more are used. */
static void of_forty_six(uint64_t from, const char *asked)
{
	struct rig rig;

	rig_open(&rig, "swapra:max_pages=32");
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 100);
	for (uint64_t v = 97; v <= 104; v++)
		rig_set(&rig, 7, v, SPHT_ENTRY_USED);
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 105); /* 7 hits: w 16, 106 to 120 */
	for (uint64_t v = 106; v <= 120; v++)
		rig_set(&rig, 7, v, SPHT_ENTRY_USED);
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 121); /* 15 hits: 17, so w 32, 122 to 152 */
	assert_int_equal(rig.n, 31);
	ask(&rig, SPHT_FAULT_HIDDEN, 7, 300); /* w 16, 293 to 308 */
	assert_int_equal(rig.n, 15);
	for (uint64_t v = from; v < from + 7; v++)
		rig_set(&rig, 7, v, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 450), asked);
	rig_close(&rig);
}

static void only_the_last_thirty_two_pages_asked_for_can_be_hits(void **unused)
{
	(void)unused;
	/* 46 - 32: 122 to 135 are forgotten; w 8, half of 16 */
	of_forty_six(129, "447 448 449 451 452 453 454");
	/* 7 hits: 9, so w 16, 7 below */
	of_forty_six(136, "443 444 445 446 447 448 449 451 452 453 454 455 456 457 458");
}

static void page_asked_for_twice_is_one_hit(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "swapra:max_pages=16");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 100), FIRST);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 101), "102 103 104"); /* w 4 */
	for (uint64_t v = 102; v <= 104; v++)
		rig_set(&rig, 7, v, SPHT_ENTRY_USED);
	/* 3 hits: 5, so 8; 6 would make 8 too, and 7 more with 97 to 99: 9, so 16 */
	for (uint64_t v = 97; v <= 98; v++)
		rig_set(&rig, 7, v, SPHT_ENTRY_USED);
	/* 5 hits: 7, so 8; twice they were 8: 10, so 16 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 300), "297 298 299 301 302 303 304");
	rig_close(&rig);
}

static void largest_window_may_be_two_pages(void **unused)
{
	(void)unused;
	HIDDEN("swapra:max_pages=2", {100, "101"}, {300, ""}, {301, "302"});
}

static void region_used_longest_ago_makes_room(void **unused)
{
	(void)unused;
	HIDDEN("swapra:entries=1", {100, FIRST}, {700, "697 698 699 701 702 703 704"},
	       {101, "98 99 100 102 103 104 105"});
	HIDDEN("swapra:entries=2", {100, FIRST}, {700, "697 698 699 701 702 703 704"},
	       {101, "102 103 104"});
}

static void guest_faults_read_ahead_when_told_so(void **unused)
{
	(void)unused;
	GUEST("swapra", {100, ""});
	GUEST("swapra:on=both", {100, FIRST});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_window_of_a_region_is_eight_pages_around_the_fault),
		cmocka_unit_test(window_without_hits_halves_down_to_nothing),
		cmocka_unit_test(fault_next_to_the_last_one_gets_two_pages_that_way),
		cmocka_unit_test(window_is_cut_off_at_the_ends_of_the_region),
		cmocka_unit_test(window_grows_with_the_pages_that_were_used),
		cmocka_unit_test(used_page_next_to_the_fault_was_the_last_access),
		cmocka_unit_test(of_two_used_neighbours_the_one_below_was_the_last_access),
		cmocka_unit_test(page_that_was_built_and_not_used_is_no_hit),
		cmocka_unit_test(page_that_is_there_is_not_asked_for_again),
		cmocka_unit_test(only_the_last_thirty_two_pages_asked_for_can_be_hits),
		cmocka_unit_test(page_asked_for_twice_is_one_hit),
		cmocka_unit_test(largest_window_may_be_two_pages),
		cmocka_unit_test(region_used_longest_ago_makes_room),
		cmocka_unit_test(guest_faults_read_ahead_when_told_so),
	};

	return cmocka_run_group_tests_name("heuristic swapra", tests, NULL, NULL);
}
