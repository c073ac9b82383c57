# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run says in three sentences, and what one has to know before believing them."""

import math

from .facts import member, number_of
from .markup import join, percent, ratio, shown, tag, term

BAD, WARN, NOTE = "bad", "warn", "note"
WORDS = {BAD: "Stop", WARN: "Careful", NOTE: "Note"}
# As spht-replay has it.
LEAST_FIDELITY = 95
# From so many on a share in per cent says something.
FEW_CHECKS = 1000
MOST_SAID = 12


def share(run, row, column):
    return ratio(row[column], row["f_base"])


def sides(run):
    """The two sides of fidelity that have checks."""
    return {c: run.first[f"fidelity_{c}_pct"] for c in ("absent", "present")
            if run.first[f"fidelity_{c}_pct"] is not None}


def explains(run):
    """Whether the model passes by its own rule."""
    found = sides(run)
    return bool(found) and min(found.values()) >= LEAST_FIDELITY


def of_what(run):
    """Not "avoidable": that column is what the oracle avoids of them."""
    one = run.first["f_base"] == 1
    return join(shown(run.first["f_base"]), " ", term("f_base", "base fault" + ("" if one else "s")),
                " (hidden, huge and ad page-fault exit" + ("" if one else "s") + ")")


def on_exits(run):
    """The first sentence."""
    row = run.best
    if not run.first["f_base"]:
        return join("This recording has no page fault that a helper could have avoided.")
    if row is None:
        return join("Of ", of_what(run), ", the oracle avoids ", shown(run.first["avoidable"]),
                    ": no heuristic was asked for.")
    name = tag("strong", run.name(row), id="verdict-name")
    if row["avoided"] == 0 and not row["avoided_lo"] and not row["avoided_hi"]:
        return join("No heuristic avoids any of ", of_what(run), ".")
    bounds = tag("span", "(", shown(share(run, row, "avoided_lo"), 1), "..",
                 shown(share(run, row, "avoided_hi"), 1), ")", id="verdict-bounds")
    part = tag("span", percent(share(run, row, "avoided"), 1), id="verdict-avoided")
    if row["avoided"] <= 0:
        return join("No heuristic avoids exits on balance: the best, ", name, ", avoids ", part, " ",
                    bounds, " of ", of_what(run), ".")
    oracle = ratio(row["avoided"], row["avoidable"]) if row["avoidable"] \
        and row.text("knowledge") == "inferred" else None
    best = "" if len(run.rated) == 1 else join(", the best of these ", len(run.rated),
                                               " heuristics,")
    # The name is text and may begin the sentence.
    return join(name, best, " avoids ", part, " ", bounds, " of ", of_what(run),
                join(", ", tag("span", percent(oracle, 1), id="verdict-oracle"),
                     " of what the ", term("oracle"), " does") if oracle is not None else "", ".")


def on_time(run):
    """The second sentence: exits are not time."""
    row = run.best
    if row is None or row["speedup_pct"] is None:
        return "" if row is None else "What that is worth in time, this recording cannot tell."
    scaled = "By the scaled clock of an emulated machine its" \
        if row.text("time_source") == "scaled" else "Its"
    return join(scaled, " vCPUs are ", tag("span", percent(abs(row["speedup_pct"])),
                                           id="verdict-speedup"),
                " slower" if row["speedup_pct"] < 0 else " faster", "; if all these faults were"
                " free it would be ", percent(row["speedup_bound_pct"]), ".")


def checks(run):
    """(agreed, asked) over checks 1 to 3, or None where no JSON tells them."""
    told = member(run.first.more, "fidelity")
    p_bit = member(told, "p_bit")
    if not isinstance(p_bit, dict):
        return None
    numbers = {name: number_of(value) or 0 for name, value in p_bit.items()}
    agreed = sum(v for n, v in numbers.items() if n.endswith(("_p0_absent", "_p1_weak")))
    asked = sum(numbers.values())
    for name in ("kept", "spurious", "prefetched"):
        pair = member(told, name)
        if not isinstance(pair, list) or len(pair) != 2:
            return None
        pair = [number_of(v) or 0 for v in pair]
        agreed, asked = agreed + pair[0], asked + sum(pair)
    return agreed, asked


def first_text(run):
    return run.first.text("fidelity_pct")


def on_model(run):
    """The third: whether the first two rest on anything."""
    said = run.first["fidelity_pct"]
    if said is None:
        return join("Nothing in the recording tells whether the model explains it.")
    asked = checks(run)
    # All but all is not all.
    floor = math.floor(said * 100) / 100
    of = join(" (", shown(asked[1]), " checks)") if asked else ""
    return join("The model ", "" if explains(run) else "does not explain this recording: it ",
                "agrees with ", tag("span", tag("data", f"{floor:.2f}", value=first_text(run)),
                                    "\N{NO-BREAK SPACE}%", id="verdict-fidelity"),
                " of what can be checked", of, ".")


def verdict(run):
    stop = "" if explains(run) and run.complete else tag("strong", "Do not quote these figures. ")
    return tag("p", stop, join(on_exits(run), " ", on_time(run), " ", on_model(run)),
               class_="verdict", id="verdict")


def some(names):
    """A list that stays readable."""
    names = list(names)
    return ", ".join(names[:MOST_SAID]) + (f" and {len(names) - MOST_SAID} more"
                                           if len(names) > MOST_SAID else "")


def about_recording(run):
    """(level, text) of what is wrong with what was recorded."""
    first, info = run.first, run.told.get("info", {})
    if not run.complete:
        yield BAD, ("The file was not read to its end (--partial): what follows is of a part of the"
                    " recording, and no figure is drawn of it.")
    if (first["lost_events"] or 0) > 0:
        yield BAD, join("The recording lost events (", shown(first["lost_events"]), "; a gap of"
                        " unknown size counts 1). All knowledge ends at each gap; results around"
                        " them are guesses.")
    if (first["unmodelled"] or 0) > 0:
        yield BAD, join(shown(first["unmodelled"]), " base faults are not modelled: they came under"
                        " a root that was made before the recording. Nothing is known to be"
                        " avoidable there.")
    if first.text("time_source") == "":
        yield WARN, ("The recording has no kvm_exit and kvm_entry: other exits than page faults are"
                     " not counted, and nothing says how long the guest ran. There are no times.")
    elif first.text("time_source") == "scaled":
        yield WARN, ("The clock is an emulated machine's: order and counts are exact, durations are"
                     " not. A speed-up is a statement about the time scale, and lateness depends on"
                     " it too. Do not quote seconds.")
    for lack in info.get("lacks") or []:
        what = member(lack, "what")
        if member(lack, "weight") == "missing" and what != "real time":
            yield WARN, join("The recording lacks ", what, ": ", member(lack, "effect"), ".")
    difference = number_text(member(first.more, "kvm_counters", "difference"))
    if difference and abs(difference) > 10:
        yield WARN, join("KVM's own counter of faults and the recording differ by ",
                         shown(difference), ": events may lack that nobody counted as lost.")


def number_text(value):
    return number_of(value) if value is not None else None


def about_model(run):
    first, found = run.first, sides(run)
    for side, pct in found.items():
        if pct < LEAST_FIDELITY:
            yield BAD, join("The model does not explain this recording: of what says “", side,
                            "” it agrees with ", percent(pct), f", and {LEAST_FIDELITY} % is the"
                            " least. Quote nothing from this page.")
    if not found:
        yield BAD, "No check of the model was possible: nothing says that it explains the recording."
    if len(found) == 1:
        yield WARN, join("All checks of the model are on one side, those that say “", *found,
                         "”: a model that holds nothing, or everything, would pass them.")
    asked = checks(run)
    if asked and asked[1] < FEW_CHECKS:
        yield WARN, join("Only ", shown(asked[1]), " checks of the model were possible: too few to"
                         " say that it explains the recording.")
    if (first["unexplained"] or 0) > 0:
        yield WARN, join(shown(first["unexplained"]), " entries went without an event, and nothing"
                         " explains it.")
    if (first["baseline"] or 0) > 1:
        yield WARN, join("Results are beyond KVM's own prefetch, window ", first.text("baseline"),
                         ": it built neighbours with each fault, and touches of these left no"
                         " trace. Say so where you quote them.")
    if first.text("baseline") == "":
        yield WARN, "The recording does not tell the window of KVM's own prefetch."
    if first["baseline_avoided"] is not None:
        yield WARN, join("The KVM of these results was not recorded (window ",
                         first.text("baseline"), ", KVM ", first.text("kvm"), "; recorded: window ",
                         first.text("baseline_recorded"), "). By itself it avoids ",
                         shown(first["baseline_avoided"]), "; all results are beyond that.")


def about_results(run):
    crossed = [run.name(r) for r in run.main if r.text("bounds") == "crossed"]
    if crossed:
        yield WARN, join("Bounds are crossed for ", some(crossed), ": the order strict, inferred,"
                         " optimistic does not hold. Print the three figures as they are.")
    losing = [run.name(r) for r in run.rated
              if (r["new_exits_hi"] or 0) + (r["helper_exits"] or 0)
              > (r["avoided_direct"] or 0) + (r["avoided_side"] or 0)]
    if losing:
        yield WARN, join("New exits can be more than the exits avoided for ", some(losing),
                         ": the helper may cost more than it saves.")
    unsure = [run.name(r) for r in run.rated if r["avoided_lo"] <= 0 < r["avoided_hi"]]
    if unsure:
        yield WARN, join("The bounds of ", some(unsure), " leave open whether exits are avoided at"
                         " all. Most base faults here may be refaults: see the figure over"
                         " latency, and quote the bounds.")
    slower = [run.name(r) for r in run.rated if (r["speedup_pct"] or 0) < 0 < r["avoided"]]
    if slower:
        yield WARN, join("Slower although exits are avoided: ", some(slower), ". The helper's work"
                         " under mmu_lock or its new exits cost more.")


def about_options(run):
    first = run.first
    if first.text("legality") == "present":
        yield WARN, ("The helper may build entries whose accessed bit is clear (legality present):"
                     " a guest could notice.")
    if first.text("knowledge") != "inferred":
        yield NOTE, join("Books, coverage, accuracy and times are of the world ",
                         first.text("knowledge"), "; avoided exits are of all three.")
    if first.text("roi") or first.text("warmup"):
        yield NOTE, join("Only a part of the recording is counted: region ", first.text("roi") or
                         "all", ", warm-up ", first.text("warmup") or "none",
                         ". Fidelity is of the whole recording.")
    if (first["vcpus"] or 0) > 1:
        yield NOTE, "Times are sums over all vCPUs, not the wall time of the guest."
    if first.text("git_commit").endswith("-dirty"):
        yield WARN, "Made by a spht-replay of changed sources: its commit does not name them."
    plugins = dict.fromkeys(run.name(r) for r in run.main if r.text("plugin"))
    if plugins:
        yield NOTE, join(some(plugins), " is from a plugin, which this page's spht does not hold;"
                         " its hash stands below.")


def found(run):
    """All of them, the worst first."""
    every = [*about_recording(run), *about_model(run), *about_results(run), *about_options(run)]
    return [w for level in (BAD, WARN, NOTE) for w in every if w[0] == level]


def warnings(run):
    rows = [tag("li", tag("strong", WORDS[level]), " ", text, class_=level)
            for level, text in found(run)]
    if not rows:
        return tag("p", "None.", id="warnings")
    return tag("ul", rows, class_="warnings", id="warnings")

