// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "calibrate/die.h"
#include "tests/live/duo.h"
#include "tests/live/words.h"

#define MAX_MEMORY (1ull << 30)
#define UNTOUCHED  (GPTE_P | GPTE_W | GPTE_U)
#define STREAM_GAP (64ull << 20) /* from one of two streams to the other */

static uint64_t groups_of(uint64_t pages)
{
	return (pages + GROUP - 1) / GROUP;
}

static void map_data(struct duo *d, uint64_t gva, uint64_t nr, uint64_t bits)
{
	uint64_t pages = groups_of(nr) * GROUP;

	guest_map(&d->guest, gva, guest_pages(&d->guest, pages, PAGE), pages, bits);
}

static void step(struct duo *d, uint64_t gva, uint64_t count, uint64_t stride)
{
	const struct guest_steps how = {WORDS_GVA + 8 * d->nr_steps, MAIL_MAIN, MAIL_DONE,
					d->think};

	if (d->nr_steps + count > DUO_STEPS)
		die("more than %u accesses", DUO_STEPS);
	guest_steps(&d->guest, gva, count, stride, &how);
	for (uint64_t i = 0; i < count; i++)
		d->steps[d->nr_steps++] = (gva + i * stride) / PAGE;
}

static void build_stride(struct duo *d, const uint64_t *arg)
{
	uint64_t span = (arg[0] - 1) * arg[1] + 1;

	map_data(d, DATA_GVA, span, GPTE_DIRTY);
	step(d, DATA_GVA, arg[0], arg[1] * PAGE);
	d->expect_hidden += arg[1] >= GROUP ? arg[0] : groups_of(span);
}

static void build_sequential(struct duo *d, const uint64_t *arg)
{
	build_stride(d, (const uint64_t[]){arg[0], 1});
}

static void build_random(struct duo *d, const uint64_t *arg)
{
	static uint8_t seen[DUO_STEPS]; /* by group: fewer than accesses */
	uint64_t pages = 4 * arg[0], x = arg[1];

	memset(seen, 0, sizeof(seen));
	map_data(d, DATA_GVA, pages, GPTE_DIRTY);
	for (uint64_t i = 0; i < arg[0]; i++) {
		uint64_t page = words_next(&x) % pages;

		step(d, DATA_GVA + page * PAGE, 1, 0);
		d->expect_hidden += !seen[page / GROUP];
		seen[page / GROUP] = 1;
	}
}

static void build_two(struct duo *d, const uint64_t *arg)
{
	map_data(d, DATA_GVA, arg[0], GPTE_DIRTY);
	map_data(d, DATA_GVA + STREAM_GAP, arg[0], GPTE_DIRTY);
	for (uint64_t i = 0; i < arg[0]; i++)
		step(d, DATA_GVA + i * PAGE, 2, STREAM_GAP);
	d->expect_hidden += 2 * groups_of(arg[0]);
}

static void build_a0(struct duo *d, const uint64_t *arg)
{
	map_data(d, DATA_GVA, arg[0], UNTOUCHED);
	step(d, DATA_GVA, arg[0], PAGE);
	d->expect_ad += arg[0];
}

/* The VMM stores the entry of each page when the guest has faulted on it. */
static void build_guest(struct duo *d, const uint64_t *arg)
{
	d->fill = guest_pages(&d->guest, arg[0], PAGE);
	for (uint64_t i = 0; i < arg[0]; i += 512)
		guest_table(&d->guest, DATA_GVA + i * PAGE, 1);
	step(d, DATA_GVA, arg[0], PAGE);
	d->expect_guest += arg[0];
	d->expect_hidden += arg[0];
	d->dynamic = true;
}

/*
 * The guest stores an entry through another mapping of its table, looks at that mapping once
 * more, which is where the helper is told, and reads the page.  CR3 is loaded anew, so that
 * the next store is seen again.
 */
static void build_store(struct duo *d, const uint64_t *arg)
{
	struct guest *g = &d->guest;
	uint64_t frames = guest_pages(g, arg[0], PAGE);

	map_data(d, DATA_GVA, GROUP, GPTE_DIRTY);
	guest_map(g, ALIAS_GVA, guest_table(g, DATA_GVA, 1), 1, GPTE_DIRTY);
	step(d, DATA_GVA, GROUP, PAGE);
	d->expect_hidden++;
	for (uint64_t k = 0; k < arg[0]; k++) {
		/* Second of its group: the first is not mapped, so KVM prefetches nothing. */
		uint64_t page = GROUP * (k + 1) + 1;

		guest_write(g, ALIAS_GVA + 8 * page, 1, 0, (frames + k * PAGE) | GPTE_DIRTY);
		step(d, ALIAS_GVA, 1, 0);
		step(d, DATA_GVA + page * PAGE, 1, 0);
		guest_command(g, COMMAND_FLUSH);
	}
	d->expect_unsync += arg[0];
	d->expect_hidden += arg[0];
	d->expect_mmio += arg[0];
	d->dynamic = true;
}

const struct duo_pattern duo_patterns[] = {
	{"sequential", "N", "reads N pages in a row", 1, {DUO_STEPS, 0}, build_sequential},
	{"stride", "N S", "reads N pages, S apart", 2, {DUO_STEPS, 64}, build_stride},
	{"random", "N SEED", "reads N of 4 N pages", 2, {480, UINT64_MAX}, build_random},
	{"two", "N", "two streams of N pages each, by turns", 1, {480, 0}, build_two},
	{"guest", "N", "N pages that the VMM maps when it faults", 1, {DUO_BATCHES, 0}, build_guest},
	{"store", "N", "maps and reads a page, N times", 1, {56, 0}, build_store},
	{"a0", "N", "reads N pages with the accessed bit clear", 1, {DUO_STEPS, 0}, build_a0},
	{NULL, NULL, NULL, 0, {0, 0}, NULL},
};

uint32_t *duo_word(const struct duo *d, size_t at, bool wait)
{
	return (uint32_t *)(d->guest.mem + d->words) + 2 * at + wait;
}

void duo_build(struct duo *d, const struct duo_pattern *pat, const uint64_t *arg, uint64_t think,
	       bool helped)
{
	struct guest *g = &d->guest;

	guest_open(g, MAX_MEMORY);
	d->think = think;
	d->mail = guest_pages(g, 1, PAGE);
	guest_map(g, MAIL_GVA, d->mail, 1, GPTE_DIRTY);
	d->words = guest_pages(g, GROUP, PAGE);
	guest_map(g, WORDS_GVA, d->words, GROUP, GPTE_DIRTY);
	/* All of its own is touched before the helper begins, the code too. */
	guest_read(g, WORDS_GVA, 1, 0);
	guest_write(g, MAIL_MAIN, 1, 0, DUO_READY);
	guest_wait(g, MAIL_DONE, helped ? DUO_READY : 0);
	guest_stamp(g, MAIL_FROM);
	pat->build(d, arg);
	guest_stamp(g, MAIL_TO);
	/* Tells the helper, if it waits for that, that all is over. */
	guest_write(g, MAIL_MAIN, 1, 0, UINT32_MAX);
	guest_wait(g, MAIL_DONE, helped ? UINT32_MAX : 0);
	if (g->nr_ops > DUO_OPS)
		die("a script of more than %u entries", DUO_OPS);
	guest_finish(g);
	/* Code, script, mail and words: a group each. */
	d->expect_hidden += 4;
	d->expect_mmio += 1;
}
