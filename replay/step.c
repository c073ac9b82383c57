// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/bigmem.h"
#include "replay/step.h"

int spht_steps_init(struct spht_steps *s, struct spht_room room)
{
	memset(s, 0, sizeof(*s));
	s->t_start = UINT64_MAX;
	s->chunk_bits = room.chunk_bits;
	s->v = malloc(sizeof(*s->v) << s->chunk_bits);
	s->spill = spht_spill_open(room.memory);
	if (s->v && s->spill && !spht_changes_init(&s->changes, s->spill, s->chunk_bits))
		return 0;
	spht_steps_close(s);
	return -1;
}

void spht_steps_close(struct spht_steps *s)
{
	free(s->v);
	free(s->dos);
	free(s->chunks);
	spht_changes_close(&s->changes);
	spht_spill_close(s->spill);
	memset(s, 0, sizeof(*s));
}

static int no_memory(struct spht_steps *s)
{
	spht_error_set(&s->err, "out of memory while replaying");
	return -1;
}

static int grow(struct spht_steps *s, void **v, uint32_t *cap, size_t size)
{
	uint32_t n = *cap ? *cap * 2 : 1024;
	void *p = n > *cap ? realloc(*v, n * size) : NULL;

	if (!p)
		return no_memory(s);
	spht_bigmem_hint(p, n * size);
	*v = p;
	*cap = n;
	return 0;
}

static uint16_t doing(const struct spht_do *d, uint32_t nr)
{
	uint16_t flags = 0;

	for (uint32_t i = 0; i < nr; i++) {
		if (d[i].kind != SPHT_DO_SET && d[i].kind != SPHT_DO_PREFETCH)
			flags |= SPHT_STEP_MORE;
		if (d[i].kind == SPHT_DO_ZAP || d[i].kind == SPHT_DO_ZAP_ALL)
			flags |= SPHT_STEP_ZAPS;
	}
	return flags;
}

/* What is asked of all steps before the first of them is replayed. */
static void sum_up(struct spht_steps *s)
{
	for (uint32_t i = 0; i < s->nr - s->first; i++) {
		struct spht_step *st = &s->v[i];

		if (st->nr_do)
			st->flags |= doing(s->dos + st->first_do, st->nr_do);
		if (st->flags & SPHT_STEP_LOOSE)
			continue;
		if (st->vcpu >= s->nr_vcpus)
			s->nr_vcpus = st->vcpu + 1u;
		if (st->t_exit < s->t_start)
			s->t_start = st->t_exit;
	}
}

/* The chunk is full, or the recording has ended: to the spill with it. */
static int finish_chunk(struct spht_steps *s)
{
	struct spht_chunk_ref *ref;
	uint64_t at;

	if (s->nr == s->first)
		return 0;
	if (s->nr_chunks == s->cap_chunks &&
	    grow(s, (void **)&s->chunks, &s->cap_chunks, sizeof(*s->chunks)))
		return -1;
	sum_up(s);
	ref = &s->chunks[s->nr_chunks];
	ref->t_first = s->v[0].t_exit;
	ref->nr_do = s->nr_do;
	if (spht_spill_append(s->spill, s->v, (s->nr - s->first) * sizeof(*s->v), &ref->at,
			      &s->err) ||
	    spht_spill_append(s->spill, s->dos, s->nr_do * sizeof(*s->dos), &at, &s->err))
		return -1;
	s->nr_chunks++;
	s->first = s->nr;
	s->nr_do = 0;
	return 0;
}

struct spht_step *spht_steps_add(struct spht_steps *s)
{
	if (s->nr - s->first == 1u << s->chunk_bits && finish_chunk(s))
		return NULL;
	if (s->nr == UINT32_MAX - 1) {
		spht_error_set(&s->err,
			       "more than %u steps: replay the recording in pieces "
			       "(spht-trace cut)",
			       s->nr);
		return NULL;
	}
	s->last = &s->v[s->nr++ - s->first];
	memset(s->last, 0, sizeof(*s->last));
	s->last->first_do = s->nr_do;
	return s->last;
}

int spht_steps_do(struct spht_steps *s, uint8_t kind, uint32_t page, unsigned int index,
		  bool writable)
{
	if (s->nr_do == s->cap_do && grow(s, (void **)&s->dos, &s->cap_do, sizeof(*s->dos)))
		return -1;
	s->dos[s->nr_do++] = (struct spht_do){page, (uint16_t)index, kind, writable, false, 0};
	s->last->nr_do++;
	return 0;
}

static int late(struct spht_steps *s, uint8_t kind, uint32_t step, uint32_t page,
		unsigned int index)
{
	return spht_changes_add(&s->changes, (struct spht_change){.step = step,
								  .page = page,
								  .index = (uint16_t)index,
								  .kind = kind});
}

int spht_steps_drop(struct spht_steps *s, uint32_t step, uint32_t page, unsigned int index)
{
	return late(s, SPHT_CHANGE_DROP, step, page, index);
}

int spht_steps_touch(struct spht_steps *s, uint32_t step, uint32_t page, unsigned int index)
{
	return late(s, SPHT_CHANGE_TOUCH, step, page, index);
}

int spht_steps_finish(struct spht_steps *s)
{
	if (finish_chunk(s) || spht_changes_finish(&s->changes))
		return -1;
	free(s->v);
	free(s->dos);
	s->v = s->last = NULL;
	s->dos = NULL;
	s->cap_do = 0;
	return 0;
}

const struct spht_error *spht_steps_error(const struct spht_steps *s)
{
	return *s->err.text ? &s->err : *s->changes.err.text ? &s->changes.err : NULL;
}
