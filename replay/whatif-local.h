/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WHATIF_LOCAL_H
#define SPHT_WHATIF_LOCAL_H

#include "replay/whatif.h"

/*
 * Inside of a what-if: whatif.c (the run and its clocks), whatif-world.c (what
 * happens whatever the helper does), whatif-fault.c (exits that may be avoided),
 * helper.c (the second core).
 */

/* Beside the MMU's own state of a shadow page. */
struct spht_wpage {
	uint64_t helper[SPHT_MMU_WORDS]; /* built on request, not used yet */
	uint64_t side[SPHT_MMU_WORDS]; /* came along with a build or fault, not used yet */
	uint64_t lack[SPHT_MMU_WORDS]; /* the recording's KVM has it, the what-if has not */
	uint64_t queued[SPHT_MMU_WORDS]; /* requested, build not started */
	uint64_t *outside; /* bits of them that do not count in the region, NULL: none */
	uint32_t next_of_table; /* + 1: another page of its guest table that holds such entries */
	bool listed;
	uint64_t *ready_ns; /* by index: when built; allocated with the first build */
	bool by_helper; /* created by the helper, not yet by the recording */
};

struct spht_wregion {
	uint32_t path, page, table;
	uint8_t leaf_level;
	bool valid, direct;
};

struct spht_request {
	uint64_t space, vpn;
	uint64_t t_ns;
	uint32_t page; /* SPHT_NO_ID: no path known when it was asked for */
	uint16_t index;
	bool dead; /* cancelled; takes no place */
	bool outside; /* made outside of the region */
};

/* A vCPU's virtual time. */
struct spht_wvcpu {
	uint64_t now_ns;
	bool started;
};

struct spht_whatif {
	struct spht_host host; /* first: hooks get a pointer to it */
	const struct spht_whatif_config *c;
	struct spht_account *acc; /* of the region */
	struct spht_account rest; /* of what is outside of it */
	bool outside; /* so is the current step */
	struct spht_mmu mmu;
	struct spht_wpage *pages; /* by page id */
	uint8_t **state; /* by table id: SPHT_GPTE_* of 512 entries */
	uint32_t *table_pages; /* by table id: page + 1 that holds helper or side entries of it */
	uint32_t nr_tables;
	struct spht_wregion *regions; /* by region id */
	size_t next_change;
	uint32_t next_drop;
	const struct spht_step *last; /* exit; NULL: none yet */
	uint64_t t_start; /* first exit of any vCPU, recording's clock */
	struct spht_wvcpu *vcpus; /* virtual time by vcpu_id */
	uint32_t nr_vcpus;
	void *hstate;
	bool no_memory;

	struct spht_request *queue; /* ring */
	uint32_t q_head, q_len, q_cap; /* q_len counts dead ones, q_live does not */
	uint32_t q_live;
	struct spht_request job; /* in progress until done_ns, if busy */
	uint64_t done_ns, free_ns;
	bool busy;
	uint64_t now_ns;
};

/* The books of the region, or of the rest. */
static inline struct spht_account *spht_w_book(struct spht_whatif *w, bool outside)
{
	return outside ? &w->rest : w->acc;
}

/* The bits of wpage.outside: entries that a helper built, and lacking ones. */
enum { SPHT_OUTSIDE_BUILT, SPHT_OUTSIDE_LACK, SPHT_OUTSIDE_NR };

static inline bool spht_w_outside(const struct spht_wpage *p, unsigned int what, unsigned int index)
{
	return p->outside && spht_bit(p->outside + what * SPHT_MMU_WORDS, index);
}

/* Remembers whose the entry is: of the region, or @outside of it. */
void spht_w_tag(struct spht_whatif *w, struct spht_wpage *p, unsigned int what, unsigned int index,
		bool outside);
/* Entries in p->helper, those outside of the region or the others. */
unsigned int spht_w_count_built(const struct spht_wpage *p, bool outside);

/* State of the entry in this what-if's world. */
static inline uint8_t spht_w_state(const struct spht_whatif *w, uint32_t table, unsigned int index)
{
	return table < w->nr_tables && w->state[table] ? w->state[table][index] : 0;
}

static inline bool spht_w_legal(const struct spht_whatif *w, uint8_t state)
{
	return (state & SPHT_GPTE_PRESENT) &&
	       ((state & SPHT_GPTE_A) || w->c->legality == SPHT_LEGAL_PRESENT);
}

/* Is the entry present, and its path linked, for @vpn? */
bool spht_w_reaches(const struct spht_whatif *w, uint32_t path, uint32_t page,
		    unsigned int leaf_level, unsigned int index, uint64_t vpn);
/* Has changes of @table looked up in @page, which holds entries of a helper's making. */
void spht_w_list(struct spht_whatif *w, uint32_t table, uint32_t page);
/* Takes a helper-built or side entry out of the books as unused. */
void spht_w_unuse(struct spht_whatif *w, uint32_t page, unsigned int index);

/* Everything of the guest's and of silent drops that took effect up to and with step @step. */
void spht_w_advance(struct spht_whatif *w, uint32_t step);
/* The recording lost events: no belief holds. */
void spht_w_lose(struct spht_whatif *w);
/* Charges for an entry that is read-only here and writable in the recording. */
void spht_w_match_writable(struct spht_whatif *w, const struct spht_do *d);
/* The recording's KVM made the entry itself: it is nobody's but KVM's now. */
void spht_w_made_by_kvm(struct spht_whatif *w, const struct spht_do *d);
/* What happens in a step whether its fault is avoided or not: before it was served, or @late. */
void spht_w_exogenous(struct spht_whatif *w, const struct spht_step *s, uint32_t step, bool late);
/* A #PF exit: avoided (true), or as it was. */
bool spht_w_fault(struct spht_whatif *w, const struct spht_step *s, uint32_t step);

/* helper.c */
int spht_helper_init(struct spht_whatif *w);
/* Lets the helper work until virtual time @ns. */
void spht_helper_run(struct spht_whatif *w, uint64_t ns);
/* The demand fault came first: what becomes of a request for the entry. */
void spht_helper_demand(struct spht_whatif *w, uint32_t page, unsigned int index);
/* The shadow page is gone: so are requests for its entries. */
void spht_helper_zapped(struct spht_whatif *w, uint32_t page);
/* Builds at once and for free: the oracle's privilege. */
void spht_helper_grant(struct spht_whatif *w, const struct spht_step *s);
void spht_helper_end(struct spht_whatif *w);
void spht_helper_close(struct spht_whatif *w);

#endif
