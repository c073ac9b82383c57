/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_MARK_H
#define SPHT_MARK_H

#include "spht_trace.h"

/*
 * Marks: what the guest wrote to an I/O port that it uses for nothing else, to
 * say where it is.  The header may name port and values:
 *
 *	"marks": {"port": "0x5f0", "names": {"0x1": "boot", "0x2": "make"}}
 */
#define SPHT_MARK_PORT    0x5f0u /* where the header names none */
#define SPHT_MARK_NO_PORT 0x10000u /* the header names one that is none: there are no marks */

struct spht_marks;

/* @header is not kept.  NULL only when memory is short. */
struct spht_marks *spht_marks_open(const json_t *header);
void spht_marks_close(struct spht_marks *m);
uint32_t spht_marks_port(const struct spht_marks *m);
/*
 * Is @ev, of type @type, a mark?  A kvm_pio that writes (rw is KVM_PIO_OUT, 1:
 * arch/x86/kvm/trace.h) one value of 1, 2 or 4 bytes to the port.
 */
bool spht_mark_read(const struct spht_marks *m, const struct spht_event_type *type,
		    const struct spht_event *ev, uint32_t *value);
/* What the header calls @value, NULL where it does not. */
const char *spht_mark_name(const struct spht_marks *m, uint32_t value);
/* The value of @text: a name, or a number (0x2, 2).  False where it is neither. */
bool spht_mark_find(const struct spht_marks *m, const char *text, uint32_t *value);

#endif
