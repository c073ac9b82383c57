# SPDX-License-Identifier: LGPL-2.1-or-later
"""Predictions held against what was measured: the CSV files of docs/validation."""

import csv
import glob
import math
import os
import re

from .table import Problem

# Above this, in per cent of what was measured, a row has to be explained.
TOLERATED_PCT = 5.0
NEEDED = ["what", "predicted", "measured", "n"]
NUMBERS = ["predicted_lo", "predicted", "predicted_hi", "predicted_ci_lo", "predicted_ci_hi",
           "measured", "measured_lo", "measured_hi", "n"]
# The same by the bootstrap: for who computes with the file, not shown.
BOOTSTRAP = ["predicted_bca_lo", "predicted_bca_hi", "measured_bca_lo", "measured_bca_hi"]
KNOWN = NUMBERS + BOOTSTRAP + ["what", "group", "interval", "explained"]
PAIRS = [("predicted_lo", "predicted_hi"), ("predicted_ci_lo", "predicted_ci_hi"),
         ("measured_lo", "measured_hi")]
# Where the measured value lies.
NO_BOUNDS, INSIDE, INTERVAL, OUTSIDE = "", "yes", "interval only", "no"
ANCHOR = re.compile(r"(?:[\w-]+\.md)?#[\w-]+\Z")


class Comparison:
    """One row: a prediction with its bounds, a measurement with its interval."""

    def __init__(self, text, number, explained):
        self.text = text
        self.number = number
        self.explained = explained

    def __getitem__(self, column):
        return self.number[column]

    def error_pct(self):
        """(predicted - measured) / measured; None: of nothing there is no share."""
        if self["measured"]:
            return 100.0 * (self["predicted"] - self["measured"]) / self["measured"]
        return 0.0 if not self["predicted"] else None

    def inside(self):
        """Does what was measured lie within the bounds: the value, or only a part of its interval?"""
        low, high = self["predicted_lo"], self["predicted_hi"]
        if low is None:
            return NO_BOUNDS
        if low <= self["measured"] <= high:
            return INSIDE
        if self["measured_lo"] is None:
            return OUTSIDE
        meets = self["measured_lo"] <= high and low <= self["measured_hi"]
        return INTERVAL if meets else OUTSIDE

    def agrees(self):
        error = self.error_pct()
        return error is not None and abs(error) <= TOLERATED_PCT and self.inside() != OUTSIDE


class Plain:
    """A table without predictions: its figures are shown, and nothing is asked of them."""

    def __init__(self, name, facts, columns, rows):
        self.name = name
        self.facts = facts
        self.columns = columns
        self.rows = rows


class Compared(Plain):
    """A table of Comparisons; @extra: columns that are the file's own."""

    def __init__(self, name, facts, columns, rows):
        super().__init__(name, facts, columns, rows)
        self.extra = [c for c in columns if c not in KNOWN]

    def groups(self):
        found = {}
        for row in self.rows:
            found.setdefault(row.text.get("group", ""), []).append(row)
        return found


def wrong(path, line, why):
    return Problem(f"{path}:{line}: {why}")


def number_of(path, line, column, text):
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise wrong(path, line, f"{column} '{text}': expected a number")
    return value


def lines_of(path):
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read().splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise Problem(f"{path}: {getattr(e, 'strerror', None) or 'no text'}") from None


def reasons(path):
    """{what: anchors} of a file of explanations, if it is there: a row's name, '=>', anchors."""
    found = {}
    for number, line in enumerate(lines_of(path) if os.path.exists(path) else [], 1):
        what, arrow, anchors = (part.strip() for part in line.rpartition("=>"))
        if not line.strip() or line.startswith("#"):
            continue
        if not arrow or not what or what in found:
            raise wrong(path, number, f"'{line}': expected WHAT => ANCHOR..., each WHAT once")
        found[what] = anchors
    return found


def comparison(path, line, cells, why):
    number = {c: number_of(path, line, c, cells.get(c, "")) for c in NUMBERS}
    for column in NEEDED:
        if not cells[column]:
            raise wrong(path, line, f"{column} is empty")
    for low, high in PAIRS:
        if (number[low] is None) != (number[high] is None):
            raise wrong(path, line, f"{low} and {high} are not both there")
        if number[low] is not None and number[low] > number[high]:
            raise wrong(path, line, f"{low} is above {high}")
    if number["measured_lo"] is not None and not cells.get("interval"):
        raise wrong(path, line, "interval is empty: what are measured_lo and measured_hi?")
    if cells.get("explained") and why:
        raise wrong(path, line, "is explained twice, here and in the file of explanations")
    anchors = (cells.get("explained") or why).split()
    for anchor in anchors:
        if not ANCHOR.match(anchor):
            raise wrong(path, line, f"explained '{anchor}': expected FILE.md#HEADING or #HEADING")
    return Comparison(cells, number, anchors)


def read(path):
    """The table of a file: Compared where it has a column `predicted`, else Plain."""
    name = os.path.basename(path).removesuffix(".csv")
    lines = lines_of(path)
    facts = []
    while lines and lines[0].startswith("#"):
        key, colon, value = lines[0][1:].partition(":")
        if not colon:
            raise wrong(path, len(facts) + 1, f"'{lines[0]}': expected # KEY: VALUE")
        facts.append((key.strip(), value.strip()))
        lines = lines[1:]
    table = list(csv.reader(lines))
    if len(table) < 2:
        raise Problem(f"{path}: expected a row of column names and rows below it")
    columns = table[0]
    missing = [c for c in NEEDED if c not in columns] if "predicted" in columns else []
    if missing or len(set(columns)) != len(columns):
        raise Problem(f"{path}: expected columns {', '.join(NEEDED)}, each column once")
    why = reasons(path.removesuffix(".csv") + ".explained")
    rows, seen = [], set()
    for line, cells in enumerate(table[1:], len(facts) + 2):
        if len(cells) != len(columns):
            raise wrong(path, line, f"{len(cells)} cells, expected {len(columns)}")
        if cells[0] in seen or not cells[0] or "/" in cells[0]:
            raise wrong(path, line, f"'{cells[0]}': expected a name without '/', each once")
        seen.add(cells[0])
        cells = dict(zip(columns, cells))
        rows.append(comparison(path, line, cells, why.pop(cells["what"], ""))
                    if "predicted" in columns else cells)
    if why:
        raise Problem(f"{path}: an explanation of '{next(iter(why))}', which is no row of it")
    if "predicted" not in columns:
        return Plain(name, facts, columns, rows)
    if columns[0] != "what":
        raise Problem(f"{path}: expected what as the first column")
    return Compared(name, facts, columns, rows)


def read_all(folder):
    return {t.name: t for t in map(read, sorted(glob.glob(os.path.join(folder, "*.csv"))))}
