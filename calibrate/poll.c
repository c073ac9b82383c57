// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/poll.h"
#include "calibrate/stats.h"

#define PAGE   4096ull
#define LOOKS  1001u /* at each state, before it is believed that they can be told apart */
#define STOP   UINTPTR_MAX
/* Of the time that a masked access takes without an entry: one that is shorter found one. */
#define NEARLY 0.85
/* Cycles that a hit may take longer than the median of hits: less than any walk. */
#define HIT    40

const char *const poll_method_names[POLL_METHOD_NR] = {"masked loads", "masked stores", "pagemap"};

/* What both sides share.  Each line of it is written by one side only. */
struct exchange {
	_Alignas(64) _Atomic(uintptr_t) page; /* what to watch; 0: nothing */
	_Alignas(64) _Atomic(uintptr_t) watching;
	_Atomic(uintptr_t) seen;
	uint64_t from, to;
};

struct poller {
	enum poll_method method;
	struct exchange *x;
	uint64_t hit, found; /* cycles of a masked access, up to which it hits the TLB; finds one */
	double period;
	int pagemap, cpu;
	pthread_t thread;
	pid_t pid;
};

__attribute__((target("avx2"))) static void masked_load(const void *p)
{
	__m256i none = _mm256_setzero_si256();

	__asm__ volatile("vpmaskmovd (%1), %0, %%ymm1" : : "x"(none), "r"(p) : "xmm1");
}

__attribute__((target("avx2"))) static void masked_store(void *p)
{
	__m256i none = _mm256_setzero_si256();

	__asm__ volatile("vpmaskmovd %0, %0, (%1)" : : "x"(none), "r"(p) : "memory");
}

static uint64_t masked_cycles(enum poll_method method, void *page)
{
	uint64_t start = stamp();

	if (method == POLL_LOAD)
		masked_load(page);
	else
		masked_store(page);
	return stamp() - start;
}

static uint64_t pagemap_entry(const struct poller *p, uintptr_t page)
{
	uint64_t entry;

	if (pread(p->pagemap, &entry, sizeof(entry), (off_t)(page / PAGE * sizeof(entry))) !=
	    sizeof(entry))
		die_errno("/proc/PID/pagemap cannot be read");
	return entry;
}

/*
 * Looks until the entry changes.  A masked access that hits the TLB uses what the look
 * before it fetched, so that one saw the new state, if only in the end: the last that
 * is certain to have begun with the old one is one further back.  One that is fast but
 * walks itself shows that nothing had been fetched.
 */
static void watch(const struct poller *p, uintptr_t page)
{
	uint64_t before = 0, last = 0, start, took = 0, old = 0;
	struct exchange *x = p->x;
	bool changed;

	if (p->method == POLL_PAGEMAP)
		old = pagemap_entry(p, page);
	for (unsigned int looks = 0;; looks++) {
		start = stamp();
		if (p->method == POLL_PAGEMAP) {
			changed = pagemap_entry(p, page) != old;
		} else {
			took = masked_cycles(p->method, (void *)page);
			changed = took < p->found;
		}
		if (changed)
			break;
		before = last;
		last = start;
		if (looks == 2)
			atomic_store_explicit(&x->watching, page, memory_order_release);
	}
	x->to = stamp();
	x->from = p->method != POLL_PAGEMAP && took <= p->hit ? before : last;
	/* Seen too early, by a state that was not the old one: the toucher need not wait. */
	atomic_store_explicit(&x->watching, page, memory_order_release);
	atomic_store_explicit(&x->seen, page, memory_order_release);
}

static void *poller_main(void *arg)
{
	const struct poller *p = arg;
	uintptr_t page, last = 0;

	machine_pin(p->cpu);
	while ((page = atomic_load_explicit(&p->x->page, memory_order_acquire)) != STOP) {
		if (page == last) {
			_mm_pause();
			continue;
		}
		last = page;
		if (page)
			watch(p, page);
	}
	return NULL;
}

static void *map(size_t bytes, int prot, int flags)
{
	void *p = mmap(NULL, bytes, prot, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for %zu bytes", bytes);
	return p;
}

static double median_look(enum poll_method method, void *page)
{
	static double v[LOOKS];

	for (unsigned int i = 0; i < LOOKS; i++)
		v[i] = (double)masked_cycles(method, page);
	return stats_quantile(v, LOOKS, 0.5);
}

/* How long masked accesses take on this CPU with and without an entry; do these differ? */
static bool learn_masked(struct poller *p)
{
	char *page = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	double without, with;

	if (!__builtin_cpu_supports("avx2"))
		return false;
	if (p->method == POLL_STORE) {
		/* Present and read-only. */
		*page = 1;
		if (mprotect(page, PAGE, PROT_READ))
			die_errno("mprotect");
	}
	without = median_look(p->method, page);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		die_errno("mprotect");
	*page = 1;
	with = median_look(p->method, page);
	munmap(page, 2 * PAGE);
	p->hit = (uint64_t)with + HIT;
	p->found = (uint64_t)(NEARLY * without);
	p->period = without;
	return without > 3 * with;
}

static void learn_pagemap(struct poller *p)
{
	static double v[LOOKS];
	char *page = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (p->pagemap < 0)
		die_errno("/proc/self/pagemap cannot be opened");
	for (unsigned int i = 0; i < LOOKS; i++) {
		uint64_t start = stamp();

		pagemap_entry(p, (uintptr_t)page);
		v[i] = (double)(stamp() - start);
	}
	p->period = stats_quantile(v, LOOKS, 0.5);
	munmap(page, PAGE);
}

static void start_process(struct poller *p)
{
	pid_t parent = getpid();

	/* What it opened as /proc/self stays the parent's. */
	p->pid = fork();
	if (p->pid < 0)
		die_errno("no process for the poller");
	if (p->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		poller_main(p);
	_exit(0);
}

struct poller *poll_start(const struct machine *m, enum poll_method method)
{
	struct poller *p = calloc(1, sizeof(*p));

	if (!p)
		die("out of memory");
	p->method = method;
	p->cpu = m->other_cpu;
	p->x = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (method == POLL_PAGEMAP) {
		learn_pagemap(p);
		start_process(p);
		return p;
	}
	if (!learn_masked(p)) {
		munmap(p->x, PAGE);
		free(p);
		return NULL;
	}
	if (pthread_create(&p->thread, NULL, poller_main, p))
		die("no thread for the poller");
	return p;
}

void poll_stop(struct poller *p)
{
	atomic_store_explicit(&p->x->page, STOP, memory_order_release);
	if (p->method == POLL_PAGEMAP) {
		waitpid(p->pid, NULL, 0);
		close(p->pagemap);
	} else {
		pthread_join(p->thread, NULL);
	}
	munmap(p->x, PAGE);
	free(p);
}

/* A process that ended leaves nobody to wait for. */
static void check_alive(const struct poller *p)
{
	if (p->method == POLL_PAGEMAP && waitpid(p->pid, NULL, WNOHANG) == p->pid)
		die("the poller ended before its time");
}

static void wait_for(const struct poller *p, const _Atomic(uintptr_t) *word, uintptr_t page)
{
	for (unsigned int i = 1; atomic_load_explicit(word, memory_order_acquire) != page; i++) {
		_mm_pause();
		if (!(i & 0xfffffff))
			check_alive(p);
	}
}

void poll_watch(struct poller *p, void *page)
{
	atomic_store_explicit(&p->x->page, (uintptr_t)page, memory_order_release);
	wait_for(p, &p->x->watching, (uintptr_t)page);
}

void poll_wait(struct poller *p, uint64_t *from, uint64_t *to)
{
	wait_for(p, &p->x->seen, atomic_load_explicit(&p->x->page, memory_order_relaxed));
	*from = p->x->from;
	*to = p->x->to;
}

double poll_period(const struct poller *p)
{
	return p->period;
}
