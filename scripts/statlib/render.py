# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tables as Markdown, for people, and as CSV, for programs."""

import csv
import io

TEXT, COUNT, PCT, FRACTION, SECONDS = "text", "count", "pct", "fraction", "seconds"
PLACES = {COUNT: 0, PCT: 2, FRACTION: 4, SECONDS: 3}
# Two ends: one cell for people, two columns for programs.
COUNT_RANGE, PCT_RANGE = "count-range", "pct-range"
RANGE_OF = {COUNT_RANGE: COUNT, PCT_RANGE: PCT}
# For programs only: for people it stands below the table.
ASIDE = "aside"


class Table:
    """A title, columns as (name, kind), rows of texts, numbers, ranges; None is an empty cell."""

    def __init__(self, title, columns):
        self.title = title
        self.columns = columns
        self.rows = []

    def add(self, *cells):
        assert len(cells) == len(self.columns), (len(cells), self.columns)
        self.rows.append(cells)


def rounded(value, kind):
    """As people read it; a loss that rounds to nothing is no loss of nothing."""
    if value is None:
        return ""
    if kind in RANGE_OF:
        return f"[{', '.join(rounded(end, RANGE_OF[kind]) for end in value)}]"
    if kind == TEXT:
        return f"{value:g}" if isinstance(value, (int, float)) else str(value)
    text = f"{value:,.{PLACES[kind]}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def exact(value):
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, (int, float)) else str(value)


def escaped(text):
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def markdown(table):
    columns = [c for c in table.columns if c[1] != ASIDE]
    lines = [f"| {' | '.join(name for name, _ in columns)} |",
             "|" + "|".join("---" if kind == TEXT else "---:" for _, kind in columns) + "|"]
    for row in table.rows:
        cells = (escaped(rounded(v, kind)) for v, (_, kind) in zip(row, table.columns)
                 if kind != ASIDE)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def comma_separated(table):
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    header = []
    for name, kind in table.columns:
        header += [f"{name}_low", f"{name}_high"] if kind in RANGE_OF else [name]
    write.writerow(header)
    for row in table.rows:
        cells = []
        for value, (_, kind) in zip(row, table.columns):
            cells += (value or (None, None)) if kind in RANGE_OF else (value,)
        write.writerow([exact(v) for v in cells])
    return out.getvalue()
