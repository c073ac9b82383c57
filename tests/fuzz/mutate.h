/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FUZZ_MUTATE_H
#define SPHT_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* What the mutators of the targets share. */

/* Random numbers that the seed of libFuzzer determines. */
struct dice {
	uint64_t state;
};

struct dice dice_of(unsigned int seed);
/* Below @n, which is not 0. */
uint64_t dice_roll(struct dice *d, uint64_t n);
/* A number that programs may have forgotten: limits, powers of two, one beside them. */
uint64_t dice_edge(struct dice *d);
/* @v a little or wholly different. */
uint64_t dice_change(struct dice *d, uint64_t v);

/*
 * Changes JSON text of @size bytes in place, room for @max: mostly one value, key or
 * element in what stays JSON, now and then its bytes.  Returns the new size.
 */
size_t mutate_json(struct dice *d, uint8_t *text, size_t size, size_t max);

#endif
