/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_MESSAGE_H
#define SPHT_MESSAGE_H

/*
 * What spht-record says on stderr.  What is no printable UTF-8, which may come
 * from a file and which a terminal might obey, becomes '?'.
 */

/* One line, "spht-record: " before it; takes the progress line away first. */
__attribute__((format(printf, 1, 2))) void spht_message(const char *fmt, ...);
/* Replaces the progress line; nothing happens unless stderr is a terminal. */
__attribute__((format(printf, 1, 2))) void spht_progress(const char *fmt, ...);
void spht_progress_end(void);

#endif
