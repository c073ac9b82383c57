// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cpuid.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "calibrate/die.h"
#include "calibrate/machine.h"

#define CPUID_INVARIANT_TSC (1u << 8) /* leaf 0x80000007, edx */
#define CLOCK_NS            50000000ull

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The reading that took least time of several: an interrupt between the two clocks would tell. */
static void both_clocks(uint64_t *cycles, uint64_t *ns)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 32; i++) {
		uint64_t before = stamp(), now = clock_ns(), after = stamp();

		if (after - before >= least)
			continue;
		least = after - before;
		*cycles = before + (after - before) / 2;
		*ns = now;
	}
}

static double measure_ghz(void)
{
	struct timespec ts = {.tv_nsec = (long)CLOCK_NS};
	uint64_t c0 = 0, n0 = 0, c1 = 0, n1 = 0;

	both_clocks(&c0, &n0);
	nanosleep(&ts, NULL);
	both_clocks(&c1, &n1);
	return (double)(c1 - c0) / (double)(n1 - n0);
}

static void text_of(char *out, const unsigned int *reg, unsigned int nr)
{
	memcpy(out, reg, nr * sizeof(*reg));
	out[nr * sizeof(*reg)] = '\0';
}

static void identify(struct machine *m)
{
	unsigned int a, b, c, d, r[12];

	__cpuid(0, a, b, c, d);
	text_of(m->vendor, (unsigned int[]){b, d, c}, 3);
	__cpuid(1, a, b, c, d);
	if (c & (1u << 31)) {
		__cpuid(0x40000000, a, b, c, d);
		text_of(m->hypervisor, (unsigned int[]){b, c, d}, 3);
	}
	strcpy(m->cpu, m->vendor);
	if (__get_cpuid_max(0x80000000, NULL) >= 0x80000007) {
		for (unsigned int i = 0; i < 3; i++)
			__cpuid(0x80000002 + i, r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]);
		text_of(m->cpu, r, 12);
		__cpuid(0x80000007, a, b, c, d);
		if (!(d & CPUID_INVARIANT_TSC) && !*m->hypervisor)
			die("the time stamp counter of this CPU is not invariant: nothing can be "
			    "timed across cores");
	}
}

static void find_cpus(struct machine *m)
{
	cpu_set_t set;

	m->main_cpu = m->other_cpu = -1;
	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity fails: the CPUs of this process are not known");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (m->main_cpu < 0)
			m->main_cpu = cpu;
		else
			m->other_cpu = cpu; /* the last: a sibling of the first is next to it */
	}
	if (m->other_cpu < 0)
		die("one CPU only: lead times and helpers are measured from a second one; run it "
		    "where this process may use two");
}

void machine_open(struct machine *m)
{
	time_t now = time(NULL);
	struct utsname uts;
	struct tm tm;

	memset(m, 0, sizeof(*m));
	identify(m);
	find_cpus(m);
	m->ghz = measure_ghz();
	if (uname(&uts))
		die("uname fails: the kernel is not known");
	snprintf(m->kernel, sizeof(m->kernel), "%.63s", uts.release);
	strftime(m->date, sizeof(m->date), "%Y-%m-%d", gmtime_r(&now, &tm));
}

const char *machine_text(const struct machine *m, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s, Linux %s, TSC %.3f GHz, %s", m->cpu,
		 *m->hypervisor ? " (itself a guest of " : "", m->hypervisor,
		 *m->hypervisor ? ")" : "", m->kernel, m->ghz, m->date);
	return buf;
}

void machine_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %d: a thread cannot be bound to it", cpu);
}
