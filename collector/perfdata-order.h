/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PERFDATA_ORDER_H
#define SPHT_PERFDATA_ORDER_H

#include "feed.h"

/*
 * Puts the events of each CPU in the order of time; at equal times that of the
 * file.  perf empties its buffers one after the other, each as far as it was
 * filled: a round.  What a round brings may be older than what the round
 * before it brought, never older than what was there when that one began.
 * Memory is bounded whatever the rounds are.
 */
struct perfdata_order;

/* @emit gets the events of each CPU in order.  NULL without memory. */
struct perfdata_order *
perfdata_order_new(int (*emit)(void *arg, const struct spht_feed_event *ev, size_t len), void *arg);
void perfdata_order_free(struct perfdata_order *o);

enum perfdata_order_result {
	PERFDATA_ORDER_OK,
	PERFDATA_ORDER_MEMORY = -1,
	PERFDATA_ORDER_LATE = -2, /* older than what has been passed on: perfdata_order_late() */
	PERFDATA_ORDER_EMIT = -3, /* emit() failed */
};

/* An event of spht_feed_encode(). */
int perfdata_order_add(struct perfdata_order *o, const struct spht_feed_event *ev, size_t len);
/* The end of a round. */
int perfdata_order_round(struct perfdata_order *o);
/* The end of all: passes on what is left. */
int perfdata_order_end(struct perfdata_order *o);
/* The CPU, the time of the event that came too late, and the time that had been reached. */
void perfdata_order_late(const struct perfdata_order *o, unsigned int *cpu, uint64_t *ts,
			 uint64_t *reached);

#endif
