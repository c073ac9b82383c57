// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a recording leaves behind for its what-ifs: steps in chunks, changes in
 * their order, most of it on the disk; and that nobody sees where chunks end.
 */
#include <dirent.h>
#include <unistd.h>

#include "what_if.h"

#define MIB ((size_t)1 << 20)

/* A byte for each place, of no short period. */
static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 2654435761u >> 13 ^ i);
}

static void append(struct spht_spill *s, uint64_t *end, size_t n)
{
	uint8_t *data = malloc(n);
	struct spht_error err;
	uint64_t at;

	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(*end + i);
	if (spht_spill_append(s, data, n, &at, &err))
		fail_msg("%s", err.text);
	assert_int_equal(at, *end);
	*end += n;
	free(data);
}

static void check_read(const struct spht_spill *s, uint64_t at, size_t n)
{
	uint8_t *data = malloc(n + 1);
	struct spht_error err;

	data[n] = 0xa5;
	assert_int_equal(spht_spill_read(s, at, data, n, &err), 0);
	for (size_t i = 0; i < n; i++)
		if (data[i] != byte_at(at + i))
			fail_msg("byte %" PRIu64 " is another", at + i);
	assert_int_equal(data[n], 0xa5);
	free(data);
}

static void bytes_come_back_wherever_memory_ends(void **unused)
{
	static const size_t limits[] = {0, 1, 2 * MIB, 3 * MIB, 64 * MIB};

	(void)unused;
	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		struct spht_spill *s = spht_spill_open(limits[i]);
		uint64_t end = 0;

		assert_non_null(s);
		for (size_t n = 1; end < 7 * MIB; n = n * 3 + 1)
			append(s, &end, n);
		append(s, &end, 0);
		assert_int_equal(spht_spill_held(s) + spht_spill_written(s), end);
		assert_true(spht_spill_held(s) < limits[i] + 2 * MIB);
		assert_true(spht_spill_held(s) >= (limits[i] < end ? limits[i] : end));
		check_read(s, 0, (size_t)end);
		for (uint64_t at = 0; at + 70000 < end; at += 65521)
			check_read(s, at, 70000);
		spht_spill_close(s);
	}
}

static unsigned int files_in(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void file_is_made_when_memory_is_full_and_has_no_name(void **unused)
{
	char dir[] = "/tmp/spht-steps.XXXXXX", byte = 1;
	struct spht_spill *s = spht_spill_open(2 * MIB);
	struct spht_error err;
	uint64_t at, end = 0;

	(void)unused;
	setenv("TMPDIR", "/nonexistent/tmp", 1);
	append(s, &end, 2 * MIB); /* fits */
	assert_int_equal(spht_spill_append(s, &byte, 1, &at, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/tmp: "));
	assert_non_null(strstr(err.text, "No such file or directory"));
	assert_non_null(strstr(err.text, "set TMPDIR"));
	assert_non_null(mkdtemp(dir));
	setenv("TMPDIR", dir, 1);
	append(s, &end, 3);
	assert_int_equal(spht_spill_written(s), 3);
	assert_int_equal(files_in(dir), 0);
	check_read(s, 0, 2 * MIB + 3);
	spht_spill_close(s);
	assert_int_equal(rmdir(dir), 0);
	unsetenv("TMPDIR");
}

/* Steps: @nr of them, step i at 1000 + i of vCPU i % 3, with i % 5 times something to do. */
static void add_steps(struct spht_steps *s, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct spht_step *st = spht_steps_add(s);

		assert_non_null(st);
		st->t_exit = 1000 + i;
		st->vcpu = (uint16_t)(i % 3);
		for (uint32_t k = 0; k < i % 5; k++)
			assert_int_equal(spht_steps_do(s, SPHT_DO_PREFETCH, i, k, k & 1), 0);
	}
}

static void load(struct spht_chunk *c, const struct spht_steps *s, uint32_t nr)
{
	struct spht_error err;

	if (spht_chunk_load(c, s, nr, &err))
		fail_msg("%s", err.text);
}

static void check_steps(const struct spht_chunk *c)
{
	for (uint32_t i = 0; i < c->nr; i++) {
		const struct spht_step *st = &c->steps[i];

		assert_int_equal(st->t_exit, 1000 + c->first + i);
		assert_int_equal(st->nr_do, (c->first + i) % 5);
		for (uint32_t k = 0; k < st->nr_do; k++) {
			const struct spht_do *d = &c->dos[st->first_do + k];

			assert_int_equal(d->page, c->first + i);
			assert_int_equal(d->index, k);
			assert_int_equal(d->writable, k & 1);
			assert_false(d->touched);
		}
	}
}

static void steps_come_back_in_chunks_with_what_they_do(void **unused)
{
	struct spht_steps s;
	struct spht_chunk c;

	(void)unused;
	for (uint32_t nr = 0; nr < 40; nr += 3) {
		assert_int_equal(spht_steps_init(&s, (struct spht_room){0, 3}), 0);
		spht_chunk_init(&c);
		add_steps(&s, nr);
		assert_int_equal(spht_steps_finish(&s), 0);
		assert_int_equal(s.nr, nr);
		assert_int_equal(s.nr_chunks, (nr + 7) / 8);
		for (uint32_t k = s.nr_chunks; k-- > 0;) {
			bool last = k + 1 == s.nr_chunks;

			load(&c, &s, k);
			assert_int_equal(c.first, 8 * k);
			assert_int_equal(c.nr, last ? nr - 8 * k : 8);
			assert_int_equal(c.has_next, !last);
			if (!last)
				assert_int_equal(c.t_next, 1000 + 8 * (k + 1));
			check_steps(&c);
		}
		spht_chunk_close(&c);
		spht_steps_close(&s);
	}
}

static void step_can_be_changed_until_the_next_one_comes(void **unused)
{
	struct spht_steps s;
	struct spht_chunk c;

	(void)unused;
	assert_int_equal(spht_steps_init(&s, (struct spht_room){0, 0}), 0);
	spht_chunk_init(&c);
	for (uint32_t i = 0; i < 3; i++) {
		struct spht_step *st = spht_steps_add(&s);

		st->t_exit = 50 - i;
		st->vcpu = 7;
		st->flags = i == 2 ? SPHT_STEP_LOOSE : 0; /* no exit */
		assert_int_equal(spht_steps_do(&s, SPHT_DO_ZAP, i, 0, false), 0);
	}
	assert_int_equal(spht_steps_finish(&s), 0);
	assert_int_equal(s.t_start, 49);
	assert_int_equal(s.nr_vcpus, 8);
	for (uint32_t i = 0; i < 3; i++) {
		load(&c, &s, i);
		assert_int_equal(c.steps[0].t_exit, 50 - i);
		assert_int_equal(c.dos[c.steps[0].first_do].page, i);
	}
	spht_chunk_close(&c);
	spht_steps_close(&s);
}

#define CHANGES (3 * SPHT_CHANGES_BUFFER + 12345)

/* A change's step, its kind: of no order. */
static uint32_t scattered(uint32_t i, uint32_t nr)
{
	return (uint32_t)((uint64_t)i * 0x9e3779b97f4a7c15ull >> 32) % nr;
}

static void changes_come_by_step_and_in_a_step_as_they_were_told(void **unused)
{
	enum { STEPS = 1000 };
	struct spht_steps s;
	struct spht_chunk c;
	uint32_t seen = 0;

	(void)unused;
	assert_int_equal(spht_steps_init(&s, (struct spht_room){0, 4}), 0);
	spht_chunk_init(&c);
	add_steps(&s, STEPS);
	for (uint32_t i = 0; i < CHANGES; i++)
		assert_int_equal(spht_changes_add(&s.changes,
						  (struct spht_change){
							  .step = scattered(i, STEPS),
							  .table = i,
							  .kind = (uint8_t)scattered(i + 7, 3),
						  }),
				 0);
	assert_int_equal(spht_steps_finish(&s), 0);
	for (uint32_t k = 0; k < s.nr_chunks; k++) {
		load(&c, &s, k);
		check_steps(&c);
		for (unsigned int kind = 0; kind < SPHT_CHANGE_NR; kind++) {
			const struct spht_change *v = c.changes[kind];

			for (uint32_t i = 0; i < c.nr_changes[kind]; i++) {
				assert_int_equal(v[i].step, scattered(v[i].table, STEPS));
				assert_int_equal(kind, scattered(v[i].table + 7, 3));
				assert_true(v[i].step >= c.first && v[i].step < c.first + c.nr);
				if (!i)
					continue;
				assert_true(v[i - 1].step <= v[i].step);
				assert_true(v[i - 1].step < v[i].step ||
					    v[i - 1].table < v[i].table);
			}
			seen += c.nr_changes[kind];
		}
	}
	assert_int_equal(seen, CHANGES);
	spht_chunk_close(&c);
	spht_steps_close(&s);
}

/* Packed, they leave room for so many tables and no more. */
static void change_of_a_table_too_many_is_refused(void **unused)
{
	enum { BITS = 16 };
	const uint32_t end = 1u << (64 - SPHT_PACKED_BITS - BITS);
	struct spht_change last = {.step = (1u << BITS) - 1,
				   .table = end - 1,
				   .index = SPHT_PT_ENTRIES,
				   .state = 0xff,
				   .kind = SPHT_CHANGE_OPTIMISTIC};
	struct spht_change beyond = {.table = end};
	struct spht_steps s;
	struct spht_chunk c;

	(void)unused;
	assert_int_equal(spht_steps_init(&s, (struct spht_room){0, BITS}), 0);
	spht_chunk_init(&c);
	add_steps(&s, 1u << BITS);
	assert_int_equal(spht_changes_add(&s.changes, last), 0);
	assert_int_equal(spht_changes_add(&s.changes, beyond), -1);
	assert_non_null(strstr(s.changes.err.text, "more than 134217728 page tables"));
	assert_int_equal(spht_steps_finish(&s), 0);
	load(&c, &s, 0);
	assert_int_equal(c.nr_changes[SPHT_CHANGE_OPTIMISTIC], 1);
	assert_memory_equal(c.changes[SPHT_CHANGE_OPTIMISTIC], &last, sizeof(last));
	spht_chunk_close(&c);
	spht_steps_close(&s);
}

static void drops_of_one_step_come_by_page_and_index(void **unused)
{
	static const uint32_t want[][3] = {{1, 5, 5}, {2, 3, 8}, {2, 4, 0}, {2, 4, 1}, {2, 9, 0}};
	static const unsigned int told[] = {4, 2, 0, 3, 1};
	struct spht_steps s;
	struct spht_chunk c;

	(void)unused;
	assert_int_equal(spht_steps_init(&s, SPHT_ROOM_DEFAULT), 0);
	spht_chunk_init(&c);
	add_steps(&s, 4);
	for (unsigned int i = 0; i < ARRAY_SIZE(told); i++) {
		const uint32_t *w = want[told[i]];

		assert_int_equal(spht_steps_drop(&s, w[0], w[1], w[2]), 0);
	}
	assert_int_equal(spht_steps_finish(&s), 0);
	load(&c, &s, 0);
	assert_int_equal(c.nr_changes[SPHT_CHANGE_DROP], ARRAY_SIZE(want));
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		const struct spht_change *d = &c.changes[SPHT_CHANGE_DROP][i];

		assert_int_equal(d->step, want[i][0]);
		assert_int_equal(d->page, want[i][1]);
		assert_int_equal(d->index, want[i][2]);
	}
	spht_chunk_close(&c);
	spht_steps_close(&s);
}

static void touch_told_late_marks_the_prefetch_that_set_the_entry(void **unused)
{
	static const struct spht_do dos[] = {
		{3, 8, SPHT_DO_PREFETCH, true, false, 0},
		{3, 8, SPHT_DO_PREFETCH, false, false, 0}, /* set again: this one */
		{3, 8, SPHT_DO_SET, false, false, 0},
		{3, 9, SPHT_DO_PREFETCH, false, false, 0},
		{4, 8, SPHT_DO_PREFETCH, false, false, 0},
	};
	struct spht_steps s;
	struct spht_chunk c;

	(void)unused;
	assert_int_equal(spht_steps_init(&s, (struct spht_room){0, 1}), 0);
	spht_chunk_init(&c);
	for (unsigned int i = 0; i < 5; i++) {
		assert_non_null(spht_steps_add(&s));
		for (unsigned int k = 0; k < ARRAY_SIZE(dos); k++)
			assert_int_equal(spht_steps_do(&s, dos[k].kind, dos[k].page, dos[k].index,
						       dos[k].writable),
					 0);
	}
	assert_int_equal(spht_steps_touch(&s, 3, 3, 8), 0);
	assert_int_equal(spht_steps_finish(&s), 0);
	for (unsigned int i = 0; i < 5; i++) {
		load(&c, &s, i / 2);
		for (unsigned int k = 0; k < ARRAY_SIZE(dos); k++)
			assert_int_equal(c.dos[c.steps[i % 2].first_do + k].touched,
					 i == 3 && k == 1);
	}
	spht_chunk_close(&c);
	spht_steps_close(&s);
}

static const char *const heuristics[] = {
	"none", "window:size=16", "prefault", "oracle", "stride:on=both,degree=16",
};

#define ACCOUNTS (ARRAY_SIZE(heuristics) * SPHT_WORLD_NR * 2)

/* A simulated recording that loses events twice, kept in chunks of 2^@bits steps. */
static void record(struct rig *r, struct sim *s, unsigned int bits, uint64_t seed)
{
	rig_room = (struct spht_room){0, bits};
	rig_open_raw(r, 8);
	rig_room = SPHT_ROOM_DEFAULT;
	memset(s, 0, sizeof(*s));
	s->f.assemble = r->f.assemble;
	s->silent = seed & 2;
	s->hold = 20;
	sim_start(s, 8, 1 + seed % 2, seed);
	for (unsigned int i = 0; i < 1500; i++) {
		sim_step(s);
		if (seed < 3 || i % 300 != 299)
			continue;
		s->f.ts += 50000; /* the helper goes on until then */
		feed(&s->f, ev_lost(5));
	}
}

/* What-ifs of all of it, and of its middle. */
static void all_accounts(struct spht_account *to, unsigned int bits, uint64_t seed)
{
	struct sim *s = malloc(sizeof(*s));
	struct whatif w;
	struct rig r;

	record(&r, s, bits, seed);
	w = whatif_of(&r, 8);
	w.helper_prefetch = seed & 1;
	for (unsigned int i = 0; i < ACCOUNTS; i++) {
		w.from = i & 1 ? s->f.ts / 3 : 0;
		w.to = i & 1 ? s->f.ts / 2 : 0;
		to[i] = run(&w, heuristics[i / 2 / SPHT_WORLD_NR], i / 2 % SPHT_WORLD_NR);
	}
	rig_close(&r);
	free(s);
}

static void what_ifs_do_not_see_where_chunks_end(void **unused)
{
	static struct spht_account whole[ACCOUNTS], got[ACCOUNTS];

	(void)unused;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		all_accounts(whole, 16, seed);
		for (unsigned int bits = 0; bits < 8; bits += 2 + bits) {
			all_accounts(got, bits, seed);
			assert_memory_equal(got, whole, sizeof(whole));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_back_wherever_memory_ends),
		cmocka_unit_test(file_is_made_when_memory_is_full_and_has_no_name),
		cmocka_unit_test(steps_come_back_in_chunks_with_what_they_do),
		cmocka_unit_test(step_can_be_changed_until_the_next_one_comes),
		cmocka_unit_test(changes_come_by_step_and_in_a_step_as_they_were_told),
		cmocka_unit_test(change_of_a_table_too_many_is_refused),
		cmocka_unit_test(drops_of_one_step_come_by_page_and_index),
		cmocka_unit_test(touch_told_late_marks_the_prefetch_that_set_the_entry),
		cmocka_unit_test(what_ifs_do_not_see_where_chunks_end),
	};

	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
