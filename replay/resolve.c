// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/observe-local.h"

int spht_obs_enlarge(void **v, uint32_t *cap, uint32_t need, size_t size, int fill)
{
	uint32_t n = *cap ? *cap : 256;
	void *p;

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
	    spht_obs_grow((void **)&o->pages, &o->cap_pages, id, sizeof(*o->pages), 0) ||
	    spht_obs_grow((void **)&o->gfn_head, &o->cap_gfns, g, sizeof(*o->gfn_head), 0xff))
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
	return spht_obs_grow((void **)&o->frame_page, &o->cap_frames, id, sizeof(*o->frame_page),
			     0);
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

struct spht_obs_vcpu *spht_obs_vcpu(struct spht_observed *o, uint16_t vcpu)
{
	struct spht_obs_vcpu *v;

	if (spht_obs_grow((void **)&o->vcpus, &o->nr_vcpus, vcpu, sizeof(*o->vcpus), 0))
		return NULL;
	v = &o->vcpus[vcpu];
	if (!v->used) {
		v->used = true;
		v->root = v->role = v->cow_page = SPHT_NO_ID;
		memset(v->mru, 0xff, sizeof(v->mru));
		memset(v->pinned, 0xff, sizeof(v->pinned));
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
	v->not_root = 0;
}

void spht_obs_root_load(struct spht_observed *o, struct spht_obs_vcpu *v, uint32_t page,
			bool created)
{
	o->role = v->role = spht_shadow_role(&o->shadow, page);
	/*
	 * Made for a table that may have had a former life.  One that is found has been
	 * write-protected all the while: what is known of it holds.
	 */
	if (created)
		memset(o->pages[page].may_link, 0, sizeof(o->pages[page].may_link));
	if (created && o->pages[page].l3_gfn)
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
	v->not_root = 0;
	if (x->cr3_known && o->role != SPHT_NO_ID) {
		uint32_t page = spht_obs_page(o, spht_pte_gfn(x->cr3), o->role);

		if (page != SPHT_NO_ID)
			root_use(v, page);
	}
}

/* Can the vCPU's @i-th last root be the current one? */
static bool is_candidate(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			 unsigned int i)
{
	return v->mru[i] != SPHT_NO_ID && !(v->not_root >> i & 1) && o->mmu.pages[v->mru[i]].exists;
}

/* The level-3 table that the root leads to, as linked or else as last walked; 0 = not known. */
static gfn_t root_l3(const struct spht_observed *o, uint32_t page, unsigned int index)
{
	uint32_t child = spht_mmu_child(&o->mmu, page, index);

	if (child != SPHT_NO_ID && !spht_bit(o->mmu.pages[page].unknown, index))
		return spht_shadow_gfn(&o->shadow, child);
	return o->pages[page].l3_gfn ? o->pages[page].l3_gfn[index] : 0;
}

/* The one root in which the level-3 table @l3 hangs at @index; SPHT_NO_ID: none, or several. */
static uint32_t root_above(const struct spht_observed *o, unsigned int index, gfn_t l3)
{
	uint32_t page = spht_obs_first_page(o, l3), root = SPHT_NO_ID;

	for (; page != SPHT_NO_ID; page = o->pages[page].next_same_gfn) {
		const struct spht_mmu_page *p = &o->mmu.pages[page];

		for (uint32_t i = 0; i < p->nr_parents; i++) {
			uint32_t parent = p->parents[i][0];

			if (p->parents[i][1] != index || parent == root ||
			    spht_bit(o->mmu.pages[parent].unknown, index) ||
			    spht_mmu_child(&o->mmu, parent, index) != page ||
			    spht_role_level(o->shadow.layout,
					    spht_shadow_role(&o->shadow, parent)) != 4)
				continue;
			if (root != SPHT_NO_ID)
				return SPHT_NO_ID;
			root = parent;
		}
	}
	return root;
}

/*
 * Of a user address, where no event has told the root: the last one that is known to
 * lead to the level-3 table @l3; else the one in which it hangs, used longer ago than
 * what is known of shows; else one that is not known to lead elsewhere.
 */
static uint32_t guess_root(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			   unsigned int index, gfn_t l3)
{
	uint32_t maybe = SPHT_NO_ID, some = v->mru[0], page;
	bool any = false;

	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++) {
		if (!is_candidate(o, v, i))
			continue;
		page = v->mru[i];
		if (root_l3(o, page, index) == l3)
			return page;
		if (!any)
			some = page;
		any = true;
		if (maybe == SPHT_NO_ID && !root_l3(o, page, index))
			maybe = page;
	}
	page = root_above(o, index, l3);
	if (page != SPHT_NO_ID)
		return page;
	/* Nobody fits: the guest replaced a top-level entry, most likely of the current root. */
	return maybe != SPHT_NO_ID ? maybe : some;
}

/* The current root, told by an event or by the level-3 table that the walk went through. */
static uint32_t find_root(struct spht_observed *o, struct spht_obs_vcpu *v, unsigned int index,
			  gfn_t l3)
{
	/* KVM replaces a zapped root before the guest runs on: no get_page, no such root. */
	bool sure = v->root_sure && o->mmu.pages[v->root].exists;
	gfn_t known = sure ? root_l3(o, v->root, index) : 0;
	uint32_t root;

	/* Kernel entries are the same in every root and tell nothing. */
	if (index >= SPHT_PT_ENTRIES / 2)
		return sure ? v->root : SPHT_NO_ID;
	if (sure && (!known || known == l3))
		return v->root;
	root = guess_root(o, v, index, l3);
	if (root != SPHT_NO_ID)
		root_use(v, root);
	return root;
}

/* Do all roots that it can be lead to @child at @index?  Then which one it is does not matter. */
static bool roots_agree(const struct spht_observed *o, const struct spht_obs_vcpu *v,
			unsigned int index, uint32_t child)
{
	bool any = false;

	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++) {
		gfn_t l3;

		if (!is_candidate(o, v, i))
			continue;
		/* One that leads elsewhere is not the one that was walked. */
		l3 = root_l3(o, v->mru[i], index);
		if (l3 && l3 != spht_shadow_gfn(&o->shadow, child))
			continue;
		if (spht_mmu_child(&o->mmu, v->mru[i], index) != child)
			return false;
		any = true;
	}
	return any;
}

/*
 * The root is in doubt, and the fault has been served: FNAME(fetch) gets the level-3
 * page if and only if the root did not lead to it.  So roots that would have done
 * otherwise are out; if one is left, that is it.  Else any that is left may lead
 * there from now on, and that it does not tells nothing any more.
 */
int spht_obs_tell_root(struct spht_observed *o, struct spht_obs_vcpu *v, struct spht_obs_where *w,
		       const struct spht_exit *x)
{
	unsigned int index = spht_vpn_index(w->vpn, 4), left = 0, last = 0;
	uint32_t l3 = spht_path_l3(&o->shadow, w->path);
	bool got = spht_obs_got(o, x, l3) != NULL, linked;

	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++) {
		if (!is_candidate(o, v, i))
			continue;
		linked = spht_mmu_child(&o->mmu, v->mru[i], index) == l3;
		if (linked == got && (linked || !spht_bit(o->pages[v->mru[i]].may_link, index))) {
			v->not_root |= (uint8_t)(1u << i);
			continue;
		}
		last = i;
		left++;
	}
	for (unsigned int i = 0; got && left > 1 && i < SPHT_MRU_ROOTS; i++)
		if (is_candidate(o, v, i))
			spht_bit_set(o->pages[v->mru[i]].may_link, index);
	if (left != 1)
		return 0;
	root_use(v, v->mru[last]);
	w->path = spht_shadow_path(&o->shadow, v->root, l3, spht_path_l2(&o->shadow, w->path));
	return w->path == SPHT_NO_ID ? -1 : 0;
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
	w->four_levels = k->nr && k->level[0] == 4;
	w->role = v->role != SPHT_NO_ID ? v->role : o->role;
	if (!w->four_levels || !(k->pte[0] & SPHT_PTE_P) || w->role == SPHT_NO_ID)
		return 0;
	root = find_root(o, v, top, spht_pte_gfn(k->pte[0]));
	if (remember_root(o, root, top, spht_pte_gfn(k->pte[0])))
		return -1;
	if (k->nr != 4 || k->level[3] != 1) {
		if (resolve_walk(o, w, x, root))
			return -1;
		goto out;
	}
	m = memo_of(o, k, vpn);
	if (memo_hit(m, k, vpn, root, w->role)) {
		memo_use(m, w, vpn);
		goto out;
	}
	if (resolve_walk(o, w, x, root))
		return -1;
	if (w->has_leaf)
		memo_set(m, k, vpn, root, w->role, w);
out:
	w->doubt = root == SPHT_NO_ID &&
		   !(w->has_leaf && roots_agree(o, v, top, spht_path_l3(&o->shadow, w->path)));
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
	if (spht_obs_grow((void **)&o->owner, &o->cap_owner, w->table, sizeof(*o->owner), 0))
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

/* The exit's get_page of @page; NULL: it did not get it. */
const struct spht_op *spht_obs_got(const struct spht_observed *o, const struct spht_exit *x,
				   uint32_t page)
{
	for (size_t i = 0; i < x->nr_ops; i++) {
		const struct spht_op *op = &x->ops[i];
		uint32_t role = spht_role_identity(o->shadow.layout, op->role);

		if (op->kind == SPHT_OP_GET &&
		    spht_idmap_find(&o->shadow.pages, op->gfn, role) == page)
			return op;
	}
	return NULL;
}
