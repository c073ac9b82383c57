// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "replay/real-local.h"

void spht_histogram_add(struct spht_histogram *h, uint64_t ns)
{
	unsigned int bin = ns ? 63 - (unsigned int)__builtin_clzll(ns) : 0;

	h->bin[bin < SPHT_REAL_BINS ? bin : SPHT_REAL_BINS - 1]++;
	h->sum += ns;
	if (ns > h->most)
		h->most = ns;
}

long spht_real_switches(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_THREAD, &ru) ? 0 : ru.ru_nivcsw;
}

/* More places than may wait: cancelled requests keep theirs until the helper comes to them. */
static int init_queue(struct spht_real *r, uint64_t limit)
{
	unsigned int size = 16;

	r->nr_slots = (uint32_t)(4 * limit + 16);
	while (size <= r->nr_slots)
		size *= 2;
	r->slots = calloc(r->nr_slots, sizeof(*r->slots));
	r->free = calloc(r->nr_slots, sizeof(struct spht_slot *));
	r->live = calloc(r->nr_slots, sizeof(struct spht_slot *));
	r->h.watched = calloc(limit + 1, sizeof(struct spht_slot *));
	if (!r->slots || !r->free || !r->live || !r->h.watched ||
	    spht_race_ring_init(&r->asked, size) || spht_race_ring_init(&r->done, size))
		return -1;
	for (uint32_t i = 0; i < r->nr_slots; i++)
		r->free[r->nr_free++] = &r->slots[i];
	return 0;
}

static void free_real(struct spht_real *r)
{
	spht_tables_close(&r->tables);
	spht_race_ring_close(&r->asked);
	spht_race_ring_close(&r->done);
	free(r->slots);
	free(r->free);
	free(r->live);
	free(r->h.watched);
	free(r->dirty.v);
	free(r->is_dirty);
	free(r);
}

static int pin_vcpu(struct spht_real *r)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)r->plan->cpus.vcpu, &set);
	errno = pthread_getaffinity_np(pthread_self(), sizeof(r->before), &r->before);
	if (errno)
		return -1;
	errno = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	r->pinned = !errno;
	return r->pinned ? 0 : -1;
}

static int start_helper(struct spht_real *r)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int ret;

	if (pthread_attr_init(&attr))
		return -1;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)r->plan->cpus.helper, &set);
	ret = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (!ret)
		ret = pthread_create(&r->thread, &attr, spht_real_helper_main, r);
	pthread_attr_destroy(&attr);
	r->running = !ret;
	errno = ret;
	return ret ? -1 : 0;
}

static int init_state(struct spht_real *r, struct spht_whatif *w)
{
	r->w = w;
	r->plan = w->c->pace;
	r->run = w->c->real;
	r->h.me = &r->run->helper;
	spht_race_lock_init(&r->mmu_lock);
	spht_race_lock_init(&r->books);
	r->is_dirty = calloc(w->mmu.nr, sizeof(*r->is_dirty));
	return !r->is_dirty || init_queue(r, w->c->costs->queue_limit) ||
			       spht_tables_init(&r->tables, w->mmu.nr, w->nr_tables)
		       ? -1
		       : 0;
}

static void touch(void *real, uint32_t page)
{
	struct spht_real *r = real;

	if (r->is_dirty[page])
		return;
	r->is_dirty[page] = true;
	if (spht_pages_add(&r->dirty, page))
		r->w->no_memory = true;
}

int spht_real_open(struct spht_whatif *w, struct spht_error *err)
{
	struct spht_real *r = aligned_alloc(SPHT_CACHE_LINE, sizeof(*r));

	if (r) {
		memset(r, 0, sizeof(*r));
		w->real = r;
	}
	if (!r || init_state(r, w)) {
		spht_error_set(err, "out of memory for the page tables of the real clock");
		return -1;
	}
	w->mmu.touched = touch;
	w->mmu.touched_arg = r;
	w->idle = false; /* or nobody would ask what it does */
	r->start_ns = spht_raw_ns();
	atomic_store(&r->pause, true);
	if (!pin_vcpu(r) && !start_helper(r)) {
		while (!atomic_load(&r->parked))
			ck_pr_stall();
		r->pause_ns = spht_raw_ns();
		return 0;
	}
	spht_error_set(err, "--clock=real: no threads on CPUs %d and %d: %s", r->plan->cpus.vcpu,
		       r->plan->cpus.helper, strerror(errno));
	return -1;
}

void spht_real_touch(struct spht_whatif *w, uint32_t page)
{
	touch(w->real, page);
}

void spht_real_show(struct spht_real *r)
{
	for (uint32_t i = 0; i < r->dirty.nr; i++) {
		r->is_dirty[r->dirty.v[i]] = false;
		if (spht_tables_show(&r->tables, &r->w->mmu, r->dirty.v[i]))
			r->w->no_memory = true;
	}
	r->dirty.nr = 0;
}

void spht_real_resume(struct spht_whatif *w)
{
	struct spht_real *r = w->real;

	r->switches = spht_real_switches();
	/* Nobody's time has passed. */
	atomic_fetch_add(&r->paused_ns, spht_raw_ns() - r->pause_ns);
	r->last_ns = spht_real_now(r);
	spht_race_lock(&r->books);
	atomic_store(&r->pause, false);
	while (atomic_load(&r->parked))
		ck_pr_stall();
}

void spht_real_park(struct spht_whatif *w)
{
	struct spht_real *r = w->real;

	spht_race_unlock(&r->books);
	atomic_store(&r->pause, true);
	while (!atomic_load(&r->parked))
		ck_pr_stall();
	r->pause_ns = spht_raw_ns();
	r->run->vcpu.switches += (uint64_t)(spht_real_switches() - r->switches);
}

/* What the helper has counted, and what it leaves behind. */
static void add_counts(struct spht_real *r)
{
	for (unsigned int k = 0; k < 2; k++) {
		const struct spht_real_counts *n = &r->h.counts[k];
		struct spht_account *book = spht_w_book(r->w, k);

		book->duplicate += n->duplicate;
		book->illegal += n->illegal;
		book->unknown += n->unknown;
		book->issued += n->issued;
		book->in_progress_end += n->in_progress;
		book->helper_busy_ns += n->busy_ns;
		book->helper_wait_ns += n->wait_ns;
		book->watched_ns += n->watched_ns;
	}
	for (uint32_t i = 0; i < r->nr_live; i++) {
		uint32_t state = atomic_load(&r->live[i]->state);

		if (state == SPHT_SLOT_WAITING || state == SPHT_SLOT_WATCHED)
			spht_w_book(r->w, r->live[i]->q.outside)->pending_end++;
	}
}

static void stop_helper(struct spht_real *r)
{
	if (!r->running)
		return;
	atomic_store(&r->stop, true);
	atomic_store(&r->pause, false);
	pthread_join(r->thread, NULL);
	r->running = false;
}

void spht_real_end(struct spht_whatif *w)
{
	struct spht_real *r = w->real;

	r->run->elapsed_ns = r->pause_ns - r->start_ns - atomic_load(&r->paused_ns);
	stop_helper(r);
	add_counts(r);
	spht_real_show(r);
	r->run->disagreed += spht_tables_compare(&r->tables, &w->mmu);
}

void spht_real_close(struct spht_whatif *w)
{
	struct spht_real *r = w->real;

	if (!r)
		return;
	stop_helper(r);
	if (r->pinned)
		pthread_setaffinity_np(pthread_self(), sizeof(r->before), &r->before);
	free_real(r);
	w->real = NULL;
}
