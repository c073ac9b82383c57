/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CHECK_H
#define SPHT_CHECK_H

#include <stdio.h>

/*
 * spht-record --check: can this host be recorded?  Found out by trying: a tracing
 * instance is made, used and removed; nothing else is changed, no VM is started, no
 * file of the function tracer is opened.  Writes a line for each point to @out,
 *   ok|warn|FAIL  what: what was seen; what to do
 * and at the end "recordable: yes", "no", or "yes, but ...".  Returns the exit status; it
 * is SPHT_CHECK_NO when @out cannot be written, too.
 */
enum spht_check_status {
	SPHT_CHECK_YES = 0, /* recordable, and this KVM shadows */
	SPHT_CHECK_NO = 1,
	SPHT_CHECK_NO_SHADOW = 5, /* recordable, but EPT or NPT is on, or that is not known */
};

int spht_check(FILE *out);

/* The parts of it, which print their lines. */

enum spht_check_word { SPHT_CHECK_OK, SPHT_CHECK_WARN, SPHT_CHECK_FAIL };
/* One line; what is no printable ASCII becomes '?'.  @remedy may be NULL. */
__attribute__((format(printf, 5, 6))) void spht_check_line(FILE *out, enum spht_check_word word,
							   const char *what, const char *remedy,
							   const char *fmt, ...);
/* tracefs and its events.  Whether events can be recorded. */
enum spht_check_word spht_check_tracing(FILE *out);
/* /dev/kvm, the modules, VMs.  FAIL: no KVM; WARN: no shadow paging; OK. */
enum spht_check_word spht_check_kvm(FILE *out);
/* The last line. */
int spht_check_verdict(FILE *out, enum spht_check_word tracing, enum spht_check_word kvm);

#endif
