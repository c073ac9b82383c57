// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/real-local.h"

/*
 * The thread that helps: what helper.c computes for the virtual clock, in the same
 * order and by the same rules, done.  It reads guest entries and shadow tables as
 * they are at that moment, and installs under mmu_lock.
 */

static bool must_stop(struct spht_real *r)
{
	return atomic_load_explicit(&r->stop, memory_order_acquire);
}

/* The vCPU's thread reads the next chunk: until it has, no time passes. */
static void park(struct spht_real *r)
{
	if (!atomic_load_explicit(&r->pause, memory_order_acquire))
		return;
	r->h.me->switches += (uint64_t)(spht_real_switches() - r->h.switches);
	atomic_store(&r->parked, true);
	while (atomic_load_explicit(&r->pause, memory_order_acquire))
		ck_pr_stall();
	r->h.switches = spht_real_switches();
	r->h.last_ns = spht_real_now(r);
	atomic_store(&r->parked, false);
}

/* One look at the clock. */
static uint64_t tick(struct spht_real *r)
{
	uint64_t now;

	park(r);
	now = spht_real_now(r);
	spht_real_note_stall(r->h.me, r->h.last_ns, now);
	r->h.last_ns = now;
	return now;
}

/* Turns in circles until @ns.  Returns when it was. */
static uint64_t spin(struct spht_real *r, uint64_t ns)
{
	uint64_t now = tick(r);

	while (now < ns && !must_stop(r)) {
		ck_pr_stall();
		now = tick(r);
	}
	return now;
}

static struct spht_real_counts *counts_of(struct spht_real *r, const struct spht_slot *s)
{
	return &r->h.counts[s->q.outside];
}

static void send_back(struct spht_real *r, struct spht_slot *s, uint8_t outcome, uint64_t ns)
{
	s->outcome = outcome;
	s->end_ns = ns;
	/* There are more places than slots. */
	spht_race_push(&r->done, s);
}

/* What the walk down the guest's tables to the region finds. */
struct found {
	struct spht_wregion region;
	unsigned int missing; /* shadow pages */
	bool known;
};

static void find_region(struct spht_real *r, struct spht_slot *s, struct found *f)
{
	const struct spht_wregion *region;

	spht_real_lock_books(r, r->h.me);
	region = spht_w_region(r->w, s->job.space, s->job.vpn);
	f->known = region;
	if (region) {
		f->region = *region;
		f->missing = spht_w_missing_pages(r->w, region);
		s->job.page = region->page;
		s->job.table = region->table;
		s->job.index = (uint16_t)spht_vpn_index(s->job.vpn, region->leaf_level);
	}
	spht_real_unlock_books(r);
}

static bool is_there(struct spht_real *r, const struct spht_slot *s, const struct found *f)
{
	uint64_t entry;

	return spht_tables_walk(&r->tables, r->w->c->shadow, f->region.path, f->region.page,
				f->region.leaf_level, s->job.vpn, &entry);
}

/* Watches for the entry instead.  False: there is no room, or a fault has come for it. */
static bool watch(struct spht_real *r, struct spht_slot *s, uint64_t now)
{
	const struct spht_costs *c = r->w->c->costs;

	if (r->h.nr_watched >= c->queue_limit)
		return false;
	s->looks = 0;
	s->watched_ns = now;
	s->until_ns = now + c->helper_watch_ns;
	if (!spht_slot_move(s, SPHT_SLOT_TAKEN, SPHT_SLOT_WATCHED))
		return false;
	if (!r->h.nr_watched)
		r->h.look_ns = now;
	r->h.watched[r->h.nr_watched++] = s;
	return true;
}

/* Why it is not built; NULL: it is. */
static uint64_t *refusal(struct spht_real *r, const struct spht_slot *s, const struct found *f,
			 uint8_t st, bool there)
{
	struct spht_real_counts *n = counts_of(r, s);

	if (!f->known)
		return &n->unknown;
	if (there)
		return &n->duplicate;
	if (!(st & SPHT_GPTE_DECIDED))
		return &n->unknown;
	return spht_w_legal(r->w, st) ? NULL : &n->illegal;
}

/* The end of a hold: puts the entry into the table, unless a fault was faster. */
static uint8_t install(struct spht_real *r, struct spht_slot *s)
{
	uint8_t outcome = SPHT_OUTCOME_LATE;

	if (must_stop(r)) {
		if (spht_slot_move(s, SPHT_SLOT_TAKEN, SPHT_SLOT_OVER))
			counts_of(r, s)->in_progress++;
		return outcome;
	}
	spht_real_lock_books(r, r->h.me);
	if (spht_slot_move(s, SPHT_SLOT_TAKEN, SPHT_SLOT_OVER)) {
		outcome = spht_helper_install(r->w, &s->job, spht_real_now(r));
		spht_real_touch(r->w, s->job.page);
		spht_real_show(r);
	}
	spht_real_unlock_books(r);
	return outcome;
}

/*
 * Reads the guest's entry and decides.  True: to be built.  False: refused, watched, or
 * cancelled before.
 */
static bool take_up(struct spht_real *r, struct spht_slot *s, struct found *f)
{
	struct spht_whatif *w = r->w;
	uint64_t start = tick(r), now, *refused;
	bool there = false;
	uint8_t st = 0;

	find_region(r, s, f);
	if (f->known) {
		st = spht_tables_gpte(&r->tables, s->job.table, s->job.index);
		there = is_there(r, s, f);
	}
	now = spin(r, start + w->k.helper_read_ns);
	counts_of(r, s)->busy_ns += now - start;
	r->h.free_ns = now;
	if (s->job.watch && f->known && w->c->costs->helper_watch_ns && !(st & SPHT_GPTE_PRESENT) &&
	    !there && watch(r, s, now))
		return false;
	refused = refusal(r, s, f, st, there);
	if (refused && spht_slot_move(s, SPHT_SLOT_TAKEN, SPHT_SLOT_OVER)) {
		++*refused;
		send_back(r, s, SPHT_OUTCOME_REFUSED, now);
		return false;
	}
	/* Refused, and a fault came for it in the same moment: it counts as built too late. */
	s->issued = true;
	counts_of(r, s)->issued++;
	return true;
}

static void build(struct spht_real *r, struct spht_slot *s, const struct found *f);

/* With more to do and mmu_lock still held: the next one, without giving it back. */
static void go_on(struct spht_real *r)
{
	const struct spht_costs *c = r->w->c->costs;
	struct spht_real_helper *h = &r->h;

	for (uint64_t batch = 1; batch < c->helper_batch && !must_stop(r); batch++) {
		struct spht_slot *s = h->next ? h->next : spht_race_pop(&r->asked);
		uint64_t start = h->free_ns;
		struct found f;
		uint8_t outcome;

		h->next = s;
		if (!s || start < h->start_ns + r->w->k.helper_pace_ns)
			return;
		h->next = NULL;
		if (!spht_slot_move(s, SPHT_SLOT_WAITING, SPHT_SLOT_TAKEN)) {
			send_back(r, s, SPHT_OUTCOME_LATE, start);
			continue;
		}
		s->job = s->q;
		h->start_ns = start;
		spht_histogram_add(&r->run->queue, start > s->q.t_ns ? start - s->q.t_ns : 0);
		if (!take_up(r, s, &f))
			continue;
		start = h->free_ns;
		h->free_ns = spin(r, start + r->w->k.helper_lock_ns);
		outcome = install(r, s);
		counts_of(r, s)->busy_ns += h->free_ns - start;
		send_back(r, s, outcome, h->free_ns);
	}
}

/* What enter_lock() and finish_job() are on the virtual clock. */
static void build(struct spht_real *r, struct spht_slot *s, const struct found *f)
{
	struct spht_real_counts *n = counts_of(r, s);
	const struct spht_costs *k = &r->w->k;
	uint64_t start = r->h.free_ns, want, got;
	bool lock = r->w->c->costs->helper_lock_ns;
	uint8_t outcome;

	want = got = spin(r, start + k->helper_build_ns - k->helper_lock_ns);
	if (lock && !spht_race_trylock(&r->mmu_lock)) {
		spht_race_lock(&r->mmu_lock);
		got = spht_real_now(r);
		r->h.last_ns = got;
	}
	if (lock)
		spht_histogram_add(&r->run->helper_wait, got - want);
	n->wait_ns += got - want;
	spin(r, got + k->helper_lock_ns + (f->known ? f->missing : 0) * k->helper_page_ns);
	outcome = install(r, s);
	r->h.free_ns = tick(r);
	n->busy_ns += r->h.free_ns - start;
	send_back(r, s, outcome, r->h.free_ns);
	if (lock) {
		go_on(r);
		spht_race_unlock(&r->mmu_lock);
	}
}

/* Takes it up now.  @from: the state that it was in. */
static void run(struct spht_real *r, struct spht_slot *s, uint32_t from)
{
	uint64_t now = tick(r);
	struct found f;

	if (!spht_slot_move(s, from, SPHT_SLOT_TAKEN)) {
		send_back(r, s, SPHT_OUTCOME_LATE, now);
		return;
	}
	if (from == SPHT_SLOT_WAITING) {
		s->job = s->q;
		spht_histogram_add(&r->run->queue, now > s->q.t_ns ? now - s->q.t_ns : 0);
	}
	r->h.start_ns = now;
	if (take_up(r, s, &f))
		build(r, s, &f);
}

/* It is not looked for any more. */
static void unwatch(struct spht_real *r, uint32_t i, uint64_t now)
{
	struct spht_real_helper *h = &r->h;
	struct spht_slot *s = h->watched[i];
	struct spht_real_counts *n = counts_of(r, s);

	n->busy_ns += s->looks * r->w->k.helper_read_ns;
	n->watched_ns += now - s->watched_ns;
	h->watched[i] = h->watched[--h->nr_watched];
}

/* One look at one watched entry, if it is time. */
static void look(struct spht_real *r, uint64_t now)
{
	struct spht_real_helper *h = &r->h;
	struct spht_slot *s;
	uint32_t i;
	uint8_t st;

	if (!h->nr_watched || now < h->look_ns)
		return;
	h->look_ns = now + r->w->k.helper_poll_ns;
	i = h->cursor++ % h->nr_watched;
	s = h->watched[i];
	s->looks++;
	st = spht_tables_gpte(&r->tables, s->job.table, s->job.index);
	if (spht_w_legal(r->w, st)) {
		unwatch(r, i, now);
		run(r, s, SPHT_SLOT_WATCHED);
	} else if (atomic_load_explicit(&s->state, memory_order_acquire) != SPHT_SLOT_WATCHED) {
		unwatch(r, i, now);
		send_back(r, s, SPHT_OUTCOME_LATE, now);
	} else if (now >= s->until_ns && spht_slot_move(s, SPHT_SLOT_WATCHED, SPHT_SLOT_OVER)) {
		unwatch(r, i, now);
		if (st & SPHT_GPTE_DECIDED)
			counts_of(r, s)->illegal++;
		else
			counts_of(r, s)->unknown++;
		send_back(r, s, SPHT_OUTCOME_REFUSED, now);
	}
}

/* When it can begin with @s: a request that finds it asleep wakes it up. */
static uint64_t start_of(const struct spht_real *r, const struct spht_slot *s)
{
	uint64_t pace = r->w->k.helper_pace_ns, start = r->h.free_ns;

	if (s->q.t_ns >= start)
		start = s->q.t_ns + r->w->k.helper_wake_ns;
	return r->h.start_ns && r->h.start_ns + pace > start ? r->h.start_ns + pace : start;
}

void *spht_real_helper_main(void *real)
{
	struct spht_real *r = real;
	struct spht_real_helper *h = &r->h;

	h->switches = spht_real_switches();
	h->last_ns = spht_real_now(r);
	while (!must_stop(r)) {
		uint64_t now = tick(r);

		look(r, now);
		if (!h->next) {
			h->next = spht_race_pop(&r->asked);
			if (!h->next) {
				ck_pr_stall();
				continue;
			}
		}
		if (now >= start_of(r, h->next)) {
			struct spht_slot *s = h->next;

			h->next = NULL;
			run(r, s, SPHT_SLOT_WAITING);
		}
	}
	return NULL;
}
