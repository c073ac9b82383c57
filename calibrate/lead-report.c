// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <string.h>

#include "calibrate/lead-report.h"

#define MAX_RUNS    64u
#define NEARLY_BEST 1.25
#define QUANTILES   101u /* evenly spaced, for the profile */

/*
 * The kinds among the guest's own faults of a Kernel Build, Linux 6.1 guest, by the error
 * code that KVM injects (traces/samples/kbuild-w8-1vcpu.spht, 97,659 of them): not
 * present and a write 70 %, present 9 %, not present and a read or fetch 21 %.  Reads are
 * taken as fault-around, since sources and compiler are in the guest's page cache.
 */
static const double weights[LEAD_KIND_NR] = {
	[LEAD_ANON] = 0.70,
	[LEAD_COW] = 0.09,
	[LEAD_FILE] = 0,
	[LEAD_AROUND] = 0.21,
};

static const double shown[] = {0, .01, .05, .1, .25, .5, .75, .9, .95, .99, .999, 1};

#define NR_SHOWN (sizeof(shown) / sizeof(*shown))

/* All runs of one kind. */
struct kind {
	struct lead_result run[MAX_RUNS];
	double width; /* least of the runs */
	unsigned int good; /* runs that count */
	struct density lead, least, most; /* means of those */
};

static void add(struct density *sum, const struct density *d, unsigned int runs)
{
	for (unsigned int i = 0; i < STATS_BINS; i++)
		sum->p[i] += d->p[i] / runs;
}

/*
 * A virtual machine's CPUs come to lie near or far from each other as its host likes, and
 * far ones see entries late.  A run counts if it knew the stores as well as the best one.
 */
static bool counts(const struct kind *k, unsigned int run)
{
	return k->run[run].width <= NEARLY_BEST * k->width;
}

static void measure(const struct machine *m, enum lead_kind kind, unsigned int runs, size_t samples,
		    bool pagemap, struct kind *k)
{
	enum poll_method method = kind == LEAD_COW ? POLL_STORE : POLL_LOAD;

	memset(k, 0, sizeof(*k));
	for (unsigned int i = 0; i < runs; i++) {
		struct lead_result *r = &k->run[i];

		if (pagemap || lead_measure(m, kind, method, samples, r))
			lead_measure(m, kind, POLL_PAGEMAP, samples, r);
		if (!i || r->width < k->width)
			k->width = r->width;
	}
	for (unsigned int i = 0; i < runs; i++)
		k->good += counts(k, i);
	for (unsigned int i = 0; i < runs; i++) {
		if (!counts(k, i))
			continue;
		add(&k->lead, &k->run[i].lead, k->good);
		add(&k->least, &k->run[i].least, k->good);
		add(&k->most, &k->run[i].most, k->good);
	}
}

static void print_row(FILE *f, const char *name, const struct density *d)
{
	fprintf(f, "  %-8s", name);
	for (size_t i = 0; i < NR_SHOWN; i++)
		fprintf(f, " %6.0f", density_quantile(d, shown[i]));
	fputc('\n', f);
}

static void print_kind(FILE *f, enum lead_kind kind, const struct kind *k, unsigned int runs)
{
	const struct lead_result *r = k->run;

	fprintf(f, "%s: %zu touches in each run, %s, one look in %.0f ns\n  ns at   ",
		lead_kind_names[kind], r->nr, poll_method_names[r->method], r->period);
	for (size_t i = 0; i < NR_SHOWN; i++)
		fprintf(f, " %5.1f%%", 100 * shown[i]);
	fputc('\n', f);
	print_row(f, "likely", &k->lead);
	print_row(f, "least", &k->least);
	print_row(f, "most", &k->most);
	for (unsigned int i = 0; i < runs; i++)
		fprintf(f,
			"  run %u: median %.0f ns, store known to %.0f ns, fault %.0f ns, %zu "
			"dropped%s\n",
			i + 1, density_quantile(&r[i].lead, 0.5), r[i].width, r[i].fault,
			r[i].dropped, counts(k, i) ? "" : "; DOES NOT COUNT");
	fputc('\n', f);
}

/* "165 to 180": of the runs that count. */
static const char *medians(const struct kind *k, unsigned int runs, char *buf, size_t size)
{
	double v[MAX_RUNS];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < runs; i++)
		if (counts(k, i))
			v[nr++] = density_quantile(&k->run[i].lead, 0.5);
	snprintf(buf, size, "%.0f to %.0f", stats_quantile(v, nr, 0), stats_quantile(v, nr, 1));
	return buf;
}

static void set_leads(const struct machine *m, const struct kind *kinds, const struct density *mix,
		      unsigned int runs, struct profile *p)
{
	double q[QUANTILES];
	char text[256], of[LEAD_KIND_NR][32];

	for (unsigned int i = 0; i < QUANTILES; i++)
		q[i] = density_quantile(mix, (double)i / (QUANTILES - 1));
	for (unsigned int i = 0; i < LEAD_KIND_NR; i++)
		medians(&kinds[i], runs, of[i], sizeof(of[i]));
	profile_set_leads(
		p, q, QUANTILES,
		"measured: this machine's own page faults, store of the entry to first access, %u "
		"runs of %zu touches of each kind; medians of the runs: anonymous %s, "
		"copy-on-write "
		"%s, fault-around %s ns (a lone page of a file %s); mixed %.0f : %.0f : %.0f as "
		"the error codes of a Kernel Build's guest faults; an anonymous page's store is "
		"known to %.0f ns (%s; %u runs count); %s",
		runs, kinds[LEAD_ANON].run[0].nr, of[LEAD_ANON], of[LEAD_COW], of[LEAD_AROUND],
		of[LEAD_FILE], 100 * weights[LEAD_ANON], 100 * weights[LEAD_COW],
		100 * weights[LEAD_AROUND], kinds[LEAD_ANON].width,
		poll_method_names[kinds[LEAD_ANON].run[0].method], kinds[LEAD_ANON].good,
		machine_text(m, text, sizeof(text)));
}

void lead_report(const struct machine *m, unsigned int runs, size_t samples, bool pagemap,
		 FILE *report, struct profile *p)
{
	static struct kind kinds[LEAD_KIND_NR];
	static struct density mix;

	if (runs > MAX_RUNS)
		runs = MAX_RUNS;
	memset(&mix, 0, sizeof(mix));
	fprintf(report, "\nlead times; the clocks of the two CPUs seem to differ by %.0f ns\n\n",
		fabs(ns_of(m, lead_clock_offset(m))));
	for (unsigned int i = 0; i < LEAD_KIND_NR; i++) {
		measure(m, i, runs, samples, pagemap, &kinds[i]);
		print_kind(report, i, &kinds[i], runs);
		fflush(report);
		for (unsigned int b = 0; b < STATS_BINS; b++)
			mix.p[b] += weights[i] * kinds[i].lead.p[b];
	}
	set_leads(m, kinds, &mix, runs, p);
}
