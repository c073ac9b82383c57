/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SHADOW_H
#define SPHT_SHADOW_H

#include "replay/addr.h"
#include "replay/exit.h"
#include "replay/idmap.h"
#include "replay/role.h"

/*
 * Names for what a recording speaks of, shared by every MMU that runs over it:
 *   page   a shadow page, (gfn, role)                  [MMU:kvm_mmu_find_shadow_page]
 *   table  a guest page table, (gfn, level), whatever its roles; a direct shadow
 *          page has a table of its own
 *   space  an address space, as far as a walk shows it: (top-level index, gfn of
 *          the level-3 table); the kernel half is one space for all processes
 *   region (space, 2 MiB of addresses)
 *   path   (root page, level-3 page, level-2 page) above a leaf
 */
struct spht_shadow {
	const struct spht_role_layout *layout;
	struct spht_idmap pages, tables, spaces, regions, paths;
};

int spht_shadow_init(struct spht_shadow *s, const struct spht_role_layout *layout)
	__attribute__((warn_unused_result));
void spht_shadow_close(struct spht_shadow *s);

static inline uint32_t spht_shadow_page(struct spht_shadow *s, gfn_t gfn, uint32_t role)
{
	return spht_idmap_get(&s->pages, gfn, spht_role_identity(s->layout, role));
}

static inline gfn_t spht_shadow_gfn(const struct spht_shadow *s, uint32_t page)
{
	return s->pages.keys[page][0];
}

static inline uint32_t spht_shadow_role(const struct spht_shadow *s, uint32_t page)
{
	return (uint32_t)s->pages.keys[page][1];
}

static inline uint32_t spht_shadow_table(struct spht_shadow *s, gfn_t gfn, unsigned int level)
{
	return spht_idmap_get(&s->tables, gfn, level);
}

/* Table of a direct shadow page: no guest table, but entries all the same. */
static inline uint32_t spht_shadow_direct_table(struct spht_shadow *s, uint32_t page)
{
	return spht_idmap_get(&s->tables, page, 1ull << 32);
}

static inline bool spht_shadow_is_direct_table(const struct spht_shadow *s, uint32_t table)
{
	return s->tables.keys[table][1] >> 32;
}

static inline uint32_t spht_shadow_path(struct spht_shadow *s, uint32_t root, uint32_t l3,
					uint32_t l2)
{
	return spht_idmap_get(&s->paths, (uint64_t)root << 32 | l3, l2);
}

static inline uint32_t spht_path_root(const struct spht_shadow *s, uint32_t path)
{
	return (uint32_t)(s->paths.keys[path][0] >> 32);
}

static inline uint32_t spht_path_l3(const struct spht_shadow *s, uint32_t path)
{
	return (uint32_t)s->paths.keys[path][0];
}

static inline uint32_t spht_path_l2(const struct spht_shadow *s, uint32_t path)
{
	return (uint32_t)s->paths.keys[path][1];
}

#endif
