# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of bars: avoided exits, exits by class, slack."""

import math

from . import compare
from .lines import left_of
from .script import (BLACK, BLUE, ENDS, LINE, ORANGE, SKY, Axes, Canvas, minus, num, scale,
                     width_of, wrap)
from .source import COUNTS, HISTOGRAMS, RESULTS, Missing, Problem, rows_of

GAP = 4


def pct(value, whole):
    """A percentage for people; what is not nothing is not shown as 0."""
    if value is None or not whole:
        return "–"
    share = 100 * value / whole
    text = f"{share:.2f}"
    if value and not text.strip("-0."):
        return "<0.01" if share > 0 else ">−0.01"
    return minus(text)


class Bars:
    """Horizontal bars, names on the left, what they say in figures on the right: two texts,
    one that ends and one that begins at the same place."""

    def __init__(self, canvas, labels, values, head):
        self.canvas = canvas
        values = [*values, head]
        self.first = max(width_of(v) for v, _ in values)
        self.right = self.first + GAP + max(width_of(v) for _, v in values) + GAP
        room = canvas.width - self.right - 2 * GAP
        if room < 60:
            widest = max((f"{a} {b}" for a, b in values), key=width_of)
            raise Problem(f"{widest}: too wide for a figure of this width; --width=page, or leave"
                          " that row out (--only)")
        self.left = min(max(width_of(n) for n in labels), room * 0.45) + 2 * GAP
        self.width = room - self.left + GAP
        self.head = head

    def draw(self, title, labels, values, over=0):
        """Puts up the axes; returns them and the middle of each bar, in points from the top."""
        canvas = self.canvas
        if title:
            for line in wrap(title, canvas.width - 6):
                canvas.text(3, canvas.room(LINE) + LINE / 2, line)
        top = canvas.room(LINE * (1 + over)) + LINE * over
        self.value(top + LINE / 2, self.head)
        top += LINE
        at, y = [], 2
        for name, value in zip(labels, values):
            lines = wrap(name, self.left - GAP)
            high = max(LINE * len(lines), LINE) + 2
            for i, line in enumerate(lines):
                canvas.text(self.left - GAP, top + y + high / 2 + LINE * (i - (len(lines) - 1) / 2),
                            line, "right")
            self.value(top + y + high / 2, value)
            at.append(y + high / 2)
            y += high
        canvas.room(y + 2)
        axes = canvas.add(Axes(self.left, top, self.width, y + 2))
        axes.range("y", y + 2, 0, [])
        axes.setup.append("unset ytics")
        return axes, at

    def value(self, y, texts):
        middle = self.left + self.width + GAP + self.first
        self.canvas.text(middle, y, texts[0], "right")
        self.canvas.text(middle + GAP, y, texts[1])

    def x_axis(self, axes, values, name):
        most = max(2, int(self.width / 24))
        axes.range("x", *scale(values, most))
        canvas = self.canvas
        lines = wrap(name, self.canvas.width - 6)
        top = canvas.room(LINE * (len(lines) + 1) + 6)
        for i, line in enumerate(lines):
            middle = self.left + self.width / 2
            half = width_of(line) / 2
            middle = min(max(middle, half + 2), canvas.width - half - 2)
            canvas.text(middle, top + LINE * (i + 1.6), line, "center")


def avoided(tables, options):
    rows = rows_of(tables, RESULTS, "avoided_lo", "avoided", "avoided_hi", "f_base")
    parts = compare.panels(rows)
    for part in parts:
        compare.no_twins(part.rows, ["heuristic", "params"], "the result")
    canvas = Canvas("avoided", options.width, options.form)
    notes, texts = [], {}
    names = compare.names(rows)
    for part in parts:
        for row in part.rows:
            texts[id(row)] = avoided_text(row, part.of(names[row.spec()]), notes)
    labels = [names[r.spec()] for r in rows]
    bars = Bars(canvas, labels, list(texts.values()), ("%", "[bounds]"))
    for k, part in enumerate(parts):
        avoided_panel(canvas, bars, part, k, names, texts)
    caption = ["Exits avoided, per cent of base faults, with strict and optimistic bounds"
               + ("; line: the oracle" if any(oracle_line(p.rows) is not None for p in parts)
                  else "")]
    caption += [compare.provenance(rows)] + notes + compare.cautions(rows)
    canvas.finish(caption, options.caption)
    return canvas


def avoided_text(row, who, notes):
    lo, mid, hi, base = (row.number(c) for c in ("avoided_lo", "avoided", "avoided_hi", "f_base"))
    empty = [c for c in ("avoided_lo", "avoided", "avoided_hi", "f_base") if row.number(c) is None]
    if empty:
        notes.append(f"{who}: {', '.join(empty)} empty")
    elif not base:
        notes.append(f"{who}: no base fault")
    bounds = f"[{pct(lo, base)}, {pct(hi, base)}]"
    if row.text("bounds") == "crossed":
        bounds += compare.DAGGER
        compare.note_once(notes, compare.CROSSED)
    return (pct(mid, base), bounds)


def avoided_panel(canvas, bars, part, k, names, texts):
    """Bars of one panel; the data have the cells of the table."""
    labels = [names[r.spec()] for r in part.rows]
    line = oracle_line(part.rows)
    axes, at = bars.draw(part.title, labels, [texts[id(r)] for r in part.rows],
                         1 if line is not None else 0)
    columns = ["avoided_lo", "avoided", "avoided_hi", "f_base"]
    data = canvas.data(f"avoided{k}", ["y", *columns],
                       [(name, num(y), *(r.text(c) for c in columns))
                        for name, y, r in zip(labels, at, part.rows)])
    shares = [100 * v / r.number("f_base") for r in part.rows for c in columns[:3]
              if (v := r.number(c)) is not None and r.number("f_base")]
    shares = shares + [line] if line is not None else shares
    bars.x_axis(axes, shares or [0, 100], "exits avoided, % of base faults")
    axes.plot(f"{data} using (50*$3/$5):1:(0):(100*$3/$5):($1-3.5):($1+3.5) with boxxyerror"
              f" lw 0.4 fs solid 1 border lc rgb '{BLACK}' fc rgb '{ORANGE}'")
    axes.plot(f"{data} using (100*$2/$5):1:(100*($4-$2)/$5):(0) with {ENDS}"
              f" lw 0.9 lc rgb '{BLACK}'")
    if axes.x[0] < 0:
        axes.rule(0, 0, 0, axes.y[0], f"lc rgb '{BLACK}' lw 0.6 back")
    if line is not None:
        axes.rule(line, 0, line, axes.y[0], f"lc rgb '{BLUE}' lw 1.2 dt (4,2) front")
        x, _ = axes.at(line, 0)
        text = f"oracle {pct(line, 100)}"
        half = width_of(text) / 2
        canvas.text(min(max(x, half + 2), canvas.width - half - 2), axes.box[1] - LINE * 1.5, text,
                    "center", BLUE)
        canvas.line(x, axes.box[1] - LINE, x, axes.box[1], BLUE)


def oracle_line(rows):
    """What the oracle avoids, per cent, if the table tells it and it is one for all."""
    seen = {}
    for row in rows:
        text = row.text("avoidable")
        if text and row.number("f_base"):
            seen[text] = 100 * row.number("avoidable") / row.number("f_base")
    return next(iter(seen.values())) if len(seen) == 1 else None


CLASSES = [("pf_hidden", "hidden"), ("pf_huge", "huge"), ("pf_ad", "accessed/dirty"),
           ("pf_guest", "guest's own"), ("pf_ptwrite_emul", "table write, emulated"),
           ("pf_ptwrite_unsync", "table write, let through"), ("pf_mmio", "MMIO"),
           ("pf_spurious", "spurious"), ("pf_retry", "retry")]
AVOIDABLE = {"pf_hidden", "pf_huge", "pf_ad"}
FACTS = [c for c, _ in CLASSES] + ["exits_pf"]


def classes(tables, options):
    rows = rows_of(tables, RESULTS, *FACTS)
    apart = ["knowledge", "legality", "clock", "helpers", "costs", "guest_time_scale", "pace",
             "repetition", "snapshots", "time_source"]
    parts = compare.panels(rows, apart)
    canvas = Canvas("classes", options.width, options.form)
    for part in parts:
        first = part.rows[0]
        for row in part.rows[1:]:
            for column in FACTS:
                if row.text(column) != first.text(column):
                    raise Problem(f"{row.where}: {column} of {row.text('trace')} is"
                                  f" {row.text(column)}, but {first.text(column)} in {first.where};"
                                  " the same recording must have the same")
    labels = [name for _, name in CLASSES]
    texts = [class_text(p.rows[0], c) for p in parts for c, _ in CLASSES]
    bars = Bars(canvas, labels, texts, ("exits", "%"))
    notes = []
    for k, part in enumerate(parts):
        classes_panel(canvas, bars, part, k, notes)
    whose = [p.rows[0] for p in parts]
    early = any(r.text("pf_huge_nopaging") not in ("", "0") for r in whose)
    caption = ["Page-fault exits by class, as recorded; filled: those that a helper could avoid"
               + (", but for huge ones from before the guest paged" if early else ""),
               compare.facts(whose)] + notes + compare.cautions(rows)
    canvas.finish(caption, options.caption)
    return canvas


def class_text(row, column):
    n = row.number(column)
    return ("–", "empty") if n is None else (f"{n:,.0f}", pct(n, row.number("exits_pf")))


def classes_panel(canvas, bars, part, k, notes):
    row = part.rows[0]
    labels = [name for _, name in CLASSES]
    axes, at = bars.draw(part.title, labels, [class_text(row, c) for c, _ in CLASSES])
    for column, name in CLASSES:
        if row.number(column) is None:
            notes.append(f"{part.of(name)}: {column} empty")
    data = canvas.data(f"classes{k}", ["y", "exits", "exits_pf", "avoidable"],
                       [(c, num(y), row.text(c), row.text("exits_pf"), int(c in AVOIDABLE))
                        for (c, _), y in zip(CLASSES, at)])
    whole = row.number("exits_pf")
    if not whole:
        raise Problem(f"{row.where}: exits_pf is {row.text('exits_pf') or 'empty'}: there is"
                      " nothing to draw")
    bars.x_axis(axes, [100 * (row.number(c) or 0) / whole for c, _ in CLASSES],
                "% of all page-fault exits")
    for chosen, look in ((1, f"fc rgb '{ORANGE}' fs solid 1 border lc rgb '{BLACK}'"),
                         (0, f"fc rgb '{BLUE}' fs pattern 4 border lc rgb '{BLACK}'")):
        axes.plot(f"{data} using ($4=={chosen}?50*$2/$3:NaN):1:(0):(100*$2/$3):($1-3.5):($1+3.5)"
                  f" with boxxyerror lw 0.4 {look}")


def slack(tables, options):
    rows = [r for r in rows_of(tables, HISTOGRAMS, "quantity", "from_ns", "to_ns", *COUNTS)
            if r.text("quantity") == "slack"]
    if not rows:
        raise Missing("the table of histograms has no rows with the quantity slack")
    # A recording without exits and entries has one row that says so.
    if all(r.number("from_ns") is None for r in rows):
        raise Missing(f"{rows[0].where}: the columns from_ns and count_inferred are empty")
    series, notes = [], []
    names = compare.names(rows)
    for part in compare.panels(rows, ["knowledge"]):
        compare.no_twins(part.rows, ["heuristic", "params", "from_ns"], "this bin")
        for spec in dict.fromkeys(r.spec() for r in part.rows):
            title = names[spec] + (f", {part.title}" if part.title else "")
            of = [r for r in part.rows if r.spec() == spec]
            if of[0].number("from_ns") is None:
                notes.append(f"{title}: from_ns empty")
            elif not any(r.number(c) for r in of for c in COUNTS):
                notes.append(f"{title}: no use in time")
            else:
                series.append((title, of))
    if not series:
        raise Missing(f"{rows[0].where}: no entry was used in time")
    if len(series) > options.most:
        raise Problem(f"{len(series)} histograms are too many for one figure ({options.most} at"
                      " most); choose some: --only=heuristic=NAME")
    canvas = Canvas("slack", options.width, options.form)
    used = [b for _, of in series for r in of if any(r.number(c) for c in COUNTS)
            for b in bin_of(r)]
    heights = [scale([r.number(c) or 0 for r in of for c in COUNTS], 3) for _, of in series]
    left = left_of([tick for y in heights for tick in y[2]], 46)
    for k, (title, of) in enumerate(series):
        slack_panel(canvas, title, of, k, (min(used), max(used)), (left, heights[k]),
                    k == len(series) - 1)
    caption = ["Slack: how long an entry had been ready when it was used; uses in time, inferred"
               " world, lines from the strict to the optimistic one",
               compare.provenance(rows, compare.NO_WORLD)]
    canvas.finish(caption + notes + compare.cautions(rows), options.caption)
    return canvas


def bin_of(row):
    """Logarithms of the ends, to base 2."""
    low, high = row.number("from_ns"), row.number("to_ns")
    if low is None or low < 0 or (high is not None and high <= low):
        raise Problem(f"{row.where}: from_ns is {row.text('from_ns') or 'empty'} and to_ns"
                      f" {row.text('to_ns') or 'empty'}; expected a bin")
    return (math.log2(max(low, 1)), math.log2(high) if high else math.log2(max(low, 1)) + 1)


def slack_panel(canvas, title, rows, k, span, upright, last):
    total = sum(r.number("count_inferred") or 0 for r in rows)
    for line in wrap(f"{title}: {total:,.0f} uses in time", canvas.width - 6):
        canvas.text(3, canvas.room(LINE + 2) + LINE / 2, line)
    left, height = upright
    axes = canvas.add(Axes(left, canvas.room(58) + 2, canvas.width - left - 12, 52))
    data = canvas.data(f"slack{k}", ["from_ns", "to_ns", *COUNTS, "left", "right"],
                       [("", r.text("from_ns"), r.text("to_ns"), *(r.text(c) for c in COUNTS),
                         *(num(b) for b in bin_of(r))) for r in rows])
    low, high = span[0], max(span[1], span[0] + 1)
    # Powers of ten; all have a text where there is room, else each third.
    powers = [e for e in range(0, 13) if low - 0.01 <= math.log2(10 ** e) <= high + 0.01]
    every = 1 if len(powers) * 40 < axes.box[2] else 3
    axes.range("x", low, high, [(compare.time_text(10 ** e) if last and e % every == 0 else "",
                                 math.log2(10 ** e)) for e in powers])
    axes.range("y", *height)
    axes.plot(f"{data} using (($6+$7)/2):($4/2.0):6:7:(0):4 with boxxyerror lw 0.4"
              f" fc rgb '{SKY}' fs solid 1 border lc rgb '{BLACK}'")
    axes.plot(f"{data} using (($6+$7)/2):3:(0):($5-$3) with {ENDS} lw 0.9 lc rgb '{BLACK}'")
    canvas.text(6, axes.box[1] + 26, "uses", "center", turned=True)
    if last:
        top = canvas.room(2 * LINE + 6)
        canvas.text(left + axes.box[2] / 2, top + LINE * 1.7, "slack: time of use less time of"
                    " readiness", "center")
