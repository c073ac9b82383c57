// SPDX-License-Identifier: LGPL-2.1-or-later
/* The events of a perf.data in order: rounds, neighbours that are swapped, and bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/perfdata-order.h"
#include "spht_trace.h"

#define MANY  1500000u /* events, more than is ever held */
#define ALIKE 200u

/* What has come out: for each CPU the last time and number, and how many. */
struct seen {
	uint64_t ts[SPHT_MAX_CPUS], mark[SPHT_MAX_CPUS];
	unsigned int nr, per_cpu[SPHT_MAX_CPUS];
	unsigned int fail_at; /* 0: never */
};

static int take(void *arg, const struct spht_feed_event *ev, size_t len)
{
	struct seen *s = arg;
	unsigned int cpu = ev->cpu;

	assert_int_equal(len, offsetof(struct spht_feed_event, v) + 8);
	if (s->fail_at && s->nr + 1 == s->fail_at)
		return -1;
	assert_true(ev->ts >= s->ts[cpu]);
	/* At equal times the order in which they came. */
	if (s->per_cpu[cpu] && ev->ts == s->ts[cpu])
		assert_true(ev->v[0] > s->mark[cpu]);
	s->ts[cpu] = ev->ts;
	s->mark[cpu] = ev->v[0];
	s->per_cpu[cpu]++;
	s->nr++;
	return 0;
}

static int add(struct perfdata_order *o, unsigned int cpu, uint64_t ts)
{
	static uint64_t mark;
	struct spht_event ev = {.ts = ts, .cpu = (uint16_t)cpu};
	struct spht_feed_event out;

	ev.v[0] = ++mark;
	return perfdata_order_add(o, &out, spht_feed_encode(&out, &ev, 1));
}

static struct seen *start(void **state, struct perfdata_order **o)
{
	struct seen *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	*o = perfdata_order_new(take, s);
	assert_non_null(*o);
	*state = s;
	return s;
}

static void end(struct perfdata_order *o, struct seen *s)
{
	perfdata_order_free(o);
	free(s);
}

static void neighbours_that_are_swapped_change_places(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);

	for (uint64_t ts = 1000; ts < 3000; ts += 20) {
		assert_int_equal(add(o, 3, ts + 10), 0);
		assert_int_equal(add(o, 3, ts), 0);
	}
	assert_int_equal(s->nr, 0);
	assert_int_equal(perfdata_order_end(o), 0);
	assert_int_equal(s->nr, 200);
	assert_int_equal(s->ts[3], 2990);
	end(o, s);
}

static void equal_times_stay_in_the_order_of_the_file(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);

	for (unsigned int i = 0; i < ALIKE; i++)
		assert_int_equal(add(o, 0, i % 2 ? 70 : 50), 0);
	assert_int_equal(perfdata_order_end(o), 0);
	assert_int_equal(s->nr, ALIKE);
	end(o, s);
}

/* Whatever the disorder is, it is gone: times counted down and made up. */
static void any_disorder_inside_of_a_round_is_put_right(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);
	uint32_t random = 1;

	for (unsigned int i = 0; i < 5000; i++) {
		random = random * 1664525 + 1013904223;
		assert_int_equal(add(o, i % 7, i % 3 ? random : 100000 - i), 0);
	}
	assert_int_equal(perfdata_order_end(o), 0);
	assert_int_equal(s->nr, 5000);
	end(o, s);
}

/* A thread's buffer: each turn brings events of all CPUs, some of the turn before. */
static void rounds_that_overlap_are_merged(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);
	unsigned int nr = 0;

	for (uint64_t round = 0; round < 12; round++) {
		for (uint64_t i = 0; i < MANY / 12; i++, nr++)
			assert_int_equal(add(o, 1, round * MANY / 12 + i), 0);
		/* Older than all that this round had so far, newer than where the last began. */
		assert_int_equal(add(o, 1, round ? (round - 1) * MANY / 12 + 1 : 0), 0);
		nr++;
		assert_int_equal(perfdata_order_round(o), 0);
	}
	assert_true(s->nr > nr / 2);
	assert_true(s->nr < nr);
	assert_int_equal(perfdata_order_end(o), 0);
	assert_int_equal(s->nr, nr);
	end(o, s);
}

static void without_rounds_memory_is_bounded(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);

	for (unsigned int i = 0; i < MANY; i++) {
		/* One buffer after the other, as one huge round would have them. */
		assert_int_equal(add(o, i / (MANY / 3), 100 + i % (MANY / 3)), 0);
	}
	assert_true(s->nr > 0);
	assert_int_equal(perfdata_order_end(o), 0);
	assert_int_equal(s->nr, MANY);
	end(o, s);
}

static void what_comes_too_late_is_named(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);
	uint64_t ts, reached;
	unsigned int cpu;

	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(add(o, 2, 1000 + i), 0);
	assert_true(s->nr > 0);
	assert_int_equal(add(o, 2, 7), 0);
	assert_int_equal(perfdata_order_end(o), PERFDATA_ORDER_LATE);
	perfdata_order_late(o, &cpu, &ts, &reached);
	assert_int_equal(cpu, 2);
	assert_int_equal(ts, 7);
	assert_true(reached >= 1000);
	end(o, s);
}

static void a_receiver_that_fails_ends_it(void **state)
{
	struct perfdata_order *o;
	struct seen *s = start(state, &o);

	s->fail_at = 3;
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(add(o, 0, i), 0);
	assert_int_equal(perfdata_order_end(o), PERFDATA_ORDER_EMIT);
	assert_int_equal(s->nr, 2);
	end(o, s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_that_are_swapped_change_places),
		cmocka_unit_test(equal_times_stay_in_the_order_of_the_file),
		cmocka_unit_test(any_disorder_inside_of_a_round_is_put_right),
		cmocka_unit_test(rounds_that_overlap_are_merged),
		cmocka_unit_test(without_rounds_memory_is_bounded),
		cmocka_unit_test(what_comes_too_late_is_named),
		cmocka_unit_test(a_receiver_that_fails_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
