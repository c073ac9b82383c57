// SPDX-License-Identifier: LGPL-2.1-or-later
/* The role layout that a header brings along: when it is used, and when refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/recording.h"
#include "replay/role.h"
#include "trace_util.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* "level 0 4, direct 7 1" as the header's list. */
static json_t *list_of(const char *text)
{
	json_t *list = json_array();
	char name[64];
	int offset, bits, len;

	while (sscanf(text, " %63s %d %d%n", name, &offset, &bits, &len) == 3) {
		json_array_append_new(list, json_pack("{s:s, s:i, s:i}", "name", name, "offset",
						      offset, "bits", bits));
		text += len;
		text += *text == ',';
	}
	assert_string_equal(text, "");
	return list;
}

static const char linux_6_18[] =
	"level 0 4, has_4_byte_gpte 4 1, quadrant 5 2, direct 7 1, access 8 3, invalid 11 1, "
	"efer_nx 12 1, cr0_wp 13 1, smep_andnot_wp 14 1, smap_andnot_wp 15 1, ad_disabled 16 1, "
	"guest_mode 17 1, passthrough 18 1, is_mirror 19 1, smm 24 8";

static void layout_of_a_known_kernel_reads_as_the_table_has_it(void **unused)
{
	static const struct {
		const char *release, *fields;
	} rows[] = {
		{"6.18.44", linux_6_18},
		{"6.1.0-56-amd64",
		 "level 0 4, has_4_byte_gpte 4 1, quadrant 5 2, direct 7 1, access 8 3, "
		 "invalid 11 1, efer_nx 12 1, guest_mode 17 1, smm 24 8"},
		{"7.2.13", "level 0 4, has_4_byte_gpte 4 1, quadrant 5 2, direct 7 1, access 8 4, "
			   "invalid 12 1, efer_nx 13 1, cr0_wp 14 1, guest_mode 17 1, smm 24 8"},
		{"2.6.32.9", "glevels 0 4, level 4 4, quadrant 8 2, direct 16 1, access 17 3, "
			     "invalid 20 1, cr4_pge 21 1, nxe 22 1"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spht_error err = {""};
		const struct spht_role_layout *want = spht_role_layout(rows[i].release, &err);
		struct spht_role_layout got;
		json_t *list = list_of(rows[i].fields);

		if (spht_role_from_json(list, &got, &err))
			fail_msg("%s: %s", rows[i].release, err.text);
		got.kernels = want->kernels;
		assert_memory_equal(&got, want, sizeof(got));
		json_decref(list);
	}
}

static void layout_that_cannot_be_is_refused(void **unused)
{
	static const struct {
		const char *fields, *says;
	} rows[] = {
		{"", "no field level"},
		{"level 0 4, access 8 3, invalid 11 1", "no field direct"},
		{"level 0 4, direct 7 1, access 8 3", "no field invalid"},
		{"level 0 4, direct 3 1, access 8 3, invalid 11 1", "direct lies on another"},
		{"level 0 4, direct 7 1, access 8 4, invalid 11 1", "invalid lies on another"},
		{"word 0 32, level 0 4, direct 7 1, access 8 3, invalid 11 1", "level lies on"},
		{"level 29 4, direct 7 1, access 8 3, invalid 11 1", "not in a word of 32"},
		{"level 0 4, direct 32 1, access 8 3, invalid 11 1", "not in a word of 32"},
		{"level -1 4, direct 7 1, access 8 3, invalid 11 1", "not in a word of 32"},
		{"level 0 0, direct 7 1, access 8 3, invalid 11 1", "not in a word of 32"},
		{"level 0 -4, direct 7 1, access 8 3, invalid 11 1", "not in a word of 32"},
		{"smm 24 33, level 0 4, direct 7 1, access 8 3, invalid 11 1", "smm, 33 bits"},
		{"level 0 5, direct 7 1, access 8 3, invalid 11 1", "level has 5 bits"},
		{"level 0 4, direct 7 1, access 8 2, invalid 11 1", "access has 2 bits"},
		{"level 0 4, direct 5 2, access 8 3, invalid 11 1", "direct has 2 bits"},
		{"level 0 4, direct 7 1, access 8 3, invalid 11 1, guest_mode 17 2", "guest_mode"},
		{"level 0 4, direct 7 1, access 8 3, invalid 11 1, level 20 4", "level is there "
										"twice"},
		{"level 0 4, direct 7 1, access 8 3, invalid 11 1, \033[2J 20 4", "needs a name"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spht_error err = {""};
		struct spht_role_layout l;
		json_t *list = list_of(rows[i].fields);

		if (spht_role_from_json(list, &l, &err) != -1)
			fail_msg("\"%s\" was taken", rows[i].fields);
		if (!strstr(err.text, rows[i].says))
			fail_msg("\"%s\": %s", rows[i].fields, err.text);
		json_decref(list);
	}
}

static void layout_of_odd_types_is_refused(void **unused)
{
	static const char *const texts[] = {
		"{}",
		"7",
		"\"BTF\"",
		"[1]",
		"[[\"level\", 0, 4]]",
		"[{}]",
		"[{\"name\": \"level\", \"offset\": 0}]",
		"[{\"name\": \"level\", \"offset\": \"0\", \"bits\": 4}]",
		"[{\"name\": \"level\", \"offset\": 0, \"bits\": 4.0}]",
		"[{\"name\": 1, \"offset\": 0, \"bits\": 4}]",
		"[{\"name\": \"\", \"offset\": 0, \"bits\": 4}]",
		"[{\"name\": \"level\", \"offset\": 0, \"bits\": 9223372036854775807}]",
		"[{\"name\": \"level\", \"offset\": -9223372036854775808, \"bits\": 4}]",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *j = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		struct spht_error err = {""};
		struct spht_role_layout l;

		assert_non_null(j);
		if (spht_role_from_json(j, &l, &err) != -1 || !err.text[0])
			fail_msg("%s was taken", texts[i]);
		json_decref(j);
	}
}

/* What loading a trace without any exit, recorded by @kernel, says. */
static const char *load_message(const char *kernel, json_t *role)
{
	static struct spht_error err;
	const struct spht_load_options opt = {.mock = -1};
	json_t *header =
		json_pack("{s:{s:s}, s:{s:o*}}", "host", "kernel", kernel, "kvm", "role", role);
	const char *path = temp_path();
	struct spht_recording rec;
	struct spht_writer *w;

	assert_non_null(header);
	w = spht_writer_open(path, SPHT_WRITE_OVERWRITE, header, test_types, nr_test_types, 3,
			     &err);
	assert_non_null(w);
	close_writer(w);
	json_decref(header);
	assert_int_equal(spht_recording_load(&rec, path, &opt, &err), -1);
	return err.text;
}

static void layout_in_the_header_goes_before_the_kernels_version(void **unused)
{
	(void)unused;
	assert_non_null(strstr(load_message("9.9.0", NULL), "no role layout is known"));
	assert_non_null(strstr(load_message("9.9.0", json_null()), "no role layout is known"));
	/* One step further. */
	assert_non_null(strstr(load_message("9.9.0", list_of(linux_6_18)), "no page-fault exit"));
	assert_non_null(strstr(load_message("6.1.0", NULL), "no page-fault exit"));
	assert_non_null(strstr(load_message("6.1.0", list_of("level 0 4, direct 0 1")),
			       "direct lies on another one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_of_a_known_kernel_reads_as_the_table_has_it),
		cmocka_unit_test(layout_that_cannot_be_is_refused),
		cmocka_unit_test(layout_of_odd_types_is_refused),
		cmocka_unit_test(layout_in_the_header_goes_before_the_kernels_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
