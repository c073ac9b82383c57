/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_DIE_H
#define SPHT_DIE_H

/* End the program with exit status 1 and one line on standard error, which names it. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);
/* The same, with what errno says at the end. */
__attribute__((format(printf, 1, 2), noreturn)) void die_errno(const char *fmt, ...);

#endif
