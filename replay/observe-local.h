/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_OBSERVE_LOCAL_H
#define SPHT_OBSERVE_LOCAL_H

#include "replay/housekeeping.h"
#include "replay/observe.h"

/*
 * Inside of the observed MMU: observe.c (exits), observe-ops.c (their operations), resolve.c
 * (where), endogenous.c (zaps that follow by KVM's rules), check.c (fidelity, evidence).
 */

#define SPHT_INFO_CHUNK  32u
#define SPHT_INFO_CHUNKS (SPHT_PT_ENTRIES / SPHT_INFO_CHUNK)
#define SPHT_MRU_ROOTS   4 /* current + KVM_MMU_NUM_PREV_ROOTS */
#define SPHT_MAX_WINDOW  64u

/* What is known of one present SPTE. */
struct spht_obs_info {
	uint64_t spte; /* last recorded value */
	uint32_t gfn; /* of the guest page it maps */
	uint32_t step; /* when */
	uint32_t prefetch; /* step + 1 whose prefetch set it; 0: none did, or its use is told */
	uint32_t rmap : 28; /* its place among those that map its guest page; 0: none */
	uint32_t gone : 2; /* 1 and up, from BESIDE_WALK on: went beside another, not yet seen to */
	bool proven : 1; /* present by proof only: value unknown */
	bool preamble : 1; /* from before the window of a cut, not yet confirmed */
};

struct spht_obs_page {
	struct spht_obs_info *chunk[SPHT_INFO_CHUNKS];
	uint32_t *l3_gfn; /* roots: gfn of the level-3 table by index, 0 = not seen */
	uint64_t may_link[SPHT_MMU_WORDS]; /* roots: linked where it was in doubt which root it was */
	uint32_t next_same_gfn;
	uint32_t made; /* step of its creation or last zap */
	uint32_t last_sync; /* step of the last sync, transient ones included */
	uint32_t group_step[SPHT_PT_ENTRIES / 8]; /* last step that looked at these entries */
	uint64_t frame; /* its SPTEs' frame + 1, as last bound */
	bool seen; /* named by a get_page */
	bool preamble; /* entries known only as far as the preamble's frames bind */
	uint8_t expected; /* enum spht_zap_cause: KVM's rules zap it in this step */
};

struct spht_obs_vcpu {
	uint32_t root; /* page id; SPHT_NO_ID: not known */
	uint32_t mru[SPHT_MRU_ROOTS];
	uint32_t pinned[SPHT_MRU_ROOTS]; /* of these, as last told: endogenous.c */
	uint32_t last_flush; /* step of the last CR3 load or invalidation */
	uint64_t t_entry;
	uint64_t gap_ns;
	uint32_t other_exits, other_ns;
	uint32_t role; /* of its last root; SPHT_NO_ID: none yet */
	uint32_t cow_page; /* entry of the last guest fault that found one; SPHT_NO_ID: none */
	uint16_t cow_index;
	int8_t seen; /* SPHT_EXIT_SEEN: what was believed of the entry as its fault came */
	uint8_t not_root; /* while the root is in doubt: a bit for each of mru that it cannot be */
	bool root_sure; /* no CR3 load since the root was last told */
	bool used;
};

/* Where a fault is: the page-table path, the leaf entry, what came along. */
struct spht_obs_where {
	uint32_t space, region, path, page, table;
	uint32_t role; /* of the root */
	vpn_t vpn;
	uint16_t index, stop;
	uint8_t leaf_level;
	bool has_leaf, direct, demand_done, linked, has_stop;
	bool four_levels; /* the fault's walk began at level 4 */
	bool doubt; /* the root is not known, and it matters */
	struct spht_mmu_spot at; /* what the hardware met; of a leaf that is known */
	bool *fresh; /* of the leaf table's owner; NULL: no guest table */
	uint64_t before; /* present entries of the leaf's 64-entry word, before the exit */
	uint64_t unknown;
	uint64_t prefetched; /* entries of that word that the fault's own prefetch set */
};

struct spht_obs_owner {
	uint32_t region; /* + 1; 0 = none yet */
	uint32_t step; /* last seen under it */
	bool fresh; /* used again, and its shadow page not got since */
};

/* What a 4 KiB walk through these entries resolved to; most faults repeat the last ones. */
#define SPHT_OBS_MEMOS 1024u

struct spht_obs_memo {
	uint64_t pte[3];
	vpn_t region_vpn;
	uint32_t root, role, space, region, page, table, path;
	bool valid;
};

/* An entry that maps a guest page, or did so last. */
struct spht_obs_rmap {
	uint32_t page; /* shadow page of the entry */
	uint32_t next, prev; /* of the same guest page, 0: none; free ones by next */
	uint32_t head; /* index into rmap_head */
	uint16_t index;
};

struct spht_obs_rmap_head {
	uint32_t first; /* 0: none */
	uint32_t nr;
};

/* Limits of shadow pages that the recorded recycling would fit. */
#define SPHT_LIMIT_VOTES 32u

struct spht_obs_votes {
	uint32_t limit[SPHT_LIMIT_VOTES], nr[SPHT_LIMIT_VOTES];
};

struct spht_observed {
	struct spht_shadow shadow;
	struct spht_mmu mmu;
	struct spht_guest *guest;
	struct spht_steps steps;
	struct spht_fidelity fid;
	struct spht_obs_page *pages; /* by page id */
	uint32_t cap_pages;
	struct spht_obs_owner *owner; /* by table id */
	uint32_t cap_owner;
	struct spht_idmap gfns; /* gfn -> index into gfn_head */
	uint32_t *gfn_head;
	uint32_t cap_gfns;
	struct spht_idmap frames; /* frame of SPTEs -> index into frame_page */
	uint32_t *frame_page; /* page id + 1 */
	uint32_t cap_frames;
	struct spht_op *pending; /* SPTEs of a preamble, their page not yet known */
	size_t nr_pending, cap_pending;
	struct spht_obs_memo memo[SPHT_OBS_MEMOS];
	uint32_t limit; /* n_max_mmu_pages, SPHT_UNLIMITED: not known */
	struct spht_obs_votes votes;
	struct spht_pages expected; /* pages that KVM's rules zap in this step */
	struct spht_pages below;
	struct spht_idmap rmap_gfns; /* guest page -> index into rmap_head */
	struct spht_obs_rmap_head *rmap_head;
	uint32_t cap_rmap_head;
	struct spht_obs_rmap *rmap; /* from 1; one for each entry at most */
	uint32_t nr_rmap, cap_rmap, free_rmap;
	struct spht_obs_vcpu *vcpus; /* by vcpu_id */
	uint32_t nr_vcpus;
	uint32_t role; /* role word of the last root, SPHT_NO_ID before */
	uint32_t step; /* the current one */
	unsigned int window;
	uint64_t spans[10]; /* prefetched entries by log2 of the window that holds them */
	int always;
	spht_miss_fn *on_miss; /* NULL: nobody listens */
	void *miss_arg;
	bool nested; /* met a shadow page of a nested guest */
	bool between; /* a fault has come, and its step not yet: the current one is another's */
	enum spht_snap_mode snap_mode;
	struct spht_snap_use snap_use;
	struct spht_idmap snap_gfns; /* frame -> index into contents */
	struct spht_obs_content *contents; /* guest tables as the last snapshot showed them */
	uint32_t cap_contents;
};

/* Says that a check and the model disagreed.  @index: SPHT_PT_ENTRIES where the page is meant. */
static inline void spht_obs_miss(struct spht_observed *o, enum spht_check check,
				 unsigned int belief, bool p, uint32_t page, unsigned int index)
{
	if (o->on_miss)
		o->on_miss(o->miss_arg, &(struct spht_miss){.check = (uint8_t)check,
							    .belief = (uint8_t)belief,
							    .p = p,
							    .page = page,
							    .index = (uint16_t)index});
}

struct spht_obs_info *spht_obs_info(struct spht_observed *o, uint32_t page, unsigned int index);
int spht_obs_assume(struct spht_observed *o, uint32_t page);
int spht_obs_drop(struct spht_observed *o, uint32_t page, unsigned int index);

/*
 * observe-ops.c: what KVM did, in its order.  @v, @w: whose fault it was and where,
 * NULL and nowhere for others'.
 */
int spht_obs_apply(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		   const struct spht_exit *x);

/* endogenous.c: all return -1 when memory is short. */
/* Before an exit's operations: which pages KVM zaps of its own accord in it. */
int spht_obs_expect(struct spht_observed *o, struct spht_obs_vcpu *v,
		    const struct spht_obs_where *w, const struct spht_exit *x);
/* Operation @i of @x zaps @page, which exists. */
int spht_obs_zap(struct spht_observed *o, const struct spht_exit *x, size_t i, uint32_t page);
/* An upper page is created now. */
int spht_obs_upper(struct spht_observed *o, uint32_t page);
/* After the operations: what was expected and did not come. */
int spht_obs_expected(struct spht_observed *o);

/* resolve.c */
uint32_t spht_obs_page(struct spht_observed *o, gfn_t gfn, uint32_t role);
uint32_t spht_obs_first_page(const struct spht_observed *o, gfn_t gfn);
int spht_obs_grow_frames(struct spht_observed *o, uint32_t id);
int spht_obs_pend(struct spht_observed *o, const struct spht_op *op);
int spht_obs_enlarge(void **v, uint32_t *cap, uint32_t need, size_t size, int fill);
/* Makes room for element @need of an array of *@cap; new ones are of bytes @fill.  0 or -1. */
static inline int spht_obs_grow(void **v, uint32_t *cap, uint32_t need, size_t size, int fill)
{
	return need < *cap ? 0 : spht_obs_enlarge(v, cap, need, size, fill);
}

struct spht_obs_vcpu *spht_obs_vcpu(struct spht_observed *o, uint16_t vcpu);
void spht_obs_root_load(struct spht_observed *o, struct spht_obs_vcpu *v, uint32_t page,
			bool created);
int spht_obs_tell_root(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		       const struct spht_exit *x);
void spht_obs_guest_flush(struct spht_observed *o, struct spht_obs_vcpu *v,
			  const struct spht_exit *x);
int spht_obs_resolve(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		     const struct spht_exit *x);
/* A get_page that names another leaf than the walk resolved to wins. */
void spht_obs_check_leaf(struct spht_observed *o, struct spht_obs_where *w,
			 const struct spht_op *op);
int spht_obs_owner(struct spht_observed *o, struct spht_obs_where *w);
const struct spht_op *spht_obs_got(const struct spht_observed *o, const struct spht_exit *x,
				   uint32_t page);

/* observe-sync.c */
/*
 * Has the entry gone, by what the guest's entry is now (FNAME(sync_page), FNAME(invlpg))?
 * @gfn: what it maps; @accessed: its A bit.
 */
enum spht_derived spht_obs_derive(struct spht_observed *o, const struct spht_obs_vcpu *v,
				  uint32_t page, unsigned int index, gfn_t gfn, bool accessed);
/* Can the exit's invalidation matter? */
bool spht_obs_invalidates(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			  const struct spht_exit *x);
int spht_obs_invalidated(struct spht_observed *o, struct spht_obs_vcpu *v,
			 const struct spht_exit *x);
/*
 * The entry went at or after step @since: those beside it that were there by then are
 * marked as gone for the reason @why, and are dropped if that has proved right so far.
 */
int spht_obs_drop_beside(struct spht_observed *o, uint32_t page, unsigned int index, uint32_t since,
			 enum spht_derived why);
/* Since when @info's entry of a guest table can have gone by a sync or flush; 0: neither came. */
uint32_t spht_obs_unmapped(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			   uint32_t page, const struct spht_obs_info *info);
/* The entry was found absent, or @present: was it foreseen? */
void spht_obs_settle(struct spht_observed *o, uint32_t page, unsigned int index, bool present);
/* Takes the entry away, as of the last sync where nothing speaks against that. */
int spht_obs_drop_dated(struct spht_observed *o, uint32_t page, unsigned int index);

/* observe-rmap.c: which entries map a guest page. */
int spht_obs_rmap_add(struct spht_observed *o, gfn_t gfn, uint32_t page, unsigned int index,
		      struct spht_obs_info *info);
void spht_obs_rmap_del(struct spht_observed *o, struct spht_obs_info *info);
/* @info's entry of @page was added: drops all of its guest page if they are too many.  -1: memory. */
int spht_obs_rmap_limit(struct spht_observed *o, const struct spht_obs_info *info, uint32_t page);

/* mmu.c: RMAP_RECYCLE_THRESHOLD */
#define SPHT_RMAP_LIMIT 1000u

/* May those of @info's guest page be, its own included? */
static inline bool spht_obs_rmap_many(const struct spht_observed *o,
				      const struct spht_obs_info *info)
{
	return o->rmap_head[o->rmap[info->rmap].head].nr > SPHT_RMAP_LIMIT + 1;
}
int spht_obs_write_protect(struct spht_observed *o, gfn_t gfn);

/* observe-snap.c: guest tables as snapshots show them. */
#define SPHT_CONTENT_CHUNK 32u

struct spht_obs_cell {
	uint64_t value;
	uint32_t serial; /* of the snapshot that said so */
};

struct spht_obs_content {
	struct spht_obs_cell *chunk[SPHT_PT_ENTRIES / SPHT_CONTENT_CHUNK]; /* NULL: all 0 */
	uint32_t serial; /* of the last snapshot */
	uint32_t synced; /* step + 1 in which KVM synced a page with it, and it was read */
	uint32_t scored; /* step + 1 of the last score */
	bool based; /* it is whole */
	bool told; /* for the score: and was so at the last one */
};

/* The exit's snapshots become evidence, or are kept for the score.  @w: its fault. */
int spht_obs_snaps(struct spht_observed *o, const struct spht_obs_where *w,
		   const struct spht_exit *x);
/* @page has been synced: entries that its table, if that was read, does not justify are gone. */
int spht_obs_snap_sync(struct spht_observed *o, uint32_t page, gfn_t gfn);
void spht_obs_snaps_close(struct spht_observed *o);

/* check.c */
/*
 * A sync that shows in the fault's walk is made up for (-1: memory is short); then
 * *@belief is SPHT_BELIEF_* of the entry that the hardware met, -1: it cannot be known.
 */
int spht_obs_believe(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		     const struct spht_exit *x, int *belief);
/* The same to be told of it, without a change. */
int spht_obs_peek(struct spht_observed *o, const struct spht_obs_where *where,
		  const struct spht_exit *x);
int spht_obs_check_fault(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
			 const struct spht_exit *x);
int spht_obs_leaf_evidence(struct spht_observed *o, const struct spht_obs_where *w,
			   const struct spht_exit *x);
int spht_obs_prefetched(struct spht_observed *o, struct spht_obs_where *w, unsigned int index,
			const struct spht_op *op);
int spht_obs_group_evidence(struct spht_observed *o, struct spht_obs_where *w);

#endif
