// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/lock.h"

uint64_t spht_lock_take(struct spht_lock *l, uint64_t t, uint64_t ns)
{
	bool moved = t < l->last;

	if (!ns)
		return t;
	while (moved) {
		moved = false;
		for (unsigned int i = 0; i < SPHT_LOCK_HOLDS; i++) {
			if (t >= l->hold[i].to || t + ns <= l->hold[i].from)
				continue;
			t = l->hold[i].to;
			moved = true;
		}
	}
	l->hold[l->next].from = t;
	l->hold[l->next].to = t + ns;
	l->next = (l->next + 1) % SPHT_LOCK_HOLDS;
	if (t + ns > l->last)
		l->last = t + ns;
	return t;
}

bool spht_lock_extend(struct spht_lock *l, uint64_t at, uint64_t ns)
{
	unsigned int mine = SPHT_LOCK_HOLDS;

	for (unsigned int i = 0; i < SPHT_LOCK_HOLDS; i++) {
		if (l->hold[i].from < at + ns && l->hold[i].to > at)
			return false;
		if (l->hold[i].to == at && l->hold[i].from < at)
			mine = i;
	}
	if (mine == SPHT_LOCK_HOLDS)
		return false;
	l->hold[mine].to += ns;
	if (l->hold[mine].to > l->last)
		l->last = l->hold[mine].to;
	return true;
}
