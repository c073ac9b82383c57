/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_IDMAP_H
#define SPHT_IDMAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Dense numbers for pairs of words, in order of first appearance: what makes
 * every table behind it an array, and every iteration independent of addresses.
 */
#define SPHT_NO_ID UINT32_MAX

struct spht_idmap {
	uint32_t *slots; /* id + 1; 0 = free */
	uint64_t (*keys)[2]; /* by id */
	uint32_t nr, cap, mask;
};

int spht_idmap_init(struct spht_idmap *m) __attribute__((warn_unused_result));
void spht_idmap_close(struct spht_idmap *m);
/* The id of (@a, @b), made if new; SPHT_NO_ID when memory is short. */
uint32_t spht_idmap_get(struct spht_idmap *m, uint64_t a, uint64_t b);
/* The id of (@a, @b) or SPHT_NO_ID. */
uint32_t spht_idmap_find(const struct spht_idmap *m, uint64_t a, uint64_t b);

#endif
