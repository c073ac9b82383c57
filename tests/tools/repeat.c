// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * repeat [-r] N IN OUT: a recording N times in a row, with time stamps that go on:
 * N times the events, and the same guest and shadow page tables.  With -r the guest's
 * instruction pointers are random numbers, the same each time: a file of any size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spht_trace.h"

/* Between two of them. */
#define PAUSE_NS 1000000u

struct repeat {
	struct spht_writer *w;
	uint64_t first, last; /* time stamps of the copy before */
	uint64_t shift;
	bool begun, random;
	uint64_t dice;
};

/* Word of the instruction pointer of @ev; -1: it has none. */
static int pointer_slot(const struct spht_event *ev)
{
	if (ev->id == SPHT_EV_EXIT || ev->id == SPHT_EV_PAGE_FAULT)
		return spht_event_slot(ev->id, "guest_rip");
	return ev->id == SPHT_EV_ENTRY ? spht_event_slot(ev->id, "rip") : -1;
}

static void randomize(struct repeat *r, struct spht_event *ev)
{
	int slot = pointer_slot(ev);

	if (slot < 0)
		return;
	/* xorshift64 */
	r->dice ^= r->dice << 13;
	r->dice ^= r->dice >> 7;
	r->dice ^= r->dice << 17;
	ev->v[slot] = r->dice;
}

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
	if (r->random)
		randomize(r, &copy);
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
	struct repeat r = {.dice = 0x9e3779b97f4a7c15};
	int n, rc = 0, opt = getopt(argc, argv, "r");
	struct spht_error err;

	r.random = opt == 'r';
	n = argc - optind == 3 ? atoi(argv[optind]) : 0;
	if (n < 1 || opt == '?') {
		fprintf(stderr, "usage: repeat [-r] N IN.spht OUT.spht\n");
		return 2;
	}
	argv += optind - 1;
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
