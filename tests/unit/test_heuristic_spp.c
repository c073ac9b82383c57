// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What spp asks for, worked out by hand from its rule.  In the comments a signature of
 * steps of 1 goes 0, 1, 1 << 3 ^ 1 = 9, 73, 585 and stays there, since 585 << 3 ^ 1 is 4681,
 * and 585 in 12 bits; a/b is the count of a pattern's step and that of all its steps.
 */
#include "heuristic_rig.h"

#define HID(rig, vpn) ask(rig, SPHT_FAULT_HIDDEN, 1, vpn)

/* Faults on @from and the seven pages after it, each asking for nothing, but the last two. */
static void run(struct rig *rig, const char *spec, uint64_t from)
{
	rig_open(rig, spec);
	for (uint64_t i = 0; i <= 5; i++)
		assert_string_equal(HID(rig, from + i), "");
}

static void step_that_its_signature_saw_before_is_asked_for(void **unused)
{
	(void)unused;
	HIDDEN("spp", {100, ""}, {101, ""}, /* signature 1; 0 is not trained */
	       {102, ""}, {103, ""}, {104, ""}, /* 1, 9, 73 have a step of 1, count 0/1 */
	       {105, ""}, /* 585: 0/1 */
	       {106, "107"}, /* 1/2, 50 %; nothing was built, so no further: accuracy 0 */
	       {107, "108"}, /* 2/3 */
	       {108, "109"});
}

static void steps_of_two_and_of_minus_one_have_signatures_of_their_own(void **unused)
{
	(void)unused;
	/* 2, 18, 146, 1170, and 1170 << 3 ^ 2 is 1170 in 12 bits */
	HIDDEN("spp", {0, ""}, {2, ""}, {4, ""}, {6, ""}, {8, ""}, {10, ""}, {12, "14"});
	/* -1 is 0x201: 0x201, 0x209, 0x249, 0x049, 0x049 */
	HIDDEN("spp", {300, ""}, {299, ""}, {298, ""}, {297, ""}, {296, ""}, {295, ""},
	       {294, "293"});
	HIDDEN("spp", {6, ""}, {5, ""}, {4, ""}, {3, ""}, {2, ""}, {1, ""}, {0, ""});
}

static void same_page_again_neither_trains_nor_asks_in_spp(void **unused)
{
	(void)unused;
	HIDDEN("spp", {100, ""}, {101, ""}, {101, ""}, {102, ""}, {103, ""}, {103, ""}, {104, ""},
	       {105, ""}, {106, "107"}, {106, ""}, {107, "108"});
}

static void likelihood_at_the_threshold_is_enough(void **unused)
{
	(void)unused;
	HIDDEN("spp:threshold_pct=50", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""},
	       {105, ""}, {106, "107"});
	HIDDEN("spp:threshold_pct=51", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""},
	       {105, ""}, {106, ""}, {107, "108"}); /* 66 % */
}

static void counts_are_halved_when_all_pass_fifteen(void **unused)
{
	struct rig rig;

	(void)unused;
	/* fault 105 + k makes 585's counts k/(k + 1): 8/9 is 88 % */
	run(&rig, "spp:threshold_pct=88", 100);
	for (uint64_t k = 1; k < 8; k++)
		assert_string_equal(HID(&rig, 105 + k), "");
	for (uint64_t k = 8; k < 15; k++)
		assert_int_equal(atoi(HID(&rig, 105 + k)), 106 + k);
	assert_string_equal(HID(&rig, 120), ""); /* 15/16 to 7/8, 87 % */
	assert_string_equal(HID(&rig, 121), "122"); /* 8/9 */
	rig_close(&rig);
}

static void way_goes_on_while_all_of_it_is_likely_enough(void **unused)
{
	struct rig rig;

	(void)unused;
	/* 107 came late, so accuracy 1/1; 585: 2/3. 66 %, 66 x 66 = 43 %, 66 x 43 = 28 %, 18 % */
	run(&rig, "spp", 100);
	assert_string_equal(HID(&rig, 106), "107");
	rig_outcome(&rig, 0, 1, 107, SPHT_OUTCOME_LATE);
	assert_string_equal(HID(&rig, 107), "108 109 110");
	rig_close(&rig);
	run(&rig, "spp:degree=2", 100);
	HID(&rig, 106);
	rig_outcome(&rig, 0, 1, 107, SPHT_OUTCOME_LATE);
	assert_string_equal(HID(&rig, 107), "108 109");
	rig_close(&rig);
}

static void page_built_and_not_used_or_refused_gives_no_accuracy(void **unused)
{
	static const uint8_t kinds[] = {SPHT_OUTCOME_BUILT, SPHT_OUTCOME_REFUSED};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		run(&rig, "spp", 100);
		HID(&rig, 106);
		rig_outcome(&rig, 0, 1, 107, kinds[i]);
		assert_string_equal(HID(&rig, 107), "108");
		rig_close(&rig);
	}
}

/*
 * Accuracy 1/2 at fault 108, since 107 came late and 108 was built for nothing; 585: 3/4.
 * 75 %, then 50 x 3/4 = 37, x 75 = 27 %, then 37 x 27 = 9 %: 109 and 110, asked for before.
 */
static const char *after_half(uint64_t zapped, uint64_t refused)
{
	static char asked[64];
	struct rig rig;

	run(&rig, "spp", 100);
	HID(&rig, 106);
	rig_outcome(&rig, 0, 1, 107, SPHT_OUTCOME_LATE);
	assert_string_equal(HID(&rig, 107), "108 109 110");
	rig_outcome(&rig, 0, 1, 108, SPHT_OUTCOME_BUILT);
	if (zapped)
		rig_zap(&rig, 0, 1, zapped);
	if (refused)
		rig_outcome(&rig, 0, 1, refused, SPHT_OUTCOME_REFUSED);
	assert_true(snprintf(asked, sizeof(asked), "%s", HID(&rig, 108)) < (int)sizeof(asked));
	rig_close(&rig);
	return asked;
}

static void page_in_the_filter_is_not_asked_for_again_until_refused_or_zapped(void **unused)
{
	(void)unused;
	assert_string_equal(after_half(0, 0), "");
	assert_string_equal(after_half(109, 0), "109");
	assert_string_equal(after_half(0, 110), "110");
	assert_string_equal(after_half(109, 110), "109 110");
}

/* 107 was built, and found in @state at fault 108. */
static const char *after_built(const char *spec, uint8_t state)
{
	static char asked[64];
	struct rig rig;

	run(&rig, spec, 100);
	assert_string_equal(HID(&rig, 106), "107");
	rig_set(&rig, 1, 107, state);
	rig_outcome(&rig, 0, 1, 107, SPHT_OUTCOME_BUILT);
	assert_true(snprintf(asked, sizeof(asked), "%s", HID(&rig, 108)) < (int)sizeof(asked));
	rig_close(&rig);
	return asked;
}

static void page_on_the_way_that_was_used_trains_like_a_fault(void **unused)
{
	(void)unused;
	/*
	 * 107 and 108 make 585 3/4.  A filter of 4 is looked at as a whole at each fault:
	 * accuracy 1/1.  75 %, 75 x 75 = 56 %, 75 x 56 = 42 %, 31 %, 23 %.
	 */
	assert_string_equal(after_built("spp:filter=4", SPHT_ENTRY_USED), "109 110 111 112");
	/* a step of 2, at signature 586 */
	assert_string_equal(after_built("spp:filter=4", SPHT_ENTRY_PRESENT), "");
	assert_string_equal(after_built("spp:filter=4,follow=0", SPHT_ENTRY_USED), "");
}

static void filter_looks_at_four_entries_for_each_fault(void **unused)
{
	unsigned int faults = 0;
	struct rig rig;

	(void)unused;
	/* 16 entries: the use of 107 is known after 4 faults at most, and goes on being so */
	run(&rig, "spp:filter=16,follow=0", 100);
	assert_string_equal(HID(&rig, 106), "107");
	rig_set(&rig, 1, 107, SPHT_ENTRY_USED);
	rig_outcome(&rig, 0, 1, 107, SPHT_OUTCOME_BUILT);
	for (; faults < 4; faults++)
		ask(&rig, SPHT_FAULT_HIDDEN, 2, faults * 5000);
	rig_set(&rig, 1, 107, SPHT_ENTRY_ABSENT);
	/* accuracy 1/1, 585: 2/3, as if it had come late */
	assert_string_equal(HID(&rig, 107), "108 109 110");
	rig_close(&rig);
}

static void direction_is_part_of_a_signature(void **unused)
{
	struct rig rig;

	(void)unused;
	/*
	 * Upwards 585 is 2/3.  Downwards the signatures are 0x201, 0x209, 0x249, which is
	 * 585 as well, and 73, where a step of 1 is 0/1.
	 */
	run(&rig, "spp", 100);
	HID(&rig, 106);
	HID(&rig, 107);
	for (uint64_t vpn = 900; vpn > 897; vpn--)
		assert_string_equal(HID(&rig, vpn), "");
	assert_string_equal(HID(&rig, 897), "898");
	assert_string_equal(HID(&rig, 896), "");
	rig_close(&rig);
}

static void page_asked_for_and_not_heard_of_can_be_asked_for_again_in_the_end(void **unused)
{
	static const char *const rows[][2] = {
		{"spp:entries=1,filter=16", "107"},
		{"spp:entries=1", ""}, /* 1024 entries take 512 faults */
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run(&rig, rows[i][0], 100);
		assert_string_equal(HID(&rig, 106), "107");
		/* each begins its region anew; two rounds through 16 entries are 8 faults */
		for (uint64_t k = 0; k < 3; k++)
			HID(&rig, 5000 + 1000 * k);
		for (uint64_t vpn = 101; vpn < 105; vpn++)
			assert_string_equal(HID(&rig, vpn), "");
		assert_string_equal(HID(&rig, 105), "106");
		assert_string_equal(HID(&rig, 106), rows[i][1]);
		rig_close(&rig);
	}
}

static void page_used_before_it_was_asked_for_is_not_on_the_way(void **unused)
{
	struct rig rig;

	(void)unused;
	run(&rig, "spp", 100);
	HID(&rig, 106);
	rig_outcome(&rig, 0, 1, 107, SPHT_OUTCOME_LATE);
	rig_set(&rig, 1, 108, SPHT_ENTRY_USED);
	assert_string_equal(HID(&rig, 107), "108 109 110");
	assert_string_equal(HID(&rig, 109), ""); /* a step of 2: signature 586 */
	rig_close(&rig);
}

static void way_goes_by_the_likeliest_step(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "spp:patterns=1,threshold_pct=10");
	for (uint64_t i = 0; i < 3; i++)
		assert_string_equal(HID(&rig, i), "");
	assert_string_equal(HID(&rig, 3), "4"); /* 1 is 1/2 */
	rig_outcome(&rig, 0, 1, 4, SPHT_OUTCOME_LATE);
	assert_string_equal(HID(&rig, 4), "5 6 7 8 9"); /* 2/3: 66 43 28 18 11 7 % */
	assert_string_equal(HID(&rig, 14), "15 16 17"); /* 2/4: 50 25 12 6 %; 10 is 0/4 */
	/* 1 is 2/5, 40 %, 10 is 1/5, 20 %; from 25: 16 and 8 %; from 26: 6 % */
	assert_string_equal(HID(&rig, 24), "25 34 26");
	rig_close(&rig);
}

/* A walk from page to page, on which @n times the next page, asked for, ends as @kind. */
static uint64_t walk(struct rig *rig, uint64_t vpn, unsigned int n, uint8_t kind)
{
	while (n) {
		bool asked = false;

		rig->n = 0;
		HID(rig, vpn++);
		/* It was asked for now, or further ahead before; a region's first never is. */
		asked = vpn % SPHT_REGION_PAGES && vpn > 6;
		if (asked)
			rig_outcome(rig, 0, 1, vpn, kind);
		n -= asked;
	}
	return vpn;
}

/* How many pages a fault on @vpn asks for, none of which is in the filter. */
static size_t reach(struct rig *rig, uint64_t vpn)
{
	for (uint64_t i = 0; i < 64; i++)
		rig_zap(rig, 0, 1, vpn + i);
	HID(rig, vpn);
	return rig->n;
}

static void accuracy_is_of_the_last_builds(void **unused)
{
	struct rig rig;
	uint64_t vpn;

	(void)unused;
	/*
	 * 1024 that came late, halved to 512/512, and 512 for nothing: 50 % (and not 66).  The
	 * pattern is between 7/8 and 15/16: 87 to 93 %, 37 to 42 %, 15 to 19 %.
	 */
	rig_open(&rig, "spp");
	vpn = walk(&rig, 0, 1024, SPHT_OUTCOME_LATE);
	vpn = walk(&rig, vpn, 512, SPHT_OUTCOME_BUILT);
	assert_int_equal(reach(&rig, vpn), 2);
	rig_close(&rig);
}

static void accuracy_is_never_more_than_all(void **unused)
{
	struct rig rig;
	uint64_t vpn;
	size_t n;

	(void)unused;
	/* 1024 builds, halved to 512, of all of which it is learned later that they were used */
	rig_open(&rig, "spp:filter=4096");
	vpn = walk(&rig, 0, 1024, SPHT_OUTCOME_BUILT);
	for (uint64_t i = 0; i <= vpn; i++)
		rig_set(&rig, 1, i, SPHT_ENTRY_USED);
	for (uint64_t i = 0; i < 1024; i++)
		ask(&rig, SPHT_FAULT_HIDDEN, 2, 5000); /* each looks at four entries */
	/* 7/8 nine times over is 26 %, 15/16 eighteen times 25 % at most */
	n = reach(&rig, vpn);
	assert_true(n >= 8 && n <= 18);
	rig_close(&rig);
}

static void use_of_a_page_that_loses_its_place_in_the_filter_counts(void **unused)
{
	uint64_t vpn = 0;
	struct rig rig;

	(void)unused;
	/* All is built before the next fault, and used: faults are where the requests end. */
	rig_open(&rig, "spp:filter=8");
	while (vpn < 500) {
		HID(&rig, vpn++);
		for (size_t i = 0; i < rig.n; i++) {
			rig_set(&rig, 1, rig.log[i].vpn, SPHT_ENTRY_USED);
			rig_outcome(&rig, 0, 1, rig.log[i].vpn, SPHT_OUTCOME_BUILT);
			if (rig.log[i].vpn >= vpn)
				vpn = rig.log[i].vpn + 1;
		}
	}
	for (uint64_t i = 0; i < 2; i++)
		ask(&rig, SPHT_FAULT_HIDDEN, 2, i * 5000);
	/* all of them were: as above */
	for (vpn = 600; vpn < 640; vpn++)
		HID(&rig, vpn);
	assert_true(reach(&rig, 640) >= 8);
	rig_close(&rig);
}

static void way_out_of_a_region_begins_the_next_one(void **unused)
{
	struct rig rig;

	(void)unused;
	run(&rig, "spp", 504);
	assert_string_equal(HID(&rig, 510), "511");
	assert_string_equal(HID(&rig, 511), ""); /* 512, at signature 585 */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 512), ""); /* another space */
	assert_string_equal(HID(&rig, 512), "513"); /* 585 again: 2/3 */
	rig_close(&rig);
	run(&rig, "spp", 504);
	HID(&rig, 510);
	HID(&rig, 511);
	assert_string_equal(HID(&rig, 513), ""); /* not the page that the way led to */
	rig_close(&rig);
	run(&rig, "spp:cross=1", 504);
	assert_string_equal(HID(&rig, 510), "511");
	assert_string_equal(HID(&rig, 511), "512");
	rig_close(&rig);
}

static void spp_never_leaves_the_canonical_half(void **unused)
{
	static const uint64_t ends[] = {TOP, HALF - 1};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		run(&rig, "spp:cross=1", ends[i] - 7);
		assert_string_not_equal(HID(&rig, ends[i] - 1), "");
		rig_outcome(&rig, 0, 1, ends[i], SPHT_OUTCOME_LATE);
		assert_string_equal(HID(&rig, ends[i]), "");
		rig_close(&rig);
	}
}

static void patterns_are_of_all_spaces_unless_told_otherwise(void **unused)
{
	static const char *const specs[] = {"spp", "spp:shared=0"};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		run(&rig, specs[i], 100);
		HID(&rig, 106);
		HID(&rig, 107);
		for (uint64_t vpn = 600; vpn < 604; vpn++)
			assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, vpn), "");
		/* signature 585, which space 1 has trained: 2/3 */
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 604), i ? "" : "605");
		rig_close(&rig);
	}
}

static void region_that_was_used_least_recently_is_begun_anew(void **unused)
{
	(void)unused;
	HIDDEN("spp:entries=1", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""}, {105, ""},
	       {5000, ""}, {106, ""});
	HIDDEN("spp:entries=2", {100, ""}, {101, ""}, {102, ""}, {103, ""}, {104, ""}, {105, ""},
	       {5000, ""}, {106, "107"});
}

static void signatures_share_rows_of_a_small_pattern_table(void **unused)
{
	(void)unused;
	/* one row: 0/1 at 102, 1/2 at 103 */
	HIDDEN("spp:patterns=1", {100, ""}, {101, ""}, {102, ""}, {103, "104"});
	/*
	 * Steps of 1, 2, 3, 4 at 0; 5 takes the place of the first of the lowest; then 3 is
	 * 1/6, 16 %, and 1/7, 14 %; 1, had it stayed, would be 1/7 as well and ask for 29.
	 */
	HIDDEN("spp:patterns=1,threshold_pct=12", {0, ""}, {9, ""}, {10, ""}, {12, ""}, {15, ""},
	       {19, ""}, {24, ""}, {27, "30"}, {28, "31"});
}

static void spp_trains_on_the_classes_that_it_is_told(void **unused)
{
	(void)unused;
	GUEST("spp:patterns=1", {100, ""}, {101, ""}, {102, ""}, {103, ""});
	GUEST("spp:patterns=1,on=guest", {100, ""}, {101, ""}, {102, ""}, {103, "104"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(step_that_its_signature_saw_before_is_asked_for),
		cmocka_unit_test(steps_of_two_and_of_minus_one_have_signatures_of_their_own),
		cmocka_unit_test(same_page_again_neither_trains_nor_asks_in_spp),
		cmocka_unit_test(likelihood_at_the_threshold_is_enough),
		cmocka_unit_test(counts_are_halved_when_all_pass_fifteen),
		cmocka_unit_test(way_goes_on_while_all_of_it_is_likely_enough),
		cmocka_unit_test(page_built_and_not_used_or_refused_gives_no_accuracy),
		cmocka_unit_test(page_in_the_filter_is_not_asked_for_again_until_refused_or_zapped),
		cmocka_unit_test(page_on_the_way_that_was_used_trains_like_a_fault),
		cmocka_unit_test(filter_looks_at_four_entries_for_each_fault),
		cmocka_unit_test(direction_is_part_of_a_signature),
		cmocka_unit_test(page_asked_for_and_not_heard_of_can_be_asked_for_again_in_the_end),
		cmocka_unit_test(page_used_before_it_was_asked_for_is_not_on_the_way),
		cmocka_unit_test(way_goes_by_the_likeliest_step),
		cmocka_unit_test(accuracy_is_of_the_last_builds),
		cmocka_unit_test(accuracy_is_never_more_than_all),
		cmocka_unit_test(use_of_a_page_that_loses_its_place_in_the_filter_counts),
		cmocka_unit_test(way_out_of_a_region_begins_the_next_one),
		cmocka_unit_test(spp_never_leaves_the_canonical_half),
		cmocka_unit_test(patterns_are_of_all_spaces_unless_told_otherwise),
		cmocka_unit_test(region_that_was_used_least_recently_is_begun_anew),
		cmocka_unit_test(signatures_share_rows_of_a_small_pattern_table),
		cmocka_unit_test(spp_trains_on_the_classes_that_it_is_told),
	};

	return cmocka_run_group_tests_name("heuristic spp", tests, NULL, NULL);
}
