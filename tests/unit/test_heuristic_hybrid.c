// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the hybrid asks for, worked out by hand from its definition.
 */
#include "heuristic_rig.h"

static void window_is_asked_for_from_the_nearest_page_on(void **unused)
{
	(void)unused;
	/* 100 = 12 * 8 + 4: 96..103; 104 is not in it. */
	HIDDEN("hybrid:window=8,ahead=0", {100, "101 99 102 98 103 97 96"},
	       {96, "97 98 99 100 101 102 103"}, {103, "102 101 100 99 98 97 96"});
	HIDDEN("hybrid:window=4,ahead=0", {TOP, "68719476734 68719476733 68719476732"},
	       {0, "1 2 3"});
}

static void guest_fault_has_no_window(void **unused)
{
	(void)unused;
	GUEST("hybrid:window=8", {100, ""}, {300, ""});
}

static void page_that_faults_again_brings_what_followed_it_then(void **unused)
{
	(void)unused;
	/* log: 100 500 700 100 500; what comes after the last 500 is what comes after the first */
	HIDDEN("hybrid:window=1,ahead=2", {100, ""}, {500, ""}, {700, ""}, {100, "500 700"},
	       {500, "700 100"});
	/* 100 once more: since its last fault only 500 has been. */
	HIDDEN("hybrid:window=1,ahead=2", {100, ""}, {500, ""}, {700, ""}, {100, "500 700"},
	       {500, "700 100"}, {100, "500"});
	HIDDEN("hybrid:window=1,ahead=0", {100, ""}, {500, ""}, {100, ""});
}

static void guest_faults_are_logged_too_and_bring_what_followed(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "hybrid:window=1,ahead=4");
	assert_string_equal(ask(&rig, SPHT_FAULT_GUEST, 7, 100), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 101), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_PTWRITE, 7, 102), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_OTHER, 7, 103), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_GUEST, 7, 104), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_GUEST, 7, 100), "101 104");
	rig_close(&rig);
}

static void what_the_window_has_and_what_comes_twice_is_asked_for_once(void **unused)
{
	(void)unused;
	/* 101 is in 96..103, 300 in 296..303, after which nothing follows but 100. */
	HIDDEN("hybrid:window=8,ahead=3", {100, "101 99 102 98 103 97 96"},
	       {101, "102 100 103 99 98 97 96"}, {300, "301 299 302 298 303 297 296"},
	       {100, "101 99 102 98 103 97 96 300"});
	/* log: 100 500 500 */
	HIDDEN("hybrid:window=1,ahead=3", {100, ""}, {500, ""}, {500, ""}, {100, "500"});
	/* The page itself is not asked for: log 100 200 100 100 */
	HIDDEN("hybrid:window=1,ahead=3", {100, ""}, {200, ""}, {100, "200"}, {200, "100"},
	       {100, "200"});
}

static void log_stays_in_the_region_if_it_is_told_to(void **unused)
{
	(void)unused;
	HIDDEN("hybrid:window=1,ahead=2,cross=0", {100, ""}, {512, ""}, {511, ""}, {100, "511"});
	HIDDEN("hybrid:window=1,ahead=2", {100, ""}, {512, ""}, {511, ""}, {100, "512 511"});
	/* The other half of the address space is never near. */
	HIDDEN("hybrid:window=1,ahead=2", {100, ""}, {HALF, ""}, {100, ""});
}

static void log_forgets_what_is_further_back_than_its_entries(void **unused)
{
	/* n faults, the first on page 1000, and then page 1000 again. */
	static const struct {
		unsigned int n;
		const char *asked;
	} c[] = {{63, "1001"}, {64, "1001"}, {65, ""}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct rig rig;

		rig_open(&rig, "hybrid:window=1,ahead=1,entries=64");
		for (unsigned int k = 0; k < c[i].n; k++)
			assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 1000 + k), "");
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 7, 1000), c[i].asked);
		rig_close(&rig);
	}
}

static void one_process_teaches_the_next_unless_spaces_are_apart(void **unused)
{
	for (int shared = 0; shared < 2; shared++) {
		struct rig rig;

		(void)unused;
		rig_open(&rig, shared ? "hybrid:window=1" : "hybrid:window=1,shared=0");
		ask(&rig, SPHT_FAULT_HIDDEN, 7, 100);
		ask(&rig, SPHT_FAULT_HIDDEN, 7, 500);
		/* ask() sees to it that requests are for the faulting space. */
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 8, 100), shared ? "500" : "");
		rig_close(&rig);
	}
}

static void page_of_a_guest_fault_is_waited_for_if_it_is_told_to(void **unused)
{
	(void)unused;
	GUEST("hybrid:window=8,self=1", {100, "100"}, {300, "300"}, {100, "100 300"});
	HIDDEN("hybrid:window=2,self=1", {100, "101"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_is_asked_for_from_the_nearest_page_on),
		cmocka_unit_test(guest_fault_has_no_window),
		cmocka_unit_test(page_that_faults_again_brings_what_followed_it_then),
		cmocka_unit_test(guest_faults_are_logged_too_and_bring_what_followed),
		cmocka_unit_test(what_the_window_has_and_what_comes_twice_is_asked_for_once),
		cmocka_unit_test(log_stays_in_the_region_if_it_is_told_to),
		cmocka_unit_test(log_forgets_what_is_further_back_than_its_entries),
		cmocka_unit_test(one_process_teaches_the_next_unless_spaces_are_apart),
		cmocka_unit_test(page_of_a_guest_fault_is_waited_for_if_it_is_told_to),
	};

	return cmocka_run_group_tests_name("heuristic hybrid", tests, NULL, NULL);
}
