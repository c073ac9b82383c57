// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "import.h"
#include "message.h"
#include "settings.h"
#include "version.h"

#define DEFAULT_LEVEL 3
#define MAX_LEVEL     22

static const char help[] =
	"usage: spht-record --import=FILE -o OUT [options]\n"
	"\n"
	"Makes a .spht trace of a recording of KVM's shadow-paging events.\n"
	"\n"
	"  --import=FILE      read FILE, a trace.dat of trace-cmd (version 6 or 7, plain or\n"
	"                     zstd, with instances); - is stdin\n"
	"  -o, --output=OUT   write OUT; - is stdout\n"
	"  -f, --force        replace OUT if it exists\n"
	"  --set KEY=VALUE    say what FILE does not: guest.vcpus=1, clock_real=false,\n"
	"                     kvm.prefetch_window=8, host.cpu_model=TEXT, note=TEXT; may be\n"
	"                     given several times\n"
	"  --level=N          zstd level 1 to 22, 3 if not given\n"
	"  -q, --quiet        print nothing but errors and losses\n"
	"  -h, --help         print this\n"
	"  -V, --version      print the version\n"
	"\n"
	"Exit status: 0 done, 1 failed and nothing written, 2 wrong usage, 4 written but\n"
	"events are missing.  Live recording is not part of this version.\n";

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

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

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	/* No SA_RESTART: a blocked read returns and sees that it is to stop. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

static int parse_level(const char *text, int *level)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > MAX_LEVEL)
		return -1;
	*level = (int)n;
	return 0;
}

/* Options of live recording are known by name, so that nobody searches for a typing error. */
enum {
	OPT_IMPORT = 256,
	OPT_SET,
	OPT_LEVEL,
	OPT_LATER,
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
	{"vm", required_argument, NULL, OPT_LATER},
	{"all", no_argument, NULL, OPT_LATER},
	{"profile", required_argument, NULL, OPT_LATER},
	{"duration", required_argument, NULL, OPT_LATER},
	{"size", required_argument, NULL, OPT_LATER},
	{"check", no_argument, NULL, OPT_LATER},
	{NULL, 0, NULL, 0},
};

#define LATER \
	"%s: live recording is not part of this version; record with trace-cmd record -e kvm " \
	"-e kvmmmu, then use --import"

/* 0 to go on, else the exit status; -1 stands for success. */
static int parse(int argc, char **argv, struct spht_import *o, json_t *settings)
{
	struct spht_error err = {""};
	char name[32];
	int c, index = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:o:fqhVa", options, &index)) != -1) {
		switch (c) {
		case OPT_IMPORT:
			if (o->in)
				return usage("%s: given twice; one file is imported at a time",
					     "--import");
			o->in = optarg;
			break;
		case 'o':
			if (o->out)
				return usage("%s: given twice", "--output");
			o->out = optarg;
			break;
		case 'f':
			o->force = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case OPT_SET:
			if (spht_settings_add(settings, optarg, &err))
				return usage("%s", err.text);
			break;
		case OPT_LEVEL:
			if (parse_level(optarg, &o->level))
				return usage("--level=%s: a number from 1 to 22 is expected",
					     optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		case 'V':
			printf("spht-record %s (%s)\n", SPHT_VERSION, SPHT_GIT_COMMIT);
			return -1;
		case OPT_LATER:
			snprintf(name, sizeof(name), "--%s", options[index].name);
			return usage(LATER, name);
		case 'a':
			return usage(LATER, "-a");
		case ':':
			return usage("%s: a value is missing", argv[optind - 1]);
		default:
			return usage("%s: no such option, or it takes no value", argv[optind - 1]);
		}
	}
	if (optind < argc && !strcmp(argv[optind - 1], "--"))
		return usage(LATER, argv[optind]);
	if (optind < argc)
		return usage("%s: what is this for? a file to be imported is named by --import",
			     argv[optind]);
	if (!o->in)
		return usage(LATER, "nothing to import");
	if (!o->out || !*o->out)
		return usage("%s: where the trace goes is missing", "-o OUT");
	if (!strcmp(o->out, "-") && isatty(STDOUT_FILENO))
		return usage("%s: a trace is not for a terminal; name a file", "-o -");
	return 0;
}

/* A trace that got the number of a closed stderr would fill with messages. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct spht_import o = {.level = DEFAULT_LEVEL, .stop = &stop};
	json_t *settings = json_object();
	int status;

	open_standard_files();
	/* jansson writes and reads numbers as the C locale has them. */
	setlocale(LC_ALL, "C");
	if (!settings) {
		spht_message("out of memory");
		return SPHT_FAILED;
	}
	status = parse(argc, argv, &o, settings);
	if (!status) {
		o.settings = settings;
		catch_signals();
		status = spht_import(&o);
		if (stop && status == SPHT_FAILED) {
			spht_message("interrupted, no trace was written");
			status = 128 + (int)stop;
		}
	} else if (status < 0) {
		status = fflush(stdout) || ferror(stdout) ? SPHT_FAILED : SPHT_DONE;
	}
	json_decref(settings);
	return status;
}
