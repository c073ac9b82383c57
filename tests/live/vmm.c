// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A VMM with a guest whose page faults are known beforehand:
 *
 *	vmm [-c CPU] [-d FILE] [-o FILE] PATTERN [ARGUMENT]...
 *
 * The guest runs at CPL 3 with page tables of its own.  When it is done, one line
 * of JSON says what it did and which exits KVM must have taken for it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/vm.h"
#include "tests/live/patterns.h"
#include "tests/live/words.h"

struct vmm {
	struct vm vm;
	struct vcpu vcpu;
	struct guest guest;
	struct plan plan;
	uint64_t filled; /* pages mapped for the guest's own faults */
	uint64_t accesses;
};

static volatile struct kvm_run *signal_run;
static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
	/* The signal may have come just before KVM_RUN. */
	if (signal_run)
		signal_run->immediate_exit = 1;
}

/* Returns whether the guest goes on. */
static bool on_mmio(struct vmm *v)
{
	switch (vcpu_command(&v->vcpu)) {
	case COMMAND_NONE:
		return true;
	case COMMAND_FLUSH:
		vcpu_reload_cr3(&v->vcpu);
		return true;
	case COMMAND_ZAP:
		vm_set_slot(&v->vm, 0);
		vm_set_slot(&v->vm, v->guest.used);
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

	if (!v->plan.fill || ioctl(v->vcpu.fd, KVM_GET_SREGS, &s) || s.cr2 < DATA_GVA)
		return false;
	entry = guest_entry(&v->guest, s.cr2, 1);
	if (*entry)
		return false;
	*entry = (v->plan.fill + v->filled++ * PAGE) | GPTE_DIRTY;
	memset(&events, 0, sizeof(events));
	if (ioctl(v->vcpu.fd, KVM_GET_VCPU_EVENTS, &events))
		die_errno("KVM_GET_VCPU_EVENTS");
	events.exception.injected = events.exception.pending = 0;
	if (ioctl(v->vcpu.fd, KVM_SET_VCPU_EVENTS, &events) ||
	    ioctl(v->vcpu.fd, KVM_SET_SREGS, &v->vcpu.start))
		die_errno("KVM refuses to go on after a fault of the guest's own");
	return true;
}

static void run(struct vmm *v)
{
	while (!stopped) {
		uint32_t reason = vcpu_run(&v->vcpu);

		if (reason == KVM_EXIT_INTR || (reason == KVM_EXIT_MMIO && on_mmio(v)))
			continue;
		if (reason == KVM_EXIT_MMIO)
			break;
		if (reason == KVM_EXIT_SHUTDOWN && on_shutdown(v))
			continue;
		die("the guest stops at 0x%llx with exit reason %u", vcpu_regs(&v->vcpu).rip,
		    reason);
	}
	/* Whole rounds: the registers of one that was cut off do not say in which entry. */
	for (size_t i = 0; !v->plan.round && i < v->guest.nr_ops; i++)
		v->accesses += v->guest.ops[i].count;
	if (v->plan.round)
		v->accesses = vcpu_regs(&v->vcpu).r8 * v->plan.round;
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
	FILE *f = words_output(name);

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
	words_close(f, name);
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

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die_errno("CPU %u", cpu);
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
			pin((unsigned int)words_number(optarg, 0, CPU_SETSIZE - 1));
		} else if (c == 'd') {
			dump_name = optarg;
		} else if (c == 'o') {
			out = words_output(optarg);
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
		words_bad("no such pattern:", argv[0]);
	words_arguments(argc, argv, pat->nr_args, pat->max, arg);
	pattern_build(pat, arg, &v.guest, &v.plan);
	if (dump_name)
		dump(&v.guest, dump_name);
	vm_open(&v.vm, &v.guest, v.plan.mmu_pages);
	vcpu_open(&v.vcpu, &v.vm, 0, 0);
	signal_run = v.vcpu.run;
	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	alarm(v.plan.seconds);
	run(&v);
	print_result(out, &v, argv);
	words_close(out, "output");
	return 0;
}
