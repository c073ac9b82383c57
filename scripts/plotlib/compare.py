# SPDX-License-Identifier: LGPL-2.1-or-later
"""What may stand on one pair of axes, and how a figure says what it shows.

Rows that differ in a column of PANEL are not compared: each such set is a panel of its own, and
its title says by what it differs from the others.
"""

from .source import WORLDS, Problem, params_of, shown

# Rows of one panel have the same of all these.
PANEL = ["trace", "trace_sha256", "vm", "vcpus", "kvm", "baseline", "baseline_recorded", "roi",
         "warmup", "knowledge", "legality", "clock", "helpers", "costs", "snapshots", "time_source",
         "guest_time_scale", "pace", "repetition"]
MAX_PANELS = 6
MAX_NAMES = 60


def plain(text):
    """A number as short as it can be said: 0.3330 is 0.333."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


UNITS = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")]


def time_text(ns):
    """A time in the unit that makes it short."""
    for unit, name in UNITS:
        if ns >= unit:
            return f"{ns / unit:g} {name}"
    return f"{ns:g} ns"


def trace_name(text):
    return text[:-5] if text.endswith(".spht") and len(text) > 5 else text


def baseline_text(value):
    return f"window {value}" if value else "window not told"


# How a panel's title says a column's value; what is not here is said as COLUMN VALUE.
TITLES = {
    "trace": trace_name,
    "trace_sha256": lambda v: f"sha256 {v[:8]}",
    "baseline": baseline_text,
    "roi": lambda v: v or "whole recording",
    "knowledge": str,
    "guest_time_scale": lambda v: f"guest time × {plain(v)}",
    "clock": lambda v: f"{v} clock",
    "helpers": lambda v: f"helpers: {v}",
}


class Panel:
    """Rows that may be compared, and what tells them from those of the other panels."""

    def __init__(self, key, rows, title):
        self.key = key
        self.rows = rows
        self.title = title

    def of(self, name):
        """A configuration's name where there are other panels."""
        return f"{name}, {self.title}" if self.title else name


def panels(rows, apart=(), most=MAX_PANELS, specs=MAX_NAMES):
    """The rows by all columns of PANEL but those of @apart, in the order of the tables."""
    columns = [c for c in PANEL if c not in apart]
    sets = {}
    for row in rows:
        sets.setdefault(tuple(row.text(c) for c in columns), []).append(row)
    differ = [i for i, _ in enumerate(columns) if len({key[i] for key in sets}) > 1]
    # One recording's facts follow from its name, unless two have one name.
    if any(columns[i] == "trace" for i in differ):
        names = {}
        for key in sets:
            names.setdefault(key[0], set()).add(key[1])
        if all(len(shas) == 1 for shas in names.values()):
            differ = [i for i in differ if columns[i] != "trace_sha256"]
    if all(key[columns.index("baseline")] == key[columns.index("baseline_recorded")]
           for key in sets):
        differ = [i for i in differ if columns[i] != "baseline_recorded"]
    if len(sets) > most:
        said = ", ".join(columns[i] for i in differ)
        raise Problem(f"{rows[0].where}: the rows are of {len(sets)} kinds that cannot be compared"
                      f" (they differ in {said}), and a figure has {most} panels at most; choose"
                      f" some: --only={columns[differ[0]]}={shown_values(sets, differ[0])}")
    made = []
    for key, of in sets.items():
        if len({r.spec() for r in of}) > specs:
            raise Problem(f"{of[0].where}: more than {specs} configurations in one panel; choose"
                          " some: --only=heuristic=NAME")
        title = ", ".join(TITLES.get(columns[i], lambda v, c=columns[i]: f"{c} {v or 'empty'}")
                          (key[i]) for i in differ)
        made.append(Panel(dict(zip(columns, key)), of, title))
    return made


def shown_values(sets, i):
    return sorted({key[i] for key in sets})[0] or "''"


def no_twins(rows, columns, what):
    """The same thing twice is one of them by mistake."""
    seen = {}
    for row in rows:
        key = tuple(row.text(c) for c in columns)
        other = seen.setdefault(key, row)
        if other is not row:
            raise Problem(f"{row.where}: {what} of {row.text('trace')} with {row.spec()} stands in"
                          f" {other.where} already; leave one out")


def names(rows):
    """A short name for each configuration of these rows, by spec: what does not differ is left
    out, as long as no two have one name."""
    specs = {}
    for row in rows:
        specs.setdefault(row.text("heuristic"), {})[row.spec()] = params_of(row)
    out = {}
    for heuristic, configurations in specs.items():
        keys = dict.fromkeys(k for params in configurations.values() for k in params)
        differ = [k for k in keys
                  if len({params.get(k) for params in configurations.values()}) > 1]
        for spec, params in configurations.items():
            said = ", ".join(f"{k}={params[k]}" for k in differ if k in params)
            out[spec] = f"{heuristic} {said}" if said else heuristic
    if len(set(out.values())) < len(out):
        out = {spec: spec for spec in out}
    return out


def said(values, one):
    """one(value) of the only one, or how many there are."""
    return one(values[0]) if len(values) == 1 else None


# A figure shows the books of the rows' own world, those of several rows, or all in each row.
OWN_WORLD, ALL_WORLDS, NO_WORLD = range(3)


def provenance(rows, worlds=OWN_WORLD):
    """A sentence on where these rows are from: recording, knowledge, clock, baseline."""
    seen = {c: list(dict.fromkeys(row.text(c) for row in rows)) for c in PANEL}
    parts = [recording_text(seen)]
    if worlds == ALL_WORLDS:
        parts.append("worlds: " + ", ".join(w for w in WORLDS if w in seen["knowledge"])
                     if len(seen["knowledge"]) > 1 else
                     f"{seen['knowledge'][0]} world alone, so no bounds")
    elif worlds == OWN_WORLD:
        parts.append(said(seen["knowledge"], lambda v: f"knowledge {v}") or "knowledge as told")
    if seen["legality"] == ["present"]:
        parts.append("legality present")
    parts += [t for t in (clock_text(rows, seen), helpers_text(seen), costs_text(seen)) if t]
    parts.append(baselines_text(rows, seen))
    return "; ".join(parts)


def facts(rows):
    """The same of what the recording itself tells, whatever was run on it."""
    seen = {c: list(dict.fromkeys(row.text(c) for row in rows)) for c in PANEL}
    return f"{recording_text(seen)}; {baselines_text(rows, seen)}"


def recording_text(seen):
    text = said(seen["trace"], trace_name) or f"{len(seen['trace'])} recordings"
    regions = [r for r in seen["roi"] if r]
    if regions and len(seen["roi"]) == 1:
        text += f", {regions[0]}"
    if len(seen["warmup"]) == 1 and seen["warmup"][0]:
        text += f", from {seen['warmup'][0]} on"
    return text


def clock_text(rows, seen):
    if seen["clock"] == [""]:
        return "clock not told"
    text = "/".join(seen["clock"]) + " clock"
    if seen["time_source"] == ["scaled"]:
        text += ", times scaled from an emulated machine"
    scales = seen["guest_time_scale"]
    if len(scales) == 1 and rows[0].text("time_source") != "recorded":
        text += f", guest time ×\u00a0{plain(scales[0])}"
    if len(seen["pace"]) == 1 and seen["pace"][0]:
        text += f", pace {seen['pace'][0]}"
    return text


def helpers_text(seen):
    return "" if seen["helpers"] in (["1"], [""]) else said(
        seen["helpers"], lambda v: "a helper for each vCPU" if v == "vcpu" else f"{v} helpers")


def costs_text(seen):
    return "" if seen["costs"] == [""] else said(seen["costs"], lambda v: f"costs {v}")


def baselines_text(rows, seen):
    if seen["baseline"] == [""]:
        return "KVM's own prefetch not told (the --csv table of the run does)"
    if len(seen["baseline"]) > 1:
        windows = ", ".join(sorted(seen["baseline"], key=lambda w: (len(w), w)))
        return f"beyond KVM's own prefetch, windows {windows}"
    window = seen["baseline"][0]
    text = "KVM has no prefetch of its own (window 1)" if window == "1" else \
        f"beyond KVM's own prefetch window {window}"
    if any(row.text("baseline_recorded") not in ("", window) for row in rows):
        text += f", recorded with {'/'.join(seen['baseline_recorded'])}"
    return text


def cautions(rows):
    """What has to stand beside the figures of these rows."""
    told = []
    lost = {r.text("trace"): r.text("lost_events") for r in rows
            if r.text("lost_events") not in ("", "0")}
    told += [f"{trace_name(name)} lost {n} events" for name, n in sorted(lost.items())]
    if disturbed := sum(r.text("disturbed") == "yes" for r in rows):
        told.append(f"{disturbed} of {len(rows)} measured runs were disturbed (slips or switches)")
    poor = set()
    for row in rows:
        for column in ("fidelity_absent_pct", "fidelity_present_pct"):
            if row.text(column) and row.number(column) < 95:
                poor.add(trace_name(row.text("trace")))
    told += [f"THE MODEL DOES NOT EXPLAIN {name} (fidelity below 95 %)" for name in sorted(poor)]
    return told


DAGGER = "†"
CROSSED = "†: bounds crossed"


def note_once(notes, note):
    if note not in notes:
        notes.append(note)


def worlds_of(rows):
    """The worlds of these rows, from strict to optimistic."""
    return [w for w in WORLDS if any(r.text("knowledge") == w for r in rows)]


def world_column(row):
    return WORLDS[row.text("knowledge")]
