/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_EVENTS_H
#define SPHT_TEST_EVENTS_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/exit.h"
#include "replay/role.h"

/*
 * Hand-written recordings: one function per tracepoint, and a feeder that gives
 * each event a thread and a time and hands it to an assembler.
 */

#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))

/* Page-table entry bits of a table, a page read and written, a clean page, an untouched one. */
#define TABLE               (SPHT_PTE_P | SPHT_PTE_W | SPHT_PTE_U | SPHT_PTE_A)
#define DIRTY               (TABLE | SPHT_PTE_D)
#define CLEAN               TABLE
#define READONLY            (SPHT_PTE_P | SPHT_PTE_U | SPHT_PTE_A)
#define UNTOUCHED           (SPHT_PTE_P | SPHT_PTE_W | SPHT_PTE_U)
#define PTE(gfn, bits)      ((uint64_t)(gfn) << 12 | (bits))

/* Roles as Linux 5.10 to 6.18 print them: everything allowed above, CR0.WP, EFER.NX. */
#define ROLE_BASE           (7u << 8 | 1u << 12 | 1u << 13)
#define ROLE(level)         (ROLE_BASE | (level))
#define ROLE_DIRECT(acc)    ((ROLE_BASE & ~(7u << 8)) | (uint32_t)(acc) << 8 | 1u << 7 | 1u)
#define ROLE_INVALID        (1u << 11)

/* SPTEs as make_spte() makes them: demand with the accessed bit, prefetched without. */
#define SPTE_W(gfn)         ((uint64_t)(gfn) << 12 | 0xe67)
#define SPTE_RO(gfn)        ((uint64_t)(gfn) << 12 | 0xa25)
#define SPTE_PRE_W(gfn)     ((uint64_t)(gfn) << 12 | 0xe47)
#define SPTE_PRE_RO(gfn)    ((uint64_t)(gfn) << 12 | 0xa05)
#define SPTEP(frame, index) ((uint64_t)(frame) << 12 | (uint64_t)(index) << 3)

#define SVM_PF              0x4e
#define SVM_CR3             0x13
#define SVM_INVLPG          0x79
#define SVM_HLT             0x78
#define VMX_PF_INTR         0x80000b0eu /* as VMX gives it: with an error code, vector 14 */

static inline struct spht_event ev_exit_svm(uint32_t reason, uint64_t info1, uint64_t info2,
					    unsigned int vcpu)
{
	struct spht_event e = {.id = SPHT_EV_EXIT};

	e.v[SPHT_EXIT_REASON] = reason;
	e.v[SPHT_EXIT_ISA] = 2;
	e.v[SPHT_EXIT_INFO1] = info1;
	e.v[SPHT_EXIT_INFO2] = info2;
	e.v[SPHT_EXIT_VCPU] = vcpu;
	e.v[SPHT_EXIT_RIP] = 0x401000;
	return e;
}

static inline struct spht_event ev_exit_vmx(uint32_t reason, uint64_t info1, uint32_t intr_info,
					    uint32_t error_code, unsigned int vcpu)
{
	struct spht_event e = {.id = SPHT_EV_EXIT};

	e.v[SPHT_EXIT_REASON] = reason;
	e.v[SPHT_EXIT_ISA] = 1;
	e.v[SPHT_EXIT_INFO1] = info1;
	e.v[SPHT_EXIT_INTR_INFO] = intr_info;
	e.v[SPHT_EXIT_ERROR_CODE] = error_code;
	e.v[SPHT_EXIT_VCPU] = vcpu;
	e.v[SPHT_EXIT_RIP] = 0x401000;
	return e;
}

static inline struct spht_event ev_entry(unsigned int vcpu)
{
	struct spht_event e = {.id = SPHT_EV_ENTRY};

	e.v[SPHT_ENTRY_VCPU] = vcpu;
	return e;
}

static inline struct spht_event ev_page_fault(uint64_t address, uint32_t code)
{
	struct spht_event e = {.id = SPHT_EV_PAGE_FAULT};

	e.v[SPHT_PF_ADDRESS] = address;
	e.v[SPHT_PF_ERROR_CODE] = code;
	return e;
}

static inline struct spht_event ev_walk(uint64_t address, uint32_t pferr)
{
	struct spht_event e = {.id = SPHT_EV_PAGETABLE_WALK};

	e.v[SPHT_WALK_ADDR] = address;
	e.v[SPHT_WALK_PFERR] = pferr;
	return e;
}

static inline struct spht_event ev_elem(uint64_t pte, unsigned int level)
{
	struct spht_event e = {.id = SPHT_EV_PAGING_ELEMENT};

	e.v[SPHT_ELEM_PTE] = pte;
	e.v[SPHT_ELEM_LEVEL] = level;
	return e;
}

static inline struct spht_event ev_walker_error(uint32_t pferr)
{
	struct spht_event e = {.id = SPHT_EV_WALKER_ERROR};

	e.v[SPHT_WERR_PFERR] = pferr;
	return e;
}

static inline struct spht_event ev_set_accessed(uint64_t gpa)
{
	struct spht_event e = {.id = SPHT_EV_SET_ACCESSED_BIT};

	e.v[SPHT_SETBIT_GPA] = gpa;
	return e;
}

static inline struct spht_event ev_set_dirty(uint64_t gpa)
{
	struct spht_event e = {.id = SPHT_EV_SET_DIRTY_BIT};

	e.v[SPHT_SETBIT_GPA] = gpa;
	return e;
}

static inline struct spht_event ev_sp(enum spht_event_id id, uint64_t gfn, uint32_t role,
				      bool unsync)
{
	struct spht_event e = {.id = (uint8_t)id};

	e.v[SPHT_SP_GFN] = gfn;
	e.v[SPHT_SP_ROLE] = role;
	e.v[SPHT_SP_UNSYNC] = unsync;
	return e;
}

static inline struct spht_event ev_created(uint64_t gfn, uint32_t role)
{
	struct spht_event e = ev_sp(SPHT_EV_GET_PAGE, gfn, role, false);

	e.v[SPHT_SP_CREATED] = 1;
	return e;
}

static inline struct spht_event ev_found(uint64_t gfn, uint32_t role, bool unsync)
{
	return ev_sp(SPHT_EV_GET_PAGE, gfn, role, unsync);
}

static inline struct spht_event ev_sync(uint64_t gfn, uint32_t role)
{
	return ev_sp(SPHT_EV_SYNC_PAGE, gfn, role, true);
}

static inline struct spht_event ev_unsync(uint64_t gfn, uint32_t role)
{
	return ev_sp(SPHT_EV_UNSYNC_PAGE, gfn, role, false);
}

static inline struct spht_event ev_zap(uint64_t gfn, uint32_t role)
{
	return ev_sp(SPHT_EV_PREPARE_ZAP_PAGE, gfn, role, false);
}

static inline struct spht_event ev_requested(uint64_t gfn, unsigned int level)
{
	struct spht_event e = {.id = SPHT_EV_SPTE_REQUESTED};

	e.v[SPHT_REQ_GFN] = gfn;
	e.v[SPHT_REQ_PFN] = gfn + 0x100000;
	e.v[SPHT_REQ_LEVEL] = level;
	return e;
}

static inline struct spht_event ev_set(uint64_t gfn, uint64_t spte, uint64_t sptep,
				       unsigned int level)
{
	struct spht_event e = {.id = SPHT_EV_SET_SPTE};

	e.v[SPHT_SET_GFN] = gfn;
	e.v[SPHT_SET_SPTE] = spte;
	e.v[SPHT_SET_SPTEP] = sptep;
	e.v[SPHT_SET_LEVEL] = level;
	return e;
}

static inline struct spht_event ev_emulate(uint64_t rip)
{
	struct spht_event e = {.id = SPHT_EV_EMULATE_INSN};

	e.v[SPHT_EMUL_RIP] = rip;
	return e;
}

static inline struct spht_event ev_inject(unsigned int vector, uint32_t code)
{
	struct spht_event e = {.id = SPHT_EV_INJ_EXCEPTION};

	e.v[SPHT_INJ_EXCEPTION] = vector;
	e.v[SPHT_INJ_HAS_ERROR] = 1;
	e.v[SPHT_INJ_ERROR_CODE] = code;
	return e;
}

static inline struct spht_event ev_mmio(uint64_t gpa)
{
	struct spht_event e = {.id = SPHT_EV_MMIO};

	e.v[SPHT_MMIO_TYPE] = 2;
	e.v[SPHT_MMIO_LEN] = 4;
	e.v[SPHT_MMIO_GPA] = gpa;
	return e;
}

static inline struct spht_event ev_cr3(uint64_t value)
{
	struct spht_event e = {.id = SPHT_EV_CR};

	e.v[SPHT_CR_RW] = 1;
	e.v[SPHT_CR_CR] = 3;
	e.v[SPHT_CR_VAL] = value;
	return e;
}

static inline struct spht_event ev_lost(uint64_t count)
{
	struct spht_event e = {.id = SPHT_EV_LOST};

	e.v[0] = count;
	return e;
}

static inline struct spht_event ev_bare(enum spht_event_id id)
{
	return (struct spht_event){.id = (uint8_t)id};
}

static inline struct spht_event ev_snap(uint64_t gfn, uint32_t role, unsigned int kind,
					unsigned int flags, unsigned int entries)
{
	struct spht_event e = {.id = SPHT_EV_SNAP};

	e.v[SPHT_SNAP_GFN] = gfn;
	e.v[SPHT_SNAP_ROLE] = role;
	e.v[SPHT_SNAP_KIND] = kind;
	e.v[SPHT_SNAP_FLAGS] = flags;
	e.v[SPHT_SNAP_ENTRIES] = entries;
	return e;
}

static inline struct spht_event ev_snap_entry(uint64_t gfn, unsigned int index, uint64_t value)
{
	struct spht_event e = {.id = SPHT_EV_SNAP_ENTRY};

	e.v[SPHT_SNAP_ENTRY_GFN] = gfn;
	e.v[SPHT_SNAP_ENTRY_INDEX] = index;
	e.v[SPHT_SNAP_ENTRY_VALUE] = value;
	return e;
}

struct feeder {
	struct spht_assemble *assemble;
	struct spht_error err;
	uint64_t ts, tick; /* of the next event; what is added after each */
	int32_t tid;
	bool preamble;
};

/* Returns what the assembler returned. */
static inline int feed_raw(struct feeder *f, struct spht_event e)
{
	e.ts = f->ts;
	e.pid = f->tid;
	e.preamble = f->preamble;
	f->ts += f->tick;
	return spht_assemble_event(f->assemble, &e, &f->err);
}

static inline void feed(struct feeder *f, struct spht_event e)
{
	if (feed_raw(f, e))
		fail_msg("%s: %s", spht_event_name(e.id), f->err.text);
}

/* Entries of a walk, the topmost at @level. */
static inline void feed_elems(struct feeder *f, unsigned int level, const uint64_t *pte,
			      unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		feed(f, ev_elem(pte[i], level - i));
}

/* kvm_exit and kvm_page_fault of a #PF on SVM. */
static inline void feed_pf(struct feeder *f, uint64_t gva, uint32_t code, unsigned int vcpu)
{
	feed(f, ev_exit_svm(SVM_PF, code, gva, vcpu));
	feed(f, ev_page_fault(gva, code));
}

#endif
