// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Timelines: which window is meant, and what a run writes down in it, to the
 * nanosecond.
 */
#include "what_if_script.h"

#define EXIT       1000 /* what any #PF exit takes ... */
#define HELD       400 /* ... the last 400 under mmu_lock */
#define WAKE       5000
#define READ       200
#define PREPARE    5000
#define HELD_BUILD 1000

static struct whatif locked(struct rig *r)
{
	struct whatif w = whatif_of(r, 1);

	w.costs.exit_lock_ns = HELD;
	w.costs.helper_lock_ns = HELD_BUILD;
	return w;
}

static void all_of_it(struct spht_timeline *t)
{
	static const struct spht_tl_window all = {0, UINT64_MAX, true};

	spht_timeline_init(t, &all, 0, 0);
}

static void finish(struct spht_timeline *t)
{
	struct spht_error err;

	if (spht_timeline_finish(t, &err))
		fail_msg("%s", err.text);
}

static unsigned int count(const struct spht_timeline *t, enum spht_tl_kind kind)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < t->nr; i++)
		n += t->v[i].kind == kind;
	return n;
}

/* The last event of @kind about @vpn. */
static const struct spht_tl_event *find(const struct spht_timeline *t, enum spht_tl_kind kind,
					uint64_t vpn)
{
	for (uint32_t i = t->nr; i-- > 0;)
		if (t->v[i].kind == kind && t->v[i].vpn == vpn)
			return &t->v[i];
	fail_msg("no event of kind %d about 0x%llx", kind, (unsigned long long)vpn);
	return NULL;
}

static void windows_are_read(void **unused)
{
	static const struct {
		const char *text;
		uint64_t from, to;
	} good[] = {
		{"..", 0, UINT64_MAX},
		{"1..", 1000000000, UINT64_MAX},
		{"..0.5", 0, 500000000},
		{"12.5..12.500000001", 12500000000, 12500000001},
		{"0..1000000000", 0, 1000000000000000000},
	};
	static const char *const bad[] = {"",      "1",     ".",      "1..1",         "2..1",
					  "..0",   "1e0..", "+1..2",  " 1..2",        "1..2 ",
					  "1...2", "1..2s", "1,0..2", "1.1.1..2",     "0x1..2",
					  "nan..", "..inf", ".5..1",  "1000000001..", "-0..1"};
	struct spht_tl_window w;
	struct spht_error err;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(spht_tl_window_parse(&w, good[i].text, &err), 0);
		assert_int_equal(w.from, good[i].from);
		assert_int_equal(w.to, good[i].to);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!spht_tl_window_parse(&w, bad[i], &err))
			fail_msg("'%s' is taken for a window", bad[i]);
}

static void default_is_a_second_from_where_counting_begins(void **unused)
{
	static const struct spht_tl_window none;
	static const struct spht_tl_window some = {2, 3, true};
	struct spht_timeline t;

	(void)unused;
	spht_timeline_init(&t, &none, 100, 700);
	assert_int_equal(t.from, 700);
	assert_int_equal(t.to, 1000000700);
	assert_int_equal(t.max_exits, SPHT_TL_EXITS);
	spht_timeline_init(&t, &some, 100, 700);
	assert_int_equal(t.from, 102);
	assert_int_equal(t.to, 103);
}

/* Page 0 of the second pass asks for page 1, @gap ns before page 1 is touched. */
static void one_request(struct rig *r, struct spht_timeline *t, uint64_t gap)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct whatif w;

	begin_second_pass(r, 2);
	guest_runs(r, gap);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	see_again(r, 2);
	w = locked(r);
	all_of_it(t);
	w.timeline = t;
	run_script(&w, ask, OPTIMISTIC);
	finish(t);
}

static void helper_looks_builds_and_installs_one_after_the_other(void **unused)
{
	const struct spht_tl_event *look, *build, *set;
	struct spht_timeline t;
	uint64_t asked;
	struct rig r;

	(void)unused;
	one_request(&r, &t, LONG_NS);
	look = find(&t, SPHT_TL_READ, VPN(1, 1));
	build = find(&t, SPHT_TL_BUILD, VPN(1, 1));
	set = find(&t, SPHT_TL_INSTALL, VPN(1, 1));
	asked = t.requests[look->n - 1].ns;
	assert_int_equal(look->ns, asked + WAKE);
	assert_int_equal(look->dur, READ);
	assert_int_equal(look->outcome, SPHT_TL_TAKEN);
	assert_int_equal(build->ns, look->ns + READ);
	assert_int_equal(build->dur, PREPARE);
	assert_int_equal(set->ns, build->ns + PREPARE);
	assert_int_equal(set->dur, HELD_BUILD);
	assert_int_equal(set->outcome, SPHT_TL_BUILT);
	spht_timeline_close(&t);
	rig_close(&r);
}

/* The points of the arrow that ends in the exit at @vpn, by kind; how many there are. */
static unsigned int arrow_to(const struct spht_timeline *t, const struct spht_tl_event *met,
			     const struct spht_tl_event *points[3])
{
	unsigned int n = 0;

	memset(points, 0, 3 * sizeof(*points));
	for (uint32_t i = 0; i < t->nr_requests; i++) {
		if (!t->requests[i].met || &t->v[t->requests[i].met - 1] != met)
			continue;
		for (uint32_t k = 0; k < t->nr; k++) {
			const struct spht_tl_event *e = &t->v[k];

			if (e->kind != SPHT_TL_FLOW || e->n != i + 1)
				continue;
			points[e->what] = e;
			n++;
		}
	}
	return n;
}

static const struct spht_tl_event *exit_with(const struct spht_timeline *t,
					     enum spht_tl_outcome outcome)
{
	for (uint32_t i = 0; i < t->nr; i++)
		if (t->v[i].kind == SPHT_TL_EXIT && t->v[i].outcome == outcome)
			return &t->v[i];
	fail_msg("no exit has outcome %d", outcome);
	return NULL;
}

static void arrow_leads_from_request_to_build_to_the_access_that_is_spared(void **unused)
{
	const struct spht_tl_event *met, *points[3];
	struct spht_timeline t;
	struct rig r;

	(void)unused;
	one_request(&r, &t, LONG_NS);
	met = exit_with(&t, SPHT_TL_DIRECT);
	assert_int_equal(met->vpn, VPN(1, 1));
	assert_int_equal(met->dur, 0); /* first_use_ns of plain_costs() */
	assert_int_equal(arrow_to(&t, met, points), 3);
	assert_int_equal(points[SPHT_TL_BEGIN]->room, SPHT_TL_VCPU);
	assert_int_equal(points[SPHT_TL_STEP]->room, SPHT_TL_HELPER);
	assert_int_equal(points[SPHT_TL_STEP]->ns, points[SPHT_TL_BEGIN]->ns + WAKE + READ);
	assert_int_equal(points[SPHT_TL_END]->ns, met->ns);
	spht_timeline_close(&t);
	rig_close(&r);
}

static void arrow_ends_at_the_fault_that_came_first(void **unused)
{
	static const struct {
		uint64_t gap;
		unsigned int points;
	} c[] = {{WAKE - EXIT - 1, 2}, {WAKE - EXIT + READ, 3}, {WAKE + READ, 3}};
	const struct spht_tl_event *met, *points[3];
	unsigned int late = 0;
	struct spht_timeline t;
	struct rig r;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		one_request(&r, &t, c[i].gap);
		met = exit_with(&t, SPHT_TL_LATE);
		assert_int_equal(met->vpn, VPN(1, 1));
		assert_int_equal(arrow_to(&t, met, points), c[i].points);
		/* What is begun goes on, for nothing. */
		for (uint32_t k = 0; k < t.nr && c[i].points == 3; k++)
			if (t.v[k].kind == SPHT_TL_INSTALL && t.v[k].n == points[0]->n)
				late += t.v[k].outcome == SPHT_TL_LATE;
		spht_timeline_close(&t);
		rig_close(&r);
	}
	assert_int_equal(late, 2);
}

static void holds_of_the_lock_are_those_of_exits_and_builds(void **unused)
{
	struct spht_timeline t;
	unsigned int n[2] = {0};
	uint64_t by[2] = {0};
	struct rig r;

	(void)unused;
	one_request(&r, &t, LONG_NS);
	for (uint32_t i = 0; i < t.nr; i++) {
		const struct spht_tl_event *e = &t.v[i];
		bool helper = e->room == SPHT_TL_HELPER;

		if (e->kind != SPHT_TL_HOLD)
			continue;
		by[e->room] += e->dur;
		n[e->room]++;
		/* It stands beside the holder's own slice. */
		assert_int_equal(t.v[helper ? i + 1 : i - 1].kind,
				 helper ? SPHT_TL_INSTALL : SPHT_TL_SERVED);
		assert_int_equal(t.v[helper ? i + 1 : i - 1].ns, e->ns);
	}
	assert_int_equal(n[SPHT_TL_HELPER], count(&t, SPHT_TL_INSTALL));
	assert_int_equal(by[SPHT_TL_HELPER], HELD_BUILD * n[SPHT_TL_HELPER]);
	assert_int_equal(n[SPHT_TL_VCPU], count(&t, SPHT_TL_SERVED));
	assert_int_equal(by[SPHT_TL_VCPU], HELD * n[SPHT_TL_VCPU]);
	assert_int_equal(t.lanes, 1);
	spht_timeline_close(&t);
	rig_close(&r);
}

static void two_holds_at_once_are_shown_beside_each_other(void **unused)
{
	static const struct {
		uint64_t ns, dur;
		uint16_t lane;
	} c[] = {{50, 10, 0}, {0, 100, 0}, {100, 5, 0}, {60, 60, 1}};
	static const uint16_t lane[] = {1, 0, 0, 1};
	struct spht_timeline t;

	(void)unused;
	all_of_it(&t);
	t.exits = 1;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(spht_timeline_add(&t, SPHT_TL_HOLD, c[i].ns, c[i].dur), i + 1);
	finish(&t);
	assert_int_equal(t.lanes, 2);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(t.v[i].index, lane[i]);
	spht_timeline_close(&t);
}

static void timeline_ends_before_the_exit_that_is_too_much(void **unused)
{
	static const struct script nothing[] = {{0, 0}};
	struct spht_timeline t;
	struct whatif w;
	struct rig r;

	(void)unused;
	two_passes(&r, 4);
	w = locked(&r);
	all_of_it(&t);
	t.max_exits = 3;
	w.timeline = &t;
	run_script(&w, nothing, OPTIMISTIC);
	assert_int_equal(t.exits, 3);
	assert_int_equal(count(&t, SPHT_TL_EXIT), 3);
	assert_true(t.all_exits && !t.full);
	assert_true(t.end_ns > t.v[t.nr - 1].recorded_ns);
	spht_timeline_close(&t);

	all_of_it(&t);
	t.max_events = 4;
	run_script(&w, nothing, OPTIMISTIC);
	assert_true(t.full && !t.all_exits);
	assert_in_range(t.nr, 4, 9);
	spht_timeline_close(&t);
	rig_close(&r);
}

static void books_are_the_same_with_a_timeline_and_without(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {VPN(1, 2), VPN(1, 3)}, {0, 0}};
	struct spht_account with, without;
	struct spht_timeline t;
	struct whatif w;
	struct rig r;

	(void)unused;
	two_passes(&r, 5);
	w = locked(&r);
	without = run_script(&w, ask, OPTIMISTIC);
	all_of_it(&t);
	w.timeline = &t;
	with = run_script(&w, ask, OPTIMISTIC);
	assert_memory_equal(&with, &without, sizeof(with));
	spht_timeline_close(&t);
	rig_close(&r);
}

static void window_without_an_exit_is_an_error(void **unused)
{
	struct spht_timeline t;
	struct spht_error err;

	(void)unused;
	all_of_it(&t);
	assert_int_equal(spht_timeline_finish(&t, &err), -1);
	assert_non_null(strstr(err.text, "no exit"));
	spht_timeline_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_read),
		cmocka_unit_test(default_is_a_second_from_where_counting_begins),
		cmocka_unit_test(helper_looks_builds_and_installs_one_after_the_other),
		cmocka_unit_test(arrow_leads_from_request_to_build_to_the_access_that_is_spared),
		cmocka_unit_test(arrow_ends_at_the_fault_that_came_first),
		cmocka_unit_test(holds_of_the_lock_are_those_of_exits_and_builds),
		cmocka_unit_test(two_holds_at_once_are_shown_beside_each_other),
		cmocka_unit_test(timeline_ends_before_the_exit_that_is_too_much),
		cmocka_unit_test(books_are_the_same_with_a_timeline_and_without),
		cmocka_unit_test(window_without_an_exit_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
