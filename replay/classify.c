// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/thread.h"

static const char *const class_names[SPHT_CLASS_NR] = {
	[SPHT_CLASS_NONE] = "none",
	[SPHT_CLASS_MMIO] = "mmio",
	[SPHT_CLASS_GUEST] = "guest",
	[SPHT_CLASS_PTWRITE_EMUL] = "ptwrite_emul",
	[SPHT_CLASS_PTWRITE_UNSYNC] = "ptwrite_unsync",
	[SPHT_CLASS_HUGE] = "huge",
	[SPHT_CLASS_SPURIOUS] = "spurious",
	[SPHT_CLASS_AD] = "ad",
	[SPHT_CLASS_HIDDEN] = "hidden",
	[SPHT_CLASS_RETRY] = "retry",
};

const char *spht_class_name(enum spht_class cls)
{
	return cls < SPHT_CLASS_NR ? class_names[cls] : "?";
}

/* METRICS section 1: the first rule that holds. */
enum spht_class spht_classify(const struct spht_thread *t)
{
	const struct spht_exit *x = &t->exit;
	bool leaf = x->walk.nr && x->walk.level[x->walk.nr - 1] == 1;

	if ((x->pfec & SPHT_PF_RSVD) || t->mmio)
		return SPHT_CLASS_MMIO;
	if (x->walk.failed)
		return SPHT_CLASS_GUEST;
	if (t->emulated)
		return SPHT_CLASS_PTWRITE_EMUL;
	if (t->unsync_first)
		return SPHT_CLASS_PTWRITE_UNSYNC;
	if ((x->requested && x->req_level > 1) || x->direct_after || !leaf)
		return SPHT_CLASS_HUGE;
	if (x->requested && !t->nr_sets)
		return SPHT_CLASS_SPURIOUS;
	if (x->requested)
		return x->walk.set_a || x->walk.set_d ? SPHT_CLASS_AD : SPHT_CLASS_HIDDEN;
	return SPHT_CLASS_RETRY;
}

enum spht_emul_sub spht_classify_emul(const struct spht_exit *x)
{
	const struct spht_walk *w = &x->walk;
	gfn_t leaf = w->nr ? spht_pte_gfn(w->pte[w->nr - 1]) : 0;

	for (size_t i = 0; w->nr && i < x->nr_ops; i++)
		if (x->ops[i].kind == SPHT_OP_ZAP && x->ops[i].gfn == leaf)
			return SPHT_EMUL_C4;
	return x->requested ? SPHT_EMUL_C3 : SPHT_EMUL_C2;
}

/*
 * Part of hidden + ad that follows a guest fault on the same page of the same
 * vCPU within fewer than 64 exits; a guest fault is followed once.  The ring
 * holds the guest fault of each of the vCPU's last 64 exits.
 */
bool spht_is_refault(struct spht_thread *t, vpn_t vpn)
{
	bool found = false;

	for (unsigned int i = 0; i < SPHT_REFAULT_RING; i++) {
		if (t->guest_ring[i] != vpn)
			continue;
		t->guest_ring[i] = UINT64_MAX;
		found = true;
	}
	return found;
}

/* 32-bit, PAE and 5-level roots show in the level of the first entry that the walk reads. */
bool spht_skip_mode(struct spht_assemble_stats *st, const struct spht_exit *x)
{
	if (!x->walk.nr || x->walk.level[0] == 4)
		return false;
	st->mode_skipped++;
	if (x->walk.level[0] == 5)
		st->mode_5level++;
	else if (x->walk.level[0] == 3)
		st->mode_pae++;
	else
		st->mode_32bit++;
	return true;
}
