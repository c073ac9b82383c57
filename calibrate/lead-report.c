// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <string.h>

#include "calibrate/host.h"
#include "calibrate/lead-report.h"

#define MAX_RUNS   64u
#define TRIES      2u /* runs that are tried for each that is wanted */
/* ns for a line that the other CPU has written: another core, and a cache that both have. */
#define LEAST_LINE 20.0
#define MOST_LINE  60.0
#define QUANTILES  101u /* evenly spaced, for the profile */
#define MOST       0.999 /* stands for the last of them */

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
	double line[MAX_RUNS]; /* ns from CPU to CPU, before or after the run */
	unsigned int runs, near; /* done; with CPUs that were near */
	struct density lead, least, most; /* means of those that count */
};

static void add(struct density *sum, const struct density *d, unsigned int runs)
{
	for (unsigned int i = 0; i < STATS_BINS; i++)
		sum->p[i] += d->p[i] / runs;
}

static double line_ns(const struct machine *m)
{
	struct cost c = {.runs = 0};

	host_read_written(m, 1, &c);
	return cost_value(&c);
}

/*
 * A virtual machine's CPUs come to lie near or far from each other as its host likes.
 * Far ones see a new entry so late that a look with it takes as long as one without,
 * which makes leads look short; two threads of one core slow each other down.
 */
static bool is_near(const struct kind *k, unsigned int run)
{
	return k->line[run] >= LEAST_LINE && k->line[run] <= MOST_LINE;
}

static bool counts(const struct kind *k, unsigned int run)
{
	return !k->near || is_near(k, run);
}

static void measure_once(const struct machine *m, enum lead_kind kind, size_t samples, bool pagemap,
			 struct kind *k)
{
	enum poll_method method = kind == LEAD_COW ? POLL_STORE : POLL_LOAD;
	struct lead_result *r = &k->run[k->runs];
	double before = line_ns(m), after;

	if (pagemap || lead_measure(m, kind, method, samples, r))
		lead_measure(m, kind, POLL_PAGEMAP, samples, r);
	after = line_ns(m);
	/* The one that is farther from where it should be. */
	k->line[k->runs] = before < LEAST_LINE || before > after ? before : after;
	if (after < LEAST_LINE)
		k->line[k->runs] = after;
	k->near += is_near(k, k->runs);
	k->runs++;
}

static void measure(const struct machine *m, enum lead_kind kind, unsigned int runs, size_t samples,
		    bool pagemap, struct kind *k)
{
	unsigned int most = TRIES * runs < MAX_RUNS ? TRIES * runs : MAX_RUNS, good;

	memset(k, 0, sizeof(*k));
	while (k->near < runs && k->runs < most)
		measure_once(m, kind, samples, pagemap, k);
	good = k->near ? k->near : k->runs;
	for (unsigned int i = 0; i < k->runs; i++) {
		if (!counts(k, i))
			continue;
		add(&k->lead, &k->run[i].lead, good);
		add(&k->least, &k->run[i].least, good);
		add(&k->most, &k->run[i].most, good);
	}
}

static void print_row(FILE *f, const char *name, const struct density *d)
{
	fprintf(f, "  %-8s", name);
	for (size_t i = 0; i < NR_SHOWN; i++)
		fprintf(f, " %6.0f", density_quantile(d, shown[i]));
	fputc('\n', f);
}

static void print_kind(FILE *f, enum lead_kind kind, const struct kind *k)
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
	for (unsigned int i = 0; i < k->runs; i++)
		fprintf(f,
			"  run %u: median %.0f ns, store known to %.0f ns, fault %.0f ns, %zu "
			"dropped, CPUs %.0f ns apart%s\n",
			i + 1, density_quantile(&r[i].lead, 0.5), r[i].width, r[i].fault,
			r[i].dropped, k->line[i], counts(k, i) ? "" : ": does not count");
	if (!k->near)
		fputs("  NO RUN HAD ITS CPUS NEAR EACH OTHER: leads seem shorter than they are\n",
		      f);
	fputc('\n', f);
}

/* "165 to 180": of the runs that count, and whether these are what they seem. */
static const char *medians(const struct kind *k, char *buf, size_t size)
{
	double v[MAX_RUNS];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < k->runs; i++)
		if (counts(k, i))
			v[nr++] = density_quantile(&k->run[i].lead, 0.5);
	snprintf(buf, size, "%.0f to %.0f%s", stats_quantile(v, nr, 0), stats_quantile(v, nr, 1),
		 k->near ? "" : " (CPUs far apart: more)");
	return buf;
}

static void set_leads(const struct machine *m, const struct kind *kinds, const struct density *mix,
		      struct profile *p)
{
	const struct kind *anon = &kinds[LEAD_ANON];
	char text[256], of[LEAD_KIND_NR][64];
	double q[QUANTILES];

	/* The last of a thousand are noise, and a line is drawn to the last quantile. */
	for (unsigned int i = 0; i < QUANTILES; i++)
		q[i] = density_quantile(mix, i + 1 < QUANTILES ? i / (QUANTILES - 1.0) : MOST);
	for (unsigned int i = 0; i < LEAD_KIND_NR; i++)
		medians(&kinds[i], of[i], sizeof(of[i]));
	profile_set_leads(
		p, q, QUANTILES,
		"measured: this machine's own page faults, store of the entry to first access, "
		"%zu touches of each kind in a run; medians of the runs: anonymous %s ns (%u "
		"runs), copy-on-write %s, fault-around %s (a lone page of a file %s); mixed %.0f "
		": %.0f : %.0f as the error codes of a Kernel Build's guest faults; the last "
		"quantile is that of 99.9 %%; one store is known to %.0f ns (%s); %s",
		anon->run[0].nr, of[LEAD_ANON], anon->near ? anon->near : anon->runs, of[LEAD_COW],
		of[LEAD_AROUND], of[LEAD_FILE], 100 * weights[LEAD_ANON], 100 * weights[LEAD_COW],
		100 * weights[LEAD_AROUND], anon->run[0].width,
		poll_method_names[anon->run[0].method], machine_text(m, text, sizeof(text)));
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
		print_kind(report, i, &kinds[i]);
		fflush(report);
		for (unsigned int b = 0; b < STATS_BINS; b++)
			mix.p[b] += weights[i] * kinds[i].lead.p[b];
	}
	set_leads(m, kinds, &mix, p);
}
