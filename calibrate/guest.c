// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "calibrate/die.h"
#include "calibrate/guest.h"

/*
 * The guest's code.  rsi: next entry of the script; r8: restarts.  rcx holds what
 * is left of the entry at hand, so that the VMM can say how far an interrupted
 * guest came.
 */
__asm__(".pushsection .rodata\n"
	".globl guest_code_start, guest_code_end\n"
	"guest_code_start:\n"
	"1:	mov	(%rsi), %rax\n"
	"	mov	8(%rsi), %rdi\n"
	"	mov	16(%rsi), %rcx\n"
	"	mov	24(%rsi), %rdx\n"
	"	mov	32(%rsi), %rbx\n"
	"	add	$64, %rsi\n"
	"	cmp	$1, %eax\n"
	"	je	2f\n"
	"	cmp	$2, %eax\n"
	"	je	3f\n"
	"	cmp	$4, %eax\n"
	"	je	4f\n"
	"	cmp	$5, %eax\n"
	"	je	5f\n"
	"	cmp	$6, %eax\n"
	"	je	6f\n"
	"	inc	%r8\n"
	"	mov	%rdi, %rsi\n"
	"	jmp	1b\n"
	"2:	mov	(%rdi), %rax\n"
	"	add	%rdx, %rdi\n"
	"	dec	%rcx\n"
	"	jnz	2b\n"
	"	jmp	1b\n"
	"3:	mov	%rbx, (%rdi)\n"
	"	add	%rdx, %rdi\n"
	"	dec	%rcx\n"
	"	jnz	3b\n"
	"	jmp	1b\n"
	"4:	lfence\n"
	"	rdtsc\n"
	"	shl	$32, %rdx\n"
	"	or	%rdx, %rax\n"
	"	mov	%rax, (%rdi)\n"
	"	jmp	1b\n"
	/* One access, then the step's word: what to tell, what to wait for. */
	"5:	mov	-24(%rsi), %r9\n"
	"	mov	-16(%rsi), %r10\n"
	"	mov	-8(%rsi), %r11\n"
	"50:	mov	(%rdi), %rax\n"
	"	add	%rdx, %rdi\n"
	"	mov	(%rbx), %r12\n"
	"	add	$8, %rbx\n"
	"	test	%r12d, %r12d\n"
	"	jz	51f\n"
	"	mov	%r12d, (%r9)\n"
	"51:	shr	$32, %r12\n"
	"	jz	53f\n"
	"52:	cmp	%r12d, (%r10)\n"
	"	jae	53f\n"
	"	pause\n"
	"	jmp	52b\n"
	"53:	test	%r11, %r11\n"
	"	jz	55f\n"
	"	mov	%rdx, %r13\n"
	"	rdtsc\n"
	"	shl	$32, %rdx\n"
	"	or	%rdx, %rax\n"
	"	lea	(%rax,%r11), %r14\n"
	"54:	rdtsc\n"
	"	shl	$32, %rdx\n"
	"	or	%rdx, %rax\n"
	"	cmp	%r14, %rax\n"
	"	jb	54b\n"
	"	mov	%r13, %rdx\n"
	"55:	dec	%rcx\n"
	"	jnz	50b\n"
	"	jmp	1b\n"
	"6:	cmp	%ebx, (%rdi)\n"
	"	jae	1b\n"
	"	pause\n"
	"	jmp	6b\n"
	"guest_code_end:\n"
	".popsection\n");

extern const char guest_code_start[], guest_code_end[];

_Static_assert(sizeof(struct guest_op) == 64, "the code adds 64");

static void *memory(void *p)
{
	if (p && p != MAP_FAILED)
		return p;
	die("no memory for the guest");
}

uint64_t guest_pages(struct guest *g, uint64_t nr, uint64_t align)
{
	uint64_t gpa = (g->used + align - 1) & ~(align - 1);

	g->used = gpa + nr * PAGE;
	return gpa;
}

static uint64_t new_table(struct guest *g)
{
	g->tables++;
	return guest_pages(g, 1, PAGE);
}

void guest_open(struct guest *g, uint64_t bytes)
{
	uint64_t code;

	memset(g, 0, sizeof(*g));
	g->bytes = bytes;
	g->mem = memory(mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	/* Large host pages would make KVM fill 2 MiB with one fault; not every kernel has them. */
	madvise(g->mem, bytes, MADV_NOHUGEPAGE);
	g->used = PAGE; /* nothing at 0 */
	g->cr3 = new_table(g);
	code = guest_pages(g, 1, PAGE);
	memcpy(g->mem + code, guest_code_start, (size_t)(guest_code_end - guest_code_start));
	guest_map(g, CODE_GVA, code, 1, GPTE_DIRTY);
	guest_map(g, MMIO_GVA, MMIO_GPA, 2, GPTE_DIRTY);
}

uint64_t guest_table(struct guest *g, uint64_t gva, unsigned int level)
{
	uint64_t table = g->cr3;

	for (unsigned int l = 4; l > level; l--) {
		uint64_t *e = (uint64_t *)(g->mem + table) + ((gva >> (3 + 9 * l)) & 511);

		if (!*e)
			*e = new_table(g) | GPTE_DIRTY;
		table = *e & GPTE_ADDR;
	}
	return table;
}

uint64_t *guest_entry(struct guest *g, uint64_t gva, unsigned int level)
{
	return (uint64_t *)(g->mem + guest_table(g, gva, level)) + ((gva >> (3 + 9 * level)) & 511);
}

void guest_map(struct guest *g, uint64_t gva, uint64_t gpa, uint64_t nr, uint64_t bits)
{
	for (uint64_t i = 0; i < nr; i++)
		*guest_entry(g, gva + i * PAGE, 1) = (gpa + i * PAGE) | bits;
}

static void add(struct guest *g, struct guest_op op)
{
	if (g->nr_ops == g->cap_ops) {
		g->cap_ops = g->cap_ops ? 2 * g->cap_ops : 64;
		g->ops = memory(realloc(g->ops, g->cap_ops * sizeof(*g->ops)));
	}
	g->ops[g->nr_ops++] = op;
}

void guest_read(struct guest *g, uint64_t gva, uint64_t count, uint64_t stride)
{
	add(g, (struct guest_op){.kind = OP_READ, .gva = gva, .count = count, .stride = stride});
}

void guest_write(struct guest *g, uint64_t gva, uint64_t count, uint64_t stride, uint64_t value)
{
	add(g, (struct guest_op){OP_WRITE, gva, count, stride, value, 0, 0, 0});
}

void guest_command(struct guest *g, enum guest_command command)
{
	guest_write(g, MMIO_GVA + (COMMAND_GPA - MMIO_GPA), 1, 0, command);
}

void guest_stamp(struct guest *g, uint64_t gva)
{
	add(g, (struct guest_op){.kind = OP_STAMP, .gva = gva});
}

void guest_steps(struct guest *g, uint64_t gva, uint64_t count, uint64_t stride,
		 const struct guest_steps *how)
{
	add(g, (struct guest_op){OP_STEPS, gva, count, stride, how->words, how->mine, how->theirs,
				 how->think});
}

void guest_wait(struct guest *g, uint64_t gva, uint32_t value)
{
	add(g, (struct guest_op){.kind = OP_WAIT, .gva = gva, .value = value});
}

void guest_restart(struct guest *g)
{
	add(g, (struct guest_op){.kind = OP_RESTART, .gva = SCRIPT_GVA});
}

void guest_finish(struct guest *g)
{
	g->script_pages = guest_append_at(g, SCRIPT_GVA, 0);
}

uint64_t guest_append_at(struct guest *g, uint64_t gva, size_t first)
{
	uint64_t bytes, pages, gpa;

	guest_command(g, COMMAND_END);
	bytes = (g->nr_ops - first) * sizeof(*g->ops);
	pages = (bytes + PAGE - 1) / PAGE;
	gpa = guest_pages(g, pages, PAGE);
	memcpy(g->mem + gpa, g->ops + first, bytes);
	guest_map(g, gva, gpa, pages, GPTE_DIRTY);
	return pages;
}

void guest_close(struct guest *g)
{
	munmap(g->mem, g->bytes);
	free(g->ops);
}
