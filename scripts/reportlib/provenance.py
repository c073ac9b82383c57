# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a page's numbers come from, and how to make it again."""

import json
import os
import shlex

import programs
from statlib.table import Problem

from .facts import member
from .markup import Html, join, lines, shown, table, tag

# Of a header: what needs no reader's eye one by one.
MOST_LINES = 400
SHOWN = ["host", "guest", "kvm", "recorder", "origin", "repacked", "cut", "snaps", "missing",
         "marks"]


def pairs(caption, rows):
    return table(caption, ["what", "value"], [r for r in rows if r], "pairs")


def recording(run):
    """The row of the table says what it is of, the header says more."""
    first, info = run.first, run.told.get("info", {})
    host = member(info, "host") or {}
    rows = [
        ["recording", tag("span", first.text("trace"), id="trace")],
        ["SHA-256", tag("code", first.text("trace_sha256"), id="sha256")],
        ["read to its end", "yes" if run.complete else "no: --partial"],
        ["events lost", shown(first.text("lost_events"))],
        ["events", shown(info.get("events"))] if info else None,
        ["length", join(shown(info.get("span_s"), 1), " s of its clock")] if info else None,
        ["machine", machine(info)] if info else None,
        ["host kernel", first.text("host_kernel") or None],
        ["host CPU", member(host, "cpu_model")] if info else None,
        ["guest kernel", first.text("guest_kernel") or None],
        ["guest", member(info, "guest", "workload")] if info else None,
        ["vCPUs", shown(first.text("vcpus"))],
        ["VM", first.text("vm")] if first.text("vm") else None,
        ["KVM of the results", first.text("kvm") or None],
        ["KVM's own prefetch window", join(first.text("baseline") or None, ", recorded ",
                                           first.text("baseline_recorded") or None)],
        ["durations", {"recorded": "of the recorded machine",
                       "scaled": "scaled: the recording's clock is not real",
                       "": "none: without kvm_exit and kvm_entry"}.get(first.text("time_source"))],
        ["region, warm-up", join(first.text("roi") or "all of it", ", ",
                                 first.text("warmup") or "none")],
    ]
    return pairs("The recording", rows)


def machine(info):
    """As far as the header says."""
    real = info.get("clock_real")
    said = "its clock is that of an emulated machine (a lab)" if real is False else \
        "its clock is real" if real is True else "the header does not say whether its clock is real"
    below = member(info, "host", "under_hypervisor")
    return said + ("; the host ran under a hypervisor" if below is True else
                   "; the host ran under no hypervisor" if below is False else "")


def made_by(run):
    first = run.first
    rows = [["program", join("spht-replay ", first.text("tool_version"), ", commit ",
                             tag("code", first.text("git_commit")))],
            ["tables", join("schema ", first.text("schema"))]]
    for column, name in [("knowledge", "books of the world"), ("legality", "legality"),
                         ("clock", "clock"), ("helpers", "helpers"), ("snapshots", "snapshots")]:
        if first.text(column):
            rows.append([name, first.text(column)])
    rows.append(["guest time ×", ", ".join(f"{s:g}" for s in run.scales)])
    for row in run.main:
        if row.text("plugin"):
            rows.append([join("plugin ", row.text("plugin")), tag("code", row.text(
                "plugin_sha256"))])
    for said in run.told.get("said", []):
        rows.append(["spht-replay said", said])
    return pairs("The run", rows)


def quoted(words):
    return " ".join(shlex.quote(w) for w in words)


def commands(run):
    """What makes the tables and the page again; only where this page ran it."""
    told = run.told.get("commands")
    if not told:
        return tag("p", "This page was made from tables that were there; their commands are not"
                        " known here. The hash above tells the recording.")
    return lines(tag("p", "In the folder of the recording:"),
                 tag("pre", Html("\n".join(tag("code", quoted(c)) for c in told)),
                     id="commands"))


def profile_file(name, given):
    """The cost profile that the rows name, if it can be found."""
    places = [given] if given else [os.path.join(programs.TOP, *folder, "default.json")
                                    for folder in (("replay", "costs"), ("costs",))]
    for path in places:
        try:
            with open(path, encoding="utf-8") as f:
                found = json.load(f, parse_float=str, parse_int=str)
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict) and found.get("name") == name:
            return found
    return None


def costs(run):
    """Each number of the cost profile and its source."""
    name = run.first.text("costs")
    found = profile_file(name, run.told.get("costs"))
    if found is None:
        return tag("p", "Costs: profile ", tag("code", name), ". Its file is not here, so its"
                        " sources cannot be shown.")
    rows = []
    for key, value in found.items():
        if isinstance(value, dict) and "value" in value:
            said = value["value"]
            said = json.dumps(said).replace('"', "") if isinstance(said, list) else said
            rows.append([tag("code", key), said, value.get("source")])
    return lines(tag("p", "Costs: profile ", tag("code", name), ". ", found.get("about") or ""),
                 long("Every cost and its source", table(
                     f"Cost profile {name}", ["cost", "value", "source"], rows, "pairs")))


def long(summary, *inside):
    """Closed on a screen, open on paper."""
    return tag("details", tag("summary", summary), Html("\n"), *inside)


def flat(thing, name=""):
    """(path, value) of all that a header has."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    elif isinstance(thing, list) and any(isinstance(v, (dict, list)) for v in thing):
        for i, value in enumerate(thing):
            yield from flat(value, f"{name}[{i}]")
    elif isinstance(thing, list):
        yield name, " ".join(shlex.quote(str(v)) for v in thing)
    elif thing is not None:
        yield name, str(thing).lower() if isinstance(thing, bool) else thing


def header(run):
    """What the recorder wrote down."""
    info = run.told.get("info")
    if not info:
        return ""
    try:
        every = list(flat({key: info.get(key) for key in SHOWN}))
    except RecursionError:
        raise Problem(f"{run.first.text('trace')}: its header is nested too deep") from None
    rows = [[tag("code", name), value] for name, value in every[:MOST_LINES]]
    if len(every) > MOST_LINES:
        rows.append(["…", f"{len(every) - MOST_LINES} more"])
    return long("The header of the recording", table("The header", ["member", "value"], rows,
                                                     "pairs"))


def provenance(run):
    return lines(recording(run), made_by(run), tag("h3", "To make it again"), commands(run),
                 tag("h3", "Costs"), costs(run), header(run))
