// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/bigmem.h"
#include "replay/step.h"

#define MAX_STEPS (1u << 31)

void spht_steps_close(struct spht_steps *s)
{
	free(s->v);
	free(s->dos);
	free(s->drops);
	memset(s, 0, sizeof(*s));
}

static int grow(void **v, uint32_t *cap, size_t size)
{
	uint32_t n = *cap ? *cap + *cap / 2 : 65536;
	void *p = n < MAX_STEPS ? realloc(*v, n * size) : NULL;

	if (!p)
		return -1;
	spht_bigmem_hint(p, n * size);
	*v = p;
	*cap = n;
	return 0;
}

struct spht_step *spht_steps_add(struct spht_steps *s)
{
	struct spht_step *st;

	if (s->nr == s->cap && grow((void **)&s->v, &s->cap, sizeof(*s->v)))
		return NULL;
	st = &s->v[s->nr++];
	memset(st, 0, sizeof(*st));
	st->first_do = s->nr_do;
	return st;
}

int spht_steps_do(struct spht_steps *s, uint8_t kind, uint32_t page, unsigned int index,
		  bool writable)
{
	if (s->nr_do == s->cap_do && grow((void **)&s->dos, &s->cap_do, sizeof(*s->dos)))
		return -1;
	s->dos[s->nr_do++] = (struct spht_do){page, (uint16_t)index, kind, writable, false};
	s->v[s->nr - 1].nr_do++;
	return 0;
}

int spht_steps_drop(struct spht_steps *s, uint32_t step, uint32_t page, unsigned int index)
{
	if (s->nr_drops == s->cap_drops &&
	    grow((void **)&s->drops, &s->cap_drops, sizeof(*s->drops)))
		return -1;
	s->drops[s->nr_drops++] = (struct spht_drop){step, page, (uint16_t)index};
	return 0;
}

static int by_step(const void *a, const void *b)
{
	const struct spht_drop *x = a, *y = b;

	if (x->step != y->step)
		return x->step < y->step ? -1 : 1;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return (int)x->index - (int)y->index;
}

void spht_steps_finish(struct spht_steps *s)
{
	if (s->nr_drops)
		qsort(s->drops, s->nr_drops, sizeof(*s->drops), by_step);
}
