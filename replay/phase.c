// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/phase.h"

int spht_phases_open(struct spht_phases *p, uint64_t length_ns, uint64_t start, uint64_t end,
		     struct spht_error *err)
{
	uint64_t last = length_ns && end > start ? (end - start) / length_ns : 0;

	memset(p, 0, sizeof(*p));
	p->length_ns = length_ns;
	p->start = start;
	p->end = end;
	if (!length_ns)
		return 0;
	if (last >= SPHT_MAX_PHASES) {
		spht_error_set(err,
			       "--interval=%g: the recording is %.3f s long, which makes more than "
			       "%u intervals; take longer ones",
			       (double)length_ns / 1e9, (double)(end - start) / 1e9,
			       SPHT_MAX_PHASES);
		return -1;
	}
	p->nr = (uint32_t)last + 1;
	p->v = calloc(p->nr, sizeof(*p->v));
	if (p->v)
		return 0;
	spht_error_set(err, "out of memory for %u intervals", p->nr);
	p->nr = 0;
	return -1;
}

void spht_phases_close(struct spht_phases *p)
{
	free(p->v);
	p->v = NULL;
	p->nr = 0;
}

/* @sum += @now - @seen, counter by counter. */
static void add_difference(void *sum, const void *now, const void *seen, size_t size)
{
	const uint64_t *n = now, *s = seen;
	uint64_t *to = sum;

	for (size_t i = 0; i < size / sizeof(*to); i++)
		to[i] += n[i] - s[i];
}

_Static_assert(sizeof(struct spht_fidelity) % sizeof(uint64_t) == 0, "counters of 64 bits");
_Static_assert(sizeof(struct spht_part) % sizeof(uint64_t) == 0, "counters of 64 bits");

static void close_phase(struct spht_phases *p, const struct spht_fidelity *f)
{
	add_difference(&p->v[p->now].fidelity, f, &p->seen, sizeof(*f));
	p->seen = *f;
}

/* What is earlier than all belongs to the first, what is later to the last: a damaged file's. */
static uint32_t phase_at(const struct spht_phases *p, uint64_t ns)
{
	uint64_t i = ns > p->start ? (ns - p->start) / p->length_ns : 0;

	return i < p->nr ? (uint32_t)i : p->nr - 1;
}

struct spht_phase *spht_phases_exit(struct spht_phases *p, uint64_t ns,
				    const struct spht_fidelity *f)
{
	uint32_t i = phase_at(p, ns);

	if (i != p->now)
		close_phase(p, f);
	p->now = i;
	return &p->v[i];
}

void spht_phases_finish(struct spht_phases *p, const struct spht_fidelity *f)
{
	if (p->nr)
		close_phase(p, f);
}

struct spht_part spht_part_of(const struct spht_account *a)
{
#define COPY(name) .name = a->name,
	return (struct spht_part){SPHT_PART_COUNTERS(COPY)};
#undef COPY
}

void spht_part_account(const struct spht_part *p, struct spht_account *a)
{
	memset(a, 0, sizeof(*a));
#define COPY(name) a->name = p->name;
	SPHT_PART_COUNTERS(COPY)
#undef COPY
}

static void close_part(struct spht_parts *p, const struct spht_account *a)
{
	struct spht_part now = spht_part_of(a);

	add_difference(&p->v[p->now], &now, &p->seen, sizeof(now));
	p->seen = now;
}

void spht_parts_step(struct spht_parts *p, uint64_t ns, const struct spht_account *a)
{
	uint32_t i;

	if (!p->v)
		return;
	i = phase_at(p->phases, ns);
	if (i != p->now)
		close_part(p, a);
	p->now = i;
}

void spht_parts_finish(struct spht_parts *p, const struct spht_account *a)
{
	if (p->v)
		close_part(p, a);
}
