// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Intervals of a recording: what is in which of them, and that they add up to
 * the whole, in the observed MMU and in every what-if.
 */
#include "what_if.h"

static struct spht_phases open_phases(uint64_t length, uint64_t start, uint64_t end)
{
	struct spht_phases p;
	struct spht_error err;

	if (spht_phases_open(&p, length, start, end, &err))
		fail_msg("%s", err.text);
	return p;
}

static void intervals_reach_from_the_first_event_to_the_last(void **unused)
{
	struct spht_phases p;

	(void)unused;
	p = open_phases(0, 100, 1000);
	assert_int_equal(p.nr, 0);
	p = open_phases(100, 1000, 1000);
	assert_int_equal(p.nr, 1);
	spht_phases_close(&p);
	p = open_phases(100, 1000, 1099);
	assert_int_equal(p.nr, 1);
	spht_phases_close(&p);
	p = open_phases(100, 1000, 1100);
	assert_int_equal(p.nr, 2);
	spht_phases_close(&p);
}

static void too_many_intervals_are_refused(void **unused)
{
	struct spht_phases p;
	struct spht_error err;

	(void)unused;
	p = open_phases(1, 0, SPHT_MAX_PHASES - 1);
	spht_phases_close(&p);
	assert_int_equal(spht_phases_open(&p, 1, 0, SPHT_MAX_PHASES, &err), -1);
	assert_non_null(strstr(err.text, "more than 100000 intervals"));
	assert_int_equal(spht_phases_open(&p, 1, 0, UINT64_MAX, &err), -1);
}

static void fidelity_counts_where_the_exit_began(void **unused)
{
	struct spht_phases p = open_phases(100, 1000, 1300);
	struct spht_fidelity f = {0};

	(void)unused;
	assert_ptr_equal(spht_phases_exit(&p, 1099, &f), &p.v[0]);
	f.kept[0] += 1;
	assert_ptr_equal(spht_phases_exit(&p, 1100, &f), &p.v[1]);
	f.kept[0] += 2;
	f.drops[SPHT_DROP_SYNCED] += 1;
	/* Of several threads' exits one that ends later may have begun earlier. */
	assert_ptr_equal(spht_phases_exit(&p, 1050, &f), &p.v[0]);
	f.kept[0] += 4;
	f.unmodelled += 1;
	assert_ptr_equal(spht_phases_exit(&p, 1250, &f), &p.v[2]);
	f.kept[0] += 8;
	/* No event of a sound file is outside. */
	assert_ptr_equal(spht_phases_exit(&p, 999, &f), &p.v[0]);
	f.kept[0] += 16;
	assert_ptr_equal(spht_phases_exit(&p, UINT64_MAX, &f), &p.v[3]);
	f.kept[0] += 32;
	spht_phases_finish(&p, &f);
	assert_int_equal(p.v[0].fidelity.kept[0], 1 + 4 + 16);
	assert_int_equal(p.v[0].fidelity.unmodelled, 1);
	assert_int_equal(p.v[1].fidelity.kept[0], 2);
	assert_int_equal(p.v[1].fidelity.drops[SPHT_DROP_SYNCED], 1);
	assert_int_equal(p.v[2].fidelity.kept[0], 8);
	assert_int_equal(p.v[3].fidelity.kept[0], 32);
	spht_phases_close(&p);
}

static void add(struct spht_part *sum, const struct spht_part *p)
{
	for (size_t i = 0; i < sizeof(*p) / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)p)[i];
}

static const char *const heuristics[] = {"none", "window:size=16", "stride:on=both,degree=16",
					 "oracle", "prefault"};

/* The intervals' sum is the whole's count, whatever counts; and in how many something was built. */
static unsigned int assert_adds_up(struct whatif *w, const struct spht_phases *p)
{
	unsigned int busy = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(heuristics) * SPHT_WORLD_NR; i++) {
		struct spht_part *v = calloc(p->nr, sizeof(*v)), sum = {0}, whole;
		struct spht_account with, without;

		assert_non_null(v);
		w->parts = NULL;
		without = run(w, heuristics[i / SPHT_WORLD_NR], i % SPHT_WORLD_NR);
		w->parts = v;
		with = run(w, heuristics[i / SPHT_WORLD_NR], i % SPHT_WORLD_NR);
		assert_memory_equal(&with, &without, sizeof(with));
		for (uint32_t k = 0; k < p->nr; k++) {
			add(&sum, &v[k]);
			busy += v[k].built > 0;
			/* In each alone, too: a base fault is spared or it is not. */
			assert_int_equal(v[k].f_base,
					 v[k].avoided_direct + v[k].avoided_side + v[k].remaining);
		}
		whole = spht_part_of(&with);
		assert_memory_equal(&sum, &whole, sizeof(sum));
		free(v);
	}
	return busy;
}

static void what_ifs_intervals_add_up_to_the_whole(void **unused)
{
	unsigned int busy = 0;

	(void)unused;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct rig r;
		struct sim *sim = simulate_held(&r, 8, 1 + seed % 2, seed, seed & 2, -1, 20);
		struct whatif w = whatif_of(&r, 8);
		struct spht_chunk chunk;
		struct spht_phases p;
		uint64_t start, end;

		first_chunk(&r, &chunk);
		start = chunk.steps[0].t_exit;
		end = chunk.steps[chunk.nr - 1].t_exit;
		p = open_phases((end - start) / 7, start, end);
		w.phases = &p;
		w.helper_prefetch = seed & 1;
		busy += assert_adds_up(&w, &p);
		/* And in a region. */
		w.from = chunk.steps[chunk.nr / 3].t_exit;
		w.to = chunk.steps[chunk.nr / 2].t_exit;
		assert_adds_up(&w, &p);
		spht_chunk_close(&chunk);
		spht_phases_close(&p);
		free(sim);
		rig_close(&r);
	}
	assert_true(busy > 50);
}

/* How the steps are kept moves nothing from one interval to another. */
static void intervals_do_not_depend_on_chunks(void **unused)
{
	static struct spht_part v[2][9];
	struct spht_chunk chunk;

	(void)unused;
	for (unsigned int k = 0; k < 2; k++) {
		struct rig r;
		struct sim *sim;
		struct whatif w;
		struct spht_phases p;

		if (k)
			rig_room = (struct spht_room){0, 3};
		sim = simulate_held(&r, 8, 2, 5, true, -1, 20);
		rig_room = SPHT_ROOM_DEFAULT;
		w = whatif_of(&r, 8);
		first_chunk(&r, &chunk);
		p = open_phases(sim->f.ts / 7, chunk.steps[0].t_exit,
				chunk.steps[0].t_exit + sim->f.ts);
		assert_true(p.nr <= 9);
		w.phases = &p;
		w.parts = v[k];
		run(&w, "window:size=16", SPHT_WORLD_OPTIMISTIC);
		spht_chunk_close(&chunk);
		spht_phases_close(&p);
		free(sim);
		rig_close(&r);
	}
	assert_memory_equal(v[0], v[1], sizeof(v[0]));
	assert_true(v[0][3].f_base && v[0][3].helper_exits);
}

static void base_fault_counts_in_the_interval_of_its_exit(void **unused)
{
	struct spht_part v[3] = {{0}};
	struct spht_phases p;
	struct whatif w;
	struct rig r;
	uint64_t at[3];

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	for (unsigned int i = 0; i < 3; i++) {
		r.f.ts = 100000 * (i + 1);
		hidden(&r, VPN(1, 16 * i + 8), U, PTE(0x710 + i, DIRTY), SPTE_W(0x710 + i));
		at[i] = last_step(&r)->t_exit;
	}
	w = whatif_of(&r, 8);
	/* The second fault is the first exit of the second interval; the third one, of the third. */
	p = open_phases(at[1] - at[0], at[0], at[2]);
	assert_int_equal(p.nr, 3);
	w.phases = &p;
	w.parts = v;
	run(&w, "none", SPHT_WORLD_INFERRED);
	assert_int_equal(v[0].f_base, 2); /* with the rig's own before */
	assert_int_equal(v[1].f_base, 1);
	assert_int_equal(v[2].f_base, 1);
	assert_int_equal(v[2].remaining, 1);
	spht_phases_close(&p);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_reach_from_the_first_event_to_the_last),
		cmocka_unit_test(too_many_intervals_are_refused),
		cmocka_unit_test(fidelity_counts_where_the_exit_began),
		cmocka_unit_test(what_ifs_intervals_add_up_to_the_whole),
		cmocka_unit_test(intervals_do_not_depend_on_chunks),
		cmocka_unit_test(base_fault_counts_in_the_interval_of_its_exit),
	};

	return cmocka_run_group_tests_name("phase", tests, NULL, NULL);
}
