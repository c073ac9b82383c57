// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "replay/report.h"

/* "agreed/all", as wide as its column. */
static void part(FILE *out, int width, uint64_t agreed, uint64_t all)
{
	char text[48];

	snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu64, agreed, all);
	fprintf(out, " %*s", width, text);
}

static void line(FILE *out, double from_s, const struct spht_fidelity *f)
{
	struct spht_fidelity_sides s;

	spht_fidelity_sides(f, &s);
	fprintf(out, "  %9.3f", from_s);
	part(out, 16, s.absent[0], s.absent[1]);
	part(out, 14, s.present[0], s.present[1]);
	part(out, 12, f->get_page[1][0], f->get_page[1][0] + f->get_page[0][0]);
	part(out, 12, f->get_page[0][1], f->get_page[0][1] + f->get_page[1][1]);
	fprintf(out, " %6" PRIu64 " %5" PRIu64 " %5" PRIu64 " %5" PRIu64 "\n",
		f->drops[SPHT_DROP_CHANGED], f->drops[SPHT_DROP_SYNCED],
		f->drops[SPHT_DROP_FLUSHED], f->drops[SPHT_DROP_UNEXPLAINED]);
}

void spht_text_phases(FILE *out, const struct spht_recording *r)
{
	const struct spht_phases *p = &r->phases;

	if (!p->nr)
		return;
	fprintf(out,
		"\nfidelity by intervals of %g s: agreed of all checks, pages right of all, "
		"silent drops by cause\n",
		(double)p->length_ns / 1e9);
	fprintf(out, "  %9s %16s %14s %12s %12s %6s %5s %5s %5s\n", "from s", "absent", "present",
		"found", "created", "change", "sync", "flush", "none");
	for (uint32_t i = 0; i < p->nr; i++)
		line(out, (double)(i * p->length_ns) / 1e9, &p->v[i].fidelity);
}
