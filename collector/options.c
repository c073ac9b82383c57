// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "options.h"
#include "settings.h"
#include "version.h"

/* Columns leave zstd little to gain; a recorder should be quick. */
#define IMPORT_LEVEL      3
#define LIVE_LEVEL        1
#define MAX_LEVEL         22
#define DEFAULT_BUFFER    (32ull << 20)
#define MIN_BUFFER        4096
#define MAX_BUFFER        (64ull << 30)
#define DEFAULT_MARK_PORT 0x5f0
#define MAX_DURATION      1e9 /* seconds */
#define MAX_EVENTS        100

static const char help[] =
	"usage: spht-record [OPTION...] -o OUT -- COMMAND [ARGUMENT...]\n"
	"       spht-record [OPTION...] -o OUT --vm=PID | -a\n"
	"       spht-record --import=FILE -o OUT [OPTION...]\n"
	"       spht-record --check\n"
	"\n"
	"Records KVM's shadow-paging events into a .spht trace, or makes one of another\n"
	"tool's recording.\n"
	"\n"
	"  -o, --output=OUT   write OUT; - is stdout\n"
	"  -f, --force        replace OUT if it exists\n"
	"  --set KEY=VALUE    say what nobody else knows: guest.vcpus=1, clock_real=false,\n"
	"                     kvm.prefetch_window=8, marks.names.0x1=boot, note=TEXT; may be\n"
	"                     given several times\n"
	"  --level=N          zstd level 1 to 22; 1 for a recording, 3 for an import if not given\n"
	"  -q, --quiet        print nothing but errors and losses\n"
	"  -h, --help         print this\n"
	"  -V, --version      print the version\n"
	"\n"
	"Recording (needs root and tracefs):\n"
	"  -- COMMAND         record the VM that COMMAND runs, from its start to its end; its\n"
	"                     output goes to stderr where stdout is for -o - or --stats\n"
	"  --vm=PID           record the VM of process PID, which runs already\n"
	"  -a, --all          record every VM; with COMMAND until it ends\n"
	"  --profile=NAME     which events: minimal, shadow (if not given) or full\n"
	"  -e, --event=EVENT  one more, SYSTEM:EVENT or SYSTEM:*; may be given several times\n"
	"  --duration=S       end after S seconds; COMMAND gets SIGTERM\n"
	"  --size=BYTES       end when OUT has about BYTES (K, M, G)\n"
	"  --buffer=BYTES     trace buffer of each CPU, 32M if not given\n"
	"  --clock=NAME       mono (if not given) or x86-tsc\n"
	"  --snap[=WHAT]      page tables of the guest, too, by eBPF: tables, where KVM makes,\n"
	"                     syncs or releases a shadow page of them; or walks, also where it\n"
	"                     walks through them\n"
	"  --mark-port=PORT   I/O port whose writes by the guest are marks, 0x5f0 if not given\n"
	"  --stats=json       print what was recorded on stdout, as JSON\n"
	"  --check            is this host recordable, and if not, what to change\n"
	"\n"
	"Import:\n"
	"  --import=FILE      read FILE, a trace.dat of trace-cmd or a perf.data; - is stdin\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 4 written but events are missing;\n"
	"of --check: 0 recordable, 1 not, 5 recordable but KVM does not shadow.\n";

enum {
	OPT_IMPORT = 256,
	OPT_SET,
	OPT_LEVEL,
	OPT_CHECK,
	OPT_LIVE, /* those from here on belong to recording alone */
	OPT_VM,
	OPT_PROFILE,
	OPT_DURATION,
	OPT_SIZE,
	OPT_BUFFER,
	OPT_CLOCK,
	OPT_MARK_PORT,
	OPT_STATS,
	OPT_SNAP,
};

static const struct option options[] = {
	{"import", required_argument, NULL, OPT_IMPORT},
	{"output", required_argument, NULL, 'o'},
	{"force", no_argument, NULL, 'f'},
	{"set", required_argument, NULL, OPT_SET},
	{"level", required_argument, NULL, OPT_LEVEL},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"check", no_argument, NULL, OPT_CHECK},
	{"vm", required_argument, NULL, OPT_VM},
	{"all", no_argument, NULL, 'a'},
	{"profile", required_argument, NULL, OPT_PROFILE},
	{"event", required_argument, NULL, 'e'},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"size", required_argument, NULL, OPT_SIZE},
	{"buffer", required_argument, NULL, OPT_BUFFER},
	{"clock", required_argument, NULL, OPT_CLOCK},
	{"mark-port", required_argument, NULL, OPT_MARK_PORT},
	{"stats", required_argument, NULL, OPT_STATS},
	{"snap", optional_argument, NULL, OPT_SNAP},
	{NULL, 0, NULL, 0},
};

/* What the options said, before it is known what they are for. */
struct parse {
	struct spht_options *o;
	const char *out, *in;
	bool force, quiet, check;
	int level; /* 0: not given */
	unsigned int nr_events;
	const char *live_only; /* an option that makes no sense with --import */
};

__attribute__((format(printf, 1, 2))) static int usage(const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spht_message("%s", text);
	spht_message("spht-record --help tells what can be said");
	return SPHT_USAGE;
}

static int parse_number(const char *text, int base, unsigned long long max, unsigned long long *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, base);
	return errno || end == text || *end || strchr(text, '-') || *n > max ? -1 : 0;
}

/* "8M"; K, M and G are powers of 1024. */
static int parse_bytes(const char *text, uint64_t min, uint64_t max, uint64_t *bytes)
{
	static const char units[] = "KMG";
	unsigned long long n;
	const char *unit;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || strchr(text, '-'))
		return -1;
	unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		return -1;
	for (; unit && unit >= units; unit--) {
		if (n > max / 1024)
			return -1;
		n *= 1024;
	}
	*bytes = n;
	return n < min || n > max ? -1 : 0;
}

static int parse_seconds(const char *text, uint64_t *ns)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(text, &end);
	if (errno || end == text || *end || !isfinite(s) || s <= 0 || s > MAX_DURATION)
		return -1;
	*ns = (uint64_t)(s * 1e9) + 1;
	return 0;
}

static int no_memory(void)
{
	spht_message("out of memory");
	return SPHT_FAILED;
}

static int add_event(struct parse *p, const char *text)
{
	const char **events;

	if (p->nr_events == MAX_EVENTS)
		return usage("-e %s: at most %d can be given", text, MAX_EVENTS);
	events = realloc(p->o->events, (p->nr_events + 2) * sizeof(*events));
	if (!events)
		return no_memory();
	p->o->events = events;
	events[p->nr_events++] = text;
	events[p->nr_events] = NULL;
	return 0;
}

static int parse_live(struct parse *p, int c, const char *arg)
{
	struct spht_live *l = &p->o->live;
	unsigned long long n;
	int profile;

	switch (c) {
	case 'a':
		l->all = true;
		return 0;
	case 'e':
		return add_event(p, arg);
	case OPT_VM:
		if (parse_number(arg, 10, INT32_MAX, &n) || !n)
			return usage("--vm=%s: the number of a process is expected", arg);
		l->vm = (pid_t)n;
		return 0;
	case OPT_PROFILE:
		profile = spht_profile_find(arg);
		if (profile < 0)
			return usage("--profile=%s: minimal, shadow or full is expected", arg);
		l->profile = (enum spht_profile)profile;
		return 0;
	case OPT_DURATION:
		if (parse_seconds(arg, &l->duration_ns))
			return usage("--duration=%s: seconds above 0 are expected", arg);
		return 0;
	case OPT_SIZE:
		if (parse_bytes(arg, 1, UINT64_MAX / 2, &l->size))
			return usage("--size=%s: bytes above 0 are expected, as 100M", arg);
		return 0;
	case OPT_BUFFER:
		if (parse_bytes(arg, MIN_BUFFER, MAX_BUFFER, &l->buffer))
			return usage("--buffer=%s: 4K to 64G are expected", arg);
		return 0;
	case OPT_CLOCK:
		if (strcmp(arg, "mono") && strcmp(arg, "x86-tsc"))
			return usage("--clock=%s: mono or x86-tsc is expected", arg);
		l->clock = arg;
		return 0;
	case OPT_MARK_PORT:
		if (parse_number(arg, 0, 0xffff, &n))
			return usage("--mark-port=%s: 0 to 0xffff is expected", arg);
		l->mark_port = (unsigned int)n;
		return 0;
	case OPT_SNAP:
		l->snap = arg ? spht_snap_level(arg) : SPHT_SNAP_WALKS;
		return l->snap ? 0 : usage("--snap=%s: tables or walks is expected", arg);
	default: /* OPT_STATS */
		if (strcmp(arg, "json"))
			return usage("--stats=%s: json is all that is known", arg);
		l->stats_json = true;
		return 0;
	}
}

static int parse_option(struct parse *p, int c, const char *arg)
{
	struct spht_error err = {""};
	unsigned long long n;

	switch (c) {
	case OPT_IMPORT:
		if (p->in)
			return usage("%s: given twice; one file is imported at a time", "--import");
		p->in = arg;
		return 0;
	case 'o':
		if (p->out)
			return usage("%s: given twice", "--output");
		p->out = arg;
		return 0;
	case 'f':
		p->force = true;
		return 0;
	case 'q':
		p->quiet = true;
		return 0;
	case OPT_CHECK:
		p->check = true;
		return 0;
	case OPT_SET:
		return spht_settings_add(p->o->settings, arg, &err) ? usage("%s", err.text) : 0;
	default: /* OPT_LEVEL */
		if (parse_number(arg, 10, MAX_LEVEL, &n) || !n)
			return usage("--level=%s: a number from 1 to 22 is expected", arg);
		p->level = (int)n;
		return 0;
	}
}

/* 0 to go on, -1 when nothing is left to do, else the exit status. */
static int parse_all(struct parse *p, int argc, char **argv)
{
	int c, rc = 0;

	opterr = 0;
	while (!rc && (c = getopt_long(argc, argv, "+:o:fqhVae:", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(help, stdout);
			return -1;
		case 'V':
			printf("spht-record %s (%s)\n", SPHT_VERSION, SPHT_GIT_COMMIT);
			return -1;
		case ':':
			return usage("%s: a value is missing", argv[optind - 1]);
		case '?':
			return usage("%s: no such option, or it takes no value", argv[optind - 1]);
		default:
			if (c == 'a' || c == 'e' || c > OPT_LIVE) {
				p->live_only = argv[optind - 1];
				rc = parse_live(p, c, optarg);
			} else {
				rc = parse_option(p, c, optarg);
			}
		}
	}
	return rc;
}

static int check_output(const struct parse *p)
{
	if (!p->out || !*p->out)
		return usage("%s: where the trace goes is missing", "-o OUT");
	if (!strcmp(p->out, "-") && isatty(STDOUT_FILENO))
		return usage("%s: a trace is not for a terminal; name a file", "-o -");
	return 0;
}

static int choose_import(struct parse *p)
{
	struct spht_import *i = &p->o->import;

	if (p->live_only)
		return usage("%s: belongs to recording, not to --import", p->live_only);
	if (p->check)
		return usage("--check: stands alone");
	p->o->mode = SPHT_MODE_IMPORT;
	i->in = p->in;
	i->out = p->out;
	i->force = p->force;
	i->quiet = p->quiet;
	i->level = p->level ? p->level : IMPORT_LEVEL;
	i->settings = p->o->settings;
	return check_output(p);
}

static int choose_live(struct parse *p)
{
	struct spht_live *l = &p->o->live;

	if (!l->command && !l->vm && !l->all)
		return usage("what is to be recorded? -- COMMAND, --vm=PID or -a");
	if (l->vm && (l->command || l->all))
		return usage("--vm: with %s there would be two things to record",
			     l->command ? "a command" : "-a");
	if (l->snap && l->all)
		return usage("--snap: page tables of one VM are told apart, with -a there may be "
			     "several");
	if (l->snap && strcmp(l->clock, "mono"))
		return usage("--snap: has the clock mono, events of --clock=%s would have another",
			     l->clock);
	p->o->mode = SPHT_MODE_LIVE;
	l->out = p->out;
	l->force = p->force;
	l->quiet = p->quiet;
	l->level = p->level ? p->level : LIVE_LEVEL;
	l->settings = p->o->settings;
	l->events = p->o->events;
	if (json_object_get(json_object_get(l->settings, "marks"), "port"))
		return usage("--set marks.port: the port that is recorded is chosen by "
			     "--mark-port");
	if (l->stats_json && p->out && !strcmp(p->out, "-"))
		return usage("--stats=json: stdout is for the trace already");
	return check_output(p);
}

static int choose(struct parse *p, int argc, char **argv)
{
	bool command = optind < argc && !strcmp(argv[optind - 1], "--");

	if (optind < argc && !command)
		return usage("%s: what is this for? a file to be imported is named by --import, a "
			     "command comes after --",
			     argv[optind]);
	if (command) {
		p->o->live.command = argv + optind;
		p->live_only = "--";
	}
	if (p->in)
		return choose_import(p);
	if (!p->check)
		return choose_live(p);
	if (p->live_only || p->out)
		return usage("--check: stands alone");
	p->o->mode = SPHT_MODE_CHECK;
	return 0;
}

int spht_options_parse(struct spht_options *o, int argc, char **argv,
		       const volatile sig_atomic_t *stop)
{
	struct parse p = {.o = o};
	int rc;

	*o = (struct spht_options){
		.import.stop = stop,
		.live =
			{
				.stop = stop,
				.profile = SPHT_PROFILE_SHADOW,
				.clock = "mono",
				.buffer = DEFAULT_BUFFER,
				.mark_port = DEFAULT_MARK_PORT,
			},
	};
	o->settings = json_object();
	if (!o->settings)
		return no_memory();
	rc = parse_all(&p, argc, argv);
	if (rc < 0)
		return 0;
	return rc ? rc : choose(&p, argc, argv);
}

void spht_options_close(struct spht_options *o)
{
	json_decref(o->settings);
	free(o->events);
}
