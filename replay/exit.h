/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_EXIT_H
#define SPHT_EXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/addr.h"
#include "replay/snapshot.h"
#include "spht_error.h"
#include "spht_event.h"

/*
 * assemble: events -> exits.  The only stage that knows tracepoints and kernel
 * versions; everything behind it sees struct spht_exit.
 */

/* Class of a #PF exit, METRICS.md section 1: the first rule that holds. */
enum spht_class {
	SPHT_CLASS_NONE, /* not a #PF exit */
	SPHT_CLASS_MMIO,
	SPHT_CLASS_GUEST,
	SPHT_CLASS_PTWRITE_EMUL,
	SPHT_CLASS_PTWRITE_UNSYNC,
	SPHT_CLASS_HUGE,
	SPHT_CLASS_SPURIOUS,
	SPHT_CLASS_AD,
	SPHT_CLASS_HIDDEN,
	SPHT_CLASS_RETRY,
	SPHT_CLASS_NR
};

const char *spht_class_name(enum spht_class cls);

/* Sub-class of PTWRITE_EMUL, KVM_MODEL section 2. */
enum spht_emul_sub { SPHT_EMUL_NONE, SPHT_EMUL_C2, SPHT_EMUL_C3, SPHT_EMUL_C4, SPHT_EMUL_NR };

/* A shadow-MMU event inside an exit, in recorded order. */
enum spht_op_kind {
	SPHT_OP_GET, /* kvm_mmu_get_page: created or found */
	SPHT_OP_SYNC,
	SPHT_OP_UNSYNC,
	SPHT_OP_ZAP,
	SPHT_OP_ZAP_ALL,
	SPHT_OP_REQUESTED,
	SPHT_OP_SET,
};

struct spht_op {
	uint8_t kind; /* enum spht_op_kind */
	uint8_t level; /* SET, REQUESTED */
	bool created; /* GET */
	bool unsync; /* state of the shadow page as printed */
	uint32_t role; /* raw role word, layout by kernel: role.h */
	gfn_t gfn; /* of the shadow page; SET, REQUESTED: of the mapped page */
	uint64_t spte; /* SET: new value; REQUESTED: host pfn */
	uint64_t sptep; /* SET: physical address of the SPTE */
};

/* One guest page-table walk as recorded, topmost level first. */
struct spht_walk {
	gva_t addr;
	uint32_t pferr;
	uint32_t error; /* of walker_error, valid if failed */
	uint8_t nr; /* entries read in the last descent */
	uint8_t level[5];
	uint64_t pte[5]; /* before the walk's own A/D updates */
	bool failed;
	bool set_a, set_d;
};

enum spht_exit_kind {
	SPHT_EXIT_WINDOW, /* kvm_exit .. kvm_entry of one vCPU thread */
	SPHT_EXIT_LOOSE, /* shadow-MMU events of no vCPU window (other threads) */
	SPHT_EXIT_LOSS, /* the recording lost events here */
	/* Where threads overlap (order.h): */
	SPHT_EXIT_SEEN, /* a raced window as its fault came; the window itself follows */
	SPHT_EXIT_PIECE, /* operations of a window that are not at its own place */
};

struct spht_exit {
	uint8_t kind; /* enum spht_exit_kind */
	uint8_t cls; /* enum spht_class */
	uint8_t sub; /* enum spht_emul_sub */
	bool is_pf;
	bool refault; /* follows a guest fault on its page: METRICS section 1 */
	bool raced; /* other threads worked between the fault and this window's work */
	bool preamble; /* state from before a cut's window: counts in nothing */
	bool nopaging; /* no walk: the guest runs without paging */
	bool cr3_load; /* the guest loaded CR3 */
	bool invlpg; /* the guest invalidated a translation */
	bool invlpg_known; /* INVLPG, and @gva is what it invalidated */
	bool requested; /* kvm_mmu_spte_requested seen */
	bool direct_after; /* direct shadow page after it: guest large page */
	bool cr3_known;
	bool store_known; /* emulated store with a known guest physical address */
	uint8_t store_bytes; /* of it, as a write to a page table (insn.h); 0: KVM takes it for none */
	uint8_t req_level;
	uint16_t vcpu; /* vcpu_id; undefined for LOOSE */
	int32_t tid;
	uint64_t number; /* among the complete windows of the recording, from 1; LOOSE, LOSS: 0 */
	uint32_t reason; /* raw, vendor-specific */
	uint32_t pfec; /* hardware error code */
	gva_t gva; /* of a #PF; of INVLPG, if invlpg_known */
	uint64_t rip;
	uint64_t t_exit, t_entry; /* ns, recording's clock */
	uint64_t cr3; /* kvm_cr, if cr3_known */
	uint64_t store_gpa;
	uint64_t lost; /* LOSS: events, ~0 unknown */
	struct spht_walk walk; /* the fault's own walk; nr 0 = none */
	size_t nr_ops, cap_ops;
	struct spht_op *ops; /* owned by the assembler, valid during the callback */
	struct spht_snaps *snaps; /* likewise; NULL: no snapshot was ever taken in this thread */
};

struct spht_assemble_stats {
	uint64_t events, preamble;
	uint64_t exits_total; /* complete windows; 0 and !has_exits: not recorded */
	uint64_t exits_incomplete;
	uint64_t by_class[SPHT_CLASS_NR];
	uint64_t emul_sub[SPHT_EMUL_NR];
	uint64_t nopaging; /* part of HUGE */
	uint64_t refault; /* part of HIDDEN + AD: METRICS section 1 */
	uint64_t lost_events; /* known counts only */
	uint64_t lost_unknown; /* gaps of unknown size */
	uint64_t unordered; /* pieces of work that could not wait for their turn (order.h) */
	uint64_t mode_skipped; /* #PF exits under 32-bit, PAE or 5-level roots */
	uint64_t mode_5level, mode_pae, mode_32bit;
	uint64_t unknown_events;
	struct spht_snap_stats snaps;
	unsigned int vcpus;
	uint64_t t_first, t_last;
	bool has_exits; /* kvm_exit and kvm_entry were recorded */
};

struct spht_assemble;

/*
 * @has_exits: the recording has kvm_exit/kvm_entry; without (kvm_pvm) a walk
 * opens a window.  @deliver gets every exit in the order of its work on shared
 * tables (order.h), those of one thread in their own; returning non-zero stops.
 */
struct spht_assemble *spht_assemble_open(bool has_exits,
					 int (*deliver)(void *arg, const struct spht_exit *exit,
							struct spht_error *err),
					 void *arg);
/* Snapshots of guest tables are counted and left out.  Before the first event. */
void spht_assemble_ignore_snaps(struct spht_assemble *a);
/* Only vCPU threads in @tids (and threads that are no vCPU) take part.  Copied. */
int spht_assemble_select(struct spht_assemble *a, const int32_t *tids, size_t nr);
/* At the end: -1 with @err set where one of them is no vCPU of the recording. */
int spht_assemble_check_selected(const struct spht_assemble *a, struct spht_error *err);
/* Feeds one event.  Returns 0 or -1 with @err set. */
int spht_assemble_event(struct spht_assemble *a, const struct spht_event *ev,
			struct spht_error *err);
/* End of the stream: open windows are incomplete (kvm_pvm: the last one is delivered). */
int spht_assemble_finish(struct spht_assemble *a, struct spht_error *err);
const struct spht_assemble_stats *spht_assemble_stats(const struct spht_assemble *a);
void spht_assemble_close(struct spht_assemble *a);

#endif
