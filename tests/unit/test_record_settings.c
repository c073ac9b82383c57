// SPDX-License-Identifier: LGPL-2.1-or-later
/* --set KEY=VALUE: what becomes of it in a header, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/settings.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void check(const char *const *texts, size_t nr, const char *want)
{
	json_t *settings = json_object();
	struct spht_error err = {""};
	char *got;

	for (size_t i = 0; i < nr; i++)
		if (spht_settings_add(settings, texts[i], &err))
			fail_msg("%s: %s", texts[i], err.text);
	got = json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(got, want);
	free(got);
	json_decref(settings);
}

static void values_are_scalars_or_text(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"guest.vcpus=1", "{\"guest\":{\"vcpus\":1}}"},
		{"guest.x=-3", "{\"guest\":{\"x\":-3}}"},
		{"guest.x=1.5", "{\"guest\":{\"x\":1.5}}"},
		{"guest.x=true", "{\"guest\":{\"x\":true}}"},
		{"guest.x=null", "{\"guest\":{\"x\":null}}"},
		{"guest.x=\"1\"", "{\"guest\":{\"x\":\"1\"}}"},
		{"guest.x=1 2", "{\"guest\":{\"x\":\"1 2\"}}"},
		{"guest.x=[1]", "{\"guest\":{\"x\":\"[1]\"}}"},
		{"guest.x={}", "{\"guest\":{\"x\":\"{}\"}}"},
		{"guest.x=", "{\"guest\":{\"x\":\"\"}}"},
		{"guest.x=a=b", "{\"guest\":{\"x\":\"a=b\"}}"},
		{"guest.x=99999999999999999999", "{\"guest\":{\"x\":\"99999999999999999999\"}}"},
		{"guest.kernel=6.12", "{\"guest\":{\"kernel\":\"6.12\"}}"},
		{"host.cpu_model=7702", "{\"host\":{\"cpu_model\":\"7702\"}}"},
		{"kvm.a.b.c=2", "{\"kvm\":{\"a\":{\"b\":{\"c\":2}}}}"},
		{"clock_real=false", "{\"clock_real\":false}"},
		{"marks.names.0x1=7", "{\"marks\":{\"names\":{\"0x1\":\"7\"}}}"},
		{"marks.names.0x2=true", "{\"marks\":{\"names\":{\"0x2\":\"true\"}}}"},
		{"lab.runs=7", "{\"lab\":{\"runs\":7}}"},
		{"note=made in a lab", "{\"note\":\"made in a lab\"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i].text, 1, rows[i].want);
}

static void settings_add_up(void **state)
{
	static const char *const texts[] = {"guest.vcpus=2", "guest.memory_mib=768", "kvm.npt=0",
					    "guest.disk.size=1"};

	(void)state;
	check(texts, ARRAY_SIZE(texts),
	      "{\"guest\":{\"disk\":{\"size\":1},\"memory_mib\":768,\"vcpus\":2},"
	      "\"kvm\":{\"npt\":0}}");
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"=",
		"guest",
		"guest.vcpus",
		"guest=1",
		"guest.=1",
		".guest=1",
		"guest..vcpus=1",
		"guest.a b=1",
		"guest.a/b=1",
		"guest.a.b.c.d=1",
		"origin.sha256=0",
		"types=1",
		"guests.vcpus=1",
		"gues.vcpus=1",
		"clock_real=maybe",
		"clock_real=1",
		"clock_real.x=true",
		"note=1",
		"note.x=y",
		"guest.vcpus=0",
		"guest.vcpus=many",
		"guest.vcpus=1.5",
		"guest.vcpus=4097",
		"guest.memory_mib=-1",
		"kvm.prefetch_window=auto",
		"guest.x=\xff\xfe",
	};
	struct spht_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *settings = json_object();

		err.text[0] = '\0';
		if (spht_settings_add(settings, texts[i], &err) != -1)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_int_not_equal(strlen(err.text), 0);
		json_decref(settings);
	}
}

static void a_key_has_one_value(void **state)
{
	static const char *const pairs[][2] = {
		{"guest.vcpus=1", "guest.vcpus=1"},
		{"guest.a=1", "guest.a.b=1"},
		{"guest.a.b=1", "guest.a=1"},
	};
	struct spht_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		json_t *settings = json_object();

		assert_int_equal(spht_settings_add(settings, pairs[i][0], &err), 0);
		assert_int_equal(spht_settings_add(settings, pairs[i][1], &err), -1);
		json_decref(settings);
	}
}

static void too_long_is_refused(void **state)
{
	json_t *settings = json_object();
	struct spht_error err;
	char text[6000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "note=", 5);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(spht_settings_add(settings, text, &err), -1);
	memset(text, 'x', sizeof(text));
	memcpy(text, "guest.", 6);
	memcpy(text + 100, "=1", 3);
	assert_int_equal(spht_settings_add(settings, text, &err), -1);
	assert_int_equal(json_object_size(settings), 0);
	json_decref(settings);
}

static void what_is_told_is_not_missing(void **state)
{
	json_t *header = json_loads("{\"host\": {\"kernel\": \"6.1\", \"machine\": \"x86_64\"},"
				    " \"clock_real\": null,"
				    " \"missing\": [\"cpu model\", \"memslots\","
				    " \"guest description\"]}",
				    0, NULL);
	json_t *settings = json_object(), *want;
	struct spht_error err;

	(void)state;
	assert_int_equal(spht_settings_add(settings, "host.cpu_model=EPYC", &err), 0);
	assert_int_equal(spht_settings_add(settings, "host.kernel=6.12", &err), 0);
	assert_int_equal(spht_settings_add(settings, "clock_real=false", &err), 0);
	assert_int_equal(spht_settings_apply(header, settings), 0);
	want = json_loads("{\"host\": {\"kernel\": \"6.12\", \"machine\": \"x86_64\","
			  " \"cpu_model\": \"EPYC\"}, \"clock_real\": false,"
			  " \"missing\": [\"memslots\", \"guest description\"]}",
			  0, NULL);
	assert_true(json_equal(header, want));
	json_decref(want);
	json_decref(settings);
	json_decref(header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_scalars_or_text),
		cmocka_unit_test(settings_add_up),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_key_has_one_value),
		cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(what_is_told_is_not_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
