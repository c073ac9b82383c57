# SPDX-License-Identifier: LGPL-2.1-or-later
"""A figure as a script of gnuplot with its data inside.

All is laid out here, in points from the upper left corner, so that nothing depends on what a
terminal takes for the width of a text. Text stands in single quotes, in which gnuplot
looks for nothing: no name of a recording or a heuristic can become a command.
"""

import math

FONT = 8  # points, everywhere: nothing in a figure is smaller
LINE = 10  # from one line of text to the next
WIDTHS = {"column": 241, "page": 505}  # 85 mm, 178 mm

# Okabe and Ito, 2008: told apart with any common colour blindness. Yellow is too light for print.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"
PALE = "#F5CF7F"  # orange, for areas under lines
COLOURS = [BLUE, RED, GREEN, BLACK, ORANGE, PURPLE, SKY]
DASHES = ["solid", "(6,3)", "(2,2)", "(8,2,2,2)", "(12,4)"]
POINTS = [7, 5, 9, 13, 11, 6, 4, 8, 12, 10]  # gnuplot's filled and open marks
# From one bound to the other.
ENDS = "vectors heads size screen 0.006,90"

NARROW, WIDE = "iljftrI.,:;|!'()[] /-", "mwMW@%—×+=<>#&~^{}†"


def width_of(text):
    """Points that it takes at most, in the fonts that are usual."""
    units = sum(0.40 if c in NARROW else 0.92 if c in WIDE else 0.70 if c.isupper() else 0.61
                for c in text)
    return units * FONT


def wrap(text, width):
    """Lines that fit; a word that is too long is broken."""
    lines, line = [], ""
    for word in text.split(" "):
        while width_of(word) > width:
            n = max(1, next(k for k in range(1, len(word) + 1)
                            if width_of(word[:k + 1]) > width))
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:n])
            word = word[n:]
        if line and width_of(f"{line} {word}") > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return lines + [line] if line else lines


TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
       "×": r"$\times$", "–": "--", "µ": r"$\mu$", "−": "$-$", "|": r"\textbar{}",
       "<": r"\textless{}", ">": r"\textgreater{}", '"': r"\textquotedblright{}", "≥": r"$\geq$",
       "†": r"$\dagger$", "\u00a0": "~", "[": r"\lbrack{}", "]": r"\rbrack{}",
       "-": "{-}", "'": r"\textquoteright{}",
       "’": r"\textquoteright{}", "`": "{`}"}


def tex(text):
    """As LaTeX sets it, whatever it says; what it has no sign for is shown by its number."""
    out = []
    for c in text:
        if c in TEX:
            out.append(TEX[c])
        elif c in "#$%&_{}":
            out.append("\\" + c)
        else:
            out.append(c if ord(c) < 127 else rf"\lbrack{{}}U+{ord(c):04X}\rbrack{{}}")
    return "".join(out)


def quoted(text):
    """For gnuplot: in single quotes it looks for nothing, but it misses the end of a text that
    has two of them beside each other. So there is none: an apostrophe is a sign of its own."""
    return "'" + text.replace("'", "’") + "'"


def num(value):
    text = f"{value:.6g}"
    return "0" if text == "-0" else text


def minus(text):
    return text.replace("-", "−")


def nice_step(span, most):
    """A step of 1, 2 or 5 times a power of ten that cuts span into most parts at most."""
    if span <= 0:
        return 1.0
    step = 10 ** math.floor(math.log10(span / most))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= most * 1.0001:
            return step * factor
    return step * 10


def tick_text(value, step):
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:.{places}f}" if places < 7 else f"{value:.3g}"
    if text.startswith("-") and not text.strip("-0."):
        return text[1:]
    return text.replace("-", "−")


def scale(values, most=5, zero=True):
    """Ends of an axis and its ticks as (text, position), for these values."""
    low, high = min(values), max(values)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = (low, low + 1) if low >= 0 else (low - 1, low)
    step = nice_step(high - low, most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ends = [first * step, last * step]
    # A small loss beside large gains takes no room that it does not need.
    if zero and low < 0 < high:
        ends[0] = max(ends[0], low - 0.03 * (high - low))
        first = math.ceil(ends[0] / step)
    ticks = [(tick_text(k * step, step), k * step) for k in range(first, last + 1)]
    return *ends, ticks


class Axes:
    """One pair of axes: a box on the paper, commands that set it up, and what is plotted."""

    def __init__(self, left, top, width, height):
        self.box = (left, top, width, height)
        self.setup = ["set border 3 lw 0.6", "set grid back lc rgb '#DDDDDD' lt 1 lw 0.4"]
        self.plots = []
        self.x = self.y = (0.0, 1.0)
        self.logx = False
        self.ticks = {"x": [], "y": []}

    def range(self, axis, low, high, ticks, log=False):
        """Ticks are (text, position); a text may be empty. Only x can be logarithmic."""
        setattr(self, axis, (low, high))
        self.ticks[axis] = ticks
        if axis == "x":
            self.logx = log
        self.setup += [f"set logscale {axis}"] if log else []
        self.setup.append(f"set {axis}range [{num(low)}:{num(high)}]")
        marks = ", ".join(f"'' {num(v)}" for _, v in ticks)
        self.setup.append(f"set {axis}tics nomirror scale 0.4 ({marks})" if ticks
                          else f"unset {axis}tics")

    def rule(self, x1, y1, x2, y2, style):
        """A line in the coordinates of the axes."""
        self.setup.append(f"set arrow from {num(x1)},{num(y1)} to {num(x2)},{num(y2)} nohead"
                          f" {style}")

    def tick_texts(self):
        """(x, y, text, align) of all ticks, on the paper."""
        left, top, _, height = self.box
        for text, value in self.ticks["x"]:
            yield self.at(value, 0)[0], top + height + 0.75 * LINE, text, "center"
        for text, value in self.ticks["y"]:
            yield left - 4, self.at(self.x[0], value)[1], text, "right"

    def plot(self, clause):
        self.plots.append(clause + " notitle")

    def at(self, x, y):
        """Where a point of the axes is on the paper."""
        left, top, width, height = self.box
        (x0, x1), (y0, y1) = self.x, self.y
        if self.logx:
            x, x0, x1 = math.log(x), math.log(x0), math.log(x1)
        return (left + width * (x - x0) / (x1 - x0), top + height * (y1 - y) / (y1 - y0))


class Canvas:
    """A figure: axes, texts, data, and below all of it the caption."""

    def __init__(self, name, width, form):
        self.name = name
        self.width = WIDTHS[width]
        self.form = form
        self.height = 4
        self.axes = []
        self.texts = []
        self.arrows = []
        self.blocks = []
        self.caption = ""

    def label(self, text):
        return quoted(tex(text) if self.form == "tex" else text)

    def room(self, height):
        """So much more paper below what there is; returns where it begins."""
        top = self.height
        self.height += height
        return top

    def text(self, x, y, text, align="left", colour=BLACK, turned=False):
        """A line of text whose middle is at y."""
        self.texts.append((x, y, text, align, colour, turned))

    def line(self, x1, y1, x2, y2, colour=GREY):
        self.arrows.append((x1, y1, x2, y2, colour))

    def add(self, axes):
        self.axes.append(axes)
        return axes

    def data(self, name, columns, rows):
        """A block of data: cells as the tables have them, so that nothing is lost."""
        lines = [f"${name} << EOD", "# " + " ".join(columns)]
        for row in rows:
            if row is None:
                lines.append("")  # a gap
                continue
            note, *cells = row
            if note:
                lines.append("# " + note)
            lines.append(" ".join("?" if c in ("", None) else str(c) for c in cells))
        self.blocks.append("\n".join(lines + ["EOD"]))
        return "$" + name

    def finish(self, sentences, drawn):
        """Ends the figure: below it these sentences, if the caption is to be drawn."""
        caption = " ".join(f"{s.rstrip('.')}." for s in sentences)
        self.caption = caption.replace("\u00a0", " ")
        if drawn:
            lines = wrap(caption, self.width - 6)
            top = self.room(len(lines) * LINE + 4)
            for i, line in enumerate(lines):
                self.text(3, top + (i + 0.7) * LINE, line)
        self.height = math.ceil(self.height + 2)

    def at(self, x, y):
        return f"{num(x / self.width)},{num(1 - y / self.height)}"

    def body(self):
        """The script but for terminal and output."""
        out = ["set encoding utf8", "set datafile missing '?'", "unset key",
               "", *self.blocks, "",
               "set multiplot"]
        ticks = [(*t, BLACK, False) for axes in self.axes for t in axes.tick_texts() if t[2]]
        for x, y, text, align, colour, turned in ticks + self.texts:
            out.append(f"set label {self.label(text)} at screen {self.at(x, y)} {align} noenhanced"
                       f" tc rgb '{colour}'" + (" rotate by 90" if turned else ""))
        for x1, y1, x2, y2, colour in self.arrows:
            out.append(f"set arrow from screen {self.at(x1, y1)} to screen {self.at(x2, y2)} nohead"
                       f" lc rgb '{colour}' lw 0.5 front")
        for axes in self.axes:
            left, top, width, height = axes.box
            out += ["", f"set lmargin at screen {num(left / self.width)}",
                    f"set rmargin at screen {num((left + width) / self.width)}",
                    f"set tmargin at screen {num(1 - top / self.height)}",
                    f"set bmargin at screen {num(1 - (top + height) / self.height)}",
                    *axes.setup, "plot " + ", \\\n     ".join(axes.plots),
                    "unset label", "unset arrow", "unset object", "unset logscale"]
        return "\n".join(out + ["unset multiplot", ""])


def style(i):
    """How the i-th line of a figure looks: colour, dash and mark differ together."""
    return (COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)], POINTS[i % len(POINTS)])


def dashed(dash):
    return "dt solid" if dash == "solid" else f"dt {dash}"


def spread(wanted, least, low, high):
    """Positions near the wanted ones, in their order, @least apart, between low and high
    if there is room."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    at = [max(low, wanted[i]) for i in order]
    for k in range(1, len(at)):
        at[k] = max(at[k], at[k - 1] + least)
    limit = high
    for k in range(len(at) - 1, -1, -1):
        at[k] = min(at[k], limit)
        limit = at[k] - least
    out = [0.0] * len(wanted)
    for k, i in enumerate(order):
        out[i] = at[k]
    return out
