/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_GUEST_CODE_H
#define SPHT_GUEST_CODE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The guest's memory before it runs: page tables, one page of code, a script of
 * loads and stores that the code follows, and frames to touch.  The code runs at
 * CPL 3, takes one script entry after another and needs no stack.
 */

#define PAGE        4096ull
#define LARGE_PAGE  (2ull << 20)
#define GROUP       8u /* entries that KVM fills with one fault: an aligned group */

/* Guest page-table entry bits. */
#define GPTE_P      (1ull << 0)
#define GPTE_W      (1ull << 1)
#define GPTE_U      (1ull << 2)
#define GPTE_A      (1ull << 5)
#define GPTE_D      (1ull << 6)
#define GPTE_PS     (1ull << 7)
#define GPTE_TABLE  (GPTE_P | GPTE_W | GPTE_U | GPTE_A)
#define GPTE_DIRTY  (GPTE_TABLE | GPTE_D)
#define GPTE_ADDR   0x000ffffffffff000ull

/* Where things are: each in 2 MiB, and so under tables, of its own. */
#define CODE_GVA    0x00400000ull /* the only page of its group that is mapped */
#define SCRIPT_GVA  0x10000000ull
#define MMIO_GVA    0x40000000ull
#define ALIAS_GVA   0x80000000ull /* a page table, mapped as data */
#define DATA_GVA    0x100000000ull
#define MMIO_GPA    0xe0000000ull /* in no memory slot: a store to it leaves the guest */
#define COMMAND_GPA (MMIO_GPA + PAGE)

/* What the guest stores to COMMAND_GPA, and what the VMM then does. */
enum guest_command {
	COMMAND_END, /* nothing more */
	COMMAND_FLUSH, /* load CR3 anew */
	COMMAND_ZAP, /* take the memory slot away and give it back */
	COMMAND_NONE, /* of those above */
};

enum guest_op_kind { OP_READ = 1, OP_WRITE, OP_RESTART, OP_STAMP, OP_STEPS, OP_WAIT };

/* As the code reads it. */
struct guest_op {
	uint64_t kind; /* enum guest_op_kind */
	uint64_t gva;
	uint64_t count; /* accesses, 8 bytes each */
	uint64_t stride; /* bytes from one to the next */
	uint64_t value; /* what OP_WRITE stores, OP_WAIT waits for; where OP_STEPS has its words */
	uint64_t mine, theirs, think; /* of OP_STEPS: struct guest_steps */
};

/*
 * How two vCPUs keep step.  After access i of an OP_STEPS the guest looks at word i: the low
 * half, unless 0, is stored to @mine; then, unless the high half is 0, it waits until what
 * @theirs holds is at least that (32 bits, unsigned).
 */
struct guest_steps {
	uint64_t words; /* gva of word 0 */
	uint64_t mine, theirs; /* gvas, 4 bytes each */
	uint64_t think; /* cycles that pass after each access */
};

struct guest {
	uint8_t *mem; /* gpa 0 is mem[0] */
	uint64_t bytes; /* of mem */
	uint64_t used; /* bytes from gpa 0 that are in use */
	uint64_t cr3;
	uint64_t tables; /* pages of page tables */
	struct guest_op *ops;
	size_t nr_ops, cap_ops;
	uint64_t script_pages;
};

/* All functions below end the process with a message when memory is short. */

/* An address space of @bytes of guest memory at most, with the code in it. */
void guest_open(struct guest *g, uint64_t bytes);
/* @nr new pages in a row, all zero; returns their address, a multiple of @align. */
uint64_t guest_pages(struct guest *g, uint64_t nr, uint64_t align);
/* The entry for @gva in the table of @level (1: pages, 2: 2 MiB); makes the tables above. */
uint64_t *guest_entry(struct guest *g, uint64_t gva, unsigned int level);
/* The guest physical address of the table that guest_entry() is in. */
uint64_t guest_table(struct guest *g, uint64_t gva, unsigned int level);
/* Maps @nr pages from @gva on to those from @gpa on, with entries of @bits. */
void guest_map(struct guest *g, uint64_t gva, uint64_t gpa, uint64_t nr, uint64_t bits);

void guest_read(struct guest *g, uint64_t gva, uint64_t count, uint64_t stride);
void guest_write(struct guest *g, uint64_t gva, uint64_t count, uint64_t stride, uint64_t value);
void guest_command(struct guest *g, enum guest_command command);
/* Stores the time stamp counter, when all before is done, to @gva. */
void guest_stamp(struct guest *g, uint64_t gva);
/* Reads; @how keeps step. */
void guest_steps(struct guest *g, uint64_t gva, uint64_t count, uint64_t stride,
		 const struct guest_steps *how);
/* Waits until the 4 bytes at @gva hold @value or more. */
void guest_wait(struct guest *g, uint64_t gva, uint32_t value);
/* From here on the script is as from its beginning; counted in a register. */
void guest_restart(struct guest *g);
/* Gives the memory back. */
void guest_close(struct guest *g);
/* Puts the script into guest memory, with its end.  Nothing can be added to it after that. */
void guest_finish(struct guest *g);
/*
 * A second script, of what was added from entry @first on: to @gva, which vcpu_open() takes as
 * an entry behind SCRIPT_GVA.  Returns how many pages it has.
 */
uint64_t guest_append_at(struct guest *g, uint64_t gva, size_t first);

#endif
