# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coverage against accuracy, a point for each heuristic with its name beside it."""

import math

from . import compare
from .script import COLOURS, ENDS, FONT, GREY, LINE, POINTS, Axes, Canvas, scale, width_of, wrap
from .source import RESULTS, Missing, Problem, rows_of

COLUMNS = ["coverage", "accuracy_lo", "accuracy_hi"]
HIGH = FONT + 1
MARK = 3


def hit(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def along(x1, y1, x2, y2):
    """Small boxes on a line."""
    n = max(1, int(math.hypot(x2 - x1, y2 - y1) / 4))
    return [(x - 0.5, y - 0.5, x + 0.5, y + 0.5)
            for x, y in ((x1 + (x2 - x1) * k / n, y1 + (y2 - y1) * k / n) for k in range(n + 1))]


def beside(x, y, w):
    """Boxes close to a point, the best first."""
    for dx, dy in ((MARK + 2, -HIGH / 2), (-MARK - 2 - w, -HIGH / 2), (MARK, -HIGH - 1),
                   (MARK, 1), (-MARK - w, -HIGH - 1), (-MARK - w, 1), (-w / 2, -HIGH - MARK),
                   (-w / 2, MARK)):
        yield (x + dx, y + dy, x + dx + w, y + dy + HIGH)


def farther(x, y, w, field):
    """All other places of the field, the nearest first."""
    left, top, right, bottom = field
    places = []
    for i in range(max(0, int((right - left - w) / 4)) + 1):
        for j in range(max(0, int((bottom - top - HIGH) / 4)) + 1):
            a, b = left + 4 * i, top + 4 * j
            near_x, near_y = min(max(x, a), a + w), b + HIGH / 2
            places.append((math.hypot(near_x - x, 1.5 * (near_y - y)), a, b))
    for _, a, b in sorted(places):
        yield (a, b, a + w, b + HIGH)


def inside(box, field):
    return field[0] <= box[0] and field[1] <= box[1] and box[2] <= field[2] and box[3] <= field[3]


def leader(x, y, box):
    """From a point to the edge of a box that is not beside it; nothing if it is."""
    to_x, to_y = min(max(x, box[0]), box[2]), min(max(y, box[1] + 1), box[3] - 1)
    if math.hypot(to_x - x, to_y - y) <= MARK + 4:
        return None
    return (x, y, to_x, (box[1] + box[3]) / 2 if to_x in (box[0], box[2]) else to_y)


def place(points, field):
    """A box and a leader for each (x, y, name, bar top, bar bottom); None if there is no room."""
    taken = []
    for x, y, _, top, bottom in points:
        taken.append((x - MARK, y - MARK, x + MARK, y + MARK))
        taken.append((x - 1.5, top, x + 1.5, bottom))
    out = {}
    # Who has least freedom first: the points in the crowd.
    crowd = [sum(math.hypot(x - a, y - b) < 30 for a, b, *_ in points) for x, y, *_ in points]
    for i in sorted(range(len(points)), key=lambda k: (-crowd[k], points[k][1], points[k][0], k)):
        x, y, name, _, _ = points[i]
        w = width_of(name)
        for box in (*beside(x, y, w), *farther(x, y, w, field)):
            if not inside(box, field) or any(hit(box, t) for t in taken):
                continue
            line = leader(x, y, box)
            if line and any(hit(s, t) for s in along(*line) for t in (v[0] for v in out.values())):
                continue
            out[i] = (box, line)
            taken.append(box)
            taken += along(*line) if line else []
            break
        else:
            return None
    return [out[i] for i in range(len(points))]


def plane(tables, options):
    rows = rows_of(tables, RESULTS, *COLUMNS)
    notes, drawn = [], []
    names = compare.names(rows)
    whose = {id(r): part for part in compare.panels(rows, most=len(rows), specs=len(rows))
             for r in part.rows}
    for row in rows:
        empty = [c for c in COLUMNS if row.number(c) is None]
        if row.text("heuristic") == "oracle":
            note = "The oracle, a bound, is left out"
        elif empty:
            note = f"{whose[id(row)].of(names[row.spec()])}: {', '.join(empty)} empty"
        else:
            drawn.append(row)
            continue
        compare.note_once(notes, note)
    if not drawn:
        raise Missing("no row with coverage and accuracy, but of the oracle")
    names = compare.names(drawn)
    parts = compare.panels(drawn)
    canvas = Canvas("plane", options.width, options.form)
    for k, part in enumerate(parts):
        compare.no_twins(part.rows, ["heuristic", "params"], "the result")
        panel(canvas, part, k, names)
    caption = ["Coverage (base faults met, of all) against accuracy (entries used, of those"
               " built); mark: upper bound, end of the bar: lower bound of accuracy",
               compare.provenance(rows)] + notes + compare.cautions(rows)
    canvas.finish(caption, options.caption)
    return canvas


def panel(canvas, part, k, names):
    if part.title:
        for line in wrap(part.title, canvas.width - 6):
            canvas.text(3, canvas.room(LINE + 2) + LINE / 2, line)
    left, top = 38, canvas.height + 2
    width = canvas.width - left - 10
    x_axis = scale([100 * r.number("coverage") for r in part.rows], max(3, int(width / 40)))
    y_axis = scale([100 * r.number(c) for r in part.rows for c in COLUMNS[1:]], 5)
    height = 120 + 3 * len(part.rows)
    for _ in range(5):
        axes = Axes(left, top, width, height)
        axes.range("x", *x_axis)
        axes.range("y", *y_axis)
        points = []
        for row in part.rows:
            x, y = axes.at(100 * row.number("coverage"), 100 * row.number("accuracy_hi"))
            low = axes.at(0, 100 * row.number("accuracy_lo"))[1]
            points.append((x, y, names[row.spec()], y, low))
        boxes = place(points, (left + 2, top, canvas.width - 2, top + height - 1))
        if boxes:
            break
        height *= 1.4
    else:
        raise Problem(f"{len(part.rows)} names do not fit into this figure; choose fewer rows"
                      " (--only), or --width=page")
    finish(canvas, axes, part, k, names, boxes)


def finish(canvas, axes, part, k, names, boxes):
    left, top, width, height = axes.box
    canvas.add(axes)
    canvas.room(height + 2)
    data = canvas.data(f"plane{k}", COLUMNS,
                       [(names[r.spec()], *(r.text(c) for c in COLUMNS)) for r in part.rows])
    for i, (box, line) in enumerate(boxes):
        colour, point = COLOURS[i % len(COLOURS)], POINTS[i % len(POINTS)]
        one = f"{data} every ::{i}::{i} using (100*$1)"
        axes.plot(f"{one}:(100*$2):(0):(100*($3-$2)) with {ENDS} lw 0.9 lc rgb '{colour}'")
        axes.plot(f"{one}:(100*$3) with points pt {point} ps 0.5 lw 0.9 lc rgb '{colour}'")
        canvas.text(box[0], (box[1] + box[3]) / 2, names[part.rows[i].spec()])
        if line:
            canvas.line(*line, GREY)
    bottom = canvas.room(2 * LINE + 6)
    canvas.text(left + width / 2, bottom + LINE * 1.8, "coverage, % of base faults", "center")
    canvas.text(8, top + height / 2, "accuracy, % of entries built", "center", turned=True)
