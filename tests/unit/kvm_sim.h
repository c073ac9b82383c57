/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_KVM_SIM_H
#define SPHT_TEST_KVM_SIM_H

#include "events.h"

/*
 * A small guest on a small KVM, written from KVM's rules and sharing nothing
 * with the replayer: its recordings are consistent, and the truth about every
 * shadow entry is known.  Table t maps region t, and is itself the page that
 * entry t of table 0 maps.
 */
#define SIM_TABLES    6u
#define SIM_ROOT_GFN  0x10u
#define SIM_L3_GFN    0x11u
#define SIM_L2_GFN    0x12u
#define SIM_TABLE_GFN 0x100u

enum { SIM_ABSENT, SIM_READONLY, SIM_WRITABLE };

struct sim_page {
	bool exists, linked, unsync;
	uint8_t spte[SPHT_PT_ENTRIES]; /* SIM_* */
	uint64_t gfn[SPHT_PT_ENTRIES]; /* that the SPTE maps */
	uint64_t frame;
};

struct sim {
	struct feeder f;
	uint64_t seed;
	unsigned int window; /* of KVM's prefetch */
	unsigned int around; /* entries that the guest's handler maps at once */
	/* The guest changes entries that are present: syncs then drop SPTEs unseen. */
	bool silent;
	unsigned int vcpu, vcpus;
	/*
	 * How often, in per cent, a vCPU's thread is held up inside an exit while
	 * others go on: before it takes mmu_lock, and after its work.
	 */
	unsigned int hold;
	uint32_t held; /* vCPUs that are, a bit each */
	/* The recorder reads tables: a bit for each moment, 1 << enum spht_snap_kind. */
	unsigned int snaps;
	uint64_t shown[SIM_TABLES][SPHT_PT_ENTRIES]; /* as last recorded */
	bool based[SIM_TABLES];
	uint64_t nr_snaps, nr_present; /* snapshots, and present entries in all of them */
	uint64_t pte[SIM_TABLES][SPHT_PT_ENTRIES]; /* the guest's */
	struct sim_page sp[SIM_TABLES];
	bool l2_exists, l2_linked;
	uint64_t next_gfn, next_frame;
	uint64_t exits, by_class[SPHT_CLASS_NR];
};

/* @f.assemble is to be set by the caller.  Loads the first root. */
void sim_start(struct sim *s, unsigned int window, unsigned int vcpus, uint64_t seed);
uint64_t sim_random(struct sim *s);
/* The guest touches a page until it succeeds. */
void sim_access(struct sim *s, uint64_t vpn, bool write);
/* The guest stores an entry into one of its tables. */
void sim_store(struct sim *s, unsigned int table, unsigned int index, uint64_t value);
/* It reloads CR3 with the same value. */
void sim_flush(struct sim *s);
/* The host zaps the shadow page of a table, or the one above them all. */
void sim_zap(struct sim *s, unsigned int table);
void sim_zap_l2(struct sim *s);
/* Anything of the above, at random. */
void sim_step(struct sim *s);

#endif
