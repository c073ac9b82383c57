// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/live/patterns.h"
#include "tests/live/words.h"

#define MAX_MEMORY (2ull << 30)
#define MAX_PAGES  (4ull << 20) /* of data; each frame is mapped less often than KVM allows */
#define POOL       8192ull /* frames that all data pages share, except where it matters */
#define UNTOUCHED  (GPTE_P | GPTE_W | GPTE_U)
#define WINDOWS    256u /* of 2 MiB, in a loop: four times what KVM is allowed to shadow */
#define HUGE_TOUCH 64u /* small pages touched in each large one */

const char *const expected_names[EXPECT_NR] = {
	[EXPECT_HIDDEN] = "pf_hidden",
	[EXPECT_HUGE] = "pf_huge",
	[EXPECT_AD] = "pf_ad",
	[EXPECT_GUEST] = "pf_guest",
	[EXPECT_UNSYNC] = "pf_ptwrite_unsync",
	[EXPECT_EMUL_C2] = "pf_ptwrite_emul_c2",
	[EXPECT_EMUL_C3] = "pf_ptwrite_emul_c3",
	[EXPECT_EMUL_C4] = "pf_ptwrite_emul_c4",
	[EXPECT_MMIO] = "pf_mmio",
	[EXPECT_SPURIOUS] = "pf_spurious",
	[EXPECT_REFAULT] = "pf_refault",
	[EXPECT_PREFETCHED] = "prefetched",
	[EXPECT_DROPS] = "silent_drops",
};

static uint64_t groups_of(uint64_t pages)
{
	return (pages + GROUP - 1) / GROUP;
}

/* @nr pages of data, in whole groups, so that none ends early. */
static void map_data(struct guest *g, uint64_t nr, uint64_t bits)
{
	uint64_t pages = groups_of(nr) * GROUP;
	uint64_t frames = pages < POOL ? pages : POOL;
	uint64_t pool = guest_pages(g, frames, PAGE);

	for (uint64_t i = 0; i < pages; i++)
		guest_map(g, DATA_GVA + i * PAGE, pool + i % frames * PAGE, 1, bits);
}

/* Faults that find nothing of their group: each brings all of it. */
static void expect_groups(struct plan *p, uint64_t nr)
{
	p->expect[EXPECT_HIDDEN] += nr;
	p->expect[EXPECT_PREFETCHED] += nr * (GROUP - 1);
}

static void build_stride(struct guest *g, struct plan *p, const uint64_t *arg)
{
	uint64_t span = (arg[0] - 1) * arg[1] + 1;

	if (span > MAX_PAGES) {
		fprintf(stderr, "vmm: %llu pages, more than %llu; fewer or a smaller stride\n",
			(unsigned long long)span, MAX_PAGES);
		exit(2);
	}
	map_data(g, span, GPTE_DIRTY);
	guest_read(g, DATA_GVA, arg[0], arg[1] * PAGE);
	expect_groups(p, arg[1] >= GROUP ? arg[0] : groups_of(span));
}

static void build_sequential(struct guest *g, struct plan *p, const uint64_t *arg)
{
	build_stride(g, p, (const uint64_t[]){arg[0], 1});
}

static void build_random(struct guest *g, struct plan *p, const uint64_t *arg)
{
	uint64_t pages = 4 * arg[0], x = arg[1], nr = 0;
	uint8_t *seen = calloc(groups_of(pages), 1);

	if (!seen) {
		fprintf(stderr, "vmm: no memory\n");
		exit(1);
	}
	map_data(g, pages, GPTE_DIRTY);
	for (uint64_t i = 0; i < arg[0]; i++) {
		uint64_t page = words_next(&x) % pages;

		guest_read(g, DATA_GVA + page * PAGE, 1, 0);
		nr += !seen[page / GROUP];
		seen[page / GROUP] = 1;
	}
	free(seen);
	expect_groups(p, nr);
}

/* KVM prefetches no entry whose guest entry has A=0: each page takes its own fault. */
static void build_a0(struct guest *g, struct plan *p, const uint64_t *arg)
{
	map_data(g, arg[0], UNTOUCHED);
	guest_read(g, DATA_GVA, arg[0], PAGE);
	p->expect[EXPECT_AD] += arg[0];
}

/* Clean pages are mapped read-only, so that KVM sees the first write to each. */
static void build_read_write(struct guest *g, struct plan *p, const uint64_t *arg)
{
	map_data(g, arg[0], GPTE_TABLE);
	guest_read(g, DATA_GVA, arg[0], PAGE);
	guest_write(g, DATA_GVA, arg[0], PAGE, 1);
	expect_groups(p, groups_of(arg[0]));
	p->expect[EXPECT_AD] += arg[0];
}

static void build_unsync(struct guest *g, struct plan *p, const uint64_t *arg)
{
	uint64_t frames = guest_pages(g, 2 * arg[0], PAGE);

	map_data(g, GROUP, GPTE_DIRTY);
	guest_map(g, ALIAS_GVA, guest_table(g, DATA_GVA, 1), 1, GPTE_DIRTY);
	guest_read(g, DATA_GVA, GROUP, PAGE);
	expect_groups(p, 1);
	for (uint64_t k = 0; k < arg[0]; k++) {
		/* Second of its group: the first is not mapped, so KVM prefetches nothing. */
		uint64_t fresh = GROUP * (k + 1) + 1, old = k % GROUP;

		guest_write(g, ALIAS_GVA + 8 * fresh, 1, 0, (frames + 2 * k * PAGE) | GPTE_DIRTY);
		p->expect[EXPECT_UNSYNC]++;
		/* No exit: the table is out of sync now.  Nor here: the old frame is still mapped. */
		guest_write(g, ALIAS_GVA + 8 * old, 1, 0,
			    (frames + (2 * k + 1) * PAGE) | GPTE_DIRTY);
		guest_read(g, DATA_GVA + old * PAGE, 1, 0);
		guest_read(g, DATA_GVA + fresh * PAGE, 1, 0);
		guest_command(g, COMMAND_FLUSH);
		/* The flush made KVM look at the table and drop what had changed. */
		guest_read(g, DATA_GVA + old * PAGE, 1, 0);
		p->expect[EXPECT_HIDDEN] += 2;
		p->expect[EXPECT_DROPS]++;
	}
	/* Everything goes, and the data faults again like all the rest. */
	guest_command(g, COMMAND_ZAP);
	guest_read(g, DATA_GVA, GROUP, PAGE);
	expect_groups(p, 1);
	p->zapped = true;
}

static void build_emul(struct guest *g, struct plan *p, const uint64_t *arg)
{
	uint64_t nr = arg[0], frames = guest_pages(g, GROUP, PAGE);

	map_data(g, GROUP, GPTE_DIRTY);
	guest_map(g, ALIAS_GVA, guest_table(g, DATA_GVA, 2), 1, GPTE_DIRTY);
	guest_read(g, DATA_GVA, 1, 0);
	expect_groups(p, 1);
	for (uint64_t i = 1; i <= nr; i++) {
		uint64_t table = guest_pages(g, 1, PAGE);

		g->tables++;
		for (uint64_t k = 0; k < GROUP; k++)
			((uint64_t *)(g->mem + table))[k] = (frames + k * PAGE) | GPTE_DIRTY;
		guest_write(g, ALIAS_GVA + 8 * i, 1, 0, table | GPTE_DIRTY);
		p->expect[i == 1 ? EXPECT_EMUL_C3 : EXPECT_EMUL_C2]++;
		guest_read(g, DATA_GVA + i * LARGE_PAGE, 1, 0);
		expect_groups(p, 1);
	}
	/* The third store in a row, and KVM takes it for a table no more: a plain page then. */
	guest_write(g, ALIAS_GVA + 8 * (nr + 1), 4, 8, 0);
	p->expect[EXPECT_EMUL_C2] += 2;
	p->expect[EXPECT_EMUL_C4] += 1;
	p->expect[EXPECT_HIDDEN] += 1;
	/* The tables below were not zapped: they are linked again, and their entries are there. */
	guest_read(g, DATA_GVA, nr + 1, LARGE_PAGE);
	p->expect[EXPECT_SPURIOUS] += nr + 1;
}

static void build_huge(struct guest *g, struct plan *p, const uint64_t *arg)
{
	uint64_t gpa = guest_pages(g, arg[0] * (LARGE_PAGE / PAGE), LARGE_PAGE);

	for (uint64_t i = 0; i < arg[0]; i++) {
		*guest_entry(g, DATA_GVA + i * LARGE_PAGE, 2) = (gpa + i * LARGE_PAGE) |
								GPTE_DIRTY | GPTE_PS;
		guest_read(g, DATA_GVA + i * LARGE_PAGE, HUGE_TOUCH, PAGE);
	}
	p->expect[EXPECT_HUGE] += arg[0] * HUGE_TOUCH / GROUP;
	p->expect[EXPECT_PREFETCHED] += arg[0] * HUGE_TOUCH / GROUP * (GROUP - 1);
}

static void build_mmio(struct guest *g, struct plan *p, const uint64_t *arg)
{
	guest_write(g, MMIO_GVA, arg[0], 0, 1);
	p->expect[EXPECT_MMIO] += arg[0];
}

/* The VMM maps a page when the guest has faulted on it, as a guest's kernel would. */
static void build_guest(struct guest *g, struct plan *p, const uint64_t *arg)
{
	p->fill = guest_pages(g, arg[0], PAGE);
	for (uint64_t i = 0; i < arg[0]; i += 512)
		guest_table(g, DATA_GVA + i * PAGE, 1);
	guest_read(g, DATA_GVA, arg[0], PAGE);
	p->expect[EXPECT_GUEST] += arg[0];
	p->expect[EXPECT_HIDDEN] += arg[0];
	p->expect[EXPECT_REFAULT] += arg[0];
}

/* More tables than KVM may shadow: it zaps the oldest for each new one, for ever. */
static void build_loop(struct guest *g, struct plan *p, const uint64_t *arg)
{
	uint64_t touches = WINDOWS * 512 / GROUP;

	map_data(g, WINDOWS * 512, GPTE_DIRTY);
	guest_read(g, DATA_GVA, touches, GROUP * PAGE);
	guest_restart(g);
	p->round = touches;
	p->mmu_pages = WINDOWS / 4;
	p->seconds = (unsigned int)arg[0];
}

const struct pattern patterns[] = {
	{"sequential", "N", "reads N pages in a row", 1, {MAX_PAGES, 0}, build_sequential},
	{"stride", "N S", "reads N pages, S apart", 2, {MAX_PAGES, MAX_PAGES}, build_stride},
	{"random", "N SEED", "reads N of 4 N pages", 2, {30000, UINT64_MAX}, build_random},
	{"a0", "N", "reads N pages whose accessed bit is clear", 1, {MAX_PAGES, 0}, build_a0},
	{"read-write",
	 "N",
	 "reads N clean pages, then writes them",
	 1,
	 {MAX_PAGES, 0},
	 build_read_write},
	{"unsync", "N", "changes its page table, N times", 1, {56, 0}, build_unsync},
	{"emul", "N", "changes the table above, N times and three more", 1, {56, 0}, build_emul},
	{"huge", "N", "reads 64 small pages in each of N large ones", 1, {64, 0}, build_huge},
	{"mmio", "N", "stores N times to where no memory is", 1, {1000000000, 0}, build_mmio},
	{"guest", "N", "reads N pages that are mapped when it faults", 1, {65536, 0}, build_guest},
	{"loop", "SECONDS", "reads without end, as fast as it can", 1, {86400, 0}, build_loop},
	{NULL, NULL, NULL, 0, {0, 0}, NULL},
};

const struct pattern *pattern_find(const char *name)
{
	for (const struct pattern *pat = patterns; pat->name; pat++)
		if (!strcmp(pat->name, name))
			return pat;
	return NULL;
}

void pattern_build(const struct pattern *pat, const uint64_t *arg, struct guest *g, struct plan *p)
{
	memset(p, 0, sizeof(*p));
	guest_open(g, MAX_MEMORY);
	pat->build(g, p, arg);
	guest_finish(g);
	/* The code's page, alone in its group; the script's; and the stores that are commands. */
	for (unsigned int i = 0; i < (p->zapped ? 2 : 1); i++) {
		p->expect[EXPECT_HIDDEN] += 1 + groups_of(g->script_pages);
		p->expect[EXPECT_PREFETCHED] += g->script_pages - groups_of(g->script_pages);
	}
	for (size_t i = 0; i < g->nr_ops; i++)
		p->expect[EXPECT_MMIO] += g->ops[i].kind == OP_WRITE &&
					  g->ops[i].gva == MMIO_GVA + (COMMAND_GPA - MMIO_GPA);
	if (!p->mmu_pages)
		p->mmu_pages = 2 * g->tables + 64;
}
