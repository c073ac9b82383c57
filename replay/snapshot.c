// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/idmap.h"
#include "replay/snapshot.h"

struct spht_snap_reader {
	struct spht_idmap gfns;
	uint8_t *based; /* by id: changes can be told from what is known */
	uint32_t cap;
	uint32_t serial;
};

const char *spht_snap_mode_name(enum spht_snap_mode mode)
{
	static const char *const names[] = {"use", "ignore", "score"};

	return mode < SPHT_SNAP_MODES ? names[mode] : "?";
}

void spht_snaps_free(struct spht_snaps *s)
{
	if (!s)
		return;
	free(s->v);
	free(s->entries);
	free(s);
}

void spht_snaps_clear(struct spht_snaps *s)
{
	if (s)
		s->nr = s->nr_old = s->nr_entries = 0;
}

void spht_snaps_outlive(struct spht_snaps *s)
{
	for (; s && s->nr_old < s->nr; s->nr_old++)
		s->v[s->nr_old].flags |= SPHT_SNAP_OLD;
}

struct spht_snap_reader *spht_snap_reader_open(void)
{
	struct spht_snap_reader *r = calloc(1, sizeof(*r));

	if (r && spht_idmap_init(&r->gfns)) {
		free(r);
		return NULL;
	}
	return r;
}

void spht_snap_reader_close(struct spht_snap_reader *r)
{
	if (!r)
		return;
	spht_idmap_close(&r->gfns);
	free(r->based);
	free(r);
}

/* Room for one more of @size bytes.  -1: memory. */
static int reserve(void **v, uint32_t nr, uint32_t *cap, size_t size)
{
	uint32_t n = *cap ? *cap * 2 : 16;
	void *p;

	if (nr < *cap)
		return 0;
	p = realloc(*v, n * size);
	if (!p)
		return -1;
	*v = p;
	*cap = n;
	return 0;
}

static uint8_t *based(struct spht_snap_reader *r, gfn_t gfn)
{
	uint32_t id = spht_idmap_get(&r->gfns, gfn, 0), cap = r->cap ? r->cap : 256;
	void *p;

	if (id == SPHT_NO_ID)
		return NULL;
	if (id >= r->cap) {
		while (cap <= id)
			cap *= 2;
		p = realloc(r->based, cap);
		if (!p)
			return NULL;
		r->based = p;
		memset(r->based + r->cap, 0, cap - r->cap);
		r->cap = cap;
	}
	return &r->based[id];
}

/* Nothing is known of the table from here on. */
static void spoil(struct spht_snap_reader *r, struct spht_snaps *s, struct spht_snap *snap)
{
	uint8_t *known = based(r, snap->gfn);

	snap->flags = (snap->flags & SPHT_SNAP_OLD) | SPHT_SNAP_UNREADABLE;
	s->nr_entries = snap->first;
	snap->nr = 0;
	if (known)
		*known = false;
}

void spht_snap_end(struct spht_snap_reader *r, struct spht_snaps *s, unsigned int *left,
		   struct spht_snap_stats *st)
{
	if (!*left)
		return;
	*left = 0;
	st->damaged++;
	spoil(r, s, &s->v[s->nr - 1]);
}

static struct spht_snap *add(struct spht_snap_reader *r, struct spht_snaps *s, gfn_t gfn)
{
	struct spht_snap *snap;

	if (reserve((void **)&s->v, s->nr, &s->cap, sizeof(*s->v)))
		return NULL;
	snap = &s->v[s->nr++];
	*snap = (struct spht_snap){.gfn = gfn, .serial = ++r->serial, .first = s->nr_entries};
	return snap;
}

static int begin(struct spht_snap_reader *r, struct spht_snaps *s, unsigned int *left,
		 const struct spht_event *ev, struct spht_snap_stats *st)
{
	struct spht_snap *snap = add(r, s, ev->v[SPHT_SNAP_GFN]);
	uint8_t *known = based(r, ev->v[SPHT_SNAP_GFN]);

	if (!snap || !known)
		return -1;
	st->taken++;
	snap->role = (uint32_t)ev->v[SPHT_SNAP_ROLE];
	snap->kind = (uint8_t)ev->v[SPHT_SNAP_KIND];
	snap->flags = ev->v[SPHT_SNAP_FLAGS] & (SPHT_SNAP_FULL | SPHT_SNAP_UNREADABLE);
	if (snap->flags & SPHT_SNAP_UNREADABLE) {
		st->unreadable++;
		spoil(r, s, snap);
		return 0;
	}
	if (ev->v[SPHT_SNAP_ENTRIES] > SPHT_PT_ENTRIES ||
	    ev->v[SPHT_SNAP_KIND] >= SPHT_SNAP_KINDS ||
	    (!*known && !(snap->flags & SPHT_SNAP_FULL))) {
		st->damaged++;
		spoil(r, s, snap);
		return 0;
	}
	*known = true;
	*left = (unsigned int)ev->v[SPHT_SNAP_ENTRIES];
	return 0;
}

/* An entry that belongs to no snapshot: what it would change is not known any more. */
static int stray(struct spht_snap_reader *r, struct spht_snaps *s, gfn_t gfn,
		 struct spht_snap_stats *st)
{
	uint8_t *known = based(r, gfn);
	struct spht_snap *snap;

	if (!known)
		return -1;
	/* The rest of one that is damaged already. */
	if (!*known)
		return 0;
	snap = add(r, s, gfn);
	if (!snap)
		return -1;
	st->damaged++;
	spoil(r, s, snap);
	return 0;
}

static int entry(struct spht_snap_reader *r, struct spht_snaps *s, unsigned int *left,
		 const struct spht_event *ev, struct spht_snap_stats *st)
{
	struct spht_snap *snap = *left ? &s->v[s->nr - 1] : NULL;

	st->entries++;
	if (!snap || snap->gfn != ev->v[SPHT_SNAP_ENTRY_GFN]) {
		spht_snap_end(r, s, left, st);
		return stray(r, s, ev->v[SPHT_SNAP_ENTRY_GFN], st);
	}
	if (ev->v[SPHT_SNAP_ENTRY_INDEX] >= SPHT_PT_ENTRIES) {
		spht_snap_end(r, s, left, st);
		return 0;
	}
	if (reserve((void **)&s->entries, s->nr_entries, &s->cap_entries, sizeof(*s->entries)))
		return -1;
	s->entries[s->nr_entries++] = (struct spht_snap_entry){
		.value = ev->v[SPHT_SNAP_ENTRY_VALUE],
		.index = (uint16_t)ev->v[SPHT_SNAP_ENTRY_INDEX],
	};
	snap->nr++;
	--*left;
	return 0;
}

int spht_snap_event(struct spht_snap_reader *r, struct spht_snaps **list, unsigned int *left,
		    const struct spht_event *ev, struct spht_snap_stats *st)
{
	if (!*list)
		*list = calloc(1, sizeof(**list));
	if (!*list)
		return -1;
	if (ev->id == SPHT_EV_SNAP_ENTRY)
		return entry(r, *list, left, ev, st);
	spht_snap_end(r, *list, left, st);
	return begin(r, *list, left, ev, st);
}
