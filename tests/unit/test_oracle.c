// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What must hold for every heuristic on every recording: the books close, the
 * same run gives the same bytes, nobody beats the oracle.  Recordings come from
 * the simulated guest, from fixed seeds.
 */
#include "what_if.h"

static const char *const heuristics[] = {
	"nextline",
	"nextline:degree=8,on=both",
	"window:size=8",
	"window:size=16",
	"window:size=64,on=both",
	"window:size=512",
	"stride",
	"stride:on=both,degree=16",
	"prefault",
	"prefault:around=16",
};

/* What METRICS section 3 subtracts in each world. */
static double avoided(const struct whatif *w, const struct spht_account *a, enum spht_world world)
{
	double hi = (double)a->new_exits_hi;

	return spht_account_avoided(a, world == SPHT_WORLD_STRICT ? hi
				       : world == SPHT_WORLD_INFERRED
					       ? hi * w->costs.touch_probability
					       : (double)a->new_exits_lo);
}

struct setting {
	enum spht_world world;
	enum spht_legality legality;
	bool helper_prefetch;
	double touch;
};

/* Calls @body with every setting, on recordings of many kinds. */
static void on_recordings(void (*body)(const struct whatif *w, const struct setting *s,
				       const char *name))
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		static const unsigned int windows[] = {8, 1, 16};
		unsigned int window = windows[seed % 3];
		struct rig r;
		unsigned int vcpus = 1 + (seed % 4 == 0);
		struct sim *sim =
			simulate_held(&r, window, vcpus, seed, seed & 1, -1, vcpus > 1 ? 25 : 0);
		struct whatif w = whatif_of(&r, window);

		for (unsigned int i = 0; i < 2 * 2 * SPHT_WORLD_NR; i++) {
			struct setting s = {
				.world = i % SPHT_WORLD_NR,
				.legality = i / SPHT_WORLD_NR % 2 ? SPHT_LEGAL_PRESENT
								  : SPHT_LEGAL_ACCESSED,
				.helper_prefetch = i / SPHT_WORLD_NR / 2,
				.touch = seed & 2 ? 0.25 : 1,
			};
			char name[128];

			w.legality = s.legality;
			w.helper_prefetch = s.helper_prefetch;
			w.costs.touch_probability = s.touch;
			snprintf(name, sizeof(name), "seed %" PRIu64 ", %s world, %s, prefetch %d",
				 seed, spht_world_name(s.world),
				 s.legality == SPHT_LEGAL_PRESENT ? "present" : "accessed",
				 s.helper_prefetch);
			body(&w, &s, name);
		}
		free(sim);
		rig_close(&r);
	}
}

static void check_none(const struct whatif *w, const struct setting *s, const char *name)
{
	(void)name;
	assert_true(run(w, "none", s->world).f_base > 100); /* run() checks the identities */
}

static void without_a_helper_every_recording_is_replayed_as_it_was(void **unused)
{
	(void)unused;
	on_recordings(check_none);
}

static void check_oracle(const struct whatif *w, const struct setting *s, const char *name)
{
	struct spht_account a = run(w, "oracle", s->world);
	double bound = avoided(w, &a, s->world);

	for (size_t i = 0; i < ARRAY_SIZE(heuristics); i++) {
		double own;

		a = run(w, heuristics[i], s->world);
		own = avoided(w, &a, s->world);
		if (own > bound)
			fail_msg("%s: %s avoids %g, the oracle %g", name, heuristics[i], own,
				 bound);
	}
}

static void no_heuristic_beats_the_oracle(void **unused)
{
	(void)unused;
	on_recordings(check_oracle);
}

static void check_same(const struct whatif *w, const struct setting *s, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(heuristics); i += 3) {
		struct spht_account a = run(w, heuristics[i], s->world);
		struct spht_account b = run(w, heuristics[i], s->world);

		if (memcmp(&a, &b, sizeof(a)))
			fail_msg("%s: %s: two runs differ", name, heuristics[i]);
	}
}

static void two_runs_give_the_same_account(void **unused)
{
	(void)unused;
	on_recordings(check_same);
}

static uint64_t sums[2][8];

static void add_up(const struct whatif *w, const struct setting *s, const char *name)
{
	(void)name;
	for (size_t i = 0; i < ARRAY_SIZE(heuristics); i++) {
		struct spht_account a = run(w, heuristics[i], s->world);
		uint64_t *sum = sums[s->world == SPHT_WORLD_OPTIMISTIC];

		sum[0] += a.used_timely;
		sum[1] += a.avoided_side;
		sum[2] += a.unknown + a.illegal;
		sum[3] += a.used_late + a.cancelled_demand;
		sum[4] += a.zapped_unused;
		sum[5] += a.cancelled_zap;
		sum[6] += a.use_unknown;
		sum[7] += a.new_exits_hi;
	}
}

/* Guards the tests above: random recordings that nobody could avoid anything of prove nothing. */
static void recordings_make_every_book_move(void **unused)
{
	(void)unused;
	memset(sums, 0, sizeof(sums));
	on_recordings(add_up);
	for (unsigned int k = 0; k < 8; k++)
		assert_true(sums[0][k] + sums[1][k] > 0);
	assert_true(sums[0][0] > 1000);
	assert_true(sums[1][0] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_helper_every_recording_is_replayed_as_it_was),
		cmocka_unit_test(no_heuristic_beats_the_oracle),
		cmocka_unit_test(two_runs_give_the_same_account),
		cmocka_unit_test(recordings_make_every_book_move),
	};

	return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
