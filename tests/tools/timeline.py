#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks a timeline of spht-replay: timeline.py FILE.json [TABLE.csv]

That it is a trace by Chrome's trace event format, that slices nest, arrows have both ends in
slices, and time goes forward; with a table of the same run, of all of a recording, that both
say the same.  Prints one line for each thing that is wrong.
"""

import bisect
import collections
import csv
import json
import sys
from decimal import Decimal

wrong = 0


def claim(is_so, *what):
    global wrong
    if is_so:
        return
    wrong += 1
    if wrong <= 10:
        print(*what)


def ns(value):
    """Microseconds as they are written, exact."""
    scaled = value * 1000
    claim(scaled == int(scaled), value, "has more than nanoseconds")
    return int(scaled)


def load(path):
    def refuse(name):
        raise ValueError(f"{name} is no JSON")
    with open(path, encoding="ascii") as f:
        return json.load(f, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse)


def nest(track, slices):
    """Each is inside of the last one that has not ended, or after it."""
    open_ends = []
    for begin, end, event in slices:
        while open_ends and open_ends[-1] <= begin:
            open_ends.pop()
        claim(not open_ends or end <= open_ends[-1], track, event, "begins in one slice and ends outside")
        if end > begin:
            open_ends.append(end)


def shape(trace):
    """What holds of any trace; its slices by track, and arrows by id."""
    tracks, arrows = collections.defaultdict(list), collections.defaultdict(list)
    counters, last = {}, 0
    for e in trace["traceEvents"]:
        at = ns(e["ts"])
        claim(at >= last, e, "is earlier than the one before")
        last = at
        track = (int(e["pid"]), int(e["tid"]))
        if e["ph"] == "X":
            tracks[track].append((at, at + ns(e["dur"]), e))
        elif e["ph"] in "stf":
            claim(e["bp"] == "e", e, "binds to no enclosing slice")
            arrows[int(e["id"])].append((at, track, e["ph"]))
        elif e["ph"] == "C":
            value = e["args"]["value"]
            claim(value >= 0 and counters.get(e["name"]) != value, e, "is negative or no change")
            counters[e["name"]] = value
        else:
            claim(e["ph"] in ("M", "i"), e, "is of another phase")
        for key, value in e.get("args", {}).items():
            claim(not isinstance(value, Decimal) or value == 0 or abs(value) < 2 ** 53,
                  e, key, "is more than a double holds")
    names = {(int(e["pid"]), int(e["tid"])) for e in trace["traceEvents"]
             if e["ph"] == "M" and e["name"] == "thread_name"}
    claim(set(tracks) <= names, "tracks without a name:", set(tracks) - names)
    for track, slices in tracks.items():
        nest(track, slices)
    return tracks, arrows


def follow(tracks, arrows):
    """Both ends of each arrow are in slices, the first one in an exit."""
    starts = {t: [s[0] for s in slices] for t, slices in tracks.items()}
    for number, points in arrows.items():
        phases = "".join(p[2] for p in points)
        claim(phases in ("sf", "stf"), "arrow", number, "is", phases)
        for at, track, phase in points:
            i = bisect.bisect_right(starts.get(track, []), at) - 1
            around = [s for s in tracks.get(track, [])[max(0, i - 4):i + 1]
                      if s[0] <= at < s[1] or s[0] == at == s[1]]
            claim(around, "arrow", number, phase, "at", at, "of", track, "is in no slice")
            cats = {s[2]["cat"] for s in around}
            claim(phase != "s" or cats & {"exit", "avoided"}, "arrow", number, "begins in", cats)
            claim(phase != "t" or "helper" in cats, "arrow", number, "goes through", cats)


def hold(tracks):
    """mmu_lock is held by those, and as long as they say that they hold it, and by one at a time."""
    claim(sum(t[0] == 3 for t in tracks) <= 1, "mmu_lock is held twice")
    holds = collections.defaultdict(list)
    for slices in (s for t, s in tracks.items() if t[0] == 3):
        for begin, end, e in slices:
            holds[e["name"]].append((begin, end))
    for track, slices in tracks.items():
        if track[0] == 3:
            continue
        who = ("vCPU " if track[0] == 1 else "helper ") + str(track[1] - 1)
        mine, told = sorted(holds.pop(who, [])), 0
        for begin, end, e in slices:
            if e["name"] not in ("mmu_lock", "install", "keep mmu_lock", "look"):
                continue
            i = bisect.bisect_right(mine, (begin, float("inf"))) - 1
            inside = i >= 0 and mine[i][0] <= begin and end <= mine[i][1]
            claim(inside or e["name"] == "look", who, e, "does not hold mmu_lock")
            told += end - begin if inside else 0
        claim(told == sum(b - a for a, b in mine), who, "holds mmu_lock for", mine and mine[-1], told)
    claim(not holds, "mmu_lock is held by", list(holds))


def tile(tracks):
    """A vCPU always does something, from its first slice to its last."""
    for track, slices in tracks.items():
        until = slices[0][0]
        for begin, end, e in slices if track[0] == 1 else ():
            claim(begin <= until, track, e, "begins after nothing")
            until = max(until, end)


def agree(trace, tracks, row):
    """Sums over slices are the table's."""
    def total(match):
        return sum(s[1] - s[0] for t, slices in tracks.items() for s in slices if match(t, s[2]))

    def same(what, mine, column):
        theirs = sum(Decimal(row[c]) for c in column.split("+"))
        claim(abs(mine - theirs) <= Decimal("1e-8") * abs(theirs), what, mine, "but", column, theirs)

    exits = [s[2] for t, slices in tracks.items() if t[0] == 1 for s in slices
             if s[2]["cat"] in ("exit", "avoided") and s[2]["name"] != "other exits"]
    name = collections.Counter(e["name"] for e in exits)
    same("avoided direct", name["avoided direct"], "avoided_direct")
    same("avoided side", name["avoided side"], "avoided_side")
    same("avoided", sum(e["cat"] == "avoided" for e in exits), "avoided_direct+avoided_side")
    of_class = collections.Counter(e["args"].get("class") for e in exits)
    for cls in "guest hidden huge ad ptwrite_unsync ptwrite_emul mmio spurious retry".split():
        same(cls, of_class[cls], "pf_" + cls)
    if row["pf_bypassed"]:
        same("reflected", name["reflected"], "pf_bypassed")
    same("refaults", sum("refault" in e["args"] for e in exits), "pf_refault")
    # What a vCPU does after the last exit that is a step is not replayed.
    told = len(exits) + sum(s[2]["args"]["exits"] for t, slices in tracks.items()
                            for s in slices if s[2]["name"] == "other exits")
    claim(Decimal("0.95") * int(row["exits_total"]) <= told <= int(row["exits_total"]),
          "all exits", told, "but exits_total", row["exits_total"])
    same("base faults that remain", sum(
        e["args"].get("class") in ("hidden", "huge", "ad") and e["cat"] == "exit" and
        e["args"]["outcome"] != "not avoidable" for e in exits), "remaining")
    noted = collections.Counter()
    for e in trace["traceEvents"]:
        if e["ph"] == "i":
            noted[e["name"]] += e["args"]["n"]
    for note, column in (("new exit, proven", "new_exits_lo"), ("new exit, possible", "new_exits_hi"),
                         ("helper exit", "helper_exits"), ("queue full", "queue_full")):
        same(note, noted[note], column)
    same("waits of vCPUs", total(lambda t, e: t[0] == 1 and e["cat"] == "wait") / Decimal(10 ** 9), "lock_wait_s")
    same("waits of helpers", total(lambda t, e: t[0] == 2 and e["cat"] == "wait") / Decimal(10 ** 9),
         "helper_lock_wait_s")
    work = [s[2] for t, slices in tracks.items() if t[0] == 2 for s in slices if s[2]["cat"] == "helper"]
    looks = collections.Counter(e["args"]["outcome"] for e in work if e["name"] == "look")
    claim(looks["illegal"] <= int(row["illegal"]) and looks["unknown"] <= int(row["unknown"]),
          "more looks are refused than requests", looks)
    # The oracle builds without a helper.
    if row["heuristic"] != "oracle":
        same("builds begun", looks["taken up"], "issued")
    installs = collections.Counter(e["args"]["outcome"] for e in work if e["name"] == "install")
    claim(installs["built"] <= int(row["built"]), "more is built than", row["built"])
    same("failed builds", installs["refused"], "build_failed")
    # Looking again at what is watched is not drawn.
    busy = total(lambda t, e: t[0] == 2 and (e["cat"] == "wait" or e["name"] in ("look", "build", "install")))
    claim(looks["watched"] or abs(Decimal(busy) / 10 ** 9 - Decimal(row["helper_busy_s"])) <=
          Decimal("1e-8") * busy, "helpers are busy for", busy, "ns, not", row["helper_busy_s"])
    counted = {e["name"]: e["args"]["value"] for e in trace["traceEvents"] if e["ph"] == "C"}
    same("unused entries at the end", counted.get("entries built and unused", 0), "resident_unused")
    same("requests at the end", counted.get("requests queued", 0) + counted.get("entries watched", 0),
         "pending_end")
    if row["heuristic"] == "none":
        same("time", total(lambda t, e: t[0] == 1 and e["cat"] in ("guest", "exit") and
                           e["name"] != "not running") / Decimal(10 ** 9), "time_base_s")
    other = trace["otherData"]
    for key in "tool_version git_commit trace trace_sha256 heuristic params knowledge clock costs".split():
        claim((other[key] or "") == row[key], key, "is", other[key], "and not", row[key])


trace = load(sys.argv[1])
tracks, arrows = shape(trace)
follow(tracks, arrows)
hold(tracks)
if len(sys.argv) > 2:
    with open(sys.argv[2], newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    claim(len(rows) == 1, "the table has", len(rows), "rows")
    tile(tracks)
    agree(trace, tracks, rows[0])
print(f"{sum(map(len, tracks.values()))} slices on {len(tracks)} tracks, {len(arrows)} arrows, {wrong} wrong")
sys.exit(wrong != 0)
