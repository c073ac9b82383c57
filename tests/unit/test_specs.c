// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lists of configurations: ranges, their order, and what is asked for twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/specs.h"

static void add(struct spht_specs *specs, const char *text, size_t again)
{
	struct spht_error err = {{0}};
	size_t before;

	if (spht_specs_add(specs, text, &before, &err))
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(err.text, "");
	assert_int_equal(before, again);
}

/* What is in @specs, as it is printed; the caller frees it. */
static char *printed(const struct spht_specs *specs)
{
	char *buf = NULL;
	size_t size;
	FILE *out = open_memstream(&buf, &size);

	assert_non_null(out);
	spht_specs_print(specs, out);
	assert_int_equal(fclose(out), 0);
	return buf;
}

static void check_list(const char *text, const char *list)
{
	struct spht_specs specs = {0};
	char *got;

	add(&specs, text, 0);
	got = printed(&specs);
	assert_string_equal(got, list);
	free(got);
	spht_specs_close(&specs);
}

static void check_usage(const char *text, const char *message)
{
	struct spht_specs specs = {0};
	struct spht_error err = {{0}};
	size_t again;

	assert_int_equal(spht_specs_add(&specs, text, &again, &err), SPHT_SPECS_USAGE);
	assert_string_equal(err.text, message);
	spht_specs_close(&specs);
}

static void values_of_a_list_come_in_their_order(void **unused)
{
	(void)unused;
	check_list("prefault:around=8|1|4", "prefault:around=8\n"
					    "prefault:around=1\n"
					    "prefault:around=4\n");
	check_list("none", "none\n");
	check_list("none:", "none\n");
}

static void parameter_named_first_varies_slowest(void **unused)
{
	(void)unused;
	check_list("window:size=8|16,on=guest|both", "window:size=8;align=1;on=guest\n"
						     "window:size=8;align=1;on=both\n"
						     "window:size=16;align=1;on=guest\n"
						     "window:size=16;align=1;on=both\n");
	check_list("window:on=guest|both;size=8|16", "window:size=8;align=1;on=guest\n"
						     "window:size=16;align=1;on=guest\n"
						     "window:size=8;align=1;on=both\n"
						     "window:size=16;align=1;on=both\n");
}

static void one_value_among_lists_stays_as_it_is(void **unused)
{
	(void)unused;
	check_list("window:align=no|yes,size=4,on=both|hidden",
		   "window:size=4;align=0;on=both\n"
		   "window:size=4;align=0;on=hidden\n"
		   "window:size=4;align=1;on=both\n"
		   "window:size=4;align=1;on=hidden\n");
}

static void every_value_of_a_list_is_checked(void **unused)
{
	(void)unused;
	check_usage("window:size=8|12|16",
		    "window: size='12' is not a power of two; valid: 2..512 pages, a power of two");
	check_usage("window:size=8|",
		    "window: size='' is not a whole number; valid: 2..512 pages, a power of two");
	check_usage("window:size=|8",
		    "window: size='' is not a whole number; valid: 2..512 pages, a power of two");
	check_usage("window:align=0|1|2", "window: align='2' is neither 0 nor 1; valid: 0 or 1");
	check_usage("window:on=both|gest", "window: on='gest' is no choice; did you mean 'guest'? "
					   "valid: hidden, guest, both");
	check_usage("window:size=8|16,size=32", "window: size is given twice");
	check_usage("none:x=1|2", "none has no parameters, but 'x=1|2' was given");
}

static void value_that_stands_twice_in_its_list_is_refused(void **unused)
{
	(void)unused;
	check_usage("window:size=8|16|8", "window: size='8' stands twice in its list");
	check_usage("window:size=8|08", "window: size='08' stands twice in its list");
	check_usage("window:align=1|yes", "window: align='yes' stands twice in its list");
}

static void what_was_asked_for_before_is_left_out_and_counted(void **unused)
{
	struct spht_specs specs = {0};
	char *got;

	(void)unused;
	add(&specs, "prefault:around=2", 0);
	add(&specs, "prefault:around=1|2|4", 1);
	add(&specs, "prefault", 1);
	add(&specs, "none", 0);
	add(&specs, "none:", 1);
	add(&specs, "nextline", 0);
	/* all parameters count, and the heuristic */
	add(&specs, "nextline:on=both", 0);
	add(&specs, "nextline:degree=16,cross=1", 0);
	add(&specs, "window", 0);
	got = printed(&specs);
	assert_string_equal(got, "prefault:around=2\n"
				 "prefault:around=1\n"
				 "prefault:around=4\n"
				 "none\n"
				 "nextline:degree=1;cross=0;on=hidden\n"
				 "nextline:degree=1;cross=0;on=both\n"
				 "nextline:degree=16;cross=1;on=hidden\n"
				 "window:size=16;align=1;on=hidden\n");
	free(got);
	spht_specs_close(&specs);
}

/* "nextline:degree=1|2|...|511" and so on: 511 * 2 * 3 = 3066 configurations. */
static void many_configurations_are_each_there_once(void **unused)
{
	struct spht_specs specs = {0};
	char text[4096] = "nextline:cross=0|1,on=both|hidden|guest,degree=1";
	size_t n = strlen(text);

	(void)unused;
	for (int i = 2; i <= 511; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "|%d", i);
	add(&specs, text, 0);
	assert_int_equal(specs.nr, 3066);
	for (size_t i = 0; i < specs.nr; i++) {
		assert_int_equal(specs.v[i].params[0], i % 511 + 1);
		assert_int_equal(specs.v[i].params[1], i / 511 / 3);
		assert_int_equal(specs.v[i].params[2], (i / 511 + 2) % 3);
	}
	add(&specs, text, 3066);
	add(&specs, "window", 0);
	assert_int_equal(specs.nr, 3067);
	spht_specs_close(&specs);
}

/* "|1|2...|n" behind "KEY=0": n + 1 values. */
static void add_values(char *text, size_t size, const char *key, int n)
{
	size_t len = strlen(text);

	len += (size_t)snprintf(text + len, size - len, "%s=1", key);
	for (int i = 2; i <= n; i++)
		len += (size_t)snprintf(text + len, size - len, "|%d", i);
}

static void more_than_one_run_can_do_is_refused_before_memory_is_taken(void **unused)
{
	char text[16384] = "stride:";
	struct spht_specs specs = {0};
	struct spht_error err;
	size_t again;

	(void)unused;
	add_values(text, sizeof(text), "degree", 400);
	add_values(text, sizeof(text), ",distance", 251);
	check_usage(text, "100400 configurations, more than the 100000 of one run: split it");
	add_values(text, sizeof(text), ",conf_max", 255);
	add_values(text, sizeof(text), ",conf_threshold_pct", 100);
	add_values(text, sizeof(text), ",max_stride_pages", 511);
	check_usage(text,
		    "1308262200000 configurations, more than the 100000 of one run: split it");
	strcpy(text, "stride:");
	add_values(text, sizeof(text), "degree", 250);
	add_values(text, sizeof(text), ",distance", 400);
	add(&specs, text, 0);
	assert_int_equal(specs.nr, SPHT_MAX_ROWS);
	add(&specs, text, SPHT_MAX_ROWS);
	assert_int_equal(spht_specs_add(&specs, "none", &again, &err), SPHT_SPECS_USAGE);
	assert_string_equal(
		err.text,
		"with it 100001 configurations, more than the 100000 of one run: split it");
	spht_specs_close(&specs);
}

static void one_spec_has_one_value_for_each_parameter(void **unused)
{
	struct spht_error err = {{0}};
	struct spht_spec spec;

	(void)unused;
	assert_int_equal(spht_spec_parse(&spec, "window:size=8|16", &err), -1);
	assert_string_equal(err.text, "window: several values where one is wanted");
}

static void name_that_looks_like_a_file_is_told_what_a_plugin_looks_like(void **unused)
{
	struct spht_specs specs = {0};
	struct spht_error err;
	size_t again;

	(void)unused;
	assert_int_equal(spht_specs_add(&specs, "mine.so:depth=2", &again, &err), SPHT_SPECS_USAGE);
	assert_non_null(strstr(err.text, "there is no heuristic 'mine.so'; a file is named with "
					 "its folder, as ./mine.so; valid: "));
	/* '/' among parameters makes no path, ':' in a folder no parameters */
	assert_int_equal(spht_specs_add(&specs, "window:size=1/2", &again, &err), SPHT_SPECS_USAGE);
	assert_non_null(strstr(err.text, "size='1/2' is not a whole number"));
	assert_int_equal(spht_specs_add(&specs, "./no:x=1/mine.so", &again, &err),
			 SPHT_SPECS_FAILED);
	assert_non_null(strstr(err.text, "cannot be opened: No such file"));
	spht_specs_close(&specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_a_list_come_in_their_order),
		cmocka_unit_test(parameter_named_first_varies_slowest),
		cmocka_unit_test(one_value_among_lists_stays_as_it_is),
		cmocka_unit_test(every_value_of_a_list_is_checked),
		cmocka_unit_test(value_that_stands_twice_in_its_list_is_refused),
		cmocka_unit_test(what_was_asked_for_before_is_left_out_and_counted),
		cmocka_unit_test(many_configurations_are_each_there_once),
		cmocka_unit_test(more_than_one_run_can_do_is_refused_before_memory_is_taken),
		cmocka_unit_test(one_spec_has_one_value_for_each_parameter),
		cmocka_unit_test(name_that_looks_like_a_file_is_told_what_a_plugin_looks_like),
	};

	return cmocka_run_group_tests_name("lists of specs", tests, NULL, NULL);
}
