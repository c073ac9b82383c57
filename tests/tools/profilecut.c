// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * profilecut PROFILE IN OUT: what a recording would be had it been made with
 * that profile of spht-record: the events of the profile, and no others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/profile.h"
#include "spht_trace.h"

/* With a filter on port accesses, which this has none of to test. */
static bool in_profile(const struct spht_event_type *t, int profile)
{
	const struct spht_profile_event *e;
	size_t nr;

	e = spht_profile_events(&nr);
	for (size_t i = 0; i < nr; i++)
		if ((int)e[i].from <= profile && !strcmp(e[i].system, t->system) &&
		    (!strcmp(e[i].event, t->name) || !strcmp(e[i].event, "*")))
			return true;
	return false;
}

static int copy(struct spht_reader *r, const char *path, int profile, struct spht_error *err)
{
	unsigned int nr, kept = 0, to[SPHT_MAX_TYPES];
	const struct spht_event_type *types = spht_reader_types(r, &nr);
	struct spht_event_type *keep = calloc(nr + 1, sizeof(*keep));
	const struct spht_event *ev;
	struct spht_writer *w = NULL;
	int rc = -1;

	for (unsigned int i = 0; keep && i < nr; i++) {
		to[i] = SPHT_MAX_TYPES;
		if (in_profile(&types[i], profile)) {
			to[i] = kept;
			keep[kept++] = types[i];
		}
	}
	if (keep)
		w = spht_writer_open(path, SPHT_WRITE_OVERWRITE, spht_reader_header(r), keep, kept,
				     3, err);
	while (w && (rc = spht_reader_next(r, &ev, err)) > 0) {
		struct spht_event copied = *ev;

		if (ev->id == SPHT_EV_LOST) {
			if (spht_writer_lost(w, ev->cpu, ev->v[0], err))
				break;
			continue;
		}
		if (to[ev->type] == SPHT_MAX_TYPES)
			continue;
		copied.type = (uint8_t)to[ev->type];
		if (spht_writer_append(w, &copied, err))
			break;
	}
	if (w && !rc)
		rc = spht_writer_close(w, NULL, 0, NULL, err);
	else
		rc = -1;
	if (rc)
		spht_writer_abort(w);
	free(keep);
	return rc;
}

int main(int argc, char **argv)
{
	struct spht_error err = {"wrong usage or no memory"};
	struct spht_reader *r = NULL;
	int profile, rc = -1;

	profile = argc == 4 ? spht_profile_find(argv[1]) : -1;
	if (profile >= 0)
		r = spht_reader_open(argv[2], 0, &err);
	if (r)
		rc = copy(r, argv[3], profile, &err);
	spht_reader_close(r);
	if (rc)
		fprintf(stderr, "profilecut: %s\n", err.text);
	return rc ? 1 : 0;
}
