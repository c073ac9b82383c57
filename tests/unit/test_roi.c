// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Regions of interest: which marks make one, and that what-ifs of regions side
 * by side add up to that of the whole.
 */
#include "replay/kvmstats.h"
#include "replay/roi.h"
#include "what_if.h"

static const struct spht_event_type pio_type = {
	.id = SPHT_EV_PIO,
	.have = 1u << SPHT_PIO_RW | 1u << SPHT_PIO_PORT | 1u << SPHT_PIO_SIZE |
		1u << SPHT_PIO_COUNT | 1u << SPHT_PIO_VAL,
};

static void mark(struct spht_roi *roi, uint64_t ts, uint32_t value)
{
	struct spht_event e = {.id = SPHT_EV_PIO, .ts = ts};

	e.v[SPHT_PIO_RW] = 1;
	e.v[SPHT_PIO_PORT] = SPHT_MARK_PORT;
	e.v[SPHT_PIO_SIZE] = 4;
	e.v[SPHT_PIO_COUNT] = 1;
	e.v[SPHT_PIO_VAL] = value;
	spht_roi_event(roi, &pio_type, &e);
}

static json_t *header(const char *text)
{
	json_t *h = json_loads(text, 0, NULL);

	assert_non_null(h);
	return h;
}

#define NAMES \
	"{\"marks\": {\"names\": {\"0x1\": \"boot\", \"0x02\": \"make\", \"3\": \"a..b\", " \
	"\"x\": \"y\", \"0x4\": 4}}}"

/* Boot, make, boot, a..b, make at 100, 200, ...: from and to of the region @text. */
static int find(const char *text, uint64_t *from, uint64_t *to)
{
	static const uint32_t marks[] = {1, 2, 1, 3, 2};
	json_t *h = header(NAMES);
	struct spht_error err;
	struct spht_roi roi;
	int ret;

	assert_int_equal(spht_roi_open(&roi, text, h, &err), 0);
	json_decref(h);
	assert_false(spht_roi_has(&roi, 100) && roi.has_first);
	for (unsigned int i = 0; i < ARRAY_SIZE(marks); i++)
		mark(&roi, 100 * (i + 1), marks[i]);
	ret = spht_roi_finish(&roi, &err);
	*from = roi.from;
	*to = roi.to;
	spht_roi_close(&roi);
	return ret;
}

static void assert_region(const char *text, uint64_t from, uint64_t to)
{
	uint64_t f, t;

	assert_int_equal(find(text, &f, &t), 0);
	assert_int_equal(f, from);
	assert_int_equal(t, to);
}

static void region_is_from_the_first_mark_to_the_first_one_after_it(void **unused)
{
	(void)unused;
	assert_region("boot..make", 100, 200);
	assert_region("1..0x2", 100, 200);
	assert_region("make..boot", 200, 300);
	assert_region("make..make", 200, 500);
	assert_region("boot..", 100, UINT64_MAX);
	assert_region("..make", 0, 200);
}

static void names_may_have_dots_in_them(void **unused)
{
	(void)unused;
	assert_region("a..b..make", 400, 500);
	assert_region("make..a..b", 200, 400);
	assert_region("a..b..", 400, UINT64_MAX);
}

static void marks_that_are_not_there_make_no_region(void **unused)
{
	uint64_t from, to;

	(void)unused;
	assert_int_equal(find("a..b..boot", &from, &to), -1);
	assert_int_equal(find("9..", &from, &to), -1);
	assert_int_equal(find("..9", &from, &to), -1);
	assert_int_equal(find("nobody..make", &from, &to), -1);
	assert_false(spht_roi_valid(".."));
	assert_false(spht_roi_valid("boot"));
	assert_false(spht_roi_valid(""));
	assert_true(spht_roi_valid("1.."));
}

static void without_a_region_everything_counts(void **unused)
{
	struct spht_error err;
	struct spht_roi roi;

	(void)unused;
	assert_int_equal(spht_roi_open(&roi, NULL, NULL, &err), 0);
	mark(&roi, 100, 1);
	assert_true(spht_roi_has(&roi, 0));
	assert_true(spht_roi_has(&roi, UINT64_MAX - 1));
	assert_int_equal(spht_roi_finish(&roi, &err), 0);
	spht_roi_close(&roi);
}

/* Marks 1, 2, 1, 3, 2 at 100 s, 200 s, ... of a recording from 50 s to 1050 s. */
static int warm(const char *region, const char *warmup, uint64_t *from, struct spht_error *err)
{
	static const uint32_t marks[] = {1, 2, 1, 3, 2};
	const uint64_t second = 1000000000;
	json_t *h = header(NAMES);
	struct spht_roi roi;
	int ret;

	assert_true(spht_warmup_valid(warmup));
	assert_int_equal(spht_roi_open(&roi, region, h, err), 0);
	ret = spht_roi_warmup(&roi, warmup, h, 50 * second, 1050 * second, err);
	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(marks); i++) {
		/* What is not known yet does not count. */
		if (roi.has_warm_mark && !roi.met_warm_mark)
			assert_false(spht_roi_has(&roi, 100 * second * (i + 1)));
		mark(&roi, 100 * second * (i + 1), marks[i]);
	}
	ret = ret ? ret : spht_roi_finish(&roi, err);
	*from = roi.from / 1000000;
	assert_true(spht_roi_given(&roi));
	spht_roi_close(&roi);
	json_decref(h);
	return ret;
}

static void assert_warm(const char *region, const char *warmup, uint64_t from_ms)
{
	struct spht_error err;
	uint64_t from;

	if (warm(region, warmup, &from, &err))
		fail_msg("%s", err.text);
	assert_int_equal(from, from_ms);
}

static void warm_up_ends_after_seconds_or_a_share_or_at_a_mark(void **unused)
{
	(void)unused;
	assert_warm(NULL, "0", 50000);
	assert_warm(NULL, "30", 80000);
	assert_warm(NULL, "1.5", 51500);
	assert_warm(NULL, "1000", 1050000);
	assert_warm(NULL, "10%", 150000);
	assert_warm(NULL, "99.9%", 1049000);
	assert_warm(NULL, "make", 200000);
	assert_warm(NULL, "0x2", 200000);
	assert_warm(NULL, "a..b", 400000);
}

static void what_counts_is_in_the_region_and_after_the_warm_up(void **unused)
{
	(void)unused;
	assert_warm("make..a..b", "30", 200000);
	assert_warm("make..a..b", "200", 250000);
	assert_warm("boot..a..b", "make", 200000);
	assert_warm("make..", "boot", 200000);
	assert_warm("..make", "60", 110000);
}

static void warm_up_that_leaves_nothing_is_refused(void **unused)
{
	static const struct {
		const char *region, *warmup, *why;
	} cases[] = {
		{NULL, "1000.1", "--warmup=1000.1: the recording is only 1000.000 s long"},
		{"boot..make", "500", "--warmup=500 ends where --roi=boot..make is over"},
		{"boot..make", "make", "--warmup=make ends where --roi=boot..make is over"},
		{NULL, "0x9", "--warmup=0x9: no mark 0x9; there are 0x1 (boot), 0x2 (make)"},
		{NULL, "nobody", "--warmup=nobody: no such marks; there are 0x1 (boot)"},
	};
	struct spht_error err;
	uint64_t from;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(warm(cases[i].region, cases[i].warmup, &from, &err), -1);
		if (strncmp(err.text, cases[i].why, strlen(cases[i].why)))
			fail_msg("'%s' instead of '%s'", err.text, cases[i].why);
	}
}

static void port_of_marks_is_the_headers(void **unused)
{
	static const struct {
		const char *header;
		uint32_t port;
	} cases[] = {
		{"{}", 0x5f0},
		{"{\"marks\": {}}", 0x5f0},
		{"{\"marks\": 7}", 0x5f0},
		{"{\"marks\": {\"port\": \"0x80\"}}", 0x80},
		{"{\"marks\": {\"port\": 233}}", 0xe9},
		{"{\"marks\": {\"port\": \"0x10000\"}}", SPHT_MARK_NO_PORT},
		{"{\"marks\": {\"port\": -1}}", SPHT_MARK_NO_PORT},
		{"{\"marks\": {\"port\": \"com1\"}}", SPHT_MARK_NO_PORT},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *h = header(cases[i].header);
		struct spht_marks *m = spht_marks_open(h);

		assert_non_null(m);
		assert_int_equal(spht_marks_port(m), cases[i].port);
		spht_marks_close(m);
		json_decref(h);
	}
}

/* Regions side by side */

/* All but what is of regions alone, or of the whole run. */
static void add(struct spht_account *sum, const struct spht_account *a)
{
	uint64_t *s = (uint64_t *)sum;
	const uint64_t *v = (const uint64_t *)a;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*v); i++)
		s[i] += v[i];
	sum->used_carry = sum->divergence = 0;
}

static void regions_side_by_side_have_what_the_whole_has(void **unused)
{
	static const char *const heuristics[] = {
		"none",   "window:size=16", "stride:on=both,degree=16",
		"oracle", "prefault",       "nextline:degree=8,on=both"};
	uint64_t carried = 0;

	(void)unused;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct rig r;
		struct sim *sim = simulate_held(&r, 8, 1 + seed % 2, seed, seed & 2, -1, 20);
		struct whatif w = whatif_of(&r, 8);
		uint64_t cuts[] = {0, 0, 0, UINT64_MAX};
		struct spht_chunk chunk;

		first_chunk(&r, &chunk);
		cuts[1] = chunk.steps[chunk.nr / 3].t_exit;
		cuts[2] = chunk.steps[chunk.nr / 2].t_exit;
		spht_chunk_close(&chunk);

		w.helper_prefetch = seed & 1;
		w.legality = SPHT_LEGAL_PRESENT;
		for (unsigned int i = 0; i < ARRAY_SIZE(heuristics) * SPHT_WORLD_NR; i++) {
			const char *name = heuristics[i / SPHT_WORLD_NR];
			enum spht_world world = i % SPHT_WORLD_NR;
			struct spht_account whole, sum;

			w.from = w.to = 0;
			whole = run(&w, name, world);
			assert_int_equal(whole.used_carry, 0);
			whole.divergence = 0;
			memset(&sum, 0, sizeof(sum));
			for (unsigned int k = 0; k < 3; k++) {
				struct spht_account a;

				w.from = cuts[k];
				w.to = cuts[k + 1];
				a = run(&w, name, world);
				carried += a.used_carry;
				add(&sum, &a);
			}
			assert_memory_equal(&sum, &whole, sizeof(sum));
		}
		free(sim);
		rig_close(&r);
	}
	assert_true(carried > 10);
}

/* KVM's own counters */

static void assert_rise(const char *head, const char *foot, bool known, uint64_t rise)
{
	json_t *h = header(head), *f = foot ? header(foot) : NULL;
	uint64_t got = 0;

	assert_int_equal(spht_kvmstats_rise(h, f, "pf_taken", &got), known);
	if (known)
		assert_int_equal(got, rise);
	json_decref(h);
	json_decref(f);
}

static void counters_are_taken_from_where_the_recorder_put_them(void **unused)
{
	(void)unused;
	assert_rise("{}", NULL, false, 0);
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"pf_taken\": 5}}}}", NULL, false, 0);
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"pf_taken\": 5},"
		    "\"after\": {\"pf_taken\": \"0x10\"}}}}",
		    NULL, true, 11);
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"pf_taken\": 5}}}}",
		    "{\"kvm_stats\": {\"after\": {\"pf_taken\": 7}}}", true, 2);
	assert_rise(
		"{\"kvm\": {\"stats\": {\"before\": {\"vcpu0/pf_taken\": 1, \"vcpu1/pf_taken\": 2,"
		"\"vcpu0/exits\": 9}}}}",
		"{\"kvm_stats\": {\"after\": {\"vcpu0/pf_taken\": 4, \"vcpu1/pf_taken\": 8}}}",
		true, 9);
	/* The one VM's, also where it was made during the recording, before all VMs'. */
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"global\": {\"pf_taken\": 50}, \"vms\": "
		    "{}}}}}",
		    "{\"kvm_stats\": {\"after\": {\"global\": {\"pf_taken\": 90},"
		    "\"vms\": {\"12-3\": {\"pf_taken\": 30}}}}}",
		    true, 30);
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"global\": {\"pf_taken\": 50}}}}}",
		    "{\"kvm_stats\": {\"after\": {\"global\": {\"pf_taken\": 90}}}}", true, 40);
	/* Which VM's is not known; a counter that fell. */
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"global\": {\"pf_taken\": 50}, \"vms\": "
		    "{}}}}}",
		    "{\"kvm_stats\": {\"after\": {\"global\": {\"pf_taken\": 90},"
		    "\"vms\": {\"1-3\": {\"pf_taken\": 3}, \"2-3\": {\"pf_taken\": 4}}}}}",
		    false, 0);
	assert_rise("{\"kvm\": {\"stats\": {\"before\": {\"pf_taken\": 5},"
		    "\"after\": {\"pf_taken\": 4}}}}",
		    NULL, false, 0);
	assert_rise("{\"kvm\": {\"stats\": {\"before\": [], \"after\": 3}}}", NULL, false, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(region_is_from_the_first_mark_to_the_first_one_after_it),
		cmocka_unit_test(names_may_have_dots_in_them),
		cmocka_unit_test(marks_that_are_not_there_make_no_region),
		cmocka_unit_test(without_a_region_everything_counts),
		cmocka_unit_test(warm_up_ends_after_seconds_or_a_share_or_at_a_mark),
		cmocka_unit_test(what_counts_is_in_the_region_and_after_the_warm_up),
		cmocka_unit_test(warm_up_that_leaves_nothing_is_refused),
		cmocka_unit_test(port_of_marks_is_the_headers),
		cmocka_unit_test(regions_side_by_side_have_what_the_whole_has),
		cmocka_unit_test(counters_are_taken_from_where_the_recorder_put_them),
	};

	return cmocka_run_group_tests_name("roi", tests, NULL, NULL);
}
