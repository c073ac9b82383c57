/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_RECORDING_H
#define SPHT_RECORDING_H

#include <jansson.h>

#include "replay/observe.h"
#include "replay/phase.h"
#include "replay/roi.h"
#include "replay/score.h"

/* Somebody who looks on as the observed MMU is told of each exit. */
struct spht_tap {
	void *arg;
	/* A pass over the file begins; there may be another.  @start: ns, its first event. */
	void (*start)(void *arg, struct spht_observed *o, uint64_t start);
	/* Around the observed MMU's work on @x.  -1: memory is short. */
	int (*before)(void *arg, const struct spht_exit *x);
	int (*after)(void *arg, const struct spht_exit *x);
};

/* Where the limit of shadow pages is from. */
enum spht_limit_source {
	SPHT_LIMIT_NONE, /* nothing says: no recycling was recorded either */
	SPHT_LIMIT_GIVEN,
	SPHT_LIMIT_HEADER, /* from the sizes of its memslots */
	SPHT_LIMIT_SEEN, /* from recorded recycling */
};

/* By how much mmu_shadow_zapped, mmu_flooded and mmu_recycled rose. */
struct spht_zap_counters {
	bool known;
	uint64_t zapped, flooded, recycled;
	uint64_t recorded; /* kvm_mmu_prepare_zap_page between the readings */
};

/* A trace file read, assembled, and held against the observed MMU: ready for any number of what-ifs. */
struct spht_recording {
	char *path;
	char sha256[65];
	char host_kernel[64], guest_kernel[64];
	bool complete; /* false: --partial read what was whole */
	bool clock_real;
	bool clock_known;
	uint64_t notifier_events; /* host unmaps, which no memslots map to guest pages */
	unsigned int window; /* KVM's own prefetch while it was recorded */
	bool window_derived; /* from the recorded groups; else from the header */
	char window_said[32]; /* by the header, where that is no window; "": nothing wrong */
	struct spht_assemble_stats stats; /* of all of it */
	struct spht_roi roi;
	/* Windows that begin in the region: exits, classes, refaults; without a region, @stats. */
	struct spht_assemble_stats counted;
	uint64_t start; /* ns, the first event, as the index has it */
	struct spht_phases phases; /* intervals, where they are wanted */
	uint32_t mmu_pages; /* limit of shadow pages in the model; SPHT_UNLIMITED: none known */
	enum spht_limit_source mmu_pages_from;
	bool has_pf_taken;
	uint64_t pf_taken; /* by how much KVM's own counter rose */
	/* The #PF exits that it should have counted, and when it was read. */
	uint64_t pf_counted, pf_mmio, pf_from, pf_to;
	/* Its counters of zaps, and what was recorded and derived of them meanwhile. */
	struct spht_zap_counters zaps;
	struct spht_role_layout role; /* the header's own, where it has one */
	enum spht_snap_mode snap_mode;
	struct spht_score score; /* of SPHT_SNAP_SCORE, where there are snapshots */
	const struct spht_tap *tap; /* NULL: nobody looks on */
	struct spht_observed *observed; /* points into this; so a recording stays where it is */
};

struct spht_load_options {
	bool partial;
	/*
	 * The window that what-ifs will have, 0 = the recorded one.  Not a smaller one: what
	 * KVM prefetched was touched without a trace.
	 */
	unsigned int window;
	uint32_t mmu_pages; /* limit of shadow pages; 0 = auto */
	const int32_t *vm; /* vCPU threads of the VM to follow */
	size_t nr_vm;
	const char *roi; /* MARK..MARK; NULL: all */
	const char *warmup; /* SECONDS, N% or MARK; NULL: none */
	uint64_t interval_ns; /* length of intervals, 0: none */
	enum spht_snap_mode snaps; /* what is done with snapshots of guest tables */
	struct spht_room room; /* for its steps */
	const struct spht_tap *tap; /* NULL: none */
	int mock; /* spht_observed_mock(); -1 = none */
	void (*progress)(uint64_t events, void *arg); /* NULL: quiet */
	void *arg;
};

/* Returns 0, or -1 with @err set. */
int spht_recording_load(struct spht_recording *r, const char *path,
			const struct spht_load_options *options, struct spht_error *err);
/* #PF exits in all of it, those under other paging modes included. */
uint64_t spht_recording_pf(const struct spht_recording *r);
void spht_recording_close(struct spht_recording *r);

#endif
