/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WHATIF_LOCAL_H
#define SPHT_WHATIF_LOCAL_H

#include "replay/lock.h"
#include "replay/verify.h"
#include "replay/whatif.h"

/*
 * Inside of a what-if: whatif.c (the run and its clocks), whatif-world.c (what
 * happens whatever the helper does), whatif-fault.c (exits that may be avoided),
 * whatif-tell.c (what the heuristic learns), whatif-time.c (what takes time),
 * whatif-look.c (one entry's story), whatif-timeline.c (a window on all of it),
 * request.c (what the helpers are asked for),
 * helper.c (the other cores), real*.c (the helper as a thread, on the real clock).
 */

/* Beside the MMU's own state of a shadow page. */
struct spht_wpage {
	uint64_t helper[SPHT_MMU_WORDS]; /* built on request, not used yet */
	uint64_t side[SPHT_MMU_WORDS]; /* came along with a build or fault, not used yet */
	uint64_t lack[SPHT_MMU_WORDS]; /* the recording's KVM has it, the what-if has not */
	uint64_t lack_w[SPHT_MMU_WORDS]; /* and it is writable there */
	uint64_t queued[SPHT_MMU_WORDS]; /* requested, build not started */
	uint64_t watched[SPHT_MMU_WORDS]; /* of these, those that wait for the guest's store */
	uint64_t *wanted_ns; /* by index, for the curve: spht_w_want() */
	uint64_t *outside; /* bits of them that do not count in the region, NULL: none */
	uint32_t next_of_table; /* + 1: another page of its guest table that holds such entries */
	bool listed;
	uint64_t *ready_ns; /* by index: when built; allocated with the first build */
	bool by_helper; /* write-protects its table here and not in the recording */
	/* whatif-pages.c: */
	bool lost; /* the recording has the page, and it was zapped here */
	bool alone; /* the page is here, and not in the recording */
	uint64_t *extra; /* entries kept from a recorded zap, links of a helper's; NULL: none */
	uint64_t *theirs; /* of p->helper: there before, in the recording too; NULL: none */
	uint64_t *used; /* of entries that are there: a helper's, and used; NULL: none */
	uint32_t room; /* last w->room in which it was counted */
	uint32_t same_gfn; /* the next page of its gfn; a ring */
};

struct spht_wregion {
	uint32_t path, page, table;
	uint8_t leaf_level;
	bool valid, direct;
	/* mmu.changes when the path was linked, its pages there and their stores forgotten. */
	uint64_t settled;
};

struct spht_request {
	uint64_t space, vpn;
	uint64_t t_ns; /* when it can be taken up; watched: when it was first looked for */
	uint32_t page; /* SPHT_NO_ID: no path known when it was asked for */
	uint16_t index;
	bool dead; /* cancelled; takes no place */
	bool outside; /* made outside of the region */
	bool watch; /* an entry that is not there yet is waited for */
	bool awake; /* a helper that looks for it takes it up: nobody needs to be woken */
	/* watched: */
	uint32_t table; /* of the guest's entry */
	uint32_t ticket; /* spht_timeline_ask(); 0: not on a timeline */
	uint64_t until_ns; /* when the helper gives up */
	uint64_t looks; /* of the team's, when it began */
};

/* A ring; cancelled requests keep their place until they reach the head. */
struct spht_ring {
	struct spht_request *v;
	uint32_t head, len, cap;
	uint32_t live; /* without the cancelled ones */
};

enum spht_work { SPHT_WORK_NONE, SPHT_WORK_PREPARE, SPHT_WORK_LOCKED };

/* One helper thread, on a core of its own. */
struct spht_worker {
	struct spht_request job; /* unless SPHT_WORK_NONE */
	uint8_t work; /* enum spht_work */
	uint64_t start_ns; /* of the job */
	uint64_t next_ns; /* when what it does now is over */
	uint64_t free_ns; /* when it was done last */
	uint64_t batch; /* builds under the present hold of mmu_lock */
	uint32_t number; /* among all */
	uint32_t installs; /* the slice in which it sets the entry, + 1; 0: none */
};

/* Helpers that share a queue: all of them, or the one of a vCPU. */
struct spht_team {
	struct spht_ring queue, watched;
	struct spht_worker *workers;
	uint32_t nr_workers;
	/* At one entry that is watched all the time, until @looked_ns; fixed point. */
	uint64_t looks, looked_ns;
};

#define SPHT_W_LOOK_SHIFT 16

/* What a heuristic may ask for between two exits: more finds the queue full. */
#define SPHT_W_MAX_ASKED  (1u << 14)

/* Requests come by the dozen for one region: what was found out for the last one. */
struct spht_memo {
	uint64_t space, region; /* the key */
	struct spht_wregion *r; /* NULL: the recording has no such region */
	bool linked; /* the region's path, */
	uint64_t linked_at; /* as of this mmu.changes */
};

/* A vCPU's virtual time. */
struct spht_wvcpu {
	uint64_t now_ns;
	uint64_t base_ns; /* the same without a helper */
	bool started;
};

struct spht_whatif {
	struct spht_host host; /* first: hooks get a pointer to it */
	const struct spht_whatif_config *c;
	struct spht_account *acc; /* of the region */
	struct spht_account rest; /* of what is outside of it */
	bool outside; /* so is the current step */
	struct spht_parts parts; /* @acc by interval */
	bool timed; /* the current step, and what follows until the next, is on the timeline */
	unsigned int look_bits; /* the entry that is looked at, as it was last seen */
	uint64_t look_ns; /* the current step's exit, the recording's clock */
	struct spht_mmu mmu;
	struct spht_wpage *pages; /* by page id */
	uint8_t **state; /* by table id: SPHT_GPTE_* of 512 entries */
	uint8_t **proof; /* the same in the strict world; NULL: nobody asks */
	uint64_t **since; /* by table id: since when each is legal, ns; NULL: nobody asks */
	uint32_t *table_pages; /* by table id: page + 1 that holds helper or side entries of it */
	uint32_t nr_tables;
	struct spht_wregion *regions; /* by region id */
	uint32_t *table_region; /* by table id: region + 1 that it was last seen under */
	const struct spht_chunk *chunk; /* that is being fed, and in it: */
	uint32_t next_change, next_drop, next_proof;
	uint32_t next_at; /* step of the first of them */
	const struct spht_step *last; /* exit; NULL: none yet */
	struct spht_step last_fed; /* it, once its chunk is gone */
	uint64_t t_start; /* first exit of any vCPU, recording's clock */
	struct spht_wvcpu *vcpus; /* virtual time by vcpu_id */
	uint32_t nr_vcpus;
	void *hstate;
	struct spht_zap *zaps; /* not told yet; only for heuristics that want to know */
	size_t nr_zaps, cap_zaps;
	bool no_memory;

	struct spht_verify *verify; /* NULL: not asked for */
	const struct spht_step *step; /* the current one; NULL: the helper works between steps */
	struct spht_pages below; /* scratch */
	uint32_t room; /* number of recyclings and other zaps of KVM's own so far */
	unsigned int short_of; /* pages to be zapped for room, as the step began */
	uint32_t first_late; /* of the step: what it does from here on is after the fault */
	bool flood_cleared; /* in this step, before its store */

	uint64_t **asked; /* by region id: pages asked for; SPHT_RULES_NAIVE and _VALIDITY */
	struct spht_team *teams;
	uint32_t nr_teams;
	bool idle; /* no helper has anything to do */
	uint32_t working; /* workers that have a job */
	uint32_t asked_now; /* requests since the last exit that were no duplicates */
	struct spht_memo memo;
	uint8_t legal; /* SPHT_GPTE_* that an entry must have to be built from */
	bool told; /* somebody wants to know how each request ended */
	struct spht_lock lock, base_lock;
	struct spht_real *real; /* NULL: the virtual clock */
	double guest_factor; /* of recorded guest time */
	struct spht_change *leads; /* take effect a lead time before the next exit */
	size_t nr_leads, cap_leads;
	uint64_t lead_count; /* handlers so far: which quantile is next */
	uint64_t changed_ns; /* when the guest's changes that are applied now happened */
	struct spht_costs k; /* the profile's, in the recording's time where that is real */
	uint64_t now_ns;
	uint64_t base_now_ns; /* now_ns without a helper */
	uint64_t gap_ns; /* when the vCPU's last exit was over */
	uint64_t waited_ns; /* for mmu_lock, in the current exit */
	uint32_t vcpu; /* of the current exit */
};

/* The books of the region, or of the rest. */
static inline struct spht_account *spht_w_book(struct spht_whatif *w, bool outside)
{
	return outside ? &w->rest : w->acc;
}

/* Counts a base fault that happens all the same. */
static inline void spht_w_remains(struct spht_account *a, const struct spht_step *s)
{
	a->remaining++;
	a->remaining_huge += s->cls == SPHT_CLASS_HUGE;
	a->remaining_ad += s->cls == SPHT_CLASS_AD;
	a->remaining_refault += (s->flags & SPHT_STEP_REFAULT) != 0;
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

/* What step @s does. */
static inline const struct spht_do *spht_w_dos(const struct spht_whatif *w,
					       const struct spht_step *s)
{
	return w->chunk->dos + s->first_do;
}

static inline bool spht_w_extra(const struct spht_wpage *p, unsigned int index)
{
	return p->extra && spht_bit(p->extra, index);
}

/* Sets a bit of a map that is made when it is first needed. */
void spht_w_mark(struct spht_whatif *w, uint64_t **map, unsigned int index);

static inline bool spht_w_theirs(const struct spht_wpage *p, unsigned int index)
{
	return p->theirs && spht_bit(p->theirs, index);
}

/* No helper's entry any more. */
static inline void spht_w_disown(struct spht_wpage *p, unsigned int index)
{
	spht_bit_clear(p->helper, index);
	spht_bit_clear(p->side, index);
	if (p->theirs)
		spht_bit_clear(p->theirs, index);
}

static inline void spht_w_no_extra(struct spht_wpage *p, unsigned int index)
{
	if (p->extra)
		spht_bit_clear(p->extra, index);
}

/* A new life of the entry begins, or its life is over. */
static inline void spht_w_not_used(struct spht_wpage *p, unsigned int index)
{
	if (p->used)
		spht_bit_clear(p->used, index);
}

/* State of the entry in this what-if's world. */
static inline uint8_t spht_w_state(const struct spht_whatif *w, uint32_t table, unsigned int index)
{
	return table < w->nr_tables && w->state[table] ? w->state[table][index] : 0;
}

static inline bool spht_w_legal(const struct spht_whatif *w, uint8_t state)
{
	return (state & w->legal) == w->legal;
}

/*
 * What KVM's prefetch does at an entry of which the trace says nothing at all: where unknown
 * means present, it maps it, and nobody sees a difference.
 */
static inline bool spht_w_passes(const struct spht_whatif *w, uint8_t state)
{
	return !state && w->c->world == SPHT_WORLD_OPTIMISTIC;
}

/* Is the entry present, and its path linked, for @vpn? */
bool spht_w_reaches(const struct spht_whatif *w, uint32_t path, uint32_t page,
		    unsigned int leaf_level, unsigned int index, uint64_t vpn);
/* Finds out w->memo.linked for the region @r of @vpn. */
void spht_w_find_path(struct spht_whatif *w, const struct spht_wregion *r, uint64_t vpn);

/* The same as spht_w_reaches() where @r is what spht_w_region() found last, for @vpn. */
static inline bool spht_w_region_reaches(struct spht_whatif *w, const struct spht_wregion *r,
					 unsigned int index, uint64_t vpn)
{
	if (!spht_bit(w->mmu.pages[r->page].present, index))
		return false;
	if (w->memo.linked_at != w->mmu.changes)
		spht_w_find_path(w, r, vpn);
	return w->memo.linked;
}

/* Has changes of @table looked up in @page, which holds entries of a helper's making. */
void spht_w_list(struct spht_whatif *w, uint32_t table, uint32_t page);
/* Takes a helper-built or side entry out of the books as unused. */
void spht_w_unuse(struct spht_whatif *w, uint32_t page, unsigned int index);

/* Everything of the guest's and of silent drops that took effect up to and with step @step. */
void spht_w_advance_to(struct spht_whatif *w, uint32_t step);

static inline void spht_w_advance(struct spht_whatif *w, uint32_t step)
{
	if (step >= w->next_at)
		spht_w_advance_to(w, step);
}

/* A helper hangs on the entry's presence: counts the question in @book. */
void spht_w_question(struct spht_whatif *w, struct spht_account *book, uint32_t table,
		     unsigned int index);
/* Fills in w->next_at. */
void spht_w_look_ahead(struct spht_whatif *w);
/* Entries that the guest stored in the gap before this exit, a lead time ago. */
void spht_w_advance_leads(struct spht_whatif *w);
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

/* A fault that set A or D can only be spared by a helper that may build without A. */
bool spht_w_may_avoid(const struct spht_whatif *w, const struct spht_step *s);

/* whatif-tell.c: what the heuristic learns */
/* The #PF exit. */
void spht_tell_fault(struct spht_whatif *w, const struct spht_step *s);
/* The entry goes by KVM's hand: told with spht_tell_zaps(). */
void spht_tell_zap(struct spht_whatif *w, uint32_t page, unsigned int index);
/* So do all of the page. */
void spht_tell_zap_page(struct spht_whatif *w, uint32_t page);
/* Virtual time is @ns by now. */
void spht_tell_zaps(struct spht_whatif *w, uint64_t ns);
void spht_tell_init(struct spht_whatif *w);

/* whatif-rules.c */
int spht_rules_init(struct spht_whatif *w);
void spht_rules_close(struct spht_whatif *w);
/* The first two levels: would the fault count as avoided? */
void spht_rules_count(struct spht_whatif *w, const struct spht_step *s);

/* whatif-look.c; all but the inline ones only where something is looked at (config.look) */
enum spht_look_part {
	SPHT_LOOK_GUEST, /* of a step: what the guest did before it */
	SPHT_LOOK_HELPERS, /* what the helpers did until it */
	SPHT_LOOK_FAULT, /* the fault, */
	SPHT_LOOK_AVOIDED, /* that did not happen */
	SPHT_LOOK_ASKED, /* what the heuristic asked for */
};
void spht_w_look_now(struct spht_whatif *w, enum spht_look_part part);
void spht_w_look_step(struct spht_whatif *w, const struct spht_step *s, uint32_t step);
void spht_w_look_fault(struct spht_whatif *w, const struct spht_step *s, uint32_t step);
void spht_w_look_end(struct spht_whatif *w, const struct spht_step *s, uint32_t step, bool avoided);
/* The heuristic asked for it; @full: there was no room. */
void spht_w_look_asked(struct spht_whatif *w, uint64_t space, uint64_t vpn, bool full);
/* The helpers are done with a request, one way or the other. */
void spht_w_look_outcome(struct spht_whatif *w, uint64_t space, uint64_t vpn, uint8_t outcome);

static inline void spht_w_look(struct spht_whatif *w, enum spht_look_part part)
{
	if (w->c->look)
		spht_w_look_now(w, part);
}

/* whatif-time.c */
/* Fills in w->k. */
void spht_w_scale_costs(struct spht_whatif *w);
uint64_t spht_w_scaled(const struct spht_whatif *w, uint64_t guest_ns);
/* Brings the vCPU's clocks to the exit: guest time, and the exits that are no steps. */
void spht_w_come_to(struct spht_whatif *w, const struct spht_step *s);
/* The vCPU's fault takes mmu_lock, after the helpers that are before it. */
void spht_w_take_lock(struct spht_whatif *w, const struct spht_step *s);
/* What the exit took, here and without a helper. */
void spht_w_leave(struct spht_whatif *w, const struct spht_step *s, bool avoided);

/* request.c */
void spht_request_init(struct spht_whatif *w);
void spht_request_close(struct spht_whatif *w);
/* The request for (@page, @index), if one waits or is watched, is told @outcome and counted. */
void spht_request_demand(struct spht_whatif *w, uint32_t page, unsigned int index);
/* The shadow page is gone: so are requests for its entries. */
void spht_request_zapped(struct spht_whatif *w, uint32_t page);
/* The guest's entry became legal: who watches it finds it. */
void spht_request_appeared(struct spht_whatif *w, uint32_t page, unsigned int index);
/* Gives up what was watched until @ns. */
void spht_request_expire(struct spht_whatif *w, struct spht_team *t, uint64_t ns);
/* The helper looked, and the entry is not there: watches it.  False: no room. */
bool spht_request_watch(struct spht_whatif *w, struct spht_team *t, const struct spht_request *q,
			uint32_t table, uint64_t ns);

static inline struct spht_request *spht_ring_at(const struct spht_ring *r, uint32_t i)
{
	return &r->v[(r->head + i) & (r->cap - 1)];
}

/* Dead ones at the head take no place. */
static inline void spht_ring_trim(struct spht_ring *r)
{
	while (r->len && spht_ring_at(r, 0)->dead) {
		r->head = (r->head + 1) & (r->cap - 1);
		r->len--;
	}
}

/* The first request that lives, NULL: there is none. */
static inline struct spht_request *spht_request_first(struct spht_team *t)
{
	spht_ring_trim(&t->queue);
	return t->queue.len ? spht_ring_at(&t->queue, 0) : NULL;
}

/* The request does not wait any more. */
static inline void spht_unqueue(struct spht_whatif *w, const struct spht_request *q)
{
	if (q->page == SPHT_NO_ID)
		return;
	spht_bit_clear(w->pages[q->page].queued, q->index);
	spht_bit_clear(w->pages[q->page].watched, q->index);
}

/* Takes @q, the first that lives, out of the queue: it is good until the next one is asked. */
static inline void spht_request_take(struct spht_whatif *w, struct spht_team *t,
				     const struct spht_request *q)
{
	t->queue.head = (t->queue.head + 1) & (t->queue.cap - 1);
	t->queue.len--;
	t->queue.live--;
	spht_unqueue(w, q);
}

void spht_request_tell_it(struct spht_whatif *w, const struct spht_request *r, uint8_t outcome,
			  uint64_t ns);
/* It ended at @ns, which the helper knows: the host may come to it only at the next exit. */
static inline void spht_request_tell(struct spht_whatif *w, const struct spht_request *r,
				     uint8_t outcome, uint64_t ns)
{
	if (w->told)
		spht_request_tell_it(w, r, outcome, ns);
}

void spht_request_end(struct spht_whatif *w);
/* Fills in w->memo. */
void spht_w_find_region(struct spht_whatif *w, uint64_t space, uint64_t region);

/* The region of the page, as it was last seen; NULL: not seen, or not valid any more. */
static inline struct spht_wregion *spht_w_region(struct spht_whatif *w, uint64_t space,
						 uint64_t vpn)
{
	struct spht_memo *m = &w->memo;

	if (m->region != vpn >> SPHT_LEVEL_BITS || m->space != space)
		spht_w_find_region(w, space, vpn >> SPHT_LEVEL_BITS);
	return m->r && m->r->valid ? m->r : NULL;
}

/*
 * For the curve: the entry was asked for (@watch: and would be waited for), or became
 * legal, or is not legal any more.  What counts is when it was first both.
 */
void spht_w_want(struct spht_whatif *w, uint32_t page, uint32_t table, unsigned int index,
		 bool watch);
void spht_w_want_changed(struct spht_whatif *w, uint32_t page, unsigned int index, bool legal);
void spht_w_want_met(struct spht_whatif *w, uint32_t page, unsigned int index);
/* A base fault whose entry could have been built for @slack_ns. */
void spht_w_curve_add(struct spht_whatif *w, uint64_t slack_ns);

/*
 * whatif-pages.c.  Does room for pages and their creation wait until it is known whether
 * the fault is avoided, and with it its fetch?
 */
static inline bool spht_w_waits(const struct spht_step *s)
{
	return (s->flags & SPHT_STEP_BASE) && (s->flags & SPHT_STEP_REQUESTED);
}

/* Would a fetch find the path as the last fault in this region left it, and change nothing? */
static inline bool spht_w_is_settled(const struct spht_whatif *w, const struct spht_step *s)
{
	return s->region != SPHT_NO_ID && w->regions[s->region].settled == w->mmu.changes;
}

/* The guest's table of this fault maps its region, and no other. */
void spht_w_own_table(struct spht_whatif *w, const struct spht_step *s);
int spht_w_pages_init(struct spht_whatif *w);
void spht_w_pages_close(struct spht_whatif *w);
/* A step begins that is not avoided yet. */
void spht_w_begin_pages(struct spht_whatif *w, const struct spht_step *s);
/* The fault's fetch: room, pages, paths; or none, since the fault is avoided. */
void spht_w_fetch(struct spht_whatif *w, const struct spht_step *s, uint32_t step);
void spht_w_no_fetch(struct spht_whatif *w, const struct spht_step *s, uint32_t step);
/* The recording has linked the fault's path by now, and so does the what-if. */
void spht_w_linked(struct spht_whatif *w, const struct spht_step *s);
/* The helper's own fetch.  The number of pages made, -1 when memory is short. */
int spht_w_helper_fetch(struct spht_whatif *w, const struct spht_wregion *r, uint64_t vpn);
/* How many pages that would be. */
unsigned int spht_w_missing_pages(const struct spht_whatif *w, const struct spht_wregion *r);
/* Whether a page is unsync follows the recording, where both have it. */
void spht_w_set_unsync(struct spht_whatif *w, const struct spht_do *d);
/* The recording creates the page. */
void spht_w_create(struct spht_whatif *w, uint32_t page, uint32_t step);
/* The guest or the host have the page zapped, and with it (@below) what is unsync below. */
void spht_w_zap(struct spht_whatif *w, uint32_t page, bool below);
/*
 * The guest has changed this entry of an upper table: the region below it is not
 * known any more, until a fault shows it again.
 */
void spht_w_unmap(struct spht_whatif *w, uint32_t page, unsigned int index);
/* An emulated store into the page's table. */
void spht_w_store(struct spht_whatif *w, const struct spht_step *s, const struct spht_do *d);
/* make_mmu_pages_available, where so many are to be zapped. */
void spht_w_make_room(struct spht_whatif *w, unsigned int short_of);
/* Pages that the recording lost in this step for @cause and the what-if has are alone now. */
void spht_w_settle(struct spht_whatif *w, const struct spht_step *s, enum spht_zap_cause cause);
/* The same for unsync pages below the one that was zapped by @d. */
void spht_w_settle_below(struct spht_whatif *w, const struct spht_step *s, const struct spht_do *d);
bool spht_w_is_root(const struct spht_whatif *w, uint32_t page);
/* The entry is there in the recording, @writable or not, and not here: charged once. */
void spht_w_lack(struct spht_whatif *w, uint32_t page, unsigned int index, bool writable);
/*
 * Is the entry that is built here one that only the what-if lacked?  Then it is there
 * again, as the recording has it, and nobody's merit.
 */
bool spht_w_restore(struct spht_whatif *w, uint32_t page, unsigned int index, bool writable);
/*
 * real.c, real-vcpu.c: the real clock.  All but the first only where there is w->real.
 * Makes w->real; the helper's thread waits until it is resumed.
 */
int spht_real_open(struct spht_whatif *w, struct spht_error *err);
/* Time passes from here on, */
void spht_real_resume(struct spht_whatif *w);
/* and stops. */
void spht_real_park(struct spht_whatif *w);
/* The map of the page may have changed: it is shown before time passes. */
void spht_real_touch(struct spht_whatif *w, uint32_t page);
/* The same of all pages that the step may change. */
void spht_real_mark(struct spht_whatif *w, const struct spht_step *s);
/* A guest entry changes. */
void spht_real_guest(struct spht_whatif *w, uint32_t table, unsigned int index, uint8_t state);
/* The vCPU waits until @ns. */
void spht_real_until(struct spht_whatif *w, uint64_t ns);
/* The exit begins, at w->now_ns or as soon as possible after: which it is then. */
void spht_real_begin(struct spht_whatif *w);
/* What the hardware finds in the tables; @have: what the maps say. */
bool spht_real_look(struct spht_whatif *w, const struct spht_step *s, bool have);
/* The exit takes @cost, the last @hold of it under mmu_lock; fills in w->waited_ns. */
void spht_real_leave(struct spht_whatif *w, const struct spht_step *s, uint64_t cost,
		     uint64_t hold);
/* What the helper is asked for, and what takes requests back: as in request.c. */
void spht_real_ask(struct spht_whatif *w, const struct spht_request *q);
void spht_real_demand(struct spht_whatif *w, uint32_t page, unsigned int index);
void spht_real_zapped(struct spht_whatif *w, uint32_t page);
/* Ends the helper's thread and adds what it counted to the books. */
void spht_real_end(struct spht_whatif *w);
/* Nothing where there is no w->real. */
void spht_real_close(struct spht_whatif *w);

/* The page's map has changed, by other means than those of mmu.h that tell so themselves. */
static inline void spht_w_changed(struct spht_whatif *w, uint32_t page)
{
	if (w->real)
		spht_real_touch(w, page);
}

static inline void spht_w_touched(struct spht_whatif *w, uint32_t page)
{
	if (w->verify)
		spht_verify_touch(w->verify, page);
	spht_w_changed(w, page);
}

/* helper.c */
int spht_helper_init(struct spht_whatif *w);
/* Lets all helpers work until virtual time @ns, in the order of what they do. */
void spht_helper_work(struct spht_whatif *w, uint64_t ns);

static inline void spht_helper_run(struct spht_whatif *w, uint64_t ns)
{
	if (!w->idle)
		spht_helper_work(w, ns);
}

/* Lets the one that holds mmu_lock at @ns finish what it does under it. */
void spht_helper_release(struct spht_whatif *w, uint64_t ns);
/* The demand fault came first: what becomes of a request for the entry. */
void spht_helper_demand(struct spht_whatif *w, uint32_t page, unsigned int index);
/*
 * A build is over at @ns: installs the entry if that is still right.  Returns what the
 * heuristic is told (SPHT_OUTCOME_*).
 */
uint8_t spht_helper_install(struct spht_whatif *w, const struct spht_request *q, uint64_t ns);
/* Builds at once and for free: the oracle's privilege. */
void spht_helper_grant(struct spht_whatif *w, const struct spht_step *s);
void spht_helper_end(struct spht_whatif *w);
void spht_helper_close(struct spht_whatif *w);

#include "replay/whatif-timeline.h"

#endif
