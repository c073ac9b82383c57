/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_KVM_H
#define SPHT_KVM_H

#include <stdbool.h>

#include "spht_error.h"

/*
 * What differs between kernels in how KVM brings in entries that no fault asked
 * for.  A what-if follows these rules; where they are not the recording's own,
 * its baseline is a KVM that was not recorded.
 */
struct spht_kvm {
	const char *name; /* "2.6.32", ...; as --kvm takes it */
	bool prefetches; /* FNAME(pte_prefetch): since 2.6.37 */
	/*
	 * FNAME(invlpg) maps the address again where the guest's entry is good, even where
	 * nothing was mapped before (to 6.1); later kvm_sync_spte() keeps what is there.
	 */
	bool invlpg_prefetches;
	/* __direct_pte_prefetch() looks behind the last present entry too (since 5.15). */
	bool direct_trails;
	/* Guest faults on synced tables stay in the guest (bypass_guest_pf, to 3.x). */
	bool bypasses;
};

/* The rules that hold in kernel release @release ("6.1.0-56-amd64"); unknown: the newest. */
const struct spht_kvm *spht_kvm_of_release(const char *release);
/* By name; NULL: none of that name. */
const struct spht_kvm *spht_kvm_find(const char *name);
/* All names, "2.6.32, 5.10, ...". */
const char *spht_kvm_names(void);

#endif
