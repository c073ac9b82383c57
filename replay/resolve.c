// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/observe-local.h"

static int grow(void **v, uint32_t *cap, uint32_t need, size_t size, int fill)
{
	uint32_t n = *cap ? *cap : 256;
	void *p;

	if (need < *cap)
		return 0;
	while (n <= need)
		n *= 2;
	p = realloc(*v, n * size);
	if (!p)
		return -1;
	memset((char *)p + *cap * size, fill, (n - *cap) * size);
	*v = p;
	*cap = n;
	return 0;
}

/* The page's id; a new one is chained to the others that shadow the same gfn. */
uint32_t spht_obs_page(struct spht_observed *o, gfn_t gfn, uint32_t role)
{
	uint32_t nr = o->shadow.pages.nr;
	uint32_t id = spht_shadow_page(&o->shadow, gfn, role);
	uint32_t g;

	if (id == SPHT_NO_ID || id < nr)
		return id;
	g = spht_idmap_get(&o->gfns, gfn, 0);
	if (g == SPHT_NO_ID || spht_mmu_reserve(&o->mmu, id + 1) ||
	    grow((void **)&o->pages, &o->cap_pages, id, sizeof(*o->pages), 0) ||
	    grow((void **)&o->gfn_head, &o->cap_gfns, g, sizeof(*o->gfn_head), 0xff))
		return SPHT_NO_ID;
	o->pages[id].next_same_gfn = o->gfn_head[g];
	o->gfn_head[g] = id;
	return id;
}

uint32_t spht_obs_first_page(const struct spht_observed *o, gfn_t gfn)
{
	uint32_t g = spht_idmap_find(&o->gfns, gfn, 0);

	return g == SPHT_NO_ID ? SPHT_NO_ID : o->gfn_head[g];
}

int spht_obs_grow_frames(struct spht_observed *o, uint32_t id)
{
	return grow((void **)&o->frame_page, &o->cap_frames, id, sizeof(*o->frame_page), 0);
}

int spht_obs_pend(struct spht_observed *o, const struct spht_op *op)
{
	if (o->nr_pending == o->cap_pending) {
		size_t cap = o->cap_pending ? o->cap_pending * 2 : 4096;
		void *p = realloc(o->pending, cap * sizeof(*o->pending));

		if (!p)
			return -1;
		o->pending = p;
		o->cap_pending = cap;
	}
	o->pending[o->nr_pending++] = *op;
	return 0;
}

/* Guest frames up to 16 GiB have their place in rmap_head; those above come behind. */
#define RMAP_DIRECT (1u << 22)
/* What spht_obs_info.rmap holds. */
#define RMAP_MAX    ((1u << 30) - 1)

static uint32_t rmap_far(struct spht_observed *o, gfn_t gfn)
{
	uint32_t id = spht_idmap_get(&o->rmap_gfns, gfn, 0);

	return id < UINT32_MAX - RMAP_DIRECT ? RMAP_DIRECT + id : SPHT_NO_ID;
}

static uint32_t rmap_find(const struct spht_observed *o, gfn_t gfn)
{
	uint32_t id;

	if (gfn < RMAP_DIRECT)
		return (uint32_t)gfn;
	id = spht_idmap_find(&o->rmap_gfns, gfn, 0);
	return id < UINT32_MAX - RMAP_DIRECT ? RMAP_DIRECT + id : SPHT_NO_ID;
}

static uint32_t rmap_alloc(struct spht_observed *o)
{
	uint32_t i = o->free_rmap;

	if (i) {
		o->free_rmap = o->rmap[i].next;
		return i;
	}
	if (o->nr_rmap == RMAP_MAX ||
	    grow((void **)&o->rmap, &o->cap_rmap, o->nr_rmap + 1, sizeof(*o->rmap), 0))
		return 0;
	return ++o->nr_rmap;
}

/* Remembers that (@page, @index) maps @gfn writable. */
int spht_obs_rmap_add(struct spht_observed *o, gfn_t gfn, uint32_t page, unsigned int index,
		      struct spht_obs_info *info)
{
	uint32_t id, i;

	if (info->rmap)
		return 0;
	id = gfn < RMAP_DIRECT ? (uint32_t)gfn : rmap_far(o, gfn);
	if (id == SPHT_NO_ID ||
	    grow((void **)&o->rmap_head, &o->cap_rmap_head, id, sizeof(*o->rmap_head), 0))
		return -1;
	i = rmap_alloc(o);
	if (!i)
		return -1;
	o->rmap[i] = (struct spht_obs_rmap){page, o->rmap_head[id], 0, id, (uint16_t)index};
	if (o->rmap[i].next)
		o->rmap[o->rmap[i].next].prev = i;
	o->rmap_head[id] = i;
	info->rmap = i;
	return 0;
}

/* The entry is going to map another guest page than info->gfn. */
void spht_obs_rmap_del(struct spht_observed *o, struct spht_obs_info *info)
{
	uint32_t i = info->rmap;
	struct spht_obs_rmap *r = &o->rmap[i];

	if (!i)
		return;
	info->rmap = 0;
	if (r->next)
		o->rmap[r->next].prev = r->prev;
	if (r->prev)
		o->rmap[r->prev].next = r->next;
	else
		o->rmap_head[r->head] = r->next;
	r->next = o->free_rmap;
	o->free_rmap = i;
}

/*
 * The page at @gfn is a page table that is shadowed and in sync from now on:
 * no SPTE maps it writable (account_shadowed, mmu_sync_children).
 */
int spht_obs_write_protect(struct spht_observed *o, gfn_t gfn)
{
	uint32_t id = rmap_find(o, gfn), i;

	if (id == SPHT_NO_ID || id >= o->cap_rmap_head)
		return 0;
	for (i = o->rmap_head[id]; i; i = o->rmap[i].next) {
		const struct spht_obs_rmap *r = &o->rmap[i];
		struct spht_obs_info *info = spht_obs_info(o, r->page, r->index);

		if (!info || !spht_bit(o->mmu.pages[r->page].writable, r->index) ||
		    info->gfn != (uint32_t)gfn)
			continue;
		spht_bit_clear(o->mmu.pages[r->page].writable, r->index);
		if (spht_steps_do(&o->steps, SPHT_DO_WPROTECT, r->page, r->index, false))
			return -1;
	}
	return 0;
}

struct spht_obs_vcpu *spht_obs_vcpu(struct spht_observed *o, uint16_t vcpu)
{
	struct spht_obs_vcpu *v;

	if (grow((void **)&o->vcpus, &o->nr_vcpus, vcpu, sizeof(*o->vcpus), 0))
		return NULL;
	v = &o->vcpus[vcpu];
	if (!v->used) {
		v->used = true;
		v->root = v->role = v->cow_page = SPHT_NO_ID;
		memset(v->mru, 0xff, sizeof(v->mru));
	}
	return v;
}

static void root_use(struct spht_obs_vcpu *v, uint32_t page)
{
	unsigned int i = 0;

	while (i < SPHT_MRU_ROOTS - 1 && v->mru[i] != page)
		i++;
	memmove(v->mru + 1, v->mru, i * sizeof(*v->mru));
	v->mru[0] = v->root = page;
	v->root_sure = true;
}

void spht_obs_root_load(struct spht_observed *o, struct spht_obs_vcpu *v, uint32_t page)
{
	o->role = v->role = spht_shadow_role(&o->shadow, page);
	/* The root was made for a table that may have had a former life. */
	if (o->pages[page].l3_gfn)
		memset(o->pages[page].l3_gfn, 0, SPHT_PT_ENTRIES * sizeof(uint32_t));
	root_use(v, page);
}

/*
 * A CR3 load that hits KVM's root cache (fast_pgd_switch), or reloads the same
 * CR3 to flush, leaves no get_page: the root is one of the vCPU's last four,
 * which one the next walk of a user address tells.
 */
void spht_obs_guest_flush(struct spht_observed *o, struct spht_obs_vcpu *v,
			  const struct spht_exit *x)
{
	if (!x->cr3_load && !x->invlpg)
		return;
	v->last_flush = o->steps.nr;
	if (!x->cr3_load)
		return;
	v->root_sure = false;
	if (x->cr3_known && o->role != SPHT_NO_ID) {
		uint32_t page = spht_obs_page(o, spht_pte_gfn(x->cr3), o->role);

		if (page != SPHT_NO_ID)
			root_use(v, page);
	}
}

static uint32_t root_l3(const struct spht_observed *o, uint32_t page, unsigned int index)
{
	if (page == SPHT_NO_ID || !o->mmu.pages[page].exists || !o->pages[page].l3_gfn)
		return 0;
	return o->pages[page].l3_gfn[index];
}

/*
 * The current root, told by the level-3 table that the walk went through: the
 * one that is known to lead there, else one that is not known to lead elsewhere.
 */
static uint32_t find_root(struct spht_observed *o, struct spht_obs_vcpu *v, unsigned int index,
			  gfn_t l3)
{
	uint32_t maybe = SPHT_NO_ID, page;

	/* Kernel entries are the same in every root and tell nothing. */
	if (index >= SPHT_PT_ENTRIES / 2)
		return v->root_sure ? v->root : SPHT_NO_ID;
	if (v->root_sure && (!root_l3(o, v->root, index) || root_l3(o, v->root, index) == l3))
		return v->root;
	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++) {
		page = v->mru[i];
		if (page == SPHT_NO_ID)
			continue;
		if (root_l3(o, page, index) == l3) {
			root_use(v, page);
			return page;
		}
		if (maybe == SPHT_NO_ID && !root_l3(o, page, index) && o->mmu.pages[page].exists)
			maybe = page;
	}
	/* Nobody fits: the guest replaced a top-level entry, most likely of the current root. */
	if (maybe == SPHT_NO_ID)
		maybe = v->mru[0];
	if (maybe != SPHT_NO_ID)
		root_use(v, maybe);
	return maybe;
}

static int remember_root(struct spht_observed *o, uint32_t root, unsigned int index, gfn_t l3)
{
	struct spht_obs_page *p;

	if (root == SPHT_NO_ID)
		return 0;
	p = &o->pages[root];
	if (!p->l3_gfn)
		p->l3_gfn = calloc(SPHT_PT_ENTRIES, sizeof(*p->l3_gfn));
	if (!p->l3_gfn)
		return -1;
	p->l3_gfn[index] = (uint32_t)l3;
	return 0;
}

static struct spht_obs_memo *memo_of(struct spht_observed *o, const struct spht_walk *k, vpn_t vpn)
{
	uint64_t h = (k->pte[2] >> SPHT_PAGE_SHIFT) ^ (vpn >> SPHT_LEVEL_BITS);

	return &o->memo[(h ^ h >> 10) % SPHT_OBS_MEMOS];
}

static bool memo_hit(const struct spht_obs_memo *m, const struct spht_walk *k, vpn_t vpn,
		     uint32_t root, uint32_t role)
{
	return m->valid && m->pte[2] == k->pte[2] && m->pte[1] == k->pte[1] &&
	       m->pte[0] == k->pte[0] && m->region_vpn == vpn >> SPHT_LEVEL_BITS &&
	       m->root == root && m->role == role;
}

static void memo_use(const struct spht_obs_memo *m, struct spht_obs_where *w, vpn_t vpn)
{
	w->space = m->space;
	w->region = m->region;
	w->page = m->page;
	w->table = m->table;
	w->path = m->path;
	w->leaf_level = 1;
	w->index = (uint16_t)spht_vpn_index(vpn, 1);
	w->has_leaf = true;
}

/*
 * Pages above the leaf from the walk's entries: a child's role is its parent's
 * with the level and the access of the path above it (kvm_mmu_child_role).
 * Returns 1, 0 where the walk did not go down level by level, -1.
 */
static int resolve_path(struct spht_observed *o, const struct spht_walk *k, uint32_t role,
			uint32_t *page, unsigned int *access)
{
	const struct spht_role_layout *l = o->shadow.layout;

	*access = (1u << l->access_bits) - 1;
	for (unsigned int i = 0; i < k->nr; i++) {
		unsigned int level = k->level[i];
		uint32_t child;

		if (level != 4 - i)
			return 0;
		if (i + 1 == k->nr)
			break;
		*access &= spht_pte_access(l, k->pte[i]);
		child = spht_role_child(l, role, level - 1, *access, false);
		page[level - 1] = spht_obs_page(o, spht_pte_gfn(k->pte[i]), child);
		if (page[level - 1] == SPHT_NO_ID)
			return -1;
	}
	return 1;
}

/*
 * The level at which KVM mapped: the SPTE's own, since spte_requested of 5.10
 * prints the guest's level; without one (nothing was set), the requested one.
 */
static unsigned int mapped_level(const struct spht_exit *x)
{
	for (size_t i = 0; i < x->nr_ops; i++)
		if (x->ops[i].kind == SPHT_OP_SET)
			return x->ops[i].level;
	return x->requested ? x->req_level : 0;
}

/* The leaf of a walk that ended at a 2 MiB page: the level-2 page, or a direct one below it. */
static int resolve_huge(struct spht_observed *o, struct spht_obs_where *w,
			const struct spht_exit *x, uint32_t l2, unsigned int access)
{
	const struct spht_role_layout *l = o->shadow.layout;
	uint64_t pte = x->walk.pte[x->walk.nr - 1];
	uint32_t role;

	if (mapped_level(x) == 2) {
		w->leaf_level = 2;
		w->page = l2;
		w->table = spht_shadow_table(&o->shadow, spht_shadow_gfn(&o->shadow, l2), 2);
		return 0;
	}
	access &= spht_pte_access(l, pte);
	/* A clean page is mapped read-only until it is written (protect_clean_gpte). */
	if (!(pte & SPHT_PTE_D) && !(x->pfec & SPHT_PF_W))
		access &= ~(unsigned int)l->acc_w;
	role = spht_role_child(l, w->role, 1, access, true);
	w->leaf_level = 1;
	w->direct = true;
	w->page = spht_obs_page(o, spht_pte_gfn(pte) & ~(uint64_t)(SPHT_PT_ENTRIES - 1), role);
	if (w->page == SPHT_NO_ID)
		return -1;
	w->table = spht_shadow_direct_table(&o->shadow, w->page);
	return 0;
}

static int resolve_walk(struct spht_observed *o, struct spht_obs_where *w,
			const struct spht_exit *x, uint32_t root)
{
	const struct spht_walk *k = &x->walk;
	vpn_t vpn = spht_gva_vpn(x->gva);
	uint32_t page[5] = {SPHT_NO_ID, SPHT_NO_ID, SPHT_NO_ID, SPHT_NO_ID, root};
	uint64_t pte = k->pte[k->nr - 1];
	unsigned int access, level = k->level[k->nr - 1];
	int ret;

	w->space =
		spht_idmap_get(&o->shadow.spaces, spht_vpn_index(vpn, 4), spht_pte_gfn(k->pte[0]));
	w->region = spht_idmap_get(&o->shadow.regions, w->space, vpn >> SPHT_LEVEL_BITS);
	if (w->space == SPHT_NO_ID || w->region == SPHT_NO_ID)
		return -1;
	ret = resolve_path(o, k, w->role, page, &access);
	if (ret <= 0)
		return ret;
	if (level == 1) {
		w->leaf_level = 1;
		w->page = page[1];
		w->table = spht_shadow_table(&o->shadow, spht_shadow_gfn(&o->shadow, page[1]), 1);
	} else if (level != 2 || !(pte & SPHT_PTE_P) || !(pte & SPHT_PTE_PS)) {
		return 0;
	} else if (resolve_huge(o, w, x, page[2], access)) {
		return -1;
	}
	w->path = spht_shadow_path(&o->shadow, root, page[3], page[2]);
	if (w->table == SPHT_NO_ID || w->path == SPHT_NO_ID)
		return -1;
	w->index = (uint16_t)spht_vpn_index(vpn, w->leaf_level);
	w->has_leaf = true;
	return 0;
}

static void memo_set(struct spht_obs_memo *m, const struct spht_walk *k, vpn_t vpn, uint32_t root,
		     uint32_t role, const struct spht_obs_where *w)
{
	*m = (struct spht_obs_memo){
		.pte = {k->pte[0], k->pte[1], k->pte[2]},
		.region_vpn = vpn >> SPHT_LEVEL_BITS,
		.root = root,
		.role = role,
		.space = w->space,
		.region = w->region,
		.page = w->page,
		.table = w->table,
		.path = w->path,
		.valid = true,
	};
}

int spht_obs_resolve(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		     const struct spht_exit *x)
{
	const struct spht_walk *k = &x->walk;
	vpn_t vpn = spht_gva_vpn(x->gva);
	unsigned int top = spht_vpn_index(vpn, 4);
	struct spht_obs_memo *m;
	uint32_t root;

	w->vpn = vpn;
	w->role = v->role != SPHT_NO_ID ? v->role : o->role;
	if (!k->nr || k->level[0] != 4 || !(k->pte[0] & SPHT_PTE_P) || w->role == SPHT_NO_ID)
		return 0;
	root = find_root(o, v, top, spht_pte_gfn(k->pte[0]));
	if (remember_root(o, root, top, spht_pte_gfn(k->pte[0])))
		return -1;
	o->fid.root_unknown += root == SPHT_NO_ID;
	if (k->nr != 4 || k->level[3] != 1)
		return resolve_walk(o, w, x, root);
	m = memo_of(o, k, vpn);
	if (memo_hit(m, k, vpn, root, w->role)) {
		memo_use(m, w, vpn);
		return 0;
	}
	if (resolve_walk(o, w, x, root))
		return -1;
	if (w->has_leaf)
		memo_set(m, k, vpn, root, w->role, w);
	return 0;
}

void spht_obs_check_leaf(struct spht_observed *o, struct spht_obs_where *w,
			 const struct spht_op *op)
{
	const struct spht_role_layout *l = o->shadow.layout;
	uint32_t page;

	if (!w->has_leaf || spht_role_level(l, op->role) != w->leaf_level ||
	    spht_role_direct(l, op->role) != w->direct)
		return;
	page = spht_obs_page(o, op->gfn, op->role);
	if (page == SPHT_NO_ID || page == w->page)
		return;
	o->fid.role_mismatch++;
	w->page = page;
}

/* A guest page table that maps another region than it did was freed and used again. */
int spht_obs_owner(struct spht_observed *o, struct spht_obs_where *w)
{
	struct spht_obs_owner *own;

	if (w->direct || w->leaf_level != 1)
		return 0;
	if (grow((void **)&o->owner, &o->cap_owner, w->table, sizeof(*o->owner), 0))
		return -1;
	own = &o->owner[w->table];
	if (own->region && own->region != w->region + 1) {
		own->fresh = true;
		if (spht_guest_reuse(o->guest, w->table, own->step))
			return -1;
	}
	own->region = w->region + 1;
	own->step = o->step;
	w->fresh = &own->fresh;
	return 0;
}

/* 1: the exit got @page and found it unsync; 0: it got it otherwise; -1: it did not get it. */
int spht_obs_got_unsync(const struct spht_observed *o, const struct spht_exit *x, uint32_t page)
{
	for (size_t i = 0; i < x->nr_ops; i++) {
		const struct spht_op *op = &x->ops[i];
		uint32_t role = spht_role_identity(o->shadow.layout, op->role);

		if (op->kind == SPHT_OP_GET &&
		    spht_idmap_find(&o->shadow.pages, op->gfn, role) == page)
			return !op->created && op->unsync;
	}
	return -1;
}
