// SPDX-License-Identifier: LGPL-2.1-or-later
#include "calibrate/faults.h"
#include "calibrate/script.h"

#define REGIONS    8u /* of 2 MiB, each with a page table of its own */
#define TABLES     60u /* page tables that are stored to, or linked */
#define USES       2500u /* groups whose neighbours are used: more pages than a TLB holds */
#define USE_GROUPS (512 / GROUP)

const char *const fault_names[FAULT_NR] = {
	[FAULT_HIDDEN] = "hidden, 7 neighbours",
	[FAULT_ALONE] = "hidden, alone",
	[FAULT_AD] = "accessed bit clear",
	[FAULT_HUGE] = "large guest page, 7 neighbours",
	[FAULT_PAGE] = "hidden, table not shadowed yet",
	[FAULT_UNSYNC] = "store into a page table, unsync",
	[FAULT_EMUL] = "store into a page table, emulated",
	[FAULT_SPURIOUS] = "spurious",
	[FAULT_MMIO] = "MMIO through user space",
	[FAULT_FIRST] = "no fault: first use",
	[FAULT_AGAIN] = "no fault: later use",
};

static const uint64_t all[GROUP] = {GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY,
				    GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY};
static const uint64_t one[GROUP] = {[1] = GPTE_DIRTY};
static const uint64_t old[GROUP] = {
	GPTE_P | GPTE_W | GPTE_U, GPTE_P | GPTE_W | GPTE_U, GPTE_P | GPTE_W | GPTE_U,
	GPTE_P | GPTE_W | GPTE_U, GPTE_P | GPTE_W | GPTE_U, GPTE_P | GPTE_W | GPTE_U,
	GPTE_P | GPTE_W | GPTE_U, GPTE_P | GPTE_W | GPTE_U,
};

/* One page in each group; the first of a region, which makes its shadow page, is not timed. */
static void read_groups(struct script *s, const uint64_t bits[GROUP], unsigned int page)
{
	for (unsigned int r = 0; r < REGIONS; r++) {
		uint64_t at = DATA_GVA + r * LARGE_PAGE + page * PAGE;

		script_map(s, r, bits);
		guest_read(&s->guest, at, 1, 0);
		for (unsigned int i = 1; i < USE_GROUPS; i++)
			script_read(s, at + i * GROUP * PAGE, 1, 0);
	}
}

static void read_large(struct script *s)
{
	uint64_t gpa = guest_pages(&s->guest, REGIONS * (LARGE_PAGE / PAGE), LARGE_PAGE);

	for (unsigned int r = 0; r < REGIONS; r++) {
		uint64_t at = DATA_GVA + r * LARGE_PAGE;

		*guest_entry(&s->guest, at, 2) = (gpa + r * LARGE_PAGE) | GPTE_DIRTY | GPTE_PS;
		guest_read(&s->guest, at, 1, 0);
		for (unsigned int i = 1; i < USE_GROUPS; i++)
			script_read(s, at + i * GROUP * PAGE, 1, 0);
	}
}

/* One group in each of TABLES regions, the first of which makes the tables above. */
static void read_regions(struct script *s, bool timed)
{
	for (unsigned int r = 0; r < TABLES; r++) {
		script_map(s, r, all);
		if (timed && r)
			script_read(s, DATA_GVA + r * LARGE_PAGE, 1, 0);
		else
			guest_read(&s->guest, DATA_GVA + r * LARGE_PAGE, 1, 0);
	}
}

/* Each table is mapped as data, alone in its group, and stored to for the first time. */
static void write_tables(struct script *s)
{
	struct guest *g = &s->guest;

	read_regions(s, false);
	guest_map(g, ALIAS_GVA, s->frames, 1, GPTE_DIRTY);
	guest_read(g, ALIAS_GVA, 1, 0);
	for (unsigned int r = 0; r < TABLES; r++) {
		uint64_t at = ALIAS_GVA + (r + 1) * GROUP * PAGE;

		guest_map(g, at, guest_table(g, DATA_GVA + r * LARGE_PAGE, 1), 1, GPTE_DIRTY);
		script_write(s, at + 8 * 100, s->frames | GPTE_DIRTY);
	}
}

/*
 * Entries of the table above, one after the other, with a read through each, or KVM would
 * take it for a table no more.  The first store also maps the table, so it is not timed.
 */
static void write_upper(struct script *s)
{
	struct guest *g = &s->guest;

	script_map(s, 0, all);
	guest_map(g, ALIAS_GVA, guest_table(g, DATA_GVA, 2), 1, GPTE_DIRTY);
	guest_read(g, DATA_GVA, 1, 0);
	for (unsigned int r = 1; r < TABLES; r++) {
		uint64_t table = guest_pages(g, 1, PAGE), at = ALIAS_GVA + 8 * r;

		g->tables++;
		*(uint64_t *)(g->mem + table) = s->frames | GPTE_DIRTY;
		if (r == 1)
			guest_write(g, at, 1, 0, table | GPTE_DIRTY);
		else
			script_write(s, at, table | GPTE_DIRTY);
		guest_read(g, DATA_GVA + r * LARGE_PAGE, 1, 0);
	}
}

/* Three stores in a row and the table above is zapped, but not what it led to. */
static void link_again(struct script *s)
{
	struct guest *g = &s->guest;

	read_regions(s, false);
	guest_map(g, ALIAS_GVA, guest_table(g, DATA_GVA, 2), 1, GPTE_DIRTY);
	guest_write(g, ALIAS_GVA + 8 * TABLES, 4, 8, 0);
	guest_read(g, DATA_GVA, 1, 0);
	for (unsigned int r = 1; r < TABLES; r++)
		script_read(s, DATA_GVA + r * LARGE_PAGE, 1, 0);
}

/* Two rounds; in the first the group's other page is read before, so all seven are there. */
static void use_neighbours(struct script *s)
{
	for (unsigned int r = 0; r <= USES / USE_GROUPS; r++)
		script_map(s, r, all);
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < USES; i++) {
			uint64_t at = DATA_GVA + i * GROUP * PAGE;

			guest_read(&s->guest, at, 1, 0);
			script_read(s, at + PAGE, GROUP - 1, PAGE);
		}
}

static void build(struct script *s, enum fault fault)
{
	switch (fault) {
	case FAULT_HIDDEN:
		read_groups(s, all, 0);
		break;
	case FAULT_ALONE:
		read_groups(s, one, 1);
		break;
	case FAULT_AD:
		read_groups(s, old, 0);
		break;
	case FAULT_HUGE:
		read_large(s);
		break;
	case FAULT_PAGE:
		read_regions(s, true);
		break;
	case FAULT_UNSYNC:
		write_tables(s);
		break;
	case FAULT_EMUL:
		write_upper(s);
		break;
	case FAULT_SPURIOUS:
		link_again(s);
		break;
	case FAULT_MMIO:
		for (unsigned int i = 0; i < TABLES; i++)
			script_write(s, MMIO_GVA, 1);
		break;
	default:
		use_neighbours(s);
	}
}

void fault_measure(const struct machine *m, enum fault fault, struct cost *c)
{
	static struct script s;
	unsigned int nr;

	script_open(&s);
	build(&s, fault);
	nr = script_timed(&s);
	script_finish(&s);
	script_run(&s);
	if (fault == FAULT_FIRST)
		script_cost(&s, m, 0, nr / 2, GROUP - 1, c);
	else if (fault == FAULT_AGAIN)
		script_cost(&s, m, nr / 2, nr, GROUP - 1, c);
	else
		script_cost(&s, m, 0, nr, 1, c);
	script_close(&s);
}
