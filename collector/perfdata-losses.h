/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PERFDATA_LOSSES_H
#define SPHT_PERFDATA_LOSSES_H

#include "perfdata-meta.h"
#include "perfdata-sample.h"

/*
 * What perf knows to have lost.  The kernel marks the place in the buffer of a
 * CPU where records did not fit, with their number (LOST, before the first
 * record that fitted again: kernel/events/ring_buffer.c).  Since 6.0 it also
 * counts for each event; perf asks at the end (LOST_SAMPLES) and so learns of
 * what was lost after the last mark.  Both tell of the same losses, so only what
 * the totals have above the marks is added, at the end of the CPU.
 */
struct perfdata_losses;

/* @put is told of a loss in the order of the file; @m is borrowed.  NULL without memory. */
struct perfdata_losses *
perfdata_losses_new(const struct perfdata_meta *m,
		    int (*put)(void *arg, unsigned int cpu, uint64_t ts, uint64_t lost), void *arg);
void perfdata_losses_free(struct perfdata_losses *l);

/* A mark, with the trailer @s of its record, of @lost records or SPHT_LOST_UNKNOWN.  0 or -1. */
int perfdata_losses_at(struct perfdata_losses *l, const struct perfdata_sample *s, uint64_t lost);
/* Before each event: what was lost before it on its CPU is told.  0, or what @put returned. */
int perfdata_losses_before(struct perfdata_losses *l, unsigned int cpu, uint64_t ts);
/* A total of one event, of all (@id NULL); @misc is that of the record. */
void perfdata_losses_total(struct perfdata_losses *l, const struct perfdata_id *id, uint16_t misc,
			   uint64_t lost);
/*
 * At the end: tells of what is left.  @cut: the file ends in the middle, on each CPU an
 * unknown number is missing.  0, or what @put returned.
 */
int perfdata_losses_end(struct perfdata_losses *l, bool cut);

/* What was lost on @cpu in all, as far as numbers are known. */
uint64_t perfdata_losses_of(const struct perfdata_losses *l, unsigned int cpu);
/* Samples that a BPF program was told to drop: they are not lost. */
uint64_t perfdata_losses_filtered(const struct perfdata_losses *l);

#endif
