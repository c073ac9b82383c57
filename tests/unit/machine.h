/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_MACHINE_H
#define SPHT_TEST_MACHINE_H

#include "events.h"
#include "kvm_sim.h"
#include "replay/chunk.h"
#include "replay/observe.h"

/*
 * A recording written exit by exit into an observed MMU.  Table t maps region
 * t, as in kvm_sim.h; its shadow page's entries are in frame FRAME().
 */
#define P          SPHT_PF_P
#define W          SPHT_PF_W
#define U          SPHT_PF_U
#define FETCH      SPHT_PF_FETCH

#define VPN(t, i)  ((uint64_t)(t) << 9 | (i))
#define TABLE_GFN  SIM_TABLE_GFN
#define FRAME(vpn) (0x9000 + ((vpn) >> 9))

struct rig {
	struct feeder f;
	struct spht_observed *o;
	const struct spht_fidelity *fid;
	unsigned int vcpu;
	bool finished;
};

/* For the steps of recordings opened from now on. */
static struct spht_room rig_room = SPHT_ROOM_DEFAULT;

static inline void rig_open_raw(struct rig *r, unsigned int window)
{
	struct spht_error err;

	*r = (struct rig){.f = {.ts = 1000, .tick = 10, .tid = 100}};
	r->o = spht_observed_open(spht_role_layout("6.1.0", &err), window, rig_room);
	assert_non_null(r->o);
	r->f.assemble = spht_assemble_open(true, spht_observed_exit, r->o);
	assert_non_null(r->f.assemble);
	r->fid = spht_observed_fidelity(r->o);
}

static inline void put(struct rig *r, struct spht_event e)
{
	feed(&r->f, e);
}

static inline void other_exit(struct rig *r, uint32_t reason)
{
	put(r, ev_exit_svm(reason, 0, 0, r->vcpu));
	put(r, ev_entry(r->vcpu));
}

static inline void load_cr3(struct rig *r, uint64_t gfn, bool created)
{
	put(r, ev_exit_svm(SVM_CR3, 0, 0, r->vcpu));
	put(r, ev_cr3(gfn << 12));
	put(r, created ? ev_created(gfn, ROLE(4)) : ev_found(gfn, ROLE(4), false));
	put(r, ev_entry(r->vcpu));
}

/* A guest whose root, level-3, level-2 and first level-1 pages have just been made. */
static inline void rig_open(struct rig *r)
{
	rig_open_raw(r, 8);
	load_cr3(r, SIM_ROOT_GFN, true);
}

/* Ends the recording, once. */
static inline void rig_finish(struct rig *r)
{
	struct spht_error err;

	if (!r->finished &&
	    (spht_assemble_finish(r->f.assemble, &err) || spht_observed_finish(r->o, &err)))
		fail_msg("%s", err.text);
	r->finished = true;
}

static inline void rig_close(struct rig *r)
{
	spht_assemble_close(r->f.assemble);
	spht_observed_close(r->o);
}

/* Parts of a #PF exit. */
static inline void begin(struct rig *r, uint64_t vpn, uint32_t code, uint64_t pte)
{
	const uint64_t walk[4] = {PTE(SIM_L3_GFN, TABLE), PTE(SIM_L2_GFN, TABLE),
				  PTE(TABLE_GFN + (vpn >> 9), TABLE), pte};

	feed_pf(&r->f, vpn << 12, code, r->vcpu);
	put(r, ev_walk(vpn << 12, code));
	feed_elems(&r->f, 4, walk, 4);
}

static inline void make_path(struct rig *r, uint64_t vpn)
{
	put(r, ev_created(SIM_L3_GFN, ROLE(3)));
	put(r, ev_created(SIM_L2_GFN, ROLE(2)));
	put(r, ev_created(TABLE_GFN + (vpn >> 9), ROLE(1)));
}

static inline void set(struct rig *r, uint64_t vpn, uint64_t spte)
{
	put(r, ev_set(spht_pte_gfn(spte), spte, SPTEP(FRAME(vpn), vpn & 511), 1));
}

static inline void end(struct rig *r)
{
	put(r, ev_entry(r->vcpu));
}

/* A whole hidden fault; @spte becomes the entry. */
static inline void hidden(struct rig *r, uint64_t vpn, uint32_t code, uint64_t pte, uint64_t spte)
{
	begin(r, vpn, code, pte);
	put(r, ev_requested(spht_pte_gfn(pte), 1));
	set(r, vpn, spte);
	end(r);
}

/* The first fault of all, which makes the path to the first table. */
static inline void first_fault(struct rig *r)
{
	begin(r, VPN(1, 0), U, PTE(0x700, DIRTY));
	make_path(r, VPN(1, 0));
	put(r, ev_requested(0x700, 1));
	set(r, VPN(1, 0), SPTE_W(0x700));
	end(r);
}

static inline void guest_fault(struct rig *r, uint64_t vpn, uint32_t code, uint64_t pte)
{
	uint32_t injected = (code & ~P) | (pte & SPHT_PTE_P ? P : 0);

	begin(r, vpn, code, pte);
	put(r, ev_walker_error(injected));
	put(r, ev_inject(14, injected));
	end(r);
}

static inline void write_page_table(struct rig *r, unsigned int table)
{
	/* Its page is mapped by entry @table of table 0. */
	begin(r, VPN(0, table), W | U, PTE(TABLE_GFN + table, DIRTY));
	put(r, ev_requested(TABLE_GFN + table, 1));
	put(r, ev_unsync(TABLE_GFN + table, ROLE(1)));
	set(r, VPN(0, table), SPTE_W(TABLE_GFN + table));
	end(r);
}

static inline void sync_table(struct rig *r, unsigned int table)
{
	put(r, ev_exit_svm(SVM_CR3, 0, 0, r->vcpu));
	put(r, ev_sync(TABLE_GFN + table, ROLE(1)));
	put(r, ev_entry(r->vcpu));
}

static inline bool present(struct rig *r, uint64_t vpn)
{
	uint32_t page =
		spht_shadow_page(spht_observed_shadow(r->o), TABLE_GFN + (vpn >> 9), ROLE(1));

	return spht_mmu_present(spht_observed_mmu(r->o), page, vpn & 511);
}

static inline bool writable(struct rig *r, uint64_t vpn)
{
	uint32_t page =
		spht_shadow_page(spht_observed_shadow(r->o), TABLE_GFN + (vpn >> 9), ROLE(1));

	return spht_bit(spht_observed_mmu(r->o)->pages[page].writable, vpn & 511);
}

/* What takes effect in the recording's first steps, which has ended. */
static inline void first_chunk(const struct rig *r, struct spht_chunk *chunk)
{
	struct spht_error err;

	spht_chunk_init(chunk);
	if (spht_chunk_load(chunk, spht_observed_steps(r->o), 0, &err))
		fail_msg("%s", err.text);
}

static inline const struct spht_step *last_step(const struct rig *r)
{
	const struct spht_step *s = spht_observed_steps(r->o)->last;

	assert_non_null(s);
	return s;
}

static inline void prefetch(struct rig *r, uint64_t vpn, uint64_t gfn)
{
	set(r, vpn, SPTE_PRE_W(gfn));
}

/* A fault on entry 8 + @self, whose group set the entries in @bits (of 8). */
static inline void group(struct rig *r, unsigned int self, unsigned int bits)
{
	uint64_t vpn = VPN(1, 8 + self);

	begin(r, vpn, U, PTE(0x708 + self, DIRTY));
	put(r, ev_requested(0x708 + self, 1));
	set(r, vpn, SPTE_W(0x708 + self));
	for (unsigned int i = 0; i < 8; i++)
		if (bits >> i & 1)
			prefetch(r, VPN(1, 8 + i), 0x708 + i);
	end(r);
}

static inline void walk_large(struct rig *r, uint64_t vpn, uint32_t code, uint64_t bits)
{
	const uint64_t walk[3] = {PTE(SIM_L3_GFN, TABLE), PTE(SIM_L2_GFN, TABLE),
				  PTE(0x400, bits | SPHT_PTE_PS)};

	feed_pf(&r->f, vpn << 12, code, 0);
	put(r, ev_walk(vpn << 12, code));
	feed_elems(&r->f, 4, walk, 3);
}

/* A recording of the simulated guest, whole; threads are held up as kvm_sim.h says. */
static inline struct sim *simulate_held(struct rig *r, unsigned int window, unsigned int vcpus,
					uint64_t seed, bool silent, int mock, unsigned int hold)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	rig_open_raw(r, window);
	spht_observed_mock(r->o, mock);
	s->f.assemble = r->f.assemble;
	s->silent = silent;
	s->hold = hold;
	sim_start(s, window, vcpus, seed);
	for (unsigned int i = 0; i < 3000; i++)
		sim_step(s);
	rig_finish(r);
	return s;
}

static inline struct sim *simulate(struct rig *r, unsigned int window, unsigned int vcpus,
				   uint64_t seed, bool silent, int mock)
{
	return simulate_held(r, window, vcpus, seed, silent, mock, 0);
}

/* Entry 9 of table 1 maps 0x709. */
static inline void open_with_entry(struct rig *r)
{
	rig_open(r);
	first_fault(r);
	hidden(r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
}

/* A fault on entry 9, whose guest entry is @pte by now. */
static inline void meet(struct rig *r, uint32_t code, uint64_t pte)
{
	begin(r, VPN(1, 9), code, pte);
	if (!(pte & SPHT_PTE_A))
		put(r, ev_set_accessed(0x101048));
	put(r, ev_requested(spht_pte_gfn(pte), 1));
	set(r, VPN(1, 9), SPTE_W(spht_pte_gfn(pte)) | 1ull << 52);
	end(r);
}

/* The one check 1 that the last fault made, against the state before. */
static inline void assert_believed(struct rig *r, const struct spht_fidelity *before,
				   enum spht_class cls, unsigned int p, unsigned int belief)
{
	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++)
		for (unsigned int bit = 0; bit < 2; bit++)
			for (unsigned int b = 0; b < SPHT_BELIEF_NR; b++)
				assert_int_equal(r->fid->pbit[c][bit][b] - before->pbit[c][bit][b],
						 c == cls && bit == p && b == belief);
}

#endif
