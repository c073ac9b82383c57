// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/die.h"
#include "calibrate/kvm-report.h"
#include "calibrate/lead-report.h"
#include "json-memory.h"
#include "std-files.h"
#include "version.h"

#define RUNS    5u
#define SAMPLES 20000u

struct args {
	const char *out, *name;
	unsigned int runs;
	size_t samples;
	bool lead_only, pagemap;
};

static const char usage_text[] =
	"usage: spht-calibrate [OPTION ...]\n"
	"\n"
	"Measures what page faults cost on this machine and writes a cost profile for\n"
	"spht-replay --costs=FILE.\n"
	"\n"
	"  -o, --output=FILE   write the profile to FILE (default: standard output)\n"
	"  --name=NAME         the profile's name (default: measured)\n"
	"  --runs=N            repetitions, 1 to 64 (default 5)\n"
	"  --samples=N         touches of each kind in a run, for the lead times, 1000 to\n"
	"                      1000000 (default 20000)\n"
	"  --lead              measure lead times only; everything else is copied\n"
	"  --pagemap           lead times: watch entries through /proc/PID/pagemap\n"
	"  --help, --version\n"
	"\n"
	"What was measured goes to standard error.  Exit status: 0 done, 1 it cannot be\n"
	"measured here, 2 usage.\n";

static void bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "spht-calibrate: %s '%s'; see spht-calibrate --help\n", what, value);
	exit(2);
}

static unsigned long number(const char *option, const char *s, unsigned long min, unsigned long max)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || v < min || v > max) {
		fprintf(stderr,
			"spht-calibrate: --%s=%s: expected %lu to %lu; see spht-calibrate --help\n",
			option, s, min, max);
		exit(2);
	}
	return v;
}

static void finish_stdout(void)
{
	if (fflush(stdout) || ferror(stdout))
		die_errno("standard output cannot be written");
	exit(0);
}

static void parse(struct args *a, int argc, char **argv)
{
	enum { NAME = 256, RUNS_, SAMPLES_, LEAD, PAGEMAP, HELP, VERSION };
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
						{"name", required_argument, NULL, NAME},
						{"runs", required_argument, NULL, RUNS_},
						{"samples", required_argument, NULL, SAMPLES_},
						{"lead", no_argument, NULL, LEAD},
						{"pagemap", no_argument, NULL, PAGEMAP},
						{"help", no_argument, NULL, HELP},
						{"version", no_argument, NULL, VERSION},
						{NULL, 0, NULL, 0}};
	int c;

	*a = (struct args){.out = "-", .name = "measured", .runs = RUNS, .samples = SAMPLES};
	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'o') {
			a->out = optarg;
		} else if (c == NAME) {
			a->name = optarg;
		} else if (c == RUNS_) {
			a->runs = (unsigned int)number("runs", optarg, 1, 64);
		} else if (c == SAMPLES_) {
			a->samples = number("samples", optarg, 1000, 1000000);
		} else if (c == LEAD) {
			a->lead_only = true;
		} else if (c == PAGEMAP) {
			a->pagemap = true;
		} else if (c == HELP) {
			fputs(usage_text, stdout);
			finish_stdout();
		} else if (c == VERSION) {
			printf("spht-calibrate %s (%s)\n", SPHT_VERSION, SPHT_GIT_COMMIT);
			finish_stdout();
		} else {
			exit(2);
		}
	}
	if (optind != argc)
		bad_usage("takes options only, not", argv[optind]);
	if (!*a->out)
		bad_usage("--output takes a file name, not", a->out);
	if (!*a->name || strlen(a->name) > 63 || strpbrk(a->name, ",\"\n\r"))
		bad_usage("--name takes 1 to 63 characters without , or \", not", a->name);
}

int main(int argc, char **argv)
{
	char text[256], about[320];
	struct profile *p;
	struct machine m;
	struct args a;

	spht_std_files();
	spht_json_memory("spht-calibrate", 1, NULL);
	parse(&a, argc, argv);
	machine_open(&m);
	machine_text(&m, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	snprintf(about, sizeof(about), "Measured by spht-calibrate %s: %s.", SPHT_VERSION, text);
	p = profile_new(a.name, about);
	/* What takes longest comes last, and what may be refused first. */
	if (!a.lead_only)
		kvm_report(&m, a.runs, stderr, p);
	lead_report(&m, a.runs, a.samples, a.pagemap, stderr, p);
	profile_write(p, a.out);
	profile_free(p);
	return 0;
}
