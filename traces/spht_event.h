/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_EVENT_H
#define SPHT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The tracepoints that spht knows by name (KVM's arch/x86/kvm/trace.h,
 * arch/x86/kvm/mmu/mmutrace.h and include/trace/events/kvm.h).  The numbers
 * live in memory only: a file names its events, see spht_event_type.
 */
enum spht_event_id {
	SPHT_EV_UNKNOWN = 0, /* a tracepoint without a row in events.c; kept, never interpreted */
	SPHT_EV_LOST, /* made by the reader: v[0] events lost on this CPU, ~0 = unknown */
	SPHT_EV_ENTRY,
	SPHT_EV_EXIT,
	SPHT_EV_PAGE_FAULT,
	SPHT_EV_INJ_EXCEPTION,
	SPHT_EV_INJ_VIRQ,
	SPHT_EV_CR,
	SPHT_EV_EMULATE_INSN,
	SPHT_EV_MMIO,
	SPHT_EV_VCPU_MATCH_MMIO,
	SPHT_EV_PIO,
	SPHT_EV_INVLPGA,
	SPHT_EV_HYPERCALL,
	SPHT_EV_USERSPACE_EXIT,
	SPHT_EV_UNMAP_HVA_RANGE,
	SPHT_EV_AGE_HVA,
	SPHT_EV_TEST_AGE_HVA,
	SPHT_EV_AGE_PAGE,
	SPHT_EV_SET_SPTE_HVA,
	SPHT_EV_TRY_ASYNC_GET_PAGE,
	SPHT_EV_ASYNC_PF_REPEATED_FAULT,
	SPHT_EV_ASYNC_PF_DOUBLEFAULT,
	SPHT_EV_ASYNC_PF_NOT_PRESENT,
	SPHT_EV_ASYNC_PF_READY,
	SPHT_EV_ASYNC_PF_COMPLETED,
	SPHT_EV_MSR,
	SPHT_EV_PV_TLB_FLUSH,
	SPHT_EV_VCPU_WAKEUP,
	SPHT_EV_PAGETABLE_WALK,
	SPHT_EV_PAGING_ELEMENT,
	SPHT_EV_SET_ACCESSED_BIT,
	SPHT_EV_SET_DIRTY_BIT,
	SPHT_EV_WALKER_ERROR,
	SPHT_EV_GET_PAGE,
	SPHT_EV_SYNC_PAGE,
	SPHT_EV_UNSYNC_PAGE,
	SPHT_EV_PREPARE_ZAP_PAGE,
	SPHT_EV_SET_SPTE,
	SPHT_EV_SPTE_REQUESTED,
	SPHT_EV_MARK_MMIO_SPTE,
	SPHT_EV_HANDLE_MMIO_PAGE_FAULT,
	SPHT_EV_CHECK_MMIO_SPTE,
	SPHT_EV_FAST_PAGE_FAULT,
	SPHT_EV_ZAP_ALL_FAST,
	SPHT_EV_TDP_SPTE_CHANGED,
	SPHT_EV_SPLIT_HUGE_PAGE,
	SPHT_EV_SNAP, /* the recorder's own, as the next one */
	SPHT_EV_SNAP_ENTRY,
	SPHT_EV_NR
};

#define SPHT_EVENT_SLOTS 16 /* 64-bit words of payload in one event */

/*
 * Slots in spht_event.v[] of the fields that the replayer reads.  A recording
 * kernel that lacks a field leaves the slot 0 and spht_event_type.have clear.
 */
enum {
	SPHT_ENTRY_VCPU,
	SPHT_ENTRY_RIP,
	SPHT_ENTRY_IMMEDIATE,
	SPHT_ENTRY_INTR_INFO,
	SPHT_ENTRY_ERROR_CODE
};
enum {
	SPHT_EXIT_REASON,
	SPHT_EXIT_RIP,
	SPHT_EXIT_ISA,
	SPHT_EXIT_INFO1,
	SPHT_EXIT_INFO2,
	SPHT_EXIT_INTR_INFO,
	SPHT_EXIT_ERROR_CODE,
	SPHT_EXIT_VCPU,
	SPHT_EXIT_REQUESTS
};
enum { SPHT_PF_VCPU, SPHT_PF_RIP, SPHT_PF_ADDRESS, SPHT_PF_ERROR_CODE };
enum { SPHT_INJ_EXCEPTION, SPHT_INJ_HAS_ERROR, SPHT_INJ_ERROR_CODE, SPHT_INJ_REINJECTED };
enum { SPHT_CR_RW, SPHT_CR_CR, SPHT_CR_VAL };
enum {
	SPHT_EMUL_RIP,
	SPHT_EMUL_CSBASE,
	SPHT_EMUL_LEN,
	SPHT_EMUL_INSN0,
	SPHT_EMUL_INSN1,
	SPHT_EMUL_FLAGS,
	SPHT_EMUL_FAILED
}; /* INSN0/1: bytes 0-7 and 8-14, little endian */
enum { SPHT_MMIO_TYPE, SPHT_MMIO_LEN, SPHT_MMIO_GPA, SPHT_MMIO_VAL };
enum { SPHT_PIO_RW, SPHT_PIO_PORT, SPHT_PIO_SIZE, SPHT_PIO_COUNT, SPHT_PIO_VAL };
enum { SPHT_UEXIT_REASON, SPHT_UEXIT_ERRNO };
enum { SPHT_UNMAP_START, SPHT_UNMAP_END };
enum { SPHT_WALK_ADDR, SPHT_WALK_PFERR };
enum { SPHT_ELEM_PTE, SPHT_ELEM_LEVEL };
enum { SPHT_SETBIT_GPA };
enum { SPHT_WERR_PFERR };
/* get_page, sync_page, unsync_page, prepare_zap_page */
enum {
	SPHT_SP_GEN,
	SPHT_SP_GFN,
	SPHT_SP_ROLE,
	SPHT_SP_ROOT_COUNT,
	SPHT_SP_UNSYNC,
	SPHT_SP_CREATED
};
enum {
	SPHT_SET_GFN,
	SPHT_SET_SPTE,
	SPHT_SET_SPTEP,
	SPHT_SET_LEVEL,
	SPHT_SET_R,
	SPHT_SET_X,
	SPHT_SET_U
};
enum { SPHT_REQ_GFN, SPHT_REQ_PFN, SPHT_REQ_LEVEL, SPHT_REQ_ACCESS };
enum { SPHT_ZAPALL_GEN, SPHT_ZAPALL_USED };
/*
 * A page table of the guest as it was: `snap` says which and when, and is followed by
 * v[SPHT_SNAP_ENTRIES] events `snap_entry` of the same thread and time.
 */
enum { SPHT_SNAP_GFN, SPHT_SNAP_ROLE, SPHT_SNAP_KIND, SPHT_SNAP_FLAGS, SPHT_SNAP_ENTRIES };
enum { SPHT_SNAP_ENTRY_GFN, SPHT_SNAP_ENTRY_INDEX, SPHT_SNAP_ENTRY_VALUE };
/* Why it was taken: v[SPHT_SNAP_KIND]. */
enum spht_snap_kind {
	SPHT_SNAP_CREATED, /* a shadow page was made for it */
	SPHT_SNAP_FOUND, /* an unsync shadow page of it was found */
	SPHT_SNAP_SYNC,
	SPHT_SNAP_UNSYNC,
	SPHT_SNAP_WALK, /* a walk goes through it, of level 1; the role is 0 */
	SPHT_SNAP_KINDS
};
enum {
	SPHT_SNAP_FULL =
		1, /* entries that do not follow are 0; else as the last snapshot had them */
	SPHT_SNAP_UNREADABLE = 2, /* from here on the content is not known; no entries */
};

/* One event, fields as recorded (zero- or sign-extended), never interpreted. */
struct spht_event {
	uint64_t ts; /* ns on the recording's clock */
	int32_t pid; /* common_pid: the thread that emitted it */
	uint16_t cpu;
	uint8_t id; /* enum spht_event_id */
	uint8_t type; /* index into the file's event types */
	uint8_t flags; /* common_flags */
	uint8_t preempt; /* common_preempt_count */
	bool preamble; /* kept by `cut` from before its window: state, counts in nothing */
	uint64_t v[SPHT_EVENT_SLOTS];
};

/* One stored field of an event type. */
struct spht_event_field {
	const char *name; /* as in the tracepoint's format file */
	uint8_t slot; /* first word in spht_event.v[] */
	uint8_t nwords; /* 1; more for byte arrays, 8 bytes a word, little endian */
	uint8_t size; /* bytes in the recording */
	bool is_signed;
	bool is_array; /* bytes, not a number */
};

/* One event type of a file.  Owned by the reader or writer that returned it. */
struct spht_event_type {
	const char *system; /* "kvm" or "kvmmmu" */
	const char *name;
	enum spht_event_id id;
	uint32_t have; /* bit s: slot s is stored */
	unsigned int nr_fields;
	const struct spht_event_field *fields;
};

/* Known event by system and name; SPHT_EV_UNKNOWN where there is none. */
enum spht_event_id spht_event_find(const char *system, const char *name);
/* Canonical name of a known event ("kvm_exit"), "?" for others.  Static storage. */
const char *spht_event_name(enum spht_event_id id);
/* Canonical slot of a field of a known event, -1 where the field has none. */
int spht_event_slot(enum spht_event_id id, const char *field);
/*
 * Gives every field its slots: canonical ones first, then the next free ones
 * in order.  Fills slot and nwords from name, size and is_array; nwords 0 says
 * that the field cannot be stored (numbers up to 8 bytes, arrays up to 64, 16
 * slots in all).  Returns how many fields got slots and their bits in @have
 * (may be NULL).  Files are written and read with this layout and no other.
 */
unsigned int spht_event_layout(enum spht_event_id id, struct spht_event_field *fields,
			       unsigned int nr, uint32_t *have);

#endif
