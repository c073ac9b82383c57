// SPDX-License-Identifier: LGPL-2.1-or-later
/* Snapshots of page tables on their way into the trace: the ring, the order, what has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/snap-order.h"
#include "collector/snap-ring.h"
#include "collector/snap-tables.h"

#define RING    256u /* bytes */
#define BUSY    (1u << 31)
#define DISCARD (1u << 30)
#define TABLES  8u

/* --- what has changed ------------------------------------------------ */

struct tables {
	struct spht_snap_tables *t;
	uint64_t page[SPHT_SNAP_WORDS];
	struct spht_snap_diff d;
};

static void start(struct tables *x)
{
	memset(x, 0, sizeof(*x));
	x->t = spht_snap_tables_new(TABLES);
	assert_non_null(x->t);
}

static void take(struct tables *x, uint64_t gfn)
{
	assert_int_equal(spht_snap_tables_diff(x->t, gfn, x->page, &x->d), 0);
}

static void the_first_snapshot_of_a_table_is_full(void **state)
{
	struct tables x;

	(void)state;
	start(&x);
	x.page[3] = 0x1067;
	x.page[511] = 0x2067;
	take(&x, 7);
	assert_true(x.d.full);
	assert_int_equal(x.d.nr, 2);
	assert_int_equal(x.d.index[0], 3);
	assert_int_equal(x.d.index[1], 511);
	spht_snap_tables_free(x.t);
}

static void a_later_one_lists_what_has_changed(void **state)
{
	struct tables x;

	(void)state;
	start(&x);
	for (unsigned int i = 0; i < 100; i++)
		x.page[i] = 0x1067 + i * 0x1000;
	take(&x, 7);
	take(&x, 7);
	assert_false(x.d.full);
	assert_int_equal(x.d.nr, 0);
	x.page[5] = 0;
	x.page[300] = 0x9067;
	take(&x, 7);
	assert_false(x.d.full);
	assert_int_equal(x.d.nr, 2);
	assert_int_equal(x.d.index[0], 5);
	assert_int_equal(x.d.index[1], 300);
	/* Of another table nothing is known. */
	take(&x, 8);
	assert_true(x.d.full);
	spht_snap_tables_free(x.t);
}

static void a_table_that_was_emptied_is_told_in_full(void **state)
{
	struct tables x;

	(void)state;
	start(&x);
	for (unsigned int i = 0; i < SPHT_SNAP_WORDS; i++)
		x.page[i] = 1;
	take(&x, 7);
	assert_int_equal(x.d.nr, SPHT_SNAP_WORDS);
	memset(x.page, 0, sizeof(x.page));
	x.page[9] = 0x67;
	take(&x, 7);
	assert_true(x.d.full);
	assert_int_equal(x.d.nr, 1);
	assert_int_equal(x.d.index[0], 9);
	spht_snap_tables_free(x.t);
}

static void what_was_forgotten_is_told_in_full(void **state)
{
	struct tables x;

	(void)state;
	start(&x);
	x.page[1] = 1;
	assert_false(spht_snap_tables_forget(x.t, 7));
	take(&x, 7);
	assert_true(spht_snap_tables_forget(x.t, 7));
	assert_false(spht_snap_tables_forget(x.t, 7));
	take(&x, 7);
	assert_true(x.d.full);
	spht_snap_tables_clear(x.t);
	assert_int_equal(spht_snap_tables_count(x.t), 0);
	take(&x, 7);
	assert_true(x.d.full);
	spht_snap_tables_free(x.t);
}

static void with_too_many_tables_all_begin_anew(void **state)
{
	struct tables x;

	(void)state;
	start(&x);
	x.page[1] = 1;
	for (uint64_t gfn = 0; gfn < TABLES; gfn++)
		take(&x, gfn);
	take(&x, 0);
	assert_false(x.d.full);
	take(&x, TABLES);
	assert_true(x.d.full);
	assert_int_equal(spht_snap_tables_count(x.t), 1);
	take(&x, 0);
	assert_true(x.d.full);
	spht_snap_tables_free(x.t);
}

/* --- the order of time ------------------------------------------------ */

static void put(struct spht_snap_order *o, uint64_t ts, uint64_t gfn)
{
	static struct snap_record r;

	r.ts = ts;
	r.gfn = gfn;
	assert_int_equal(spht_snap_order_add(o, &r, sizeof(r)), 0);
}

static void expect(struct spht_snap_order *o, uint64_t limit, uint64_t gfn)
{
	const struct snap_record *r = spht_snap_order_take(o, limit);

	assert_non_null(r);
	assert_int_equal(r->gfn, gfn);
}

static void snapshots_of_two_CPUs_are_put_in_order(void **state)
{
	struct spht_snap_order *o = spht_snap_order_new();

	(void)state;
	assert_non_null(o);
	assert_null(spht_snap_order_take(o, UINT64_MAX));
	put(o, 40, 4);
	put(o, 10, 1);
	put(o, 30, 3);
	put(o, 30, 33);
	put(o, 20, 2);
	expect(o, UINT64_MAX, 1);
	expect(o, UINT64_MAX, 2);
	put(o, 35, 34);
	/* At equal times as they came. */
	expect(o, UINT64_MAX, 3);
	expect(o, UINT64_MAX, 33);
	expect(o, UINT64_MAX, 34);
	expect(o, UINT64_MAX, 4);
	assert_null(spht_snap_order_take(o, UINT64_MAX));
	put(o, 5, 5);
	expect(o, UINT64_MAX, 5);
	spht_snap_order_free(o);
}

static void what_is_too_young_stays(void **state)
{
	struct spht_snap_order *o = spht_snap_order_new();

	(void)state;
	assert_non_null(o);
	put(o, 20, 2);
	put(o, 10, 1);
	expect(o, 20, 1);
	assert_null(spht_snap_order_take(o, 20));
	put(o, 15, 15);
	expect(o, 20, 15);
	expect(o, 21, 2);
	put(o, 50, 5);
	/* One is left behind. */
	spht_snap_order_free(o);
}

/* --- the ring ---------------------------------------------------------- */

/* A ring as the kernel fills it. */
struct kernel {
	struct spht_snap_ring r;
	uint64_t consumer, producer;
	_Alignas(8) uint8_t data[2 * RING];
};

static void begin(struct kernel *k)
{
	memset(k, 0, sizeof(*k));
	k->r = (struct spht_snap_ring){
		.consumer = &k->consumer, .producer = &k->producer, .data = k->data, .size = RING};
}

static uint8_t *at(struct kernel *k, uint64_t pos, unsigned int i)
{
	return &k->data[(pos + i) % RING];
}

/* The data is mapped twice, which an array is not. */
static void mirror(struct kernel *k)
{
	memcpy(k->data + RING, k->data, RING);
}

/* Returns where its head is. */
static uint64_t produce(struct kernel *k, uint32_t len, uint32_t flags, uint8_t fill)
{
	uint64_t pos = k->producer;
	uint32_t head = len | flags;

	for (unsigned int i = 0; i < 4; i++)
		*at(k, pos, i) = (uint8_t)(head >> (8 * i));
	for (unsigned int i = 0; i < len; i++)
		*at(k, pos, 8 + i) = fill;
	mirror(k);
	k->producer += (len + 8 + 7) & ~7u;
	return pos;
}

static void finish(struct kernel *k, uint64_t pos)
{
	*at(k, pos, 3) &= 0x7f;
	mirror(k);
}

static void next_is(struct kernel *k, size_t len, uint8_t fill)
{
	const uint8_t *p;
	size_t got = 0;
	bool whole;

	p = spht_snap_ring_next(&k->r, spht_snap_ring_end(&k->r), &got, &whole);
	assert_non_null(p);
	assert_int_equal(got, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(p[i], fill);
	spht_snap_ring_pass(&k->r);
}

static void nothing_is_next(struct kernel *k, bool all)
{
	size_t len;
	bool whole;

	assert_null(spht_snap_ring_next(&k->r, spht_snap_ring_end(&k->r), &len, &whole));
	assert_int_equal(whole, all);
}

static void records_come_in_their_order_and_around_the_end(void **state)
{
	struct kernel k;

	(void)state;
	begin(&k);
	nothing_is_next(&k, true);
	for (unsigned int i = 1; i < 50; i++) {
		produce(&k, 40 + i % 7, 0, (uint8_t)i);
		produce(&k, 3, 0, (uint8_t)(i + 100));
		next_is(&k, 40 + i % 7, (uint8_t)i);
		next_is(&k, 3, (uint8_t)(i + 100));
		nothing_is_next(&k, true);
	}
	assert_int_equal(k.consumer, k.producer);
}

static void a_record_in_the_making_keeps_those_behind_it(void **state)
{
	struct kernel k;
	uint64_t pos;

	(void)state;
	begin(&k);
	produce(&k, 16, 0, 1);
	pos = produce(&k, 16, BUSY, 2);
	produce(&k, 16, 0, 3);
	next_is(&k, 16, 1);
	nothing_is_next(&k, false);
	finish(&k, pos);
	next_is(&k, 16, 2);
	next_is(&k, 16, 3);
	nothing_is_next(&k, true);
}

static void discarded_records_are_left_out(void **state)
{
	struct kernel k;

	(void)state;
	begin(&k);
	produce(&k, 16, DISCARD, 1);
	produce(&k, 24, 0, 2);
	produce(&k, 16, DISCARD, 3);
	next_is(&k, 24, 2);
	nothing_is_next(&k, true);
	assert_int_equal(k.consumer, k.producer);
}

static void what_comes_while_one_reads_is_for_the_next_look(void **state)
{
	struct kernel k;
	uint64_t end;
	size_t len;
	bool whole;

	(void)state;
	begin(&k);
	end = spht_snap_ring_end(&k.r);
	produce(&k, 16, 0, 1);
	assert_null(spht_snap_ring_next(&k.r, end, &len, &whole));
	assert_true(whole);
	next_is(&k, 16, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_snapshot_of_a_table_is_full),
		cmocka_unit_test(a_later_one_lists_what_has_changed),
		cmocka_unit_test(a_table_that_was_emptied_is_told_in_full),
		cmocka_unit_test(what_was_forgotten_is_told_in_full),
		cmocka_unit_test(with_too_many_tables_all_begin_anew),
		cmocka_unit_test(snapshots_of_two_CPUs_are_put_in_order),
		cmocka_unit_test(what_is_too_young_stays),
		cmocka_unit_test(records_come_in_their_order_and_around_the_end),
		cmocka_unit_test(a_record_in_the_making_keeps_those_behind_it),
		cmocka_unit_test(discarded_records_are_left_out),
		cmocka_unit_test(what_comes_while_one_reads_is_for_the_next_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
