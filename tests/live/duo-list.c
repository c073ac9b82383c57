// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/die.h"
#include "tests/live/duo.h"

/* Is there an entry, and was the page accessed? */
static bool is_legal(const struct duo *d, uint64_t vpn, bool present)
{
	uint64_t table = d->guest.cr3, e = 0;

	for (unsigned int l = 4; l; l--) {
		e = ((const uint64_t *)(d->guest.mem + table))[vpn >> (9 * (l - 1)) & 511];
		if (!(e & GPTE_P))
			return false;
		table = e & GPTE_ADDR;
	}
	return (present || (e & GPTE_A)) && table != MMIO_GPA && table != COMMAND_GPA;
}

/* The first access to @trigger from that of the batch before on; false: none. */
static bool find_access(const struct duo *d, uint64_t trigger, size_t *at)
{
	size_t i = d->nr_batches ? d->batches[d->nr_batches - 1].at + 1 : 0;

	while (i < d->nr_steps && d->steps[i] != trigger)
		i++;
	*at = i;
	return i < d->nr_steps;
}

/* The batch that @trigger begins; NULL: it is no access of the pattern. */
static struct duo_batch *new_batch(struct duo *d, const char *name, uint64_t trigger)
{
	struct duo_batch *b = &d->batches[d->nr_batches];
	size_t at;

	if (d->nr_batches == DUO_BATCHES)
		die("%s: more than %u batches", name, DUO_BATCHES);
	if (!find_access(d, trigger, &at)) {
		d->foreign++;
		return NULL;
	}
	*b = (struct duo_batch){trigger, at, d->nr_touches, 0};
	d->nr_batches++;
	return b;
}

static void add_touch(struct duo *d, struct duo_batch *b, uint64_t vpn, bool present)
{
	if (!d->dynamic && !is_legal(d, vpn, present)) {
		d->illegal++;
		return;
	}
	if (!(d->nr_touches & (d->nr_touches + 1))) {
		d->touches = realloc(d->touches, 2 * (d->nr_touches + 1) * sizeof(*d->touches));
		if (!d->touches)
			die("no memory for the list");
	}
	d->touches[d->nr_touches++] = vpn;
	b->nr++;
}

void duo_read_list(struct duo *d, const char *name, bool present)
{
	uint64_t batch, last = 0, trigger, vpn;
	struct duo_batch *b = NULL;
	char line[256], end;
	FILE *f = fopen(name, "r");

	if (!f)
		die_errno("%s", name);
	for (unsigned int nr = 1; fgets(line, sizeof(line), f); nr++) {
		int got = sscanf(line, "%" SCNu64 " %" SCNx64 " %" SCNx64 " %c", &batch, &trigger,
				 &vpn, &end);

		if (got != 3 || batch < last || vpn >> 36 || trigger >> 36)
			die("%s:%u: 'BATCH TRIGGER PAGE', in order of batches, is expected", name,
			    nr);
		if (batch != last)
			b = new_batch(d, name, trigger);
		last = batch;
		if (b)
			add_touch(d, b, vpn, present);
	}
	if (ferror(f) || !last)
		die("%s: no list, nothing to help with", name);
	fclose(f);
}

/* When the main vCPU is past all pages of the batch, and of those before. */
static size_t past(const struct duo *d, const struct duo_batch *b, size_t from)
{
	size_t at = b->at > from ? b->at : from;

	for (size_t i = at + 1; i < d->nr_steps; i++)
		for (size_t t = b->first; t < b->first + b->nr; t++)
			if (d->touches[t] == d->steps[i])
				at = i;
	return at;
}

static void set_words(struct duo *d, enum duo_timing timing, unsigned int slack)
{
	size_t at = 0;

	for (size_t k = 0; k < d->nr_batches; k++) {
		const struct duo_batch *b = &d->batches[k];
		uint32_t value = (uint32_t)(DUO_FIRST + k);

		at = timing == DUO_LATE ? past(d, b, at) : b->at;
		/* The VMM tells of the guest's own faults, before the access. */
		if (!d->fill)
			*duo_word(d, at, false) = value;
		if (timing == DUO_AHEAD && !d->fill)
			*duo_word(d, at, true) = value;
		if (timing == DUO_RACE && k >= slack && b->at)
			*duo_word(d, b->at - 1, true) = value - slack;
	}
}

/* A run of touches at one distance is one entry of the script. */
static size_t run_of(const struct duo *d, size_t t, size_t end, uint64_t *stride)
{
	size_t n = 1;

	*stride = t + 1 < end ? d->touches[t + 1] - d->touches[t] : 0;
	while (t + n < end && d->touches[t + n] - d->touches[t + n - 1] == *stride)
		n++;
	return n;
}

void duo_schedule(struct duo *d, enum duo_timing timing, unsigned int slack)
{
	struct guest *g = &d->guest;
	size_t first = g->nr_ops, own;

	set_words(d, timing, slack);
	d->log_pages = (16 * d->nr_batches + PAGE - 1) / PAGE;
	d->log = guest_pages(g, d->log_pages, PAGE);
	guest_map(g, LOG_GVA, d->log, d->log_pages, GPTE_DIRTY);
	/* First its own pages, so that none of them faults later; how many, the end tells. */
	own = g->nr_ops;
	guest_read(g, HELPER_GVA, 1, PAGE);
	guest_write(g, LOG_GVA, d->log_pages, PAGE, 0);
	guest_write(g, MAIL_DONE, 1, 0, DUO_READY);
	for (size_t k = 0; k < d->nr_batches; k++) {
		const struct duo_batch *b = &d->batches[k];
		uint64_t stride;
		size_t n;

		guest_wait(g, MAIL_MAIN, (uint32_t)(DUO_FIRST + k));
		guest_stamp(g, LOG_GVA + 16 * k);
		for (size_t t = b->first; t < b->first + b->nr; t += n) {
			n = run_of(d, t, b->first + b->nr, &stride);
			guest_read(g, d->touches[t] * PAGE, n, stride * PAGE);
		}
		guest_stamp(g, LOG_GVA + 16 * k + 8);
		guest_write(g, MAIL_DONE, 1, 0, DUO_FIRST + k);
	}
	guest_write(g, MAIL_DONE, 1, 0, UINT32_MAX);
	g->ops[own].count = ((g->nr_ops + 1 - first) * sizeof(*g->ops) + PAGE - 1) / PAGE;
	guest_append_at(g, HELPER_GVA, first);
}
