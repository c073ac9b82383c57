// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the distance heuristic asks for, worked out by hand from its definition.  In the
 * comments d is the fault's distance, a>b: b is learned to follow a.
 */
#include "heuristic_rig.h"

static void run_asks_from_its_fourth_fault_on(void **unused)
{
	(void)unused;
	HIDDEN("distance", {100, ""}, {101, ""}, /* d 1, and nothing before it */
	       {102, ""}, /* d 1, no row yet; 1>1 */
	       {103, "104"}, {104, "105"});
	HIDDEN("distance", {100, ""}, {93, ""}, {86, ""}, {79, "72"});
}

static void distance_asks_for_what_followed_it_the_last_time(void **unused)
{
	(void)unused;
	HIDDEN("distance", {100, ""}, {101, ""}, /* d 1 */
	       {104, ""}, /* d 3; 1>3 */
	       {105, "108"}, /* d 1: 105 + 3; 3>1 */
	       {108, "109"}, /* d 3: 108 + 1 */
	       {109, "112"});
}

static void slots_keep_the_newest_followers_and_ask_for_the_last_one_first(void **unused)
{
	(void)unused;
	HIDDEN("distance", {100, ""}, {101, ""}, {104, ""}, /* 1>3 */
	       {105, "108"}, /* 3>1 */
	       {110, ""}, /* d 5; 1>5: row 1 is 5 3 */
	       {111, "116 114"}, /* 5>1 */
	       {116, "117"}, /* 1>5, as it was */
	       {117, "122 120"}, /* 5>1 */
	       {119, ""}, /* d 2; 1>2: row 1 is 2 5, without 3 */
	       {120, "122 125"}, /* 2>1 */
	       {125, "126"}, /* 1>5: row 1 is 5 2 */
	       {126, "131 128"});
	HIDDEN("distance:slots=1", {100, ""}, {101, ""}, {104, ""}, {105, "108"}, {110, ""},
	       {111, "116"});
	HIDDEN("distance:slots=3", {100, ""}, {101, ""}, {104, ""}, {105, "108"}, {110, ""},
	       {111, "116 114"}, {113, ""}, /* 1>2: 2 5 3 */
	       {114, "116 119 117"});
}

static void fault_on_the_page_of_the_last_one_has_no_distance(void **unused)
{
	(void)unused;
	HIDDEN("distance", {100, ""}, {100, ""}, {101, ""}, {101, ""}, {102, ""}, {102, ""},
	       {103, "104"}, {103, ""});
}

static void row_is_taken_over_by_another_distance_of_the_same_low_bits(void **unused)
{
	(void)unused;
	HIDDEN("distance", {100, ""}, {101, ""}, {102, ""}, /* 1>1 */
	       {104, ""}, /* d 2; 1>2: row 1 is 2 1 */
	       {105, "107 106"}, /* 2>1 */
	       {106, "108 107"});
	/* the only row: 2>1 wipes out that of 1 */
	HIDDEN("distance:rows=1", {100, ""}, {101, ""}, {102, ""}, {104, ""}, {105, "107 106"},
	       {106, ""}, /* 1>1 wipes out that of 2 */
	       {107, "108"});
	/* two rows: 2 has one of its own */
	HIDDEN("distance:rows=2", {100, ""}, {101, ""}, {102, ""}, {104, ""}, {105, "107 106"},
	       {106, "108 107"});
	/* 257 ends in the same 8 bits as 1, and not in the same 9: 257>1 wipes out that of 1 */
	HIDDEN("distance", {100, ""}, {101, ""}, {102, ""}, {359, ""}, {360, "617 361"}, {361, ""});
	HIDDEN("distance:rows=512", {100, ""}, {101, ""}, {102, ""}, {359, ""}, {360, "617 361"},
	       {361, "618 362"});
	/* -1 ends in the same bit as 1: 1>1, then -1>1 wipes it out */
	HIDDEN("distance:rows=2", {100, ""}, {101, ""}, {102, ""}, {101, ""}, /* 1>-1: -1 1 */
	       {102, "101 103"}, /* -1>1 */
	       {103, ""});
}

static void distance_leads_anywhere_in_the_half_unless_told_to_stay(void **unused)
{
	(void)unused;
	HIDDEN("distance", {508, ""}, {509, ""}, {510, ""}, {511, "512"});
	HIDDEN("distance:cross=0", {508, ""}, {509, ""}, {510, ""}, {511, ""}, {512, "513"});
	HIDDEN("distance", {3, ""}, {2, ""}, {1, ""}, {0, ""});
	HIDDEN("distance", {TOP - 3, ""}, {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN("distance", {HALF - 4, ""}, {HALF - 3, ""}, {HALF - 2, ""}, {HALF - 1, ""});
	HIDDEN("distance", {HALF + 3, ""}, {HALF + 2, ""}, {HALF + 1, ""}, {HALF, ""});
	/* from one half to the other and back is a distance too: 2^35 */
	HIDDEN("distance", {5, ""}, {HALF + 5, ""}, {HALF + 6, ""}, /* 2^35>1 */
	       {6, ""}, /* d -2^35 - 0 */
	       {HALF + 6, "34359738375"});
}

static void page_that_is_there_is_not_asked_for(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "distance");
	for (uint64_t vpn = 100; vpn < 103; vpn++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, vpn);
	rig_set(&rig, 7, 104, SPHT_ENTRY_PRESENT);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 103), "");
	rig_close(&rig);
}

/* Faults on 100 to 103, the last of which asks for 104, which comes to be @state; then @vpn. */
static void after_run(const char *text, uint8_t state, uint64_t vpn, const char *asked)
{
	struct rig rig;

	rig_open(&rig, text);
	for (uint64_t v = 100; v < 104; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
	rig_set(&rig, 7, 104, state);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, vpn), asked);
	rig_close(&rig);
}

static void page_asked_for_and_used_trains_as_a_miss_before_the_fault(void **unused)
{
	(void)unused;
	after_run("distance", SPHT_ENTRY_USED, 105, "106"); /* 104 and 105: d 1, d 1 */
	after_run("distance", SPHT_ENTRY_PRESENT, 105, ""); /* d 2 */
	after_run("distance", SPHT_ENTRY_ABSENT, 105, "");
	after_run("distance:follow=0", SPHT_ENTRY_USED, 105, "");
}

static void page_used_trains_once(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "distance");
	for (uint64_t v = 100; v < 104; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
	rig_set(&rig, 7, 104, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "106");
	/* once more: d -1, and then 106 would be d 2 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 106), "107");
	rig_close(&rig);
}

static void used_pages_train_in_the_order_in_which_they_were_asked_for(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "distance");
	for (uint64_t v = 100; v < 103; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v); /* 1>1 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 103), "104");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 107), ""); /* 1>4: 4 1 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 108), "112 109"); /* 4>1 */
	rig_set(&rig, 7, 109, SPHT_ENTRY_USED);
	rig_set(&rig, 7, 112, SPHT_ENTRY_USED);
	/* 108 112 109 110: 1>4 4>-3 -3>1: row 1 is 4 1; the other way 112 would be d 3 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 110), "114 111");
	/* 110 111 115: row 4 is -3 1 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 114), "111 115");
	rig_close(&rig);
}

/* Of the pages 104 to 120 asked for, @vpn was used: what does the fault on 120 ask for? */
static void of_seventeen(uint64_t vpn, const char *asked)
{
	struct rig rig;

	rig_open(&rig, "distance");
	for (uint64_t v = 100; v < 120; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v);
	rig_set(&rig, 7, vpn, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 120), asked);
	rig_close(&rig);
}

static void only_the_last_sixteen_pages_asked_for_are_looked_at(void **unused)
{
	(void)unused;
	of_seventeen(104, "121"); /* forgotten: 119 120 */
	of_seventeen(105, ""); /* 119 105 120: d 15 */
}

static void page_asked_for_again_takes_no_second_place_of_the_sixteen(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "distance");
	for (uint64_t v = 100; v < 104; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 7, v); /* asks for 104 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 200), ""); /* 1>97: 97 1 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 201), "298 202");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 200), ""); /* 1>-1: -1 97 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 201), "200 298"); /* -1>1 */
	for (int i = 0; i < 8; i++) {
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 200), "201");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 201), "200 298");
	}
	/* five pages in all, so 104 is not forgotten: 201 104 105, 1>-97: row 1 is -97 -1 */
	rig_set(&rig, 7, 104, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 105), "8");
	rig_close(&rig);
}

static void tables_are_shared_and_histories_are_not_when_told_so(void **unused)
{
	static const struct {
		uint64_t space, vpn;
		const char *apart, *shared;
	} rows[] = {
		{1, 100, "", ""},           {1, 101, "", ""},    {1, 102, "", ""}, /* 1>1 */
		{2, 500, "", ""},           {2, 501, "", "502"}, /* d 1 of its own; nothing before it */
		{1, 105, "", ""}, /* d 3; 1>3 */
		{2, 502, "", "505 503"}, /* apart: its own 1>1 only now; shared: 3 1, 1>1 */
		{2, 503, "504", "504 506"},
	};
	struct rig apart, shared;

	(void)unused;
	rig_open(&apart, "distance");
	rig_open(&shared, "distance:shared=1");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(ask(&apart, SPHT_FAULT_HIDDEN, rows[i].space, rows[i].vpn),
				    rows[i].apart);
		assert_string_equal(ask(&shared, SPHT_FAULT_HIDDEN, rows[i].space, rows[i].vpn),
				    rows[i].shared);
	}
	rig_close(&apart);
	rig_close(&shared);
}

static void first_distance_of_a_space_follows_none(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "distance:shared=1,rows=1");
	for (uint64_t v = 100; v < 103; v++)
		ask(&rig, SPHT_FAULT_HIDDEN, 1, v); /* 1>1 */
	ask(&rig, SPHT_FAULT_HIDDEN, 2, 500);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 501), "502");
	/* so the only row is still that of 1 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 502), "503");
	rig_close(&rig);
}

static void space_used_longest_ago_makes_room(void **unused)
{
	struct rig one, two;

	(void)unused;
	rig_open(&one, "distance:entries=1");
	rig_open(&two, "distance:entries=2");
	for (uint64_t v = 100; v < 103; v++) {
		ask(&one, SPHT_FAULT_HIDDEN, 1, v);
		ask(&two, SPHT_FAULT_HIDDEN, 1, v);
	}
	ask(&one, SPHT_FAULT_HIDDEN, 2, 7);
	ask(&two, SPHT_FAULT_HIDDEN, 2, 7);
	assert_string_equal(ask(&one, SPHT_FAULT_HIDDEN, 1, 103), "");
	assert_string_equal(ask(&two, SPHT_FAULT_HIDDEN, 1, 103), "104");
	/* and the one that comes back has nothing left of its table */
	assert_string_equal(ask(&one, SPHT_FAULT_HIDDEN, 1, 104), "");
	rig_close(&one);
	rig_close(&two);
}

static void guest_faults_train_distances_when_told_so(void **unused)
{
	(void)unused;
	GUEST("distance", {100, ""}, {101, ""}, {102, ""}, {103, ""});
	GUEST("distance:on=guest", {100, ""}, {101, ""}, {102, ""}, {103, "104"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_asks_from_its_fourth_fault_on),
		cmocka_unit_test(distance_asks_for_what_followed_it_the_last_time),
		cmocka_unit_test(slots_keep_the_newest_followers_and_ask_for_the_last_one_first),
		cmocka_unit_test(fault_on_the_page_of_the_last_one_has_no_distance),
		cmocka_unit_test(row_is_taken_over_by_another_distance_of_the_same_low_bits),
		cmocka_unit_test(distance_leads_anywhere_in_the_half_unless_told_to_stay),
		cmocka_unit_test(page_that_is_there_is_not_asked_for),
		cmocka_unit_test(page_asked_for_and_used_trains_as_a_miss_before_the_fault),
		cmocka_unit_test(page_used_trains_once),
		cmocka_unit_test(used_pages_train_in_the_order_in_which_they_were_asked_for),
		cmocka_unit_test(only_the_last_sixteen_pages_asked_for_are_looked_at),
		cmocka_unit_test(page_asked_for_again_takes_no_second_place_of_the_sixteen),
		cmocka_unit_test(tables_are_shared_and_histories_are_not_when_told_so),
		cmocka_unit_test(first_distance_of_a_space_follows_none),
		cmocka_unit_test(space_used_longest_ago_makes_room),
		cmocka_unit_test(guest_faults_train_distances_when_told_so),
	};

	return cmocka_run_group_tests_name("heuristic distance", tests, NULL, NULL);
}
