/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ADDR_H
#define SPHT_ADDR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Address kinds, and the one place that converts between them.  A gva_t is a
 * guest virtual address, a vpn_t its page number (36 bits in a 4-level guest),
 * a gfn_t a guest physical frame, a pfn_t a host physical frame.
 */
typedef uint64_t gva_t;
typedef uint64_t vpn_t;
typedef uint64_t gfn_t;
typedef uint64_t pfn_t;

#define SPHT_PAGE_SHIFT  12
#define SPHT_LEVEL_BITS  9
#define SPHT_PT_ENTRIES  512u
#define SPHT_VPN_MASK    ((1ull << 36) - 1)
#define SPHT_PT_INDEX(x) ((unsigned int)(x) & (SPHT_PT_ENTRIES - 1))

/* x86 page-table entry bits (SDM vol. 3, 4.5). */
#define SPHT_PTE_P       (1ull << 0)
#define SPHT_PTE_W       (1ull << 1)
#define SPHT_PTE_U       (1ull << 2)
#define SPHT_PTE_A       (1ull << 5)
#define SPHT_PTE_D       (1ull << 6)
#define SPHT_PTE_PS      (1ull << 7)
#define SPHT_PTE_NX      (1ull << 63)
#define SPHT_PTE_ADDR    0x000ffffffffff000ull

/* #PF error code bits. */
#define SPHT_PF_P        (1u << 0)
#define SPHT_PF_W        (1u << 1)
#define SPHT_PF_U        (1u << 2)
#define SPHT_PF_RSVD     (1u << 3)
#define SPHT_PF_FETCH    (1u << 4)

static inline vpn_t spht_gva_vpn(gva_t gva)
{
	return (gva >> SPHT_PAGE_SHIFT) & SPHT_VPN_MASK;
}

/* Of the upper half of a 4-level address space, which is the kernel's in Linux? */
static inline bool spht_vpn_upper(vpn_t vpn)
{
	return vpn >> (4 * SPHT_LEVEL_BITS - 1) & 1;
}

/* Index into the table of @level (1 = leaf) that maps @vpn. */
static inline unsigned int spht_vpn_index(vpn_t vpn, unsigned int level)
{
	return SPHT_PT_INDEX(vpn >> (SPHT_LEVEL_BITS * (level - 1)));
}

static inline gfn_t spht_pte_gfn(uint64_t pte)
{
	return (pte & SPHT_PTE_ADDR) >> SPHT_PAGE_SHIFT;
}

#endif
