// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is written is what is read: values, order, losses, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace_util.h"

/* Writes @nr random events of @cpus CPUs in random bursts and compares what is read. */
static void round_trip(uint64_t seed, size_t nr, unsigned int cpus, unsigned int nr_types,
		       uint64_t step)
{
	struct rng rng = {seed};
	struct spht_event *want = calloc(nr + 1, sizeof(*want));
	uint64_t ts = rng_below(&rng, 1000000);
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, nr_types);
	struct reading got;

	assert_non_null(want);
	for (size_t i = 0; i < nr; i++) {
		/* Strictly rising, so that the merged order is the order of writing. */
		ts += 1 + rng_below(&rng, step) * rng_below(&rng, 2);
		want[i] = random_event(&rng, nr_types, (unsigned int)rng_below(&rng, cpus), ts);
		append(w, &want[i]);
	}
	close_writer(w);
	got = read_all(path, 0);
	if (got.status)
		fail_msg("%s", got.err.text);
	assert_int_equal(got.nr, nr);
	assert_true(got.complete);
	for (size_t i = 0; i < nr; i++)
		assert_event_equal(&got.events[i], &want[i]);
	reading_free(&got);
	free(want);
}

static void an_empty_trace_has_no_events(void **state)
{
	(void)state;
	round_trip(1, 0, 1, 1, 1);
}

static void any_events_come_back_as_they_were(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		round_trip(seed, 1 + seed * seed, 1 + seed % 5, 1 + seed % nr_test_types,
			   1ull << seed);
}

static void many_blocks_come_back_as_they_were(void **state)
{
	(void)state;
	round_trip(100, 150000, 2, 2, 1000);
	round_trip(101, 70000, 1, nr_test_types, 1ull << 40);
}

static void four_thousand_cpus_are_merged(void **state)
{
	(void)state;
	round_trip(102, 20000, SPHT_MAX_CPUS, nr_test_types, 100);
}

static void the_ends_of_time_are_kept(void **state)
{
	static const uint64_t times[] = {0,          0,         1, 1ull << 63, UINT64_MAX - 1,
					 UINT64_MAX, UINT64_MAX};
	const size_t nr = sizeof(times) / sizeof(times[0]);
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, 1);
	struct spht_event ev = {.id = SPHT_EV_ENTRY};
	struct reading got;

	(void)state;
	for (size_t i = 0; i < nr; i++) {
		ev.ts = times[i];
		append(w, &ev);
	}
	close_writer(w);
	got = read_all(path, 0);
	assert_int_equal(got.status, 0);
	assert_int_equal(got.nr, nr);
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(got.events[i].ts, times[i]);
	reading_free(&got);
}

static void equal_times_are_ordered_by_cpu_and_position(void **state)
{
	static const uint16_t cpus[] = {3, 1, 3, 0, 1, 2, 0, 3};
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, 1);
	struct reading got;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct spht_event ev = {.ts = 5, .cpu = cpus[i], .v = {0, i}};

		append(w, &ev);
	}
	close_writer(w);
	got = read_all(path, 0);
	assert_int_equal(got.nr, 8);
	for (unsigned int i = 1; i < 8; i++) {
		const struct spht_event *a = &got.events[i - 1], *b = &got.events[i];

		assert_true(a->cpu < b->cpu || (a->cpu == b->cpu && a->v[1] < b->v[1]));
	}
	reading_free(&got);
}

static void the_same_events_make_the_same_bytes(void **state)
{
	size_t len[2];
	uint8_t *file[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rng rng = {7};
		const char *path = temp_path();
		struct spht_writer *w = open_writer(path, nr_test_types);

		for (uint64_t ts = 0; ts < 5000; ts++) {
			struct spht_event ev = random_event(&rng, nr_test_types, ts % 3, ts);

			append(w, &ev);
		}
		close_writer(w);
		file[i] = load_file(path, &len[i]);
	}
	assert_int_equal(len[0], len[1]);
	assert_memory_equal(file[0], file[1], len[0]);
	free(file[0]);
	free(file[1]);
}

static void lost(struct spht_writer *w, unsigned int cpu, uint64_t count)
{
	struct spht_error err;

	assert_int_equal(spht_writer_lost(w, cpu, count, &err), 0);
}

static void lost_events_show_where_they_are_missing(void **state)
{
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, 1);
	struct spht_event ev = {.ts = 10, .cpu = 1};
	struct reading got;

	(void)state;
	lost(w, 1, 4);
	append(w, &ev);
	ev.ts = 20;
	append(w, &ev);
	lost(w, 1, 7);
	lost(w, 1, 0);
	lost(w, 1, 2);
	ev.ts = 30;
	append(w, &ev);
	lost(w, 1, 5);
	lost(w, 1, SPHT_LOST_UNKNOWN);
	close_writer(w);
	got = read_all(path, 0);
	assert_int_equal(got.status, 0);
	assert_int_equal(got.nr, 6);
	assert_int_equal(got.events[0].id, SPHT_EV_LOST);
	assert_int_equal(got.events[0].v[0], 4);
	assert_int_equal(got.events[0].ts, 10);
	assert_int_equal(got.events[0].cpu, 1);
	assert_int_equal(got.events[2].ts, 20);
	assert_int_equal(got.events[3].id, SPHT_EV_LOST);
	assert_int_equal(got.events[3].v[0], 9);
	assert_int_equal(got.events[3].ts, 30);
	assert_int_equal(got.events[5].id, SPHT_EV_LOST);
	assert_true(got.events[5].v[0] == SPHT_LOST_UNKNOWN);
	reading_free(&got);
}

static void preamble_events_come_first(void **state)
{
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, 1);
	struct spht_error err;
	struct spht_event ev = {.preamble = true};
	struct reading got;

	(void)state;
	ev.ts = 50;
	append(w, &ev);
	ev.cpu = 1;
	append(w, &ev);
	ev.preamble = false;
	ev.ts = 60;
	append(w, &ev);
	ev.cpu = 2;
	ev.ts = 1; /* before the preamble of other CPUs, yet behind it */
	append(w, &ev);
	ev.preamble = true;
	ev.ts = 70;
	assert_int_equal(spht_writer_append(w, &ev, &err), -1);
	spht_writer_abort(w);
	assert_int_equal(access(path, F_OK), -1);

	w = open_writer(path, 1);
	ev.preamble = true;
	ev.cpu = 1;
	ev.ts = 50;
	append(w, &ev);
	ev.preamble = false;
	ev.cpu = 0;
	ev.ts = 5;
	append(w, &ev);
	close_writer(w);
	got = read_all(path, 0);
	assert_int_equal(got.nr, 2);
	assert_true(got.events[0].preamble);
	assert_int_equal(got.events[0].ts, 50);
	assert_false(got.events[1].preamble);
	reading_free(&got);
}

static void time_that_runs_backwards_is_refused(void **state)
{
	struct spht_writer *w = open_writer(temp_path(), 1);
	struct spht_event ev = {.ts = 10};
	struct spht_error err;

	(void)state;
	append(w, &ev);
	ev.ts = 9;
	assert_int_equal(spht_writer_append(w, &ev, &err), -1);
	assert_non_null(strstr(err.text, "backwards"));
	ev.cpu = 1; /* another CPU has its own order */
	append(w, &ev);
	spht_writer_abort(w);
}

static void limits_are_enforced_when_writing(void **state)
{
	static char names[SPHT_MAX_TYPES + 1][8];
	static struct spht_event_type types[SPHT_MAX_TYPES + 1];
	struct spht_writer *w = open_writer(temp_path(), 1);
	struct spht_event_field wrong = {"rip", 5, 1, 8, false, false};
	struct spht_event_type type = test_types[0];
	struct spht_event ev = {.cpu = SPHT_MAX_CPUS};
	struct spht_error err;

	(void)state;
	assert_int_equal(spht_writer_append(w, &ev, &err), -1);
	assert_int_equal(spht_writer_lost(w, SPHT_MAX_CPUS, 1, &err), -1);
	ev.cpu = 0;
	ev.type = 1;
	assert_int_equal(spht_writer_append(w, &ev, &err), -1);
	spht_writer_abort(w);
	for (unsigned int i = 0; i <= SPHT_MAX_TYPES; i++) {
		snprintf(names[i], sizeof(names[i]), "e%u", i);
		types[i].system = "s";
		types[i].name = names[i];
	}
	w = spht_writer_open(temp_path(), 0, NULL, types, SPHT_MAX_TYPES, 3, &err);
	assert_non_null(w);
	ev.type = SPHT_MAX_TYPES - 1;
	append(w, &ev);
	close_writer(w);
	assert_null(spht_writer_open(temp_path(), 0, NULL, types, SPHT_MAX_TYPES + 1, 3, &err));
	type.fields = &wrong;
	type.nr_fields = 1;
	assert_null(spht_writer_open(temp_path(), 0, NULL, &type, 1, 3, &err));
	assert_non_null(strstr(err.text, "slots"));
	assert_null(spht_writer_open(temp_path(), 0, NULL, test_types, 1, 1000, &err));
	assert_null(spht_writer_open("/nonexistent/x.spht", 0, NULL, test_types, 1, 3, &err));
}

static void an_existing_file_is_only_replaced_on_request(void **state)
{
	const char *path = temp_path();
	struct spht_error err;

	(void)state;
	save_file(path, (const uint8_t *)"precious", 8);
	assert_null(spht_writer_open(path, 0, NULL, test_types, 1, 3, &err));
	assert_int_equal(access(path, F_OK), 0);
	close_writer(open_writer(path, 1));
}

static void header_footer_and_types_are_kept(void **state)
{
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, nr_test_types);
	struct spht_ledger ledger[2] = {{.known = false}, {1ull << 63, 2, 3, 4, 5, true}};
	json_t *extra = json_pack("{s:s}", "end", "of story");
	struct spht_event ev = {.cpu = 1, .type = 2};
	const struct spht_event_type *types;
	const json_t *footer, *cpu;
	struct spht_reader *r;
	struct spht_error err;
	char hex[65];
	unsigned int nr;
	size_t blocks;

	(void)state;
	append(w, &ev);
	assert_int_equal(spht_writer_close(w, ledger, 2, extra, &err), 0);
	json_decref(extra);
	r = spht_reader_open(path, 0, &err);
	assert_non_null(r);
	assert_string_equal(json_string_value(json_object_get(spht_reader_header(r), "clock")),
			    "mono");
	footer = spht_reader_footer(r);
	assert_string_equal(json_string_value(json_object_get(footer, "end")), "of story");
	cpu = json_array_get(json_object_get(footer, "cpus"), 1);
	assert_string_equal(json_string_value(json_object_get(cpu, "written")),
			    "0x8000000000000000");
	assert_null(json_object_get(json_array_get(json_object_get(footer, "cpus"), 0), "read"));
	types = spht_reader_types(r, &nr);
	assert_int_equal(nr, nr_test_types);
	for (unsigned int i = 0; i < nr; i++) {
		assert_string_equal(types[i].name, test_types[i].name);
		assert_string_equal(types[i].system, test_types[i].system);
		assert_int_equal(types[i].id, test_types[i].id);
		assert_int_equal(types[i].nr_fields, test_types[i].nr_fields);
		for (unsigned int f = 0; f < types[i].nr_fields; f++) {
			const struct spht_event_field *a = &types[i].fields[f];
			const struct spht_event_field *b = &test_types[i].fields[f];

			assert_string_equal(a->name, b->name);
			assert_int_equal(a->slot, b->slot);
			assert_int_equal(a->nwords, b->nwords);
			assert_int_equal(a->size, b->size);
			assert_int_equal(a->is_signed, b->is_signed);
			assert_int_equal(a->is_array, b->is_array);
		}
	}
	assert_int_equal(spht_reader_blocks(r, &blocks)->nr_events, 1);
	assert_int_equal(blocks, 1);
	assert_int_equal(spht_reader_sha256(r, hex, &err), 0);
	assert_int_equal(strlen(hex), 64);
	spht_reader_close(r);
}

static void flushed_events_survive_a_writer_that_never_closes(void **state)
{
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, 1);
	struct spht_event ev = {.ts = 1};
	struct spht_error err;
	struct reading got;

	(void)state;
	append(w, &ev);
	ev.ts = 2;
	append(w, &ev);
	assert_int_equal(spht_writer_flush(w, &err), 0);
	ev.ts = 3;
	append(w, &ev);
	got = read_all(path, 0);
	assert_int_equal(got.status, -2);
	got = read_all(path, SPHT_READ_PARTIAL);
	assert_int_equal(got.status, 0);
	assert_int_equal(got.nr, 2);
	assert_false(got.complete);
	reading_free(&got);
	spht_writer_abort(w);
}

static void a_pipe_is_read_like_a_file(void **state)
{
	const char *path = temp_path();
	struct spht_writer *w = open_writer(path, 1);
	struct spht_event ev = {.ts = 1};
	char command[128], fifo[64];
	struct reading got;

	(void)state;
	append(w, &ev);
	close_writer(w);
	snprintf(fifo, sizeof(fifo), "%s", temp_path());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(command, sizeof(command), "cat %s >%s &", path, fifo);
	assert_int_equal(system(command), 0);
	got = read_all(fifo, 0);
	assert_int_equal(got.status, 0);
	assert_int_equal(got.nr, 1);
	reading_free(&got);
}

static void fields_get_canonical_slots_first_and_free_ones_after(void **state)
{
	struct spht_event_field fields[] = {
		{.name = "new_one", .size = 8},
		{.name = "fault_address", .size = 8},
		{.name = "error_code", .size = 4},
		{.name = "wide", .size = 65, .is_array = true},
	};
	uint32_t have;

	(void)state;
	/* As in 5.10, where vcpu_id and guest_rip were not there yet. */
	assert_int_equal(spht_event_layout(SPHT_EV_PAGE_FAULT, fields, 4, &have), 3);
	assert_int_equal(fields[0].slot, 4);
	assert_int_equal(fields[1].slot, SPHT_PF_ADDRESS);
	assert_int_equal(fields[2].slot, SPHT_PF_ERROR_CODE);
	assert_int_equal(fields[3].nwords, 0);
	assert_int_equal(have, 1 << 2 | 1 << 3 | 1 << 4);
	assert_int_equal(spht_event_find("kvmmmu", "kvm_mmu_zap_page"), SPHT_EV_PREPARE_ZAP_PAGE);
	assert_string_equal(spht_event_name(SPHT_EV_PREPARE_ZAP_PAGE), "kvm_mmu_prepare_zap_page");
	assert_int_equal(spht_event_find("kvm", "kvm_mmu_zap_page"), SPHT_EV_UNKNOWN);
	for (int id = SPHT_EV_ENTRY; id < SPHT_EV_NR; id++)
		assert_string_not_equal(spht_event_name((enum spht_event_id)id), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_trace_has_no_events),
		cmocka_unit_test(any_events_come_back_as_they_were),
		cmocka_unit_test(many_blocks_come_back_as_they_were),
		cmocka_unit_test(four_thousand_cpus_are_merged),
		cmocka_unit_test(the_ends_of_time_are_kept),
		cmocka_unit_test(equal_times_are_ordered_by_cpu_and_position),
		cmocka_unit_test(the_same_events_make_the_same_bytes),
		cmocka_unit_test(lost_events_show_where_they_are_missing),
		cmocka_unit_test(preamble_events_come_first),
		cmocka_unit_test(time_that_runs_backwards_is_refused),
		cmocka_unit_test(limits_are_enforced_when_writing),
		cmocka_unit_test(an_existing_file_is_only_replaced_on_request),
		cmocka_unit_test(header_footer_and_types_are_kept),
		cmocka_unit_test(flushed_events_survive_a_writer_that_never_closes),
		cmocka_unit_test(a_pipe_is_read_like_a_file),
		cmocka_unit_test(fields_get_canonical_slots_first_and_free_ones_after),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
