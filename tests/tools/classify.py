#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Counts the #PF exits of a recording by class, for the tests to hold spht-replay
against: a second implementation, from the rules of METRICS section 1 alone.

    spht-trace dump --no-header FILE.spht | classify.py [--no-exits]

One "name value" a line.  With kvm_exit and kvm_entry a window is what one thread
emits from the one to the other; windows without an end are not counted, nor are
those in which events were lost.  --no-exits: kvm_pvm, where walks open windows.
"""
import collections
import sys

PF_SVM, P, RSVD = 0x4E, 1, 8
NEAR = 64  # exits within which a guest fault is followed by its refault


def fields_of(text):
    return {k: int(v, 0) for k, v in (word.split("=") for word in text.split() if "insn=" not in word)}


class Window:
    """All events of one exit, kept as they came."""

    def __init__(self, code, address, is_pf):
        self.code, self.address, self.is_pf = code, address, is_pf
        self.events = []  # (name, fields)

    def names(self):
        return [name for name, _ in self.events]

    def first_walk(self):
        """Levels read, whether it failed, whether it set an A or D bit, its leaf."""
        levels, failed, bits, leaf, walks = [], False, False, None, 0
        for name, f in self.events:
            if name == "kvm_mmu_pagetable_walk":
                walks += 1
                if walks > 1:
                    break
            elif not walks:
                continue
            elif name == "kvm_mmu_paging_element":
                if levels and f["level"] >= levels[-1]:
                    levels = []  # the walk began anew
                levels.append(f["level"])
                leaf = (f["pte"] & 0x000FFFFFFFFFF000) >> 12
            elif name == "kvm_mmu_walker_error":
                failed = True
            elif name in ("kvm_mmu_set_accessed_bit", "kvm_mmu_set_dirty_bit"):
                bits = True
        return levels, failed, bits, leaf

    def other_mode(self):
        levels = self.first_walk()[0]
        return bool(levels) and levels[0] != 4

    def classify(self):
        names = self.names()
        levels, failed, bits, leaf = self.first_walk()

        def after(first, test):
            seen = False
            for name, f in self.events:
                seen = seen or name == first
                if seen and test(name, f):
                    return True
            return False

        if self.code & RSVD or {"kvm_mmio", "handle_mmio_page_fault", "mark_mmio_spte"} & set(names):
            return "mmio"
        if failed:
            return "guest"
        if "kvm_emulate_insn" in names:
            zapped = [f["gfn"] for name, f in self.events if name == "kvm_mmu_prepare_zap_page"]
            if leaf is not None and leaf in zapped:
                return "ptwrite_emul_c4"
            return "ptwrite_emul_c" + ("3" if "kvm_mmu_spte_requested" in names else "2")
        for name in names:
            if name == "kvm_mmu_unsync_page":
                return "ptwrite_unsync"
            if name == "kvm_mmu_set_spte":
                break
        asked = [f["level"] for name, f in self.events if name == "kvm_mmu_spte_requested"]
        if (asked and asked[-1] > 1) or 1 not in levels or after(
                "kvm_mmu_spte_requested",
                lambda name, f: name == "kvm_mmu_get_page" and f["role"] & 0x80):
            return "huge" if levels or "kvm_mmu_pagetable_walk" in names else "huge_nopaging"
        if asked and "kvm_mmu_set_spte" not in names:
            return "spurious"
        if asked:
            return "ad" if bits else "hidden"
        return "retry"


class Counter:
    def __init__(self):
        self.n = collections.Counter()
        self.at = collections.Counter()  # exits so far, by thread
        self.faults = {}  # (thread, page) -> number of the exit with its last guest fault

    def passed(self, pid):
        """An exit without an end: one of the 64 all the same."""
        self.at[pid] += 1

    def done(self, pid, w):
        self.at[pid] += 1
        self.n["exits_total"] += 1
        if not w.is_pf:
            return
        if w.other_mode():
            self.n["pf_mode_skipped"] += 1
            return
        cls = w.classify()
        self.n["exits_pf"] += 1
        self.n["pf_" + cls] += 1
        if cls == "huge_nopaging":
            self.n["pf_huge"] += 1
        if cls.startswith("ptwrite_emul"):
            self.n["pf_ptwrite_emul"] += 1
        key = pid, w.address >> 12 & (1 << 36) - 1
        if cls == "guest":
            self.faults[key] = self.at[pid]
        elif cls in ("hidden", "ad") and key in self.faults:
            # A guest fault has one refault.
            self.n["pf_refault"] += self.at[pid] - self.faults.pop(key) < NEAR


def rows(stream):
    for line in stream:
        _, _, pid, _, _, preamble, _, event, rest = line.rstrip("\n").split(",", 8)
        yield pid, preamble == "1", event, rest


def with_exits(stream, count):
    windows = {}
    for pid, preamble, event, rest in rows(stream):
        if event == "LOST":
            for thread in windows:
                count.passed(thread)
            windows.clear()
        elif preamble:
            continue
        elif event == "kvm_exit":
            f = fields_of(rest)
            if pid in windows:
                count.passed(pid)
            if f["isa"] == 2:
                windows[pid] = Window(f["info1"], f["info2"], f["exit_reason"] == PF_SVM)
            else:
                windows[pid] = Window(f["error_code"], f["info1"],
                                      f["exit_reason"] & 0xFFFF == 0 and
                                      f["intr_info"] & 0x800007FF == 0x8000030E)
        elif event == "kvm_entry":
            if pid in windows:
                count.done(pid, windows.pop(pid))
        elif pid in windows and windows[pid].is_pf:
            windows[pid].events.append((event, fields_of(rest)))


def without_exits(stream, count):
    """Cut each thread's events at its walks, then join again what was no fault of its own."""
    threads = collections.OrderedDict()
    for pid, preamble, event, rest in rows(stream):
        if preamble or event == "LOST":
            continue
        parts = threads.setdefault(pid, [])
        if event == "kvm_mmu_pagetable_walk":
            f = fields_of(rest)
            parts.append(Window(f["pferr"], f["addr"], True))
        if parts:
            parts[-1].events.append((event, fields_of(rest)))
    fault = {"kvm_mmu_get_page", "kvm_mmu_spte_requested", "kvm_mmu_unsync_page", "kvm_mmu_set_spte"}
    for pid, parts in threads.items():
        windows = []
        for part in parts:
            names = set(part.names())
            injected = "kvm_mmu_walker_error" in names and any(
                name == "kvm_inj_exception" and f["exception"] == 14 for name, f in part.events)
            own = part.code & P or names & fault or injected
            if windows and not own and "kvm_emulate_insn" in windows[-1].names():
                windows[-1].events += part.events
            else:
                windows.append(part)
        for w in windows:
            count.done(pid, w)


def main():
    count = Counter()
    if sys.argv[1:] == ["--no-exits"]:
        without_exits(sys.stdin, count)
        del count.n["exits_total"]
    else:
        with_exits(sys.stdin, count)
    for name in sorted(count.n):
        print(name, count.n[name])


main()
