// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What footprint asks for, worked out by hand.  Regions are of 32 pages: 0, 32, 64 begin
 * one, and page 35 has offset 3.
 */
#include "heuristic_rig.h"

#define FAR 33000 /* regions of their own from here on */

/* Opens @spec; one generation of region 0, with pages 0, 3 and 8, in space 1 is over. */
static void open_trained(struct rig *rig, const char *spec)
{
	rig_open(rig, spec);
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 1, 0), "");
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 1, 3), "");
	assert_string_equal(ask(rig, SPHT_FAULT_HIDDEN, 1, 8), "");
	rig_zap(rig, 0, 1, 31);
}

/* A generation of region @region (of @size pages) with the pages at two offsets. */
static void generation(struct rig *rig, uint64_t region, unsigned int size, unsigned int a,
		       unsigned int b)
{
	ask(rig, SPHT_FAULT_HIDDEN, 1, region * size + a);
	ask(rig, SPHT_FAULT_HIDDEN, 1, region * size + b);
	rig_zap(rig, 0, 1, region * size);
}

/* The pages asked for after a fault with error code @ec. */
static const char *ask_as(struct rig *rig, uint32_t ec, uint64_t space, uint64_t vpn)
{
	const struct spht_fault fault = {
		.space = space, .vpn = vpn, .error_code = ec, .cls = SPHT_FAULT_HIDDEN};
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

static void trigger_asks_for_the_rest_of_its_last_footprint(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	/* further faults of the generation ask for nothing */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 3), "");
	rig_close(&rig);
}

static void other_trigger_in_the_region_has_a_footprint_of_its_own(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 3), "");
	rig_close(&rig);
}

static void offset_alone_serves_another_region(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 64), "67 72");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, TOP - 31), "68719476707 68719476712");
	rig_close(&rig);
	open_trained(&rig, "footprint:events=long");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 64), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	rig_close(&rig);
}

static void long_event_is_asked_before_the_short_one(void **unused)
{
	static const char *const rows[][2] = {
		{"footprint:follow=0", "3 8"},
		{"footprint:follow=0,events=short", "1 3 8"}, /* each in half of them */
	};
	struct rig rig;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		open_trained(&rig, rows[i][0]);
		generation(&rig, 2, 32, 0, 1);
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), rows[i][1]);
		rig_close(&rig);
	}
}

static void trigger_alone_is_no_footprint(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint:follow=0");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 0);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 0);
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	rig_close(&rig);
}

static void generation_ends_by_a_zap_in_its_region_and_space_only(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "footprint");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 32);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 33);
	rig_zap(&rig, 0, 1, 31);
	rig_zap(&rig, 0, 1, 64);
	rig_zap(&rig, 0, 2, 32);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 32), "");
	rig_zap(&rig, 0, 1, 63);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 32), "33");
	rig_close(&rig);
}

static void generation_that_must_make_room_is_kept(void **unused)
{
	(void)unused;
	HIDDEN("footprint:accumulate=1", {0, ""}, {1, ""}, {34, ""}, {35, ""}, /* 0 1 is over */
	       {0, "1"});
	HIDDEN("footprint:accumulate=2", {0, ""}, {1, ""}, {34, ""}, {35, ""}, {0, ""});
}

static void region_that_leaves_the_filter_is_forgotten(void **unused)
{
	struct rig rig;

	(void)unused;
	for (unsigned int filter = 1; filter <= 2; filter++) {
		char spec[64];

		snprintf(spec, sizeof(spec), "footprint:events=long,filter=%u", filter);
		rig_open(&rig, spec);
		ask(&rig, SPHT_FAULT_HIDDEN, 1, 0);
		ask(&rig, SPHT_FAULT_HIDDEN, 1, 32);
		ask(&rig, SPHT_FAULT_HIDDEN, 1, 1); /* of the generation, or a trigger */
		ask(&rig, SPHT_FAULT_HIDDEN, 1, 2);
		rig_zap(&rig, 0, 1, 0);
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, filter == 1),
				    filter == 1 ? "2" : "1 2");
		rig_close(&rig);
	}
}

static void page_counts_from_a_fifth_of_the_footprints_on(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "footprint:follow=0,events=short");
	generation(&rig, 0, 32, 0, 1);
	for (uint64_t i = 1; i < 5; i++)
		generation(&rig, i, 32, 0, 2);
	/* 1 of 5 and 4 of 5; then 1 of 6, 16.7 % */
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 64), "65 66");
	generation(&rig, 5, 32, 0, 2);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 96), "98");
	rig_close(&rig);
	rig_open(&rig, "footprint:follow=0,events=short,vote_pct=51");
	generation(&rig, 0, 32, 0, 1);
	generation(&rig, 1, 32, 0, 2);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 64), "");
	rig_close(&rig);
}

static void short_event_knows_its_last_sixteen_footprints(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "footprint:follow=0,events=short,vote_pct=1");
	generation(&rig, 0, 32, 0, 1);
	for (uint64_t i = 1; i < 16; i++)
		generation(&rig, i, 32, 0, 2);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 3200), "3201 3202");
	generation(&rig, 16, 32, 0, 2);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 6400), "6402");
	rig_close(&rig);
}

static void history_loses_the_long_event_used_least_recently(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "footprint:events=long,entries=16");
	for (uint64_t i = 0; i < 17; i++)
		generation(&rig, i, 32, 0, 1);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 32), "33");
	rig_close(&rig);
}

/* The footprint after a second generation that asked for 3 and 8, found in these states. */
static const char *second(const char *spec, uint8_t three, uint8_t eight, bool refused)
{
	static char asked[64];
	struct rig rig;

	open_trained(&rig, spec);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	rig_set(&rig, 1, 3, three);
	rig_set(&rig, 1, 8, eight);
	if (refused)
		rig_outcome(&rig, 0, 1, 8, SPHT_OUTCOME_REFUSED);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 9);
	rig_zap(&rig, 0, 1, 31);
	assert_true(snprintf(asked, sizeof(asked), "%s", ask(&rig, SPHT_FAULT_HIDDEN, 1, 0)) <
		    (int)sizeof(asked));
	rig_close(&rig);
	return asked;
}

static void page_built_belongs_to_the_footprint_if_it_was_used(void **unused)
{
	(void)unused;
	assert_string_equal(second("footprint", SPHT_ENTRY_USED, SPHT_ENTRY_PRESENT, false), "3 9");
	assert_string_equal(second("footprint", SPHT_ENTRY_USED, SPHT_ENTRY_USED, false), "3 8 9");
	assert_string_equal(second("footprint:follow=0", SPHT_ENTRY_USED, SPHT_ENTRY_USED, false),
			    "9");
}

static void page_that_went_with_the_zap_keeps_its_place_unless_it_was_refused(void **unused)
{
	(void)unused;
	assert_string_equal(second("footprint", SPHT_ENTRY_PRESENT, SPHT_ENTRY_ABSENT, false),
			    "8 9");
	assert_string_equal(second("footprint", SPHT_ENTRY_PRESENT, SPHT_ENTRY_ABSENT, true), "9");
}

static void page_seen_used_at_a_fault_counts_after_it_is_gone(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint:accumulate=1");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	rig_set(&rig, 1, 3, SPHT_ENTRY_USED);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 9);
	rig_set(&rig, 1, 3, SPHT_ENTRY_PRESENT);
	/* ended for want of room: 8 is not there, and there was no zap */
	ask(&rig, SPHT_FAULT_HIDDEN, 1, FAR);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, FAR + 1);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 9");
	rig_close(&rig);
}

static void generation_whose_pages_were_all_built_in_time_is_kept(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	rig_set(&rig, 1, 3, SPHT_ENTRY_USED);
	rig_set(&rig, 1, 8, SPHT_ENTRY_PRESENT);
	rig_zap(&rig, 0, 1, 31);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3");
	rig_close(&rig);
}

static void kind_of_access_is_part_of_both_events(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "footprint");
	ask_as(&rig, 6, 1, 0); /* a user's write */
	ask_as(&rig, 4, 1, 5);
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask_as(&rig, 4, 1, 0), ""); /* a user's read */
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask_as(&rig, 2, 1, 0), ""); /* the kernel's write */
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask_as(&rig, 20, 1, 0), ""); /* a user's fetch */
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask_as(&rig, 7, 1, 0), "5"); /* P is no matter */
	rig_close(&rig);
	rig_open(&rig, "footprint");
	ask_as(&rig, 4, 1, 0); /* a user's read */
	ask_as(&rig, 4, 1, 5);
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask_as(&rig, 20, 1, 0), ""); /* and fetch */
	rig_close(&rig);
}

static void history_is_of_all_spaces_unless_told_otherwise(void **unused)
{
	struct rig rig;

	(void)unused;
	open_trained(&rig, "footprint");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 0), "3 8");
	rig_close(&rig);
	open_trained(&rig, "footprint:shared=0");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 0), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 2, 64), "");
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3 8");
	rig_close(&rig);
}

static void region_has_the_size_that_it_is_told(void **unused)
{
	struct rig rig;

	(void)unused;
	rig_open(&rig, "footprint:region=4");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 0);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 3);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 4); /* the next region */
	rig_zap(&rig, 0, 1, 0);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 0), "3");
	rig_close(&rig);
	rig_open(&rig, "footprint:region=64");
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 64);
	ask(&rig, SPHT_FAULT_HIDDEN, 1, 127);
	rig_zap(&rig, 0, 1, 64);
	assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, 1, 64), "127");
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trigger_asks_for_the_rest_of_its_last_footprint),
		cmocka_unit_test(other_trigger_in_the_region_has_a_footprint_of_its_own),
		cmocka_unit_test(offset_alone_serves_another_region),
		cmocka_unit_test(long_event_is_asked_before_the_short_one),
		cmocka_unit_test(trigger_alone_is_no_footprint),
		cmocka_unit_test(generation_ends_by_a_zap_in_its_region_and_space_only),
		cmocka_unit_test(generation_that_must_make_room_is_kept),
		cmocka_unit_test(region_that_leaves_the_filter_is_forgotten),
		cmocka_unit_test(page_counts_from_a_fifth_of_the_footprints_on),
		cmocka_unit_test(short_event_knows_its_last_sixteen_footprints),
		cmocka_unit_test(history_loses_the_long_event_used_least_recently),
		cmocka_unit_test(page_built_belongs_to_the_footprint_if_it_was_used),
		cmocka_unit_test(page_that_went_with_the_zap_keeps_its_place_unless_it_was_refused),
		cmocka_unit_test(page_seen_used_at_a_fault_counts_after_it_is_gone),
		cmocka_unit_test(generation_whose_pages_were_all_built_in_time_is_kept),
		cmocka_unit_test(kind_of_access_is_part_of_both_events),
		cmocka_unit_test(history_is_of_all_spaces_unless_told_otherwise),
		cmocka_unit_test(region_has_the_size_that_it_is_told),
	};

	return cmocka_run_group_tests_name("heuristic footprint", tests, NULL, NULL);
}
