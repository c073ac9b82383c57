/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_ASSEMBLE_RIG_H
#define SPHT_TEST_ASSEMBLE_RIG_H

#include "events.h"

/* An assembler fed by hand, and all it has delivered. */

#define GVA       0x00007f0012345678ull
#define PAGE(i)   (GVA + ((uint64_t)(i) << 12))
#define RIP       0x401000ull
#define LEAF_GFN  0x700u

#define P         SPHT_PF_P
#define W         SPHT_PF_W
#define U         SPHT_PF_U
#define RSVD      SPHT_PF_RSVD
#define FETCH     SPHT_PF_FETCH

#define MAX_EXITS 512
#define MAX_OPS   16

struct seen {
	struct spht_exit x;
	struct spht_op ops[MAX_OPS];
};

/* An assembler and all it has delivered. */
struct rig {
	struct feeder f; /* first: feed() gets a pointer to it */
	unsigned int isa, vcpu;
	size_t n;
	int stop_at; /* fail at this delivery; -1: never */
	struct seen seen[MAX_EXITS];
};

static inline int deliver(void *arg, const struct spht_exit *x, struct spht_error *err)
{
	struct rig *r = arg;
	struct seen *s = &r->seen[r->n];

	if ((int)r->n == r->stop_at) {
		spht_error_set(err, "stopped");
		return -1;
	}
	assert_true(r->n++ < MAX_EXITS && x->nr_ops <= MAX_OPS);
	s->x = *x;
	for (size_t i = 0; i < x->nr_ops; i++)
		s->ops[i] = x->ops[i];
	return 0;
}

static inline struct rig *rig_new(unsigned int isa)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->f.assemble = spht_assemble_open(isa != 0, deliver, r);
	assert_non_null(r->f.assemble);
	r->f.ts = 1000;
	r->f.tick = 10;
	r->f.tid = 100;
	r->isa = isa;
	r->stop_at = -1;
	return r;
}

static inline void rig_free(struct rig *r)
{
	spht_assemble_close(r->f.assemble);
	free(r);
}

static inline const struct spht_assemble_stats *stats(const struct rig *r)
{
	return spht_assemble_stats(r->f.assemble);
}

static inline void finish(struct rig *r)
{
	if (spht_assemble_finish(r->f.assemble, &r->f.err))
		fail_msg("%s", r->f.err.text);
}

static inline void put(struct rig *r, struct spht_event e)
{
	feed(&r->f, e);
}

/* A #PF exit; a reading of CR2 and of the error code as the vendor records them. */
static inline void pf(struct rig *r, uint64_t gva, uint32_t code)
{
	if (r->isa == 2)
		put(r, ev_exit_svm(SVM_PF, code, gva, r->vcpu));
	else if (r->isa == 1)
		put(r, ev_exit_vmx(0, gva, VMX_PF_INTR, code, r->vcpu));
	if (r->isa)
		put(r, ev_page_fault(gva, code));
}

static inline void entry(struct rig *r)
{
	if (r->isa)
		put(r, ev_entry(r->vcpu));
}

/* A walk down to level 1 that ends at @leaf. */
static inline void walk(struct rig *r, uint64_t gva, uint32_t code, uint64_t leaf)
{
	const uint64_t pte[4] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE), leaf};

	put(r, ev_walk(gva, code & ~RSVD));
	feed_elems(&r->f, 4, pte, 4);
}

static inline void request(struct rig *r)
{
	put(r, ev_requested(LEAF_GFN, 1));
}

static inline void set(struct rig *r)
{
	put(r, ev_set(LEAF_GFN, SPTE_W(LEAF_GFN), SPTEP(0x9000, (GVA >> 12) & 511), 1));
}

/* Exits of the classes that are prerequisites elsewhere. */
static inline void guest_fault(struct rig *r, uint64_t gva)
{
	pf(r, gva, U);
	walk(r, gva, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_inject(14, U));
	entry(r);
}

static inline void hidden_fault(struct rig *r, uint64_t gva)
{
	pf(r, gva, U);
	walk(r, gva, U, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	entry(r);
}

static inline void other_exit(struct rig *r)
{
	if (r->isa == 2)
		put(r, ev_exit_svm(SVM_HLT, 0, 0, r->vcpu));
	else
		put(r, ev_exit_vmx(12, 0, 0, 0, r->vcpu));
	entry(r);
}

static inline const struct spht_exit *exit_at(const struct rig *r, size_t i)
{
	assert_true(i < r->n);
	return &r->seen[i].x;
}

static inline void assert_class(const struct rig *r, size_t i, enum spht_class cls)
{
	assert_string_equal(spht_class_name(exit_at(r, i)->cls), spht_class_name(cls));
}

/* The only exit so far, of class @cls, and counted as that and as nothing else. */
static inline void assert_only(struct rig *r, enum spht_class cls)
{
	assert_int_equal(r->n, 1);
	assert_class(r, 0, cls);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_WINDOW);
	assert_true(exit_at(r, 0)->is_pf);
	assert_int_equal(stats(r)->exits_total, 1);
	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++)
		assert_int_equal(stats(r)->by_class[c], c == cls);
}

/* Runs @body on both vendors' exits: the class must not depend on them. */
static inline void on_both(void (*body)(struct rig *r), enum spht_class cls)
{
	for (unsigned int isa = 1; isa <= 2; isa++) {
		struct rig *r = rig_new(isa);

		body(r);
		assert_only(r, cls);
		rig_free(r);
	}
}

#endif
