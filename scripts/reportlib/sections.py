# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of a page."""

from statlib.table import Problem, near

from .facts import member, number_of
from .markup import EMPTY, join, lines, percent, ratio, shown, table, tag, term
from .verdict import checks, share

CLASSES = [
    ("pf_hidden", "the guest's table had the answer, the shadow table had not", "hidden"),
    ("pf_huge", "the same under a large page of the guest", "huge"),
    ("pf_ad", "the same, and the walk set an accessed or dirty bit", "ad"),
    ("pf_guest", "the guest's own faults", None),
    ("pf_ptwrite_emul", "stores into guest page tables, emulated", None),
    ("pf_ptwrite_unsync", "stores into guest page tables, let through", None),
    ("pf_mmio", "accesses to where the guest has no memory", None),
    ("pf_spurious", "the entry was there", None),
    ("pf_retry", "KVM gave up, the guest tries again", None),
]
REQUESTS = {
    "duplicate": "the entry was there, queued or being built",
    "illegal": "the guest's entry was not present, or not accessed",
    "unknown": "no evidence decides",
    "queue_full": "too many were waiting",
    "cancelled_demand": "the fault came first",
    "cancelled_zap": "the shadow page went first",
    "pending_end": "waiting at the end",
    "issued": "a build began",
}
BUILDS = {
    "build_failed": "no longer good when it was to be installed",
    "in_progress_end": "not finished at the end",
    "built": "finished",
}
ENTRIES = {
    "used_timely": "a fault found it: no exit",
    "used_late": "the fault came while it was built",
    "used_weak": "there, but the access needed more",
    "use_unknown": "a use could not be seen",
    "zapped_unused": "gone before a use",
    "evicted_unused": "recycled before a use",
    "lost_epoch": "events were lost meanwhile",
    "resident_unused": "there at the end, not used",
}


def several(low, high, places=3):
    """low..high of a fraction."""
    if low is None and high is None:
        return EMPTY
    return tag("span", shown(low, places), "..", shown(high, places))


def heuristic(run, row):
    params = row.text("params").replace(";", "; ")
    return join(tag("span", run.name(row), class_="name"),
                tag("span", params, class_="params") if params else "")


def summary(run):
    """A row for each configuration at the page's time scale."""
    heads = ["heuristic", term("avoided", "exits avoided"), term("bounds", "[strict, optimistic]"),
             term("f_base", "% of base faults"), term("oracle_share", "of the oracle"),
             term("coverage"), term("accuracy"), term("lateness"),
             term("speedup_pct", "speed-up"), term("new_exits", "new exits")]
    rows = []
    for row in run.main:
        crossed = tag("abbr", "†", title="bounds are crossed") \
            if row.text("bounds") == "crossed" else ""
        rows.append([
            heuristic(run, row), shown(row.text("avoided")),
            join(tag("span", "[", shown(row.text("avoided_lo")), ", ",
                     shown(row.text("avoided_hi")), "]", class_="bounds"), crossed),
            join(percent(share(run, row, "avoided")), tag(
                "span", " [", shown(share(run, row, "avoided_lo"), 1), ", ",
                shown(share(run, row, "avoided_hi"), 1), "]", class_="bounds")
                if row["f_base"] else ""),
            percent(ratio(row["oracle_share"], 1), 1), shown(row.text("coverage"), 3),
            several(row["accuracy_lo"], row["accuracy_hi"]), shown(row.text("lateness"), 3),
            percent(row.text("speedup_pct")),
            join(several(row["new_exits_lo"], row["new_exits_hi"], 0),
                 join(" + ", shown(row.text("helper_exits"))) if row["helper_exits"] else "")])
    bound = run.first.text("speedup_bound_pct")
    note = join("All at guest time × ", f"{run.scale:g}", ". New exits: proven..possible, and after"
                " + those that the helper itself causes.",
                join(" If all base faults were free the speed-up would be ", percent(bound), ".")
                if bound else "")
    return lines(table("What each heuristic avoids", heads, rows, "summary"), tag("p", note))


def scales(run):
    """How the result hangs on the time scale."""
    if len(run.scales) < 2:
        return ""
    heads = ["heuristic"]
    for scale in run.scales:
        heads += [join(what, " ×\N{NO-BREAK SPACE}", f"{scale:g}")
                  for what in ("avoided,", "speed-up,", "late,")]
    rows = []
    for row in run.main:
        cells = [run.name(row)]
        for scale in run.scales:
            other = run.at(row, scale)
            cells += [shown(other.text("avoided")), percent(other.text("speedup_pct")),
                      shown(other.text("lateness"), 3)] if other else [EMPTY] * 3
        rows.append(cells)
    bounds = [join("most possible"), *(cell for scale in run.scales for cell in (
        EMPTY, percent(next(r for r in run.rows if r.scale() == scale).text("speedup_bound_pct")),
        EMPTY))]
    return table(join("The same at other ", term("guest_time_scale", "time scales")), heads, rows,
                 foot=[bounds])


def classes(run):
    first, total = run.first, run.first["exits_pf"]
    remaining = member(run.best.more if run.best else {}, "remaining_by_class") or {}
    rows = []
    for column, meaning, base in CLASSES:
        left = shown(number_of(remaining.get(base))) if base else EMPTY
        rows.append([tag("code", column[3:]), meaning, shown(first.text(column)),
                     percent(ratio(first[column], total), 1),
                     "yes" if base else "no", left])
    closing = sum(first[c] or 0 for c, _, _ in CLASSES)
    # Without kvm_exit one class cannot be told from others, and its cell is empty.
    untold = any(first[c] is None for c, _, _ in CLASSES) and closing < total
    if untold:
        rows.append(["not told", "an exit that ended without a trace of what it was",
                     shown(total - closing), percent(ratio(total - closing, total), 1), "no", EMPTY])
    if not near(closing, total) and not untold:
        raise Problem(f"{first.where}: exits_pf is {total:.9g}, but the nine classes add up to"
                      f" {closing:.9g}; make the table again")
    last = f"left with {run.name(run.best)}" if run.best else "left"
    made = table("Page-fault exits by class",
                 ["class", "meaning", "exits", "share", term("f_base", "base fault"), last], rows,
                 "classes",
                 foot=[["sum", "", shown(first.text("exits_pf")), percent(100 if total else None, 1),
                        "", shown(run.best.text("remaining") if run.best else None)]])
    parts = [join(shown(first.text("exits_total")), " exits of all kinds, ",
                  shown(first.text("exits_pf")), " of them page faults. Of these ",
                  shown(first.text("f_base")), " are ", term("f_base", "base faults"),
                  ": hidden + huge − ", shown(first.text("pf_huge_nopaging")),
                  " from before the guest paged + ad.")]
    if first.text("pf_refault"):
        parts.append(join(" ", shown(first.text("pf_refault")), " of hidden and ad are ",
                          term("refault", "refaults"), ": they follow a fault of the guest's own on"
                          " the same page, and a helper has microseconds for them."))
    return lines(tag("p", parts), made)


def closing(run, what, parts):
    """One equation for all heuristics: its parts, and below them their sum, which is @what."""
    rows = [[join(tag("code", name), " ", tag("small", meaning))]
            + [shown(row.text(name)) for row in run.main] for name, meaning in parts.items()]
    sums = [tag("code", what)]
    for row in run.main:
        total = sum(row[name] or 0 for name in parts)
        if not near(total, row[what]):
            raise Problem(f"{row.where}: {what} is {row[what]:.9g}, but its parts add up to"
                          f" {total:.9g}; make the table again")
        sums.append(join("= ", shown(row.text(what))))
    return rows, sums


def books(run):
    """Where every request ended, as three sums that close."""
    made = []
    for title, what, parts in [
            ("Every request ended in one of these", "generated", REQUESTS),
            ("Every build", "issued", BUILDS),
            ("Every entry built", "built", ENTRIES)]:
        rows, sums = closing(run, what, parts)
        made.append(table(title, ["fate", *(run.name(r) for r in run.main)], rows, "books",
                          foot=[sums]))
    rows, sums = closing(run, "f_base", {
        "avoided_direct": "met an entry that the helper had been asked for",
        "avoided_side": "met a neighbour that came along", "remaining": "happen all the same"})
    made.append(table("Every base fault", ["fate", *(run.name(r) for r in run.main)], rows, "books",
                      foot=[sums]))
    rows = [[tag("code", c)] + [shown(r.text(c), 6) for r in run.main]
            for c in ("helper_busy_s", "lock_wait_s", "helper_lock_wait_s")]
    made.append(table("Seconds of virtual time", ["", *(run.name(r) for r in run.main)], rows,
                      "books"))
    return lines(tag("p", "Books of the world ", tag("code", run.first.text("knowledge")),
                     " at guest time × ", f"{run.scale:g}", "."), *made)


def fidelity(run):
    first, told = run.first, member(run.first.more, "fidelity")
    counted = checks(run)
    if counted and counted[1] and first["fidelity_pct"] is not None \
            and not near(100 * counted[0] / counted[1], first["fidelity_pct"]):
        raise Problem(f"{first.where}: fidelity_pct is {first['fidelity_pct']:.9g}, but the JSON's"
                      f" checks make it {100 * counted[0] / counted[1]:.9g}; make both again")
    rows = [["all checks", percent(first.text("fidelity_pct"), 3), "95 % on each side"],
            ["that say “absent”", percent(first.text("fidelity_absent_pct"), 3), "at least 95 %"],
            ["that say “present”", percent(first.text("fidelity_present_pct"), 3), "at least 95 %"],
            [join("silent drops ", term("silent", "inferred")), shown(first.text("inferred")), ""],
            ["silent drops unexplained", shown(first.text("unexplained")), "0 is good"],
            ["questions older than the recording", shown(first.text("unknown_start")),
             "left out of the score"],
            ["base faults not modelled", shown(first.text("unmodelled")), "0 is good"]]
    made = [table(join("How often the model agreed with what the ",
                       term("fidelity", "recording proves")),
                  ["what", "value", "wanted"], rows, "told")]
    if told is None:
        made.append(tag("p", "The counts behind these are in the table of --json, which was not"
                             " given."))
        return lines(*made)
    detail = [[name, shown(good), shown(bad)] for name, good, bad in checked(told)]
    made.append(table("The checks", ["check", "agreed", "not"], detail))
    counters = member(first.more, "kvm_counters")
    if counters:
        made.append(tag("p", "KVM's own counter rose by ", shown(counters.get("pf_taken")),
                        " faults while ", shown(counters.get("recorded")), " were recorded: a"
                        " difference of ", shown(counters.get("difference")), "."))
    return lines(*made)


def checked(told):
    """(check, agreed, not) of the JSON."""
    p_bit = {k: number_of(v) or 0 for k, v in (member(told, "p_bit") or {}).items()}

    def total(*ends):
        return sum(v for k, v in p_bit.items() if k.endswith(ends))
    yield "1: the hardware said not present; the model held nothing", total("_p0_absent"), \
        total("_p0_weak", "_p0_strong")
    yield "1: it said present; the model held an entry too weak", total("_p1_weak"), \
        total("_p1_absent", "_p1_strong")
    for name, what in [("kept", "2: passed over by a prefetch, so present"),
                       ("spurious", "2: target of a spurious fault, so present"),
                       ("prefetched", "3: prefetched, so absent before")]:
        pair = member(told, name)
        if isinstance(pair, list) and len(pair) == 2:
            yield what, number_of(pair[0]), number_of(pair[1])


def slices(run):
    """The recording in time, with the best heuristic."""
    row = run.best or run.first
    mine = [s for s in run.slices if s.spec() == row.spec() and s.scale() == run.scale]
    if not mine:
        return tag("p", "No table of --intervals was given.")
    rows = []
    for s in mine:
        avoided = (s["avoided_direct"] or 0) + (s["avoided_side"] or 0) \
            if s["avoided_direct"] is not None else None
        rows.append([join(shown(s.text("from_s"), 1), "–", shown(s.text("to_s"), 1)),
                     shown(s.text("exits_total")), shown(s.text("exits_pf")),
                     shown(s.text("f_base")), shown(avoided), percent(ratio(avoided, s["f_base"]), 1),
                     percent(side(s, "absent")), percent(side(s, "present"))])
    over = {c: sum(s[c] or 0 for s in mine) for c in ("exits_pf", "f_base")}
    met = sum((s["avoided_direct"] or 0) + (s["avoided_side"] or 0) for s in mine)
    foot = [["sum", shown(run.first.text("exits_total")), shown(over["exits_pf"]),
             shown(over["f_base"]), shown(met), percent(ratio(met, over["f_base"]), 1), "", ""]]
    return lines(tag("p", "Avoided here is before new exits are charged."), table(
        f"Slices of the recording, with {run.name(row)}",
        ["seconds", "exits", "page faults", term("f_base", "base faults"), "avoided", "of these",
         term("fidelity", "fidelity, absent"), "present"], rows, foot=foot))


def side(row, name):
    return ratio(row[f"fidelity_{name}_agreed"], row[f"fidelity_{name}_all"])

