/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_HOST_H
#define SPHT_HOST_H

#include <jansson.h>

/*
 * The header's "host": "kernel", "version", "machine" as uname tells them; "cpu_model",
 * "cpu_vendor", "under_hypervisor" (from /proc/cpuinfo); "cpus", the number
 * online; "tsc_khz" with "tsc_source": "cpuid 0x15", "cpuid 0x40000010" or
 * "measured" (takes 50 ms); "boot_id"; "transparent_hugepage", the setting in force;
 * "cmdline", those words of the kernel's command line that are about mitigations,
 * KVM and huge pages.  What cannot be had is left out; the host's name is not asked
 * for.  A new object, NULL without memory.
 */
json_t *spht_host_json(void);

/*
 * The clocks at one instant: "mono", "boot", "realtime" in nanoseconds and "tsc"
 * in cycles, as hex strings; all were read within "uncertainty_ns", and mono
 * is the middle of that.  tsc is left out on machines that have none.
 * Takes a few microseconds.  A new object, NULL without memory.
 */
json_t *spht_clock_snapshot(void);

/* The value of @key ("vendor_id") of the first processor in /proc/cpuinfo; @buf is "" without. */
void spht_host_cpuinfo(const char *key, char *buf, size_t size);

#endif
