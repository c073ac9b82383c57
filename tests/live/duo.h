/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LIVE_DUO_H
#define SPHT_LIVE_DUO_H

#include <stdbool.h>

#include "calibrate/guest.h"

/*
 * A guest for two vCPUs of one address space: the main one works through a pattern, the
 * helper touches what a list says.  All that the main one does is the same with a helper and
 * without, down to its script: only what stands in the words of its steps differs.
 */

#define MAIL_GVA   0x20000000ull /* one page: how far either is, and time stamps */
#define WORDS_GVA  0x24000000ull /* words of the main vCPU's steps */
#define HELPER_GVA 0x30000000ull /* the helper's script; above SCRIPT_GVA */
#define LOG_GVA    0x38000000ull /* stamps of the helper: before and after each batch */
#define MAIL_MAIN  MAIL_GVA /* the main vCPU, or for it the VMM, is as far as that */
#define MAIL_DONE  (MAIL_GVA + 64) /* the helper has done all up to that */
#define MAIL_FROM  (MAIL_GVA + 128) /* stamps around the pattern */
#define MAIL_TO    (MAIL_GVA + 192)

enum { DUO_READY = 1, DUO_FIRST = 2 }; /* values of the mail; batch k is DUO_FIRST + k */

#define DUO_STEPS   (8 * 512u) /* accesses of the main vCPU: words in one group of pages */
#define DUO_OPS     511u /* entries of its script, in one group as well */
#define DUO_BATCHES 2048u

enum duo_timing { DUO_AHEAD, DUO_RACE, DUO_LATE };

struct duo_batch {
	uint64_t trigger; /* page number: the fault after which the helper is asked */
	size_t at; /* access by which the main vCPU gets there */
	size_t first, nr; /* of the touches */
};

struct duo {
	struct guest guest;
	uint64_t steps[DUO_STEPS]; /* page number of each access */
	size_t nr_steps;
	uint64_t mail, words, log; /* gpas */
	uint64_t log_pages;
	uint64_t think;
	uint64_t fill, filled; /* frames for what the guest faults on; which is next */
	bool dynamic; /* entries come while it runs: the list knows what it asks for */
	uint64_t expect_hidden, expect_ad, expect_unsync, expect_guest, expect_mmio;
	/* The helper's: */
	struct duo_batch batches[DUO_BATCHES];
	size_t nr_batches;
	uint64_t *touches; /* page numbers */
	size_t nr_touches, foreign, illegal; /* batches of no access, pages not touched */
};

struct duo_pattern {
	const char *name, *args, *help;
	unsigned int nr_args;
	uint64_t max[2]; /* of each argument; all are at least 1 */
	void (*build)(struct duo *d, const uint64_t *arg);
};

/* The last has no name. */
extern const struct duo_pattern duo_patterns[];

/* The guest with the main vCPU's script; @helped: it waits for a helper to be ready. */
void duo_build(struct duo *d, const struct duo_pattern *pat, const uint64_t *arg, uint64_t think,
	       bool helped);
/* A word of the main vCPU's step @at. */
uint32_t *duo_word(const struct duo *d, size_t at, bool wait);

/*
 * Reads the list: lines "BATCH TRIGGER PAGE", hexadecimal page numbers, batches in order.
 * @present: pages with A=0 are touched as well.  Dies where it is none.
 */
void duo_read_list(struct duo *d, const char *name, bool present);
/*
 * Writes the helper's script and the words of the main vCPU's steps.  @slack: in a race,
 * how many batches the helper may be behind before the main vCPU waits.
 */
void duo_schedule(struct duo *d, enum duo_timing timing, unsigned int slack);

#endif
