// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cut-snaps.h"
#include "cut-state-own.h"

#define PTE_TABLE  0x000ffffffffff000ull /* address bits of a page table entry */
#define NO_LEVEL   99
#define PAGE_SHIFT 12
#define LEVEL_BITS 9

/* Replaces what *@slot keeps by @ev; 0, or -1 without memory. */
static int keep(struct cut_state *s, struct record **slot, const struct spht_event *ev)
{
	size_t words = s->words[ev->type] * sizeof(ev->v[0]);
	struct record *r = realloc(*slot, sizeof(*r) + words);

	if (!r)
		return -1;
	*slot = r;
	r->seq = s->seq;
	r->ts = ev->ts;
	r->pid = ev->pid;
	r->cpu = ev->cpu;
	r->id = ev->id;
	r->type = ev->type;
	r->flags = ev->flags;
	r->preempt = ev->preempt;
	memcpy(r->v, ev->v, words);
	return 0;
}

static unsigned int role_level(const struct cut_state *s, uint32_t role)
{
	return role >> s->level_shift & 15;
}

static bool role_direct(const struct cut_state *s, uint32_t role)
{
	return role >> s->direct_bit & 1;
}

/* The kernels' layouts of union kvm_mmu_page_role; only 5.10 to 6.18 agree. */
static void role_layout(struct cut_state *s, const json_t *header)
{
	const char *release =
		json_string_value(json_object_get(json_object_get(header, "host"), "kernel"));
	unsigned int major = 6, minor = 1;

	if (release && sscanf(release, "%u.%u", &major, &minor) != 2)
		major = 6, minor = 1;
	s->level_shift = 0;
	s->direct_bit = 7;
	s->invalid_bit = 11;
	if (major < 3) {
		s->level_shift = 4;
		s->direct_bit = 16;
		s->invalid_bit = 20;
	} else if (major >= 7) {
		s->invalid_bit = 12;
	}
}

struct page *cut_state_page(const struct cut_state *s, uint64_t gfn, uint32_t role)
{
	struct node *n = table_find(&s->pages, gfn);

	for (; n; n = node_next(n))
		if (container_of(n, struct page, node)->role == role)
			return container_of(n, struct page, node);
	return NULL;
}

static void drop_page(struct cut_state *s, struct page *p)
{
	table_del(&s->pages, &p->node);
	free(p->get);
	free(p->sync);
	free(p);
}

/* A frame and the entries in it belong to no page any more. */
static void drop_frame(struct cut_state *s, struct frame *f)
{
	struct spte *spte = f->sptes, *next;

	for (; spte; spte = next) {
		next = spte->next;
		table_del(&s->sptes, &spte->node);
		free(spte->set);
		free(spte);
	}
	table_del(&s->frames, &f->node);
	table_del(&s->frames_by_gfn, &f->by_gfn);
	free(f);
}

/* The entries of the page go with it; a frame whose role nobody saw may be its own. */
static void drop_frames_of(struct cut_state *s, uint64_t gfn, uint32_t role)
{
	struct node *n = table_find(&s->frames_by_gfn, gfn), *next;

	for (; n; n = next) {
		struct frame *f = container_of(n, struct frame, by_gfn);

		next = node_next(n);
		if (!f->role_known || f->role == role)
			drop_frame(s, f);
	}
}

static void drop_threads_state(struct cut_state *s, bool all)
{
	struct node *n, *next;
	size_t i;

	for (i = 0; i <= s->threads.mask; i++) {
		for (n = s->threads.buckets[i]; n; n = next) {
			struct thread *t = container_of(n, struct thread, node);

			next = n->next;
			free(t->root);
			t->root = NULL;
			if (!all)
				continue;
			free(t->entry);
			table_del(&s->threads, n);
			free(t);
		}
	}
}

/* kvm_mmu_zap_all_fast: no page and no entry is left. */
static void drop_all(struct cut_state *s)
{
	struct node *n;
	size_t i = 0;

	while ((n = table_any(&s->pages, &i)))
		drop_page(s, container_of(n, struct page, node));
	for (i = 0; (n = table_any(&s->frames, &i));)
		drop_frame(s, container_of(n, struct frame, node));
	drop_threads_state(s, false);
}

static struct thread *find_thread(struct cut_state *s, int32_t pid)
{
	struct node *n = table_find(&s->threads, (uint32_t)pid);
	struct thread *t;

	if (n)
		return container_of(n, struct thread, node);
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->lowest = NO_LEVEL;
	table_add(&s->threads, &t->node, (uint32_t)pid);
	return t;
}

/* A new walk: what the last one showed is over. */
static void forget_walk(struct thread *t)
{
	t->highest = 0;
	t->lowest = NO_LEVEL;
	t->armed = false;
	memset(t->got, 0, sizeof(t->got));
}

static void on_element(struct thread *t, const struct spht_event *ev)
{
	uint64_t level = ev->v[SPHT_ELEM_LEVEL];

	if (level < 1 || level > MAX_LEVEL)
		return;
	t->pte[level] = ev->v[SPHT_ELEM_PTE];
	/* Upwards again: the walk lost a race and starts over. */
	t->lowest = (unsigned int)level;
	if (level > t->highest)
		t->highest = (unsigned int)level;
}

static int on_get_page(struct cut_state *s, struct thread *t, const struct spht_event *ev)
{
	uint64_t gfn = ev->v[SPHT_SP_GFN];
	uint32_t role = (uint32_t)ev->v[SPHT_SP_ROLE] & ~(1u << s->invalid_bit);
	unsigned int level = role_level(s, role);
	struct page *p = cut_state_page(s, gfn, role);

	/* Created anew: its zap was among events that were lost. */
	if (p && ev->v[SPHT_SP_CREATED]) {
		drop_page(s, p);
		drop_frames_of(s, gfn, role);
		p = NULL;
	}
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -1;
		p->role = role;
		p->born = s->seq;
		table_add(&s->pages, &p->node, gfn);
	}
	/* This event repeats whether it is unsync. */
	free(p->sync);
	p->sync = NULL;
	if (keep(s, &p->get, ev))
		return -1;
	if (level >= 1 && level <= MAX_LEVEL) {
		t->got[level].seen = true;
		t->got[level].gfn = gfn;
		t->got[level].role = role;
	}
	return level >= 4 ? keep(s, &t->root, ev) : 0;
}

static int on_sync(struct cut_state *s, const struct spht_event *ev)
{
	struct page *p = cut_state_page(s, ev->v[SPHT_SP_GFN],
					(uint32_t)ev->v[SPHT_SP_ROLE] & ~(1u << s->invalid_bit));

	/* KVM also emits sync_page for an unsync page that it has just zapped. */
	return p ? keep(s, &p->sync, ev) : 0;
}

static void on_zap(struct cut_state *s, const struct spht_event *ev)
{
	uint64_t gfn = ev->v[SPHT_SP_GFN];
	bool invalid = ev->v[SPHT_SP_ROLE] >> s->invalid_bit & 1;
	uint32_t role = (uint32_t)ev->v[SPHT_SP_ROLE] & ~(1u << s->invalid_bit);
	struct page *p = cut_state_page(s, gfn, role);

	/*
	 * A root in use is zapped twice, and invalid the second time.  By then
	 * a new page may have its gfn and role: that one lives.
	 */
	if (invalid && !s->lossy)
		return;
	/* An obsolete page of before kvm_mmu_zap_all_fast; ours is newer. */
	if (p && p->get->v[SPHT_SP_GEN] != ev->v[SPHT_SP_GEN])
		return;
	if (p)
		drop_page(s, p);
	drop_frames_of(s, gfn, role);
}

static struct frame *add_frame(struct cut_state *s, uint64_t number, uint64_t gfn)
{
	struct frame *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	table_add(&s->frames, &f->node, number);
	table_add(&s->frames_by_gfn, &f->by_gfn, gfn);
	return f;
}

/*
 * The frame of an entry that a walk led to: it holds the entries of the table
 * that the walk read last, or, where the guest has no table of that level
 * (large page, paging off), of a direct page that starts at an aligned gfn.
 * NULL with *@failed set when there is no memory.
 */
static struct frame *bind_frame(struct cut_state *s, const struct thread *t, uint64_t number,
				const struct spht_event *ev, bool *failed)
{
	struct node *n = table_find(&s->frames, number);
	struct frame *f = n ? container_of(n, struct frame, node) : NULL;
	unsigned int level = (unsigned int)ev->v[SPHT_SET_LEVEL];
	bool indirect = t->lowest <= level, role_known;
	uint64_t gfn;

	/* The table of a walk's first level is CR3's: no entry names it. */
	if (!level || level >= MAX_LEVEL || (indirect && t->highest <= level))
		return f;
	gfn = indirect ? (t->pte[level + 1] & PTE_TABLE) >> PAGE_SHIFT
		       : ev->v[SPHT_SET_GFN] & ~0ull << LEVEL_BITS * level;
	role_known = t->got[level].seen && t->got[level].gfn == gfn &&
		     role_direct(s, t->got[level].role) == !indirect;
	/* KVM gave the frame to another page and the zap was not seen. */
	if (f && (f->by_gfn.key != gfn ||
		  (role_known && f->role_known && f->role != t->got[level].role))) {
		drop_frame(s, f);
		f = NULL;
	}
	if (!f)
		f = add_frame(s, number, gfn);
	*failed = !f;
	if (f && role_known) {
		f->role_known = true;
		f->role = t->got[level].role;
	}
	return f;
}

static int on_set_spte(struct cut_state *s, struct thread *t, const struct spht_event *ev)
{
	uint64_t sptep = ev->v[SPHT_SET_SPTEP];
	struct node *n;
	struct frame *f;
	struct spte *spte;
	bool failed = false;

	if (t->armed) {
		f = bind_frame(s, t, sptep >> PAGE_SHIFT, ev, &failed);
	} else {
		n = table_find(&s->frames, sptep >> PAGE_SHIFT);
		f = n ? container_of(n, struct frame, node) : NULL;
	}
	t->armed = false;
	/* Of a page nobody knows: nobody would know when it goes. */
	if (!f)
		return failed ? -1 : 0;
	n = table_find(&s->sptes, sptep);
	if (n)
		return keep(s, &container_of(n, struct spte, node)->set, ev);
	spte = calloc(1, sizeof(*spte));
	if (!spte)
		return -1;
	table_add(&s->sptes, &spte->node, sptep);
	spte->next = f->sptes;
	f->sptes = spte;
	return keep(s, &spte->set, ev);
}

int cut_state_feed(struct cut_state *s, const struct spht_event *ev)
{
	struct thread *t;

	s->seq++;
	if (ev->id == SPHT_EV_LOST) {
		s->lossy = true;
		return 0;
	}
	if (ev->id == SPHT_EV_SNAP || ev->id == SPHT_EV_SNAP_ENTRY)
		return cut_snaps_feed(s->snaps, ev, s->seq);
	t = find_thread(s, ev->pid);
	if (!t)
		return -1;
	switch (ev->id) {
	case SPHT_EV_PREPARE_ZAP_PAGE:
		on_zap(s, ev);
		return 0;
	case SPHT_EV_ZAP_ALL_FAST:
		drop_all(s);
		return 0;
	case SPHT_EV_ENTRY:
		return keep(s, &t->entry, ev);
	case SPHT_EV_EXIT:
	case SPHT_EV_PAGETABLE_WALK:
		forget_walk(t);
		return 0;
	case SPHT_EV_PAGING_ELEMENT:
		on_element(t, ev);
		return 0;
	case SPHT_EV_GET_PAGE:
		return on_get_page(s, t, ev);
	case SPHT_EV_SYNC_PAGE:
	case SPHT_EV_UNSYNC_PAGE:
		return on_sync(s, ev);
	case SPHT_EV_SPTE_REQUESTED:
		t->armed = true;
		return 0;
	case SPHT_EV_SET_SPTE:
		return on_set_spte(s, t, ev);
	}
	return 0;
}

static uint64_t hex_value(const json_t *entry, size_t i, bool *given)
{
	const char *text = json_string_value(json_array_get(entry, i));

	*given = text;
	return text ? strtoull(text, NULL, 16) : 0;
}

/* A cut that is cut again has entries before it has walks. */
static int inherit_frames(struct cut_state *s, const json_t *header)
{
	const json_t *list = json_object_get(json_object_get(header, "cut"), "frames"), *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		bool has_frame, has_gfn, has_role;
		uint64_t number = hex_value(entry, 0, &has_frame);
		uint64_t gfn = hex_value(entry, 1, &has_gfn);
		uint32_t role = (uint32_t)hex_value(entry, 2, &has_role);
		struct frame *f;

		if (!has_frame || !has_gfn || table_find(&s->frames, number))
			continue;
		f = add_frame(s, number, gfn);
		if (!f)
			return -1;
		f->role_known = has_role;
		f->role = role;
	}
	return 0;
}

struct cut_state *cut_state_new(const json_t *header, const struct spht_event_type *types,
				unsigned int nr_types)
{
	struct cut_state *s = calloc(1, sizeof(*s));
	unsigned int i, f;

	if (!s)
		return NULL;
	s->types = types;
	for (i = 0; i < nr_types; i++) {
		/* What is read of a record is there, even where the type lacks it. */
		s->words[i] = SPHT_SP_CREATED + 1;
		for (f = 0; f < types[i].nr_fields; f++) {
			unsigned int end = types[i].fields[f].slot + types[i].fields[f].nwords;

			if (end > s->words[i])
				s->words[i] = (uint8_t)end;
		}
	}
	role_layout(s, header);
	s->snaps = cut_snaps_new();
	if (!s->snaps || table_init(&s->pages) || table_init(&s->sptes) || table_init(&s->frames) ||
	    table_init(&s->frames_by_gfn) || table_init(&s->threads) || inherit_frames(s, header)) {
		cut_state_free(s);
		return NULL;
	}
	return s;
}

void cut_state_free(struct cut_state *s)
{
	struct table *tables[] = {&s->pages, &s->sptes, &s->frames, &s->frames_by_gfn, &s->threads};
	bool whole = true;
	size_t i;

	if (!s)
		return;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		whole &= tables[i]->buckets != NULL;
	/* Nothing was fed before all tables were there. */
	if (whole) {
		drop_all(s);
		drop_threads_state(s, true);
	}
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		free(tables[i]->buckets);
	cut_snaps_free(s->snaps);
	free(s);
}
