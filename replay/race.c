// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "replay/race.h"

int spht_race_ring_init(struct spht_race_ring *r, unsigned int size)
{
	r->buffer = calloc(size, sizeof(*r->buffer));
	if (!r->buffer)
		return -1;
	ck_ring_init(&r->ring, size);
	return 0;
}

void spht_race_ring_close(struct spht_race_ring *r)
{
	free(r->buffer);
	r->buffer = NULL;
}
