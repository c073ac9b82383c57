// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/cpus.h"

/* One line of a file below cpuN/topology.  -1: it cannot be read. */
static int read_line(const char *sysfs, int cpu, const char *name, char *line, size_t size)
{
	char path[512];
	int ret, saved;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/cpu%d/topology/%s", sysfs, cpu, name) >=
	    (int)sizeof(path))
		return -1;
	f = fopen(path, "r");
	if (!f)
		return -1;
	errno = 0;
	ret = fgets(line, (int)size, f) ? 0 : -1;
	saved = errno;
	fclose(f);
	errno = saved;
	return ret;
}

static int read_number(const char *sysfs, int cpu, const char *name, long *value)
{
	char line[64], *end;

	if (read_line(sysfs, cpu, name, line, sizeof(line)))
		return -1;
	errno = 0;
	*value = strtol(line, &end, 10);
	return end == line || (*end && *end != '\n') || errno ? -1 : 0;
}

/* A list like "0-3,8,10-11".  -1: it is none. */
static int parse_list(const char *text, cpu_set_t *set)
{
	const char *s = text;
	char *end;

	CPU_ZERO(set);
	do {
		unsigned long from, to;

		if (*s < '0' || *s > '9')
			return -1;
		from = to = strtoul(s, &end, 10);
		if (*end == '-') {
			if (end[1] < '0' || end[1] > '9')
				return -1;
			to = strtoul(end + 1, &end, 10);
		}
		if (from > to || to >= CPU_SETSIZE)
			return -1;
		for (; from <= to; from++)
			CPU_SET(from, set);
		s = end + 1;
	} while (*end == ',');
	return *end && *end != '\n' ? -1 : 0;
}

/* What sysfs says of one CPU. */
struct place {
	long package, core;
	cpu_set_t siblings;
};

static int find_place(const char *sysfs, int cpu, struct place *p, struct spht_error *err)
{
	char line[4096];

	errno = 0;
	if (read_number(sysfs, cpu, "physical_package_id", &p->package) ||
	    read_number(sysfs, cpu, "core_id", &p->core) ||
	    read_line(sysfs, cpu, "thread_siblings_list", line, sizeof(line)) ||
	    parse_list(line, &p->siblings)) {
		spht_error_set(err,
			       "%s/cpu%d/topology: package, core or siblings of the CPU cannot be "
			       "read (%s): --clock=real cannot tell cores apart",
			       sysfs, cpu, errno ? strerror(errno) : "unknown form");
		return -1;
	}
	return 0;
}

/* Two ways of telling, and either is enough: on some machines one of them says nothing. */
static bool are_siblings(const struct place *p, const struct place *q, int cpu)
{
	return CPU_ISSET(cpu, &p->siblings) || (p->package == q->package && p->core == q->core);
}

/* How good the pair is: 0 not allowed, then siblings, two packages, two cores of one. */
static int rank(const struct place *p, const struct place *q, int cpu, bool smt)
{
	if (are_siblings(p, q, cpu))
		return smt ? 1 : 0;
	return p->package == q->package ? 3 : 2;
}

/* The first CPU handles most interrupts: the last ones are taken, the helper before the vCPU. */
static int choose_best(struct spht_cpus *cpus, const char *sysfs, const cpu_set_t *allowed,
		       bool smt, struct spht_error *err)
{
	int best = 0, seen = 0;
	struct place p, q;

	for (int a = CPU_SETSIZE - 1; a >= 0; a--) {
		if (!CPU_ISSET(a, allowed))
			continue;
		seen++;
		if (find_place(sysfs, a, &p, err))
			return -1;
		for (int b = a - 1; b >= 0 && best < 3; b--) {
			int r;

			if (!CPU_ISSET(b, allowed))
				continue;
			if (find_place(sysfs, b, &q, err))
				return -1;
			r = rank(&p, &q, b, smt);
			if (r > best) {
				best = r;
				*cpus = (struct spht_cpus){a, b, r == 1};
			}
		}
	}
	if (best)
		return 0;
	if (seen < 2)
		spht_error_set(err, "--clock=real needs two cores, and this process may use %s",
			       seen ? "only one CPU" : "no CPU");
	else
		spht_error_set(err,
			       "--clock=real needs two cores, and the %d CPUs that this process "
			       "may use are threads of one; --smt takes them all the same",
			       seen);
	return -1;
}

int spht_cpus_choose(struct spht_cpus *cpus, const char *sysfs, const cpu_set_t *allowed,
		     const int *asked, bool smt, struct spht_error *err)
{
	struct place p, q;

	if (!asked)
		return choose_best(cpus, sysfs, allowed, smt, err);
	for (int i = 0; i < 2; i++) {
		if (CPU_ISSET(asked[i], allowed))
			continue;
		spht_error_set(err, "--cpus=%d,%d: CPU %d is not there, or not for this process",
			       asked[0], asked[1], asked[i]);
		return -1;
	}
	if (find_place(sysfs, asked[0], &p, err) || find_place(sysfs, asked[1], &q, err))
		return -1;
	*cpus = (struct spht_cpus){asked[0], asked[1], are_siblings(&p, &q, asked[1])};
	if (!cpus->siblings || smt)
		return 0;
	spht_error_set(err, "--cpus=%d,%d are threads of one core; --smt takes them all the same",
		       asked[0], asked[1]);
	return -1;
}

int spht_cpus_allowed(cpu_set_t *set, struct spht_error *err)
{
	if (!sched_getaffinity(0, sizeof(*set), set))
		return 0;
	spht_error_set(err, "--clock=real: the CPUs of this process cannot be told: %s",
		       strerror(errno));
	return -1;
}

int spht_cpus_parse(const char *text, int asked[2])
{
	const char *s = text;
	char *end;

	for (int i = 0; i < 2; i++) {
		unsigned long v;

		if (*s < '0' || *s > '9')
			return -1;
		v = strtoul(s, &end, 10);
		if (v >= CPU_SETSIZE || *end != (i ? '\0' : ','))
			return -1;
		asked[i] = (int)v;
		s = end + 1;
	}
	return asked[0] == asked[1] ? -1 : 0;
}
