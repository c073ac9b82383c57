// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/host.h"

#define WAKES    500u
#define ASLEEP   200000l /* ns after which the sleeper is asleep */
#define CHAINS   4000u
#define LINES    4u
#define PAGE     4096u
#define BIG      (256u << 20) /* larger than a cache */
#define READS    20000u
#define OVERHEAD 64u

/* The two threads take turns: an odd turn is the other one's. */
struct turns {
	const struct machine *m;
	_Alignas(64) _Atomic(unsigned int) turn;
	_Alignas(64) uint64_t stamp;
	char *lines;
};

static struct turns *turns_new(const struct machine *m)
{
	struct turns *t = aligned_alloc(64, (sizeof(*t) + 63) & ~63ul);

	if (!t)
		die("out of memory");
	memset(t, 0, sizeof(*t));
	t->m = m;
	machine_pin(m->main_cpu);
	return t;
}

static pthread_t other_thread(void *(*func)(void *), struct turns *t)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, func, t))
		die("no thread on the other CPU");
	return thread;
}

static void wait_turn(struct turns *t, unsigned int turn)
{
	while (atomic_load_explicit(&t->turn, memory_order_acquire) != turn)
		_mm_pause();
}

static void next_turn(struct turns *t, unsigned int turn)
{
	atomic_store_explicit(&t->turn, turn, memory_order_release);
}

static void *sleeper(void *arg)
{
	struct turns *t = arg;

	machine_pin(t->m->other_cpu);
	for (unsigned int i = 0; i < WAKES; i++) {
		while (atomic_load(&t->turn) == 2 * i)
			syscall(SYS_futex, &t->turn, FUTEX_WAIT_PRIVATE, 2 * i, NULL, NULL, 0);
		t->stamp = stamp();
		next_turn(t, 2 * i + 2);
	}
	return NULL;
}

void host_wake(const struct machine *m, struct cost *c)
{
	const struct timespec asleep = {.tv_nsec = ASLEEP};
	struct turns *t = turns_new(m);
	pthread_t thread = other_thread(sleeper, t);
	static double v[WAKES];

	for (unsigned int i = 0; i < WAKES; i++) {
		uint64_t start;

		nanosleep(&asleep, NULL);
		start = stamp();
		next_turn(t, 2 * i + 1);
		syscall(SYS_futex, &t->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		wait_turn(t, 2 * i + 2);
		v[i] = ns_of(m, (double)(t->stamp - start));
	}
	pthread_join(thread, NULL);
	free(t);
	cost_add(c, v, WAKES);
}

/* What two stamps with nothing between them take. */
static double overhead(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < OVERHEAD; i++) {
		uint64_t start = stamp(), took = stamp() - start;

		least = took < least ? took : least;
	}
	return (double)least;
}

static double chase(void *at, unsigned int nr)
{
	uint64_t start = stamp();

	for (unsigned int i = 0; i < nr; i++)
		at = *(void *volatile *)at;
	return (double)(stamp() - start);
}

/* Lines in pages of their own, at offsets that no prefetcher guesses. */
static char *line(const struct turns *t, unsigned int i)
{
	return t->lines + i * PAGE + i * 1216 % PAGE / 64 * 64;
}

static void *line_writer(void *arg)
{
	struct turns *t = arg;

	machine_pin(t->m->other_cpu);
	for (unsigned int i = 0; i < CHAINS; i++) {
		wait_turn(t, 2 * i + 1);
		for (unsigned int k = 0; k < LINES; k++)
			*(void *volatile *)line(t, k) = line(t, k + 1);
		next_turn(t, 2 * i + 2);
	}
	return NULL;
}

void host_read_written(const struct machine *m, unsigned int lines, struct cost *c)
{
	struct turns *t = turns_new(m);
	static double v[CHAINS];
	double empty = overhead();
	pthread_t thread;

	t->lines = aligned_alloc(PAGE, (LINES + 1) * PAGE);
	if (!t->lines)
		die("out of memory");
	memset(t->lines, 0, (LINES + 1) * PAGE);
	thread = other_thread(line_writer, t);
	for (unsigned int i = 0; i < CHAINS; i++) {
		next_turn(t, 2 * i + 1);
		wait_turn(t, 2 * i + 2);
		v[i] = ns_of(m, chase(line(t, 0), lines) - empty);
	}
	pthread_join(thread, NULL);
	free(t->lines);
	free(t);
	cost_add(c, v, CHAINS);
}

void host_read_memory(const struct machine *m, struct cost *c)
{
	const size_t lines = BIG / 64;
	static double v[READS];
	double empty = overhead();
	uint64_t x = 1;
	char *mem = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("no memory for %u bytes", BIG);
	machine_pin(m->main_cpu);
	/* Each line leads to another one: a full cycle, by a multiplier that is 5 modulo 8. */
	for (size_t i = 0; i < lines; i++)
		*(void **)(mem + 64 * i) = mem + 64 * ((i * 2862933555777941757ull + 3037) % lines);
	for (unsigned int i = 0; i < READS; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		v[i] = ns_of(m, chase(mem + 64 * ((x >> 33) % lines), LINES) - empty);
	}
	munmap(mem, BIG);
	cost_add(c, v, READS);
}
