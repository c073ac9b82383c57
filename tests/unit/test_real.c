// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The real clock: what two threads share, and what-ifs whose end no machine is too
 * slow or too busy for.
 */
#include "replay/real-local.h"
#include "replay/spread.h"
#include "what_if_script.h"

#define MANY       100000
#define FOREVER_NS 100000000000000

static void *pass_on(void *two_rings)
{
	struct spht_race_ring *ring = two_rings;

	for (uintptr_t i = 1; i <= MANY;) {
		uintptr_t *p = spht_race_pop(&ring[0]);

		if (!p)
			continue;
		assert_int_equal(*p, i++); /* what it points at has come, too */
		while (!spht_race_push(&ring[1], p))
			;
	}
	return NULL;
}

static void ring_keeps_the_order_and_brings_what_was_written_before(void **unused)
{
	struct spht_race_ring ring[2];
	uintptr_t value[8], sent = 0, seen = 0;
	pthread_t other;

	(void)unused;
	assert_int_equal(spht_race_ring_init(&ring[0], 16), 0);
	assert_int_equal(spht_race_ring_init(&ring[1], 16), 0);
	assert_int_equal(pthread_create(&other, NULL, pass_on, ring), 0);
	while (seen < MANY) {
		uintptr_t *p = spht_race_pop(&ring[1]);

		if (p)
			assert_int_equal(*p, ++seen);
		if (sent == MANY || sent - seen == 8)
			continue;
		value[sent % 8] = sent + 1;
		assert_true(spht_race_push(&ring[0], &value[sent % 8]));
		sent++;
	}
	pthread_join(other, NULL);
	assert_null(spht_race_pop(&ring[0]));
	spht_race_ring_close(&ring[0]);
	spht_race_ring_close(&ring[1]);
}

static void full_ring_takes_no_more(void **unused)
{
	struct spht_race_ring ring;
	int v = 0, n = 0;

	(void)unused;
	assert_int_equal(spht_race_ring_init(&ring, 8), 0);
	while (spht_race_push(&ring, &v))
		n++;
	assert_int_equal(n, 7);
	spht_race_ring_close(&ring);
}

struct shared {
	struct spht_race_lock lock;
	uint64_t n;
};

static void *count_up(void *shared)
{
	struct shared *s = shared;

	for (int i = 0; i < MANY; i++) {
		if (i % 2 || !spht_race_trylock(&s->lock))
			spht_race_lock(&s->lock);
		s->n++;
		spht_race_unlock(&s->lock);
	}
	return NULL;
}

static void lock_has_one_holder_at_a_time(void **unused)
{
	struct shared s = {.n = 0};
	pthread_t other;

	(void)unused;
	spht_race_lock_init(&s.lock);
	assert_int_equal(pthread_create(&other, NULL, count_up, &s), 0);
	count_up(&s);
	pthread_join(other, NULL);
	assert_int_equal(s.n, 2 * MANY);
	spht_race_lock(&s.lock);
	assert_false(spht_race_trylock(&s.lock));
}

static void histogram_has_a_bin_for_each_power_of_two(void **unused)
{
	struct spht_histogram h = {.sum = 0};

	(void)unused;
	spht_histogram_add(&h, 0);
	spht_histogram_add(&h, 1);
	spht_histogram_add(&h, 2);
	spht_histogram_add(&h, 1023);
	spht_histogram_add(&h, 1024);
	spht_histogram_add(&h, UINT64_MAX / 2);
	assert_int_equal(h.bin[0], 2);
	assert_int_equal(h.bin[1], 1);
	assert_int_equal(h.bin[9], 1);
	assert_int_equal(h.bin[10], 1);
	assert_int_equal(h.bin[SPHT_REAL_BINS - 1], 1);
	assert_int_equal(spht_histogram_count(&h), 6);
	assert_int_equal(h.most, UINT64_MAX / 2);
}

static void spread_is_the_middle_the_ends_and_the_quarters(void **unused)
{
	double one[] = {7}, five[] = {5, 1, 4, 2, 3}, four[] = {4, 1, 3, 2};
	struct spht_spread s = spht_spread_of(one, 1);

	(void)unused;
	assert_true(s.median == 7 && s.min == 7 && s.max == 7 && s.q1 == 7 && s.q3 == 7);
	s = spht_spread_of(five, 5);
	assert_true(s.median == 3 && s.min == 1 && s.max == 5 && s.q1 == 2 && s.q3 == 4);
	s = spht_spread_of(four, 4);
	assert_true(s.median == 2.5 && s.q1 == 1.75 && s.q3 == 3.25);
}

/* Two CPUs for the threads: siblings will do where nothing is timed. */
static struct spht_real_plan plan;

static int find_cpus(void **unused)
{
	struct spht_error err;
	cpu_set_t set;

	(void)unused;
	plan.pace = 1;
	plan.repetitions = 1;
	plan.cpus.vcpu = -1;
	if (!spht_cpus_allowed(&set, &err))
		spht_cpus_choose(&plan.cpus, SPHT_CPUS_SYSFS, &set, NULL, true, &err);
	return 0;
}

static void need_two_cpus(void)
{
	if (plan.cpus.vcpu < 0)
		skip();
}

/* What must hold of every run, however the race ended. */
static void nothing_disagrees(const struct spht_real_run *run)
{
	assert_int_equal(run->disagreed, 0);
}

static const struct script ask_8[] = {{VPN(1, 1), VPN(1, 8)}, {0, 0}};

/* Faults on 1, and 200 ms later on 8, whose entry the guest has had since. */
static struct whatif fault_and_another(struct rig *r, struct spht_real_run *real)
{
	struct whatif w;

	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(r, 200 * LONG_NS);
	hidden(r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
	w = whatif_of(r, 1);
	w.pace = &plan;
	memset(real, 0, sizeof(*real));
	w.real = real;
	return w;
}

static void helper_that_is_far_ahead_avoids_what_the_virtual_one_does(void **unused)
{
	struct spht_real_run real;
	struct spht_account a, v;
	struct rig r;
	struct whatif w = fault_and_another(&r, &real);

	(void)unused;
	need_two_cpus();
	w.scale = 5; /* a second */
	a = run_script(&w, ask_8, OPTIMISTIC);
	w.real = NULL;
	v = run_script(&w, ask_8, OPTIMISTIC);
	assert_int_equal(v.avoided_direct, 1);
	assert_int_equal(a.avoided_direct, v.avoided_direct);
	assert_int_equal(a.used_timely, v.used_timely);
	assert_int_equal(a.remaining, v.remaining);
	assert_int_equal(a.base_ns, v.base_ns);
	nothing_disagrees(&real);
	assert_true(real.elapsed_ns > 1000 * LONG_NS);
	rig_close(&r);
}

static void helper_whose_builds_take_forever_is_still_at_it_or_late(void **unused)
{
	struct spht_real_run real;
	struct spht_account a;
	struct rig r;
	struct whatif w = fault_and_another(&r, &real);

	(void)unused;
	need_two_cpus();
	w.costs.helper_build_ns = w.costs.helper_lock_ns = FOREVER_NS / 1000;
	a = run_script(&w, ask_8, OPTIMISTIC);
	assert_int_equal(a.generated, 1);
	assert_int_equal(a.avoided_direct, 0);
	assert_int_equal(a.used_late + a.cancelled_demand, 1);
	assert_int_equal(a.remaining, 3);
	nothing_disagrees(&real);
	rig_close(&r);
}

static void request_that_nobody_faults_on_is_in_progress_at_the_end(void **unused)
{
	static const struct script ask_1_9[] = {
		{VPN(1, 8), VPN(1, 1)}, {VPN(1, 1), VPN(1, 8)}, {0, 0}};
	struct spht_real_run real;
	struct spht_account a;
	struct rig r;
	struct whatif w = fault_and_another(&r, &real);

	(void)unused;
	need_two_cpus();
	w.costs.helper_wake_ns = FOREVER_NS;
	a = run_script(&w, ask_1_9, OPTIMISTIC);
	assert_int_equal(a.cancelled_demand, 1); /* 8: asleep still */
	assert_int_equal(a.duplicate + a.pending_end, 1);
	nothing_disagrees(&real);
	rig_close(&r);
}

static void without_a_helper_it_ends_where_the_recording_ended(void **unused)
{
	struct spht_real_run real;
	struct spht_account a;
	struct rig r;
	struct whatif w = fault_and_another(&r, &real);

	(void)unused;
	need_two_cpus();
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
		a = run(&w, "none", world);
		assert_int_equal(a.divergence, 0);
		assert_int_equal(a.remaining, a.f_base);
		nothing_disagrees(&real);
	}
	rig_close(&r);
}

static void pace_shortens_guest_time_on_both_clocks(void **unused)
{
	const struct spht_real_plan hundredth = {.cpus = plan.cpus, .pace = 100},
				    none = {.cpus = plan.cpus, .pace = 0};
	struct spht_real_run real;
	struct spht_account a, v;
	struct rig r;
	struct whatif w = fault_and_another(&r, &real);
	uint64_t at_once;

	(void)unused;
	need_two_cpus();
	w.pace = &none;
	at_once = run_script(&w, ask_8, OPTIMISTIC).base_ns;
	w.pace = &hundredth;
	a = run_script(&w, ask_8, OPTIMISTIC);
	w.real = NULL;
	v = run_script(&w, ask_8, OPTIMISTIC);
	assert_int_equal(a.base_ns, v.base_ns);
	assert_int_equal(v.base_ns, at_once + 201 * LONG_NS / 100);
	rig_close(&r);
}

/* Refaults and zaps by the hundred, at full speed: whatever happens, the books close. */
static void books_close_and_tables_agree_at_full_speed(void **unused)
{
	const struct spht_real_plan full = {.cpus = plan.cpus, .pace = 0};
	struct spht_real_run real;
	struct whatif w;
	struct rig r;

	(void)unused;
	need_two_cpus();
	open_timed(&r, 8);
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int page = 1 + i * 7 % 500;

		guest_fault(&r, VPN(1, page), U, 0);
		write_page_table(&r, 1);
		hidden(&r, VPN(1, page), U, page_pte(page), SPTE_W(0x700 + page));
		if (i % 50 == 49)
			zap_table(&r, 1);
	}
	w = whatif_of(&r, 8);
	w.pace = &full;
	w.real = &real;
	w.helper_prefetch = true;
	w.costs.exit_lock_ns = w.costs.helper_lock_ns = 500;
	w.costs.helper_watch_ns = 2000;
	w.costs.helper_poll_ns = 50;
	w.costs.helper_wake_ns = 0;
	w.costs.helper_batch = 3;
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
		static const char *const all[] = {"prefault", "window:size=32", "hybrid",
						  "rebuild"};

		for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
			struct spht_account a;

			memset(&real, 0, sizeof(real));
			w.costs.queue_limit = i % 2 ? 256 : 4;
			a = run(&w, all[i], world);
			assert_true(a.avoided_direct + a.avoided_side + a.remaining == a.f_base);
			nothing_disagrees(&real);
		}
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_keeps_the_order_and_brings_what_was_written_before),
		cmocka_unit_test(full_ring_takes_no_more),
		cmocka_unit_test(lock_has_one_holder_at_a_time),
		cmocka_unit_test(histogram_has_a_bin_for_each_power_of_two),
		cmocka_unit_test(spread_is_the_middle_the_ends_and_the_quarters),
		cmocka_unit_test(helper_that_is_far_ahead_avoids_what_the_virtual_one_does),
		cmocka_unit_test(helper_whose_builds_take_forever_is_still_at_it_or_late),
		cmocka_unit_test(request_that_nobody_faults_on_is_in_progress_at_the_end),
		cmocka_unit_test(without_a_helper_it_ends_where_the_recording_ended),
		cmocka_unit_test(pace_shortens_guest_time_on_both_clocks),
		cmocka_unit_test(books_close_and_tables_agree_at_full_speed),
	};

	return cmocka_run_group_tests_name("real clock", tests, find_cpus, NULL);
}
