/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LIVE_WORDS_H
#define SPHT_LIVE_WORDS_H

#include <stdint.h>
#include <stdio.h>

/* The command line of the guests: what is wrong with it ends the program with status 2. */

/* "PROGRAM: WHAT 'WHICH'"; the program is named by its argv[0]. */
__attribute__((noreturn)) void words_bad(const char *what, const char *which);
/* @text as a decimal number in min..max. */
uint64_t words_number(const char *text, uint64_t min, uint64_t max);
/* argv[1..] as the @nr arguments of the pattern argv[0], each in 1..max[i]; no more, no fewer. */
void words_arguments(int argc, char **argv, unsigned int nr, const uint64_t *max, uint64_t *arg);
/* Opened for writing, or the program ends. */
FILE *words_output(const char *name);
void words_close(FILE *f, const char *name);

/* Next of a fixed series of numbers (Marsaglia's xorshift): the same pages on every machine. */
static inline uint64_t words_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

#endif
