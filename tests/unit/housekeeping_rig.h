/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_HOUSEKEEPING_RIG_H
#define SPHT_TEST_HOUSEKEEPING_RIG_H

#include "machine.h"
#include "replay/insn.h"

/*
 * Recordings in which KVM zaps of its own accord.  Beside the first L2 table,
 * which the emulated stores themselves go through, there is another one, whose
 * only table maps region B.
 */
#define L2B_GFN  0x13u
#define TABLE_B  0x180u
#define VPN_B(i) (1ull << 18 | (i))
#define FRAME_B  0x9800u

/* mov %rax,(%rbx); and a byte of it; rep stos */
#define MOV_8    0x038948ull
#define MOV_1    0x0388ull
#define REP_STOS 0xab48f3ull

static inline void begin_b(struct rig *r, unsigned int i, uint32_t code, uint64_t pte)
{
	const uint64_t walk[4] = {PTE(SIM_L3_GFN, TABLE), PTE(L2B_GFN, TABLE), PTE(TABLE_B, TABLE),
				  pte};

	feed_pf(&r->f, VPN_B(i) << 12, code, r->vcpu);
	put(r, ev_walk(VPN_B(i) << 12, code));
	feed_elems(&r->f, 4, walk, 4);
}

static inline void finish_b(struct rig *r, unsigned int i, uint64_t spte)
{
	put(r, ev_requested(spht_pte_gfn(spte), 1));
	put(r, ev_set(spht_pte_gfn(spte), spte, SPTEP(FRAME_B, i), 1));
	end(r);
}

/* A hidden fault in region B; @made: it makes that many pages of the path, from the leaf up. */
static inline void fault_b(struct rig *r, unsigned int i, unsigned int made)
{
	begin_b(r, i, U, PTE(0x800 + i, DIRTY));
	if (made > 1)
		put(r, ev_created(L2B_GFN, ROLE(2)));
	if (made > 0)
		put(r, ev_created(TABLE_B, ROLE(1)));
	finish_b(r, i, SPTE_W(0x800 + i));
}

/* An instruction that stores to @gpa is emulated; the exit stays open. */
static inline void begin_store(struct rig *r, uint64_t gpa, uint64_t insn)
{
	const uint64_t walk[4] = {PTE(SIM_L3_GFN, TABLE), PTE(SIM_L2_GFN, TABLE),
				  PTE(TABLE_GFN, TABLE), PTE(gpa >> 12, DIRTY)};
	struct spht_event e = ev_emulate(0x401000);

	e.v[SPHT_EMUL_INSN0] = insn;
	e.v[SPHT_EMUL_FLAGS] = SPHT_INSN_CS_L | 1;
	begin(r, VPN(0, 7), P | W, PTE(gpa >> 12, DIRTY));
	put(r, e);
	put(r, ev_walk(VPN(0, 7) << 12 | (gpa & 0xfff), W));
	feed_elems(&r->f, 4, walk, 4);
}

/* To entry @i of the other L2 table. */
static inline void store_b(struct rig *r, unsigned int i)
{
	begin_store(r, (uint64_t)L2B_GFN << 12 | i << 3, MOV_8);
	end(r);
}

static inline void store_b_that_zaps(struct rig *r, unsigned int i)
{
	begin_store(r, (uint64_t)L2B_GFN << 12 | i << 3, MOV_8);
	put(r, ev_zap(L2B_GFN, ROLE(2)));
	end(r);
}

/* One exit that gets @nr new level-1 pages: gfn @first and up. */
static inline void make_pages(struct rig *r, uint64_t first, unsigned int nr)
{
	put(r, ev_exit_svm(SVM_HLT, 0, 0, r->vcpu));
	for (unsigned int i = 0; i < nr; i++)
		put(r, ev_created(first + i, ROLE(1)));
	put(r, ev_entry(r->vcpu));
}

static inline void zap_pages(struct rig *r, uint64_t first, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		put(r, ev_zap(first + i, ROLE(1)));
}

/* kvm_mmu_prepare_zap_page of an unsync page. */
static inline struct spht_event ev_zap_unsync(uint64_t gfn, uint32_t role)
{
	struct spht_event e = ev_zap(gfn, role);

	e.v[SPHT_SP_UNSYNC] = 1;
	return e;
}

/* Recycling: so many pages at most, and gfns of pages made in bulk. */
#define LIMIT 64u
#define MANY  0x1000u

/* Root, L3, L2 and one table; then as many as leave @avail free. */
static inline void open_full(struct rig *r, uint32_t limit, unsigned int avail)
{
	rig_open_raw(r, 8);
	spht_observed_set_limit(r->o, limit);
	load_cr3(r, SIM_ROOT_GFN, true);
	first_fault(r);
	make_pages(r, MANY, LIMIT - avail - 4);
}

/* The first fault in region B finds too few pages free. */
static inline void fault_that_recycles(struct rig *r, unsigned int nr)
{
	begin_b(r, 0, U, PTE(0x800, DIRTY));
	put(r, ev_zap(SIM_L3_GFN, ROLE(3)));
	put(r, ev_zap(SIM_L2_GFN, ROLE(2)));
	put(r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	zap_pages(r, MANY, nr - 3);
	put(r, ev_created(SIM_L3_GFN, ROLE(3)));
	put(r, ev_created(L2B_GFN, ROLE(2)));
	put(r, ev_created(TABLE_B, ROLE(1)));
	finish_b(r, 0, SPTE_W(0x800));
}

static inline void assert_zaps(const struct rig *r, enum spht_zap_cause cause, unsigned int both,
			       unsigned int derived_only, unsigned int recorded_only)
{
	assert_int_equal(r->fid->zaps[cause][1][1], both);
	assert_int_equal(r->fid->zaps[cause][1][0], derived_only);
	assert_int_equal(r->fid->zaps[cause][0][1], recorded_only);
}

#endif
