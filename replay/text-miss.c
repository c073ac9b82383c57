// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "replay/report.h"

static const char *const checks[SPHT_CHECK_NR] = {
	[SPHT_CHECK_P_BIT] = "P bit",       [SPHT_CHECK_KEPT] = "passed over",
	[SPHT_CHECK_SPURIOUS] = "spurious", [SPHT_CHECK_PREFETCHED] = "prefetched",
	[SPHT_CHECK_FOUND] = "page found",  [SPHT_CHECK_CREATED] = "page created",
};

static const char *const beliefs[SPHT_BELIEF_NR] = {"absent", "weak", "strong"};

void spht_miss_text(char *buf, size_t size, const struct spht_miss_at *m)
{
	const char *said = m->miss.check == SPHT_CHECK_P_BIT && !m->miss.p ? "absent"
			   : m->miss.check == SPHT_CHECK_P_BIT             ? "there"
			   : m->miss.check == SPHT_CHECK_PREFETCHED        ? "absent"
			   : m->miss.check == SPHT_CHECK_CREATED           ? "not there"
									   : "there";
	const char *held = beliefs[m->miss.belief];
	char spte[40] = "";

	if (m->miss.check == SPHT_CHECK_FOUND || m->miss.check == SPHT_CHECK_CREATED)
		held = m->miss.belief == SPHT_BELIEF_ABSENT ? "not there" : "there";
	else if (m->miss.check == SPHT_CHECK_PREFETCHED)
		held = "present";
	if (m->spte)
		snprintf(spte, sizeof(spte), " %#" PRIx64, m->spte);
	snprintf(buf, size, "%s: %s; held: %s%s", checks[m->miss.check], said, held, spte);
}

void spht_text_misses(FILE *out, const struct spht_recording *r, const struct spht_misses *m)
{
	char what[120];

	fprintf(out, "\n%zu misses (checks 1 to 3; of check 4, pages found and created)\n", m->nr);
	fprintf(out, "%6s %9s %11s %-8s %-18s %s\n", "miss", "exit", "time s", "class", "address",
		"check: what it says; what the model held");
	for (size_t i = 0; i < m->nr; i++) {
		const struct spht_miss_at *a = &m->v[i];
		const char *cls = a->cls == SPHT_CLASS_PTWRITE_EMUL     ? "ptw_emul"
				  : a->cls == SPHT_CLASS_PTWRITE_UNSYNC ? "ptw_uns"
				  : a->number                           ? spht_class_name(a->cls)
									: "-";

		spht_miss_text(what, sizeof(what), a);
		fprintf(out, "%6zu %9" PRIu64 " %11.6f %-8s %#-18" PRIx64 " %s\n", i + 1, a->number,
			(double)(a->ns - r->start) / 1e9, cls, a->gva, what);
	}
}
