// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "replay/calibrate.h"
#include "replay/report.h"
#include "version.h"

/* METRICS section 9. */
enum { EXIT_OK = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_IDENTITY = 3, EXIT_PARTIAL = 4 };

#define MAX_VM_THREADS 1024
#define MAX_MEMORY_MIB (1u << 20)

struct args {
	struct spht_run_options run;
	const char *csv, *json, *vm, *roi;
	int32_t vm_tids[MAX_VM_THREADS];
	size_t nr_vm;
	struct spht_room room;
	bool partial, explain, timing, quiet;
};

static const char usage_text[] =
	"usage: spht-replay --heuristic=NAME[:KEY=VALUE,...] [OPTION ...] FILE.spht ...\n"
	"\n"
	"Reruns the shadow-fault stream of a recording against a model of KVM's shadow\n"
	"MMU with a helper thread on a second core, and reports the VM exits avoided.\n"
	"\n"
	"  --heuristic=NAME[:KEY=VALUE,...]  what the helper builds; may be repeated\n"
	"  --heuristic=help                  lists heuristics; NAME:help its parameters\n"
	"  --csv=FILE                        one row per recording, heuristic and scale\n"
	"  --json=FILE                       the same with histograms and matrices\n"
	"  -j, --jobs=N                      threads; the result is the same for any N\n"
	"  --knowledge=WORLD                 strict, inferred or optimistic: whose books the\n"
	"                                    row shows (default inferred)\n"
	"  --legality=RULE                   accessed (default) or present: may entries with\n"
	"                                    A=0 be built\n"
	"  --helper-prefetch=0|1             KVM's own prefetch on the helper's builds\n"
	"                                    (default 1)\n"
	"  --prefetch-window=auto|N          KVM's own prefetch: 1, 8, 16, 32 or 64, not less\n"
	"                                    than the recording's (default auto: the same)\n"
	"  --costs=FILE                      cost profile (default: built in)\n"
	"  --guest-time-scale=LIST           factors for guest time where the recording's\n"
	"                                    clock is not real, e.g. 0.333,1,3 (default 1)\n"
	"  --clock=virtual                   simulated second core (the only one yet)\n"
	"  --helpers=N|vcpu                  helper threads that share one queue (default 1),\n"
	"                                    or one with a queue of its own for each vCPU\n"
	"  --curve=latency                   exits avoided against the helper's latency\n"
	"  --kvm=auto|RELEASE                whose rules of prefetch hold: 2.6.32, 5.10, 6.1 or\n"
	"                                    6.12 (default auto: the recording's)\n"
	"  --bypass-guest-pf=0|1             with --kvm=2.6.32: guest faults on synced tables\n"
	"                                    do not exit (default 1)\n"
	"  --rules=LEVEL                     how much of the model counts, for ablation tables:\n"
	"                                    naive, validity, lifetime, prefetch or all (default)\n"
	"  --vm=TID[,TID...]                 vCPU threads of the VM to follow\n"
	"  --roi=MARK..MARK                  count only exits from the first such mark of the\n"
	"                                    guest to the first such one after it: names or\n"
	"                                    numbers, one may be left out (spht-trace info)\n"
	"  --memory=MIB                      of the recording's steps kept in memory; the rest\n"
	"                                    goes to a temporary file in $TMPDIR (default 64)\n"
	"  --partial                         read a damaged file as far as it is whole\n"
	"  --explain                         the fidelity matrices\n"
	"  --timing                          wall and CPU time and peak memory, on stderr\n"
	"  --quiet                           no report\n"
	"  --calibrate[=FILE]                alone: measure this machine, write a cost profile\n"
	"                                    to FILE or stdout (spht-calibrate)\n"
	"  --help, --version\n"
	"\n"
	"FILE '-' is stdin; --csv=- and --json=- write to stdout instead of the report.\n"
	"Exit status: 0 done, 1 input or system failed, 2 usage, 3 an identity does not\n"
	"hold, 4 read incompletely.\n";

__attribute__((format(printf, 1, 2))) static int usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("spht-replay: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see spht-replay --help\n", stderr);
	return EXIT_USAGE;
}

static bool parse_uint(const char *s, unsigned long max, unsigned long *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoul(s, &end, 10);
	return !*end && !errno && *out <= max;
}

static int parse_vm(struct args *a, const char *s)
{
	char *end = (char *)s;

	a->vm = s;
	a->nr_vm = 0;
	do {
		long v = strtol(s, &end, 10);

		if (end == s || v <= 0 || v > INT32_MAX || a->nr_vm == MAX_VM_THREADS ||
		    (*end && *end != ','))
			return usage_error("--vm=%s: expected thread ids, e.g. --vm=1234,1235",
					   a->vm);
		a->vm_tids[a->nr_vm++] = (int32_t)v;
		s = end + 1;
	} while (*end);
	return 0;
}

static int parse_scales(struct args *a, const char *list)
{
	const char *s = list;
	char *end;

	a->run.nr_scales = 0;
	do {
		double v = strtod(s, &end);

		if (end == s || !(v > 0) || v > 1e6 || a->run.nr_scales == SPHT_MAX_SCALES ||
		    (*end && *end != ','))
			return usage_error(
				"--guest-time-scale=%s: expected up to 16 factors > 0, e.g. "
				"0.333,1,3",
				list);
		a->run.scales[a->run.nr_scales++] = v;
		s = end + 1;
	} while (*end);
	return 0;
}

static int parse_heuristic(struct args *a, const char *s)
{
	struct spht_error err;
	int ret = spht_spec_help(s, stdout, &err);

	if (ret > 0)
		exit(fflush(stdout) ? EXIT_INPUT : EXIT_OK);
	if (!ret) {
		if (a->run.nr_specs == SPHT_MAX_SPECS)
			return usage_error("more than %d heuristics in one run", SPHT_MAX_SPECS);
		ret = spht_spec_parse(&a->run.specs[a->run.nr_specs], s, &err);
	}
	if (ret < 0) {
		fprintf(stderr, "spht-replay: --heuristic=%s: %s\n", s, err.text);
		return EXIT_USAGE;
	}
	a->run.nr_specs++;
	return 0;
}

enum {
	OPT_HEURISTIC = 256,
	OPT_CSV,
	OPT_JSON,
	OPT_KNOWLEDGE,
	OPT_LEGALITY,
	OPT_HELPER_PREFETCH,
	OPT_WINDOW,
	OPT_COSTS,
	OPT_SCALE,
	OPT_CLOCK,
	OPT_HELPERS,
	OPT_CURVE,
	OPT_KVM,
	OPT_BYPASS,
	OPT_RULES,
	OPT_VM,
	OPT_PARTIAL,
	OPT_EXPLAIN,
	OPT_TIMING,
	OPT_QUIET,
	OPT_ROI,
	OPT_MEMORY,
	OPT_WARMUP,
	OPT_CALIBRATE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{"heuristic", required_argument, NULL, OPT_HEURISTIC},
	{"csv", required_argument, NULL, OPT_CSV},
	{"json", required_argument, NULL, OPT_JSON},
	{"jobs", required_argument, NULL, 'j'},
	{"knowledge", required_argument, NULL, OPT_KNOWLEDGE},
	{"legality", required_argument, NULL, OPT_LEGALITY},
	{"helper-prefetch", required_argument, NULL, OPT_HELPER_PREFETCH},
	{"prefetch-window", required_argument, NULL, OPT_WINDOW},
	{"costs", required_argument, NULL, OPT_COSTS},
	{"guest-time-scale", required_argument, NULL, OPT_SCALE},
	{"clock", required_argument, NULL, OPT_CLOCK},
	{"helpers", required_argument, NULL, OPT_HELPERS},
	{"curve", required_argument, NULL, OPT_CURVE},
	{"bypass-guest-pf", required_argument, NULL, OPT_BYPASS},
	{"rules", required_argument, NULL, OPT_RULES},
	{"kvm", required_argument, NULL, OPT_KVM},
	{"vm", required_argument, NULL, OPT_VM},
	{"partial", no_argument, NULL, OPT_PARTIAL},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"timing", no_argument, NULL, OPT_TIMING},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"roi", required_argument, NULL, OPT_ROI},
	{"warmup", required_argument, NULL, OPT_WARMUP},
	{"calibrate", optional_argument, NULL, OPT_CALIBRATE},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

/* Options of the model.  Returns 0 or an exit status. */
static int model_option(struct args *a, int opt, const char *arg)
{
	unsigned long v;

	switch (opt) {
	case OPT_KNOWLEDGE:
		for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
			if (strcmp(arg, spht_world_name(w)))
				continue;
			a->run.knowledge = w;
			return 0;
		}
		return usage_error("--knowledge=%s: expected strict, inferred or optimistic", arg);
	case OPT_LEGALITY:
		a->run.legality = SPHT_LEGAL_PRESENT;
		if (!strcmp(arg, "present"))
			return 0;
		a->run.legality = SPHT_LEGAL_ACCESSED;
		if (!strcmp(arg, "accessed"))
			return 0;
		return usage_error("--legality=%s: expected accessed or present", arg);
	case OPT_HELPER_PREFETCH:
		if (!parse_uint(arg, 1, &v))
			return usage_error("--helper-prefetch=%s: expected 0 or 1", arg);
		a->run.helper_prefetch = v;
		return 0;
	case OPT_WINDOW:
		a->run.window = 0;
		if (!strcmp(arg, "auto"))
			return 0;
		if (!parse_uint(arg, 64, &v) || (v != 1 && v != 8 && v != 16 && v != 32 && v != 64))
			return usage_error(
				"--prefetch-window=%s: expected auto, 1, 8, 16, 32 or 64", arg);
		a->run.window = (unsigned int)v;
		return 0;
	case OPT_CLOCK:
		return strcmp(arg, "virtual") ? usage_error("--clock=%s: expected virtual; the "
							    "real one is not there yet",
							    arg)
					      : 0;
	case OPT_HELPERS:
		a->run.helpers = SPHT_HELPERS_PER_VCPU;
		if (!strcmp(arg, "vcpu"))
			return 0;
		if (!parse_uint(arg, 64, &v) || !v)
			return usage_error("--helpers=%s: expected vcpu or 1..64", arg);
		a->run.helpers = (unsigned int)v;
		return 0;
	case OPT_CURVE:
		a->run.curve = true;
		return strcmp(arg, "latency") ? usage_error("--curve=%s: expected latency", arg)
					      : 0;
	case OPT_KVM:
		a->run.kvm = spht_kvm_find(arg);
		return a->run.kvm || !strcmp(arg, "auto")
			       ? 0
			       : usage_error("--kvm=%s: expected auto, %s", arg, spht_kvm_names());
	case OPT_RULES:
		for (v = 0; v < SPHT_RULES_NR; v++)
			if (!strcmp(arg, spht_rules_name(v)))
				break;
		a->run.rules = v;
		return v < SPHT_RULES_NR
			       ? 0
			       : usage_error("--rules=%s: expected naive, validity, lifetime, "
					     "prefetch or all",
					     arg);
	case OPT_BYPASS:
		if (!parse_uint(arg, 1, &v))
			return usage_error("--bypass-guest-pf=%s: expected 0 or 1", arg);
		a->run.bypass_guest_pf = v;
		return 0;
	case OPT_ROI:
		a->roi = arg;
		return spht_roi_valid(arg) ? 0
					   : usage_error("--roi=%.160s: expected MARK..MARK, "
							 "MARK.. or ..MARK",
							 arg);
	default:
		return usage_error("--warmup is not there yet; --roi=MARK.. leaves out what comes "
				   "before a mark");
	}
}

static int one_option(struct args *a, int opt, const char *arg)
{
	struct spht_error err;
	unsigned long v;

	switch (opt) {
	case OPT_HEURISTIC:
		return parse_heuristic(a, arg);
	case OPT_CSV:
		a->csv = arg;
		return 0;
	case OPT_JSON:
		a->json = arg;
		return 0;
	case 'j':
		if (!parse_uint(arg, 1024, &v) || !v)
			return usage_error("-j %s: expected 1..1024", arg);
		a->run.jobs = (unsigned int)v;
		return 0;
	case OPT_MEMORY:
		if (!parse_uint(arg, MAX_MEMORY_MIB, &v))
			return usage_error("--memory=%s: expected MiB, 0 to %u", arg,
					   MAX_MEMORY_MIB);
		a->room.memory = (size_t)v << 20;
		return 0;
	case OPT_COSTS:
		if (!spht_costs_load(&a->run.costs, arg, &err))
			return 0;
		fprintf(stderr, "spht-replay: %s\n", err.text);
		return EXIT_INPUT;
	case OPT_SCALE:
		return parse_scales(a, arg);
	case OPT_VM:
		return parse_vm(a, arg);
	case OPT_PARTIAL:
		a->partial = true;
		return 0;
	case OPT_EXPLAIN:
		a->explain = true;
		return 0;
	case OPT_TIMING:
		a->timing = true;
		return 0;
	case OPT_QUIET:
		a->quiet = true;
		return 0;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(fflush(stdout) ? EXIT_INPUT : EXIT_OK);
	case OPT_VERSION:
		printf("spht-replay %s (%s)\n", SPHT_VERSION, SPHT_GIT_COMMIT);
		exit(fflush(stdout) ? EXIT_INPUT : EXIT_OK);
	case '?':
		fputs("spht-replay: see spht-replay --help\n", stderr);
		return EXIT_USAGE;
	default:
		return model_option(a, opt, arg);
	}
}

/* Are @output and @input one regular file?  A recording must not end as its own table. */
static bool same_file(const char *output, const char *input)
{
	struct stat o, i;

	return output && !stat(output, &o) && !stat(input, &i) && S_ISREG(o.st_mode) &&
	       o.st_dev == i.st_dev && o.st_ino == i.st_ino;
}

static int parse_args(struct args *a, int argc, char **argv)
{
	struct spht_error err;
	int opt, ret;

	memset(a, 0, sizeof(*a));
	a->run.knowledge = SPHT_WORLD_INFERRED;
	a->run.helper_prefetch = true;
	a->run.helpers = 1;
	a->run.rules = SPHT_RULES_ALL;
	a->run.bypass_guest_pf = true;
	a->run.jobs = 1;
	a->room = SPHT_ROOM_DEFAULT;
	a->run.scales[0] = 1;
	a->run.nr_scales = 1;
	if (spht_costs_load(&a->run.costs, "default", &err)) {
		fprintf(stderr, "spht-replay: built-in %s\n", err.text);
		return EXIT_INPUT;
	}
	while ((opt = getopt_long(argc, argv, "j:", options, NULL)) >= 0) {
		if (opt == OPT_CALIBRATE && (argc != 2 || (optarg && !*optarg)))
			return usage_error("--calibrate[=FILE] stands alone");
		if (opt == OPT_CALIBRATE) {
			spht_calibrate(optarg ? optarg : "-");
			return EXIT_INPUT;
		}
		ret = one_option(a, opt, optarg);
		if (ret)
			return ret;
	}
	if (!a->run.nr_specs)
		return usage_error("--heuristic=NAME is missing (try --heuristic=help)");
	if (optind == argc)
		return usage_error("which FILE.spht?");
	if (a->run.kvm && !a->run.kvm->prefetches && a->run.window > 1)
		return usage_error("--kvm=%s did not prefetch: not with --prefetch-window=%u",
				   a->run.kvm->name, a->run.window);
	if (a->run.kvm && !a->run.kvm->prefetches)
		a->run.window = 1;
	if (a->csv && a->json && !strcmp(a->csv, a->json))
		return usage_error("--csv and --json cannot both be %s",
				   strcmp(a->csv, "-") ? a->csv : "stdout");
	if ((a->csv && !*a->csv) || (a->json && !*a->json))
		return usage_error("--csv and --json take a file name");
	for (int i = optind; i < argc; i++)
		if (same_file(a->csv, argv[i]) || same_file(a->json, argv[i]))
			return usage_error("%s would be replaced by its own results", argv[i]);
	return 0;
}

/*
 * An output that appears whole or not at all: written beside its name and
 * renamed; devices and pipes are written as they are.
 */
struct output {
	const char *path;
	char *temp;
	FILE *f;
};

static int output_open(struct output *o, const char *path)
{
	struct stat st;

	o->path = path;
	o->temp = NULL;
	if (!strcmp(path, "-")) {
		o->f = stdout;
		return 0;
	}
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		o->f = fopen(path, "w");
	} else if (asprintf(&o->temp, "%s.part", path) < 0) {
		o->temp = NULL;
		o->f = NULL;
	} else {
		o->f = fopen(o->temp, "w");
	}
	if (o->f)
		return 0;
	fprintf(stderr, "spht-replay: %s: cannot be created: %s\n", path, strerror(errno));
	free(o->temp);
	o->temp = NULL;
	return -1;
}

static int output_close(struct output *o, bool keep)
{
	bool bad;

	if (!o->f)
		return 0;
	bad = fflush(o->f) || ferror(o->f);
	if (o->f != stdout && fclose(o->f))
		bad = true;
	o->f = NULL;
	if (o->temp && (bad || !keep))
		unlink(o->temp);
	else if (o->temp && rename(o->temp, o->path))
		bad = true;
	free(o->temp);
	o->temp = NULL;
	if (bad && keep)
		fprintf(stderr, "spht-replay: %s: cannot be written: %s\n", o->path,
			strerror(errno));
	return bad ? -1 : 0;
}

static void progress(uint64_t events, void *arg)
{
	fprintf(stderr, "\r%s: %.1f M events", (const char *)arg, (double)events / 1e6);
}

static int emit_results(const struct args *a, const struct spht_recording *rec,
			const struct spht_result *res, FILE *csv, bool *csv_started, json_t *json,
			FILE *report)
{
	static struct spht_row row;

	for (unsigned int i = 0; i < a->run.nr_specs * a->run.nr_scales; i++) {
		spht_row_fill(&row, rec, &a->run, &res[i], a->vm ? a->vm : "");
		if (csv && !*csv_started)
			spht_csv_header(csv, &row);
		*csv_started = true;
		if (csv)
			spht_csv_row(csv, &row);
		if (json && json_array_append_new(
				    json, spht_json_row(&row, rec, &res[i], a->run.knowledge)))
			return -1;
		if (report)
			spht_text_result(report, rec, &a->run, &res[i]);
	}
	return 0;
}

static int replay_one(const struct args *a, const char *path, FILE *csv, bool *csv_started,
		      json_t *json, FILE *report)
{
	bool tty = isatty(STDERR_FILENO);
	struct spht_load_options load = {
		.partial = a->partial,
		.window = a->run.window,
		.vm = a->vm_tids,
		.nr_vm = a->nr_vm,
		.roi = a->roi,
		.room = a->room,
		.mock = -1,
		.progress = tty && !a->quiet ? progress : NULL,
		.arg = (void *)path,
	};
	struct spht_recording rec;
	struct spht_result *res = NULL;
	struct spht_error err;
	int ret;

	if (spht_recording_load(&rec, path, &load, &err)) {
		bool named = !strcmp(path, "-") || !strncmp(err.text, path, strlen(path));

		fprintf(stderr, "%sspht-replay: %s%s%s\n", load.progress ? "\r\033[K" : "",
			named ? "" : path, named ? "" : ": ", err.text);
		return EXIT_INPUT;
	}
	if (load.progress)
		fputs("\r\033[K", stderr);
	if (rec.stats.lost_events || rec.stats.lost_unknown)
		fprintf(stderr,
			"spht-replay: %s: THE RECORDING LOST EVENTS (%llu counted, %llu gaps of "
			"unknown "
			"size); results around the gaps are guesses\n",
			path, (unsigned long long)rec.stats.lost_events,
			(unsigned long long)rec.stats.lost_unknown);
	if (*rec.window_said)
		fprintf(stderr,
			"spht-replay: %s: the header's kvm.prefetch_window is %s, not a power of "
			"two "
			"from 1 to 64; not used\n",
			path, rec.window_said);
	if (report) {
		spht_text_recording(report, &rec);
		if (a->explain)
			spht_text_explain(report, &rec);
	}
	ret = spht_run(&rec, &a->run, &res, &err);
	if (ret) {
		fprintf(stderr, "spht-replay: %s: %s\n", path, err.text);
		ret = ret == -3 ? EXIT_IDENTITY : EXIT_INPUT;
	} else if (emit_results(a, &rec, res, csv, csv_started, json, report)) {
		fprintf(stderr, "spht-replay: out of memory\n");
		ret = EXIT_INPUT;
	} else {
		ret = rec.complete ? EXIT_OK : EXIT_PARTIAL;
	}
	free(res);
	spht_recording_close(&rec);
	return ret;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_timing(double start)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	fprintf(stderr, "timing: wall_s=%.3f cpu_s=%.3f maxrss_kb=%ld\n",
		seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID), ru.ru_maxrss);
}

static int replay_all(const struct args *a, int argc, char **argv, struct output *csv,
		      struct output *json)
{
	bool to_stdout = csv->f == stdout || json->f == stdout, csv_started = false;
	FILE *report = a->quiet || to_stdout ? NULL : stdout;
	json_t *rows = json->f ? json_array() : NULL;
	int ret = EXIT_OK;

	for (int i = optind; i < argc && (ret == EXIT_OK || ret == EXIT_PARTIAL); i++) {
		int one = replay_one(a, argv[i], csv->f, &csv_started, rows, report);

		if (one)
			ret = one;
		if (report && i + 1 < argc)
			fputs("\n", report);
	}
	if (rows && (ret == EXIT_OK || ret == EXIT_PARTIAL) &&
	    (json_dumpf(rows, json->f, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 ||
	     fputc('\n', json->f) < 0))
		ret = EXIT_INPUT;
	json_decref(rows);
	if (report && (fflush(report) || ferror(report))) {
		fprintf(stderr, "spht-replay: stdout: cannot be written: %s\n", strerror(errno));
		ret = EXIT_INPUT;
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct output csv = {0}, json = {0};
	double start = seconds(CLOCK_MONOTONIC);
	static struct args a;
	bool keep;
	int ret;

	/* A file that may grow no more is an error that is told, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	ret = parse_args(&a, argc, argv);
	if (ret)
		return ret;
	if ((a.csv && output_open(&csv, a.csv)) || (a.json && output_open(&json, a.json))) {
		output_close(&csv, false);
		return EXIT_INPUT;
	}
	ret = replay_all(&a, argc, argv, &csv, &json);
	/* A failed run leaves no table that could be taken for its result. */
	keep = ret == EXIT_OK || ret == EXIT_PARTIAL;
	if (output_close(&csv, keep))
		ret = EXIT_INPUT;
	if (output_close(&json, keep))
		ret = EXIT_INPUT;
	if (a.timing)
		print_timing(start);
	return ret;
}
