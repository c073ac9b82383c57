// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/lead.h"

#define PAGE        4096ull
#define GROUP       16u /* pages that fault-around maps at once */
#define BATCH       1024u /* touches from one mapping to the next */
#define WARM_UP     2u /* batches that do not count */
/* What takes longer was interrupted; the flush for a copy takes up to half of the former. */
#define MAX_NS      60000.0
#define MAX_LEAD_NS 20000.0
#define PINGS       20000u

const char *const lead_kind_names[LEAD_KIND_NR] = {"anonymous", "copy-on-write", "file",
						   "fault-around"};

/* One mapping of BATCH pages to be touched. */
struct batch {
	char *mem;
	size_t bytes;
	pid_t child; /* holds the pages that are copied */
};

struct run {
	const struct machine *m;
	enum lead_kind kind;
	struct poller *poller;
	int fd; /* of the file; -1 */
	double access; /* cycles of an access whose translation must be walked for */
	struct interval *lead;
	double *width, *fault;
};

/* Fault-around goes by virtual address: a group of the file must be one of those, too. */
static void *map(size_t bytes, int flags, int fd)
{
	const size_t align = GROUP * PAGE;
	char *at = mmap(NULL, bytes + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

	if (at == MAP_FAILED)
		die_errno("no memory to touch");
	p = (char *)(((uintptr_t)at + align - 1) & ~(align - 1));
	if (mmap(p, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		die_errno("no memory to touch");
	if (p > at)
		munmap(at, (size_t)(p - at));
	if (p < at + align)
		munmap(p + bytes, (size_t)(at + align - p));
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static bool is_file(enum lead_kind kind)
{
	return kind == LEAD_FILE || kind == LEAD_AROUND;
}

/* The page in each group that is touched: another one each time, as faults go. */
static size_t page_of(enum lead_kind kind, unsigned int i)
{
	return is_file(kind) ? i * GROUP + i * 7 % GROUP : i;
}

/* A file in memory: in each group one page, or all. */
static int make_file(enum lead_kind kind)
{
	int fd = memfd_create("spht-calibrate", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)(BATCH * GROUP * PAGE)))
		die_errno("no file in memory");
	for (unsigned int i = 0; i < BATCH; i++)
		for (unsigned int k = 0; k < GROUP; k++) {
			size_t page = i * GROUP + k;

			if (kind == LEAD_FILE && page != page_of(kind, i))
				continue;
			if (pwrite(fd, "x", 1, (off_t)(page * PAGE)) != 1)
				die_errno("no file in memory");
		}
	return fd;
}

static void batch_open(struct batch *b, const struct run *run)
{
	pid_t parent = getpid();

	b->child = 0;
	b->bytes = BATCH * PAGE * (is_file(run->kind) ? GROUP : 1);
	b->mem = map(b->bytes, MAP_PRIVATE | (run->fd < 0 ? MAP_ANONYMOUS : 0), run->fd);
	if (run->kind != LEAD_COW)
		return;
	memset(b->mem, 1, b->bytes);
	b->child = fork();
	if (b->child < 0)
		die_errno("no process to share pages with");
	if (b->child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		pause();
	_exit(0);
}

static void batch_close(struct batch *b)
{
	if (b->child) {
		kill(b->child, SIGKILL);
		waitpid(b->child, NULL, 0);
	}
	munmap(b->mem, b->bytes);
}

/* Begin and end of one access to @page, which faults or not. */
static void touch(volatile char *page, bool write, uint64_t *start, uint64_t *end)
{
	*start = stamp();
	if (write)
		*page = 1;
	else
		(void)*page;
	*end = stamp();
}

/* An access to a page that is there, but not in the TLB. */
static double measure_access(void)
{
	enum { NR = 2048 };
	static double v[NR];
	char *mem = map(NR * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	uint64_t start, end;

	memset(mem, 1, NR * PAGE);
	/* Taking the right away and giving it back flushes; the entries stay. */
	if (mprotect(mem, NR * PAGE, PROT_NONE) || mprotect(mem, NR * PAGE, PROT_READ))
		die_errno("mprotect");
	for (unsigned int i = 0; i < NR; i++) {
		touch(mem + i * PAGE, false, &start, &end);
		v[i] = (double)(end - start);
	}
	munmap(mem, NR * PAGE);
	return stats_quantile(v, NR, 0.5);
}

/* Phases of the poller that have nothing to do with what it made us wait for. */
static void random_delay(uint64_t *seed)
{
	uint64_t until;

	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	until = __rdtsc() + (*seed >> 53);
	while (__rdtsc() < until)
		_mm_pause();
}

static double clip(double v, double max)
{
	return v < 0 ? 0 : v > max ? max : v;
}

/* One touch; false where it does not count. */
static bool sample(struct run *run, char *page, struct interval *lead, double *width, double *fault)
{
	static uint64_t seed = 1;
	uint64_t start, end, from, to;
	double use;

	poll_watch(run->poller, page);
	random_delay(&seed);
	touch(page, !is_file(run->kind), &start, &end);
	poll_wait(run->poller, &from, &to);
	/* The access itself comes after the time that is wanted. */
	use = (double)end - run->access;
	*fault = ns_of(run->m, use - (double)start);
	*width = ns_of(run->m, (double)(to - from));
	if (*fault > MAX_NS || *fault < 0 || !from || to <= start || from >= end ||
	    *width > 8 * ns_of(run->m, poll_period(run->poller)))
		return false;
	lead->hi = clip(ns_of(run->m, use - (double)from), *fault);
	lead->lo = clip(ns_of(run->m, use - (double)to), *fault);
	return lead->hi <= MAX_LEAD_NS;
}

static void histogram(struct density *d, const struct interval *v, size_t nr, bool hi)
{
	memset(d, 0, sizeof(*d));
	for (size_t i = 0; i < nr; i++) {
		double bin = (hi ? v[i].hi : v[i].lo) / STATS_BIN;

		d->p[bin < STATS_BINS ? (unsigned int)bin : STATS_BINS - 1] += 1 / (double)nr;
	}
}

static void touch_all(struct run *run, size_t nr, struct lead_result *r)
{
	struct batch b;

	for (unsigned int k = 0; r->nr < nr; k++) {
		batch_open(&b, run);
		for (unsigned int i = 0; i < BATCH && r->nr < nr; i++) {
			char *page = b.mem + page_of(run->kind, i) * PAGE;
			bool good = sample(run, page, &run->lead[r->nr], &run->width[r->nr],
					   &run->fault[r->nr]);

			if (k < WARM_UP)
				continue;
			r->nr += good;
			r->dropped += !good;
		}
		batch_close(&b);
		if (r->dropped > 20 * BATCH && r->dropped > 4 * r->nr)
			die("lead times: the other CPU is too busy: %zu of %zu touches could not "
			    "be timed",
			    r->dropped, r->nr + r->dropped);
	}
}

int lead_measure(const struct machine *m, enum lead_kind kind, enum poll_method method, size_t nr,
		 struct lead_result *r)
{
	struct run run = {.m = m, .kind = kind, .fd = -1};

	memset(r, 0, sizeof(*r));
	r->method = method;
	if (kind == LEAD_COW && method == POLL_LOAD)
		return -1;
	if (kind != LEAD_COW && method == POLL_STORE)
		return -1;
	machine_pin(m->main_cpu);
	run.poller = poll_start(m, method);
	if (!run.poller)
		return -1;
	run.lead = malloc(nr * sizeof(*run.lead));
	run.width = malloc(nr * sizeof(*run.width));
	run.fault = malloc(nr * sizeof(*run.fault));
	if (!run.lead || !run.width || !run.fault)
		die("no memory for %zu samples", nr);
	if (is_file(kind))
		run.fd = make_file(kind);
	run.access = measure_access();
	touch_all(&run, nr, r);
	r->period = ns_of(m, poll_period(run.poller));
	poll_stop(run.poller);
	r->width = stats_quantile(run.width, r->nr, 0.5);
	r->fault = stats_quantile(run.fault, r->nr, 0.5);
	stats_censored(&r->lead, run.lead, r->nr);
	histogram(&r->least, run.lead, r->nr, false);
	histogram(&r->most, run.lead, r->nr, true);
	if (run.fd >= 0)
		close(run.fd);
	free(run.lead);
	free(run.width);
	free(run.fault);
	return 0;
}

struct ping {
	const struct machine *m;
	_Alignas(64) _Atomic(uint64_t) there;
	_Alignas(64) _Atomic(uint64_t) back;
};

static void *answer(void *arg)
{
	struct ping *p = arg;
	uint64_t seen = 0, now;

	machine_pin(p->m->other_cpu);
	for (unsigned int i = 0; i < PINGS; i++) {
		do
			now = atomic_load(&p->there);
		while (now == seen);
		seen = now;
		atomic_store(&p->back, stamp());
	}
	return NULL;
}

/* There and back: the quickest of many each way took equally long, so what differs is the clocks. */
double lead_clock_offset(const struct machine *m)
{
	struct ping *p = aligned_alloc(64, sizeof(*p));
	uint64_t sent, seen = 0, got;
	double there = 1e18, back = 1e18;
	pthread_t thread;

	if (!p)
		die("out of memory");
	memset(p, 0, sizeof(*p));
	p->m = m;
	machine_pin(m->main_cpu);
	if (pthread_create(&thread, NULL, answer, p))
		die("no thread on the other CPU");
	for (unsigned int i = 0; i < PINGS; i++) {
		sent = stamp();
		atomic_store(&p->there, sent);
		do
			got = atomic_load(&p->back);
		while (got == seen);
		seen = got;
		if ((double)got - (double)sent < there)
			there = (double)got - (double)sent;
		if ((double)stamp() - (double)got < back)
			back = (double)stamp() - (double)got;
	}
	pthread_join(thread, NULL);
	free(p);
	return (there - back) / 2;
}
