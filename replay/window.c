// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "replay/exit.h"
#include "replay/insn.h"
#include "replay/window.h"

void spht_window_page_fault(struct spht_thread *t, const struct spht_event *ev)
{
	struct spht_exit *x = &t->exit;

	/* Only kernels whose kvm_exit says neither ISA nor error code need this one. */
	if (!t->open || x->is_pf || x->pfec || x->gva)
		return;
	x->is_pf = true;
	x->gva = ev->v[SPHT_PF_ADDRESS];
	x->pfec = (uint32_t)ev->v[SPHT_PF_ERROR_CODE];
}

void spht_window_walk(struct spht_thread *t, const struct spht_event *ev)
{
	struct spht_walk *w = t->nr_walks ? &t->other_walk : &t->exit.walk;

	t->nr_walks++;
	memset(w, 0, sizeof(*w));
	w->addr = ev->v[SPHT_WALK_ADDR];
	w->pferr = (uint32_t)ev->v[SPHT_WALK_PFERR];
	t->walk = w;
}

void spht_window_element(struct spht_thread *t, const struct spht_event *ev)
{
	struct spht_walk *w = t->walk;
	uint8_t level = (uint8_t)ev->v[SPHT_ELEM_LEVEL];
	struct spht_exit *x = &t->exit;
	uint64_t offset;

	if (!w)
		return;
	/* A walk that lost the race for an A/D update starts again (KVM_MODEL trap 8). */
	if (w->nr && level >= w->level[w->nr - 1])
		w->nr = 0;
	if (w->nr == 5)
		return;
	w->level[w->nr] = level;
	w->pte[w->nr++] = ev->v[SPHT_ELEM_PTE];
	/* The operand of an emulated store: where in guest memory it goes. */
	if (!t->emulated || w != &t->other_walk || !(w->pferr & SPHT_PF_W) || level < 1 ||
	    level > 3 || !(ev->v[SPHT_ELEM_PTE] & SPHT_PTE_P) ||
	    (level > 1 && !(ev->v[SPHT_ELEM_PTE] & SPHT_PTE_PS)))
		return;
	offset = (1ull << (SPHT_PAGE_SHIFT + 9 * (level - 1))) - 1;
	x->store_known = true;
	x->store_gpa = (ev->v[SPHT_ELEM_PTE] & SPHT_PTE_ADDR & ~offset) | (w->addr & offset);
}

uint8_t spht_window_store_bytes(const struct spht_event *ev)
{
	uint8_t insn[16];

	for (unsigned int i = 0; i < sizeof(insn); i++)
		insn[i] = (uint8_t)(ev->v[SPHT_EMUL_INSN0 + i / 8] >> (i % 8 * 8));
	return (uint8_t)spht_insn_table_store(insn, (uint32_t)ev->v[SPHT_EMUL_FLAGS]);
}

void spht_window_op(struct spht_op *op, const struct spht_event *ev)
{
	memset(op, 0, sizeof(*op));
	switch (ev->id) {
	case SPHT_EV_SET_SPTE:
		op->kind = SPHT_OP_SET;
		op->gfn = ev->v[SPHT_SET_GFN];
		op->spte = ev->v[SPHT_SET_SPTE];
		op->sptep = ev->v[SPHT_SET_SPTEP];
		op->level = (uint8_t)ev->v[SPHT_SET_LEVEL];
		return;
	case SPHT_EV_SPTE_REQUESTED:
		op->kind = SPHT_OP_REQUESTED;
		op->gfn = ev->v[SPHT_REQ_GFN];
		op->spte = ev->v[SPHT_REQ_PFN];
		op->level = (uint8_t)ev->v[SPHT_REQ_LEVEL];
		return;
	case SPHT_EV_ZAP_ALL_FAST:
		op->kind = SPHT_OP_ZAP_ALL;
		return;
	case SPHT_EV_GET_PAGE:
		op->kind = SPHT_OP_GET;
		op->created = ev->v[SPHT_SP_CREATED];
		break;
	case SPHT_EV_SYNC_PAGE:
		op->kind = SPHT_OP_SYNC;
		break;
	case SPHT_EV_UNSYNC_PAGE:
		op->kind = SPHT_OP_UNSYNC;
		break;
	default:
		op->kind = SPHT_OP_ZAP;
		break;
	}
	op->gfn = ev->v[SPHT_SP_GFN];
	op->role = (uint32_t)ev->v[SPHT_SP_ROLE];
	op->unsync = ev->v[SPHT_SP_UNSYNC];
}
