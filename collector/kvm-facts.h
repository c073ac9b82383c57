/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_KVM_FACTS_H
#define SPHT_KVM_FACTS_H

#include <stdbool.h>

#include <jansson.h>

/* The KVM of this host. */
struct spht_kvm_module {
	bool kvm; /* the common part is there */
	bool built_in; /* the vendor module is no module */
	char name[16]; /* "kvm_amd", "kvm_intel", "kvm_pvm"; "" = none, or which is not known */
	const char *tdp_param; /* "npt", "ept"; NULL for kvm_pvm, which has no such thing */
	int tdp; /* 1 = EPT or NPT is on, 0 = shadow paging, -1 = not known */
};

/* From /sys/module alone; never fails, the fields tell. */
void spht_kvm_module(struct spht_kvm_module *m);

/*
 * The header's "kvm": "module"; "params", {"kvm": {"tdp_mmu": "N"}, "kvm_amd": ...}, every
 * readable parameter as its text; "tdp", true, false or null; "role" and
 * "role_source", see kvm-role.h.  What is not there is left out, and a line about it
 * appended to the array @missing.  A new object, NULL without memory.
 */
json_t *spht_kvm_json(json_t *missing);

#endif
