/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ERROR_H
#define SPHT_ERROR_H

/*
 * The one error path: a function that fails fills this with one line that
 * names the file, the offset where it matters, what was expected and what can
 * be done, and returns -1 or NULL.  Only programs print it.
 */
struct spht_error {
	char text[512];
};

__attribute__((format(printf, 2, 3))) void spht_error_set(struct spht_error *err, const char *fmt,
							  ...);

#endif
