#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Prints, for mktrace, a guest of many vCPUs on a host of many CPUs.

    mkmany.py [cpus=64] [vcpus=64] [faults=600] [threads=0]

Every vCPU touches the 512 pages of a level-1 table of its own, one after the other; each touch
is a hidden fault that KVM maps, and after the last one the shadow page is zapped and it begins
again.  The vCPUs run at their own pace, so that their exits overlap, and all move to the next
CPU each millisecond, some in the middle of an exit.  There are FAULTS faults for each vCPU,
and THREADS threads that run no vCPU and unmap one page of the host each.
"""
import sys

HEADER = ('#header {"host":{"kernel":"6.1.0-56-amd64"},"guest":{"kernel":"6.1.192"},'
          '"kvm":{"prefetch_window":1},"clock":"mono","clock_real":false}')
MOVE_NS = 1000000
REGION = 1 << 21


def fault(v, i):
    """One exit of vCPU v: (ns after its start, event)."""
    page = i % 512
    address, table, frame = v * REGION + page * 4096, 16 + v, 0x100000 + v * 512 + page
    yield 0, f"kvm_exit exit_reason=0x4e isa=2 info1=4 info2={address} vcpu_id={v}"
    yield 100, f"kvm_mmu_pagetable_walk addr={address} pferr=4"
    # All of them have one top of the tables, of 64 vCPUs each.
    for level, pte in ((4, 0x2067), (3, 0x3067 + v // 512 * 4096), (2, table << 12 | 0x67),
                       (1, frame << 12 | 0x67)):
        yield 200, f"kvm_mmu_paging_element level={level} pte={pte}"
    if v == 0 and i == 0:
        yield 250, "kvm_mmu_get_page gfn=2 role=0x703 created=1"
        yield 250, "kvm_mmu_get_page gfn=3 role=0x702 created=1"
    if page == 0:
        yield 300, f"kvm_mmu_get_page gfn={table} role=0x701 created=1"
    yield 400, f"kvm_mmu_spte_requested gfn={frame} level=1"
    yield 500, (f"kvm_mmu_set_spte gfn={frame} sptep={(0x1000 + v << 12) + 8 * page} level=1 "
                f"spte={frame << 12 | 0xe67}")
    yield 3000, f"kvm_entry vcpu_id={v}"
    if page == 511:
        yield 3500, f"kvm_mmu_prepare_zap_page gfn={table} role=0x701"


def timeline(cpus, vcpus, faults, threads):
    """(ns, order, thread, event) of all."""
    yield 100, 0, 1000, "kvm_exit exit_reason=0x13 isa=2 vcpu_id=0"
    yield 200, 0, 1000, "kvm_mmu_get_page gfn=1 role=0x704 created=1"
    yield 300, 0, 1000, "kvm_entry vcpu_id=0"
    for v in range(vcpus):
        # The first builds what all share; the others start when that is there.
        start = 10000 if v == 0 else 20000 + 137 * v
        for i in range(faults):
            for ns, event in fault(v, i):
                yield start + ns, v, 1000 + v, event
            start += 9000 + 13 * v
    for k in range(threads):
        yield 30000 + 50 * k, vcpus, 100000 + k, f"kvm_unmap_hva_range start={k << 12} end={k + 1 << 12}"


def main():
    opt = {"cpus": 64, "vcpus": 64, "faults": 600, "threads": 0}
    for arg in sys.argv[1:]:
        key, _, value = arg.partition("=")
        if key not in opt or not value.isdigit():
            sys.exit(__doc__)
        opt[key] = int(value)
    print(HEADER)
    # Stable: what a vCPU does at one time stays in order.
    events = sorted(timeline(**opt), key=lambda e: e[:2])
    count = [0] * opt["cpus"]
    lines = []
    for ns, _, thread, event in events:
        cpu = (thread + ns // MOVE_NS) % opt["cpus"]
        count[cpu] += 1
        lines.append(f"cpu={cpu} pid={thread} @{ns} {event}")
    for cpu, nr in enumerate(count):
        print(f"#ledger {cpu} {nr} {nr}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
