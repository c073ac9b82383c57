// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <unwind.h>

#include "collector/child.h"
#include "collector/import.h"
#include "fuzz.h"
#include "import.h"
#include "traces/cmd.h"

#define MAX_COUNTERS  (1u << 20)
#define MAX_FRAMES    64
#define CHILD_SECONDS 5
#define CHILD_SILENCE 20000 /* ms */

/* What clang counts, and where the functions are that it counts; not there without it. */
extern uint8_t __start___sancov_cntrs[] __attribute__((weak));
extern uint8_t __stop___sancov_cntrs[] __attribute__((weak));
extern const uintptr_t __start___sancov_pcs[] __attribute__((weak));
extern const uintptr_t __stop___sancov_pcs[] __attribute__((weak));
/* Of clang's other way to count, for figures of coverage: the child will not come to exit(). */
int __llvm_profile_write_file(void) __attribute__((weak));
/* Of the sanitizers. */
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));
void __asan_set_error_report_callback(void (*fn)(const char *)) __attribute__((weak));

struct spht_child *__wrap_spht_child_start(int (*fn)(struct spht_pipe *pipe, void *arg), void *arg,
					   int keep_fd, const struct spht_child_limits *limits,
					   const volatile sig_atomic_t *stop,
					   struct spht_error *err);
struct spht_child *__real_spht_child_start(int (*fn)(struct spht_pipe *pipe, void *arg), void *arg,
					   int keep_fd, const struct spht_child_limits *limits,
					   const volatile sig_atomic_t *stop,
					   struct spht_error *err);
int __wrap_spht_child_end(struct spht_child *c, struct spht_error *err);
int __real_spht_child_end(struct spht_child *c, struct spht_error *err);

/* What a child leaves behind. */
struct testament {
	bool own; /* it died in code of the project */
	const char *how;
	char report[8192];
	uint8_t counters[MAX_COUNTERS];
};

static struct testament *testament;

struct task {
	int (*fn)(struct spht_pipe *pipe, void *arg);
	void *arg;
};

static size_t nr_counters(void)
{
	size_t nr = (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);

	return nr < MAX_COUNTERS ? nr : MAX_COUNTERS;
}

struct range {
	uintptr_t from, to;
};

/* Of the program's code, as /proc/self/maps has it. */
static struct range program;

/* Without clang's table all of the program counts, with it what is not the sanitizers'. */
static bool is_own_code(uintptr_t pc)
{
	static uintptr_t first, last;

	if (!last && &__start___sancov_pcs[0] == &__stop___sancov_pcs[0]) {
		first = program.from;
		last = program.to;
	}
	if (last)
		return pc >= first && pc <= last;
	/* Pairs of address and flags, in no order. */
	first = UINTPTR_MAX;
	for (const uintptr_t *p = __start___sancov_pcs; p < __stop___sancov_pcs; p += 2) {
		first = *p < first ? *p : first;
		last = *p > last ? *p : last;
	}
	return pc >= first && pc <= last;
}

static bool is_library(uintptr_t pc);

struct walk {
	bool below; /* the functions here, which were called by whom it is told to, are passed */
	bool own;
};

/* Then the innermost frame that is neither the sanitizers' nor the C library's tells whose fault it is. */
static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	uintptr_t pc = _Unwind_GetIP(context);
	struct walk *w = arg;

	if (!is_own_code(pc) && !is_library(pc))
		w->below = true;
	else if (w->below) {
		w->own = is_own_code(pc);
		return _URC_END_OF_STACK;
	}
	return _URC_NO_REASON;
}

/* Of the libraries that the child is there for. */
static struct range libraries[16];
static size_t nr_libraries;

static bool is_library(uintptr_t pc)
{
	for (size_t i = 0; i < nr_libraries; i++)
		if (pc >= libraries[i].from && pc < libraries[i].to)
			return true;
	return false;
}

static bool is_of_interest(const char *line)
{
	return strstr(line, "/libtrace") || strstr(line, "/libzstd") || strstr(line, "/libz.") ||
	       strstr(line, "/libjansson");
}

static void find_code(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512], self[256] = "";
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	while (f && len > 0 && fgets(line, sizeof(line), f) && nr_libraries < 16) {
		unsigned long from, to;
		char rights[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[2] != 'x')
			continue;
		if (strstr(line, self))
			program = (struct range){from, to};
		else if (is_of_interest(line))
			libraries[nr_libraries++] = (struct range){from, to};
	}
	if (f)
		fclose(f);
	if (!program.to || !nr_libraries)
		fuzz_broken("/proc/self/maps does not say where the program is");
}

static void leave_counters(void)
{
	if (nr_counters())
		memcpy(testament->counters, __start___sancov_cntrs, nr_counters());
	if (__llvm_profile_write_file)
		__llvm_profile_write_file();
}

static void on_report(const char *text)
{
	snprintf(testament->report, sizeof(testament->report), "%s", text);
}

static void judge(const char *how)
{
	struct walk w = {0};

	_Unwind_Backtrace(on_frame, &w);
	testament->own = w.own;
	testament->how = how;
	leave_counters();
}

static void on_death(void)
{
	judge("of what a sanitizer reports");
	_exit(99);
}

static void on_signal(int sig)
{
	judge(sig == SIGPROF ? "because it did not end" : "of a signal");
	_exit(98);
}

static int run_task(struct spht_pipe *pipe, void *arg)
{
	static const int signals[] = {SIGPROF, SIGABRT, SIGFPE, SIGILL, SIGSEGV, SIGBUS};
	/* The last two are the sanitizer's where there is one. */
	const size_t nr = __asan_set_error_report_callback ? 4 : 6;
	const struct itimerval timer = {.it_value = {.tv_sec = CHILD_SECONDS}};
	const struct task *t = arg;
	int ret;

	/* libFuzzer's own handlers would report the parent's input as its finding. */
	for (size_t i = 0; i < nr; i++)
		signal(signals[i], on_signal);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(on_death);
	if (__asan_set_error_report_callback)
		__asan_set_error_report_callback(on_report);
	setitimer(ITIMER_PROF, &timer, NULL);
	if (nr_counters())
		memset(__start___sancov_cntrs, 0, nr_counters());
	ret = t->fn(pipe, t->arg);
	leave_counters();
	return ret;
}

struct spht_child *__wrap_spht_child_start(int (*fn)(struct spht_pipe *pipe, void *arg), void *arg,
					   int keep_fd, const struct spht_child_limits *limits,
					   const volatile sig_atomic_t *stop,
					   struct spht_error *err)
{
	struct spht_child_limits l = *limits;
	struct task t = {fn, arg};

	l.silence_ms = CHILD_SILENCE;
	if (!testament)
		testament = mmap(NULL, sizeof(*testament), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (testament == MAP_FAILED)
		fuzz_broken("no memory for what a child leaves behind");
	if (!nr_libraries)
		find_code();
	testament->own = false;
	testament->how = NULL;
	testament->report[0] = '\0';
	memset(testament->counters, 0, nr_counters());
	return __real_spht_child_start(run_task, &t, keep_fd, &l, stop, err);
}

int __wrap_spht_child_end(struct spht_child *c, struct spht_error *err)
{
	int ret = __real_spht_child_end(c, err);

	for (size_t i = 0; i < nr_counters(); i++) {
		unsigned int sum = __start___sancov_cntrs[i] + testament->counters[i];

		__start___sancov_cntrs[i] = (uint8_t)(sum < 255 ? sum : 255);
	}
	if (testament->own)
		fuzz_broken("the child died %s, in the project's own code\n%s", testament->how,
			    testament->report);
	return ret;
}

/* argv: name, input, output. */
static int import(int argc, char **argv)
{
	static const volatile sig_atomic_t stop;
	json_t *settings = json_object();
	const struct spht_import o = {
		.in = argv[1],
		.out = argv[2],
		.level = 1,
		.settings = settings,
		.stop = &stop,
	};
	int status = spht_import(&o);

	(void)argc;
	json_decref(settings);
	return status;
}

static bool is_file(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

/* Every line is of the program and fit for a terminal. */
static void check_lines(const char *text, bool failed)
{
	unsigned int lines = 0;

	for (const char *end; *text; text = end + 1, lines++) {
		end = strchr(text, '\n');
		if (!end || strncmp(text, "spht-record: ", 13))
			fuzz_broken("a message that is no line: %s", text);
		for (const char *p = text; p < end; p++)
			if ((unsigned char)*p < ' ' || *p == 127)
				fuzz_broken("a message with byte 0x%02x in it: %s", *p, text);
	}
	if (failed && !lines)
		fuzz_broken("the import failed without a word");
}

static const char *folder(void)
{
	static char path[64];
	const char *dir = getenv("TMPDIR");

	if (*path)
		return path;
	snprintf(path, sizeof(path), "%.40s/spht-fuzz.XXXXXX", dir && *dir ? dir : "/tmp");
	if (!mkdtemp(path))
		fuzz_broken("%s: cannot be made", path);
	return path;
}

static void end(void)
{
	rmdir(folder());
}

void fuzz_import(const uint8_t *data, size_t size)
{
	char out[96], part[112];
	int status;

	if (!is_file(folder()))
		fuzz_broken("%s has vanished", folder());
	snprintf(out, sizeof(out), "%s/out.spht", folder());
	snprintf(part, sizeof(part), "%s.part", out);
	status = fuzz_run(import,
			  (const char *const[]){"spht-record", fuzz_file(data, size), out, NULL});
	if (status != SPHT_DONE && status != SPHT_FAILED && status != SPHT_INCOMPLETE)
		fuzz_broken("exit status %d", status);
	check_lines(fuzz_heard(), status == SPHT_FAILED);
	if (is_file(part) || is_file(out) != (status != SPHT_FAILED))
		fuzz_broken("exit status %d, and %s there", status,
			    is_file(out) ? "a file is" : "no file is, or a part of one,");
	if (status == SPHT_FAILED)
		return;
	status =
		fuzz_run(spht_trace_main, (const char *const[]){"spht-trace", "verify", out, NULL});
	if (status != CMD_OK && status != CMD_PARTIAL)
		fuzz_broken("what was imported is damaged: %s", fuzz_heard());
	unlink(out);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	folder();
	atexit(end);
	return 0;
}
