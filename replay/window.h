/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WINDOW_H
#define SPHT_WINDOW_H

#include "replay/thread.h"

/* What single events say of the window that a thread has open. */

/* kvm_page_fault: the fault itself, where kvm_exit told nothing of it. */
void spht_window_page_fault(struct spht_thread *t, const struct spht_event *ev);
/* kvm_mmu_pagetable_walk: the fault's for the first one of a window, then another one's. */
void spht_window_walk(struct spht_thread *t, const struct spht_event *ev);
/* kvm_mmu_paging_element: of the walk that goes on; of the emulator's, where it stores, too. */
void spht_window_element(struct spht_thread *t, const struct spht_event *ev);
/* kvm_emulate_insn: how many bytes the instruction would store into a page table. */
uint8_t spht_window_store_bytes(const struct spht_event *ev);
/* An event of the shadow MMU as what it did. */
void spht_window_op(struct spht_op *op, const struct spht_event *ev);

#endif
