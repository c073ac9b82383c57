// SPDX-License-Identifier: LGPL-2.1-or-later
/* Samples and trailers of a perf.data in all their layouts, and losses that are told twice. */
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/perfdata-losses.h"
#include "collector/perfdata-sample.h"
#include "le.h"
#include "spht_trace.h"

#define BASE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_RAW)

struct bytes {
	uint8_t p[512];
	size_t len;
};

static void put64(struct bytes *b, uint64_t v)
{
	spht_put64(b->p + b->len, v);
	b->len += 8;
}

/* The order is that of include/uapi/linux/perf_event.h, written down once more. */
static struct bytes sample(uint64_t type, uint64_t format)
{
	struct bytes b = {.len = PERFDATA_HEAD};

	if (type & PERF_SAMPLE_IDENTIFIER)
		put64(&b, 501);
	if (type & PERF_SAMPLE_IP)
		put64(&b, 1);
	if (type & PERF_SAMPLE_TID)
		put64(&b, 2);
	if (type & PERF_SAMPLE_TIME)
		put64(&b, 123456789);
	if (type & PERF_SAMPLE_ADDR)
		put64(&b, 3);
	if (type & PERF_SAMPLE_ID)
		put64(&b, 501);
	if (type & PERF_SAMPLE_STREAM_ID)
		put64(&b, 4);
	if (type & PERF_SAMPLE_CPU)
		put64(&b, 0xffffffff00000007ull);
	if (type & PERF_SAMPLE_PERIOD)
		put64(&b, 1);
	if (type & PERF_SAMPLE_READ) {
		unsigned int nr = format & PERF_FORMAT_GROUP ? 3 : 1;

		if (format & PERF_FORMAT_GROUP)
			put64(&b, nr);
		for (unsigned int i = 0; i < nr; i++) {
			put64(&b, 10);
			/* In a group the times stand before the values, else behind; both count. */
			for (unsigned int bit = 0; bit < 2 && !i; bit++)
				if (format >> bit & 1)
					put64(&b, 11);
			if (format & PERF_FORMAT_ID)
				put64(&b, 12);
			if (format & 1u << 4)
				put64(&b, 13);
		}
	}
	if (type & PERF_SAMPLE_CALLCHAIN) {
		put64(&b, 2);
		put64(&b, 20);
		put64(&b, 21);
	}
	if (type & PERF_SAMPLE_RAW) {
		spht_put32(b.p + b.len, 12);
		memcpy(b.p + b.len + 4, "tracepoint!!", 12);
		b.len += 16;
	}
	if (type & PERF_SAMPLE_BRANCH_STACK)
		put64(&b, 0);
	return b;
}

static int read_sample(struct bytes *b, size_t len, uint64_t type, uint64_t format,
		       struct perfdata_sample *s)
{
	struct perfdata_attr a = {.sample_type = type, .read_format = format};
	struct perfdata_record r = {.type = PERFDATA_SAMPLE, .size = len};
	/* A copy of its own, so that a sanitizer sees what is read behind its end. */
	uint8_t *copy = malloc(len);
	int rc;

	assert_non_null(copy);
	memcpy(copy, b->p, len);
	r.p = copy;
	rc = perfdata_sample_read(&a, &r, s);
	if (!rc && s->raw)
		assert_memory_equal(s->raw, "tracepoint!!", s->raw_size);
	free(copy);
	return rc;
}

static void every_layout_is_understood(void **state)
{
	static const uint64_t more[] = {
		PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_IP,        PERF_SAMPLE_ADDR,
		PERF_SAMPLE_ID,         PERF_SAMPLE_STREAM_ID, PERF_SAMPLE_PERIOD,
		PERF_SAMPLE_READ,       PERF_SAMPLE_CALLCHAIN, PERF_SAMPLE_BRANCH_STACK};
	struct perfdata_sample s;

	(void)state;
	for (unsigned int set = 0; set < 1u << 9; set++) {
		uint64_t type = BASE;

		for (unsigned int i = 0; i < 9; i++)
			type |= set >> i & 1 ? more[i] : 0;
		for (uint64_t format = 0; format < 32; format++) {
			struct bytes b = sample(type, format);

			assert_int_equal(read_sample(&b, b.len, type, format, &s), 0);
			assert_true(s.has_time && s.has_cpu && s.raw);
			assert_int_equal(s.time, 123456789);
			assert_int_equal(s.cpu, 7);
			assert_int_equal(s.raw_size, 12);
			assert_int_equal(s.has_id,
					 !!(type & (PERF_SAMPLE_ID | PERF_SAMPLE_IDENTIFIER)));
			if (!(type & PERF_SAMPLE_READ))
				break;
		}
	}
}

static void a_sample_that_is_cut_anywhere_is_refused(void **state)
{
	const uint64_t type = BASE | PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_READ |
			      PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_PERIOD;
	struct perfdata_sample s;

	(void)state;
	for (uint64_t format = 0; format < 32; format++) {
		struct bytes b = sample(type, format);

		for (size_t len = PERFDATA_HEAD; len < b.len; len++)
			assert_int_equal(read_sample(&b, len, type, format, &s), -1);
	}
}

static void counts_inside_of_a_sample_are_not_believed(void **state)
{
	static const uint64_t hostile[] = {60, 1u << 16, UINT64_MAX, UINT64_MAX / 8,
					   UINT64_MAX / 24 + 1};
	const uint64_t types[] = {PERF_SAMPLE_CALLCHAIN, PERF_SAMPLE_READ};
	struct perfdata_sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			struct bytes b = sample(BASE | types[k], PERF_FORMAT_GROUP | 7);

			spht_put64(b.p + PERFDATA_HEAD + 24, hostile[i]);
			assert_int_equal(
				read_sample(&b, b.len, BASE | types[k], PERF_FORMAT_GROUP | 7, &s),
				-1);
		}
	}
}

/* Two events of different layout, numbered 501 and 502. */
static void two_events(struct perfdata_meta *m, struct perfdata_attr a[2], struct perfdata_id id[2],
		       uint64_t first, uint64_t second)
{
	a[0] = (struct perfdata_attr){.sample_type = first, .sample_id_all = true, .wanted = true};
	a[1] = (struct perfdata_attr){.sample_type = second, .sample_id_all = true};
	id[0] = (struct perfdata_id){.id = 501, .attr = 0, .cpu = 0};
	id[1] = (struct perfdata_id){.id = 502, .attr = 1, .cpu = 1};
	*m = (struct perfdata_meta){.attrs = a, .nr_attrs = 2, .ids = id, .nr_ids = 2};
}

static void events_are_told_apart_by_their_numbers(void **state)
{
	struct perfdata_attr a[2];
	struct perfdata_id id[2];
	struct perfdata_meta m;
	struct perfdata_ids ids;
	struct bytes b = sample(BASE | PERF_SAMPLE_IDENTIFIER, 0);
	struct perfdata_record r = {.p = b.p, .size = b.len};
	unsigned int attr;

	(void)state;
	two_events(&m, a, id, BASE | PERF_SAMPLE_IDENTIFIER,
		   PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TIME);
	assert_int_equal(perfdata_sample_ids(&m, &ids), 0);
	assert_int_equal(ids.in_sample, PERFDATA_HEAD);
	assert_int_equal(ids.in_trailer, 8);
	assert_int_equal(perfdata_sample_attr(&m, &ids, &r, &attr), 1);
	assert_int_equal(attr, 0);
	spht_put64(b.p + 8, 502);
	assert_int_equal(perfdata_sample_attr(&m, &ids, &r, &attr), 1);
	assert_int_equal(attr, 1);
	spht_put64(b.p + 8, 503);
	assert_int_equal(perfdata_sample_attr(&m, &ids, &r, &attr), 0);
	r.size = 15;
	assert_int_equal(perfdata_sample_attr(&m, &ids, &r, &attr), -1);
}

static void events_without_numbers_must_lie_alike(void **state)
{
	struct perfdata_attr a[2];
	struct perfdata_id id[2];
	struct perfdata_meta m;
	struct perfdata_ids ids;
	struct perfdata_record r = {.size = 8};
	unsigned int attr = 9;

	(void)state;
	two_events(&m, a, id, BASE, BASE | PERF_SAMPLE_IP);
	assert_int_equal(perfdata_sample_ids(&m, &ids), -1);
	two_events(&m, a, id, BASE | PERF_SAMPLE_ID, BASE | PERF_SAMPLE_IP | PERF_SAMPLE_ID);
	assert_int_equal(perfdata_sample_ids(&m, &ids), -1);
	two_events(&m, a, id, BASE, BASE);
	/* The one that is wanted stands for both. */
	a[0].wanted = false;
	a[1].wanted = true;
	assert_int_equal(perfdata_sample_ids(&m, &ids), 0);
	assert_int_equal(perfdata_sample_attr(&m, &ids, &r, &attr), 1);
	assert_int_equal(attr, 1);
	a[0].again = true;
	a[1].again = true;
	assert_int_equal(perfdata_sample_ids(&m, &ids), -1);
}

static void a_trailer_is_read_from_its_end(void **state)
{
	const uint64_t type = BASE | PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_STREAM_ID;
	struct perfdata_attr a[2];
	struct perfdata_id id[2];
	struct perfdata_meta m;
	struct perfdata_ids ids;
	struct perfdata_sample s;
	struct bytes b = {.len = PERFDATA_HEAD};
	struct perfdata_record r = {.type = PERFDATA_LOST, .p = b.p};

	(void)state;
	/* LOST, two words, then: threads, time, stream, CPU, number. */
	put64(&b, 501);
	put64(&b, 77);
	put64(&b, 1);
	put64(&b, 5555);
	put64(&b, 2);
	put64(&b, 3);
	put64(&b, 501);
	two_events(&m, a, id, type, PERF_SAMPLE_IDENTIFIER);
	assert_int_equal(perfdata_sample_ids(&m, &ids), 0);
	r.size = b.len;
	assert_int_equal(perfdata_sample_trailer(&m, &ids, &r, 16, &s), 0);
	assert_int_equal(s.time, 5555);
	assert_int_equal(s.cpu, 3);
	assert_int_equal(s.id, 501);
	for (r.size = PERFDATA_HEAD; r.size < b.len; r.size++)
		assert_int_equal(perfdata_sample_trailer(&m, &ids, &r, 16, &s), -1);
	a[0].sample_id_all = a[1].sample_id_all = false;
	assert_int_equal(perfdata_sample_ids(&m, &ids), 0);
	r.size = PERFDATA_HEAD + 16;
	assert_int_equal(perfdata_sample_trailer(&m, &ids, &r, 16, &s), 0);
	assert_false(s.has_cpu || s.has_time || s.has_id);
}

/* What the losses told, as text: "cpu@time:number ...". */
struct told {
	char text[200];
};

static int tell(void *arg, unsigned int cpu, uint64_t ts, uint64_t lost)
{
	struct told *t = arg;
	size_t len = strlen(t->text);

	snprintf(t->text + len, sizeof(t->text) - len, "%u@%d:%d ", cpu, (int)ts, (int)lost);
	return 0;
}

static void mark(struct perfdata_losses *l, int cpu, uint64_t ts, uint64_t lost)
{
	struct perfdata_sample s = {.has_cpu = cpu >= 0, .has_time = true, .time = ts};

	s.cpu = (uint32_t)cpu;
	assert_int_equal(perfdata_losses_at(l, &s, lost), 0);
}

static void a_mark_stands_before_the_next_event_of_its_cpu(void **state)
{
	struct told t = {""};
	struct perfdata_losses *l = perfdata_losses_new(NULL, tell, &t);

	(void)state;
	mark(l, 1, 105, 7);
	perfdata_losses_before(l, 0, 90);
	/* The event was there before the mark got its time. */
	perfdata_losses_before(l, 1, 100);
	perfdata_losses_before(l, 1, 110);
	mark(l, 1, 120, 3);
	mark(l, 1, 121, SPHT_LOST_UNKNOWN);
	perfdata_losses_before(l, 1, 130);
	assert_int_equal(perfdata_losses_end(l, false), 0);
	assert_string_equal(t.text, "1@100:7 1@120:-1 ");
	assert_int_equal(perfdata_losses_of(l, 1), 10);
	assert_int_equal(perfdata_losses_of(l, 0), 0);
	perfdata_losses_free(l);
}

static void a_mark_without_a_cpu_is_the_next_events(void **state)
{
	struct told t = {""};
	struct perfdata_losses *l = perfdata_losses_new(NULL, tell, &t);

	(void)state;
	mark(l, -1, 0, 4);
	perfdata_losses_before(l, 6, 50);
	mark(l, -1, 0, 5);
	assert_int_equal(perfdata_losses_end(l, false), 0);
	assert_string_equal(t.text, "6@50:4 6@50:5 ");
	assert_int_equal(perfdata_losses_of(l, 6), 9);
	perfdata_losses_free(l);
}

static void totals_add_only_what_no_mark_has_told(void **state)
{
	const struct perfdata_id ids[] = {{.cpu = 0}, {.cpu = 1}, {.cpu = -1}};
	struct told t = {""};
	struct perfdata_losses *l = perfdata_losses_new(NULL, tell, &t);

	(void)state;
	mark(l, 0, 10, 7);
	perfdata_losses_before(l, 0, 20);
	perfdata_losses_before(l, 1, 30);
	perfdata_losses_total(l, &ids[0], 0, 3);
	perfdata_losses_total(l, &ids[0], 0, 4);
	perfdata_losses_total(l, &ids[1], 0, 6);
	perfdata_losses_total(l, &ids[1], 1u << 15, 100);
	assert_int_equal(perfdata_losses_end(l, false), 0);
	assert_string_equal(t.text, "0@10:7 1@30:6 ");
	assert_int_equal(perfdata_losses_filtered(l), 100);
	perfdata_losses_free(l);

	/* By thread: whatever CPUs the marks were on. */
	t.text[0] = '\0';
	l = perfdata_losses_new(NULL, tell, &t);
	mark(l, 0, 10, 7);
	perfdata_losses_before(l, 0, 20);
	perfdata_losses_before(l, 1, 30);
	perfdata_losses_total(l, &ids[2], 0, 9);
	assert_int_equal(perfdata_losses_end(l, false), 0);
	assert_string_equal(t.text, "0@10:7 1@30:2 ");
	perfdata_losses_free(l);
}

static void a_file_that_is_cut_lacks_an_unknown_number_everywhere(void **state)
{
	struct told t = {""};
	struct perfdata_losses *l = perfdata_losses_new(NULL, tell, &t);

	(void)state;
	perfdata_losses_before(l, 0, 20);
	perfdata_losses_before(l, 3, 30);
	mark(l, 3, 40, 2);
	assert_int_equal(perfdata_losses_end(l, true), 0);
	assert_string_equal(t.text, "0@20:-1 3@30:-1 ");
	perfdata_losses_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_is_understood),
		cmocka_unit_test(a_sample_that_is_cut_anywhere_is_refused),
		cmocka_unit_test(counts_inside_of_a_sample_are_not_believed),
		cmocka_unit_test(events_are_told_apart_by_their_numbers),
		cmocka_unit_test(events_without_numbers_must_lie_alike),
		cmocka_unit_test(a_trailer_is_read_from_its_end),
		cmocka_unit_test(a_mark_stands_before_the_next_event_of_its_cpu),
		cmocka_unit_test(a_mark_without_a_cpu_is_the_next_events),
		cmocka_unit_test(totals_add_only_what_no_mark_has_told),
		cmocka_unit_test(a_file_that_is_cut_lacks_an_unknown_number_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
