// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the bop heuristic asks for, worked out by hand from its definition.  Most have
 * three offsets, 1 2 3, so that a round is three triggers; d in the comments is the one
 * that the fault tries.
 */
#include "heuristic_rig.h"

/* A phase is one round, and a score of 1 will do. */
#define ROUND                  "bop:max_offset=3,round_max=1,bad_score=0"

#define FAULT(rig, vpn, asked) assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 0, vpn), asked)
#define DONE(rig, vpn, how)    rig_outcome(rig, 0, 0, vpn, SPHT_OUTCOME_##how)

static void first_offset_is_one(void **unused)
{
	(void)unused;
	HIDDEN("bop", {100, "101"}, {300, "301"}, {510, "511"}, {511, ""}, {512, "513"});
	HIDDEN("bop:cross=1", {511, "512"}, {TOP, ""}, {HALF - 1, ""}, {HALF, "34359738369"});
}

static void offset_in_whose_time_requests_were_done_is_taken_at_a_rounds_end(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "bop:max_offset=3,score_max=2");
	FAULT(&rig, 100, "101"); /* d 1: 99 */
	DONE(&rig, 101, BUILT);
	FAULT(&rig, 102, "103"); /* d 2: 100, score 1 */
	DONE(&rig, 103, BUILT);
	FAULT(&rig, 104, "105"); /* d 3: 101; no score of 2 yet */
	DONE(&rig, 105, BUILT);
	FAULT(&rig, 106, "107");
	DONE(&rig, 107, BUILT);
	FAULT(&rig, 108, "109"); /* d 2: 106, score 2 */
	FAULT(&rig, 110, "112"); /* d 3: the round is over */
	FAULT(&rig, 112, "114");
	rig_close(&rig);
}

static void scores_begin_anew_with_each_phase(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, ROUND);
	FAULT(&rig, 100, "101");
	DONE(&rig, 101, BUILT);
	FAULT(&rig, 102, "103"); /* d 2: 100 */
	FAULT(&rig, 104, "106"); /* d 3; 2 is taken */
	FAULT(&rig, 108, "110"); /* d 1: 107 */
	FAULT(&rig, 110, "112"); /* d 2: 108 */
	FAULT(&rig, 114, ""); /* d 3: 111; none has a score */
	rig_close(&rig);
}

static void without_an_offset_faults_themselves_are_recent(void **unused)
{
	(void)unused;
	/* nothing is ever done: after two rounds no offset has a score */
	HIDDEN("bop:max_offset=3,round_max=2", {100, "101"}, {102, "103"}, {104, "105"},
	       {106, "107"}, {108, "109"}, {110, ""}, /* recent from now on */
	       {112, ""}, {114, ""}, /* d 2: 112, score 1 */
	       {116, ""}, {118, ""}, {120, ""}, /* d 2: 118, score 2 */
	       {122, "124"}); /* the second round is over, 2 is taken */
	/* the fault itself is recent only for those after it */
	HIDDEN("bop:max_offset=1,round_max=1,bad_score=0", {100, ""}, {100, ""}, {101, "102"});
}

static void best_score_no_more_than_bad_score_asks_for_nothing(void **unused)
{
	static const struct {
		const char *text, *asked;
	} rows[] = {{"bop:max_offset=3,round_max=1,bad_score=0", "106"},
		    {"bop:max_offset=3,round_max=1", ""},
		    {"bop:max_offset=3,round_max=1,bad_score=2", ""}};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_open(&rig, rows[i].text);
		FAULT(&rig, 100, "101");
		DONE(&rig, 101, BUILT);
		FAULT(&rig, 102, "103"); /* d 2: score 1 */
		FAULT(&rig, 104, rows[i].asked);
		rig_close(&rig);
	}
}

static void of_equal_scores_the_first_of_the_list_is_taken(void **unused)
{
	(void)unused;
	/* none at 102, which is recent; then 1, 2 and 3 have it */
	HIDDEN(ROUND, {100, "101"}, {101, "102"}, {102, ""}, {103, ""}, {104, ""}, {105, "106"});
}

static void request_that_came_too_late_counts_after_its_fault(void **unused)
{
	static const struct {
		uint8_t how;
		const char *second, *third;
	} rows[] = {
		{SPHT_OUTCOME_BUILT, "103", "105"}, /* d 2 and d 3: 100; the first is taken */
		{SPHT_OUTCOME_LATE, "103", "106"}, /* d 3: 100 */
		{SPHT_OUTCOME_REFUSED, "103", ""},
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_open(&rig, ROUND);
		FAULT(&rig, 100, "101");
		rig_outcome(&rig, 0, 0, 101, rows[i].how);
		FAULT(&rig, 102, rows[i].second);
		FAULT(&rig, 103, rows[i].third);
		rig_close(&rig);
	}
}

static void recent_requests_are_mapped_by_a_hash_of_the_page(void **unused)
{
	(void)unused;
	/* 357 is 0x165: 0x65 ^ 1 is 0x64, and so is 100; 358 is one further */
	HIDDEN(ROUND, {10, "11"}, {20, "21"}, {30, ""}, {100, ""}, {358, ""}, {103, "106"});
	HIDDEN(ROUND, {10, "11"}, {20, "21"}, {30, ""}, {100, ""}, {357, ""}, {103, ""});
	HIDDEN(ROUND ",recent=512", {10, "11"}, {20, "21"}, {30, ""}, {100, ""}, {357, ""},
	       {103, "106"});
	/* the page is looked for, not the hash: 357 is no 100 */
	HIDDEN(ROUND, {10, "11"}, {20, "21"}, {30, ""}, {357, ""}, {400, ""}, {103, ""});
}

static void request_for_the_page_of_another_space_is_not_recent(void **unused)
{
	struct rig rig;
	/* the first whose pages are mapped as those of space 0 */
	const uint64_t other = 469;

	(void)unused;
	for (int same = 0; same < 2; same++) {
		rig_open(&rig, ROUND);
		FAULT(&rig, 10, "11");
		FAULT(&rig, 20, "21");
		FAULT(&rig, 30, "");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, same ? 0 : other, 100), "");
		FAULT(&rig, 400, "");
		FAULT(&rig, 103, same ? "106" : ""); /* d 3: 100 */
		rig_close(&rig);
	}
}

static void list_has_the_numbers_without_large_prime_factors(void **unused)
{
	/* with one round for a phase nothing is asked for once the list is through */
	static const struct {
		const char *text;
		unsigned int n;
	} rows[] = {
		{"bop:round_max=1", 52}, /* as in the paper */
		{"bop:round_max=1,max_offset=1", 1},
		{"bop:round_max=1,max_offset=15", 11}, /* 1 2 3 4 5 6 8 9 10 12 15 */
		{"bop:round_max=1,max_offset=511", 67},
		{"bop:round_max=1,negative=1", 104},
		{"bop:round_max=3,max_offset=15", 33},
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int n = 1;

		rig_open(&rig, rows[i].text);
		while (*ask(&rig, SPHT_FAULT_HIDDEN, 0, 2 * n) && n < 200)
			n++;
		assert_int_equal(n, rows[i].n);
		rig_close(&rig);
	}
}

static void negative_offsets_lead_down(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "bop:max_offset=1,negative=1,round_max=1,bad_score=0");
	FAULT(&rig, 300, "301");
	DONE(&rig, 301, BUILT);
	FAULT(&rig, 299, "298"); /* d -1: 300 */
	rig_close(&rig);
}

static void page_asked_for_and_used_is_a_trigger_before_the_fault(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, ROUND);
	FAULT(&rig, 100, "101"); /* d 1 */
	DONE(&rig, 101, BUILT);
	rig_set(&rig, 0, 101, SPHT_ENTRY_USED);
	/* 101 tries 2: 99, and 103 tries 3: 100; so 3 is taken, for both */
	FAULT(&rig, 103, "104 106");
	FAULT(&rig, 200, "203"); /* once */
	rig_close(&rig);
	rig_open(&rig, ROUND);
	FAULT(&rig, 100, "101");
	DONE(&rig, 101, BUILT);
	rig_set(&rig, 0, 101, SPHT_ENTRY_PRESENT);
	FAULT(&rig, 103, "104");
	rig_close(&rig);
}

static void page_that_was_used_and_faults_triggers_once(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "bop");
	FAULT(&rig, 100, "101");
	rig_set(&rig, 0, 101, SPHT_ENTRY_USED);
	FAULT(&rig, 101, "102");
	rig_close(&rig);
}

static void used_page_asks_for_what_may_be_asked_for_at_the_fault(void **unused)
{
	struct rig rig;

	(void)unused;
	for (int cross = 0; cross < 2; cross++) {
		rig_open(&rig, cross ? "bop:cross=1" : "bop");
		FAULT(&rig, 100, "101");
		rig_set(&rig, 0, 101, SPHT_ENTRY_USED);
		FAULT(&rig, 600, cross ? "102 601" : "601");
		rig_close(&rig);
	}
	/* its own region must not be left either: 511 asks for no 512 */
	rig_open(&rig, "bop");
	FAULT(&rig, 510, "511");
	rig_set(&rig, 0, 511, SPHT_ENTRY_USED);
	FAULT(&rig, 600, "601");
	rig_close(&rig);
	/* nor is anything asked for in another space; and the fault's page never is */
	rig_open(&rig, "bop");
	FAULT(&rig, 100, "101");
	rig_set(&rig, 0, 101, SPHT_ENTRY_USED);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 3, 300), "301");
	FAULT(&rig, 200, "201");
	rig_set(&rig, 0, 201, SPHT_ENTRY_USED);
	FAULT(&rig, 202, "203");
	rig_close(&rig);
}

static void only_the_last_thirty_two_pages_asked_for_can_trigger(void **unused)
{
	struct rig rig;

	(void)unused;
	for (uint64_t used = 101; used <= 103; used += 2) {
		rig_open(&rig, "bop");
		for (uint64_t v = 100; v <= 164; v += 2) /* 33 */
			ask(&rig, SPHT_FAULT_HIDDEN, 0, v);
		rig_set(&rig, 0, used, SPHT_ENTRY_USED);
		FAULT(&rig, 166, used == 101 ? "167" : "104 167");
		rig_close(&rig);
	}
}

static void page_asked_for_twice_triggers_once(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "bop");
	FAULT(&rig, 100, "101");
	FAULT(&rig, 100, "101");
	rig_set(&rig, 0, 101, SPHT_ENTRY_USED);
	FAULT(&rig, 200, "102 201");
	rig_close(&rig);
}

static void page_that_is_there_is_not_asked_for(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "bop");
	rig_set(&rig, 0, 101, SPHT_ENTRY_PRESENT);
	FAULT(&rig, 100, "");
	rig_close(&rig);
}

static void page_of_another_region_is_not_recent_unless_told_to_cross(void **unused)
{
	(void)unused;
	/* d 2 at 513: 511 */
	HIDDEN(ROUND, {10, "11"}, {20, "21"}, {30, ""}, {511, ""}, {513, ""}, {900, ""});
	HIDDEN(ROUND ",cross=1", {10, "11"}, {20, "21"}, {30, ""}, {511, ""}, {513, ""},
	       {900, "902"});
}

static void offset_serves_all_spaces_unless_told_not_to_be_shared(void **unused)
{
	static const struct {
		const char *text, *other, *back;
	} rows[] = {
		{ROUND, "302", "202"},
		{ROUND ",shared=0", "301", "202"},
		{ROUND ",shared=0,entries=1", "301", "201"}, /* made room, begins anew */
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_open(&rig, rows[i].text);
		FAULT(&rig, 100, "101");
		DONE(&rig, 101, BUILT);
		FAULT(&rig, 102, "103");
		FAULT(&rig, 104, "106"); /* 2 is taken */
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 9, 300), rows[i].other);
		FAULT(&rig, 200, rows[i].back);
		rig_close(&rig);
	}
}

static void outcome_counts_for_its_own_space_when_not_shared(void **unused)
{
	struct rig rig;

	(void)unused;
	for (uint64_t space = 4; space < 6; space++) {
		rig_open(&rig, ROUND ",shared=0");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 4, 100), "101");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 5, 100), "101");
		rig_outcome(&rig, 0, space, 101, SPHT_OUTCOME_BUILT);
		for (uint64_t v = 102; v <= 104; v += 2) {
			const char *asked = v == 102 ? "103" : space == 4 ? "106" : "";

			assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 4, v), asked);
		}
		rig_close(&rig);
	}
}

static void outcome_of_a_space_that_made_room_is_nobodys(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, ROUND ",shared=0,entries=1");
	FAULT(&rig, 100, "101");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 9, 300), "301");
	DONE(&rig, 101, BUILT);
	FAULT(&rig, 102, "103");
	rig_close(&rig);
}

static void guest_faults_trigger_when_told_so(void **unused)
{
	(void)unused;
	GUEST("bop", {100, ""});
	GUEST("bop:on=guest", {100, "101"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_offset_is_one),
		cmocka_unit_test(offset_in_whose_time_requests_were_done_is_taken_at_a_rounds_end),
		cmocka_unit_test(scores_begin_anew_with_each_phase),
		cmocka_unit_test(without_an_offset_faults_themselves_are_recent),
		cmocka_unit_test(best_score_no_more_than_bad_score_asks_for_nothing),
		cmocka_unit_test(of_equal_scores_the_first_of_the_list_is_taken),
		cmocka_unit_test(request_that_came_too_late_counts_after_its_fault),
		cmocka_unit_test(recent_requests_are_mapped_by_a_hash_of_the_page),
		cmocka_unit_test(request_for_the_page_of_another_space_is_not_recent),
		cmocka_unit_test(list_has_the_numbers_without_large_prime_factors),
		cmocka_unit_test(negative_offsets_lead_down),
		cmocka_unit_test(page_asked_for_and_used_is_a_trigger_before_the_fault),
		cmocka_unit_test(page_that_was_used_and_faults_triggers_once),
		cmocka_unit_test(used_page_asks_for_what_may_be_asked_for_at_the_fault),
		cmocka_unit_test(only_the_last_thirty_two_pages_asked_for_can_trigger),
		cmocka_unit_test(page_asked_for_twice_triggers_once),
		cmocka_unit_test(page_that_is_there_is_not_asked_for),
		cmocka_unit_test(page_of_another_region_is_not_recent_unless_told_to_cross),
		cmocka_unit_test(offset_serves_all_spaces_unless_told_not_to_be_shared),
		cmocka_unit_test(outcome_counts_for_its_own_space_when_not_shared),
		cmocka_unit_test(outcome_of_a_space_that_made_room_is_nobodys),
		cmocka_unit_test(guest_faults_trigger_when_told_so),
	};

	return cmocka_run_group_tests_name("heuristic bop", tests, NULL, NULL);
}
