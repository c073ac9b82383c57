// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "calibrate/die.h"
#include "calibrate/script.h"
#include "calibrate/stats.h"
#include "calibrate/vm.h"

#define MAX_MEMORY  (1ull << 30)
#define STAMP_GVA   0xc0000000ull
#define EMPTY       64u /* pairs of stamps with nothing between them */
#define STAMPS      (2 * (SCRIPT_TIMED + EMPTY))
#define STAMP_PAGES ((STAMPS * 8 + PAGE - 1) / PAGE)
/* Scattered: of frames in a row the TLB would hold several in one entry. */
#define SCATTER     37ull
#define FRAMES      512ull /* each mapped by few pages: KVM drops all when there are 1000 */

static void add_stamp(struct script *s)
{
	if (s->nr >= STAMPS)
		die("a script with more than %u timed accesses", SCRIPT_TIMED);
	guest_stamp(&s->guest, STAMP_GVA + 8ull * s->nr++);
}

void script_open(struct script *s)
{
	struct guest *g = &s->guest;

	guest_open(g, MAX_MEMORY);
	s->nr = 0;
	s->stamps = guest_pages(g, STAMP_PAGES, PAGE);
	s->frames = guest_pages(g, FRAMES, PAGE);
	guest_map(g, STAMP_GVA, s->stamps, STAMP_PAGES, GPTE_DIRTY);
	/* Where stamps go and where the script is: neither may fault between two stamps. */
	guest_write(g, STAMP_GVA, STAMP_PAGES, PAGE, 0);
	s->warm_up = g->nr_ops;
	guest_read(g, SCRIPT_GVA, 1, PAGE);
	for (unsigned int i = 0; i < 2 * EMPTY; i++)
		add_stamp(s);
}

void script_close(struct script *s)
{
	guest_close(&s->guest);
}

void script_map(struct script *s, unsigned int region, const uint64_t bits[GROUP])
{
	for (unsigned int i = 0; i < 512; i++)
		if (bits[i % GROUP])
			guest_map(&s->guest, DATA_GVA + region * LARGE_PAGE + i * PAGE,
				  s->frames + i * SCATTER % FRAMES * PAGE, 1, bits[i % GROUP]);
}

void script_read(struct script *s, uint64_t gva, uint64_t count, uint64_t stride)
{
	add_stamp(s);
	guest_read(&s->guest, gva, count, stride);
	add_stamp(s);
}

void script_write(struct script *s, uint64_t gva, uint64_t value)
{
	add_stamp(s);
	guest_write(&s->guest, gva, 1, 0, value);
	add_stamp(s);
}

void script_finish(struct script *s)
{
	/* The last entry, which ends the script, is still to come. */
	s->guest.ops[s->warm_up].count =
		((s->guest.nr_ops + 1) * sizeof(struct guest_op) + PAGE - 1) / PAGE;
	guest_finish(&s->guest);
}

static double cycles(const struct script *s, unsigned int pair)
{
	const uint64_t *stamps = (const uint64_t *)(s->guest.mem + s->stamps);

	return (double)(stamps[2 * pair + 1] - stamps[2 * pair]);
}

double script_ns(const struct script *s, const struct machine *m, unsigned int i)
{
	double v[EMPTY];

	for (unsigned int k = 0; k < EMPTY; k++)
		v[k] = cycles(s, k);
	return ns_of(m, cycles(s, EMPTY + i) - stats_quantile(v, EMPTY, 0.5));
}

unsigned int script_timed(const struct script *s)
{
	return s->nr / 2 - EMPTY;
}

void script_run(struct script *s)
{
	struct vcpu v;
	struct vm vm;

	vm_open(&vm, &s->guest, 2 * s->guest.tables + 64);
	vcpu_open(&v, &vm, 0, 0);
	vcpu_run_script(&v);
	vcpu_close(&v);
	vm_close(&vm);
}

void script_cost(const struct script *s, const struct machine *m, unsigned int from,
		 unsigned int to, double pages, struct cost *c)
{
	double *v = malloc((to - from) * sizeof(*v));

	if (!v)
		die("out of memory");
	for (unsigned int i = from; i < to; i++)
		v[i - from] = script_ns(s, m, i) / pages;
	cost_add(c, v, to - from);
	free(v);
}
