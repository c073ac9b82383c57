/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PERFDATA_SAMPLE_H
#define SPHT_PERFDATA_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perfdata-meta.h"
#include "perfdata-stream.h"

/* What of a sample or of the end of another record is used; the rest is stepped over. */
struct perfdata_sample {
	uint64_t id, time;
	uint32_t cpu;
	bool has_id, has_time, has_cpu;
	const uint8_t *raw; /* the tracepoint's record, NULL where there is none */
	uint32_t raw_size;
};

/*
 * Where the number of the event lies in a record of any event, in bytes from the
 * start of a sample and from the end of other records; 0 where it has none.
 */
struct perfdata_ids {
	unsigned int in_sample, in_trailer;
	unsigned int any; /* an event that stands for all where samples have no number */
};

/* 0; -1 when the events are laid out differently, or recorded twice, without a number. */
int perfdata_sample_ids(const struct perfdata_meta *m, struct perfdata_ids *ids);

/* The event that sample @r is of: 1, 0 when no event has its number, -1 when it is too short. */
int perfdata_sample_attr(const struct perfdata_meta *m, const struct perfdata_ids *ids,
			 const struct perfdata_record *r, unsigned int *attr);
/* Takes sample @r of an event @a apart; -1 when it is shorter than what it must hold. */
int perfdata_sample_read(const struct perfdata_attr *a, const struct perfdata_record *r,
			 struct perfdata_sample *s);
/*
 * The same for the end of any other record, which has @fixed bytes of its own
 * behind the head; -1 when it is shorter than that.
 */
int perfdata_sample_trailer(const struct perfdata_meta *m, const struct perfdata_ids *ids,
			    const struct perfdata_record *r, size_t fixed,
			    struct perfdata_sample *s);

#endif
