// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kvm_sim.h"

#define GVA_OF(vpn) ((uint64_t)(vpn) << 12)

/* xorshift64*, Vigna 2016: the same numbers everywhere. */
uint64_t sim_random(struct sim *s)
{
	s->seed ^= s->seed >> 12;
	s->seed ^= s->seed << 25;
	s->seed ^= s->seed >> 27;
	return s->seed * 0x2545f4914f6cdd1dull;
}

static void put(struct sim *s, struct spht_event e)
{
	feed(&s->f, e);
}

static void exit_begin(struct sim *s, uint32_t reason, uint64_t info1, uint64_t info2)
{
	s->f.tid = 100 + (int32_t)s->vcpu;
	s->f.ts += sim_random(s) % 20000;
	put(s, ev_exit_svm(reason, info1, info2, s->vcpu));
	s->exits++;
}

static void act(struct sim *s);

/* The host has other plans: this vCPU's thread waits, the others and the host's own do not. */
static void hold_up(struct sim *s)
{
	unsigned int me = s->vcpu, around = s->around;

	if (!s->hold || sim_random(s) % 100 >= s->hold)
		return;
	s->held |= 1u << me;
	for (uint64_t n = 1 + sim_random(s) % 3; n; n--) {
		s->vcpu = (unsigned int)(sim_random(s) % s->vcpus);
		if (!(s->held >> s->vcpu & 1))
			act(s);
		else if (sim_random(s) % 16 == 0)
			sim_zap(s, 1 + (unsigned int)(sim_random(s) % (SIM_TABLES - 1)));
	}
	s->held &= ~(1u << me);
	s->vcpu = me;
	s->around = around;
	s->f.tid = 100 + (int32_t)me;
}

static void exit_end(struct sim *s)
{
	hold_up(s);
	put(s, ev_entry(s->vcpu));
}

static uint64_t gfn_of(uint64_t pte)
{
	return (pte & SPHT_PTE_ADDR) >> 12;
}

/* The table whose page @gfn is, SIM_TABLES if none. */
static unsigned int table_of(uint64_t gfn)
{
	return gfn >= SIM_TABLE_GFN && gfn < SIM_TABLE_GFN + SIM_TABLES
		       ? (unsigned int)(gfn - SIM_TABLE_GFN)
		       : SIM_TABLES;
}

/* The recorder reads table @t, and says what is new. */
static void snap(struct sim *s, unsigned int t, enum spht_snap_kind kind)
{
	uint64_t *was = s->shown[t], *now = s->pte[t], gfn = SIM_TABLE_GFN + t;
	unsigned int nr = 0;

	if (!(s->snaps >> kind & 1))
		return;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		nr += was[i] != now[i];
	put(s, ev_snap(gfn, kind == SPHT_SNAP_WALK ? 0 : ROLE(1), kind,
		       s->based[t] ? 0 : SPHT_SNAP_FULL, nr));
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		if (was[i] != now[i])
			put(s, ev_snap_entry(gfn, i, now[i]));
		was[i] = now[i];
		s->nr_present += now[i] & SPHT_PTE_P;
	}
	s->based[t] = true;
	s->nr_snaps++;
}

/* A table that is shadowed and in sync is write-protected. */
static bool is_protected(const struct sim *s, uint64_t gfn)
{
	unsigned int t = table_of(gfn);

	return t < SIM_TABLES && s->sp[t].exists && !s->sp[t].unsync;
}

static void write_protect(struct sim *s, uint64_t gfn)
{
	for (unsigned int t = 0; t < SIM_TABLES; t++)
		for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
			if (s->sp[t].spte[i] == SIM_WRITABLE && s->sp[t].gfn[i] == gfn)
				s->sp[t].spte[i] = SIM_READONLY;
}

static bool wants_write(uint64_t pte)
{
	return (pte & SPHT_PTE_W) && (pte & SPHT_PTE_D);
}

/* FNAME(sync_page): what is there goes or gets the rights of now; nothing comes. */
static void sync_entries(struct sim *s, unsigned int t)
{
	struct sim_page *sp = &s->sp[t];

	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		uint64_t pte = s->pte[t][i];

		if (!sp->spte[i])
			continue;
		if (!(pte & SPHT_PTE_P) || !(pte & SPHT_PTE_A) || gfn_of(pte) != sp->gfn[i])
			sp->spte[i] = SIM_ABSENT;
		else
			sp->spte[i] = wants_write(pte) && !is_protected(s, gfn_of(pte))
					      ? SIM_WRITABLE
					      : SIM_READONLY;
	}
}

static void set_spte(struct sim *s, unsigned int t, unsigned int i, bool writable, bool prefetch)
{
	uint64_t gfn = gfn_of(s->pte[t][i]);
	uint64_t spte = writable   ? prefetch ? SPTE_PRE_W(gfn) : SPTE_W(gfn)
			  : prefetch ? SPTE_PRE_RO(gfn)
				   : SPTE_RO(gfn);

	s->sp[t].spte[i] = writable ? SIM_WRITABLE : SIM_READONLY;
	s->sp[t].gfn[i] = gfn;
	put(s, ev_set(gfn, spte, SPTEP(s->sp[t].frame, i), 1));
}

/* prefetch_gpte(): may the entry be had without being asked for? */
static bool prefetch_one(struct sim *s, unsigned int t, unsigned int i)
{
	uint64_t pte = s->pte[t][i];

	if (!(pte & SPHT_PTE_P) || !(pte & SPHT_PTE_A))
		return false;
	set_spte(s, t, i, wants_write(pte) && !is_protected(s, gfn_of(pte)), true);
	return true;
}

static void prefetch(struct sim *s, unsigned int t, unsigned int index)
{
	unsigned int base = index & ~(s->window - 1);

	for (unsigned int i = base; i < base + s->window; i++) {
		if (i == index || s->sp[t].spte[i])
			continue;
		if (!prefetch_one(s, t, i))
			break;
	}
}

static void create(struct sim *s, unsigned int t)
{
	struct sim_page *sp = &s->sp[t];

	memset(sp, 0, sizeof(*sp));
	sp->exists = true;
	sp->frame = s->next_frame++;
	write_protect(s, SIM_TABLE_GFN + t);
	put(s, ev_created(SIM_TABLE_GFN + t, ROLE(1)));
	snap(s, t, SPHT_SNAP_CREATED);
}

/* FNAME(fetch), the upper half: what is not linked is looked up or made. */
static void link_path(struct sim *s, unsigned int t)
{
	struct sim_page *sp = &s->sp[t];

	if (!s->l2_linked) {
		if (!s->l2_exists)
			put(s, ev_created(SIM_L3_GFN, ROLE(3)));
		put(s, ev_created(SIM_L2_GFN, ROLE(2)));
		s->l2_exists = s->l2_linked = true;
	}
	if (sp->linked)
		return;
	if (!sp->exists) {
		create(s, t);
	} else {
		put(s, ev_found(SIM_TABLE_GFN + t, ROLE(1), sp->unsync));
		if (sp->unsync) {
			snap(s, t, SPHT_SNAP_FOUND);
			sync_entries(s, t);
		}
	}
	sp->linked = true;
}

/* mmu_set_spte() of the faulting entry.  False: it was right already. */
static bool map(struct sim *s, unsigned int t, unsigned int i)
{
	uint64_t pte = s->pte[t][i], gfn = gfn_of(pte);
	unsigned int target = table_of(gfn);
	bool writable = wants_write(pte);

	if (writable && is_protected(s, gfn)) {
		put(s, ev_unsync(gfn, ROLE(1)));
		snap(s, target, SPHT_SNAP_UNSYNC);
		s->sp[target].unsync = true;
	}
	if (s->sp[t].spte[i] == (writable ? SIM_WRITABLE : SIM_READONLY) && s->sp[t].gfn[i] == gfn)
		return false;
	set_spte(s, t, i, writable, false);
	return true;
}

static void walk(struct sim *s, uint64_t vpn, uint32_t code)
{
	const uint64_t pte[4] = {PTE(SIM_L3_GFN, TABLE), PTE(SIM_L2_GFN, TABLE),
				 PTE(SIM_TABLE_GFN + vpn / 512, TABLE),
				 s->pte[vpn / 512][vpn % 512]};

	put(s, ev_walk(GVA_OF(vpn), code));
	feed_elems(&s->f, 4, pte, 3);
	snap(s, (unsigned int)(vpn / 512), SPHT_SNAP_WALK);
	feed_elems(&s->f, 1, pte + 3, 1);
}

/*
 * The fault is the guest's own.  With P=1 in the code KVM invalidates the
 * address: an unsync entry is zapped and, up to 6.1, fetched again at once.
 */
static void inject(struct sim *s, unsigned int t, unsigned int i, uint32_t code)
{
	put(s, ev_walker_error(code));
	if ((code & SPHT_PF_P) && s->sp[t].unsync) {
		s->sp[t].spte[i] = SIM_ABSENT;
		prefetch_one(s, t, i);
	}
	put(s, ev_inject(14, code));
	s->by_class[SPHT_CLASS_GUEST]++;
}

static void count(struct sim *s, bool set, bool unsync, bool ad)
{
	s->by_class[unsync ? SPHT_CLASS_PTWRITE_UNSYNC
		    : !set ? SPHT_CLASS_SPURIOUS
		    : ad   ? SPHT_CLASS_AD
			   : SPHT_CLASS_HIDDEN]++;
}

/* One #PF exit.  False: it is the guest's to handle. */
static bool fault(struct sim *s, uint64_t vpn, bool write)
{
	unsigned int t = (unsigned int)(vpn / 512), i = vpn % 512, target;
	uint64_t walked;
	uint32_t code = SPHT_PF_U | (write ? SPHT_PF_W : 0);
	uint64_t *pte = &s->pte[t][i];
	bool was_unsync, set, ad = false;

	if (s->sp[t].linked && s->l2_linked && s->sp[t].spte[i])
		code |= SPHT_PF_P;
	exit_begin(s, SVM_PF, code, GVA_OF(vpn));
	put(s, ev_page_fault(GVA_OF(vpn), code));
	walk(s, vpn, code);
	if (!(*pte & SPHT_PTE_P) || (write && !(*pte & SPHT_PTE_W))) {
		inject(s, t, i, (code & ~SPHT_PF_P) | (*pte & SPHT_PTE_P ? SPHT_PF_P : 0));
		exit_end(s);
		return false;
	}
	if (!(*pte & SPHT_PTE_A)) {
		put(s, ev_set_accessed(GVA_OF(SIM_TABLE_GFN + t) + 8 * i));
		*pte |= SPHT_PTE_A;
		ad = true;
	}
	if (write && !(*pte & SPHT_PTE_D)) {
		put(s, ev_set_dirty(GVA_OF(SIM_TABLE_GFN + t) + 8 * i));
		*pte |= SPHT_PTE_D;
		ad = true;
	}
	walked = *pte;
	hold_up(s);
	if (*pte != walked) { /* FNAME(gpte_changed): let the guest try again */
		s->by_class[SPHT_CLASS_RETRY]++;
		exit_end(s);
		return true;
	}
	link_path(s, t);
	put(s, ev_requested(gfn_of(*pte), 1));
	target = table_of(gfn_of(*pte));
	was_unsync = target < SIM_TABLES && s->sp[target].unsync;
	set = map(s, t, i);
	if (set)
		prefetch(s, t, i);
	count(s, set, target < SIM_TABLES && s->sp[target].unsync && !was_unsync, ad);
	exit_end(s);
	return true;
}

static void invlpg(struct sim *s, unsigned int t, unsigned int i)
{
	exit_begin(s, SVM_INVLPG, 0, 0);
	if (s->sp[t].unsync && s->sp[t].spte[i]) {
		s->sp[t].spte[i] = SIM_ABSENT;
		prefetch_one(s, t, i);
	}
	exit_end(s);
}

static uint64_t new_page(struct sim *s, bool write)
{
	return PTE(s->next_gfn++, write ? DIRTY : CLEAN);
}

/* The guest's handler: a new page, with its neighbours where it maps around, or a copy. */
static void handle(struct sim *s, uint64_t vpn, bool write)
{
	unsigned int t = (unsigned int)(vpn / 512), i = vpn % 512;
	unsigned int base = i & ~(s->around - 1);
	uint64_t pte = s->pte[t][i];

	/* Another vCPU's handler was faster. */
	if ((pte & SPHT_PTE_P) && (!write || (pte & SPHT_PTE_W)))
		return;
	if (pte & SPHT_PTE_P) {
		sim_store(s, t, i, new_page(s, true));
		invlpg(s, t, i);
		return;
	}
	sim_store(s, t, i, new_page(s, write));
	if (write)
		return;
	for (unsigned int k = base; k < base + s->around; k++)
		if (!(s->pte[t][k] & SPHT_PTE_P))
			sim_store(s, t, k, PTE(s->next_gfn++, READONLY));
}

void sim_access(struct sim *s, uint64_t vpn, bool write)
{
	unsigned int t = (unsigned int)(vpn / 512), i = vpn % 512;

	assert_true(t < SIM_TABLES);
	for (unsigned int tries = 0; tries < 100; tries++) {
		const struct sim_page *sp = &s->sp[t];

		if (s->l2_linked && sp->linked && sp->spte[i] >= SIM_READONLY + write)
			return;
		if (!fault(s, vpn, write))
			handle(s, vpn, write);
	}
	fail_msg("the guest faults on page %" PRIu64 " for ever", vpn);
}

void sim_store(struct sim *s, unsigned int table, unsigned int index, uint64_t value)
{
	sim_access(s, table, true);
	s->pte[table][index] = value;
}

void sim_flush(struct sim *s)
{
	exit_begin(s, SVM_CR3, 0, 0);
	put(s, ev_cr3(GVA_OF(SIM_ROOT_GFN)));
	/* mmu_sync_children(): all are write-protected before the first is synced. */
	for (unsigned int t = 0; t < SIM_TABLES; t++)
		if (s->sp[t].unsync && s->sp[t].linked && s->l2_linked)
			write_protect(s, SIM_TABLE_GFN + t);
	for (unsigned int t = 0; t < SIM_TABLES; t++) {
		if (!s->sp[t].unsync || !s->sp[t].linked || !s->l2_linked)
			continue;
		put(s, ev_sync(SIM_TABLE_GFN + t, ROLE(1)));
		snap(s, t, SPHT_SNAP_SYNC);
		s->sp[t].unsync = false;
		sync_entries(s, t);
	}
	exit_end(s);
}

void sim_zap(struct sim *s, unsigned int table)
{
	struct sim_page *sp = &s->sp[table];

	if (!sp->exists)
		return;
	s->f.tid = 7; /* kswapd, say */
	put(s, ev_zap(SIM_TABLE_GFN + table, ROLE(1)));
	if (sp->unsync) /* kvm_unlink_unsync_page(): printed, and no sync */
		put(s, ev_sync(SIM_TABLE_GFN + table, ROLE(1)));
	memset(sp, 0, sizeof(*sp));
}

void sim_zap_l2(struct sim *s)
{
	if (!s->l2_linked)
		return;
	s->f.tid = 7;
	put(s, ev_zap(SIM_L2_GFN, ROLE(2)));
	/* mmu_zap_unsync_children(); the others stay, unlinked. */
	for (unsigned int t = 0; t < SIM_TABLES; t++) {
		if (s->sp[t].linked && s->sp[t].unsync)
			sim_zap(s, t);
		s->sp[t].linked = false;
	}
	s->l2_linked = false;
}

void sim_start(struct sim *s, unsigned int window, unsigned int vcpus, uint64_t seed)
{
	s->window = window;
	s->vcpus = vcpus;
	s->seed = seed | 1;
	s->around = 1;
	s->f.ts = 1000;
	s->f.tick = 100;
	s->next_gfn = 0x1000;
	s->next_frame = 0x9000;
	for (unsigned int t = 0; t < SIM_TABLES; t++)
		s->pte[0][t] = PTE(SIM_TABLE_GFN + t, DIRTY);
	for (s->vcpu = 0; s->vcpu < vcpus; s->vcpu++) {
		exit_begin(s, SVM_CR3, 0, 0);
		put(s, ev_cr3(GVA_OF(SIM_ROOT_GFN)));
		put(s, s->vcpu ? ev_found(SIM_ROOT_GFN, ROLE(4), false)
			       : ev_created(SIM_ROOT_GFN, ROLE(4)));
		exit_end(s);
	}
	s->vcpu = 0;
}

/* A page of the guest's data, more often near the last one. */
static uint64_t some_page(struct sim *s)
{
	unsigned int t = 1 + (unsigned int)(sim_random(s) % (SIM_TABLES - 1));

	return t * 512 + sim_random(s) % 48;
}

/* Anything that a vCPU does, at random. */
static void act(struct sim *s)
{
	uint64_t vpn = some_page(s);
	unsigned int t = (unsigned int)(vpn / 512), i = vpn % 512, what;
	uint64_t pte = s->pte[t][i];

	what = (unsigned int)(sim_random(s) % 100);
	s->around = t & 1 ? 16 : 1;
	if (what < 60) {
		sim_access(s, vpn, sim_random(s) % 3 == 0);
	} else if (what < 75) { /* in order, as programs go */
		for (unsigned int k = 0; k < 8 && i + k < 48; k++)
			sim_access(s, vpn + k, false);
	} else if (what < 85) { /* munmap(), seen by the next fault */
		if (pte & SPHT_PTE_P) {
			sim_store(s, t, i, 0);
			sim_flush(s);
			if (!s->silent)
				sim_access(s, vpn, false);
		}
	} else if (what < 90) {
		sim_flush(s);
	} else if (what < 93) {
		sim_zap(s, 1 + (unsigned int)(sim_random(s) % (SIM_TABLES - 1)));
	} else if (what < 94) {
		sim_zap_l2(s);
	} else if (s->silent && (pte & SPHT_PTE_P)) {
		static const uint64_t clear[] = {SPHT_PTE_A, SPHT_PTE_D, SPHT_PTE_W | SPHT_PTE_D};

		pte = what < 98 ? pte & ~clear[what % 3] : PTE(s->next_gfn++, DIRTY);
		sim_store(s, t, i, pte);
		sim_flush(s);
	}
}

void sim_step(struct sim *s)
{
	s->vcpu = (unsigned int)(sim_random(s) % s->vcpus);
	act(s);
}
