/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_DUMP_ROWS_H
#define SPHT_DUMP_ROWS_H

#include "cmd.h"

/* Lines of `spht-trace dump`. */

struct piece; /* one field: its name, and how its value is written */

/* Rows of one event type. */
struct dump_row {
	char *name; /* ",kvm,kvm_exit," or its JSON */
	size_t name_len;
	size_t max; /* bytes of the longest row */
	unsigned int nr;
	struct piece *pieces;
	int vcpu_slot;
	bool wanted;
};

/* 0, or -1 without memory; either way dump_row_free() ends it.  @row is zeroed before. */
int dump_row_init(struct dump_row *row, const struct spht_event_type *type, bool json);
void dump_row_free(struct dump_row *row);
/* One line, into @out, whose buffer must be able to hold @row->max bytes. */
void dump_row_print(struct cmd_out *out, const struct dump_row *row, const struct spht_event *ev,
		    bool json);

#endif
