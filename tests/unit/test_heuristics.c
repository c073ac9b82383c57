// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the heuristics ask for.  The tables are worked out by hand from the
 * definition that each heuristic cites, never taken from its output.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/heuristic_spec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TOP           ((UINT64_C(1) << 36) - 1) /* the highest page */
#define HALF          (UINT64_C(1) << 35) /* the first page of the upper half */
#define GUARD         64

struct request {
	uint64_t space, vpn;
};

/* One copy of a heuristic, and all it has asked for. */
struct rig {
	struct spht_host host; /* first: the hook gets a pointer to it */
	struct spht_spec spec;
	void *state;
	size_t state_size;
	struct request *log;
	size_t n, room;
};

static void rig_request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct rig *rig = (struct rig *)host;

	if (rig->n == rig->room) {
		rig->room = rig->room ? 2 * rig->room : 1024;
		rig->log = realloc(rig->log, rig->room * sizeof(*rig->log));
		assert_non_null(rig->log);
	}
	rig->log[rig->n++] = (struct request){space, vpn};
}

/* @guard: bytes after the state that must stay as they are. */
static void rig_open_guarded(struct rig *rig, const struct spht_spec *spec, size_t guard)
{
	*rig = (struct rig){.host = {rig_request}, .spec = *spec};
	if (spec->h->state_size)
		rig->state_size = spec->h->state_size(spec->params);
	if (rig->state_size + guard) {
		rig->state = malloc(rig->state_size + guard);
		assert_non_null(rig->state);
		memset(rig->state, 0, rig->state_size);
		memset((char *)rig->state + rig->state_size, 0xa5, guard);
	}
	if (spec->h->init)
		spec->h->init(rig->state, rig->spec.params);
}

static void rig_open(struct rig *rig, const char *text)
{
	struct spht_error err = {{0}};
	struct spht_spec spec;

	if (spht_spec_parse(&spec, text, &err))
		fail_msg("%s: %s", text, err.text);
	rig_open_guarded(rig, &spec, 0);
}

static void rig_close(struct rig *rig)
{
	free(rig->state);
	free(rig->log);
}

static void rig_feed(struct rig *rig, const struct spht_fault *fault)
{
	if (rig->spec.h->fault)
		rig->spec.h->fault(rig->state, rig->spec.params, fault, &rig->host);
}

/* A fault, and the pages asked for in answer to it as "A B C". */
static const char *ask(struct rig *rig, uint8_t cls, uint64_t space, uint64_t vpn)
{
	static char text[16384];
	struct spht_fault fault = {.space = space, .vpn = vpn, .cls = cls};
	size_t len = 0;

	rig->n = 0;
	rig_feed(rig, &fault);
	text[0] = '\0';
	for (size_t i = 0; i < rig->n; i++) {
		assert_int_equal(rig->log[i].space, space);
		len += snprintf(text + len, sizeof(text) - len, "%s%" PRIu64, i ? " " : "",
				rig->log[i].vpn);
		assert_true(len < sizeof(text));
	}
	return text;
}

struct step {
	uint64_t vpn;
	const char *asked;
};

static void check_steps(const char *text, uint8_t cls, const struct step *steps, size_t n)
{
	struct rig rig;

	rig_open(&rig, text);
	for (size_t i = 0; i < n; i++) {
		const char *asked = ask(&rig, cls, 7, steps[i].vpn);

		if (strcmp(asked, steps[i].asked))
			fail_msg("%s: fault %zu, page %" PRIu64 ": asked for '%s', not '%s'", text,
				 i + 1, steps[i].vpn, asked, steps[i].asked);
	}
	rig_close(&rig);
}

#define CHECK(text, cls, ...) \
	do { \
		static const struct step steps[] = {__VA_ARGS__}; \
		check_steps(text, cls, steps, ARRAY_SIZE(steps)); \
	} while (0)
#define HIDDEN(text, ...) CHECK(text, SPHT_FAULT_HIDDEN, __VA_ARGS__)
#define GUEST(text, ...)  CHECK(text, SPHT_FAULT_GUEST, __VA_ARGS__)

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
		struct spht_prospect p = {1, 100, rows[i].buildable, rows[i].loss};

		assert_int_equal(rig.spec.h->foresee(rig.state, rig.spec.params, &p),
				 rows[i].build);
	}
	assert_null(rig.spec.h->fault);
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

/*
 * stride: in the comments c is the confidence after the fault.  It starts at 4
 * of 7; 4 is the least that is 50 % of 7 (3.5).
 */

static void stride_is_asked_for_once_it_was_seen_twice(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, /* entry, c 4 */
	       {101, ""}, /* learns 1, c 3 */
	       {102, "103 104 105 106"}, /* c 4 */
	       {103, "104 105 106 107"}); /* c 5 */
}

static void stride_works_for_steps_of_minus_four_to_four(void **unused)
{
	(void)unused;
	HIDDEN("stride", {256, ""}, {252, ""}, {248, "244 240 236 232"});
	HIDDEN("stride", {256, ""}, {253, ""}, {250, "247 244 241 238"});
	HIDDEN("stride", {256, ""}, {254, ""}, {252, "250 248 246 244"});
	HIDDEN("stride", {256, ""}, {255, ""}, {254, "253 252 251 250"});
	HIDDEN("stride", {256, ""}, {256, ""}, {256, ""}, {256, ""});
	HIDDEN("stride", {256, ""}, {257, ""}, {258, "259 260 261 262"});
	HIDDEN("stride", {256, ""}, {258, ""}, {260, "262 264 266 268"});
	HIDDEN("stride", {256, ""}, {259, ""}, {262, "265 268 271 274"});
	HIDDEN("stride", {256, ""}, {260, ""}, {264, "268 272 276 280"});
}

static void stride_without_a_repeated_step_asks_for_nothing(void **unused)
{
	(void)unused;
	/* steps 1 2 3 4 5 -5 -4 */
	HIDDEN("stride", {100, ""}, {101, ""}, {103, ""}, {106, ""}, {110, ""}, {115, ""},
	       {110, ""}, {106, ""});
}

static void refault_on_the_same_page_neither_trains_nor_resets_a_stride(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, {100, ""}, {101, ""}, {101, ""}, {101, ""},
	       {102, "103 104 105 106"}, {102, ""}, {103, "104 105 106 107"});
}

static void page_zero_and_step_minus_one_are_no_sentinels(void **unused)
{
	(void)unused;
	HIDDEN("stride", {0, ""}, {1, ""}, {2, "3 4 5 6"});
	HIDDEN("stride", {3, ""}, {2, ""}, {1, "0"}, {0, ""});
	/* leaving a descending run resets it as it does any other */
	HIDDEN("stride", {300, ""}, {299, ""}, {298, "297 296 295 294"}, /* c 4, step -1 */
	       {310, ""}, /* c 3, learns 12 */
	       {309, ""}, /* c 2, learns -1 */
	       {308, ""}, /* c 3 */
	       {307, "306 305 304 303"}); /* c 4 */
}

static void well_trained_stride_survives_three_jumps_and_not_a_fourth(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, {101, ""}, /* c 3 */
	       {102, "103 104 105 106"}, /* c 4 */
	       {103, "104 105 106 107"}, /* c 5 */
	       {104, "105 106 107 108"}, /* c 6 */
	       {105, "106 107 108 109"}, /* c 7 */
	       {106, "107 108 109 110"}, /* c 7, saturated */
	       {200, ""}, /* c 6, keeps 1 */
	       {201, "202 203 204 205"}, /* c 7 */
	       {300, ""}, /* c 6 */
	       {310, ""}, /* c 5 */
	       {320, ""}, /* c 4 */
	       {330, ""}, /* c 3, learns 10 */
	       {340, "350 360 370 380"}); /* c 4 */
}

static void stride_goes_on_past_the_pages_that_it_asked_for(void **unused)
{
	(void)unused;
	/* 103..106 built in time: the next fault is on 107, five steps on */
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, {107, "108 109 110 111"},
	       {112, "113 114 115 116"}, {114, "115 116 117 118"});
	HIDDEN("stride", {300, ""}, {298, ""}, {296, "294 292 290 288"}, {286, "284 282 280 278"});
	/* six steps on, an odd distance, back: none of these goes on; c 3, learns 6, 5, -3 */
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, {108, ""},
	       {114, "120 126 132 138"});
	HIDDEN("stride", {100, ""}, {102, ""}, {104, "106 108 110 112"}, {109, ""},
	       {114, "119 124 129 134"});
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, {99, ""},
	       {96, "93 90 87 84"});
	/* nothing was asked for at 101, so 103 is a step of 2 like any other */
	HIDDEN("stride", {100, ""}, {101, ""}, {103, ""});
	/* the reach grows with degree and distance: 1 + 3 + 2 steps */
	HIDDEN("stride:degree=2,distance=3", {100, ""}, {101, ""}, {102, "106 107"},
	       {108, "112 113"}, {115, ""});
}

static void jump_ends_what_a_stride_may_go_past(void **unused)
{
	(void)unused;
	HIDDEN("stride", {100, ""}, {101, ""}, {102, "103 104 105 106"}, /* c 4 */
	       {103, "104 105 106 107"}, /* c 5 */
	       {200, ""}, /* c 4, keeps 1, has asked for nothing */
	       {203, ""}, /* so 201 and 202 explain nothing: c 3, learns 3 */
	       {206, "209 212 215 218"}); /* c 4 */
}

static void stride_told_not_to_follow_takes_single_steps_only(void **unused)
{
	(void)unused;
	HIDDEN("stride:follow=0", {100, ""}, {101, ""}, {102, "103 104 105 106"}, /* c 4 */
	       {107, ""}, /* c 3, learns 5 */
	       {112, "117 122 127 132"}); /* c 4 */
}

static void degree_and_distance_of_a_stride_say_how_many_and_from_where(void **unused)
{
	(void)unused;
	HIDDEN("stride:degree=1", {100, ""}, {101, ""}, {102, "103"});
	HIDDEN("stride:degree=6", {100, ""}, {102, ""}, {104, "106 108 110 112 114 116"});
	HIDDEN("stride:distance=2", {100, ""}, {101, ""}, {102, "105 106 107 108"});
	HIDDEN("stride:distance=1,degree=2", {100, ""}, {97, ""}, {94, "88 85"});
}

static void stride_stays_in_its_region_unless_told_to_cross(void **unused)
{
	(void)unused;
	HIDDEN("stride", {508, ""}, {509, ""}, {510, "511"}, {511, ""});
	HIDDEN("stride", {514, ""}, {513, ""}, {512, ""});
	HIDDEN("stride:cross=1", {508, ""}, {509, ""}, {510, "511 512 513 514"});
	HIDDEN("stride:cross=1", {514, ""}, {513, ""}, {512, "511 510 509 508"});
	/* a region of its own is trained on its own */
	HIDDEN("stride:cross=1", {509, ""}, {510, ""}, {511, "512 513 514 515"}, {516, ""},
	       {517, ""}, {518, "519 520 521 522"});
}

static void stride_never_leaves_the_canonical_half(void **unused)
{
	(void)unused;
	HIDDEN("stride:cross=1", {2, ""}, {1, ""}, {0, ""});
	HIDDEN("stride:cross=1", {4, ""}, {3, ""}, {2, "1 0"});
	HIDDEN("stride:cross=1", {TOP - 2, ""}, {TOP - 1, ""}, {TOP, ""});
	HIDDEN("stride:cross=1", {TOP - 4, ""}, {TOP - 3, ""},
	       {TOP - 2, "68719476734 68719476735"});
	HIDDEN("stride:cross=1", {HALF - 4, ""}, {HALF - 3, ""}, {HALF - 2, "34359738367"});
	HIDDEN("stride:cross=1", {HALF + 3, ""}, {HALF + 2, ""}, {HALF + 1, "34359738368"});
}

static void confidence_of_a_stride_obeys_its_two_parameters(void **unused)
{
	(void)unused;
	/* starts at 1, the threshold is 1: one jump is enough to learn anew */
	HIDDEN("stride:conf_max=1", {100, ""}, {101, ""}, {102, "103 104 105 106"},
	       {103, "104 105 106 107"}, {200, ""}, {201, ""}, {202, "203 204 205 206"});
	/* all 7 of 7: c 4 3 4 5 6 7 */
	HIDDEN("stride:conf_threshold_pct=100", {100, ""}, {101, ""}, {102, ""}, {103, ""},
	       {104, ""}, {105, "106 107 108 109"});
	/* 3 is 42.9 % of 7: the first step is learned at c 3 and kept over a jump to c 3 */
	HIDDEN("stride:conf_threshold_pct=42", {100, ""}, {101, ""}, {102, "103 104 105 106"},
	       {200, ""}, {201, "202 203 204 205"});
	/* whatever the threshold, a step seen once is not used */
	HIDDEN("stride:conf_threshold_pct=1", {100, ""}, {101, ""}, {103, ""}, {106, ""});
}

static void step_beyond_the_longest_is_not_learned(void **unused)
{
	(void)unused;
	HIDDEN("stride:max_stride_pages=2", {100, ""}, {103, ""}, {106, ""}, {109, ""}, {112, ""});
	HIDDEN("stride:max_stride_pages=2", {200, ""}, {197, ""}, {194, ""}, {191, ""});
	HIDDEN("stride:max_stride_pages=2", {100, ""}, {102, ""}, {104, "106 108 110 112"});
	HIDDEN("stride:max_stride_pages=2", {100, ""}, {101, ""}, /* c 3, learns 1 */
	       {110, ""}, /* c 2, forgets it */
	       {111, ""}, /* c 1, learns 1 */
	       {112, ""}, {113, ""}, /* c 3 */
	       {114, "115 116 117 118"}); /* c 4 */
}

static void full_set_of_the_stride_table_loses_its_least_recently_used(void **unused)
{
	(void)unused;
	/* one set of two; regions begin at 0, 512 and 1024 */
	HIDDEN("stride:entries=2,ways=2", {0, ""}, {512, ""}, {1, ""}, /* region 0 is the newer */
	       {1024, ""}, /* drops region 1 */
	       {2, "3 4 5 6"}, {513, ""}, /* drops region 2, a new entry */
	       {514, ""}, {515, "516 517 518 519"}, {3, "4 5 6 7"}, {1025, ""}, {1026, ""});
	/* a refault on the same page is a use too */
	HIDDEN("stride:entries=2,ways=2", {0, ""}, {1, ""}, {512, ""}, {1, ""}, {1024, ""},
	       {2, "3 4 5 6"});
}

static void regions_of_one_set_share_its_ways_only(void **unused)
{
	(void)unused;
	/* four sets of one: region 4, at 2048, falls on region 0; region 1, at 512, beside it */
	HIDDEN("stride:entries=4,ways=1", {0, ""}, {1, ""}, {2048, ""}, {2, ""});
	HIDDEN("stride:entries=4,ways=1", {0, ""}, {1, ""}, {512, ""}, {2, "3 4 5 6"});
	HIDDEN("stride:entries=4,ways=4", {0, ""}, {1, ""}, {2048, ""}, {2, "3 4 5 6"});
	/* more ways than entries: all of them */
	HIDDEN("stride:entries=2,ways=64", {0, ""}, {1, ""}, {2048, ""}, {2, "3 4 5 6"});
}

static void strides_of_two_address_spaces_are_learned_apart(void **unused)
{
	/* the same pages, in one set; space 0 and page 0 are like any other */
	static const struct {
		uint64_t space, vpn;
		const char *asked;
	} rows[] = {
		{0, 100, ""},
		{1, 100, ""},
		{0, 101, ""},
		{1, 98, ""},
		{0, 102, "103 104 105 106"},
		{1, 96, "94 92 90 88"},
		{2, 100, ""},
		{0, 103, "104 105 106 107"},
	};
	struct rig rig;

	(void)unused;
	rig_open(&rig, "stride:entries=8,ways=8");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, rows[i].space, rows[i].vpn),
				    rows[i].asked);
	rig_close(&rig);
}

static void closed_form_stride_leaves_one_fault_in_five_of_a_run(void **unused)
{
	/*
	 * Entries built at once, 500 pages touched in order from page 0: faults
	 * on 0, 1, 2, then on 7, 12, ..., 497, that is 3 + 99.
	 */
	bool present[SPHT_REGION_PAGES] = {false};
	unsigned int faults = 0;
	struct rig rig;

	(void)unused;
	rig_open(&rig, "stride");
	for (uint64_t vpn = 0; vpn < 500; vpn++) {
		if (present[vpn])
			continue;
		faults++;
		ask(&rig, SPHT_FAULT_HIDDEN, 1, vpn);
		for (size_t i = 0; i < rig.n; i++)
			present[rig.log[i].vpn] = true;
	}
	assert_int_equal(faults, 102);
	rig_close(&rig);
}

/* What holds for every heuristic in the folder, shown on a long mixed stream. */

#define STREAM 6000

struct stream {
	struct spht_fault faults[STREAM];
	size_t n;
};

static uint64_t rnd(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

/* Four walks interleaved, with changing steps, jumps, refaults and classes. */
static void make_stream(struct stream *s, uint64_t seed, uint64_t space, unsigned int spaces,
			unsigned int regions)
{
	static const uint64_t bases[] = {0, 512 * 300, HALF - 512, HALF, TOP - 511};
	struct spht_fault walk[4] = {{0}};
	bool walking[4] = {false};
	int64_t step[4] = {0};

	for (s->n = 0; s->n < STREAM; s->n++) {
		unsigned int w = rnd(&seed) % 4;
		unsigned int dice = rnd(&seed) % 32;

		if (dice == 0 || !walking[w]) {
			walking[w] = true;
			walk[w].space = space + rnd(&seed) % spaces;
			walk[w].vpn = bases[rnd(&seed) % ARRAY_SIZE(bases)];
			if (regions)
				walk[w].vpn = rnd(&seed) % (regions * SPHT_REGION_PAGES);
			else if (walk[w].vpn == bases[1])
				walk[w].vpn += rnd(&seed) % (200 * SPHT_REGION_PAGES);
			else
				walk[w].vpn += rnd(&seed) % SPHT_REGION_PAGES;
			step[w] = (int64_t)(rnd(&seed) % 17) - 8;
		}
		if (dice == 1)
			walk[w].cls = rnd(&seed) % (SPHT_FAULT_OTHER + 1);
		if (dice > 2)
			walk[w].vpn += step[w];
		if (dice == 2)
			walk[w].vpn ^= rnd(&seed) % 256;
		walk[w].vpn &= regions ? regions * SPHT_REGION_PAGES - 1 : TOP;
		walk[w].time_ns = s->n;
		s->faults[s->n] = walk[w];
	}
}

static void feed(struct rig *rig, const struct stream *s)
{
	for (size_t i = 0; i < s->n; i++)
		rig_feed(rig, &s->faults[i]);
}

static bool same_log(const struct rig *a, const struct rig *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->log, b->log, a->n * sizeof(*a->log)));
}

/* Calls @fn for the defaults of @h and with each parameter at some other values. */
static void for_settings(const struct spht_heuristic *h,
			 void (*fn)(const struct spht_spec *spec, int changed, void *arg),
			 void *arg)
{
	struct spht_error err;
	struct spht_spec spec;

	assert_int_equal(spht_spec_parse(&spec, h->name, &err), 0);
	fn(&spec, -1, arg);
	for (unsigned int i = 0; i < h->nr_params; i++) {
		const struct spht_param *p = &h->params[i];
		const int64_t values[] = {p->min,     p->max,     p->def - 1, p->def + 1,
					  p->def / 2, p->def * 2, p->def / 4, p->def * 4};

		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			if (values[v] < p->min || values[v] > p->max || values[v] == p->def ||
			    (p->pow2 && values[v] & (values[v] - 1)))
				continue;
			spec.params[i] = values[v];
			fn(&spec, (int)i, arg);
		}
		spec.params[i] = p->def;
	}
}

static struct stream mixed, other;

static int set_up_streams(void **unused)
{
	(void)unused;
	make_stream(&mixed, 1, 1, 2, 0);
	return 0;
}

static int64_t param(const struct spht_spec *spec, const char *name)
{
	for (unsigned int i = 0; i < spec->h->nr_params; i++) {
		if (!strcmp(spec->h->params[i].name, name))
			return spec->params[i];
	}
	return 0;
}

static void check_requests(const struct spht_spec *spec, int changed, void *arg)
{
	struct rig rig;

	(void)changed;
	(void)arg;
	rig_open_guarded(&rig, spec, 0);
	for (size_t i = 0; i < mixed.n; i++) {
		const struct spht_fault *f = &mixed.faults[i];

		rig.n = 0;
		rig_feed(&rig, f);
		assert_true(rig.n <= SPHT_REGION_PAGES);
		for (size_t r = 0; r < rig.n; r++) {
			const struct request *q = &rig.log[r];

			assert_int_equal(q->space, f->space);
			assert_true(q->vpn <= TOP);
			assert_int_equal(q->vpn >= HALF, f->vpn >= HALF);
			if (!param(spec, "cross"))
				assert_int_equal(q->vpn >> SPHT_REGION_SHIFT,
						 f->vpn >> SPHT_REGION_SHIFT);
			if (strcmp(spec->h->name, "prefault"))
				assert_true(q->vpn != f->vpn);
			for (size_t o = 0; o < r; o++)
				assert_true(rig.log[o].vpn != q->vpn);
		}
	}
	rig_close(&rig);
}

static void requests_are_distinct_in_bounds_in_the_region_and_not_the_fault(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++)
		for_settings(spht_heuristics[i], check_requests, NULL);
}

struct params_seen {
	struct rig defaults;
	uint64_t differ; /* a bit per parameter */
};

static void compare_with_defaults(const struct spht_spec *spec, int changed, void *arg)
{
	struct params_seen *seen = arg;
	struct rig rig;

	if (changed < 0) {
		rig_open_guarded(&seen->defaults, spec, 0);
		feed(&seen->defaults, &mixed);
		return;
	}
	rig_open_guarded(&rig, spec, 0);
	feed(&rig, &mixed);
	if (!same_log(&rig, &seen->defaults))
		seen->differ |= UINT64_C(1) << changed;
	rig_close(&rig);
}

static void every_parameter_changes_what_is_asked(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		const struct spht_heuristic *h = spht_heuristics[i];
		struct params_seen seen = {.differ = 0};

		for_settings(h, compare_with_defaults, &seen);
		for (unsigned int p = 0; p < h->nr_params; p++) {
			if (!(seen.differ >> p & 1))
				fail_msg("%s: %s changes nothing", h->name, h->params[p].name);
		}
		rig_close(&seen.defaults);
	}
}

static void every_heuristic_with_a_fault_hook_asks_for_something(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		struct rig rig;

		rig_open(&rig, spht_heuristics[i]->name);
		feed(&rig, &mixed);
		assert_int_equal(rig.n > 0, spht_heuristics[i]->fault != NULL);
		rig_close(&rig);
	}
}

/* What @rig asked for in @space, against all that @alone asked for. */
static void assert_part_is(const struct rig *rig, uint64_t space, const struct rig *alone)
{
	size_t at = 0;

	for (size_t i = 0; i < rig->n; i++) {
		if (rig->log[i].space != space)
			continue;
		assert_true(at < alone->n);
		assert_int_equal(rig->log[i].vpn, alone->log[at++].vpn);
	}
	assert_int_equal(at, alone->n);
}

static void check_isolation(const struct spht_spec *spec, int changed, void *arg)
{
	struct rig both, alone[2];
	uint64_t seed = 99;
	size_t a = 0, b = 0;

	(void)arg;
	/* A table too small for both is shared, and each then loses by the other. */
	if (changed >= 0 && (!strcmp(spec->h->params[changed].name, "entries") ||
			     !strcmp(spec->h->params[changed].name, "ways")))
		return;
	rig_open_guarded(&both, spec, 0);
	rig_open_guarded(&alone[0], spec, 0);
	rig_open_guarded(&alone[1], spec, 0);
	while (a < mixed.n || b < other.n) {
		bool first = b == other.n || (a < mixed.n && rnd(&seed) % 2);

		rig_feed(&both, first ? &mixed.faults[a++] : &other.faults[b++]);
	}
	feed(&alone[0], &mixed);
	feed(&alone[1], &other);
	assert_part_is(&both, mixed.faults[0].space, &alone[0]);
	assert_part_is(&both, other.faults[0].space, &alone[1]);
	rig_close(&both);
	rig_close(&alone[0]);
	rig_close(&alone[1]);
}

static void address_spaces_do_not_disturb_each_other(void **unused)
{
	(void)unused;
	/*
	 * The same two regions in both, so that only the space tells them apart;
	 * many spaces, since a table may well part most of them by chance.
	 */
	make_stream(&mixed, 2, 0, 1, 2);
	for (uint64_t space = 1; space <= 64; space *= 4) {
		make_stream(&other, 3, space, 1, 2);
		for (unsigned int i = 0; i < spht_nr_heuristics; i++)
			for_settings(spht_heuristics[i], check_isolation, NULL);
	}
}

static void copies_that_run_side_by_side_do_not_disturb_each_other(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		struct rig a, b, alone;

		rig_open(&a, spht_heuristics[i]->name);
		rig_open(&b, spht_heuristics[i]->name);
		rig_open(&alone, spht_heuristics[i]->name);
		for (size_t f = 0; f < mixed.n; f++) {
			rig_feed(&a, &mixed.faults[f]);
			rig_feed(&b, &mixed.faults[mixed.n - 1 - f]);
			rig_feed(&b, &mixed.faults[f]);
		}
		feed(&alone, &mixed);
		assert_true(same_log(&a, &alone));
		rig_close(&a);
		rig_close(&b);
		rig_close(&alone);
	}
}

static void check_state_bound(const struct spht_spec *spec, int changed, void *arg)
{
	struct rig rig;

	(void)changed;
	(void)arg;
	rig_open_guarded(&rig, spec, GUARD);
	assert_true(rig.state_size <= 64 << 20);
	feed(&rig, &mixed);
	for (size_t i = 0; i < GUARD; i++)
		assert_int_equal(((unsigned char *)rig.state)[rig.state_size + i], 0xa5);
	rig_close(&rig);
}

static void no_heuristic_writes_beyond_the_state_that_it_declared(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++)
		for_settings(spht_heuristics[i], check_state_bound, NULL);
}

#define MIXED(f) cmocka_unit_test_setup(f, set_up_streams)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_asks_for_nothing_whatever_happens),
		cmocka_unit_test(oracle_builds_what_is_legal_and_costs_less_than_it_saves),
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
		cmocka_unit_test(stride_is_asked_for_once_it_was_seen_twice),
		cmocka_unit_test(stride_works_for_steps_of_minus_four_to_four),
		cmocka_unit_test(stride_without_a_repeated_step_asks_for_nothing),
		cmocka_unit_test(refault_on_the_same_page_neither_trains_nor_resets_a_stride),
		cmocka_unit_test(page_zero_and_step_minus_one_are_no_sentinels),
		cmocka_unit_test(well_trained_stride_survives_three_jumps_and_not_a_fourth),
		cmocka_unit_test(stride_goes_on_past_the_pages_that_it_asked_for),
		cmocka_unit_test(jump_ends_what_a_stride_may_go_past),
		cmocka_unit_test(stride_told_not_to_follow_takes_single_steps_only),
		cmocka_unit_test(degree_and_distance_of_a_stride_say_how_many_and_from_where),
		cmocka_unit_test(stride_stays_in_its_region_unless_told_to_cross),
		cmocka_unit_test(stride_never_leaves_the_canonical_half),
		cmocka_unit_test(confidence_of_a_stride_obeys_its_two_parameters),
		cmocka_unit_test(step_beyond_the_longest_is_not_learned),
		cmocka_unit_test(full_set_of_the_stride_table_loses_its_least_recently_used),
		cmocka_unit_test(regions_of_one_set_share_its_ways_only),
		cmocka_unit_test(strides_of_two_address_spaces_are_learned_apart),
		cmocka_unit_test(closed_form_stride_leaves_one_fault_in_five_of_a_run),
		MIXED(requests_are_distinct_in_bounds_in_the_region_and_not_the_fault),
		MIXED(every_parameter_changes_what_is_asked),
		MIXED(every_heuristic_with_a_fault_hook_asks_for_something),
		MIXED(address_spaces_do_not_disturb_each_other),
		MIXED(copies_that_run_side_by_side_do_not_disturb_each_other),
		MIXED(no_heuristic_writes_beyond_the_state_that_it_declared),
	};

	return cmocka_run_group_tests_name("heuristics", tests, NULL, NULL);
}
