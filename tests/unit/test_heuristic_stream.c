// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the stream heuristic asks for, worked out by hand from its definition.
 */
#include "heuristic_rig.h"

static void two_steps_of_one_direction_make_a_stream(void **unused)
{
	(void)unused;
	HIDDEN("stream", {100, ""}, {101, ""}, {102, "103 104 105 106 107"},
	       {103, "104 105 106 107 108"});
	HIDDEN("stream", {256, ""}, {255, ""}, {254, "253 252 251 250 249"});
}

static void length_of_a_step_is_of_no_account_to_a_stream(void **unused)
{
	(void)unused;
	HIDDEN("stream", {100, ""}, {110, ""}, {130, "131 132 133 134 135"},
	       {136, "137 138 139 140 141"}); /* past what was asked for */
	HIDDEN("stream", {400, ""}, {17, ""}, {16, "15 14 13 12 11"});
}

static void turn_begins_a_stream_anew(void **unused)
{
	(void)unused;
	HIDDEN("stream", {100, ""}, {101, ""}, {102, "103 104 105 106 107"}, {101, ""},
	       {100, "99 98 97 96 95"}, {101, ""}, {100, ""}, {101, ""});
}

static void refault_on_the_same_page_is_no_step_of_a_stream(void **unused)
{
	(void)unused;
	HIDDEN("stream", {100, ""}, {100, ""}, {101, ""}, {101, ""}, {102, "103 104 105 106 107"},
	       {102, ""}, {103, "104 105 106 107 108"});
}

static void degree_and_confirm_of_a_stream_say_how_many_and_from_when(void **unused)
{
	(void)unused;
	HIDDEN("stream:degree=1", {100, ""}, {101, ""}, {102, "103"});
	HIDDEN("stream:degree=7", {100, ""}, {99, ""}, {98, "97 96 95 94 93 92 91"});
	HIDDEN("stream:confirm=1", {100, ""}, {101, "102 103 104 105 106"},
	       {100, "99 98 97 96 95"});
	HIDDEN("stream:confirm=3", {100, ""}, {101, ""}, {102, ""}, {103, "104 105 106 107 108"},
	       {104, "105 106 107 108 109"}, {103, ""}, {102, ""}, {101, "100 99 98 97 96"});
}

static void stream_stays_in_its_region_unless_told_to_cross(void **unused)
{
	(void)unused;
	HIDDEN("stream", {508, ""}, {509, ""}, {510, "511"}, {511, ""});
	HIDDEN("stream", {514, ""}, {513, ""}, {512, ""});
	HIDDEN("stream:cross=1", {508, ""}, {509, ""}, {510, "511 512 513 514 515"});
	HIDDEN("stream:cross=1", {515, ""}, {514, ""}, {513, "512 511 510 509 508"});
	/* each region is tracked on its own all the same */
	HIDDEN("stream:cross=1", {510, ""}, {511, ""}, {512, ""}, {513, ""},
	       {514, "515 516 517 518 519"});
}

static void stream_never_leaves_the_canonical_half(void **unused)
{
	(void)unused;
	HIDDEN("stream:cross=1", {3, ""}, {2, ""}, {1, "0"}, {0, ""});
	HIDDEN("stream:cross=1", {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN("stream:cross=1", {HALF - 4, ""}, {HALF - 3, ""}, {HALF - 2, "34359738367"});
	HIDDEN("stream:cross=1", {HALF + 3, ""}, {HALF + 2, ""}, {HALF + 1, "34359738368"});
}

static void tracker_used_longest_ago_makes_room(void **unused)
{
	(void)unused;
	/* regions begin at 0, 512 and 1024 */
	HIDDEN("stream:entries=2", {0, ""}, {512, ""}, {1, ""}, {1024, ""}, /* drops region 1 */
	       {2, "3 4 5 6 7"}, {513, ""}, /* drops region 2 */
	       {514, ""}, {515, "516 517 518 519 520"}, {3, "4 5 6 7 8"});
	/* a refault on the same page is a use too */
	HIDDEN("stream:entries=2", {0, ""}, {1, ""}, {512, ""}, {1, ""}, {1024, ""},
	       {2, "3 4 5 6 7"});
}

static void streams_of_two_address_spaces_are_tracked_apart(void **unused)
{
	static const struct space_step rows[] = {
		{0, 100, ""},
		{1, 100, ""},
		{0, 101, ""},
		{1, 99, ""},
		{0, 102, "103 104 105 106 107"},
		{1, 98, "97 96 95 94 93"},
	};

	(void)unused;
	check_spaces("stream", rows, ARRAY_SIZE(rows));
}

static void closed_form_stream_leaves_one_fault_in_six_of_a_run(void **unused)
{
	/*
	 * Entries built at once, 500 pages touched in order from page 0: faults on
	 * 0, 1, 2, then on 8, 14, ..., 494, that is 3 + 82.
	 */
	(void)unused;
	assert_int_equal(faults_of_run("stream", 500), 85);
}

static void long_stream_does_not_forget_its_direction(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "stream");
	for (uint64_t vpn = 0; vpn < 500; vpn++) {
		ask(&rig, SPHT_FAULT_HIDDEN, 1, vpn);
		assert_int_equal(rig.n, vpn < 2 ? 0 : 5);
	}
	rig_close(&rig);
}

static void guest_faults_make_streams_when_told_so(void **unused)
{
	(void)unused;
	GUEST("stream", {100, ""}, {101, ""}, {102, ""});
	GUEST("stream:on=guest", {100, ""}, {101, ""}, {102, "103 104 105 106 107"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_steps_of_one_direction_make_a_stream),
		cmocka_unit_test(length_of_a_step_is_of_no_account_to_a_stream),
		cmocka_unit_test(turn_begins_a_stream_anew),
		cmocka_unit_test(refault_on_the_same_page_is_no_step_of_a_stream),
		cmocka_unit_test(degree_and_confirm_of_a_stream_say_how_many_and_from_when),
		cmocka_unit_test(stream_stays_in_its_region_unless_told_to_cross),
		cmocka_unit_test(stream_never_leaves_the_canonical_half),
		cmocka_unit_test(tracker_used_longest_ago_makes_room),
		cmocka_unit_test(streams_of_two_address_spaces_are_tracked_apart),
		cmocka_unit_test(closed_form_stream_leaves_one_fault_in_six_of_a_run),
		cmocka_unit_test(long_stream_does_not_forget_its_direction),
		cmocka_unit_test(guest_faults_make_streams_when_told_so),
	};

	return cmocka_run_group_tests_name("heuristic stream", tests, NULL, NULL);
}
