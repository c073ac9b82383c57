// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/housekeeping.h"
#include "replay/verify.h"

struct spht_verify {
	struct spht_mmu mmu; /* the recording's */
	struct spht_pages touched; /* since the last step */
	bool no_memory;
};

struct spht_verify *spht_verify_open(const struct spht_shadow *shadow)
{
	struct spht_verify *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	spht_mmu_init(&v->mmu, shadow);
	if (!spht_mmu_reserve(&v->mmu, shadow->pages.nr + 1))
		return v;
	spht_verify_close(v);
	return NULL;
}

void spht_verify_close(struct spht_verify *v)
{
	if (!v)
		return;
	spht_mmu_close(&v->mmu);
	free(v->touched.v);
	free(v);
}

void spht_verify_touch(struct spht_verify *v, uint32_t page)
{
	if (v && spht_pages_add(&v->touched, page))
		v->no_memory = true;
}

void spht_verify_drop(struct spht_verify *v, uint32_t page, unsigned int index)
{
	if (!v)
		return;
	spht_mmu_drop(&v->mmu, page, index);
	spht_verify_touch(v, page);
}

static void replay_one(struct spht_verify *v, const struct spht_do *d, uint32_t step)
{
	switch (d->kind) {
	case SPHT_DO_CREATE:
		spht_mmu_create(&v->mmu, d->page, step);
		break;
	case SPHT_DO_ASSUME:
		spht_mmu_assume(&v->mmu, d->page, step);
		break;
	case SPHT_DO_ZAP:
		spht_mmu_zap(&v->mmu, d->page);
		break;
	case SPHT_DO_ZAP_ALL:
		spht_mmu_zap_all(&v->mmu);
		break;
	case SPHT_DO_SET:
	case SPHT_DO_PREFETCH:
	case SPHT_DO_REFRESH:
	case SPHT_DO_PROVE:
		spht_mmu_set_any(&v->mmu, d->page, d->index, d->writable);
		break;
	case SPHT_DO_DROP:
		spht_mmu_drop(&v->mmu, d->page, d->index);
		break;
	case SPHT_DO_WPROTECT:
		spht_bit_clear(v->mmu.pages[d->page].writable, d->index);
		break;
	default:
		return;
	}
	spht_verify_touch(v, d->page);
}

static void link_path(struct spht_verify *v, const struct spht_step *s)
{
	const struct spht_shadow *shadow = v->mmu.shadow;
	const uint32_t above[] = {spht_path_root(shadow, s->path), spht_path_l3(shadow, s->path),
				  spht_path_l2(shadow, s->path)};

	if (spht_mmu_link_path(&v->mmu, s->path, s->page, s->leaf_level, s->vpn))
		v->no_memory = true;
	for (unsigned int i = 0; i < 3; i++)
		if (above[i] != SPHT_NO_ID)
			spht_verify_touch(v, above[i]);
}

/* KVM links the path before it sets the first entry. */
static void replay(struct spht_verify *v, const struct spht_step *s, const struct spht_do *d,
		   uint32_t step)
{
	bool to_link = (s->flags & SPHT_STEP_HAS_LEAF) && (s->flags & SPHT_STEP_REQUESTED);

	for (uint32_t i = 0; i < s->nr_do; i++) {
		if (to_link && (d[i].kind == SPHT_DO_SET || d[i].kind == SPHT_DO_PREFETCH)) {
			link_path(v, s);
			to_link = false;
		}
		replay_one(v, &d[i], step);
	}
	if (to_link)
		link_path(v, s);
}

static void broke(struct spht_verify *v, uint32_t page, const uint64_t *missing, uint32_t step,
		  enum spht_broken_kind kind, struct spht_broken *b)
{
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES && !b->kind; i++)
		if (spht_bit(missing, i))
			*b = (struct spht_broken){kind, step, spht_shadow_gfn(v->mmu.shadow, page),
						  spht_shadow_role(v->mmu.shadow, page), i};
}

static void compare(struct spht_verify *v, uint32_t page, const struct spht_mmu_page *here,
		    const uint64_t *lack, uint32_t step, struct spht_broken *b)
{
	const struct spht_mmu_page *there = &v->mmu.pages[page];
	uint64_t absent[SPHT_MMU_WORDS], weak[SPHT_MMU_WORDS], any_absent = 0, any_weak = 0;

	for (unsigned int k = 0; k < SPHT_MMU_WORDS; k++) {
		absent[k] = there->present[k] & ~(here->present[k] | lack[k]);
		weak[k] = there->present[k] & there->writable[k] & here->present[k] &
			  ~here->writable[k];
		any_absent |= absent[k];
		any_weak |= weak[k];
	}
	if (any_absent)
		broke(v, page, absent, step, SPHT_BROKEN_ABSENT, b);
	if (any_weak)
		broke(v, page, weak, step, SPHT_BROKEN_WEAK, b);
}

void spht_verify_step(struct spht_verify *v, const struct spht_step *s, const struct spht_do *d,
		      uint32_t step, const struct spht_mmu *mmu, spht_lacking_fn *lacking,
		      const void *whatif, struct spht_broken *broken)
{
	if (!v)
		return;
	replay(v, s, d, step);
	if (s->flags & SPHT_STEP_HAS_LEAF)
		spht_verify_touch(v, s->page);
	for (uint32_t i = 0; i < v->touched.nr && !broken->kind; i++) {
		uint32_t page = v->touched.v[i];

		compare(v, page, &mmu->pages[page], lacking(whatif, page), step, broken);
	}
	v->touched.nr = 0;
}

void spht_verify_end(const struct spht_verify *v, const struct spht_mmu *observed,
		     struct spht_broken *b)
{
	for (uint32_t i = 0; v && i < v->mmu.nr && i < observed->nr && !b->kind; i++) {
		const struct spht_mmu_page *p = &v->mmu.pages[i], *o = &observed->pages[i];

		if (p->exists != o->exists || memcmp(p->present, o->present, sizeof(p->present)) ||
		    memcmp(p->writable, o->writable, sizeof(p->writable)))
			*b = (struct spht_broken){SPHT_BROKEN_END, 0,
						  spht_shadow_gfn(v->mmu.shadow, i),
						  spht_shadow_role(v->mmu.shadow, i), 0};
	}
}

bool spht_verify_no_memory(const struct spht_verify *v)
{
	return v && v->no_memory;
}
