/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_KVMSTATS_H
#define SPHT_KVMSTATS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * KVM's own counters (debugfs), where the recorder has read them before and
 * after: the header's "kvm"."stats"."before" and "after", the latter also in
 * the footer's "kvm_stats"."after".
 *
 * By how much the VM's counter @name rose.  A counter is taken from the object
 * itself, from its one VM under "vms", from the sum of its "vcpuN/NAME", or
 * from "global".  False where it was not recorded, or several VMs were.
 */
bool spht_kvmstats_rise(const json_t *header, const json_t *footer, const char *name,
			uint64_t *rise);

/*
 * When the counters were read, in time stamps of the trace: "mono" of "before"
 * and "after".  *from is 0 and *to is UINT64_MAX where that was not recorded or
 * the trace has another clock.
 */
void spht_kvmstats_span(const json_t *header, const json_t *footer, uint64_t *from, uint64_t *to);

#endif
