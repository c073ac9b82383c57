# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exits, and those avoided, over the time of the recording."""

from . import compare
from .lines import left_of, x_name, y_name
from .script import BLACK, BLUE, LINE, PALE, RED, Axes, Canvas, num, scale, width_of, wrap
from .source import INTERVALS, RESULTS, WORLDS, Problem, Row, rows_of

PARTS = ["from_s", "to_s", "exits_pf", "f_base", "avoided_direct", "avoided_side", "new_exits_lo",
         "new_exits_hi", "helper_exits"]


# What a table of intervals tells of its run, but for the world, which only changes the books.
KEY = ["schema", "trace", "roi", "warmup", "heuristic", "params", "guest_time_scale"]
# By these the books of one run are told from those of another.
BOOKS = ["avoided_direct", "avoided_side", "new_exits_hi", "helper_exits"]


def key_of(row):
    return tuple(row.text(c) for c in KEY)


def with_provenance(rows, tables):
    """Rows of intervals with what the table of results tells of their run."""
    known, runs = {}, {}
    for row in tables[RESULTS].rows:
        known.setdefault(key_of(row), []).append(row)
    for row in rows:
        runs.setdefault((key_of(row), row.text("knowledge")), []).append(row)
    out = []
    for (key, world), of in runs.items():
        told = run_of(of, world, known.get(key, []))
        for row in of:
            more = {c: told.text(c) for c in compare.PANEL if c not in row.cells} if told else {}
            out.append(Row(row.where, {**row.cells, **more}))
    return out


def run_of(rows, world, known):
    """The row of results that these intervals are of, None if there is none. One of another world
    tells clock and baseline, too."""
    alike = [r for r in known if r.text("knowledge") == world]
    found = [r for r in alike if is_sum(rows, r)] if alike else known
    if alike and not found:
        raise Problem(f"{rows[0].where}: the intervals of {rows[0].spec()} do not add up to what"
                      f" {alike[0].where} has; give the --csv table of the same run")
    columns = [c for c in compare.PANEL if c not in rows[0].cells]
    for other in found[1:]:
        for column in columns:
            if other.text(column) != found[0].text(column):
                raise Problem(f"{rows[0].where}: these intervals may be of {found[0].where} or of"
                              f" {other.where}, which differ in {column}; give the table of one"
                              " run")
    return found[0] if found else None


def is_sum(rows, whole):
    """Whether the books can be those of this row; of some of the intervals (--only) nothing can
    be said."""
    columns = [c for c in ["f_base", *BOOKS] if whole.text(c) != ""]
    if any(r.number(c) is None for r in rows for c in columns):
        return True
    wrong = [c for c in columns if sum(r.number(c) for r in rows) != whole.number(c)]
    return not wrong or "f_base" in wrong


def time(tables, options):
    rows = with_provenance(rows_of(tables, INTERVALS, *PARTS), tables)
    compare.no_twins(rows, [*compare.PANEL, "heuristic", "params", "from_s"], "this interval")
    names = compare.names(rows)
    series = []
    for part in compare.panels(rows, ["knowledge"]):
        for spec in dict.fromkeys(r.spec() for r in part.rows):
            title = names[spec] + (f", {part.title}" if part.title else "")
            series.append((title, [r for r in part.rows if r.spec() == spec]))
    if len(series) > options.most:
        raise Problem(f"{len(series)} runs are too many for one figure ({options.most} at most);"
                      " choose some: --only=heuristic=NAME, --only=guest_time_scale=1")
    canvas = Canvas("time", options.width, options.form)
    notes = []
    worlds = compare.worlds_of(rows)
    banded = "strict" in worlds and "optimistic" in worlds
    time_key(canvas, banded)
    for k, (title, of) in enumerate(series):
        canvas.room(LINE if k else 0)
        axes = time_panel(canvas, title, of, k, notes, banded)
    x_name(canvas, axes, "time of the recording, s")
    caption = ["Page-fault exits, base faults and those avoided (direct and side, before new exits"
               " are charged), per second of the recording, means over intervals"
               + ("; a region cuts the first and the last" if any(
                   r.text("roi") or r.text("warmup") for r in rows) else "")
               + ("; band: strict to optimistic world, charged" if banded else "")
               + (f"; lines: {worlds[0]} world" if len(worlds) > 1 and "inferred" not in worlds
                  else ""),
               compare.provenance(rows, compare.ALL_WORLDS)]
    canvas.finish(caption + notes + compare.cautions(rows), options.caption)
    return canvas


LOOKS = [("#PF exits", f"lw 1 lc rgb '{BLACK}'"),
         ("base faults", f"lw 1 dt (4,2) lc rgb '{BLUE}'"),
         ("avoided", f"lw 1.6 lc rgb '{RED}'")]


def time_key(canvas, banded):
    """A line above all panels: what is what."""
    looks = LOOKS + ([("bounds", None)] if banded else [])
    rows = 1 if sum(24 + width_of(text) for text, _ in looks) <= canvas.width else 2
    top = canvas.room(rows * LINE + 4)
    axes = canvas.add(Axes(0, top, canvas.width, rows * LINE))
    axes.setup = ["unset border", "unset tics", "unset grid", f"set xrange [0:{canvas.width}]",
                  f"set yrange [{rows}:0]"]
    x, y = 4.0, 0.5
    for text, look in looks:
        if x + 24 + width_of(text) > canvas.width:
            x, y = 4.0, 1.5
        if look:
            axes.rule(x, y, x + 14, y, look)
        else:
            axes.setup.append(f"set object rectangle from {num(x)},{y - 0.4:g} to {num(x + 14)},"
                              f"{y + 0.4:g} fs solid 1 noborder fc rgb '{PALE}'")
        canvas.text(x + 17, top + y * LINE, text)
        x += 24 + width_of(text)
    axes.plot("NaN")


def by_interval(rows):
    out = {}
    for row in rows:
        low, high = row.number("from_s"), row.number("to_s")
        # They are written to the nanosecond.
        if low is None or high is None or high - low < 1e-9:
            raise Problem(f"{row.where}: from_s is {row.text('from_s') or 'empty'} and to_s"
                          f" {row.text('to_s') or 'empty'}; expected an interval")
        out.setdefault((low, high), {})[row.text("knowledge")] = row
    return sorted(out.items())


def time_panel(canvas, title, rows, k, notes, banded):
    for line in wrap(title, canvas.width - 6):
        canvas.text(3, canvas.room(LINE + 2) + LINE / 2, line)
    slices = by_interval(rows)
    full = [i for i, (_, of) in enumerate(slices) if any(r.number("exits_pf") for r in of.values())]
    if not full:
        raise Problem(f"{rows[0].where}: no interval has a page-fault exit; nothing to draw")
    slices = slices[full[0]:full[-1] + 1]
    lines, bands, ends_of, gaps, end = [], [], [0.0], [], 0.0
    for (low, high), of in slices:
        row = of.get("inferred") or next(of[w] for w in WORLDS if w in of)
        if lines and low != end:
            # It ends there, and goes on behind the gap.
            lines += [ending(end, lines[-1]), None]
            gaps.append(f"{end:g} to {low:g} s")
        end = high
        if empty := [c for c in PARTS if row.number(c) is None]:
            notes.append(f"{title} at {low:g} s: {', '.join(empty)} empty")
        lines.append(("", *(row.text(c) for c in PARTS[:6])))
        ends_of.append((row.number("exits_pf") or 0) / (high - low))
        if "strict" in of and "optimistic" in of:
            ends = [band_end(of.get(w, row), c) for w, c in
                    (("strict", "new_exits_hi"), ("optimistic", "new_exits_lo"))]
            bands.append(("", row.text("from_s"), row.text("to_s"), *ends))
            ends_of += [float(e) / (high - low) for e in ends if e]
    if gaps:
        notes.append(f"{title}: no intervals from {', '.join(gaps)}")
    if banded and len(bands) < len(slices):
        notes.append(f"{title}: {len(slices) - len(bands)} of {len(slices)} intervals lack the"
                     " strict or the optimistic world, so a band")
    lines.append(ending(end, lines[-1]))
    y = scale(ends_of, 4)
    left = left_of(y[2])
    axes = canvas.add(Axes(left, canvas.room(74) + 2, canvas.width - left - 12, 68))
    axes.range("y", *y)
    draw_time(canvas, axes, k, lines, bands)
    axes.range("x", slices[0][0][0], end,
               scale_within(slices[0][0][0], end, int(axes.box[2] / 32)))
    y_name(canvas, axes, "per second")
    return axes


def ending(end, line):
    """A step holds until the next one: the one at the end, as high and as long as the last."""
    length = float(line[2]) - float(line[1])
    return ("the end of the last one", num(end), num(end + length), *line[3:])


def band_end(row, charge):
    parts = [row.number(c) for c in ("avoided_direct", "avoided_side", charge, "helper_exits")]
    return "" if None in parts else num(parts[0] + parts[1] - parts[2] - parts[3])


def scale_within(low, high, most):
    return [t for t in scale([low, high], most, zero=False)[2] if low <= t[1] <= high]


def draw_time(canvas, axes, k, lines, bands):
    if bands:
        data = canvas.data(f"band{k}", ["from_s", "to_s", "strict", "optimistic"], bands)
        axes.plot(f"{data} using (($1+$2)/2):($3/($2-$1)):1:2:($3/($2-$1)):($4/($2-$1)) with"
                  f" boxxyerror fs solid 1 noborder fc rgb '{PALE}'")
    data = canvas.data(f"time{k}", PARTS[:6], lines)
    for what, (_, look) in zip(("$3", "$4", "($5+$6)"), LOOKS):
        axes.plot(f"{data} using 1:({what}/($2-$1)) with steps {look}")
