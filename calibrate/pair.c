// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/die.h"
#include "calibrate/pair.h"
#include "calibrate/script.h"
#include "calibrate/stats.h"
#include "calibrate/vm.h"

#define REGIONS 16u /* of each vCPU */
#define GROUPS  (512 / GROUP)
#define EVER    (1ull << 40) /* reads: until it is stopped */

const char *const pair_names[PAIR_NR] = {
	[PAIR_HELPER] = "second vCPU, first one runs",
	[PAIR_SHARED] = "second vCPU, first one faults",
	[PAIR_APART] = "second vCPU, another VM faults",
};

static const uint64_t all[GROUP] = {GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY,
				    GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY, GPTE_DIRTY};

/* One vCPU on its thread. */
struct lane {
	struct vcpu vcpu;
	int cpu;
	bool endless; /* runs until it is stopped */
	_Atomic(int) *ready; /* lanes that are */
	_Atomic(bool) stop;
	pthread_t thread;
};

static void nothing(int sig)
{
	(void)sig;
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;

	machine_pin(l->cpu);
	atomic_fetch_add(l->ready, 1);
	while (atomic_load(l->ready) < 2)
		_mm_pause();
	if (!l->endless)
		vcpu_run_script(&l->vcpu);
	while (l->endless && !atomic_load(&l->stop))
		vcpu_run(&l->vcpu);
	return NULL;
}

static void lane_start(struct lane *l)
{
	if (pthread_create(&l->thread, NULL, lane_main, l))
		die("no thread for a vCPU");
}

static void lane_end(struct lane *l)
{
	atomic_store(&l->stop, true);
	if (l->endless) {
		/* It may be about to enter the guest: KVM looks at this first. */
		l->vcpu.run->immediate_exit = 1;
		pthread_kill(l->thread, SIGUSR1);
	}
	pthread_join(l->thread, NULL);
	vcpu_close(&l->vcpu);
}

static void read_groups(struct script *s, unsigned int first)
{
	for (unsigned int r = first; r < first + REGIONS; r++) {
		uint64_t at = DATA_GVA + r * LARGE_PAGE;

		script_map(s, r, all);
		guest_read(&s->guest, at, 1, 0);
		for (unsigned int i = 1; i < GROUPS; i++)
			script_read(s, at + i * GROUP * PAGE, 1, 0);
	}
}

/*
 * The script of the second vCPU, and before it, where @first says so, that of the first.
 * Returns the entry that the second one starts at; its timed accesses come last.
 */
static size_t build(struct script *s, bool first, bool endless)
{
	size_t start;

	script_open(s);
	if (first && endless)
		guest_read(&s->guest, CODE_GVA, EVER, 0);
	else if (first)
		read_groups(s, REGIONS);
	if (first)
		guest_command(&s->guest, COMMAND_END);
	start = first ? s->guest.nr_ops : 0;
	read_groups(s, 0);
	script_finish(s);
	return start;
}

static void add(const struct script *s, const struct machine *m, struct cost *median,
		struct cost *mean)
{
	enum { NR = REGIONS * (GROUPS - 1) };
	unsigned int first = script_timed(s) - NR, good = 0;
	double v[NR], sum = 0, limit;

	for (unsigned int i = 0; i < NR; i++)
		v[i] = script_ns(s, m, first + i);
	cost_add(median, v, NR);
	limit = 3 * median->run[median->runs - 1];
	for (unsigned int i = 0; i < NR && v[i] < limit; i++, good++)
		sum += v[i];
	sum /= good;
	cost_add(mean, &sum, 1);
}

void pair_measure(const struct machine *m, enum pair pair, struct cost *median, struct cost *mean)
{
	bool apart = pair == PAIR_APART, endless = pair == PAIR_HELPER;
	static struct script s, other_s;
	static struct lane first, second;
	struct sigaction act = {.sa_handler = nothing};
	struct vm vm, other;
	_Atomic(int) ready = 0;
	size_t start;

	sigaction(SIGUSR1, &act, NULL);
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	start = build(&s, !apart, endless);
	vm_open(&vm, &s.guest, 2 * s.guest.tables + 64);
	if (apart) {
		build(&other_s, false, false);
		vm_open(&other, &other_s.guest, 2 * other_s.guest.tables + 64);
	}
	vcpu_open(&first.vcpu, apart ? &other : &vm, 0, 0);
	vcpu_open(&second.vcpu, &vm, 1, start);
	first.cpu = m->main_cpu;
	second.cpu = m->other_cpu;
	first.endless = endless;
	first.ready = second.ready = &ready;
	lane_start(&first);
	lane_start(&second);
	pthread_join(second.thread, NULL);
	lane_end(&first);
	vcpu_close(&second.vcpu);
	add(&s, m, median, mean);
	vm_close(&vm);
	script_close(&s);
	if (apart) {
		vm_close(&other);
		script_close(&other_s);
	}
}
