/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_STEP_H
#define SPHT_STEP_H

#include "replay/change.h"
#include "replay/exit.h"

/*
 * A step is one exit as every what-if MMU replays it: resolved to shadow pages
 * and entries by the observed MMU, small, and the same for all what-ifs.
 */
enum spht_do_kind {
	SPHT_DO_CREATE, /* shadow page created */
	SPHT_DO_ASSUME, /* shadow page exists, its entries are not known */
	SPHT_DO_ZAP, /* index: enum spht_zap_cause */
	SPHT_DO_ZAP_ALL,
	SPHT_DO_SYNC,
	SPHT_DO_UNSYNC,
	SPHT_DO_SET, /* demand SPTE */
	SPHT_DO_PREFETCH, /* SPTE from the fault's own prefetch */
	SPHT_DO_REFRESH, /* SPTE re-created by an invalidation (INVLPG, injected #PF) */
	SPHT_DO_DROP, /* the entry is gone: the hardware or a rule says so */
	SPHT_DO_WPROTECT, /* the entry loses its W: it maps a page table that is shadowed now */
	SPHT_DO_PROVE, /* the entry is there: the prefetch group passed over it */
	SPHT_DO_STORE, /* emulated store into the page's table; index 1: one that zaps at once */
	SPHT_DO_SPARE, /* KVM's rules (index: cause) would have zapped the page, and it was not */
	SPHT_DO_ROOM, /* KVM made room for pages here, if it had to (only where a limit is known) */
	SPHT_DO_ROOT, /* root loaded: its page was found */
	SPHT_DO_PIN, /* a vCPU holds this root from now on, */
	SPHT_DO_UNPIN, /* no more */
};

/*
 * Why a shadow page was zapped.  All but the first two follow from the state of the
 * MMU by KVM's own rules (housekeeping.h): a what-if finds them out for itself.
 */
enum spht_zap_cause {
	SPHT_ZAP_EXOGENOUS, /* the guest, the host, or not explained: replayed */
	SPHT_ZAP_UNSEEN, /* its creation shows it; nothing is known of what went with it: replayed */
	SPHT_ZAP_RECYCLED, /* make_mmu_pages_available: the oldest pages */
	SPHT_ZAP_FLOODED, /* kvm_mmu_pte_write: detect_write_flooding, detect_write_misaligned */
	SPHT_ZAP_UPPER, /* kvm_mmu_find_shadow_page: unsync, and its gfn is an upper table now */
	SPHT_ZAP_CHILD, /* mmu_zap_unsync_children: unsync below the page zapped just before */
	SPHT_ZAP_NR
};

struct spht_do {
	uint32_t page;
	uint16_t index;
	uint8_t kind; /* enum spht_do_kind */
	bool writable : 1;
	bool touched : 1; /* PREFETCH: a later fault proves that the guest used it */
	uint8_t unused : 6; /* 0: these bytes go to a file */
};

enum {
	SPHT_STEP_PF = 1 << 0,
	SPHT_STEP_NEED_W = 1 << 1, /* a write */
	SPHT_STEP_BASE = 1 << 2, /* counts in F_base and is resolved to an entry */
	SPHT_STEP_STOP = 1 << 3, /* `stop` is valid */
	SPHT_STEP_LOSS = 1 << 4, /* events lost here */
	SPHT_STEP_HAS_LEAF = 1 << 5, /* page, table, index, path are valid */
	SPHT_STEP_DIRECT = 1 << 6, /* the leaf is a direct shadow page */
	SPHT_STEP_UNMODELLED = 1 << 7, /* F_base, but no entry that the model knows */
	SPHT_STEP_REQUESTED = 1 << 9, /* KVM's fault path linked the path to the leaf */
	SPHT_STEP_LOOSE = 1 << 10, /* no exit: events of other threads, lost ones, a preamble */
	/*
	 * A guest fault on a table that is shadowed and synced: KVM of 2010 had told the
	 * hardware to reflect it (bypass_guest_pf, FNAME(prefetch_page) of 2.6.32).
	 */
	SPHT_STEP_BYPASS = 1 << 11,
	/* What it does, in short, once its chunk is finished: so that most need not be read. */
	SPHT_STEP_ZAPS = 1 << 12, /* has a ZAP or ZAP_ALL */
	SPHT_STEP_MORE = 1 << 13, /* has anything but SET and PREFETCH */
	SPHT_STEP_FORCED = 1 << 8, /* faults whatever entry is there: not for want of W */
	SPHT_STEP_REFAULT = 1 << 14, /* follows a guest fault on its page */
};

struct spht_step {
	uint64_t t_exit; /* ns, recording's clock */
	uint64_t gap_ns; /* guest run time of this vCPU since its previous step */
	uint64_t vpn;
	uint64_t rip;
	uint32_t window_ns; /* exit to entry; saturates */
	uint32_t other_exits; /* exits of this vCPU since its previous step, not steps */
	uint32_t other_ns; /* their windows; saturates */
	uint32_t pfec;
	uint32_t space, region; /* SPHT_NO_ID: the walk did not show them */
	uint32_t path, page, table; /* of the leaf */
	uint32_t first_do, nr_do; /* from the beginning of its chunk */
	uint16_t index; /* of the leaf entry */
	uint16_t stop; /* where the recorded prefetch group ended */
	uint16_t vcpu;
	uint8_t leaf_level;
	uint8_t cls; /* enum spht_class */
	uint8_t sub;
	uint16_t flags;
};

/* A chunk of steps in the spill. */
struct spht_chunk_ref {
	uint64_t at; /* steps, then what they do */
	uint64_t t_first; /* t_exit of its first step */
	uint32_t nr_do;
};

/*
 * The steps of a recording, written once.  The chunk that is being filled is
 * in memory; finished ones are in the spill, where chunk.h reads them.
 */
struct spht_steps {
	unsigned int chunk_bits; /* chunks have 2^this many, the last one may have less */
	uint32_t nr; /* steps in all */
	uint32_t first; /* of the chunk that is being filled */
	struct spht_step *v; /* its steps */
	struct spht_step *last; /* step nr - 1, which can still be changed */
	struct spht_do *dos; /* of the chunk; first_do counts from its beginning */
	uint32_t nr_do, cap_do;
	struct spht_chunk_ref *chunks; /* finished ones */
	uint32_t nr_chunks, cap_chunks;
	struct spht_changes changes; /* of guest entries, and what is dated back */
	struct spht_spill *spill;
	uint32_t nr_vcpus; /* of finished chunks: vcpu_ids are below it, */
	uint64_t t_start; /* first exit, UINT64_MAX: none */
	uint64_t hidden_ns; /* windows of all hidden faults together, as recorded */
	uint32_t nr_hidden;
	struct spht_error err; /* of the first failure */
};

/* What of the steps is in memory. */
struct spht_room {
	size_t memory; /* bytes that stay there (spill.h) */
	unsigned int chunk_bits; /* 2^this steps are read at a time; at most 20 */
};

/* 64 MiB: all of a short recording. */
#define SPHT_ROOM_DEFAULT ((struct spht_room){(size_t)64 << 20, SPHT_CHUNK_BITS})

/* Returns 0 or -1: memory. */
int spht_steps_init(struct spht_steps *s, struct spht_room room);
void spht_steps_close(struct spht_steps *s);
/*
 * All below return 0, or -1 (NULL) when memory or disk are short, or UINT32_MAX
 * steps are reached; spht_steps_error() says which.
 */
/* Appends a zeroed step; the one before it is final. */
struct spht_step *spht_steps_add(struct spht_steps *s);
/* Appends to the last step. */
int spht_steps_do(struct spht_steps *s, uint8_t kind, uint32_t page, unsigned int index,
		  bool writable);
/* A silent drop, from just after @step on. */
int spht_steps_drop(struct spht_steps *s, uint32_t step, uint32_t page, unsigned int index);
/* The guest has used what a PREFETCH of @step set. */
int spht_steps_touch(struct spht_steps *s, uint32_t step, uint32_t page, unsigned int index);
/* Nothing more comes: the last chunk and all changes can be read. */
int spht_steps_finish(struct spht_steps *s);
const struct spht_error *spht_steps_error(const struct spht_steps *s);

#endif
