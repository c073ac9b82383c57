/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PROFILE_H
#define SPHT_PROFILE_H

#include <stddef.h>

/*
 * A cost profile in the making (replay/costs.h): starts as a copy of the built-in one,
 * in which every source says that it is a copy, and takes numbers as they are measured.
 * All functions die where memory is short.
 */
struct profile;

struct profile *profile_new(const char *name, const char *about);
void profile_free(struct profile *p);

/* @key must be one of the built-in profile's; @value ns, per cent or a count. */
__attribute__((format(printf, 4, 5))) void profile_set(struct profile *p, const char *key,
						       double value, const char *source, ...);
/* "lead_ns": @nr ascending quantiles, evenly spaced. */
__attribute__((format(printf, 4, 5))) void profile_set_leads(struct profile *p, const double *ns,
							     size_t nr, const char *source, ...);

/*
 * Writes it to @path, or to standard output for "-".  A file appears whole, after it was
 * read as spht-replay would read it, or not at all; dies then.
 */
void profile_write(const struct profile *p, const char *path);

#endif
