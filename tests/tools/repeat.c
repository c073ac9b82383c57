// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * repeat N IN OUT: a recording N times in a row, with time stamps that go on:
 * N times the events, and the same guest and shadow page tables.
 */
#include <stdio.h>
#include <stdlib.h>

#include "spht_trace.h"

/* Between two of them. */
#define PAUSE_NS 1000000u

struct repeat {
	struct spht_writer *w;
	uint64_t first, last; /* time stamps of the copy before */
	uint64_t shift;
	bool begun;
};

static int append(struct repeat *r, const struct spht_event *ev, bool again, struct spht_error *err)
{
	struct spht_event copy = *ev;

	if (ev->id == SPHT_EV_LOST)
		return spht_writer_lost(r->w, ev->cpu, ev->v[0], err);
	/* The state at the beginning is told once. */
	if (again && ev->preamble)
		return 0;
	if (!r->begun)
		r->first = ev->ts;
	r->begun = true;
	if (ev->ts > r->last)
		r->last = ev->ts;
	copy.ts += r->shift;
	return spht_writer_append(r->w, &copy, err);
}

static int one(struct repeat *r, const char *in, const char *out, bool again,
	       struct spht_error *err)
{
	struct spht_reader *reader = spht_reader_open(in, 0, err);
	const struct spht_event_type *types;
	const struct spht_event *ev;
	unsigned int nr;
	int rc;

	if (!reader)
		return -1;
	types = spht_reader_types(reader, &nr);
	if (!r->w)
		r->w = spht_writer_open(out, SPHT_WRITE_OVERWRITE, spht_reader_header(reader),
					types, nr, 3, err);
	rc = r->w ? 1 : -1;
	while (rc > 0 && (rc = spht_reader_next(reader, &ev, err)) > 0)
		if (append(r, ev, again, err))
			rc = -1;
	spht_reader_close(reader);
	return rc;
}

int main(int argc, char **argv)
{
	int n = argc == 4 ? atoi(argv[1]) : 0, rc = 0;
	struct repeat r = {0};
	struct spht_error err;

	if (n < 1) {
		fprintf(stderr, "usage: repeat N IN.spht OUT.spht\n");
		return 2;
	}
	for (int i = 0; i < n && !rc; i++) {
		rc = one(&r, argv[2], argv[3], i > 0, &err);
		r.shift += r.last - r.first + PAUSE_NS;
	}
	if (!rc)
		rc = spht_writer_close(r.w, NULL, 0, NULL, &err);
	if (rc) {
		spht_writer_abort(r.w);
		fprintf(stderr, "repeat: %s\n", err.text);
	}
	return rc ? 1 : 0;
}
