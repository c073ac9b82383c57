/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ROLE_H
#define SPHT_ROLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * Layout of union kvm_mmu_page_role (arch/x86/include/asm/kvm_host.h), which
 * changes between kernels; the traced role is the raw word (KVM_MODEL 1.4).
 * Only the fields that name a shadow page's place are decoded.
 */
struct spht_role_layout {
	const char *kernels; /* "5.10", "6.1-6.18", ... */
	uint8_t level_shift; /* 4 bits */
	uint8_t direct_bit;
	uint8_t access_shift, access_bits;
	uint8_t invalid_bit;
	uint8_t acc_x, acc_w, acc_u; /* values inside the access field */
	uint8_t guest_mode_bit; /* 0 = none */
};

/*
 * The layout of the kernel release @release ("6.1.0-56-amd64").  NULL with
 * @err set where no layout is known: a guessed one would split or merge
 * shadow pages without a sign.
 */
const struct spht_role_layout *spht_role_layout(const char *release, struct spht_error *err);

/*
 * The layout that the recorder took from the kernel's own description, the header's
 * "kvm"."role": [{"name", "offset", "bits"}, ...] in bits of the word.  0, or -1
 * with @err set when a field lies outside the 32 bits or on another one, a field that
 * is needed is missing, or one has a width whose meaning is not known.
 */
int spht_role_from_json(const json_t *fields, struct spht_role_layout *layout,
			struct spht_error *err);

static inline unsigned int spht_role_level(const struct spht_role_layout *l, uint32_t role)
{
	return (role >> l->level_shift) & 15;
}

/* A shadow page of a nested guest's EPT or NPT? */
static inline bool spht_role_nested(const struct spht_role_layout *l, uint32_t role)
{
	return l->guest_mode_bit && (role >> l->guest_mode_bit & 1);
}

static inline bool spht_role_direct(const struct spht_role_layout *l, uint32_t role)
{
	return role >> l->direct_bit & 1;
}

static inline unsigned int spht_role_access(const struct spht_role_layout *l, uint32_t role)
{
	return role >> l->access_shift & ((1u << l->access_bits) - 1);
}

/* @role without what changes over a shadow page's life. */
static inline uint32_t spht_role_identity(const struct spht_role_layout *l, uint32_t role)
{
	return role & ~(1u << l->invalid_bit);
}

/* Access that the present entry @pte grants (NX counts: EFER.NX is forced under shadow paging). */
static inline unsigned int spht_pte_access(const struct spht_role_layout *l, uint64_t pte)
{
	unsigned int r = l->access_bits == 4 ? 1 : 0; /* 7.2 has a read bit of its own */

	return r | (pte & (1ull << 63) ? 0 : l->acc_x) | (pte & 2 ? l->acc_w : 0) |
	       (pte & 4 ? l->acc_u : 0);
}

/* Role of the child at @level below a page of role @root (kvm_mmu_child_role). */
static inline uint32_t spht_role_child(const struct spht_role_layout *l, uint32_t root,
				       unsigned int level, unsigned int access, bool direct)
{
	uint32_t mask = 15u << l->level_shift | ((1u << l->access_bits) - 1) << l->access_shift |
			1u << l->direct_bit | 1u << l->invalid_bit;

	return (root & ~mask) | level << l->level_shift | access << l->access_shift |
	       (uint32_t)direct << l->direct_bit;
}

#endif
