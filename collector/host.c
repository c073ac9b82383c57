// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <x86intrin.h>
#define HAVE_TSC 1
#else
#define HAVE_TSC 0
#endif

#include "host.h"
#include "json.h"
#include "now.h"
#include "sysfile.h"

#define SNAPSHOT_TRIES 16
#define MEASURE_NS     50000000
/* The first processor's part of /proc/cpuinfo, flags and bugs included. */
#define CPUINFO_BYTES  16384

/*
 * First letters of words on the kernel's command line that say how page faults
 * and exits are handled; the rest of it may hold secrets.
 */
static const char *const cmdline_words[] = {
	"mitigations=",
	"kvm.",
	"kvm-",
	"kvm_",
	"hugepages",
	"hugepagesz=",
	"default_hugepagesz=",
	"hugetlb",
	"transparent_hugepage",
	"thp_",
	"pti",
	"nopti",
	"nopcid",
	"noinvpcid",
	"nosmt",
	"nospectre_",
	"spectre_",
	"spec_",
	"retbleed=",
	"l1tf=",
	"mds=",
	"tsx",
	"mmio_stale_data=",
	"gather_data_sampling=",
	"reg_file_data_sampling=",
	"srbds=",
	"no5lvl",
};

static void set(json_t *object, const char *key, json_t *value)
{
	/* Text that is no UTF-8 has no value. */
	if (value)
		json_object_set_new(object, key, value);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	spht_json_text(object, key, text, strlen(text));
}

/* Not before what stands before it, and before what stands behind it. */
static uint64_t read_tsc(void)
{
#if HAVE_TSC
	uint64_t tsc;

	_mm_lfence();
	tsc = __rdtsc();
	_mm_lfence();
	return tsc;
#else
	return 0;
#endif
}

void spht_host_cpuinfo(const char *key, char *buf, size_t size)
{
	char *text = malloc(CPUINFO_BYTES), *line, *next;
	size_t len = strlen(key);

	buf[0] = '\0';
	if (!text)
		return;
	if (spht_sysfile_read(text, CPUINFO_BYTES, "/proc/cpuinfo") > 0) {
		for (line = text; line && *line && *line != '\n'; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = '\0';
			if (strncmp(line, key, len) || line[len + strspn(line + len, " \t")] != ':')
				continue;
			line = strchr(line, ':') + 1;
			snprintf(buf, size, "%s", line + strspn(line, " \t"));
			break;
		}
	}
	free(text);
}

/* "0-3,8"; -1 where it is not of that form. */
static int count_cpus(const char *list)
{
	long first, last, nr = 0;
	char *end;

	while (*list) {
		first = last = strtol(list, &end, 10);
		if (end == list)
			return -1;
		if (*end == '-') {
			list = end + 1;
			last = strtol(list, &end, 10);
			if (end == list)
				return -1;
		}
		if (first < 0 || last < first || last >= 1 << 20 || (*end && *end != ','))
			return -1;
		nr += last - first + 1;
		list = *end ? end + 1 : end;
	}
	return nr > 0 && nr <= 1 << 20 ? (int)nr : -1;
}

static json_t *cpus_online(void)
{
	char text[4096];
	int nr = -1;

	if (spht_sysfile_read(text, sizeof(text), "/sys/devices/system/cpu/online") > 0)
		nr = count_cpus(text);
	return nr > 0 ? json_integer(nr) : NULL;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		if ((p == text || p[-1] == ' ') && (!p[len] || p[len] == ' '))
			return true;
	return false;
}

static void add_cpu(json_t *host)
{
	char text[8192];

	spht_host_cpuinfo("model name", text, sizeof(text));
	set_text(host, "cpu_model", text);
	spht_host_cpuinfo("vendor_id", text, sizeof(text));
	set_text(host, "cpu_vendor", text);
	spht_host_cpuinfo("flags", text, sizeof(text));
	if (*text)
		set(host, "under_hypervisor", json_boolean(has_word(text, "hypervisor")));
	set(host, "cpus", cpus_online());
}

#if HAVE_TSC
/* What the processor or the hypervisor says; 0 where neither does. */
static uint64_t cpuid_tsc_khz(const char **source)
{
	unsigned int a, b, c, d;

	if (__get_cpuid_count(0x15, 0, &a, &b, &c, &d) && a && b && c) {
		*source = "cpuid 0x15";
		return (uint64_t)c * b / a / 1000;
	}
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 31))
		return 0;
	__cpuid(0x40000000, a, b, c, d);
	if (a < 0x40000010 || a > 0x400000ff)
		return 0;
	__cpuid(0x40000010, a, b, c, d);
	*source = "cpuid 0x40000010";
	return a;
}

/* One reading of both, the tightest of some. */
static void tsc_and_raw(uint64_t *tsc, uint64_t *raw)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		uint64_t before = read_tsc(), ns = spht_now(CLOCK_MONOTONIC_RAW),
			 after = read_tsc();

		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*raw = ns;
	}
}

static uint64_t measure_tsc_khz(void)
{
	const struct timespec wait = {.tv_nsec = MEASURE_NS};
	uint64_t tsc[2] = {0}, raw[2] = {0};

	tsc_and_raw(&tsc[0], &raw[0]);
	/* Cut short by a signal it is measured over less. */
	nanosleep(&wait, NULL);
	tsc_and_raw(&tsc[1], &raw[1]);
	if (raw[1] - raw[0] < MEASURE_NS / 10)
		return 0;
	return (uint64_t)((double)(tsc[1] - tsc[0]) * 1e6 / (double)(raw[1] - raw[0]) + 0.5);
}
#endif

static void add_tsc(json_t *host)
{
#if HAVE_TSC
	const char *source = "measured";
	uint64_t khz = cpuid_tsc_khz(&source);

	if (!khz) {
		source = "measured";
		khz = measure_tsc_khz();
	}
	if (!khz)
		return;
	set(host, "tsc_khz", json_integer((json_int_t)khz));
	set_text(host, "tsc_source", source);
#else
	(void)host;
#endif
}

static bool is_wanted(const char *word)
{
	for (size_t i = 0; i < sizeof(cmdline_words) / sizeof(cmdline_words[0]); i++)
		if (!strncmp(word, cmdline_words[i], strlen(cmdline_words[i])))
			return true;
	return false;
}

static void add_cmdline(json_t *host)
{
	char text[8192], out[8192], *save = NULL;
	size_t len = 0;

	if (spht_sysfile_read(text, sizeof(text), "/proc/cmdline") < 0)
		return;
	out[0] = '\0';
	for (char *w = strtok_r(text, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save)) {
		/* What stands behind "--" is init's. */
		if (!strcmp(w, "--"))
			break;
		if (is_wanted(w))
			len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s",
						len ? " " : "", w);
	}
	set(host, "cmdline", json_string(out));
}

/* "always [madvise] never" */
static void add_huge_pages(json_t *host)
{
	char text[256], *open, *close;

	if (spht_sysfile_read(text, sizeof(text), "/sys/kernel/mm/transparent_hugepage/enabled") <
	    0)
		return;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return;
	*close = '\0';
	set_text(host, "transparent_hugepage", open + 1);
}

json_t *spht_host_json(void)
{
	json_t *host = json_object();
	struct utsname u;
	char text[64];

	if (!host)
		return NULL;
	if (!uname(&u)) {
		set_text(host, "kernel", u.release);
		set_text(host, "version", u.version);
		set_text(host, "machine", u.machine);
	}
	add_cpu(host);
	add_tsc(host);
	if (spht_sysfile_read(text, sizeof(text), "/proc/sys/kernel/random/boot_id") > 0)
		set_text(host, "boot_id", text);
	add_huge_pages(host);
	add_cmdline(host);
	return host;
}

json_t *spht_clock_snapshot(void)
{
	uint64_t best = UINT64_MAX, mono = 0, boot = 0, real = 0, tsc = 0;
	json_t *j = json_object();

	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		uint64_t before = spht_now(CLOCK_MONOTONIC), b = spht_now(CLOCK_BOOTTIME);
		uint64_t t = read_tsc(), r = spht_now(CLOCK_REALTIME);
		uint64_t after = spht_now(CLOCK_MONOTONIC);

		if (after - before >= best)
			continue;
		best = after - before;
		mono = before + best / 2;
		boot = b;
		real = r;
		tsc = t;
	}
	if (!j)
		return NULL;
	set(j, "mono", spht_json_hex(mono));
	set(j, "boot", spht_json_hex(boot));
	set(j, "realtime", spht_json_hex(real));
	if (HAVE_TSC)
		set(j, "tsc", spht_json_hex(tsc));
	set(j, "uncertainty_ns", json_integer((json_int_t)best));
	return j;
}
