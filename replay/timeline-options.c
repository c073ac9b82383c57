// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/timeline-options.h"

/* What a timeline cannot be made of; NULL: it can. */
static const char *unfit(const struct spht_run_options *run, bool real, int nr_files)
{
	if (nr_files != 1)
		return "several recordings";
	if (run->nr_specs != 1)
		return "several heuristics or configurations";
	if (run->nr_scales != 1)
		return "several factors of --guest-time-scale";
	/* Below, a helper takes no time. */
	if (run->rules != SPHT_RULES_ALL)
		return "--rules but all, where nothing takes the time it takes";
	/* Its helper is another thread, whose clock is the machine's. */
	return real ? "--clock=real; the virtual clock's prediction has one" : NULL;
}

int spht_timeline_check(const struct spht_timeline_options *o, const struct spht_run_options *run,
			bool real, int nr_files, struct spht_error *err)
{
	const char *what;

	if (!o->file && o->window.given) {
		spht_error_set(err, "--timeline-window needs --timeline=FILE");
		return -1;
	}
	what = o->file ? unfit(run, real, nr_files) : NULL;
	if (!what)
		return 0;
	spht_error_set(err, "--timeline shows one run: not with %s", what);
	return -1;
}

int spht_timeline_begin(struct spht_timeline *t, const struct spht_timeline_options *o,
			const struct spht_recording *r, struct spht_error *err)
{
	uint64_t begin = r->roi.from > r->start ? r->roi.from : r->start;

	if (!r->stats.has_exits) {
		spht_error_set(err, "--timeline: without kvm_exit and kvm_entry nothing says how "
				    "long the guest ran");
		return -1;
	}
	spht_timeline_init(t, &o->window, r->start, begin);
	if (t->from <= r->stats.t_last)
		return 0;
	spht_error_set(err, "--timeline-window begins at %.9f s, and the recording ends at %.9f s",
		       (double)(t->from - r->start) / 1e9,
		       (double)(r->stats.t_last - r->start) / 1e9);
	return -1;
}
