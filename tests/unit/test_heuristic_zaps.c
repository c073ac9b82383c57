// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What recency and rebuild ask for after zaps, worked out by hand.
 */
#include "heuristic_rig.h"

/* Zaps each of the pages up to the first 0 after the first one, at one time. */
static void zap_all(struct rig *rig, uint64_t time_ns, uint64_t space, const uint64_t *vpns)
{
	rig->n = 0;
	for (size_t i = 0; !i || vpns[i]; i++)
		rig_zap(rig, time_ns, space, vpns[i]);
}
#define ZAP(rig, time_ns, space, ...) \
	zap_all(rig, time_ns, space, (const uint64_t[]){__VA_ARGS__, 0})

/* What the hook of the last zaps asked for. */
static const char *asked_at_once(const struct rig *rig)
{
	static char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < rig->n; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%" PRIu64, i ? " " : "",
				rig->log[i].vpn);
	return text;
}

#define HID(rig, vpn) ask(rig, SPHT_FAULT_HIDDEN, 1, vpn)

static void neighbours_in_the_stack_are_asked_for_the_later_first(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency");
	ZAP(&rig, 1, 1, 10, 700, 30, 5);
	assert_string_equal(asked_at_once(&rig), "");
	assert_string_equal(HID(&rig, 700), "30 10"); /* leaves: 10 30 5 */
	assert_string_equal(HID(&rig, 30), "5 10"); /* 10 5 */
	assert_string_equal(HID(&rig, 5), "10"); /* the top: nothing later */
	assert_string_equal(HID(&rig, 10), ""); /* alone */
	assert_string_equal(HID(&rig, 10), "");
	rig_close(&rig);
}

static void page_that_was_never_zapped_asks_for_nothing(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency");
	ZAP(&rig, 1, 1, 10, 11);
	assert_string_equal(HID(&rig, 12), "");
	assert_string_equal(HID(&rig, 11), "10");
	rig_close(&rig);
}

static void page_zapped_again_goes_to_the_top(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency");
	ZAP(&rig, 1, 1, 10, 20, 30, 10); /* 20 30 10 */
	assert_string_equal(HID(&rig, 30), "10 20"); /* 20 10 */
	ZAP(&rig, 2, 1, 30, 30); /* 20 10 30 */
	assert_string_equal(HID(&rig, 10), "30 20");
	rig_close(&rig);
}

static void page_zero_is_in_the_stack_like_any_other(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency");
	ZAP(&rig, 1, 1, 4);
	ZAP(&rig, 1, 1, 0, 5);
	assert_string_equal(HID(&rig, 4), "0");
	assert_string_equal(HID(&rig, 0), "5");
	rig_close(&rig);
}

static void degree_of_recency_goes_up_and_down_in_turn(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency:degree=2");
	ZAP(&rig, 1, 1, 1, 2, 3, 4, 5, 6);
	assert_string_equal(HID(&rig, 4), "5 3 6 2");
	assert_string_equal(HID(&rig, 6), "5 3");
	assert_string_equal(HID(&rig, 1), "2 3");
	rig_close(&rig);
}

static void neighbour_of_another_half_or_with_cross_0_region_is_left_out(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency");
	ZAP(&rig, 1, 1, 511, 512, HALF);
	assert_string_equal(HID(&rig, 512), "511");
	rig_close(&rig);
	rig_open(&rig, "recency:cross=0");
	ZAP(&rig, 1, 1, 511, 512, 513);
	assert_string_equal(HID(&rig, 512), "513");
	rig_close(&rig);
}

static void stacks_of_two_spaces_are_apart(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency");
	ZAP(&rig, 1, 1, 10);
	ZAP(&rig, 1, 2, 20);
	ZAP(&rig, 1, 1, 30);
	ZAP(&rig, 1, 2, 10);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 10), "30");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 10), "20");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 30), "");
	rig_close(&rig);
}

static void full_table_forgets_the_page_that_was_evicted_first(void **unused)
{
	struct rig rig;

	(void)unused;
	/* 16 places: an anchor and 15 pages; 100 and 101 go for 115 and 116 */
	rig_open(&rig, "recency:entries=16");
	for (uint64_t vpn = 100; vpn <= 116; vpn++)
		ZAP(&rig, 1, 1, vpn);
	assert_string_equal(HID(&rig, 101), "");
	assert_string_equal(HID(&rig, 102), "103");
	assert_string_equal(HID(&rig, 116), "115");
	rig_close(&rig);
}

/* Random zaps and faults of some spaces in the smallest table: no link may dangle. */
static void crowded_table_keeps_its_stacks_whole(void **unused)
{
	uint64_t seed = 7;
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency:entries=16,degree=256");
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t r = (seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407) >>
			     33;

		if (r % 3)
			rig_zap(&rig, i, r / 3 % 20, r / 64 % 8);
		else
			ask(&rig, SPHT_FAULT_HIDDEN, r / 3 % 20, r / 64 % 8);
		assert_true(rig.n <= 15);
	}
	rig_close(&rig);
}

static void recency_is_triggered_by_the_classes_that_it_is_told(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "recency:on=guest");
	ZAP(&rig, 1, 1, 10, 20, 30);
	assert_string_equal(HID(&rig, 20), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_GUEST, 1, 20), "30 10");
	rig_close(&rig);
}

static void first_zap_of_an_exit_is_asked_for_at_once(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild");
	ZAP(&rig, 5, 1, 10, 11, 12);
	assert_string_equal(asked_at_once(&rig), "10");
	ZAP(&rig, 5, 1, 13); /* the same exit */
	assert_string_equal(asked_at_once(&rig), "");
	ZAP(&rig, 6, 1, 600);
	assert_string_equal(asked_at_once(&rig), "600");
	rig_close(&rig);
	rig_open(&rig, "rebuild:at_once=2");
	ZAP(&rig, 5, 1, 10, 11, 12);
	assert_string_equal(asked_at_once(&rig), "10 11");
	rig_close(&rig);
	rig_open(&rig, "rebuild:at_once=0");
	ZAP(&rig, 5, 1, 10, 11);
	assert_string_equal(asked_at_once(&rig), "");
	assert_string_equal(HID(&rig, 9), "10 11");
	rig_close(&rig);
}

static void rest_is_asked_for_at_the_next_fault_in_the_region_nearest_first(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild");
	ZAP(&rig, 5, 1, 10, 3, 8, 21, 511, 512);
	assert_string_equal(HID(&rig, 513), "512"); /* another region */
	assert_string_equal(HID(&rig, 10), "8 3 21 511"); /* -2, -7, +11, +501 */
	assert_string_equal(HID(&rig, 10), ""); /* once */
	rig_close(&rig);
	rig_open(&rig, "rebuild");
	ZAP(&rig, 5, 1, 100, 9, 11);
	assert_string_equal(HID(&rig, 10), "11 9"); /* the next before the last */
	rig_close(&rig);
}

static void zapped_page_that_faults_itself_is_not_asked_for(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild");
	ZAP(&rig, 5, 1, 10, 11, 12);
	assert_string_equal(HID(&rig, 11), "12");
	assert_string_equal(HID(&rig, 12), "");
	assert_string_equal(HID(&rig, 13), "");
	rig_close(&rig);
}

static void page_asked_for_at_once_is_not_asked_for_again_until_its_next_zap(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild");
	ZAP(&rig, 5, 1, 10, 11);
	ZAP(&rig, 6, 1, 11); /* waited for the fault; asked for now */
	assert_string_equal(asked_at_once(&rig), "11");
	assert_string_equal(HID(&rig, 9), "");
	ZAP(&rig, 7, 1, 20, 10);
	assert_string_equal(HID(&rig, 9), "10");
	rig_close(&rig);
}

static void degree_of_rebuild_leaves_the_rest_to_later_faults(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild:degree=2");
	ZAP(&rig, 5, 1, 100, 1, 2, 3, 4, 5);
	assert_string_equal(HID(&rig, 3), "4 2");
	assert_string_equal(HID(&rig, 3), "5 1");
	rig_close(&rig);
	rig_open(&rig, "rebuild:degree=0");
	ZAP(&rig, 5, 1, 100, 1);
	assert_string_equal(HID(&rig, 3), "");
	rig_close(&rig);
}

static void whole_table_that_was_zapped_comes_back_in_the_end(void **unused)
{
	struct rig rig;
	size_t n = 0;

	(void)unused;
	/* 511 wait: all but the one asked for at once; the fault's own page is not asked for */
	rig_open(&rig, "rebuild:degree=511");
	for (uint64_t vpn = 512; vpn < 1024; vpn++)
		rig_zap(&rig, 5, 1, vpn);
	rig.n = 0;
	HID(&rig, 1023);
	n += rig.n;
	assert_int_equal(n, 510);
	assert_int_equal(rig.log[509].vpn, 513);
	rig_close(&rig);
}

static void what_is_asked_for_at_once_is_watched_and_nothing_else(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild");
	ZAP(&rig, 5, 1, 10, 11);
	assert_string_equal(asked_at_once(&rig), "10");
	assert_true(rig.log[0].watched);
	assert_string_equal(HID(&rig, 9), "11");
	assert_false(rig.log[0].watched);
	rig_close(&rig);
	rig_open(&rig, "rebuild:watch=0");
	ZAP(&rig, 5, 1, 10, 11);
	assert_string_equal(asked_at_once(&rig), "10");
	assert_false(rig.log[0].watched);
	rig_close(&rig);
}

static void zaps_of_two_spaces_are_remembered_apart(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild:at_once=0");
	ZAP(&rig, 5, 1, 10);
	ZAP(&rig, 5, 2, 12);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 9), "10");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 9), "12");
	rig_close(&rig);
}

static void full_table_of_regions_forgets_the_one_used_least_recently(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild:at_once=0,entries=2");
	ZAP(&rig, 5, 1, 10, 512 + 10);
	HID(&rig, 512 + 10); /* a use of region 1, so that region 0 goes */
	ZAP(&rig, 6, 1, 1024 + 10);
	assert_string_equal(HID(&rig, 9), "");
	assert_string_equal(HID(&rig, 1024 + 9), "1034");
	rig_close(&rig);
}

static void rebuild_is_triggered_by_the_classes_that_it_is_told(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "rebuild:at_once=0");
	ZAP(&rig, 5, 1, 10, 11);
	assert_string_equal(ask(&rig, SPHT_FAULT_GUEST, 1, 9), "");
	assert_string_equal(HID(&rig, 9), "10 11");
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_in_the_stack_are_asked_for_the_later_first),
		cmocka_unit_test(page_that_was_never_zapped_asks_for_nothing),
		cmocka_unit_test(page_zapped_again_goes_to_the_top),
		cmocka_unit_test(page_zero_is_in_the_stack_like_any_other),
		cmocka_unit_test(degree_of_recency_goes_up_and_down_in_turn),
		cmocka_unit_test(neighbour_of_another_half_or_with_cross_0_region_is_left_out),
		cmocka_unit_test(stacks_of_two_spaces_are_apart),
		cmocka_unit_test(full_table_forgets_the_page_that_was_evicted_first),
		cmocka_unit_test(crowded_table_keeps_its_stacks_whole),
		cmocka_unit_test(recency_is_triggered_by_the_classes_that_it_is_told),
		cmocka_unit_test(first_zap_of_an_exit_is_asked_for_at_once),
		cmocka_unit_test(rest_is_asked_for_at_the_next_fault_in_the_region_nearest_first),
		cmocka_unit_test(zapped_page_that_faults_itself_is_not_asked_for),
		cmocka_unit_test(page_asked_for_at_once_is_not_asked_for_again_until_its_next_zap),
		cmocka_unit_test(degree_of_rebuild_leaves_the_rest_to_later_faults),
		cmocka_unit_test(whole_table_that_was_zapped_comes_back_in_the_end),
		cmocka_unit_test(what_is_asked_for_at_once_is_watched_and_nothing_else),
		cmocka_unit_test(zaps_of_two_spaces_are_remembered_apart),
		cmocka_unit_test(full_table_of_regions_forgets_the_one_used_least_recently),
		cmocka_unit_test(rebuild_is_triggered_by_the_classes_that_it_is_told),
	};

	return cmocka_run_group_tests_name("heuristic zaps", tests, NULL, NULL);
}
