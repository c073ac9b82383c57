// SPDX-License-Identifier: LGPL-2.1-or-later
/* The text after --heuristic=, the help made from the tables, and the tables. */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/specs.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void parse(struct spht_spec *spec, const char *text)
{
	struct spht_error err = {{0}};

	if (spht_spec_parse(spec, text, &err))
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(err.text, "");
}

static void check_params(const char *text, const char *params)
{
	struct spht_spec spec;
	char buf[512];

	parse(&spec, text);
	assert_int_equal(spht_spec_format(&spec, buf, sizeof(buf)), strlen(params));
	assert_string_equal(buf, params);
}

static void check_error(const char *text, const char *message)
{
	struct spht_error err = {{0}};
	struct spht_spec spec, before;

	memset(&spec, 0x5a, sizeof(spec));
	before = spec;
	assert_int_equal(spht_spec_parse(&spec, text, &err), -1);
	assert_string_equal(err.text, message);
	assert_memory_equal(&spec, &before, sizeof(spec));
	/* who wants no message need not take one */
	assert_int_equal(spht_spec_parse(&spec, text, NULL), -1);
}

static void name_alone_gives_every_default(void **unused)
{
	(void)unused;
	check_params("none", "");
	check_params("none:", "");
	check_params("window", "size=16;align=1;on=hidden");
	check_params("window:", "size=16;align=1;on=hidden");
	check_params("nextline", "degree=1;cross=0;on=hidden");
	check_params("prefault", "around=1");
	check_params("oracle", "latency=0;bandwidth=0");
	check_params("stride", "entries=64;ways=4;degree=4;distance=0;conf_max=7;"
			       "conf_threshold_pct=50;max_stride_pages=511;follow=1;cross=0;"
			       "on=hidden");
}

static void parameters_are_taken_in_any_order_and_printed_in_one(void **unused)
{
	(void)unused;
	check_params("window:on=both,size=8", "size=8;align=1;on=both");
	check_params("window:align=0,size=512,on=guest", "size=512;align=0;on=guest");
	check_params("window:align=no", "size=16;align=0;on=hidden");
	check_params("nextline:cross=yes,degree=007", "degree=7;cross=1;on=hidden");
}

static void bounds_of_a_range_belong_to_it(void **unused)
{
	(void)unused;
	check_params("window:size=2", "size=2;align=1;on=hidden");
	check_params("nextline:degree=511", "degree=511;cross=0;on=hidden");
	check_params("prefault:around=512", "around=512");
}

static void what_is_printed_can_be_given_back(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		const struct spht_heuristic *h = spht_heuristics[i];
		struct spht_spec spec, again;
		char text[1024];

		parse(&spec, h->name);
		for (unsigned int p = 0; p < h->nr_params; p++)
			spec.params[p] = h->params[p].max;
		snprintf(text, sizeof(text), "%s:", h->name);
		spht_spec_format(&spec, text + strlen(text), sizeof(text) - strlen(text));
		parse(&again, text);
		assert_ptr_equal(again.h, h);
		assert_memory_equal(again.params, spec.params, sizeof(spec.params));
	}
}

static void printing_into_a_short_buffer_cuts_and_tells_the_length(void **unused)
{
	struct spht_spec spec;
	char buf[8] = "0123456";

	(void)unused;
	parse(&spec, "window");
	assert_int_equal(spht_spec_format(&spec, buf, 7), 25);
	assert_string_equal(buf, "size=1");
	assert_int_equal(spht_spec_format(&spec, NULL, 0), 25);
	parse(&spec, "none");
	assert_int_equal(spht_spec_format(&spec, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
}

static void unknown_heuristic_is_told_with_every_valid_name(void **unused)
{
	static const char *const texts[] = {"strid", "xyzzy", "", ":size=8", "Stride", "help"};
	static const char *const starts[] = {
		"there is no heuristic 'strid'; did you mean 'stride'? valid: ",
		"there is no heuristic 'xyzzy'; valid: ",
		"the name of the heuristic is missing; valid: ",
		"the name of the heuristic is missing; valid: ",
		"there is no heuristic 'Stride'; did you mean 'stride'? valid: ",
		"there is no heuristic 'help'; did you mean 'leap'? valid: ",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct spht_error err;
		struct spht_spec spec;

		assert_int_equal(spht_spec_parse(&spec, texts[i], &err), -1);
		assert_memory_equal(err.text, starts[i], strlen(starts[i]));
		for (unsigned int h = 0; h < spht_nr_heuristics; h++)
			assert_non_null(strstr(err.text, spht_heuristics[h]->name));
	}
}

static void unknown_parameter_is_told_with_every_valid_name(void **unused)
{
	(void)unused;
	check_error("window:sise=8", "window has no parameter 'sise'; did you mean 'size'? valid: "
				     "size, align, on");
	check_error("window:colour=3", "window has no parameter 'colour'; valid: size, align, on");
	check_error("window:colour", "window has no parameter 'colour'; valid: size, align, on");
	check_error("window:size=8,",
		    "window: the name of a parameter is missing; valid: size, align, on");
	check_error("window:,size=8",
		    "window: the name of a parameter is missing; valid: size, align, on");
	check_error("window:=8",
		    "window: the name of a parameter is missing; valid: size, align, on");
	check_error("window: size=8", "window has no parameter ' size'; did you mean 'size'? "
				      "valid: size, align, on");
	check_error("none:size=8", "none has no parameters, but 'size=8' was given");
}

static void value_outside_its_range_is_told_with_the_range(void **unused)
{
	(void)unused;
	check_error("nextline:degree=0",
		    "nextline: degree='0' is out of range; valid: 1..511 pages");
	check_error("nextline:degree=512",
		    "nextline: degree='512' is out of range; valid: 1..511 pages");
	check_error("nextline:degree=-1",
		    "nextline: degree='-1' is out of range; valid: 1..511 pages");
	check_error("nextline:degree=18446744073709551617",
		    "nextline: degree='18446744073709551617' is out of range; valid: 1..511 pages");
	check_error("nextline:degree=-99999999999999999999",
		    "nextline: degree='-99999999999999999999' is out of range; valid: 1..511 "
		    "pages");
	check_error("stride:conf_max=256", "stride: conf_max='256' is out of range; valid: 1..255");
	check_error("window:size=24", "window: size='24' is not a power of two; valid: 2..512 "
				      "pages, a power of two");
	check_error("window:size=1024", "window: size='1024' is out of range; valid: 2..512 "
					"pages, a power of two");
}

static void value_of_the_wrong_kind_is_told_with_what_is_valid(void **unused)
{
	static const char *const numbers[] = {"", "8x", "x", "0x8", "+8", " 8", "8 ", "-", "1e2"};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		char text[64], message[128];

		snprintf(text, sizeof(text), "nextline:degree=%s", numbers[i]);
		snprintf(message, sizeof(message),
			 "nextline: degree='%s' is not a whole number; valid: 1..511 pages",
			 numbers[i]);
		check_error(text, message);
	}
	check_error("window:align=2", "window: align='2' is neither 0 nor 1; valid: 0 or 1");
	check_error("window:align=", "window: align='' is neither 0 nor 1; valid: 0 or 1");
	check_error("window:on=gest", "window: on='gest' is no choice; did you mean 'guest'? "
				      "valid: hidden, guest, both");
	check_error("window:on=", "window: on='' is no choice; valid: hidden, guest, both");
	check_error("window:size", "window: size has no value; write size=2..512 pages, a power "
				   "of two");
	check_error("window:on", "window: on has no value; write on=hidden|guest|both");
}

static void parameter_given_twice_is_refused(void **unused)
{
	(void)unused;
	check_error("window:size=8,size=8", "window: size is given twice");
	check_error("window:size=8;align=1;size=16", "window: size is given twice");
}

static void message_stays_one_short_line_whatever_is_given(void **unused)
{
	struct spht_error err;
	struct spht_spec spec;
	char text[70000];

	(void)unused;
	check_error("window:a\nb\x1b[31m\xff=1",
		    "window has no parameter 'a?b?[31m?'; valid: size, align, on");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(spht_spec_parse(&spec, text, &err), -1);
	assert_non_null(strstr(err.text, "aaaa...'; valid: "));
	memcpy(text, "window:", 7);
	check_error(text, "window has no parameter 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'; "
			  "valid: size, align, on");
}

/* What help says to @text; the caller frees it. */
static char *help(const char *text, int result, struct spht_error *err)
{
	struct spht_specs specs = {0};
	enum spht_specs_status status;
	char *buf = NULL;
	bool asked;
	size_t size;
	FILE *out = open_memstream(&buf, &size);

	assert_non_null(out);
	status = spht_specs_help(&specs, text, out, &asked, err);
	assert_int_equal(status, result < 0 ? SPHT_SPECS_USAGE : SPHT_SPECS_OK);
	assert_int_equal(asked, result != 0);
	assert_int_equal(fclose(out), 0);
	return buf;
}

static void help_lists_every_heuristic_with_its_summary(void **unused)
{
	struct spht_error err;
	char *text = help("help", 1, &err);

	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		char line[256];

		snprintf(line, sizeof(line), "\n  %-12s%s\n", spht_heuristics[i]->name,
			 spht_heuristics[i]->summary);
		assert_non_null(strstr(text, line));
	}
	free(text);
}

static void help_of_a_heuristic_tells_each_parameter_and_the_citation(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		const struct spht_heuristic *h = spht_heuristics[i];
		struct spht_error err;
		char ask[64], *text;

		snprintf(ask, sizeof(ask), "%s:help", h->name);
		text = help(ask, 1, &err);
		assert_non_null(strstr(text, h->cite));
		for (unsigned int p = 0; p < h->nr_params; p++) {
			char name[64];

			snprintf(name, sizeof(name), "\n  %s=", h->params[p].name);
			assert_non_null(strstr(text, name));
			assert_non_null(strstr(text, h->params[p].help));
		}
		free(text);
	}
}

static void help_of_window_reads_like_this(void **unused)
{
	struct spht_error err;
	char *text = help("window:help", 1, &err);

	(void)unused;
	assert_string_equal(
		text,
		"window: the pages around a fault, inside its 2 MiB region\n"
		"\n"
		"Follows: Linux do_fault_around() (mm/memory.c) and KVM FNAME(pte_prefetch) "
		"(arch/x86/kvm/mmu/paging_tmpl.h)\n"
		"\n"
		"  size=16\n"
		"      int: 2..512 pages, a power of two\n"
		"      default 16: Linux fault_around_bytes, 64 KiB (8 is KVM's "
		"PTE_PREFETCH_NUM)\n"
		"  align=1\n"
		"      bool: 0 or 1\n"
		"      1: the aligned window around the fault, as both kernels do (default); "
		"0: the size-1 pages after it\n"
		"  on=hidden\n"
		"      choice: hidden|guest|both\n"
		"      faults that train and trigger: hidden (with huge and ad), guest or both; "
		"default hidden: the shadow table's own misses\n");
	free(text);
	text = help("none:help", 1, &err);
	assert_non_null(strstr(text, "No parameters.\n"));
	free(text);
}

static void text_that_asks_for_no_help_gets_none(void **unused)
{
	static const char *const texts[] = {"none", "stride:degree=2", "", ":", "helpme", "help:"};
	struct spht_error err;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *text = help(texts[i], 0, &err);

		assert_string_equal(text, "");
		free(text);
	}
}

static void help_of_an_unknown_heuristic_is_an_error(void **unused)
{
	struct spht_error err;
	char *text = help("strid:help", -1, &err);

	(void)unused;
	assert_non_null(strstr(err.text, "there is no heuristic 'strid'; did you mean 'stride'?"));
	assert_string_equal(text, "");
	free(text);
}

/* the table and the descriptors in it */

static void every_heuristic_in_the_table_is_valid(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		struct spht_error err;

		if (spht_spec_validate(spht_heuristics[i], &err))
			fail_msg("%s", err.text);
	}
}

static void table_is_sorted_by_name_and_names_are_file_names(void **unused)
{
	const char *top = getenv("TOP");
	struct dirent *entry;
	unsigned int files = 0;
	char path[4096];
	DIR *dir;

	(void)unused;
	for (unsigned int i = 1; i < spht_nr_heuristics; i++)
		assert_true(strcmp(spht_heuristics[i - 1]->name, spht_heuristics[i]->name) < 0);
	snprintf(path, sizeof(path), "%s/heuristics", top ? top : ".");
	dir = opendir(path);
	if (!dir)
		skip(); /* run from elsewhere */
	while ((entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');
		struct spht_error err;
		struct spht_spec spec;

		if (!dot || strcmp(dot, ".c"))
			continue;
		files++;
		snprintf(path, sizeof(path), "%.*s", (int)(dot - entry->d_name), entry->d_name);
		if (spht_spec_parse(&spec, path, &err))
			fail_msg("heuristics/%s: %s", entry->d_name, err.text);
	}
	closedir(dir);
	assert_int_equal(files, spht_nr_heuristics);
}

static const char *const two[] = {"one", "two", NULL};
static const char *const none[] = {NULL};
static const char *const bad[] = {"one", "t,wo", NULL};

/* @p with @q after it, in a heuristic x, is valid (NULL) or gets this message. */
static void check_table(struct spht_param p, const struct spht_param *q, const char *message)
{
	struct spht_param params[] = {p, q ? *q : p};
	SPHT_HEURISTIC(x, .name = "x", .summary = "s", .cite = "c", .params = params,
		       .nr_params = q ? 2 : 1);
	struct spht_error err = {{0}};

	assert_int_equal(spht_spec_validate(&spht_heuristic_x, &err), message ? -1 : 0);
	assert_string_equal(err.text, message ? message : "");
}

static void parameter_table_with_a_fault_is_refused(void **unused)
{
	static const char *const bad_names[] = {NULL, "", "A", "help", "a=b", "2a", "_a"};
	/* name, type, default, min, max, pow2, unit, choices, help */
	static const struct spht_param number = {"a", SPHT_PARAM_INT, 4,  1, 8, false,
						 "",  NULL,           "h"};
	static const struct spht_param flag = {"b", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL, "h"};
	static const struct spht_param choice = {"c", SPHT_PARAM_CHOICE, 1, 0, 1, false, "", two,
						 "h"};
	struct spht_param p;

	(void)unused;
	check_table(number, NULL, NULL);
	check_table(number, &flag, NULL);
	check_table(choice, &flag, NULL);
	check_table(number, &number, "x: parameter 2 (a) is declared twice");
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
		p = number;
		p.name = bad_names[i];
		check_table(
			p, NULL,
			"x: parameter 1 (?) is not a name: a-z, then a-z, 0-9 or _, and not help");
	}
#define REFUSED(message) \
	do { \
		check_table(p, NULL, "x: parameter 1 " message); \
		p = number; \
	} while (0)
	p = number;
	p.def = 9;
	REFUSED("(a) has a default outside its range");
	p.def = 0;
	REFUSED("(a) has a default outside its range");
	p.unit = NULL;
	REFUSED("(a) has no unit (\"\" where it has none)");
	p.help = "";
	REFUSED("(a) needs one line of help");
	p.help = "a\nb";
	REFUSED("(a) needs one line of help");
	p.type = (enum spht_param_type)9;
	REFUSED("(a) has an unknown type");
	p.pow2 = true;
	p.max = 9;
	REFUSED("(a) takes powers of two, but not all of its own figures are");
	p.pow2 = true;
	p.min = 0;
	REFUSED("(a) takes powers of two, but not all of its own figures are");
	p = flag;
	p.max = 2;
	REFUSED("(b) is a bool and must range from 0 to 1");
	p = choice;
	p.max = 2;
	REFUSED("(c) must range over its choices, from 0");
	p = choice;
	p.choices = NULL;
	REFUSED("(c) must range over its choices, from 0");
	p = choice;
	p.choices = none;
	REFUSED("(c) must range over its choices, from 0");
	p = choice;
	p.choices = bad;
	REFUSED("(c) has a choice whose name is not a-z, then a-z, 0-9 or _");
#undef REFUSED
}

static size_t size_zero(const int64_t *params)
{
	(void)params;
	return 0;
}

static void nop_init(void *state, const int64_t *params)
{
	(void)state;
	(void)params;
}

static void nop_outcome(void *state, const int64_t *params, const struct spht_outcome *outcome,
			struct spht_host *host)
{
	(void)state;
	(void)params;
	(void)outcome;
	(void)host;
}

static void nop_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		      struct spht_host *host)
{
	(void)state;
	(void)params;
	(void)fault;
	(void)host;
}

static bool nop_foresee(void *state, const int64_t *params, const struct spht_prospect *prospect)
{
	(void)state;
	(void)params;
	(void)prospect;
	return false;
}

static void nop_zapped(void *state, const int64_t *params, const struct spht_zap *zap,
		       struct spht_host *host)
{
	(void)state;
	(void)params;
	(void)zap;
	(void)host;
}

static void descriptor_with_a_fault_is_refused(void **unused)
{
	SPHT_HEURISTIC(good, .name = "x", .summary = "s", .cite = "c");
	struct spht_heuristic h = spht_heuristic_good;
	struct spht_error err;

	(void)unused;
#define REFUSED(part) \
	do { \
		assert_int_equal(spht_spec_validate(&h, &err), -1); \
		if (!strstr(err.text, part)) \
			fail_msg("no '%s' in '%s'", part, err.text); \
		h = spht_heuristic_good; \
	} while (0)
	assert_int_equal(spht_spec_validate(&h, &err), 0);
	h.abi++;
	REFUSED("compile it anew");
	/* what an older host reads of a newer heuristic may not be trusted at all */
	h.struct_size--;
	h.name = (const char *)1;
	REFUSED("compile it anew");
	h.name = NULL;
	REFUSED("the name must be");
	h.name = "help";
	REFUSED("the name must be");
	h.name = "a:b";
	REFUSED("the name must be");
	h.summary = NULL;
	REFUSED("x: summary and citation");
	h.cite = "a\nb";
	REFUSED("x: summary and citation");
	h.nr_params = 1;
	REFUSED("too many parameters, or no table");
	h.nr_params = SPHT_SPEC_MAX_PARAMS + 1;
	REFUSED("too many parameters, or no table");
	h.init = nop_init;
	REFUSED("init() without state_size()");
	h.outcome = nop_outcome;
	REFUSED("outcome() or zapped() without fault()");
	h.zapped = nop_zapped;
	REFUSED("outcome() or zapped() without fault()");
	h.fault = nop_fault;
	h.foresee = nop_foresee;
	REFUSED("foresee() beside fault()");
	h.init = nop_init;
	h.state_size = size_zero;
	assert_int_equal(spht_spec_validate(&h, &err), 0);
}

static int run_generator(const char *args, char *out, size_t size)
{
	const char *top = getenv("TOP");
	char command[4096];
	size_t n;
	FILE *p;

	snprintf(command, sizeof(command), "exec '%s/scripts/gen-heuristics' %s 2>&1",
		 top ? top : ".", args);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(out, 1, size - 1, p);
	out[n] = '\0';
	return pclose(p);
}

static void generated_table_does_not_depend_on_the_order_of_the_files(void **unused)
{
	char one[4096], other[4096];

	(void)unused;
	if (run_generator("heuristics/a_b.c heuristics/ab.c heuristics/b2.c", one, sizeof(one)))
		skip(); /* run from elsewhere */
	assert_int_equal(run_generator("b2.c x/ab.c a_b.c", other, sizeof(other)), 0);
	assert_string_equal(one, other);
	assert_non_null(strstr(one, "\t&spht_heuristic_a_b,\n\t&spht_heuristic_ab,\n"
				    "\t&spht_heuristic_b2,\n};\n"));
	assert_non_null(strstr(one, "extern const struct spht_heuristic spht_heuristic_b2;\n"));
	assert_int_not_equal(run_generator("heuristics/a-b.c", other, sizeof(other)), 0);
	assert_int_not_equal(run_generator("heuristics/heuristic.h", other, sizeof(other)), 0);
	assert_int_not_equal(run_generator("'heuristics/*.c'", other, sizeof(other)), 0);
	assert_int_not_equal(run_generator("", other, sizeof(other)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_alone_gives_every_default),
		cmocka_unit_test(parameters_are_taken_in_any_order_and_printed_in_one),
		cmocka_unit_test(bounds_of_a_range_belong_to_it),
		cmocka_unit_test(what_is_printed_can_be_given_back),
		cmocka_unit_test(printing_into_a_short_buffer_cuts_and_tells_the_length),
		cmocka_unit_test(unknown_heuristic_is_told_with_every_valid_name),
		cmocka_unit_test(unknown_parameter_is_told_with_every_valid_name),
		cmocka_unit_test(value_outside_its_range_is_told_with_the_range),
		cmocka_unit_test(value_of_the_wrong_kind_is_told_with_what_is_valid),
		cmocka_unit_test(parameter_given_twice_is_refused),
		cmocka_unit_test(message_stays_one_short_line_whatever_is_given),
		cmocka_unit_test(help_lists_every_heuristic_with_its_summary),
		cmocka_unit_test(help_of_a_heuristic_tells_each_parameter_and_the_citation),
		cmocka_unit_test(help_of_window_reads_like_this),
		cmocka_unit_test(text_that_asks_for_no_help_gets_none),
		cmocka_unit_test(help_of_an_unknown_heuristic_is_an_error),
		cmocka_unit_test(every_heuristic_in_the_table_is_valid),
		cmocka_unit_test(table_is_sorted_by_name_and_names_are_file_names),
		cmocka_unit_test(parameter_table_with_a_fault_is_refused),
		cmocka_unit_test(descriptor_with_a_fault_is_refused),
		cmocka_unit_test(generated_table_does_not_depend_on_the_order_of_the_files),
	};

	return cmocka_run_group_tests_name("heuristic spec", tests, NULL, NULL);
}
