# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tabular of LaTeX, for booktabs: numbers aligned, texts escaped, bounds as [lo, hi]."""

import re

from . import compare
from .script import tex
from .source import RESULTS, Missing, Problem, rows_of

# Values with bounds: the columns of value, lower and upper bound; None: no value between them.
BOUNDS = {"avoided[]": ("avoided", "avoided_lo", "avoided_hi"),
          "avoided_pct[]": ("avoided", "avoided_lo", "avoided_hi"),
          "accuracy[]": (None, "accuracy_lo", "accuracy_hi"),
          "new_exits[]": (None, "new_exits_lo", "new_exits_hi")}
DEFAULT = ["name", "avoided_pct[]", "coverage", "accuracy[]", "speedup_pct"]
HEADS = {"name": "heuristic", "avoided[]": "exits avoided", "avoided_pct[]": "avoided, %",
         "accuracy[]": "accuracy", "new_exits[]": "new exits", "speedup_pct": "speed-up, %",
         "speedup_bound_pct": "bound, %", "f_base": "base faults"}
# What looks like a number and is none: of a release 6.1 is not 6.10. Shown as it stands there.
AS_TOLD = {"schema", "tool_version", "git_commit", "trace_sha256", "vm", "host_kernel",
           "guest_kernel", "kvm", "roi", "warmup", "params", "plugin_sha256", "guest_time_scale",
           "seed", "pace", "cpu_vcpu", "cpu_helper"}
FRACTIONS = {"coverage", "accuracy_lo", "accuracy_hi", "lateness", "oracle_share", "accuracy[]"}


def is_name(stem):
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", stem) is not None


def places(column):
    if column in FRACTIONS or column.endswith(("_precision", "_recall")):
        return 3
    if column.endswith(("_pct", "_pct[]")):
        return 2
    return 3 if column.endswith("_s") else 0


def number(value, digits):
    """With thin spaces, and a minus that is one; nothing that is not 0 is shown as 0."""
    text = f"{abs(value):,.{digits}f}".replace(",", r"\,")
    if value and not text.strip("0.\\,"):
        least = f"{10 ** -digits:.{digits}f}"
        return f"$<${least}" if value > 0 else f"$>$$-${least}"
    return f"$-${text}" if value < 0 else text


def cell(row, column, names, empties):
    """What stands in the tabular; empty cells are a dash, and named below."""
    if column == "name":
        return tex(names[row.spec()])
    if column in BOUNDS:
        return bounds_cell(row, column, empties)
    text = row.text(column)
    if text == "":
        empties.setdefault(column, []).append(names[row.spec()])
        return "--"
    if column in AS_TOLD:
        return tex(text)
    try:
        value = row.number(column)
    except Problem:
        return tex(text)
    whole = column in WHOLE or value != int(value)
    return number(value, places(column) or (0 if value == int(value) else 2)) if whole \
        else number(value, places(column))


WHOLE = FRACTIONS


def bounds_cell(row, column, empties):
    columns = [c for c in BOUNDS[column] if c]
    factor = 1.0
    if column == "avoided_pct[]":
        base = row.number("f_base")
        factor = 100 / base if base else None
    values = [row.number(c) for c in columns]
    wide = len(columns)
    lacking = [c for c, v in zip(columns, values) if v is None]
    for c in lacking or ["f_base"] * (factor is None):
        empties.setdefault(c, []).append(row.spec())
    if len(lacking) == wide or factor is None:
        return rf"\multicolumn{{{wide}}}{{c}}{{--}}"
    digits = places(column)
    return " & ".join("--" if v is None else number(v * factor, digits) for v in values)


def head_of(column):
    text = tex(HEADS.get(column, column))
    wide = span_of(column)
    return rf"\multicolumn{{{wide}}}{{c}}{{{text}}}" if wide > 1 else \
        (text if column == "name" else rf"\multicolumn{{1}}{{c}}{{{text}}}")


def span_of(column):
    return sum(1 for c in BOUNDS[column] if c) if column in BOUNDS else 1


def spec_of(column, rows):
    """The column's alignment; brackets and comma of bounds are the tabular's own."""
    if column in BOUNDS:
        gap = r"\hspace{2\tabcolsep}"
        begin = "r@{~[}" if BOUNDS[column][0] else f"@{{{gap}[}}"
        return f"{begin}r@{{, }}r@{{]{gap}}}"
    if column == "name":
        return "l"
    for row in rows:
        try:
            row.number(column)
        except Problem:
            return "l"
    return "r"


def table(tables, options):
    columns = options.columns or DEFAULT
    needed = []
    for column in columns:
        needed += [c for c in BOUNDS.get(column, (column,)) if c and c != "name"]
        needed += ["f_base"] * (column == "avoided_pct[]")
    if len(set(columns)) < len(columns):
        raise Problem(f"--columns={','.join(columns)}: one stands there twice", 2)
    rows = rows_of(tables, RESULTS, *needed)
    names = compare.names(rows)
    parts = compare.panels(rows, most=1000, specs=100000)
    for part in parts:
        compare.no_twins(part.rows, ["heuristic", "params"], "the result")
    wide = sum(span_of(c) for c in columns)
    empties, crossed = {}, False
    body = []
    for part in parts:
        body.append(r"\midrule")
        if part.title:
            body += [rf"\multicolumn{{{wide}}}{{l}}{{\emph{{{tex(part.title)}}}}} \\"]
        for row in part.rows:
            cells = [cell(row, c, names, empties) for c in columns]
            if row.text("bounds") == "crossed" and "avoided" in needed:
                cells[0] += r"\,$\dagger$" if columns[0] == "name" else ""
                crossed = True
            body.append(" & ".join(cells) + r" \\")
    notes = [f"{c} is empty for {', '.join(dict.fromkeys(of))}" for c, of in empties.items()]
    notes += ["dagger: bounds crossed"] * crossed + compare.cautions(rows)
    comments = ["% " + line.replace("\u00a0", " ")
                for line in [compare.provenance(rows), *notes, "Needs booktabs."]]
    return "\n".join([*comments,
                      rf"\begin{{tabular}}{{{''.join(spec_of(c, rows) for c in columns)}}}",
                      r"\toprule", " & ".join(head_of(c) for c in columns) + r" \\", *body,
                      r"\bottomrule", r"\end{tabular}", ""])
