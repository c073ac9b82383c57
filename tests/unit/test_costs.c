// SPDX-License-Identifier: LGPL-2.1-or-later
/* Cost profiles: complete, in range, every number with its source, or refused. */
#include <jansson.h>
#include <unistd.h>

#include "events.h"
#include "replay/costs.h"

static char path[256];

/* Loads @text as a profile from a file. */
static int load(const char *text, struct spht_costs *costs, struct spht_error *err)
{
	const char *dir = getenv("TMPDIR");
	FILE *f;
	int fd, ret;

	snprintf(path, sizeof(path), "%s/spht-costs-XXXXXX", dir ? dir : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	err->text[0] = '\0';
	ret = spht_costs_load(costs, path, err);
	unlink(path);
	return ret;
}

/* The built-in profile, to be changed and given back. */
static json_t *profile(void)
{
	json_error_t err;
	json_t *root = json_loads(spht_costs_default, JSON_REJECT_DUPLICATES, &err);

	assert_non_null(root);
	return root;
}

static int load_json(json_t *root, struct spht_costs *costs, struct spht_error *err)
{
	char *text = json_dumps(root, JSON_INDENT(1));
	int ret;

	assert_non_null(text);
	ret = load(text, costs, err);
	free(text);
	json_decref(root);
	return ret;
}

static void assert_refused(json_t *root, const char *why)
{
	struct spht_costs costs;
	struct spht_error err;

	assert_int_equal(load_json(root, &costs, &err), -1);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_non_null(strstr(err.text, path)); /* which file */
	assert_null(strchr(err.text, '\n'));
}

static void set_value(json_t *root, const char *key, json_t *value)
{
	json_t *o = json_object_get(root, key);

	assert_non_null(o);
	assert_int_equal(json_object_set_new(o, "value", value), 0);
}

static void built_in_profile_has_every_number(void **unused)
{
	struct spht_costs c;
	struct spht_error err;

	(void)unused;
	assert_int_equal(spht_costs_load(&c, "default", &err), 0);
	assert_true(c.name[0]);
	for (unsigned int cls = SPHT_CLASS_MMIO; cls < SPHT_CLASS_NR; cls++)
		assert_true(c.exit_ns[cls] > 0);
	assert_true(c.other_exit_ns && c.helper_wake_ns && c.helper_read_ns && c.helper_build_ns);
	assert_true(c.queue_limit > 0);
	assert_true(c.touch_probability >= 0 && c.touch_probability <= 1);
}

static void each_number_of_a_file_goes_to_its_place(void **unused)
{
	static const char *const ns[] = {
		"exit_mmio_ns",         "exit_guest_ns",
		"exit_ptwrite_emul_ns", "exit_ptwrite_unsync_ns",
		"exit_huge_ns",         "exit_spurious_ns",
		"exit_ad_ns",           "exit_hidden_ns",
		"exit_retry_ns",        "exit_other_ns",
		"helper_wake_ns",       "helper_read_ns",
		"helper_build_ns",      "helper_page_ns",
		"exit_lock_ns",         "helper_lock_ns",
		"helper_pace_ns",       "helper_poll_ns",
		"helper_watch_ns",      "first_use_ns",
	};
	json_t *root = profile();
	struct spht_costs c;
	struct spht_error err;

	(void)unused;
	json_object_set_new(root, "name", json_string("mine"));
	for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
		set_value(root, ns[i], json_integer((json_int_t)(1000 + i)));
	set_value(root, "tracing_percent", json_integer(33));
	set_value(root, "helper_lock_ns", json_integer(999));
	set_value(root, "helper_batch", json_integer(5));
	set_value(root, "queue_limit", json_integer(17));
	set_value(root, "touch_probability", json_real(0.25));
	assert_int_equal(load_json(root, &c, &err), 0);
	assert_string_equal(c.name, "mine");
	for (unsigned int i = 0; i < 9; i++)
		assert_int_equal(c.exit_ns[SPHT_CLASS_MMIO + i], 1000 + i);
	assert_int_equal(c.exit_ns[SPHT_CLASS_NONE], 0);
	assert_int_equal(c.other_exit_ns, 1009);
	assert_int_equal(c.helper_wake_ns, 1010);
	assert_int_equal(c.helper_read_ns, 1011);
	assert_int_equal(c.helper_build_ns, 1012);
	assert_int_equal(c.helper_page_ns, 1013);
	assert_int_equal(c.exit_lock_ns, 1014);
	assert_int_equal(c.helper_lock_ns, 999);
	assert_int_equal(c.helper_pace_ns, 1016);
	assert_int_equal(c.helper_poll_ns, 1017);
	assert_int_equal(c.helper_watch_ns, 1018);
	assert_int_equal(c.first_use_ns, 1019);
	assert_int_equal(c.helper_batch, 5);
	assert_int_equal(c.tracing_percent, 33);
	assert_int_equal(c.queue_limit, 17);
	assert_true(c.touch_probability == 0.25);
}

/* Every key but the two that are text. */
static void missing_number_is_an_error_that_names_it(void **unused)
{
	json_t *all = profile();
	const char *key;
	json_t *value;
	unsigned int n = 0;

	(void)unused;
	json_object_foreach(all, key, value)
	{
		json_t *root;

		if (!json_is_object(value))
			continue;
		root = profile();
		json_object_del(root, key);
		assert_refused(root, key);
		n++;
	}
	assert_int_equal(n, 25);
	json_decref(all);
}

static void number_that_nobody_asks_for_is_refused_by_name(void **unused)
{
	json_t *root = profile();

	(void)unused;
	json_object_set(root, "exit_hiden_ns", json_object_get(root, "exit_hidden_ns"));
	assert_refused(root, "exit_hiden_ns");
	root = profile();
	json_object_set_new(root, "comment", json_string("mine"));
	assert_refused(root, "comment");
}

static void number_without_a_source_is_refused(void **unused)
{
	json_t *root = profile();

	(void)unused;
	json_object_del(json_object_get(root, "exit_hidden_ns"), "source");
	assert_refused(root, "exit_hidden_ns");
	root = profile();
	json_object_set_new(json_object_get(root, "queue_limit"), "source", json_string(""));
	assert_refused(root, "queue_limit");
	root = profile();
	json_object_set_new(root, "helper_read_ns", json_integer(200));
	assert_refused(root, "helper_read_ns");
	root = profile();
	set_value(root, "helper_read_ns", json_string("200"));
	assert_refused(root, "helper_read_ns");
}

static void number_out_of_range_is_told_with_the_range(void **unused)
{
	json_t *root = profile();
	struct spht_costs c;
	struct spht_error err;

	(void)unused;
	set_value(root, "helper_build_ns", json_integer(1000000000));
	assert_int_equal(load_json(root, &c, &err), 0);
	assert_int_equal(c.helper_build_ns, 1000000000);
	root = profile();
	set_value(root, "helper_build_ns", json_integer(1000000001));
	assert_refused(root, "helper_build_ns = 1e+09 is outside of 0..1e+09");
	root = profile();
	set_value(root, "exit_other_ns", json_integer(-1));
	assert_refused(root, "exit_other_ns = -1");
	root = profile();
	set_value(root, "touch_probability", json_real(1.5));
	assert_refused(root, "touch_probability = 1.5 is outside of 0..1");
	root = profile();
	set_value(root, "queue_limit", json_integer(1 << 21));
	assert_refused(root, "queue_limit");
}

static void name_that_would_break_a_table_is_refused(void **unused)
{
	static const char *const bad[] = {"", "a,b", "a\"b", "a\nb", NULL};
	char name[80];
	struct spht_costs c;
	struct spht_error err;
	json_t *root;

	(void)unused;
	for (unsigned int i = 0; bad[i]; i++) {
		root = profile();
		json_object_set_new(root, "name", json_string(bad[i]));
		assert_refused(root, "\"name\"");
	}
	root = profile();
	json_object_del(root, "name");
	assert_refused(root, "\"name\"");
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	root = profile();
	json_object_set_new(root, "name", json_string(name));
	assert_refused(root, "\"name\"");
	name[63] = '\0';
	root = profile();
	json_object_set_new(root, "name", json_string(name));
	assert_int_equal(load_json(root, &c, &err), 0);
	assert_string_equal(c.name, name);
}

static void text_that_is_no_json_object_is_refused_with_its_line(void **unused)
{
	static const struct {
		const char *text, *why;
	} c[] = {
		{"", "line 1"},
		{"{\n\"name\": \"x\",\n}", "line 3"},
		{"{\"name\": \"x\", \"name\": \"y\"}", "line 1"},
		{"[]", "\"name\""},
		{"{}", "\"name\""},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_costs costs;
		struct spht_error err;

		assert_int_equal(load(c[i].text, &costs, &err), -1);
		if (!strstr(err.text, c[i].why))
			fail_msg("'%s' does not say '%s'", err.text, c[i].why);
	}
}

static void file_that_does_not_exist_is_refused_by_name(void **unused)
{
	struct spht_costs costs;
	struct spht_error err;

	(void)unused;
	assert_int_equal(spht_costs_load(&costs, "/nonexistent/costs.json", &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/costs.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_in_profile_has_every_number),
		cmocka_unit_test(each_number_of_a_file_goes_to_its_place),
		cmocka_unit_test(missing_number_is_an_error_that_names_it),
		cmocka_unit_test(number_that_nobody_asks_for_is_refused_by_name),
		cmocka_unit_test(number_without_a_source_is_refused),
		cmocka_unit_test(number_out_of_range_is_told_with_the_range),
		cmocka_unit_test(name_that_would_break_a_table_is_refused),
		cmocka_unit_test(text_that_is_no_json_object_is_refused_with_its_line),
		cmocka_unit_test(file_that_does_not_exist_is_refused_by_name),
	};

	return cmocka_run_group_tests_name("costs", tests, NULL, NULL);
}
