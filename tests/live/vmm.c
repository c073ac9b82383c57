// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A VMM with a guest whose page faults are known beforehand:
 *
 *	vmm [-c CPU] [-d FILE] [-o FILE] PATTERN [ARGUMENT]...
 *
 * The guest runs at CPL 3 with page tables of its own.  When it is done, one line
 * of JSON says what it did and which exits KVM must have taken for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/live/patterns.h"

#define CR0_VALUE  0x80010033ull /* PG, WP, NE, ET, MP, PE */
#define CR3_PWT    (1ull << 3)
#define CR4_PAE    (1ull << 5)
#define EFER_VALUE 0x500ull /* LME, LMA */

struct vmm {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	struct kvm_sregs start; /* as the guest began */
	struct guest guest;
	struct plan plan;
	uint64_t filled; /* pages mapped for the guest's own faults */
	uint64_t accesses;
};

static volatile struct kvm_run *signal_run;
static volatile sig_atomic_t stopped;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fputs("vmm: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
	/* The signal may have come just before KVM_RUN. */
	if (signal_run)
		signal_run->immediate_exit = 1;
}

static void set_slot(struct vmm *v, uint64_t bytes)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)v->guest.mem,
	};

	if (ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &region))
		fail("KVM refuses %" PRIu64 " bytes of guest memory", bytes);
}

static void set_cpuid(struct vmm *v)
{
	enum { MAX = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		fail("CPUID");
	cpuid->nent = MAX;
	if (ioctl(v->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(v->vcpu, KVM_SET_CPUID2, cpuid))
		fail("CPUID");
	free(cpuid);
}

/* Straight into 64-bit user mode: flat segments, paging on, interrupts off. */
static void set_registers(struct vmm *v)
{
	struct kvm_segment code = {.limit = ~0u, .selector = 0x33, .type = 11, .present = 1};
	struct kvm_segment data = {.limit = ~0u, .selector = 0x2b, .type = 3, .present = 1};
	struct kvm_regs regs = {.rip = CODE_GVA, .rflags = 2, .rsi = SCRIPT_GVA};
	struct kvm_sregs *s = &v->start;

	code.dpl = data.dpl = 3;
	code.s = data.s = code.g = data.g = code.l = data.db = 1;
	if (ioctl(v->vcpu, KVM_GET_SREGS, s))
		fail("KVM_GET_SREGS");
	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr.type = 11;
	s->tr.present = 1;
	s->ldt.unusable = 1;
	s->cr0 = CR0_VALUE;
	s->cr3 = v->guest.cr3;
	s->cr4 = CR4_PAE;
	s->efer = EFER_VALUE;
	if (ioctl(v->vcpu, KVM_SET_SREGS, s))
		fail("KVM refuses a guest in user mode");
	if (ioctl(v->vcpu, KVM_SET_REGS, &regs))
		fail("KVM_SET_REGS");
}

static void vmm_open(struct vmm *v)
{
	int size;

	v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v->kvm < 0)
		fail("/dev/kvm");
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	if (v->vm < 0)
		fail("KVM makes no VM");
	/* KVM prefetches only what the host has at hand. */
	if (mlock(v->guest.mem, v->guest.used))
		fail("cannot lock %" PRIu64 " bytes of guest memory", v->guest.used);
	set_slot(v, v->guest.used);
	if (ioctl(v->vm, KVM_SET_NR_MMU_PAGES, v->plan.mmu_pages))
		fail("KVM_SET_NR_MMU_PAGES");
	v->vcpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (v->vcpu < 0 || size < (int)sizeof(*v->run))
		fail("KVM makes no vCPU");
	v->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
	if (v->run == MAP_FAILED)
		fail("KVM_RUN's page");
	set_cpuid(v);
	set_registers(v);
	signal_run = v->run;
}

/* Another CR3 value for the same table: KVM gets the root anew and syncs what it maps. */
static void flush(struct vmm *v)
{
	struct kvm_sregs s;

	if (ioctl(v->vcpu, KVM_GET_SREGS, &s))
		fail("KVM_GET_SREGS");
	s.cr3 ^= CR3_PWT;
	if (ioctl(v->vcpu, KVM_SET_SREGS, &s))
		fail("KVM_SET_SREGS");
}

/* Returns whether the guest goes on. */
static bool on_mmio(struct vmm *v)
{
	uint64_t command;

	if (v->run->mmio.phys_addr != COMMAND_GPA)
		return true;
	memcpy(&command, v->run->mmio.data, sizeof(command));
	switch (command) {
	case COMMAND_FLUSH:
		flush(v);
		return true;
	case COMMAND_ZAP:
		set_slot(v, 0);
		set_slot(v, v->guest.used);
		return true;
	default:
		return false;
	}
}

/*
 * The guest has no handler, so its own fault shuts it down, with the registers
 * still at the access that faulted.  Returns whether it can go on.
 */
static bool on_shutdown(struct vmm *v)
{
	struct kvm_vcpu_events events;
	struct kvm_sregs s;
	uint64_t *entry;

	if (!v->plan.fill || ioctl(v->vcpu, KVM_GET_SREGS, &s) || s.cr2 < DATA_GVA)
		return false;
	entry = guest_entry(&v->guest, s.cr2, 1);
	if (*entry)
		return false;
	*entry = (v->plan.fill + v->filled++ * PAGE) | GPTE_DIRTY;
	memset(&events, 0, sizeof(events));
	if (ioctl(v->vcpu, KVM_GET_VCPU_EVENTS, &events))
		fail("KVM_GET_VCPU_EVENTS");
	events.exception.injected = events.exception.pending = 0;
	if (ioctl(v->vcpu, KVM_SET_VCPU_EVENTS, &events) ||
	    ioctl(v->vcpu, KVM_SET_SREGS, &v->start))
		fail("KVM refuses to go on after a fault of the guest's own");
	return true;
}

static void run(struct vmm *v)
{
	struct kvm_regs regs;

	while (!stopped) {
		if (ioctl(v->vcpu, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			fail("KVM_RUN");
		}
		if (v->run->exit_reason == KVM_EXIT_MMIO && on_mmio(v))
			continue;
		if (v->run->exit_reason == KVM_EXIT_MMIO)
			break;
		if (v->run->exit_reason == KVM_EXIT_SHUTDOWN && on_shutdown(v))
			continue;
		if (ioctl(v->vcpu, KVM_GET_REGS, &regs))
			fail("KVM_GET_REGS");
		errno = EIO;
		fail("the guest stops at 0x%llx with exit reason %u", regs.rip,
		     v->run->exit_reason);
	}
	if (ioctl(v->vcpu, KVM_GET_REGS, &regs))
		fail("KVM_GET_REGS");
	/* Whole rounds: the registers of one that was cut off do not say in which entry. */
	for (size_t i = 0; !v->plan.round && i < v->guest.nr_ops; i++)
		v->accesses += v->guest.ops[i].count;
	if (v->plan.round)
		v->accesses = regs.r8 * v->plan.round;
}

static void print_result(FILE *f, const struct vmm *v, char **argv)
{
	const struct plan *p = &v->plan;
	uint64_t pf = 0;

	fputs("{\"pattern\":\"", f);
	for (unsigned int i = 0; argv[i]; i++)
		fprintf(f, "%s%s", i ? " " : "", argv[i]);
	fprintf(f, "\",\"pid\":%d,\"accesses\":%" PRIu64 ",\"page_tables\":%" PRIu64, (int)getpid(),
		v->accesses, v->guest.tables);
	fprintf(f,
		",\"memslots\":[{\"slot\":0,\"gpa\":0,\"size\":%" PRIu64 ",\"hva\":%" PRIu64 "}]",
		v->guest.used, (uint64_t)(uintptr_t)v->guest.mem);
	if (!p->round) {
		fputs(",\"expect\":{", f);
		for (unsigned int i = 0; i < EXPECT_NR; i++) {
			fprintf(f, "\"%s\":%" PRIu64 ",", expected_names[i], p->expect[i]);
			if (i < EXPECT_REFAULT)
				pf += p->expect[i];
		}
		fprintf(f, "\"exits_pf\":%" PRIu64 "}", pf);
	}
	fputs("}\n", f);
}

static void dump_table(FILE *f, const struct guest *g, uint64_t gpa, unsigned int level)
{
	const uint64_t *e = (const uint64_t *)(g->mem + gpa);

	for (unsigned int i = 0; i < 512; i++)
		if (e[i])
			fprintf(f, "entry 0x%" PRIx64 " %u %u 0x%" PRIx64 "\n", gpa >> 12, level, i,
				e[i]);
	for (unsigned int i = 0; level > 1 && i < 512; i++)
		if (e[i] && !(e[i] & GPTE_PS))
			dump_table(f, g, e[i] & GPTE_ADDR, level - 1);
}

/* The guest before it runs: its memory, its page tables and what it is going to do. */
static void dump(const struct guest *g, const char *name)
{
	FILE *f = fopen(name, "w");

	if (!f)
		fail("%s", name);
	fprintf(f,
		"# slot GPA SIZE HVA; cr3 GPA; entry TABLE_GFN LEVEL INDEX VALUE;\n"
		"# read|write GVA COUNT STRIDE VALUE; restart\n"
		"slot 0x0 0x%" PRIx64 " 0x%" PRIx64 "\ncr3 0x%" PRIx64 "\n",
		g->used, (uint64_t)(uintptr_t)g->mem, g->cr3);
	dump_table(f, g, g->cr3, 4);
	for (size_t i = 0; i < g->nr_ops; i++) {
		const struct guest_op *op = &g->ops[i];

		if (op->kind == OP_RESTART)
			fputs("restart\n", f);
		else
			fprintf(f, "%s 0x%" PRIx64 " %" PRIu64 " %" PRIu64 " 0x%" PRIx64 "\n",
				op->kind == OP_READ ? "read" : "write", op->gva, op->count,
				op->stride, op->value);
	}
	if (fclose(f))
		fail("%s", name);
}

static void usage(FILE *f)
{
	fputs("usage: vmm [-c CPU] [-d FILE] [-o FILE] PATTERN [ARGUMENT]...\n"
	      "\n"
	      "Runs a guest whose page faults are known and prints, as JSON, which exits\n"
	      "KVM must take for them under shadow paging.\n"
	      "\n"
	      "  -c CPU    stay on this CPU\n"
	      "  -d FILE   write the guest's memory slot, page tables and accesses to FILE\n"
	      "  -o FILE   print to FILE\n"
	      "\n",
	      f);
	for (const struct pattern *pat = patterns; pat->name; pat++)
		fprintf(f, "  %-10s %-8s %s\n", pat->name, pat->args, pat->help);
}

static void bad_usage(const char *what, const char *which)
{
	fprintf(stderr, "vmm: %s '%s'; vmm --help says more\n", what, which);
	exit(2);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || n < min || n > max)
		bad_usage("not a number, or out of range:", text);
	return n;
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("CPU %u", cpu);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const struct pattern *pat;
	const char *dump_name = NULL;
	FILE *out = stdout;
	struct sigaction act = {.sa_handler = on_signal};
	static struct vmm v;
	uint64_t arg[2] = {0, 0};
	int c;

	while ((c = getopt_long(argc, argv, "+c:d:o:h", options, NULL)) != -1) {
		if (c == 'c') {
			pin((unsigned int)number(optarg, 0, CPU_SETSIZE - 1));
		} else if (c == 'd') {
			dump_name = optarg;
		} else if (c == 'o') {
			out = fopen(optarg, "w");
			if (!out)
				fail("%s", optarg);
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	argv += optind;
	argc -= optind;
	if (!argc) {
		usage(stderr);
		return 2;
	}
	pat = pattern_find(argv[0]);
	if (!pat)
		bad_usage("no such pattern:", argv[0]);
	if ((unsigned int)argc != pat->nr_args + 1)
		bad_usage("wrong number of arguments for", argv[0]);
	for (unsigned int i = 0; i < pat->nr_args; i++)
		arg[i] = number(argv[i + 1], 1, pat->max[i]);
	pattern_build(pat, arg, &v.guest, &v.plan);
	if (dump_name)
		dump(&v.guest, dump_name);
	vmm_open(&v);
	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	alarm(v.plan.seconds);
	run(&v);
	print_result(out, &v, argv);
	if (fclose(out))
		fail("output");
	return 0;
}
