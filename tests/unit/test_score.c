// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Guest tables that were read: what is made of them, and how worlds without them do.
 */
#include "what_if.h"
#include "replay/score.h"

#define ALL_MOMENTS ((1u << SPHT_SNAP_KINDS) - 1)

/* A recording of the simulated guest, whose tables are read at @moments. */
static struct sim *simulate_read(struct rig *r, unsigned int window, unsigned int vcpus,
				 uint64_t seed, unsigned int moments, enum spht_snap_mode mode)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	rig_open_raw(r, window);
	spht_observed_snapshots(r->o, mode);
	if (mode == SPHT_SNAP_IGNORE)
		spht_assemble_ignore_snaps(r->f.assemble);
	s->f.assemble = r->f.assemble;
	s->silent = true;
	s->hold = vcpus > 1 ? 10 : 0;
	s->snaps = moments;
	sim_start(s, window, vcpus, seed);
	for (unsigned int i = 0; i < 3000; i++)
		sim_step(s);
	rig_finish(r);
	return s;
}

static void score_of(struct rig *r, struct spht_score *score)
{
	struct spht_error err;

	if (spht_score_run(score, spht_observed_steps(r->o),
			   spht_observed_shadow(r->o)->tables.nr, &err))
		fail_msg("%s", err.text);
}

static void smoke(void **state)
{
	(void)state;
	for (unsigned int vcpus = 1; vcpus <= 2; vcpus++)
	for (uint64_t seed = 1; seed < 6; seed++) {
		struct rig r;
		struct sim *s;
		struct spht_score sc;
		for (int m = 0; m < 3; m++) {
			s = simulate_read(&r, 8, vcpus, seed, ALL_MOMENTS, m);
			const struct spht_fidelity *f = r.fid;
			uint64_t ag, al;
			spht_fidelity_score(f, &ag, &al);
			printf("v%u seed %lu mode %d fid %lu/%lu drops %lu %lu %lu %lu der", vcpus, seed, m, ag, al, f->drops[0], f->drops[1], f->drops[2], f->drops[3]);
			for (int d = 0; d < SPHT_DERIVED_NR; d++) printf(" %lu/%lu", f->derived[d][0], f->derived[d][1]);
			printf(" snaps %lu used %lu against %lu\n", s->nr_snaps, spht_observed_snap_use(r.o)->used, spht_observed_snap_use(r.o)->against_walk);
			if (m == 2) {
				score_of(&r, &sc);
				for (int w = 0; w < 3; w++) for (int k = 0; k < 2; k++)
					printf("   world %d set %d: A %lu %lu  P %lu %lu  ? %lu %lu\n", w, k, sc.n[w][k][0][0], sc.n[w][k][0][1], sc.n[w][k][1][0], sc.n[w][k][1][1], sc.n[w][k][2][0], sc.n[w][k][2][1]);
			}
			struct whatif wi = whatif_of(&r, 8);
			for (int w = 0; w < 3; w++) {
				struct spht_account a = run(&wi, "window", w), o = run(&wi, "oracle", w), p = run(&wi, "prefault", w);
				run(&wi, "none", w);
				printf("   %s window %lu+%lu oracle %lu+%lu prefault %lu+%lu unknown %lu illegal %lu\n", spht_world_name(w), a.avoided_direct, a.avoided_side, o.avoided_direct, o.avoided_side, p.avoided_direct, p.avoided_side, a.unknown, a.illegal);
			}
			rig_close(&r);
			free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smoke),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
