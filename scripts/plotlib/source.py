# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the CSV tables of spht-replay, of whatever kind, for figures.

A figure needs few of the columns: those that it lacks are told when it asks for them, and not
before. What a column means stands in docs/metrics.md.
"""

import csv
import io
import math

from statlib.table import Problem, read_text, shown

SCHEMAS = ["2", "3", "4"]
MAX_ROWS = 1000000
HUGE = 1e15

RESULTS, INTERVALS, HISTOGRAMS = "results", "intervals", "histograms"
# By what a table is told apart, and the option of spht-replay that writes it.
OPTION = {RESULTS: "--csv", INTERVALS: "--intervals", HISTOGRAMS: "--histograms"}
# Without these a row says nothing of any kind.
NEEDED = ["schema", "trace", "heuristic", "params", "guest_time_scale", "knowledge"]
COUNTS = ["count_strict", "count_inferred", "count_optimistic"]
WORLDS = {"strict": "avoided_lo", "inferred": "avoided", "optimistic": "avoided_hi"}
# One value in all rows of a figure: other programs and other rules are other results.
SAME = ["schema", "tool_version", "git_commit", "rules", "seed"]


class Missing(Problem):
    """No table has what a figure is drawn from; `all` goes on to the next figure."""


class Row:
    """Cells of a line as text, by column, and where it stood."""

    def __init__(self, where, cells):
        self.where = where
        self.cells = cells

    def text(self, column):
        """The cell, "" if there is no such column."""
        return self.cells.get(column, "")

    def number(self, column):
        """The cell's number, None if it is empty; Missing where there is no such column."""
        if column not in self.cells:
            raise Missing(f"{self.where}: the table has no column {column}")
        text = self.cells[column]
        if text == "":
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) < HUGE or text != text.strip() or "_" in text:
            raise Problem(f"{self.where}: {column} is {shown(text)}; expected a number")
        return value

    def spec(self):
        """The configuration as one would give it to --heuristic."""
        params = self.text("params")
        return self.text("heuristic") + (":" if params else "") + params


def params_of(row):
    """The parameters by name, in order."""
    pairs = [p.partition("=") for p in row.text("params").split(";") if p]
    return {name: value for name, _, value in pairs}


def kind_of(path, header):
    if "quantity" in header and "from_ns" in header:
        return HISTOGRAMS
    if "interval" in header and "from_s" in header:
        return INTERVALS
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise Problem(f"{path}:1: lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)};"
                      " expected a table of spht-replay --csv, --intervals or --histograms")
    return RESULTS


def check_cells(row):
    for column, text in row.cells.items():
        if any(ord(c) < 32 or ord(c) == 127 for c in text):
            raise Problem(f"{row.where}: {column} has a control character; the table is damaged,"
                          " make it again")
    if row.text("schema") not in SCHEMAS:
        raise Problem(f"{row.where}: schema is {shown(row.text('schema'))}; this program knows"
                      f" {', '.join(SCHEMAS)}: make the table again with the spht-replay beside it")
    if row.cells.get("trace_complete", "yes") != "yes":
        raise Problem(f"{row.where}: trace_complete is {shown(row.text('trace_complete'))}: a"
                      " recording that was not read to its end (--partial); leave it out")
    if row.cells.get("rules", "all") != "all":
        raise Problem(f"{row.where}: rules is {shown(row.text('rules'))}: no result, a table that"
                      " takes the model apart; leave it out")
    for column in ("trace", "heuristic"):
        if not row.text(column):
            raise Problem(f"{row.where}: {column} is empty")
    if row.text("knowledge") not in WORLDS:
        raise Problem(f"{row.where}: knowledge is {shown(row.text('knowledge'))}; expected one of"
                      f" {', '.join(WORLDS)}")
    if (row.number("guest_time_scale") or 0) <= 0:
        raise Problem(f"{row.where}: guest_time_scale is {shown(row.text('guest_time_scale'))};"
                      " expected a number above 0")
    if "f_base" in row.cells and (base := row.number("f_base") or 0) != int(abs(base)):
        raise Problem(f"{row.where}: f_base is {shown(row.text('f_base'))}; expected a count")
    check_bounds(row)


def check_bounds(row):
    """No run that ended well leaves a row in which this does not hold."""
    if "bounds" not in row.cells or not all(c in row.cells for c in WORLDS.values()):
        return
    lo, mid, hi = (row.number(c) for c in WORLDS.values())
    if None in (lo, mid, hi):
        return
    said = "ordered" if lo <= mid <= hi else "crossed"
    if row.text("bounds") != said:
        raise Problem(f"{row.where}: bounds is {shown(row.text('bounds'))}, but the three results"
                      f" are {said}; make the table again")


class Table:
    """All rows of one kind."""

    def __init__(self):
        self.rows = []
        self.header = None
        self.path = None

    def add(self, path, header, lines):
        if self.header is None:
            self.header, self.path = header, path
        elif header != self.header:
            other = sorted(set(header) ^ set(self.header)) or ["another order of columns"]
            raise Problem(f"{path}:1: differs from {self.path} in {', '.join(other)}; make both"
                          " with one spht-replay")
        before = len(self.rows)
        for cells in lines:
            where = f"{path}:{lines.line_num}"
            if len(cells) != len(header):
                raise Problem(f"{where}: {len(cells)} cells under {len(header)} columns; the table"
                              " is damaged, make it again")
            row = Row(where, dict(zip(header, cells)))
            check_cells(row)
            self.rows.append(row)
            if len(self.rows) > MAX_ROWS:
                raise Problem(f"{where}: more than {MAX_ROWS} rows; nobody could read that figure")
        if len(self.rows) == before:
            raise Problem(f"{path}: has column names and no row; make it again")


def read(paths):
    """The tables by kind; Problem names file and line of the first that is bad."""
    tables = {kind: Table() for kind in OPTION}
    for path in paths:
        lines = csv.reader(io.StringIO(read_text(path)), strict=True)
        try:
            header = next(lines)
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                raise Problem(f"{path}:1: column {shown(twice[0])} stands there twice")
            kind = kind_of(path, header)
            tables[kind].add(path, header, lines)
        except csv.Error as e:
            raise Problem(f"{path}:{lines.line_num}: {e}") from None
    return tables


def only(tables, wanted):
    """Keeps the rows that have one of these values in each of these columns."""
    for column, values in wanted.items():
        known = [t for t in tables.values() if t.header and column in t.header]
        if not known:
            raise Problem(f"--only={column}: no table has that column")
        for table in known:
            table.rows = [r for r in table.rows if r.text(column) in values]
        if not any(t.rows for t in known):
            raise Problem(f"--only={column}={'|'.join(values)}: no row is left")


def check_same(rows):
    """Rows of other programs are not put into one figure."""
    for column in SAME:
        seen = {}
        for row in rows:
            seen.setdefault(row.text(column), row.where)
        if len(seen) > 1:
            values = ", ".join(f"{shown(v)} ({seen[v]})" for v in sorted(seen))
            raise Problem(f"{column} is not the same everywhere: {values}; such rows cannot be"
                          " compared: make all tables alike")


def rows_of(tables, kind, *columns):
    """The rows of one kind, which have these columns."""
    table = tables[kind]
    if not table.rows:
        raise Missing(f"needs a table of spht-replay {OPTION[kind]}, and none was given")
    for column in columns:
        if column not in table.header:
            raise Missing(f"{table.path}:1: the table has no column {column}")
    check_same(table.rows)
    return table.rows
