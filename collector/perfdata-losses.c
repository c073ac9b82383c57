// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "perfdata-losses.h"
#include "spht_trace.h"

#define MISC_BPF (1u << 15) /* LOST_SAMPLES of a BPF filter, perf 6.3 */

struct cpu_losses {
	uint64_t marked, total; /* by marks, and by the kernel's counts at the end */
	uint64_t pending, pending_ts; /* marked, and not yet told */
	uint64_t last_ts;
	bool used;
};

struct perfdata_losses {
	const struct perfdata_meta *m;
	int (*put)(void *arg, unsigned int cpu, uint64_t ts, uint64_t lost);
	void *arg;
	struct cpu_losses cpus[SPHT_MAX_CPUS];
	uint64_t homeless; /* marked without a CPU: the next event's */
	uint64_t marked, total, unplaced; /* of all CPUs; totals of events that have no CPU */
	uint64_t filtered;
	unsigned int last_cpu; /* of the last event or mark */
};

struct perfdata_losses *
perfdata_losses_new(const struct perfdata_meta *m,
		    int (*put)(void *arg, unsigned int cpu, uint64_t ts, uint64_t lost), void *arg)
{
	struct perfdata_losses *l = calloc(1, sizeof(*l));

	if (l) {
		l->m = m;
		l->put = put;
		l->arg = arg;
	}
	return l;
}

void perfdata_losses_free(struct perfdata_losses *l)
{
	free(l);
}

/* An unknown number and a known one are an unknown number. */
static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? SPHT_LOST_UNKNOWN : a + b;
}

static int tell(struct perfdata_losses *l, unsigned int cpu, uint64_t ts, uint64_t lost)
{
	return lost ? l->put(l->arg, cpu, ts, lost) : 0;
}

int perfdata_losses_at(struct perfdata_losses *l, const struct perfdata_sample *s, uint64_t lost)
{
	struct cpu_losses *c;

	if (lost != SPHT_LOST_UNKNOWN)
		l->marked = add(l->marked, lost);
	if (!s->has_cpu) {
		l->homeless = add(l->homeless, lost);
		return 0;
	}
	c = &l->cpus[s->cpu];
	if (lost != SPHT_LOST_UNKNOWN)
		c->marked = add(c->marked, lost);
	if (!c->pending)
		c->pending_ts = s->has_time ? s->time : UINT64_MAX;
	c->pending = add(c->pending, lost);
	l->last_cpu = s->cpu;
	c->used = true;
	return 0;
}

int perfdata_losses_before(struct perfdata_losses *l, unsigned int cpu, uint64_t ts)
{
	struct cpu_losses *c = &l->cpus[cpu];
	uint64_t lost = add(c->pending, l->homeless);

	c->used = true;
	if (ts > c->last_ts)
		c->last_ts = ts;
	l->last_cpu = cpu;
	if (!lost)
		return 0;
	/* A kernel before 5.10 takes the time of the mark after that of the record behind it. */
	if (c->pending && c->pending_ts < ts)
		ts = c->pending_ts;
	if (l->homeless != SPHT_LOST_UNKNOWN)
		c->marked = add(c->marked, l->homeless);
	c->pending = 0;
	l->homeless = 0;
	return tell(l, cpu, ts, lost);
}

void perfdata_losses_total(struct perfdata_losses *l, const struct perfdata_id *id, uint16_t misc,
			   uint64_t lost)
{
	if (misc & MISC_BPF) {
		l->filtered = add(l->filtered, lost);
		return;
	}
	l->total = add(l->total, lost);
	if (id && id->cpu >= 0)
		l->cpus[id->cpu].total = add(l->cpus[id->cpu].total, lost);
	else
		l->unplaced = add(l->unplaced, lost);
}

int perfdata_losses_end(struct perfdata_losses *l, bool cut)
{
	uint64_t rest = 0;

	/* In a recording by thread a thread's losses may have been marked on any CPU. */
	if (l->unplaced && l->total > l->marked)
		rest = l->total - l->marked;
	for (unsigned int cpu = 0; cpu < SPHT_MAX_CPUS; cpu++) {
		struct cpu_losses *c = &l->cpus[cpu];
		uint64_t lost = c->pending, more = 0;

		if (!l->unplaced && c->total > c->marked)
			more = c->total - c->marked;
		if (cpu == l->last_cpu)
			more = add(more, add(rest, l->homeless));
		if (more != SPHT_LOST_UNKNOWN)
			c->marked = add(c->marked, more);
		lost = add(lost, more);
		if (cut && c->used)
			lost = SPHT_LOST_UNKNOWN;
		if (tell(l, cpu, c->last_ts, lost))
			return -1;
	}
	return 0;
}

uint64_t perfdata_losses_of(const struct perfdata_losses *l, unsigned int cpu)
{
	return l->cpus[cpu].marked;
}

uint64_t perfdata_losses_filtered(const struct perfdata_losses *l)
{
	return l->filtered;
}
