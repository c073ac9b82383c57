// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/observe-local.h"
#include "replay/story.h"

/* An exit that drops more entries of one page than a prefetch group has drops all of them. */
#define MANY_DROPS 64

void spht_story_init(struct spht_story *s, const struct spht_found *found, struct spht_misses *all)
{
	memset(s, 0, sizeof(*s));
	if (found)
		s->found = *found;
	s->own = SIZE_MAX;
	s->belief = -1;
	s->all = all;
}

static void forget(struct spht_story *s)
{
	free(s->v);
	free(s->x.ops);
	free(s->dos);
	spht_misses_close(&s->missed);
	s->v = NULL;
	s->dos = NULL;
	s->nr = s->cap = 0;
	memset(&s->x, 0, sizeof(s->x));
}

void spht_story_close(struct spht_story *s)
{
	forget(s);
}

static bool is_told(const struct spht_story *s, const struct spht_exit *x)
{
	return s->found.number && x->number == s->found.number && x->kind == SPHT_EXIT_WINDOW;
}

static void on_miss(void *arg, const struct spht_miss *miss)
{
	struct spht_story *s = arg;

	if (s->all && spht_misses_add(s->all, s->o, s->now, miss))
		s->no_memory = true;
	if (is_told(s, s->now) && spht_misses_add(&s->missed, s->o, s->now, miss))
		s->no_memory = true;
}

static void start(void *arg, struct spht_observed *o, uint64_t ns)
{
	struct spht_story *s = arg;
	struct spht_found found = s->found;
	struct spht_misses *all = s->all;

	forget(s);
	if (all)
		spht_misses_close(all);
	spht_story_init(s, &found, all);
	s->o = o;
	s->start = ns;
	spht_observed_on_miss(o, on_miss, s);
}

/* The page's id is given before anything of it has been. */
static bool is_there(const struct spht_story *s)
{
	return s->found.has_page && s->found.page < s->o->shadow.pages.nr;
}

static bool entry_present(const struct spht_story *s)
{
	return s->found.has_entry && is_there(s) &&
	       spht_mmu_present(&s->o->mmu, s->found.page, s->found.index);
}

static int add(struct spht_story *s, const struct spht_story_event *e)
{
	if (s->nr == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		void *p = realloc(s->v, cap * sizeof(*s->v));

		if (!p)
			return -1;
		s->v = p;
		s->cap = cap;
	}
	s->v[s->nr++] = *e;
	return 0;
}

static struct spht_story_event event_of(const struct spht_exit *x)
{
	return (struct spht_story_event){
		.number = x->number,
		.ns = x->t_exit,
		.gva = x->gva,
		.has_gva = x->is_pf,
		.vcpu = x->vcpu,
		.cls = x->kind == SPHT_EXIT_WINDOW ? x->cls : SPHT_CLASS_NONE,
	};
}

/* Level of @page in the path to the entry; 0: it is not in it. */
static unsigned int level_above(const struct spht_story *s, uint32_t page)
{
	const struct spht_shadow *shadow = &s->o->shadow;
	uint32_t path = s->found.path;

	if (path == SPHT_NO_ID || path >= shadow->paths.nr)
		return 0;
	if (page == spht_path_root(shadow, path))
		return 4;
	if (page == spht_path_l3(shadow, path))
		return 3;
	return page == spht_path_l2(shadow, path) ? 2 : 0;
}

static bool is_entry_kind(unsigned int kind)
{
	return kind >= SPHT_DO_SET && kind <= SPHT_DO_PROVE;
}

/* The fault of the last step was on the entry itself. */
static bool on_entry(const struct spht_story *s)
{
	const struct spht_step *st = s->o->steps.last;

	return (st->flags & SPHT_STEP_HAS_LEAF) && st->page == s->found.page &&
	       st->index == s->found.index;
}

static bool is_store_to(const struct spht_story *s, const struct spht_exit *x)
{
	return x->store_known &&
	       x->store_gpa >> SPHT_PAGE_SHIFT == spht_shadow_gfn(&s->o->shadow, s->found.page) &&
	       SPHT_PT_INDEX(x->store_gpa >> 3) == s->found.index;
}

/* Why the exit dropped the entry; @d is that, @rest what it did to pages after it. */
static unsigned int why_dropped(const struct spht_story *s, const struct spht_exit *x,
				const struct spht_do *d, uint32_t rest)
{
	const struct spht_step *st = s->o->steps.last;
	const struct spht_do *all = s->o->steps.dos + st->first_do;
	unsigned int drops = 0;

	for (uint32_t i = 1; i <= rest; i++)
		if (d[i].kind == SPHT_DO_PREFETCH && d[i].page == d->page && d[i].index == d->index)
			return SPHT_STORY_WHY_REPLACED;
	for (uint32_t i = 0; i < st->nr_do; i++)
		drops += all[i].kind == SPHT_DO_DROP && all[i].page == d->page;
	if (drops > MANY_DROPS)
		return SPHT_STORY_WHY_REUSED;
	for (unsigned int c = 0; c < SPHT_DROP_NR && on_entry(s); c++)
		if (s->o->fid.drops[c] != s->seen.drops[c])
			return SPHT_STORY_WHY_SILENT + c;
	if (x->cls == SPHT_CLASS_GUEST && on_entry(s))
		return x->walk.error & SPHT_PF_P ? SPHT_STORY_WHY_INJECTED : SPHT_STORY_WHY_WALK;
	if (is_store_to(s, x))
		return SPHT_STORY_WHY_STORE;
	return x->invlpg ? SPHT_STORY_WHY_INVLPG : SPHT_STORY_WHY_RULE;
}

/* One thing that the exit did; nothing where it was done to something else. */
static int add_do(struct spht_story *s, const struct spht_exit *x, const struct spht_do *d,
		  uint32_t rest)
{
	struct spht_story_event e = event_of(x);
	struct spht_obs_info *info;

	e.kind = d->kind;
	e.writable = d->writable;
	e.place = SPHT_STORY_ALL;
	if (d->kind == SPHT_DO_ZAP_ALL)
		return add(s, &e);
	if (d->page != s->found.page) {
		e.level = (uint8_t)level_above(s, d->page);
		e.gfn = spht_shadow_gfn(&s->o->shadow, d->page);
		e.place = SPHT_STORY_ABOVE;
		if (!e.level || is_entry_kind(d->kind))
			return 0;
		return d->kind == SPHT_DO_SYNC || d->kind == SPHT_DO_UNSYNC ? 0 : add(s, &e);
	}
	e.place = is_entry_kind(d->kind) ? SPHT_STORY_ENTRY : SPHT_STORY_PAGE;
	if (e.place == SPHT_STORY_PAGE)
		return add(s, &e);
	if (!s->found.has_entry || d->index != s->found.index)
		return 0;
	info = spht_obs_info(s->o, d->page, d->index);
	if (info && !info->proven && d->kind != SPHT_DO_DROP)
		e.spte = info->spte;
	/* A drop of nothing is said to what-ifs only. */
	if (d->kind == SPHT_DO_DROP && !s->seen_present)
		return 0;
	if (d->kind == SPHT_DO_DROP)
		e.why = (uint8_t)why_dropped(s, x, d, rest);
	return add(s, &e);
}

/* Found unsync: a sync without an event of its own. */
static int add_gets(struct spht_story *s, const struct spht_exit *x)
{
	for (size_t i = 0; i < x->nr_ops; i++) {
		const struct spht_op *op = &x->ops[i];
		struct spht_story_event e = event_of(x);
		uint32_t role = spht_role_identity(s->o->shadow.layout, op->role);

		if (op->kind != SPHT_OP_GET || op->created || !op->unsync || !is_there(s) ||
		    op->gfn != spht_shadow_gfn(&s->o->shadow, s->found.page) ||
		    role != spht_shadow_role(&s->o->shadow, s->found.page))
			continue;
		e.kind = SPHT_STORY_FOUND_UNSYNC;
		e.place = SPHT_STORY_PAGE;
		if (add(s, &e))
			return -1;
	}
	return 0;
}

static int add_exit(struct spht_story *s, const struct spht_exit *x)
{
	const struct spht_steps *steps = &s->o->steps;
	size_t before = s->nr;
	bool dropped = false;

	if (add_gets(s, x))
		return -1;
	if (steps->nr > s->seen_steps) {
		const struct spht_step *st = steps->last;

		for (uint32_t i = 0; i < st->nr_do; i++)
			if (add_do(s, x, &steps->dos[st->first_do + i], st->nr_do - 1 - i))
				return -1;
	}
	for (size_t i = before; i < s->nr; i++)
		dropped |= s->v[i].kind == SPHT_DO_DROP || s->v[i].kind == SPHT_DO_ZAP ||
			   s->v[i].kind == SPHT_DO_ZAP_ALL;
	if (s->seen_present && !entry_present(s) && !dropped) {
		struct spht_story_event e = event_of(x);

		e.kind = SPHT_STORY_DATED_DROP;
		e.why = SPHT_STORY_WHY_RULE;
		for (unsigned int c = 0; c < SPHT_DROP_NR; c++)
			if (s->o->fid.drops[c] != s->seen.drops[c])
				e.why = (uint8_t)(SPHT_STORY_WHY_SILENT + c);
		return add(s, &e);
	}
	return 0;
}

static struct spht_story_page page_of(const struct spht_story *s, uint32_t id)
{
	const struct spht_mmu *m = &s->o->mmu;

	if (id == SPHT_NO_ID || id >= s->o->shadow.pages.nr || id >= m->nr)
		return (struct spht_story_page){.known = false};
	return (struct spht_story_page){
		.known = true,
		.exists = m->pages[id].exists,
		.unsync = m->pages[id].unsync,
		.gfn = spht_shadow_gfn(&s->o->shadow, id),
		.role = spht_shadow_role(&s->o->shadow, id),
	};
}

/* Pages above the entry, where the path is known already, and how far it is linked. */
static void see_path(struct spht_story *s)
{
	const struct spht_shadow *shadow = &s->o->shadow;
	uint32_t path = s->found.path, id[5] = {0};
	unsigned int leaf = s->found.leaf_level;

	if (path == SPHT_NO_ID || path >= shadow->paths.nr || leaf < 1 || leaf > 2)
		return;
	id[4] = spht_path_root(shadow, path);
	id[3] = spht_path_l3(shadow, path);
	id[2] = spht_path_l2(shadow, path);
	id[leaf] = s->found.page;
	for (unsigned int level = 4; level >= leaf; level--) {
		s->path[level] = page_of(s, id[level]);
		if (level < 4 && s->path[level + 1].known && s->path[level].known)
			s->path[level].linked =
				spht_mmu_child(&s->o->mmu, id[level + 1],
					       spht_vpn_index(s->found.vpn, level + 1)) ==
				id[level];
	}
}

/* The entry, and what a fault on it must find. */
static void see_entry(struct spht_story *s, const struct spht_exit *x)
{
	const struct spht_mmu_page *p;
	struct spht_obs_where w = {.path = s->found.path,
				   .page = s->found.page,
				   .index = s->found.index,
				   .leaf_level = s->found.leaf_level};
	struct spht_obs_info *info;

	if (!s->found.has_entry || !is_there(s) || s->found.page >= s->o->mmu.nr)
		return;
	p = &s->o->mmu.pages[s->found.page];
	s->present = spht_bit(p->present, s->found.index);
	s->writable = spht_bit(p->writable, s->found.index);
	s->unknown = p->exists && spht_bit(p->unknown, s->found.index);
	info = spht_obs_info(s->o, s->found.page, s->found.index);
	s->proven = info && info->proven;
	s->spte = info ? info->spte : 0;
	if (!s->found.other && x->is_pf && s->found.path < s->o->shadow.paths.nr)
		s->belief = spht_obs_peek(s->o, &w, x);
	for (size_t i = s->nr; i-- > 0 && s->present && s->own == SIZE_MAX;)
		if (s->v[i].place == SPHT_STORY_ENTRY && s->v[i].kind != SPHT_DO_DROP &&
		    s->v[i].kind != SPHT_DO_WPROTECT)
			s->own = i;
}

static int before(void *arg, const struct spht_exit *x)
{
	struct spht_story *s = arg;

	s->now = x;
	if (s->met || !s->found.number)
		return 0;
	s->seen = s->o->fid;
	s->seen_steps = s->o->steps.nr;
	s->seen_present = entry_present(s);
	if (!is_told(s, x))
		return 0;
	s->before = s->o->fid;
	see_path(s);
	see_entry(s, x);
	s->x = *x;
	s->x.ops = malloc(x->nr_ops * sizeof(*x->ops) + 1);
	if (!s->x.ops) {
		s->x.nr_ops = 0;
		return -1;
	}
	if (x->nr_ops)
		memcpy(s->x.ops, x->ops, x->nr_ops * sizeof(*x->ops));
	return 0;
}

static int end_story(struct spht_story *s)
{
	const struct spht_steps *steps = &s->o->steps;
	const struct spht_step *st;

	s->met = true;
	s->after = s->o->fid;
	if (steps->nr == s->seen_steps)
		return 0;
	st = steps->last;
	s->dos = malloc(st->nr_do * sizeof(*s->dos) + 1);
	if (!s->dos)
		return -1;
	if (st->nr_do)
		memcpy(s->dos, steps->dos + st->first_do, st->nr_do * sizeof(*s->dos));
	s->nr_do = st->nr_do;
	return 0;
}

static int after(void *arg, const struct spht_exit *x)
{
	struct spht_story *s = arg;

	if (s->no_memory)
		return -1;
	if (x->kind == SPHT_EXIT_PIECE && s->found.number && x->number == s->found.number)
		s->other_ops += x->nr_ops;
	if (s->met || !s->found.number)
		return 0;
	if (is_told(s, x))
		return end_story(s);
	return s->found.has_page && is_there(s) ? add_exit(s, x) : 0;
}

struct spht_tap spht_story_tap(struct spht_story *s)
{
	return (struct spht_tap){s, start, before, after};
}

int spht_telling_open(struct spht_telling *t, const struct spht_target *target, bool list,
		      const char *path, struct spht_load_options *opt, struct spht_error *err)
{
	bool told = target && target->kind != SPHT_TARGET_NONE;
	struct spht_found found;

	memset(t, 0, sizeof(*t));
	if (told && spht_explain_find(target, path, opt, &found, err))
		return -1;
	spht_story_init(&t->story, told ? &found : NULL, list ? &t->misses : NULL);
	t->tap = spht_story_tap(&t->story);
	opt->tap = told || list ? &t->tap : NULL;
	return 0;
}

const struct spht_look_at *spht_telling_look_at(struct spht_telling *t)
{
	const struct spht_found *f = &t->story.found;

	if (!f->number || !f->has_entry || !f->has_step)
		return NULL;
	t->look_at = (struct spht_look_at){.step = f->step,
					   .page = f->page,
					   .table = f->table,
					   .space = f->space,
					   .vpn = f->vpn,
					   .index = f->index};
	return &t->look_at;
}

void spht_telling_close(struct spht_telling *t)
{
	spht_story_close(&t->story);
	spht_misses_close(&t->misses);
}
