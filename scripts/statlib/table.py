# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads CSV tables of spht-replay and refuses what must not be put together.

read() gives rows whose numbers are numbers and whose identities hold; check() holds them
against each other. What a column means stands in docs/metrics.md.
"""

import csv
import io
import math

# 3 has columns of plugins besides, and the others mean the same.
SCHEMAS = ["2", "3", "4"]

# What a row is of. A configuration is HEURISTIC and what --vary adds, at one time scale.
TRACE = ["trace", "trace_sha256"]
HEURISTIC = ["heuristic", "params"]
SCALE = "guest_time_scale"

# One value in all rows, unless --by makes groups of it or --vary configurations.
SAME = ["schema", "tool_version", "git_commit", "trace_complete", "vcpus", "host_kernel",
        "guest_kernel", "kvm", "baseline", "baseline_recorded", "roi", "warmup", "knowledge",
        "legality", "clock", "helpers", "costs", "rules", "time_source", "seed"]
# A row of another schema means something else, and a part of a recording is none.
NEVER = ["schema", "trace_complete", "clock", "seed"]

# Facts of a recording: all rows of one have the same.
FACTS = ["lost_events", "exits_total", "exits_pf", "pf_guest", "pf_hidden", "pf_huge",
         "pf_huge_nopaging", "pf_ad", "f_base"]
WORLDS = {"strict": "avoided_lo", "inferred": "avoided", "optimistic": "avoided_hi"}
ISSUED = ["build_failed", "in_progress_end", "built"]
BUILT = ["used_timely", "used_late", "used_weak", "use_unknown", "zapped_unused",
         "evicted_unused", "lost_epoch", "resident_unused"]
GENERATED = ["duplicate", "illegal", "unknown", "queue_full", "cancelled_demand",
             "cancelled_zap", "pending_end", "issued"]
COUNTS = FACTS + list(WORLDS.values()) + [
    "avoidable", "avoided_direct", "avoided_side", "new_exits_lo", "new_exits_hi",
    "helper_exits", "remaining", "generated"] + GENERATED + ISSUED + BUILT
# Empty where there is no clock; avoided and facts never are, but for exits_total.
MAY_BE_EMPTY = ["baseline_avoided", "exits_total", "helper_busy_s", "lock_wait_s", "time_base_s",
                "time_helped_s", "speedup_pct", "speedup_bound_pct"]
NUMBERS = list(dict.fromkeys(COUNTS + MAY_BE_EMPTY + [SCALE]))
NEEDED = list(dict.fromkeys(SAME + TRACE + HEURISTIC + ["bounds"] + NUMBERS))

# From so many faults on, two recordings with the same counts of all classes are one.
TWIN_FAULTS = 5000
# Cells have nine digits.
NEAR = 1e-6


class Problem(Exception):
    """One sentence for the user, and the exit status that goes with it."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


class Row:
    """A row of a table: text by column, numbers where a column has some, and where it stood."""

    def __init__(self, where, cells):
        self.where = where
        self.text = cells
        self.number = {}

    def __getitem__(self, column):
        return self.number[column] if column in self.number else self.text[column]


def shown(value):
    return f"'{value}'" if value != "" else "nothing"


def read_text(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None
    if path.endswith(".part"):
        raise Problem(f"{path}: a table that spht-replay did not finish; run it again")
    if not data:
        raise Problem(f"{path}: empty: spht-replay prints no table when it fails"
                      " (exit status 1, 2 or 3); run it again and heed its message")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Problem(f"{path}: no text; expected a table of spht-replay --csv") from None
    if not text.endswith("\n"):
        raise Problem(f"{path}: ends within a line: it was cut off; make it again")
    if "\0" in text:
        raise Problem(f"{path}: has a zero byte; expected a table of spht-replay --csv")
    return text


def check_header(path, header):
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise Problem(f"{path}:1: column {twice[0]} stands there twice")
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise Problem(f"{path}:1: lacks the column{'s' * (len(missing) > 1)} "
                      f"{', '.join(missing)}; expected a table of spht-replay --csv, schema"
                      f" {' or '.join(SCHEMAS)}")


def parse_number(row, column):
    text = row.text[column]
    if text == "":
        if column in MAY_BE_EMPTY:
            return None
        raise Problem(f"{row.where}: {column} is empty; expected a number")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or text != text.strip():
        raise Problem(f"{row.where}: {column} is {shown(text)}; expected a number")
    return value


def near(a, b):
    return abs(a - b) <= NEAR * max(1.0, abs(a), abs(b))


def check_identities(row):
    """Those of docs/metrics.md: no run that ended well leaves a table in which one fails."""
    n = row.number
    sums = [("f_base", n["pf_hidden"] + n["pf_huge"] - n["pf_huge_nopaging"] + n["pf_ad"],
             "pf_hidden + pf_huge - pf_huge_nopaging + pf_ad"),
            ("f_base", n["avoided_direct"] + n["avoided_side"] + n["remaining"],
             "avoided_direct + avoided_side + remaining"),
            ("generated", sum(n[c] for c in GENERATED), " + ".join(GENERATED)),
            ("issued", sum(n[c] for c in ISSUED), " + ".join(ISSUED)),
            ("built", sum(n[c] for c in BUILT), " + ".join(BUILT))]
    for column, total, formula in sums:
        if not near(n[column], total):
            raise Problem(f"{row.where}: {column} is {n[column]:.9g}, but {formula} is {total:.9g}:"
                          " the identity does not hold, spht-replay ends such a run with exit"
                          " status 3; make the table again")
    ordered = n["avoided_lo"] <= n["avoided"] <= n["avoided_hi"]
    if row["bounds"] != ("ordered" if ordered else "crossed"):
        raise Problem(f"{row.where}: bounds is {shown(row['bounds'])}, but the three results are"
                      f" {'' if ordered else 'not '}in order; make the table again")
    if row["knowledge"] not in WORLDS:
        raise Problem(f"{row.where}: knowledge is {shown(row['knowledge'])}; expected one of"
                      f" {', '.join(WORLDS)}")
    mine = n[WORLDS[row["knowledge"]]]
    if row["rules"] == "all" and mine > n["avoidable"] and not near(mine, n["avoidable"]):
        raise Problem(f"{row.where}: {mine:.9g} avoided are more than the oracle's"
                      f" {n['avoidable']:.9g}: spht-replay ends such a run with exit status 3;"
                      " make the table again")


def parse_row(where, header, cells):
    if len(cells) != len(header):
        raise Problem(f"{where}: {len(cells)} cells under {len(header)} columns; the table is"
                      " damaged, make it again")
    row = Row(where, dict(zip(header, cells)))
    if row.text["schema"] not in SCHEMAS:
        raise Problem(f"{where}: schema is {shown(row.text['schema'])}; this program knows"
                      f" {', '.join(SCHEMAS)}: make the table again with the spht-replay beside it")
    if row.text["trace_complete"] != "yes":
        raise Problem(f"{where}: trace_complete is {shown(row.text['trace_complete'])}: a recording"
                      " that was not read to its end (--partial); leave it out")
    for column in ("trace", "trace_sha256", "heuristic"):
        if not row.text[column]:
            raise Problem(f"{where}: {column} is empty")
    for column in NUMBERS:
        row.number[column] = parse_number(row, column)
    check_identities(row)
    return row


def read(paths, source=read_text):
    """The rows of all tables, in order; Problem names file and line of the first that is bad."""
    rows, first = [], None
    for path in paths:
        lines = csv.reader(io.StringIO(source(path)), strict=True)
        try:
            header = next(lines)
            check_header(path, header)
            if first is None:
                first = (path, header)
            elif header != first[1]:
                other = sorted(set(header) ^ set(first[1])) or ["another order of columns"]
                raise Problem(f"{path}:1: differs from {first[0]} in {', '.join(other)}; make both"
                              " with one spht-replay")
            before = len(rows)
            for cells in lines:
                rows.append(parse_row(f"{path}:{lines.line_num}", header, cells))
        except csv.Error as e:
            raise Problem(f"{path}:{lines.line_num}: {e}") from None
        if len(rows) == before:
            raise Problem(f"{path}: has column names and no row; make it again")
    return rows


def check_same(rows, by, vary):
    for column in SAME:
        if column in by or column in vary:
            continue
        seen = {}
        for row in rows:
            seen.setdefault(row.text[column], row.where)
        if len(seen) > 1:
            values = ", ".join(f"{shown(v)} ({seen[v]})" for v in sorted(seen))
            remedy = "make all tables alike"
            if column not in NEVER:
                remedy += f", or --by={column} for groups, or --vary={column} to compare"
            raise Problem(f"{column} is not the same everywhere: {values}; {remedy}")
    for row in rows:
        if row.text["rules"] != "all" and "rules" not in vary:
            raise Problem(f"{row.where}: rules is {shown(row.text['rules'])}: no result, a table"
                          " that takes the model apart; --vary=rules compares such rows")


def check_plugins(rows):
    """A plugin's name says little: another build of it is another heuristic."""
    seen = {}
    for row in rows:
        sha = row.text.get("plugin_sha256", "")
        other = seen.setdefault(row["heuristic"], (sha, row.where))
        if other[0] != sha:
            raise Problem(f"{row.where}: {row['heuristic']} has the plugin_sha256 {shown(sha)}, but"
                          f" {shown(other[0])} in {other[1]}; make both with one plugin, or rename"
                          " one")


def group_of(row, by):
    return tuple(row.text[column] for column in by)


def config_of(row, vary):
    """What is compared with each other: hashable, and sorts as text."""
    return tuple(row.text[column] for column in HEURISTIC + list(vary))


def check_recordings(rows, by):
    """A hash is one recording with one name and one set of facts, and no other hash has these."""
    facts, names, twins = {}, {}, {}
    for row in rows:
        sha = row["trace_sha256"]
        if names.setdefault(sha, row["trace"]) != row["trace"]:
            raise Problem(f"{row.where}: {row['trace']} is the recording {names[sha]} under another"
                          f" name (trace_sha256 {sha[:12]}); rename it or leave it out")
        key = (group_of(row, by), sha)
        mine = tuple(row[column] for column in FACTS)
        where, other = facts.setdefault(key, (row.where, mine))
        for column, a, b in zip(FACTS, other, mine):
            if a != b:
                raise Problem(f"{row.where}: {column} of {row['trace']} is {b}, but {a} in {where};"
                              " the same recording must have the same")
        if row["exits_pf"] >= TWIN_FAULTS:
            twin = twins.setdefault((key[0], mine), row)
            if twin["trace_sha256"] != sha:
                raise Problem(f"{row.where}: {row['trace']} has all counts of {twin['trace']}: one"
                              " recording twice, repacked perhaps; leave one out")


def check_pairs(rows, by, vary):
    """Each configuration of a group, at each scale, once with each of the group's recordings."""
    recordings, have = {}, {}
    for row in rows:
        group, sha = group_of(row, by), row["trace_sha256"]
        recordings.setdefault(group, {})[sha] = row["trace"]
        key = (group, config_of(row, vary), row[SCALE])
        other = have.setdefault(key, {}).setdefault(sha, row)
        if other is not row:
            raise Problem(f"{row.where}: {row['trace']} with {spec_of(config_of(row, vary))} at"
                          f" guest time x {row.text[SCALE]} stands in {other.where} already; leave"
                          " one out")
    for (group, config, scale), of in have.items():
        lacking = sorted(name for sha, name in recordings[group].items() if sha not in of)
        if lacking:
            raise Problem(f"{spec_of(config)} at guest time x {scale:g} lacks the recording"
                          f" {lacking[0]}, which others have: differences are of the same"
                          " recordings; make the missing rows, or leave these out")


def check(rows, by=(), vary=()):
    """Problem, unless these rows may be put together; see the functions it calls for the rules."""
    check_same(rows, by, vary)
    check_plugins(rows)
    check_recordings(rows, by)
    check_pairs(rows, by, vary)


def warnings(rows):
    """What does not forbid a figure but has to be told beside it."""
    lost = {r["trace"]: r["lost_events"] for r in rows if r["lost_events"] > 0}
    told = [f"{name} lost {count:g} events" for name, count in sorted(lost.items())]
    crossed = [r for r in rows if r["bounds"] == "crossed"]
    if crossed:
        told.append(f"bounds are crossed in {len(crossed)} of {len(rows)} rows, the first is"
                    f" {crossed[0].where}: lo <= avoided <= hi does not hold there")
    if any(r["git_commit"].endswith("-dirty") for r in rows):
        told.append("made by a spht-replay of changed sources (git_commit ends with -dirty)")
    return told


def spec_of(config):
    """A configuration as one would give it to --heuristic; what --vary added comes after it."""
    name, params, *rest = config
    return f"{name}{':' if params else ''}{params}" + "".join(f" {value}" for value in rest)
