// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "replay/report.h"

/* What a run did with the entry that is looked at: --explain=EXIT. */

static const char *const told[SPHT_TOLD_NR] = {
	[SPHT_TOLD_ASKED] = "the heuristic asks for it: queued",
	[SPHT_TOLD_DUPLICATE] = "the heuristic asks for it again, or it is there: duplicate",
	[SPHT_TOLD_QUEUE_FULL] = "the heuristic asks for it: the queue is full",
	[SPHT_TOLD_WATCHED] = "read, not there yet: the helper watches it",
	[SPHT_TOLD_UNKNOWN] = "read: no evidence decides in this world: refused, unknown",
	[SPHT_TOLD_ILLEGAL] = "read: not present, or not to be built: refused, illegal",
	[SPHT_TOLD_THERE] = "read: the entry is there by now: refused",
	[SPHT_TOLD_CANCELLED] = "cancelled: its shadow page is zapped",
	[SPHT_TOLD_STARTED] = "the build begins",
	[SPHT_TOLD_BUILT] = "built",
	[SPHT_TOLD_BESIDE] = "comes along with a build beside it",
	[SPHT_TOLD_LATE] = "a fault on it comes before the helper is done: late",
	[SPHT_TOLD_SIDE] = "comes along with a fault that ran otherwise than in the recording",
	[SPHT_TOLD_LACKING] = "lacking: the fault that brought it in the recording is avoided here",
	[SPHT_TOLD_MADE_UP] = "no longer lacking",
	[SPHT_TOLD_BY_KVM] = "KVM makes it, as recorded",
	[SPHT_TOLD_USED] = "an access finds it: that fault is avoided",
	[SPHT_TOLD_SPENT] = "there, and a fault on it comes all the same",
	[SPHT_TOLD_GONE] = "gone: dropped or zapped, or changed by the guest",
};

static void told_line(FILE *out, const struct spht_recording *r, const struct spht_told_at *t)
{
	fprintf(out, "  %11.6f %16.3f  %s\n", (double)(t->ns - r->start) / 1e9,
		(double)t->virtual_ns / 1e3, told[t->what]);
}

static void at_the_exit(FILE *out, const struct spht_look *l, bool other)
{
	const char *why = l->helper ? ", built by the helper"
			  : l->side ? ", come along with something that differs from the recording"
			  : l->lacking ? ", lacking"
			  : l->present ? ", as recorded"
				       : "";

	fprintf(out, "  at the exit: %s%s%s%s\n",
		!l->present   ? "absent"
		: l->writable ? "present, writable"
			      : "present, read-only",
		l->present && !l->reached ? ", out of reach" : "", why,
		l->building ? "; being built"
		: l->queued ? "; queued"
			    : "");
	if (other)
		fprintf(out, "  the exit's own fault, on another entry, %s\n",
			l->avoided ? "is avoided" : "happens");
	else
		fprintf(out, "  so the fault %s\n", l->avoided ? "is avoided" : "happens");
}

void spht_text_looks(FILE *out, const struct spht_recording *rec,
		     const struct spht_run_options *opt, const struct spht_result *res, bool other)
{
	char params[SPHT_SPEC_TEXT];

	for (unsigned int i = 0; i < opt->nr_specs * opt->nr_scales; i++) {
		const struct spht_look *l = res[i].look ? &res[i].look[opt->knowledge] : NULL;
		uint64_t first = 0;

		if (!l || !l->met)
			continue;
		spht_spec_format(res[i].spec, params, sizeof(params));
		fprintf(out, "%s%s%.70s (guest time x %g, %s world)\n", res[i].spec->h->name,
			*params ? " " : "", params, res[i].scale, spht_world_name(opt->knowledge));
		if (l->nr > SPHT_LOOK_TOLD) {
			first = l->nr - SPHT_LOOK_TOLD;
			fprintf(out, "  (%" PRIu64 " earlier lines left out)\n", first);
		}
		if (l->nr)
			fprintf(out, "  %11s %16s\n", "time s", "virtual us");
		for (uint64_t k = first; k < l->nr; k++)
			told_line(out, rec, &l->told[k % SPHT_LOOK_TOLD]);
		at_the_exit(out, l, other);
	}
}
