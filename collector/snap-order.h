/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SNAP_ORDER_H
#define SPHT_SNAP_ORDER_H

#include <stdint.h>

#include "snap-wire.h"

/*
 * Puts snapshots in the order of time.  Those of one thread come in that order; two
 * threads on two CPUs may each take room in the ring buffer before the other one's time.
 * Equal times keep the order in which they came.
 */
struct spht_snap_order;

struct spht_snap_order *spht_snap_order_new(void);
void spht_snap_order_free(struct spht_snap_order *o);
/* Takes a copy of the first @len bytes of @r.  0, or -1 without memory. */
int spht_snap_order_add(struct spht_snap_order *o, const struct snap_record *r, size_t len);
/* The first one if it is older than @limit, until the next call; or NULL. */
const struct snap_record *spht_snap_order_take(struct spht_snap_order *o, uint64_t limit);

#endif
