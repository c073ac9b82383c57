# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a page is made of: the tables of one run, read and held against each other."""

import csv
import io
import json
import math
import os

from plotlib.source import HISTOGRAMS, INTERVALS, RESULTS, kind_of
from statlib import table
from statlib.table import Problem, near

JSON = "json"
# Larger ones are no run that one page could show.
MOST_ROWS = 1000
# Of these one page has one value.
ONE = [c for c in table.SAME + table.TRACE if c != table.SCALE]
MAX_BYTES = 1 << 28
# What all tables of one run say alike, those that have it.
TOLD = ["schema", "tool_version", "git_commit", "trace_sha256", "vm", "kvm", "baseline", "roi",
        "warmup", "plugin_sha256", "knowledge", "legality", "clock", "helpers", "costs", "rules"]
# Of the intervals, what adds up to the row.
SUMS = ["exits_total", "exits_pf", "f_base", "avoided_direct", "avoided_side", "remaining",
        "new_exits_hi", "helper_exits"]


class Tables:
    """Paths of the tables by kind, as a run left them or as they were given."""

    def __init__(self):
        self.paths = {}

    def add(self, path):
        """Takes a file; what it is, its first line says."""
        text = text_of(path)
        if text.lstrip()[:1] in ("[", "{"):
            kind = JSON
        else:
            try:
                kind = kind_of(path, next(csv.reader(io.StringIO(text))))
            except csv.Error as e:
                raise Problem(f"{path}:1: {e}") from None
        if kind in self.paths:
            raise Problem(f"{path} and {self.paths[kind]}: both are tables of one kind; a page is"
                          " of one run")
        self.paths[kind] = path


def text_of(path):
    if os.path.isfile(path) and os.path.getsize(path) > MAX_BYTES:
        raise Problem(f"{path}: more than {MAX_BYTES >> 20} MiB; expected the table of one run")
    return table.read_text(path)


# Columns whose cells are no numbers; those of all others are, or empty.
TEXTS = {*TOLD, "trace", "trace_complete", "host_kernel", "guest_kernel", "heuristic", "params",
         "plugin", "time_source", "seed", "bounds", "quantity"}
# A page without these says nothing; what else is needed, its readers ask for.
FILLED = ["vcpus", table.SCALE]


def check_numbers(rows):
    for row in rows:
        for column, text in row.cells.items():
            if column in TEXTS or (text == "" and column not in FILLED):
                continue
            if not math.isfinite(row[column] if text else math.nan):
                raise Problem(f"{row.where}: {column} is {table.shown(text)}; expected a number")


class Row:
    """A configuration at one time scale: cells by column, and what the JSON says besides."""

    def __init__(self, cells, where):
        self.cells = cells
        self.where = where
        self.more = {}

    def text(self, column):
        return self.cells.get(column, "")

    def __getitem__(self, column):
        """The number, or None."""
        text = self.cells.get(column, "")
        if text == "":
            return None
        try:
            return float(text)
        except ValueError:
            raise Problem(f"{self.where}: {column} is {table.shown(text)}; expected a number"
                          ) from None

    def spec(self):
        params = self.text("params")
        return self.text("heuristic") + (f":{params}" if params else "")

    def scale(self):
        return float(self.text(table.SCALE))


def whole(text):
    """The same table with every recording read to its end, and what its cells said."""
    rows = list(csv.reader(io.StringIO(text), strict=True))
    if "trace_complete" not in rows[0]:
        return text, ["yes"]
    at = rows[0].index("trace_complete")
    said = [row[at] for row in rows[1:] if len(row) > at]
    # A value that nobody writes stays, for the reader to refuse.
    for row in rows[1:]:
        if len(row) > at and row[at] == "no":
            row[at] = "yes"
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue(), said


def read_results(path, text):
    """Rows whose identities hold, and whether the recording was read to its end."""
    for cells in list(csv.DictReader(io.StringIO(text)))[:1]:
        if cells.get("clock") == "real":
            raise Problem(f"{path}: clock is real: no two such runs are alike; this page is of the"
                          " virtual clock, the report of spht-replay shows the real one")
    text, complete = whole(text)
    rows = table.read([path], lambda _: text)
    for column in ONE:
        seen = list(dict.fromkeys(row.text[column] for row in rows))
        if len(seen) > 1:
            raise Problem(f"{path}: {column} is not the same everywhere ({table.shown(seen[0])},"
                          f" {table.shown(seen[1])}); a page is of one run of one recording")
    table.check_recordings(rows, ())
    if rows[0].text["rules"] != "all":
        raise Problem(f"{path}: rules is {table.shown(rows[0].text['rules'])}: no result, a table"
                      " that takes the model apart")
    if len(rows) > MOST_ROWS:
        raise Problem(f"{path}: {len(rows)} rows; nobody could read that page, {MOST_ROWS} are the"
                      " most")
    keys = [(row.text["heuristic"], row.text["params"], row.number[table.SCALE]) for row in rows]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise Problem(f"{rows[i].where}: {key[0]} at guest time x {key[2]:g} stands there twice")
    made = [Row(row.text, row.where) for row in rows]
    check_numbers(made)
    return made, "no" not in complete


class Number(str):
    """A number of JSON, as it is written there."""


def no_constant(text):
    raise ValueError(f"{text} is no number of JSON")


def read_json(path):
    """The objects, numbers as their text."""
    try:
        found = json.loads(text_of(path), parse_int=Number, parse_float=Number,
                           parse_constant=no_constant)
    except (ValueError, RecursionError) as e:
        raise Problem(f"{path}: {e}; expected what spht-replay --json writes") from None
    if not isinstance(found, list) or not found or not all(isinstance(r, dict) for r in found):
        raise Problem(f"{path}: expected an array of objects, as spht-replay --json writes")
    return found


def as_csv(path, objects):
    """The table that --csv would have written, but for the look of its numbers."""
    columns = [c for c, v in objects[0].items() if not isinstance(v, (list, dict))
               and c != "kvm_counters"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in objects:
        cells = [row.get(c) for c in columns]
        if any(isinstance(c, (list, dict, bool)) for c in cells):
            raise Problem(f"{path}: a member is no text and no number; make it again")
        # Numbers of JSON have a point where those of the table need none; a release 6.1.0 is
        # none of them.
        writer.writerow("" if c is None else c.removesuffix(".0") if isinstance(c, Number) else c
                        for c in cells)
    return out.getvalue()


def attach(rows, objects, path):
    """Gives each row what the JSON has besides; both must be of the same run."""
    if len(objects) != len(rows):
        raise Problem(f"{path}: {len(objects)} results, but the table has {len(rows)}; give those"
                      " of one run")
    for row, more in zip(rows, objects):
        for column in ["trace_sha256", "heuristic", "params", "git_commit", "knowledge"]:
            if (more.get(column) or "") != row.text(column):
                raise Problem(f"{path}: {column} is {table.shown(str(more.get(column)))}, but"
                              f" {table.shown(row.text(column))} in {row.where}; give those of one"
                              " run")
        for column in ["avoided", "f_base", "generated", "fidelity_pct", table.SCALE]:
            theirs = number_of(more.get(column))
            if (theirs is None) != (row[column] is None) \
                    or theirs is not None and not near(theirs, row[column]):
                raise Problem(f"{path}: {column} is {more.get(column)}, but"
                              f" {table.shown(row.text(column))} in {row.where}; give those of one"
                              " run")
        row.more = more


def number_of(value):
    """A number of the JSON, None if it is none."""
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def member(thing, *names):
    """A member of members, None where there is none."""
    for name in names:
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing


def close(parts, column, row, whole, what):
    """Problem if the parts' column does not add up to the row's."""
    if row[whole] is None:
        return
    total = sum(p[column] or 0 for p in parts)
    if not near(total, row[whole]):
        raise Problem(f"{parts[0].where}: {column} of {what} adds up to {total:.9g}, but {whole} is"
                      f" {row[whole]:.9g} in {row.where}; give those of one run")


class Run:
    """All that is known of one run."""

    def __init__(self, tables, told=None):
        objects = read_json(tables.paths[JSON]) if JSON in tables.paths else None
        if RESULTS in tables.paths:
            path = tables.paths[RESULTS]
            self.csv = text_of(path)
        elif objects:
            path = tables.paths[JSON]
            self.csv = as_csv(path, objects)
        else:
            raise Problem("no table of results was given; expected what spht-replay --csv or"
                          " --json writes")
        self.rows, self.complete = read_results(path, self.csv)
        if objects:
            attach(self.rows, objects, tables.paths[JSON])
        self.told = told or {}
        self.slices = self.read_more(tables, INTERVALS)
        self.bins = self.read_more(tables, HISTOGRAMS)
        self.add_up()
        self.choose()

    def read_more(self, tables, kind):
        """Rows of intervals or histograms; they are of the recording and heuristics above."""
        if kind not in tables.paths:
            return []
        path = tables.paths[kind]
        lines = csv.reader(io.StringIO(text_of(path)), strict=True)
        try:
            header = next(lines)
            rows = []
            for cells in lines:
                if len(cells) != len(header):
                    raise Problem(f"{path}:{lines.line_num}: {len(cells)} cells under"
                                  f" {len(header)} columns; the table is damaged, make it again")
                rows.append(Row(dict(zip(header, cells)), f"{path}:{lines.line_num}"))
        except csv.Error as e:
            raise Problem(f"{path}:{lines.line_num}: {e}") from None
        check_numbers(rows)
        known = {(r.spec(), r.scale()): r for r in self.rows}
        for row in rows:
            whole = known.get((row.spec(), row[table.SCALE]))
            if whole is None or row.text("trace") != whole.text("trace"):
                raise Problem(f"{row.where}: {row.spec()} of {row.text('trace')} is not in the"
                              " table of results; give those of one run")
            for column in TOLD:
                if column in row.cells and row.text(column) != whole.text(column):
                    raise Problem(f"{row.where}: {column} is {table.shown(row.text(column))}, but"
                                  f" {table.shown(whole.text(column))} in {whole.where}; give those"
                                  " of one run")
        return rows

    def add_up(self):
        """Intervals and bins have the sums that the results have, each in its row's world."""
        for row in self.rows:
            mine = [s for s in self.slices if s.spec() == row.spec() and s.scale() == row.scale()]
            for column in SUMS if mine else []:
                close(mine, column, row, column, "the intervals")
            count = f"count_{row.text('knowledge')}"
            uses = [b for b in self.bins if b.text("quantity") == "slack"
                    and b.spec() == row.spec() and b.scale() == row.scale()]
            if uses and any(b[count] is not None for b in uses):
                close(uses, count, row, "used_timely", "the bins of slack")

    def choose(self):
        """The rows that the page is about: those at guest time x 1, if there are any."""
        self.scales = list(dict.fromkeys(row.scale() for row in self.rows))
        self.scale = 1.0 if 1.0 in self.scales else self.scales[0]
        self.main = [row for row in self.rows if row.scale() == self.scale]
        self.first = self.main[0]
        names = [row.text("heuristic") for row in self.main]
        self.names = {row.spec(): self.name_of(row, names) for row in self.main}
        rated = [r for r in self.main if r.text("heuristic") not in ("none", "oracle")]
        self.rated = rated
        self.best = max(rated, key=lambda r: r["avoided"]) if rated else None

    def name_of(self, row, names):
        """Short: only those parameters that tell it from others of its name."""
        name = row.text("heuristic")
        if names.count(name) < 2:
            return name
        others = [dict(p.partition("=")[::2] for p in r.text("params").split(";"))
                  for r in self.main if r.text("heuristic") == name]
        mine = [p.partition("=")[::2] for p in row.text("params").split(";")]
        return " ".join([name] + [f"{k}={v}" for k, v in mine
                                  if len({o.get(k) for o in others}) > 1])

    def name(self, row):
        return self.names[row.spec()]

    def at(self, row, scale):
        """The same configuration at another time scale."""
        return next((r for r in self.rows if r.spec() == row.spec() and r.scale() == scale), None)
