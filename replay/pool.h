/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_POOL_H
#define SPHT_POOL_H

#include <stddef.h>

/* Threads that do rounds of independent work. */
struct spht_pool;

/*
 * @threads, the caller's own among them; where no more are to be had, fewer do
 * the work.  NULL when memory is short.
 */
struct spht_pool *spht_pool_open(unsigned int threads);
/* NULL is nothing. */
void spht_pool_close(struct spht_pool *p);
/*
 * @work for each of 0 .. @nr - 1, in no order, on all threads; returns when all
 * are done.  What one round wrote, the next one sees.
 */
void spht_pool_round(struct spht_pool *p, size_t nr, void (*work)(void *arg, size_t i), void *arg);

#endif
