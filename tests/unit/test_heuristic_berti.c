// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What berti asks for, worked out by hand.  In the comments dN is the distance N and a/b
 * that it was found in a of b searches; most tests have windows of 4, so that the first
 * requests come after 2 searches.
 */
#include "heuristic_rig.h"

static const char *at(struct rig *rig, uint64_t time_ns, uint64_t vpn)
{
	const struct spht_fault fault = {
		.time_ns = time_ns, .space = 1, .vpn = vpn, .cls = SPHT_FAULT_HIDDEN};
	static char text[256];
	size_t len = 0;

	rig->n = 0;
	rig_feed(rig, &fault);
	text[0] = '\0';
	for (size_t i = 0; i < rig->n && len < sizeof(text); i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%" PRIu64, i ? " " : "",
				rig->log[i].vpn);
	return text;
}

static void distance_found_in_enough_searches_is_asked_for(void **unused)
{
	(void)unused;
	HIDDEN("berti:window=4", {100, ""}, {101, ""}, /* d1 1/1: before half of a window */
	       {102, "103"}, /* d1 2/2, d2 1/2 */
	       {103, "104"}, /* d1 3/3, d2 2/3, d3 1/3: 80 % are needed */
	       {104, "105 106"}, /* a window: d1 3/4, d2 2/4, d3 1/4: 35 % are needed */
	       {105, "106 107"});
	HIDDEN("berti:window=4,coverage_pct=75", {100, ""}, {101, ""}, {102, "103"}, {103, "104"},
	       {104, "105"});
	HIDDEN("berti:window=4,coverage_pct=76", {100, ""}, {101, ""}, {102, "103"}, {103, "104"},
	       {104, ""}, {105, ""});
	HIDDEN("berti:window=4,degree=1", {100, ""}, {101, ""}, {102, "103"}, {103, "104"},
	       {104, "105"});
}

static void default_window_asks_from_the_eighth_search_on(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "berti");
	for (uint64_t i = 0; i < 8; i++)
		assert_string_equal(at(&rig, i, 100 + i), "");
	/* the eighth: d1 8/8, d2 7/8, d3 6/8 */
	assert_string_equal(at(&rig, 8, 108), "109 110");
	for (uint64_t i = 9; i < 16; i++)
		at(&rig, i, 100 + i);
	/* d1 15/16 .. d8 8/16; further back than 8 faults no search goes */
	assert_string_equal(at(&rig, 16, 116), "117 118 119 120 121 122 123 124");
	rig_close(&rig);
}

static void distances_go_down_to_page_zero(void **unused)
{
	(void)unused;
	HIDDEN("berti:window=4", {3, ""}, {2, ""}, {1, "0"}, {0, ""});
	HIDDEN("berti:window=4", {306, ""}, {303, ""}, {300, "297"});
}

static void same_page_again_neither_trains_nor_asks_in_berti(void **unused)
{
	(void)unused;
	HIDDEN("berti:window=4", {100, ""}, {101, ""}, {101, ""}, {102, "103"}, {102, ""});
}

static void search_ends_at_the_last_fault_on_the_same_page(void **unused)
{
	(void)unused;
	/* d5 1/1; d-5; at the second 105 one 100 is found: d5 2/3, not 3/3 */
	HIDDEN("berti:window=4", {100, ""}, {105, ""}, {100, ""}, {105, ""});
}

static void search_ends_at_a_page_that_it_has_found_before(void **unused)
{
	(void)unused;
	/* d5; d-5; 103 finds d-2 and d3, and not d3 again: each 1/3 when 200 ends the window */
	HIDDEN("berti:window=4,coverage_pct=50", {100, ""}, {105, ""}, {100, ""}, {103, ""},
	       {200, ""});
	HIDDEN("berti:window=4,coverage_pct=25", {100, ""}, {105, ""}, {100, ""}, {103, ""},
	       {200, "198 203 205 195"});
}

/* Three faults 10 ns apart, the last at 20 ns, ask for the fourth page, which ends so. */
static void open_built(struct rig *rig, const char *spec, uint64_t from, uint64_t time_ns,
		       uint8_t kind)
{
	rig_open(rig, spec);
	at(rig, 0, from);
	at(rig, 10, from + 1);
	at(rig, 20, from + 2);
	assert_int_equal(rig->n, 1);
	assert_int_equal(rig->log[0].vpn, from + 3);
	rig_outcome(rig, time_ns, 1, from + 3, kind);
}

static void fault_counts_from_a_build_s_latency_before(void **unused)
{
	struct rig rig;

	(void)unused;
	/* 25 ns */
	open_built(&rig, "berti:window=4", 100, 45, SPHT_OUTCOME_BUILT);
	at(&rig, 100, 1100);
	at(&rig, 110, 1101);
	assert_string_equal(at(&rig, 120, 1102), ""); /* none before 95 */
	assert_string_equal(at(&rig, 130, 1103), ""); /* d3 1/1 */
	assert_string_equal(at(&rig, 140, 1104), "1107"); /* d3 2/2, d4 1/2 */
	rig_close(&rig);
	/* 20 ns: a fault just so long ago was early enough */
	open_built(&rig, "berti:window=4", 100, 40, SPHT_OUTCOME_BUILT);
	at(&rig, 100, 1100);
	at(&rig, 110, 1101);
	assert_string_equal(at(&rig, 120, 1102), ""); /* d2 1/1 */
	assert_string_equal(at(&rig, 130, 1103), "1105"); /* d2 2/2 */
	rig_close(&rig);
}

static void latency_is_of_builds_and_none_with_timely_0(void **unused)
{
	static const struct {
		const char *spec;
		uint8_t kind;
	} rows[] = {
		{"berti:window=4,timely=0", SPHT_OUTCOME_BUILT},
		{"berti:window=4", SPHT_OUTCOME_REFUSED},
		{"berti:window=4", SPHT_OUTCOME_LATE},
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_built(&rig, rows[i].spec, 100, 45, rows[i].kind);
		at(&rig, 100, 1100);
		at(&rig, 110, 1101);
		assert_string_equal(at(&rig, 120, 1102), "1103");
		rig_close(&rig);
	}
}

static void latency_longer_than_the_time_so_far_finds_nothing(void **unused)
{
	struct rig rig;

	(void)unused;
	open_built(&rig, "berti:window=4", 100, 1000, SPHT_OUTCOME_BUILT);
	for (uint64_t i = 0; i < 5; i++)
		assert_string_equal(at(&rig, 900 + i, 1100 + i), "");
	rig_close(&rig);
}

static void page_built_and_used_credits_the_faults_until_its_request(void **unused)
{
	struct rig rig;

	(void)unused;
	open_built(&rig, "berti:window=4", 100, 24, SPHT_OUTCOME_BUILT);
	rig_set(&rig, 1, 103, SPHT_ENTRY_USED);
	/* 103: d1 3/3, d2 2/3, d3 1/3; 104 is the fourth: 75, 50, 25 % */
	assert_string_equal(at(&rig, 60, 104), "105 106");
	/* and only once: the window that 104 began has two searches now, and goes on */
	assert_string_equal(at(&rig, 70, 105), "106 107");
	assert_string_equal(at(&rig, 80, 106), "107 108");
	rig_close(&rig);
	open_built(&rig, "berti:window=4", 100, 24, SPHT_OUTCOME_BUILT);
	rig_set(&rig, 1, 103, SPHT_ENTRY_PRESENT);
	assert_string_equal(at(&rig, 60, 104), ""); /* d1 2/3, d2 2/3, d3, d4 1/3 */
	rig_close(&rig);
}

static void fault_between_request_and_build_was_not_early_enough(void **unused)
{
	static const struct {
		const char *spec, *asked;
	} rows[] = {
		{"berti:window=6,coverage_pct=1", "301 302 303 304 397 398 399 400"},
		{"berti:window=6,coverage_pct=1,timely=0", "301 302 303 304 204 397 398 399 400"},
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_open(&rig, rows[i].spec);
		at(&rig, 0, 100);
		at(&rig, 10, 101);
		at(&rig, 20, 102);
		assert_string_equal(at(&rig, 30, 103), "104"); /* d1 3/3, d2 2/3, d3 1/3 */
		assert_string_equal(at(&rig, 32, 200), ""); /* d97 .. d100 1/4 */
		rig_outcome(&rig, 34, 1, 104, SPHT_OUTCOME_BUILT);
		rig_set(&rig, 1, 104, SPHT_ENTRY_USED);
		/* 104 by 103 .. 100: d1 .. d4; by 200, at 32, d-96; 300 ends the window */
		assert_string_equal(at(&rig, 60, 300), rows[i].asked);
		rig_close(&rig);
	}
}

static void sixteen_distances_are_kept_and_chosen_ones_stay(void **unused)
{
	(void)unused;
	/*
	 * 15 ends a window: 1 2 3 4 6 7 are chosen; 8 12 14 15, then 16 24 28 30 31 and 32 fill
	 * the places.  What comes after takes that of 8, one after the other, 127 last.  255 ends
	 * the next window, with what was found in it.
	 */
	HIDDEN("berti:window=4,coverage_pct=1", {0, ""}, {1, ""}, {3, ""}, {7, ""},
	       {15, "16 17 18 19 21 22"}, {31, "32 33 34 35 37 38"}, {63, "64 65 66 67 69 70"},
	       {127, "128 129 130 131 133 134"}, {255, "267 269 270 271 279 283 285 286 287 382"});
}

static void berti_stays_in_its_region_unless_told_to_cross(void **unused)
{
	(void)unused;
	HIDDEN("berti:window=4", {509, ""}, {510, ""}, {511, ""});
	HIDDEN("berti:window=4,cross=1", {509, ""}, {510, ""}, {511, "512"});
	HIDDEN("berti:window=4,cross=1", {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN("berti:window=4,cross=1", {HALF + 2, ""}, {HALF + 1, ""}, {HALF, ""});
}

static void build_beyond_a_region_is_found_with_the_one_that_asked(void **unused)
{
	struct rig rig;

	(void)unused;
	/* 20 ns, as in region: 512 for 509 .. 511, then 511 for 514 .. 512 */
	for (int up = 0; up < 2; up++) {
		rig_open(&rig, "berti:window=4,cross=1");
		for (uint64_t i = 0; i < 3; i++)
			at(&rig, 10 * i, up ? 509 + i : 514 - i);
		assert_int_equal(rig.n, 1);
		rig_outcome(&rig, 40, 1, up ? 512 : 511, SPHT_OUTCOME_BUILT);
		at(&rig, 100, 1100);
		at(&rig, 110, 1101);
		assert_string_equal(at(&rig, 120, 1102), "");
		assert_string_equal(at(&rig, 130, 1103), "1105");
		rig_close(&rig);
	}
}

static void histories_of_two_address_spaces_are_apart(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "berti:window=4");
	for (uint64_t i = 0; i < 2; i++) {
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 100 + i), "");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 100 - i), "");
	}
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 102), "103");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 98), "97");
	rig_close(&rig);
}

static void region_used_least_recently_loses_its_history(void **unused)
{
	(void)unused;
	HIDDEN("berti:window=4,entries=1", {100, ""}, {101, ""}, {5000, ""}, {102, ""});
	HIDDEN("berti:window=4,entries=2", {100, ""}, {101, ""}, {5000, ""}, {102, "103"});
}

static void berti_trains_on_the_classes_that_it_is_told(void **unused)
{
	(void)unused;
	GUEST("berti:window=4", {100, ""}, {101, ""}, {102, ""});
	GUEST("berti:window=4,on=both", {100, ""}, {101, ""}, {102, "103"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distance_found_in_enough_searches_is_asked_for),
		cmocka_unit_test(default_window_asks_from_the_eighth_search_on),
		cmocka_unit_test(distances_go_down_to_page_zero),
		cmocka_unit_test(same_page_again_neither_trains_nor_asks_in_berti),
		cmocka_unit_test(search_ends_at_the_last_fault_on_the_same_page),
		cmocka_unit_test(search_ends_at_a_page_that_it_has_found_before),
		cmocka_unit_test(fault_counts_from_a_build_s_latency_before),
		cmocka_unit_test(latency_is_of_builds_and_none_with_timely_0),
		cmocka_unit_test(latency_longer_than_the_time_so_far_finds_nothing),
		cmocka_unit_test(page_built_and_used_credits_the_faults_until_its_request),
		cmocka_unit_test(fault_between_request_and_build_was_not_early_enough),
		cmocka_unit_test(sixteen_distances_are_kept_and_chosen_ones_stay),
		cmocka_unit_test(berti_stays_in_its_region_unless_told_to_cross),
		cmocka_unit_test(build_beyond_a_region_is_found_with_the_one_that_asked),
		cmocka_unit_test(histories_of_two_address_spaces_are_apart),
		cmocka_unit_test(region_used_least_recently_loses_its_history),
		cmocka_unit_test(berti_trains_on_the_classes_that_it_is_told),
	};

	return cmocka_run_group_tests_name("heuristic berti", tests, NULL, NULL);
}
