/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_STD_FILES_H
#define SPHT_STD_FILES_H

/*
 * For the first line of main(): occupies stdin, stdout and stderr where they are closed, so
 * that no output file gets their number and with it the report or the messages.  What is
 * written to or read from such a one fails as it would have.
 */
void spht_std_files(void);

#endif
