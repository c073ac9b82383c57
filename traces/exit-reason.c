// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names of kvm_exit reasons as <asm/svm.h> and <asm/vmx.h> have them; the
 * tool must build where these headers are absent.
 */
#include <stdio.h>

#include "cmd.h"

#define SVM_EXCP_BASE  0x40
#define SVM_LAST_EXCP  0x5f
#define SVM_NPF        0x400
#define VMX_EXCEPTION  0
#define VMX_EPT_FAULT  48
#define VMX_EPT_BROKEN 49
#define INTR_VALID     (1u << 31)
#define VECTOR_PF      14

static const char *const vmx_names[] = {
	[0] = "EXCEPTION_NMI",
	[1] = "EXTERNAL_INTERRUPT",
	[2] = "TRIPLE_FAULT",
	[3] = "INIT_SIGNAL",
	[4] = "SIPI_SIGNAL",
	[6] = "OTHER_SMI",
	[7] = "INTERRUPT_WINDOW",
	[8] = "NMI_WINDOW",
	[9] = "TASK_SWITCH",
	[10] = "CPUID",
	[12] = "HLT",
	[13] = "INVD",
	[14] = "INVLPG",
	[15] = "RDPMC",
	[16] = "RDTSC",
	[18] = "VMCALL",
	[19] = "VMCLEAR",
	[20] = "VMLAUNCH",
	[21] = "VMPTRLD",
	[22] = "VMPTRST",
	[23] = "VMREAD",
	[24] = "VMRESUME",
	[25] = "VMWRITE",
	[26] = "VMOFF",
	[27] = "VMON",
	[28] = "CR_ACCESS",
	[29] = "DR_ACCESS",
	[30] = "IO_INSTRUCTION",
	[31] = "MSR_READ",
	[32] = "MSR_WRITE",
	[33] = "INVALID_STATE",
	[34] = "MSR_LOAD_FAIL",
	[36] = "MWAIT_INSTRUCTION",
	[37] = "MONITOR_TRAP_FLAG",
	[39] = "MONITOR_INSTRUCTION",
	[40] = "PAUSE_INSTRUCTION",
	[41] = "MCE_DURING_VMENTRY",
	[43] = "TPR_BELOW_THRESHOLD",
	[44] = "APIC_ACCESS",
	[45] = "EOI_INDUCED",
	[46] = "GDTR_IDTR",
	[47] = "LDTR_TR",
	[48] = "EPT_VIOLATION",
	[49] = "EPT_MISCONFIG",
	[50] = "INVEPT",
	[51] = "RDTSCP",
	[52] = "PREEMPTION_TIMER",
	[53] = "INVVPID",
	[54] = "WBINVD",
	[55] = "XSETBV",
	[56] = "APIC_WRITE",
	[57] = "RDRAND",
	[58] = "INVPCID",
	[59] = "VMFUNC",
	[60] = "ENCLS",
	[61] = "RDSEED",
	[62] = "PML_FULL",
	[63] = "XSAVES",
	[64] = "XRSTORS",
	[67] = "UMWAIT",
	[68] = "TPAUSE",
	[74] = "BUS_LOCK",
	[75] = "NOTIFY",
	[77] = "TDCALL",
};

static const char *const svm_names[] = {
	[0x00] = "READ_CR0",
	[0x02] = "READ_CR2",
	[0x03] = "READ_CR3",
	[0x04] = "READ_CR4",
	[0x08] = "READ_CR8",
	[0x10] = "WRITE_CR0",
	[0x12] = "WRITE_CR2",
	[0x13] = "WRITE_CR3",
	[0x14] = "WRITE_CR4",
	[0x18] = "WRITE_CR8",
	[0x20] = "READ_DR0",
	[0x21] = "READ_DR1",
	[0x22] = "READ_DR2",
	[0x23] = "READ_DR3",
	[0x24] = "READ_DR4",
	[0x25] = "READ_DR5",
	[0x26] = "READ_DR6",
	[0x27] = "READ_DR7",
	[0x30] = "WRITE_DR0",
	[0x31] = "WRITE_DR1",
	[0x32] = "WRITE_DR2",
	[0x33] = "WRITE_DR3",
	[0x34] = "WRITE_DR4",
	[0x35] = "WRITE_DR5",
	[0x36] = "WRITE_DR6",
	[0x37] = "WRITE_DR7",
	[0x60] = "INTR",
	[0x61] = "NMI",
	[0x62] = "SMI",
	[0x63] = "INIT",
	[0x64] = "VINTR",
	[0x65] = "CR0_SEL_WRITE",
	[0x66] = "IDTR_READ",
	[0x67] = "GDTR_READ",
	[0x68] = "LDTR_READ",
	[0x69] = "TR_READ",
	[0x6a] = "IDTR_WRITE",
	[0x6b] = "GDTR_WRITE",
	[0x6c] = "LDTR_WRITE",
	[0x6d] = "TR_WRITE",
	[0x6e] = "RDTSC",
	[0x6f] = "RDPMC",
	[0x70] = "PUSHF",
	[0x71] = "POPF",
	[0x72] = "CPUID",
	[0x73] = "RSM",
	[0x74] = "IRET",
	[0x75] = "SWINT",
	[0x76] = "INVD",
	[0x77] = "PAUSE",
	[0x78] = "HLT",
	[0x79] = "INVLPG",
	[0x7a] = "INVLPGA",
	[0x7b] = "IOIO",
	[0x7c] = "MSR",
	[0x7d] = "TASK_SWITCH",
	[0x7e] = "FERR_FREEZE",
	[0x7f] = "SHUTDOWN",
	[0x80] = "VMRUN",
	[0x81] = "VMMCALL",
	[0x82] = "VMLOAD",
	[0x83] = "VMSAVE",
	[0x84] = "STGI",
	[0x85] = "CLGI",
	[0x86] = "SKINIT",
	[0x87] = "RDTSCP",
	[0x88] = "ICEBP",
	[0x89] = "WBINVD",
	[0x8a] = "MONITOR",
	[0x8b] = "MWAIT",
	[0x8c] = "MWAIT_COND",
	[0x8d] = "XSETBV",
	[0x8e] = "RDPRU",
	[0x8f] = "EFER_WRITE_TRAP",
	[0x90] = "CR0_WRITE_TRAP",
	[0x91] = "CR1_WRITE_TRAP",
	[0x92] = "CR2_WRITE_TRAP",
	[0x93] = "CR3_WRITE_TRAP",
	[0x94] = "CR4_WRITE_TRAP",
	[0xa0] = "INVLPGB",
	[0xa1] = "INVLPGB_ILLEGAL",
	[0xa2] = "INVPCID",
	[0xa3] = "MCOMMIT",
	[0xa4] = "TLBSYNC",
	[0xa5] = "BUS_LOCK",
	[0xa6] = "IDLE_HLT",
};

/* From 0x400 on. */
static const char *const svm_npf_names[] = {
	"NPF",
	"AVIC_INCOMPLETE_IPI",
	"AVIC_UNACCELERATED_ACCESS",
	"VMGEXIT",
};

static const char *const vector_names[] = {
	[0] = "#DE",  [1] = "#DB",  [2] = "NMI",  [3] = "#BP",  [4] = "#OF",  [5] = "#BR",
	[6] = "#UD",  [7] = "#NM",  [8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS",
	[13] = "#GP", [14] = "#PF", [16] = "#MF", [17] = "#AC", [18] = "#MC", [19] = "#XM",
	[20] = "#VE", [21] = "#CP", [28] = "#HV", [29] = "#VC", [30] = "#SX",
};

#define LOOKUP(table, i) ((i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : NULL)

void cmd_exit_decode(const struct spht_event *ev, struct cmd_exit *e)
{
	uint32_t info = (uint32_t)ev->v[SPHT_EXIT_INTR_INFO];

	e->isa = (uint32_t)ev->v[SPHT_EXIT_ISA];
	e->reason = (uint32_t)ev->v[SPHT_EXIT_REASON];
	e->vector = -1;
	if (e->isa == CMD_ISA_SVM && e->reason >= SVM_EXCP_BASE && e->reason <= SVM_LAST_EXCP)
		e->vector = (int)(e->reason - SVM_EXCP_BASE);
	/* Without intr_info an exception stays nameless. */
	if (e->isa == CMD_ISA_VMX && e->reason == VMX_EXCEPTION && (info & INTR_VALID))
		e->vector = (int)(info & 0xff);
}

const char *cmd_exit_name(const struct cmd_exit *e, char *buf, size_t size)
{
	const char *name = NULL, *vector;

	if (e->vector >= 0) {
		vector = LOOKUP(vector_names, (unsigned int)e->vector);
		snprintf(buf, size, "%s %d (%s)",
			 e->isa == CMD_ISA_SVM ? "EXCEPTION" : "EXCEPTION_NMI", e->vector,
			 vector ? vector : "?");
		return buf;
	}
	if (e->isa == CMD_ISA_VMX)
		/* Bit 31: the entry failed and the guest never ran. */
		name = LOOKUP(vmx_names, e->reason & 0xffff);
	else if (e->isa == CMD_ISA_SVM && e->reason >= SVM_NPF)
		name = LOOKUP(svm_npf_names, e->reason - SVM_NPF);
	else if (e->isa == CMD_ISA_SVM)
		name = LOOKUP(svm_names, e->reason);
	snprintf(buf, size, "%s%s", name ? name : "?",
		 e->isa == CMD_ISA_VMX && (e->reason & INTR_VALID) ? " (entry failed)" : "");
	return buf;
}

bool cmd_exit_is_page_fault(const struct cmd_exit *e)
{
	return e->vector == VECTOR_PF;
}

bool cmd_exit_is_tdp(const struct cmd_exit *e)
{
	return (e->isa == CMD_ISA_SVM && e->reason == SVM_NPF) ||
	       (e->isa == CMD_ISA_VMX &&
		(e->reason == VMX_EPT_FAULT || e->reason == VMX_EPT_BROKEN));
}
