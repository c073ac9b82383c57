// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the heuristics ask for.  The tables are worked out by hand from the
 * definition that each heuristic cites, never taken from its output.
 */
#include "heuristic_rig.h"

/* none, oracle, prefault */

static void none_asks_for_nothing_whatever_happens(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "none");
	for (uint8_t cls = SPHT_FAULT_GUEST; cls <= SPHT_FAULT_OTHER; cls++)
		assert_string_equal(ask(&rig, cls, 1, 100), "");
	assert_null(rig.spec.h->foresee);
	rig_close(&rig);
}

static void oracle_builds_what_is_legal_and_costs_less_than_it_saves(void **unused)
{
	/* One exit is saved: a loss of one whole exit makes it a bad bargain. */
	static const struct {
		bool buildable;
		double loss;
		bool build;
	} rows[] = {
		{true, 0.0, true},  {true, 0.999, true}, {true, 1.0, false},
		{true, 7.0, false}, {false, 0.0, false}, {false, 1.0, false},
	};
	struct rig rig;

	(void)unused;
	rig_open(&rig, "oracle");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spht_prospect p = {.space = 1,
					  .vpn = 100,
					  .buildable = rows[i].buildable,
					  .loss = rows[i].loss};

		assert_int_equal(rig.spec.h->foresee(rig.state, rig.spec.params, &p),
				 rows[i].build);
	}
	assert_null(rig.spec.h->fault);
	rig_close(&rig);
}

static bool foresee_at(struct rig *rig, uint64_t time_ns, uint64_t legal_for_ns)
{
	struct spht_prospect p = {.time_ns = time_ns,
				  .space = 1,
				  .vpn = 100,
				  .legal_for_ns = legal_for_ns,
				  .buildable = true};

	return rig->spec.h->foresee(rig->state, rig->spec.params, &p);
}

static void oracle_with_a_latency_needs_the_entry_to_be_there_for_so_long(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "oracle:latency=2000");
	assert_false(foresee_at(&rig, 5000, 1999));
	assert_true(foresee_at(&rig, 5000, 2000));
	assert_true(foresee_at(&rig, 5000, 2000)); /* no limit to how many */
	rig_close(&rig);
}

static void oracle_with_a_bandwidth_builds_one_after_the_other(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "oracle:bandwidth=100"); /* one in 10 us */
	assert_false(foresee_at(&rig, 100000, 9999));
	assert_true(foresee_at(&rig, 100000, 50000)); /* at 50 us, over at 60 */
	assert_true(foresee_at(&rig, 100000, 50000)); /* at 60 */
	assert_true(foresee_at(&rig, 100000, 50000));
	assert_true(foresee_at(&rig, 100000, 50000));
	assert_true(foresee_at(&rig, 100000, 50000)); /* at 90, just over */
	assert_false(foresee_at(&rig, 100000, 50000));
	assert_true(foresee_at(&rig, 110000, 50000));
	rig_close(&rig);
}

static void no_other_heuristic_sees_the_future(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		if (strcmp(spht_heuristics[i]->name, "oracle"))
			assert_null(spht_heuristics[i]->foresee);
	}
}

static void prefault_asks_for_the_page_of_a_guest_fault_itself(void **unused)
{
	(void)unused;
	GUEST("prefault", {100, "100"}, {100, "100"}, {0, "0"}, {TOP, "68719476735"});
	HIDDEN("prefault", {100, ""});
	CHECK("prefault", SPHT_FAULT_PTWRITE, {100, ""});
}

static void prefault_asks_for_the_page_first_and_then_its_aligned_neighbours(void **unused)
{
	(void)unused;
	GUEST("prefault:around=4", {102, "102 100 101 103"}, {100, "100 101 102 103"});
	/* TOP is 3 mod 4 */
	GUEST("prefault:around=2", {TOP, "68719476735 68719476734"}, {0, "0 1"});
}

/* window */

static void window_asks_for_the_aligned_sixteen_without_the_fault_itself(void **unused)
{
	(void)unused;
	/* 100 = 6 * 16 + 4, so 96..111: what Linux fault-around would map */
	HIDDEN("window", {100, "96 97 98 99 101 102 103 104 105 106 107 108 109 110 111"},
	       {100, "96 97 98 99 101 102 103 104 105 106 107 108 109 110 111"},
	       {111, "96 97 98 99 100 101 102 103 104 105 106 107 108 109 110"});
}

static void window_of_eight_is_kvms_own_group(void **unused)
{
	(void)unused;
	HIDDEN("window:size=8", {0, "1 2 3 4 5 6 7"}, {7, "0 1 2 3 4 5 6"},
	       {8, "9 10 11 12 13 14 15"});
}

static void window_at_the_end_of_the_address_space_stays_inside(void **unused)
{
	(void)unused;
	HIDDEN("window:size=4", {TOP, "68719476732 68719476733 68719476734"});
	HIDDEN("window:size=4,align=0", {TOP, ""}, {TOP - 1, "68719476735"});
}

static void unaligned_window_asks_for_the_following_pages_of_the_region(void **unused)
{
	(void)unused;
	HIDDEN("window:size=4,align=0", {100, "101 102 103"}, {509, "510 511"}, {510, "511"},
	       {511, ""}, {512, "513 514 515"});
}

static void largest_window_is_the_whole_region_but_the_fault(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "window:size=512");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 512 + 300);
	assert_int_equal(rig.n, 511);
	assert_int_equal(rig.log[0].vpn, 512);
	assert_int_equal(rig.log[299].vpn, 512 + 299);
	assert_int_equal(rig.log[300].vpn, 512 + 301);
	assert_int_equal(rig.log[510].vpn, 1023);
	rig_close(&rig);
}

/* nextline */

static void nextline_asks_for_the_next_page_of_the_region(void **unused)
{
	(void)unused;
	HIDDEN("nextline", {100, "101"}, {100, "101"}, {510, "511"}, {511, ""}, {0, "1"});
	HIDDEN("nextline:degree=4", {100, "101 102 103 104"}, {509, "510 511"});
}

static void nextline_crosses_into_the_next_region_only_if_told(void **unused)
{
	(void)unused;
	HIDDEN("nextline:cross=1", {511, "512"});
	HIDDEN("nextline:degree=4,cross=1", {510, "511 512 513 514"});
}

static void nextline_never_leaves_the_canonical_half(void **unused)
{
	(void)unused;
	HIDDEN("nextline:degree=3,cross=1", {TOP, ""}, {TOP - 1, "68719476735"}, {HALF - 1, ""},
	       {HALF - 2, "34359738367"});
}

/* which faults trigger */

static void only_the_faults_that_on_names_trigger(void **unused)
{
	/* guest, hidden, huge, ad, ptwrite, other: the order of enum spht_fault_class */
	static const struct {
		const char *on;
		bool asks[SPHT_FAULT_OTHER + 1];
	} rows[] = {
		{"hidden", {false, true, true, true, false, false}},
		{"guest", {true, false, false, false, false, false}},
		{"both", {true, true, true, true, false, false}},
	};
	static const char *const names[] = {"window", "nextline", "stride"};

	(void)unused;
	for (size_t h = 0; h < ARRAY_SIZE(names); h++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			for (uint8_t cls = 0; cls <= SPHT_FAULT_OTHER; cls++) {
				struct rig rig;
				char text[64];

				snprintf(text, sizeof(text), "%s:on=%s", names[h], rows[i].on);
				rig_open(&rig, text);
				/* three in a row, so that stride has an answer too */
				ask(&rig, cls, 1, 100);
				ask(&rig, cls, 1, 101);
				ask(&rig, cls, 1, 102);
				assert_int_equal(rig.n > 0, rows[i].asks[cls]);
				rig_close(&rig);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_asks_for_nothing_whatever_happens),
		cmocka_unit_test(oracle_builds_what_is_legal_and_costs_less_than_it_saves),
		cmocka_unit_test(oracle_with_a_latency_needs_the_entry_to_be_there_for_so_long),
		cmocka_unit_test(oracle_with_a_bandwidth_builds_one_after_the_other),
		cmocka_unit_test(no_other_heuristic_sees_the_future),
		cmocka_unit_test(prefault_asks_for_the_page_of_a_guest_fault_itself),
		cmocka_unit_test(prefault_asks_for_the_page_first_and_then_its_aligned_neighbours),
		cmocka_unit_test(window_asks_for_the_aligned_sixteen_without_the_fault_itself),
		cmocka_unit_test(window_of_eight_is_kvms_own_group),
		cmocka_unit_test(window_at_the_end_of_the_address_space_stays_inside),
		cmocka_unit_test(unaligned_window_asks_for_the_following_pages_of_the_region),
		cmocka_unit_test(largest_window_is_the_whole_region_but_the_fault),
		cmocka_unit_test(nextline_asks_for_the_next_page_of_the_region),
		cmocka_unit_test(nextline_crosses_into_the_next_region_only_if_told),
		cmocka_unit_test(nextline_never_leaves_the_canonical_half),
		cmocka_unit_test(only_the_faults_that_on_names_trigger),
	};

	return cmocka_run_group_tests_name("heuristics", tests, NULL, NULL);
}
