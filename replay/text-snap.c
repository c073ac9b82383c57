// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "replay/report.h"

void spht_text_snapshots(FILE *out, const struct spht_recording *r)
{
	const struct spht_snap_stats *st = &r->stats.snaps;
	const struct spht_snap_use *use = spht_observed_snap_use(r->observed);

	if (!st->taken)
		return;
	fprintf(out, "snapshots    %" PRIu64 " of guest tables, ", st->taken);
	if (r->snap_mode == SPHT_SNAP_IGNORE) {
		fprintf(out, "not looked at (--snapshots=ignore)\n");
		return;
	}
	fprintf(out,
		"%" PRIu64 " %s, %" PRIu64 " of upper tables or of no exit, %" PRIu64
		" unreadable\n",
		use->used, r->snap_mode == SPHT_SNAP_SCORE ? "scored" : "used", use->other,
		st->unreadable);
	if (use->against_walk)
		fprintf(out,
			"             %" PRIu64 " walks read another entry than theirs shows\n",
			use->against_walk);
	if (st->damaged)
		fprintf(out,
			"DAMAGED      %" PRIu64
			" snapshots: cut short, out of range, or changes of what is not known; "
			"their tables are unknown until they are read in full again\n",
			st->damaged);
}

static void percent(FILE *out, const uint64_t of[2])
{
	if (of[1])
		fprintf(out, " %9.4f", 100 * (double)of[0] / (double)of[1]);
	else
		fprintf(out, " %9s", "-");
}

void spht_text_score(FILE *out, const struct spht_recording *r)
{
	static const char *const sets[SPHT_SCORE_SETS] = {
		"all entries of the tables, less those that the walks read",
		"of these, those in the aligned 16 of the fault",
	};
	const struct spht_score *s = &r->score;
	uint64_t of[2];

	if (r->snap_mode != SPHT_SNAP_SCORE || !r->stats.snaps.taken)
		return;
	fprintf(out,
		"worlds without snapshots against %" PRIu64 " snapshots (%" PRIu64
		" of a fault's table); %% right of what a\n"
		"  world calls so (precision), and called so of what is (recall)\n",
		s->snapshots, s->near_snapshots);
	for (unsigned int set = 0; set < SPHT_SCORE_SETS; set++) {
		fprintf(out, "  %s\n", sets[set]);
		fprintf(out, "  %-10s %11s %10s %11s %10s %12s %11s\n", "", "absent:right", "wrong",
			"present:right", "wrong", "undec.:absent", "present");
		for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
			const uint64_t(*n)[2] = s->n[w][set];

			fprintf(out,
				"  %-10s %12" PRIu64 " %10" PRIu64 " %13" PRIu64 " %10" PRIu64
				" %13" PRIu64 " %11" PRIu64 "\n",
				spht_world_name(w), n[SPHT_SAYS_ABSENT][0], n[SPHT_SAYS_ABSENT][1],
				n[SPHT_SAYS_PRESENT][1], n[SPHT_SAYS_PRESENT][0],
				n[SPHT_SAYS_NOTHING][0], n[SPHT_SAYS_NOTHING][1]);
			fprintf(out, "  %-10s present: precision", "");
			spht_score_precision(s, w, set, true, of);
			percent(out, of);
			fprintf(out, ", recall");
			spht_score_recall(s, w, set, true, of);
			percent(out, of);
			fprintf(out, "; absent: precision");
			spht_score_precision(s, w, set, false, of);
			percent(out, of);
			fprintf(out, ", recall");
			spht_score_recall(s, w, set, false, of);
			percent(out, of);
			fputc('\n', out);
		}
	}
}

void spht_text_left(FILE *out, const struct spht_account *a)
{
	uint64_t left = a->left_undecided + a->left_refault + a->left_rule;

	if (!a->asked_presence)
		return;
	fprintf(out,
		"  left to inference %.3f %% of %" PRIu64 " answers: %" PRIu64 " refaults, %" PRIu64
		" by other rules, %" PRIu64 " undecided\n",
		100 * (double)left / (double)a->asked_presence, a->asked_presence, a->left_refault,
		a->left_rule, a->left_undecided);
}
