/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_MACHINE_H
#define SPHT_MACHINE_H

#include <stdint.h>
#include <x86intrin.h>

/* This machine: its clock, its CPUs, and what a source says about it. */

struct machine {
	double ghz; /* time stamp counter, cycles per ns */
	int main_cpu, other_cpu; /* two that this process may use */
	char cpu[64]; /* model, as /proc/cpuinfo has it */
	char vendor[16]; /* CPUID's, e.g. AuthenticAMD */
	char hypervisor[16]; /* of a machine that is a guest itself; else empty */
	char kernel[64];
	char date[16]; /* YYYY-MM-DD, UTC */
};

/* Measures the clock (50 ms); dies where there is no steady one or no second CPU. */
void machine_open(struct machine *m);
/* "AMD EPYC (a guest of KVMKVMKVM), Linux 6.18, 2026-11-23"; into @buf. */
const char *machine_text(const struct machine *m, char *buf, size_t size);
/* The calling thread stays on @cpu from now on. */
void machine_pin(int cpu);

static inline double ns_of(const struct machine *m, double cycles)
{
	return cycles / m->ghz;
}

/* All that came before is done, nothing of what follows has begun. */
static inline uint64_t stamp(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

#endif
