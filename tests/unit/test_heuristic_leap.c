// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the leap heuristic asks for, worked out by hand from its definition.  Most use a
 * history of 8, so that 3 of the newest 4 deltas make a trend, or 5 of all.
 */
#include "heuristic_rig.h"

#define H8 "leap:history=8"

static void trend_needs_more_than_half_of_the_first_part_of_the_history(void **unused)
{
	(void)unused;
	HIDDEN(H8, {100, ""}, {101, ""}, {102, ""}, {103, "104"}, {104, "105"});
	HIDDEN(H8, {100, ""}, {95, ""}, {90, ""}, {85, "80"});
	/* 9 of 16 */
	HIDDEN("leap", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""}, {105, ""}, {106, ""},
	       {107, ""}, {108, ""}, {109, "110"});
	/* 5 of 8 */
	HIDDEN("leap:split=4", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""}, {105, "106"});
	/* 5 of 8 again, and no smaller part */
	HIDDEN("leap:history=8,split=1", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""},
	       {105, "106"});
	/* and so it is with others before them: 7 5 3 1 1 1 1 1 */
	HIDDEN("leap:history=8,split=1", {100, ""}, {107, ""}, {112, ""}, {115, ""}, {116, ""},
	       {117, ""}, {118, ""}, {119, ""}, {120, "121"});
	/* a part smaller than one is one */
	HIDDEN("leap:history=2,split=64", {100, ""}, {103, "106"});
}

static void example_of_the_paper_finds_its_trends(void **unused)
{
	(void)unused;
	/* the paper's accesses, H_size 8 and N_split 2; deltas in the comments */
	HIDDEN(H8, {0x48, ""}, {0x45, ""}, {0x42, ""}, /* -3 -3 */
	       {0x3f, "60"}, /* -3: trend -3 */
	       {0x3c, "57"}, /* -3 */
	       {0x02, ""}, /* -58: still -3, which it does not follow */
	       {0x04, ""}, {0x06, ""}, /* 2 2: neither 4 nor 8 have one */
	       {0x08, "10"}, /* 2: trend 2 of the newest 4 */
	       {0x0a, "12"}, {0x0c, "14"}, /* 2 2 */
	       {0x10, ""}, {0x39, ""}, {0x12, ""}, /* 4 41 -39: still 2 */
	       {0x14, "22"}, {0x16, "24"}); /* 2 2: 5 of 8 */
}

static void access_to_the_same_page_is_left_out_of_the_history(void **unused)
{
	(void)unused;
	HIDDEN(H8, {100, ""}, {100, ""}, {101, ""}, {101, ""}, {102, ""}, {103, "104"}, {103, ""});
}

static void use(struct rig *rig, uint64_t from, uint64_t to)
{
	for (; from <= to; from++)
		rig_set(rig, 7, from, SPHT_ENTRY_USED);
}

/* Faults on 100 to 103, which asks for 104. */
static void open_run(struct rig *rig, const char *text)
{
	rig_open(rig, text);
	for (uint64_t v = 100; v < 103; v++)
		assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 7, v), "");
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 7, 103), "104");
}

static void window_is_one_more_than_the_hits_rounded_up_to_a_power_of_two(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, H8);
	use(&rig, 104, 104); /* 1 hit: 2 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106 107");
	use(&rig, 106, 107); /* 2: 3, so 4 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 108), "109 110 111 112");
	use(&rig, 109, 111); /* 3: 4 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 112), "113 114 115 116");
	use(&rig, 113, 116); /* 4: 5, so 8 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 117),
			    "118 119 120 121 122 123 124 125");
	use(&rig, 118, 125); /* 8: 9, so 16, at most 8 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 126),
			    "127 128 129 130 131 132 133 134");
	/* no hits, off the trend: half and half again; 74: 1 1 1 74 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 200), "201 202 203 204");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 300), "301 302"); /* 100: 6 of 8 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 401), "402"); /* 101: 5 of 8 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 503), "");
	rig_close(&rig);
}

static void largest_window_is_a_parameter(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, "leap:history=8,max_pages=2");
	use(&rig, 104, 104);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106 107");
	use(&rig, 106, 107);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 108), "109 110");
	rig_close(&rig);
}

static void page_that_was_built_and_not_used_is_no_hit(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, H8);
	rig_set(&rig, 7, 104, SPHT_ENTRY_PRESENT);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), ""); /* delta 2 */
	rig_set(&rig, 7, 104, SPHT_ENTRY_USED); /* once, then: 1 hit, deltas -1 and 2 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 106), "107 105");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 300), "301"); /* half of 2 */
	rig_close(&rig);
}

static void hits_wait_for_the_next_window(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, H8);
	use(&rig, 104, 104);
	/* seen here, at a fault that has no delta after it */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 104), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106 107");
	rig_close(&rig);
}

/* All of a history of 4 is looked at, 3 make a trend; faults on 100 to 108, then on 200. */
static void open_around(struct rig *rig)
{
	open_run(rig, "leap:history=4,split=1");
	use(rig, 104, 104);
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 7, 105), "106 107");
	use(rig, 106, 107);
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 7, 108), "109 110 111 112");
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 7, 200), "201 202"); /* 1 1 1 92 */
}

static void without_a_trend_the_window_lies_around_along_the_last_one(void **unused)
{
	struct rig rig;

	(void)unused;
	open_around(&rig);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 303), "304"); /* 1 1 92 103 */
	rig_close(&rig);
	open_around(&rig);
	use(&rig, 201, 201);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 303), "304 302"); /* 1 92 1 102 */
	rig_close(&rig);
	open_around(&rig);
	use(&rig, 201, 202);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 303), "304 302 305 301");
	rig_close(&rig);
}

static void used_pages_are_history_unless_told_not_to_follow(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, "leap:history=8,follow=0");
	use(&rig, 104, 104);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106 107"); /* 1 1 1 2 */
	use(&rig, 106, 107);
	/* 1 1 2 3: none, 4 pages around, of which 106 and 107 are there */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 108), "109 110");
	rig_close(&rig);
}

static void pages_of_the_last_two_windows_can_be_hits(void **unused)
{
	static const struct {
		uint64_t used;
		const char *asked;
	} rows[] = {{104, ""}, {105, "301"}, {106, "301"}};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_run(&rig, "leap:history=8,max_pages=1");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 104), "105");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106");
		use(&rig, rows[i].used, rows[i].used);
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 300), rows[i].asked);
		rig_close(&rig);
	}
}

static void page_asked_for_twice_is_one_hit(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, H8);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 102), ""); /* -1: 1 1 1 -1 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 103), "104"); /* 1: 1 1 -1 1 */
	use(&rig, 104, 104);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106 107"); /* twice: 4 */
	rig_close(&rig);
}

static void page_that_is_there_is_not_asked_for_again(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, H8);
	rig_set(&rig, 7, 104, SPHT_ENTRY_PRESENT);
	for (uint64_t v = 100; v < 104; v++)
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, v), "");
	rig_close(&rig);
}

static void trend_leads_anywhere_in_the_half_unless_told_to_stay(void **unused)
{
	(void)unused;
	HIDDEN(H8, {508, ""}, {509, ""}, {510, ""}, {511, "512"});
	HIDDEN("leap:history=8,cross=0", {508, ""}, {509, ""}, {510, ""}, {511, ""}, {512, "513"});
	HIDDEN(H8, {3, ""}, {2, ""}, {1, ""}, {0, ""});
	HIDDEN(H8, {HALF - 4, ""}, {HALF - 3, ""}, {HALF - 2, ""}, {HALF - 1, ""});
	HIDDEN(H8, {TOP - 3, ""}, {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN(H8, {HALF + 3, ""}, {HALF + 2, ""}, {HALF + 1, ""}, {HALF, ""});
}

static void space_used_longest_ago_makes_room(void **unused)
{
	struct rig rig;

	(void)unused;
	open_run(&rig, "leap:history=8,entries=1");
	ask(&rig, SPHT_FAULT_HIDDEN, 8, 5);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 104), "");
	rig_close(&rig);
	open_run(&rig, "leap:history=8,entries=2");
	ask(&rig, SPHT_FAULT_HIDDEN, 8, 5);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 104), "105");
	rig_close(&rig);
}

static void guest_faults_make_trends_when_told_so(void **unused)
{
	(void)unused;
	GUEST(H8, {100, ""}, {101, ""}, {102, ""}, {103, ""});
	GUEST("leap:history=8,on=guest", {100, ""}, {101, ""}, {102, ""}, {103, "104"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trend_needs_more_than_half_of_the_first_part_of_the_history),
		cmocka_unit_test(example_of_the_paper_finds_its_trends),
		cmocka_unit_test(access_to_the_same_page_is_left_out_of_the_history),
		cmocka_unit_test(window_is_one_more_than_the_hits_rounded_up_to_a_power_of_two),
		cmocka_unit_test(largest_window_is_a_parameter),
		cmocka_unit_test(page_that_was_built_and_not_used_is_no_hit),
		cmocka_unit_test(hits_wait_for_the_next_window),
		cmocka_unit_test(without_a_trend_the_window_lies_around_along_the_last_one),
		cmocka_unit_test(used_pages_are_history_unless_told_not_to_follow),
		cmocka_unit_test(pages_of_the_last_two_windows_can_be_hits),
		cmocka_unit_test(page_asked_for_twice_is_one_hit),
		cmocka_unit_test(page_that_is_there_is_not_asked_for_again),
		cmocka_unit_test(trend_leads_anywhere_in_the_half_unless_told_to_stay),
		cmocka_unit_test(space_used_longest_ago_makes_room),
		cmocka_unit_test(guest_faults_make_trends_when_told_so),
	};

	return cmocka_run_group_tests_name("heuristic leap", tests, NULL, NULL);
}
