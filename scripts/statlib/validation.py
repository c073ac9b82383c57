# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/validation.md, from the tables of compare.py and prose."""

import os
import posixpath
import re

from .compare import OUTSIDE, TOLERATED_PCT, Compared
from .prose import Prose
from .render import TEXT, Table, markdown
from .table import Problem

# What the pieces call it in their links.
PAGE = "validation.md"

# Of a whole table, in {{TABLE/*/...}}.
OF_ALL = {
    "rows": lambda rows: len(rows),
    "agreeing": lambda rows: sum(r.agrees() for r in rows),
    "beyond": lambda rows: sum(not r.agrees() for r in rows),
    "outside": lambda rows: sum(r.inside() == OUTSIDE for r in rows),
    "worst_pct": lambda rows: max(abs(r.error_pct() or 0.0) for r in rows),
}


def amount(value):
    """Counts as counts; small ones with what makes them differ."""
    if value is None:
        return ""
    places = 0 if abs(value) >= 1000 or value == int(value) else 1 if abs(value) >= 100 else \
        2 if abs(value) >= 1 else 4
    text = f"{value:,.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def span(low, high):
    return "" if low is None else f"{amount(low)} to {amount(high)}"


def percent(value):
    return "no share" if value is None else f"{value:+.2f}"


def rows_of(table, rows):
    """One group of a table of comparisons; columns that are empty in all of it are left out."""
    columns = ["", *table.extra, "predicted", "lo to hi", "interval ", "measured", "interval",
               "n", "error, %", "within lo to hi"]
    cells = [[r.text["what"], *(r.text[c] for c in table.extra), amount(r["predicted"]),
              span(r["predicted_lo"], r["predicted_hi"]),
              span(r["predicted_ci_lo"], r["predicted_ci_hi"]), amount(r["measured"]),
              span(r["measured_lo"], r["measured_hi"]), amount(r["n"]),
              percent(r.error_pct()), r.inside()] for r in rows]
    used = [i for i in range(len(columns)) if any(row[i] for row in cells)]
    shown = Table("", [(columns[i], TEXT) for i in used])
    for row in cells:
        shown.add(*(row[i] for i in used))
    return markdown(shown)


def slug(heading):
    """What GitHub makes of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def relinked(text, folder):
    """A piece of the folder as it stands in the page above: links from there, to headings of
    the page itself by these alone. What stands between backquotes is no link."""
    def link(match):
        target = match[1]
        if target is None or re.match(r"#|[a-z]+:", target):
            return match[0]
        target = posixpath.normpath(posixpath.join(folder, target))
        return f"]({target.removeprefix(PAGE) if target.startswith(PAGE + '#') else target})"

    return re.sub(r"`[^`\n]*`|\]\(([^()\s]+)\)", link, text)


def anchors(text):
    return {slug(h) for h in re.findall(r"^#+ (.*)$", text, re.M)}


class Page(Prose):
    """The frame, and in it the sections."""

    form = "TABLE/ROW/COLUMN"

    def __init__(self, path, folder, tables):
        super().__init__(path)
        self.folder = folder
        self.tables = tables
        self.shown = set()

    def figure(self, mark, text):
        words = text.strip().split("/")
        if len(words) != 3:
            raise self.wrong(mark, f"expected {self.form}")
        table, what, column = words
        if table not in self.tables:
            raise self.wrong(mark, f"there is no table {table}")
        table = self.tables[table]
        if what == "*" and column in OF_ALL and isinstance(table, Compared):
            value = OF_ALL[column](table.rows)
            return value, f"{value:.2f}" if column.endswith("_pct") else str(value)
        first = table.columns[0]
        for row in table.rows:
            cells = row.text if isinstance(table, Compared) else row
            if cells[first] == what:
                return self.cell(mark, table, row, column)
        raise self.wrong(mark, f"{table.name} has no row '{what}'")

    def cell(self, mark, table, row, column):
        compared = isinstance(table, Compared)
        if compared and column == "error_pct":
            if row.error_pct() is None:
                raise self.wrong(mark, "is empty")
            return row.error_pct(), percent(row.error_pct())
        cells = row.text if compared else row
        if not cells.get(column):
            raise self.wrong(mark, f"{column} is empty or not there")
        try:
            return float(cells[column]), amount(float(cells[column]))
        except ValueError:
            return None, cells[column]

    def show(self, name):
        """A table with what its file says of itself."""
        if name not in self.tables:
            raise Problem(f"{self.path}: {{{{table {name}}}}}: there is no table {name}")
        table = self.tables[name]
        self.shown.add(name)
        lines = []
        if isinstance(table, Compared):
            kinds = {r.text["interval"] for r in table.rows if r.text.get("interval")}
            for group, rows in table.groups().items():
                lines += [f"### {group}\n"] * bool(group) + [rows_of(table, rows)]
            lines += [f"Intervals: {'; '.join(sorted(kinds))}.\n"] * bool(kinds)
        else:
            plain = Table("", [(c, TEXT) for c in table.columns])
            for row in table.rows:
                plain.add(*row.values())
            lines.append(markdown(plain))
        lines += [f"* {key}: `{value}`" for key, value in table.facts]
        return "\n".join(lines).rstrip() + "\n"

    def with_tables(self, text):
        """Filled in last: figures of tables are no figures by hand."""
        parts = re.split(r"^@@table ([\w-]+)@@$", text, flags=re.M)
        return "".join(self.show(p) if i % 2 else p for i, p in enumerate(parts))

    def section(self, name, title):
        path = os.path.join(self.folder, name + ".md")
        if name not in self.tables:
            return (f"## {title}\n\nNothing was compared yet: there is no"
                    f" `docs/validation/{name}.csv`.\n")
        text = Page(path, self.folder, self.tables)
        folder = os.path.basename(os.path.normpath(self.folder))
        filled = text.with_tables(text.fill(relinked(read_text(path), folder)))
        if name not in text.shown:
            filled = filled.rstrip() + "\n\n" + text.show(name)
        self.shown |= text.shown
        return f"## {title}\n\n{filled.strip()}\n"

    def replace(self, match):
        word, _, rest = match[1].partition(" ")
        if word == "section":
            name, _, title = rest.partition(" ")
            if not title:
                raise self.wrong(match[1], "expected section NAME TITLE")
            return self.section(name, title).rstrip()
        if word == "table":
            return f"@@table {rest}@@"
        if match[1] == "disagreeing":
            return "@@disagreeing@@"
        return super().replace(match)


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as e:
        raise Problem(f"{path}: {getattr(e, 'strerror', None) or 'no text'}") from None


def disagreeing(tables):
    shown = Table("", [(c, TEXT) for c in ("table", "row", "predicted", "measured", "error, %",
                                           "within lo to hi", "explained in")])
    for table in tables.values():
        for r in table.rows if isinstance(table, Compared) else []:
            if not r.agrees():
                links = ", ".join(f"[{a.partition('#')[2]}]({a})" for a in r.explained)
                shown.add(table.name, r.text["what"], amount(r["predicted"]),
                          amount(r["measured"]), percent(r.error_pct()), r.inside(), links)
    return markdown(shown) if shown.rows else "None.\n"


def check_explained(tables, text, docs):
    """Each row that disagrees has a reason, which is there; no other row has one."""
    known = {"": anchors(text)}
    for table in tables.values():
        for r in table.rows if isinstance(table, Compared) else []:
            what = f"docs/validation/{table.name}.csv, '{r.text['what']}'"
            if r.agrees() and r.explained:
                raise Problem(f"{what}: agrees, and has an explanation all the same; take it out")
            if not r.agrees() and not r.explained:
                raise Problem(f"{what}: predicted {amount(r['predicted'])}, measured"
                              f" {amount(r['measured'])} ({percent(r.error_pct())} %"
                              f"{', outside of its bounds' if r.inside() == OUTSIDE else ''}): more"
                              f" than {TOLERATED_PCT:g} % or out of bounds; mend the model, or say"
                              " in `explained` which paragraph names the cause")
            for anchor in r.explained:
                file, _, heading = anchor.partition("#")
                if file not in known:
                    known[file] = anchors(read_text(os.path.join(docs, file)))
                if heading not in known[file]:
                    raise Problem(f"{what}: {anchor}: there is no such heading")


def page(path, folder, docs, tables):
    """The whole text; path: of the frame."""
    frame = Page(path, folder, tables)
    text = frame.with_tables(frame.fill(read_text(path)))
    for name in tables:
        if name not in frame.shown:
            raise Problem(f"{path}: nothing shows docs/validation/{name}.csv; write"
                          f" {{{{section {name} TITLE}}}} there or {{{{table {name}}}}} in a"
                          " section")
    if "@@disagreeing@@" not in text:
        raise Problem(f"{path}: expected {{{{disagreeing}}}}")
    text = text.replace("@@disagreeing@@", disagreeing(tables).rstrip())
    check_explained(tables, text, docs)
    return text
