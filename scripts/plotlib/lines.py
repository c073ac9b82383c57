# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of lines: sensitivity to a parameter, speed-up, the curve over latency."""

from . import compare
from .script import (BLACK, ENDS, LINE, Axes, Canvas, dashed, num, scale, spread, style, width_of,
                     wrap)
from .source import COUNTS, HISTOGRAMS, HUGE, RESULTS, Missing, Problem, Row, params_of, rows_of

SCALE = "guest_time_scale"
MAX_LINES = 14
# Points from the bounds of one line to those of the next.
ASIDE = 3.0
EVEN = "The parameter's values stand in equal distances"


def as_number(text):
    """None for what is none, or none that has a place on an axis."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < HUGE else None


class XAxis:
    """Positions of a parameter's values: linear, logarithmic, or evenly in their order."""

    def __init__(self, name, values, rows):
        self.name = name
        # Of the oracle's parameters one is a time, in ns.
        self.time = name == "latency" and all(r.text("heuristic") == "oracle" for r in rows)
        numbers = [as_number(v) for v in values]
        self.log = self.even = False
        if None in numbers:
            self.even = True
            order = list(values)
        else:
            order = [v for _, v in sorted(zip(numbers, values))]
            positive = [n for n in numbers if n > 0]
            wide = bool(positive) and max(positive) / min(positive) >= 4
            self.log = wide and min(numbers) > 0 and max(numbers) / min(numbers) < HUGE
            self.even = wide and not self.log
        self.order = order
        self.at = {v: (k if self.even else as_number(v)) for k, v in enumerate(order)}

    def beside(self, axes, i, of):
        """For gnuplot, where the bounds of the i-th of so many lines stand: a bit aside of its
        marks, so that they do not cover those of another. Lines and marks stay where they are:
        moved aside, a steep one would seem to cross others."""
        aside = ASIDE * (i - (of - 1) / 2) / axes.box[2]
        low, high = axes.x
        return f"($1*{num((high / low) ** aside)})" if self.log else \
            f"($1+({num((high - low) * aside)}))"

    def set(self, axes, of=1, texts=True):
        """With room at both ends for the bounds of so many lines."""
        places = list(self.at.values())
        low, high = min(places), max(places)
        room = ASIDE * (of - 1) / 2 + 3
        part = max(0.07, room / (axes.box[2] - 2 * room))
        if self.log:
            pad = (high / low) ** part
            low, high = low / pad, high * pad
        else:
            pad = (high - low) * part or 0.5
            low, high = low - pad, high + pad
        axes.x, axes.logx = (low, high), self.log
        ticks, last = [], -1e9
        for value, place in self.at.items():
            number = as_number(value)
            text = compare.time_text(number) if self.time and number is not None else \
                compare.plain(value)
            x = axes.at(place, 0)[0]
            half = width_of(text) / 2
            free = texts and x - half > last + 3
            ticks.append((text if free else "", place))
            last = x + half if free else last
        axes.range("x", low, high, ticks, log=self.log)


def pick_param(rows, asked, also=()):
    """Whose values differ while all else of the configuration is the same."""
    found = []
    for name in dict.fromkeys([*also, *(p for r in rows for p in params_of(r))]):
        groups = {}
        for row in rows:
            value = value_of(row, name)
            if value is not None:
                groups.setdefault(series_key(row, name), set()).add(value)
        if any(len(v) > 1 for v in groups.values()):
            found.append(name)
    # What a figure is usually about goes first.
    if asked is None and (len(found) == 1 or (found and found[0] in also)):
        return found[0]
    if asked in found:
        return asked
    known = f"there is {', '.join(found)}" if found else "there is none"
    raise Missing(f"{'--param=' + asked if asked else 'needs --param=NAME'}: expected a parameter"
                  f" with several values while the others stay as they are; {known}")


def value_of(row, name):
    return row.text(SCALE) if name == SCALE else params_of(row).get(name)


def series_key(row, name):
    """All of a configuration but one parameter, and what panels are made by."""
    rest = tuple((k, v) for k, v in params_of(row).items() if k != name)
    panel = tuple(row.text(c) for c in compare.PANEL if c not in (name, "knowledge"))
    return (row.text("heuristic"), rest, panel)


def stand_in(row, name):
    """The row as if it had no such parameter: what its line is called by."""
    rest = ";".join(f"{k}={v}" for k, v in params_of(row).items() if k != name)
    return Row(row.where, dict(row.cells, params=rest))


def left_out(rows, chosen, name):
    """Of what has no such parameter, a sentence."""
    kept = set(map(id, chosen))
    names = dict.fromkeys(r.text("heuristic") for r in rows if id(r) not in kept)
    return [f"Left out, without {name}: {', '.join(names)}"] if names else []


def series_of(part, name, worlds, notes):
    """Lines as (label, {x: {world: row}}), in the order of the table, and their names."""
    rows = part.rows
    out = {}
    for row in rows:
        value = value_of(row, name)
        if value is None:
            continue
        world = row.text("knowledge") if worlds else ""
        of = out.setdefault(stand_in(row, name).spec(), {}).setdefault(value, {})
        if world in of:
            raise Problem(f"{row.where}: {row.spec()} of {row.text('trace')} stands in"
                          f" {of[world].where} already; leave one out")
        of[world] = row
    names = compare.names([stand_in(r, name) for of in out.values() for worlds_of in of.values()
                           for r in worlds_of.values()])
    short = [names[spec] for spec, of in out.items() if len(of) < 2]
    out = {spec: of for spec, of in out.items() if len(of) > 1}
    if not out:
        raise Problem(f"{rows[0].where}: {part.title or rows[0].text('trace')} has one value of"
                      f" {name}; choose others (--only)")
    if short:
        notes.append(f"Left out{' of ' + part.title if part.title else ''}, with one value of"
                     f" {name}: {', '.join(short)}")
    if len(out) > MAX_LINES:
        raise Problem(f"{rows[0].where}: {len(out)} lines are too many for one pair of axes"
                      f" ({MAX_LINES} at most); choose some: --only=heuristic=NAME")
    return out, names


def line_axes(canvas, title, labels, height, y, least=42):
    """Axes with room for names at the right ends of the lines; @y is what scale() says."""
    if title:
        for line in wrap(title, canvas.width - 6):
            canvas.text(3, canvas.room(LINE + 2) + LINE / 2, line)
    right = min(max([width_of(t) for t in labels] or [0]), canvas.width * 0.36) + 14
    left = left_of(y[2], least)
    axes = canvas.add(Axes(left, canvas.room(height + 4) + 2, canvas.width - left - right - 2,
                           height))
    axes.range("y", *y)
    return axes


def left_of(ticks, least=42):
    """Where axes begin whose ticks and name both have room."""
    return max([least, *(18 + width_of(text) for text, _ in ticks)])


def draw_line(axes, points, i):
    """Line and marks of their own: gnuplot would clear the paper around marks on a line."""
    colour, dash, mark = style(i)
    axes.plot(f"{points} with lines lw 1.2 {dashed(dash)} lc rgb '{colour}'")
    axes.plot(f"{points} with points pt {mark} ps 0.5 lw 0.8 lc rgb '{colour}'")


def end_labels(canvas, axes, ends):
    """Names of lines beside their last points (x, y, text, colour)."""
    left, top, width, height = axes.box
    edge = left + width
    limit = canvas.width - edge - 14
    texts = [wrap(t, limit) for _, _, t, _ in ends]
    least = LINE * max([len(t) for t in texts] or [1]) - 0.5
    wanted = [axes.at(x, y)[1] for x, y, _, _ in ends]
    for (x, y, _, colour), lines, at in zip(ends, texts,
                                            spread(wanted, least, top, top + height)):
        x1, y1 = axes.at(x, y)
        canvas.line(x1, y1, edge + 8, at, colour)
        for k, line in enumerate(lines):
            canvas.text(edge + 10, at + LINE * (k - (len(lines) - 1) / 2), line)


def x_name(canvas, axes, text):
    left, _, width, _ = axes.box
    canvas.text(left + width / 2, canvas.room(2 * LINE + 6) + LINE * 1.7, text, "center")


def y_name(canvas, axes, text):
    _, top, _, height = axes.box
    canvas.text(6, top + height / 2, text, "center", turned=True)


def sensitivity(tables, options):
    rows = rows_of(tables, RESULTS, "avoided_lo", "avoided", "avoided_hi", "f_base")
    name = pick_param(rows, options.param)
    canvas = Canvas("sensitivity", options.width, options.form)
    notes = []
    chosen = [r for r in rows if value_of(r, name) is not None]
    for k, part in enumerate(compare.panels(chosen)):
        sensitivity_panel(canvas, part, k, name, notes)
    notes += left_out(rows, chosen, name)
    caption = [f"Exits avoided against the parameter {name}, with strict and optimistic bounds",
               compare.provenance(chosen)] + notes + compare.cautions(chosen)
    canvas.finish(caption, options.caption)
    return canvas


def share(row, column):
    value, base = row.number(column), row.number("f_base")
    return None if value is None or not base else 100 * value / base


def sensitivity_panel(canvas, part, k, name, notes):
    series, names = series_of(part, name, False, notes)
    rows = [of[""] for line in series.values() for of in line.values()]
    labels = [names[s] for s in series]
    x = XAxis(name, list(dict.fromkeys(v for line in series.values() for v in line)), rows)
    columns = ["avoided_lo", "avoided", "avoided_hi", "f_base"]
    shares = [s for r in rows for c in columns[:3] if (s := share(r, c)) is not None]
    axes = line_axes(canvas, part.title, labels, max(110, 11 * len(series)),
                     scale(shares or [0], 5))
    x.set(axes, len(series))
    ends = []
    for i, (spec, line) in enumerate(series.items()):
        points = [(value, line[value][""]) for value in x.order if value in line]
        for value, row in points:
            if empty := [c for c in columns if row.number(c) is None]:
                notes.append(f"{part.of(names[spec])} at {value}: {', '.join(empty)} empty")
            elif not row.number("f_base"):
                notes.append(f"{part.of(names[spec])} at {value}: no base fault")
            if row.text("bounds") == "crossed" and row.number("f_base"):
                top = max(share(row, c) for c in columns[:3])
                canvas.text(*above(axes, x.at[value], top), compare.DAGGER, "center")
                compare.note_once(notes, compare.CROSSED)
        data = canvas.data(f"sensitivity{k}_{i}", ["x", *columns, "value"],
                           [(spec if v == points[0][0] else "",
                             num(x.at[v]), *(r.text(c) for c in columns), quote_cell(v))
                            for v, r in points])
        colour = style(i)[0]
        beside = x.beside(axes, i, len(series))
        axes.plot(f"{data} using {beside}:(100*$2/$5):(0):(100*($4-$2)/$5) with {ENDS} lw 0.8"
                  f" lc rgb '{colour}'")
        draw_line(axes, f"{data} using 1:(100*$3/$5)", i)
        last = [(v, s) for v, r in points if (s := share(r, "avoided")) is not None]
        if last:
            ends.append((x.at[last[-1][0]], last[-1][1], names[spec], colour))
    end_labels(canvas, axes, ends)
    x_name(canvas, axes, axis_text(name, x))
    y_name(canvas, axes, "avoided, % of base faults")
    if x.even and EVEN not in notes:
        notes.append(EVEN)


def above(axes, x, y):
    """Where the sign of a point stands."""
    at, height = axes.at(x, y)
    return at, height - LINE / 2 - 1


def quote_cell(text):
    return '"' + "".join(c if c.isalnum() or c in "._-+" else "_" for c in text) + '"'


def axis_text(name, x):
    if name == SCALE:
        return "guest time ×, logarithmic" if x.log else "guest time ×"
    return ("latency of the helper" if x.time else name) + (", logarithmic" if x.log else "")


def speedup(tables, options):
    rows = rows_of(tables, RESULTS, "speedup_pct", "speedup_bound_pct")
    if all(r.number("speedup_pct") is None for r in rows):
        raise Missing(f"{rows[0].where}: the column speedup_pct is empty in all rows")
    name = pick_param(rows, options.param, [SCALE])
    canvas = Canvas("speedup", options.width, options.form)
    chosen = [r for r in rows if value_of(r, name) is not None]
    apart = ["knowledge"] + [SCALE] * (name == SCALE)
    notes = left_out(rows, chosen, name)
    worlds = compare.worlds_of(chosen)
    for k, part in enumerate(compare.panels(chosen, apart, 3)):
        SpeedupPanel(canvas, part, k, name, notes, worlds).draw()
    bars = f"; bars: from the {worlds[0]} to the {worlds[-1]} world" if len(worlds) > 1 else ""
    if len(worlds) > 1 and "inferred" not in worlds:
        bars += f"; line: {worlds[0]} world"
    caption = [f"Speed-up against {'the time scale of the guest' if name == SCALE else name};"
               " dashed: its bound, all base faults free" + bars,
               compare.provenance(chosen, compare.ALL_WORLDS)]
    canvas.finish(caption + notes + compare.cautions(chosen), options.caption)
    return canvas


class SpeedupPanel:
    """Lines of speed-ups; above them, where it is far away, the bound on axes of its own."""

    def __init__(self, canvas, part, k, name, notes, worlds):
        self.canvas, self.part, self.k, self.name, self.notes = canvas, part, k, name, notes
        self.worlds = worlds
        self.series, self.names = series_of(part, name, True, notes)
        self.rows = [r for line in self.series.values() for of in line.values()
                     for r in of.values()]
        self.x = XAxis(name, list(dict.fromkeys(v for of in self.series.values() for v in of)),
                       self.rows)

    def main_row(self, of):
        """The world that the line goes through."""
        return of.get("inferred") or next(of[w] for w in self.worlds if w in of)

    def bounds(self):
        """The bound by value: the same for all heuristics, or the largest."""
        out = {}
        for line in self.series.values():
            for value, of in line.items():
                row = self.main_row(of)
                bound = row.number("speedup_bound_pct")
                if bound is not None and (value not in out
                                          or bound > out[value].number("speedup_bound_pct")):
                    out[value] = row
        return out

    def draw(self):
        canvas, part = self.canvas, self.part
        values = [v for r in self.rows if (v := r.number("speedup_pct")) is not None]
        bounds = self.bounds()
        most = max([r.number("speedup_bound_pct") for r in bounds.values()], default=0)
        near = not bounds or most <= 3 * max([*values, 0])
        lower = scale(values + ([most] if near else []), 5)
        left = left_of(lower[2] if near else lower[2] + scale([0, most], 3)[2])
        labels = [self.names[s] for s in self.series] + ["bound"]
        if not near:
            upper = line_axes(canvas, part.title, labels, 60, scale([0, most], 3), left)
            self.x.set(upper, len(self.series), texts=False)
            self.plot_bound(upper, bounds)
            y_name(canvas, upper, "bound, %")
            canvas.room(LINE)
        axes = line_axes(canvas, part.title if near else "", labels, max(110, 11 * len(labels)),
                         lower, left)
        self.x.set(axes, len(self.series))
        ends = [self.plot_line(axes, i, spec, line)
                for i, (spec, line) in enumerate(self.series.items())]
        if near:
            ends.append(self.plot_bound(axes, bounds, label=False))
        end_labels(canvas, axes, [e for e in ends if e])
        if axes.y[0] < 0:
            axes.rule(axes.x[0], 0, axes.x[1], 0, f"lc rgb '{BLACK}' lw 0.6 back")
        x_name(canvas, axes, axis_text(self.name, self.x))
        y_name(canvas, axes, "speed-up, %")
        if self.x.even and EVEN not in self.notes:
            self.notes.append(EVEN)

    def plot_line(self, axes, i, spec, line):
        names = self.names
        rows = []
        for value in (v for v in self.x.order if v in line):
            of = line[value]
            main = self.main_row(of)
            who = f"{self.part.of(names[spec])} at {value}"
            if main.number("speedup_pct") is None:
                self.notes.append(f"{who}: speedup_pct empty")
            if lacking := [w for w in self.worlds if w not in of]:
                compare.note_once(self.notes, f"{who}: no row of the {' and '.join(lacking)} world,"
                                  " so no bar")
            # Without all worlds there is no bar.
            ends = [(main if lacking else of[w]).text("speedup_pct")
                    for w in (self.worlds[0], self.worlds[-1])]
            rows.append((spec if not rows else "", num(self.x.at[value]), ends[0],
                         main.text("speedup_pct"), ends[1], quote_cell(value)))
        data = self.canvas.data(f"speedup{self.k}_{i}",
                                ["x", "strict", "speedup_pct", "optimistic", "value"], rows)
        colour = style(i)[0]
        if any(r[2] != r[3] or r[4] != r[3] for r in rows):
            beside = self.x.beside(axes, i, len(self.series))
            axes.plot(f"{data} using {beside}:2:(0):($4-$2) with {ENDS} lw 0.8"
                      f" lc rgb '{colour}'")
        draw_line(axes, f"{data} using 1:3", i)
        last = [r for r in rows if r[3] != ""]
        return (float(last[-1][1]), float(last[-1][3]), names[spec], colour) if last else None

    def plot_bound(self, axes, bounds, label=True):
        rows = [("", num(self.x.at[v]), bounds[v].text("speedup_bound_pct"), quote_cell(v))
                for v in self.x.order if v in bounds]
        if not rows:
            self.notes.append("speedup_bound_pct empty")
            return None
        data = self.canvas.data(f"bound{self.k}", ["x", "speedup_bound_pct", "value"], rows)
        axes.plot(f"{data} using 1:2 with lines lw 1.4 dt (5,3) lc rgb '{BLACK}'")
        end = (float(rows[-1][1]), float(rows[-1][2]), "bound", BLACK)
        if label:
            end_labels(self.canvas, axes, [end])
        return end


def latency(tables, options):
    rows = [r for r in rows_of(tables, HISTOGRAMS, "quantity", "from_ns", *COUNTS)
            if r.text("quantity") == "latency"]
    if not rows:
        raise Missing("needs rows with the quantity latency: spht-replay --curve=latency"
                      " --histograms=FILE")
    canvas = Canvas("latency", options.width, options.form)
    notes = []
    for k, part in enumerate(compare.panels(rows, ["knowledge"])):
        compare.no_twins(part.rows, ["heuristic", "params", "from_ns"], "this point")
        latency_panel(canvas, part, k, notes)
    caption = ["Base faults that a helper would avoid directly if a build took so long and nothing"
               " else did; line: inferred world, bars: from the strict to the optimistic one",
               compare.provenance(rows, compare.NO_WORLD)]
    canvas.finish(caption + notes + compare.cautions(rows), options.caption)
    return canvas


def latency_panel(canvas, part, k, notes):
    """0 ns has no place on a logarithmic axis: the values stand evenly."""
    names = compare.names(part.rows)
    series = {}
    for row in part.rows:
        if (row.number("from_ns") or 0) < 0 or row.text("from_ns") == "":
            raise Problem(f"{row.where}: from_ns is {row.text('from_ns') or 'empty'}; expected what"
                          " a build takes, in ns")
        series.setdefault(row.spec(), {})[row.text("from_ns")] = row
    if len(series) > MAX_LINES:
        raise Problem(f"{part.rows[0].where}: {len(series)} lines are too many for one pair of axes"
                      f" ({MAX_LINES} at most); choose some: --only=heuristic=NAME")
    axes = line_axes(canvas, part.title, [names[s] for s in series], max(110, 11 * len(series)),
                     scale([r.number(c) or 0 for r in part.rows for c in COUNTS], 5))
    x = XAxis("latency", list(dict.fromkeys(r.text("from_ns") for r in part.rows)), [])
    x.set(axes, len(series))
    ends = []
    for i, (spec, line) in enumerate(series.items()):
        points = [(v, line[v]) for v in x.order if v in line]
        for value, row in points:
            if empty := [c for c in COUNTS if row.number(c) is None]:
                notes.append(f"{part.of(names[spec])} at {value} ns: {', '.join(empty)} empty")
        data = canvas.data(f"latency{k}_{i}", ["x", *COUNTS, "from_ns"],
                           [(spec if v == points[0][0] else "",
                             num(x.at[v]), *(r.text(c) for c in COUNTS), v) for v, r in points])
        beside = x.beside(axes, i, len(series))
        axes.plot(f"{data} using {beside}:2:(0):($4-$2) with {ENDS} lw 0.8 lc rgb '{style(i)[0]}'")
        draw_line(axes, f"{data} using 1:3", i)
        last = [(v, n) for v, r in points if (n := r.number("count_inferred")) is not None]
        if last:
            ends.append((x.at[last[-1][0]], last[-1][1], names[spec], style(i)[0]))
    end_labels(canvas, axes, ends)
    x_name(canvas, axes, "what a build takes")
    y_name(canvas, axes, "base faults avoided")
    if x.even and EVEN not in notes:
        notes.append(EVEN)
