# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts/bench measures with and how it shows it."""
import csv
import os
import statistics
import subprocess
import tempfile

import wholefile

TOOLS = ["ours", "libtracecmd", "trace-cmd", "perf", "libCacheSim", "ChampSim"]
HEADINGS = {"ours": "ours", "libtracecmd": "libtracecmd", "trace-cmd": "`trace-cmd report`",
            "perf": "`perf script`", "libCacheSim": "libCacheSim *", "ChampSim": "ChampSim *"}
COLUMNS = ["what", "unit", "tool", "detail", "events", "runs", "median", "min", "max",
           "ours_by_theirs", "aim", "met", "source", "load_min", "load_max", "cpus", "busy"]
MARKS = ("<!-- table: scripts/bench -->\n", "<!-- end of table -->\n")


class Failed(Exception):
    pass


def measure(argv, fine=(0,), quiet=False):
    """One run: CPU seconds, children included, and the beginning of its stdout and its stderr."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=err,
                              stdout=subprocess.DEVNULL if quiet else out) as proc:
            _, status, usage = os.wait4(proc.pid, 0)
            proc.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        complaint = err.read(1 << 16).decode(errors="replace")
        if proc.returncode not in fine:
            raise Failed(f"{' '.join(argv)}: status {proc.returncode}\n{complaint[-2000:]}")
        out.seek(0)
        return (usage.ru_utime + usage.ru_stime,
                out.read(1 << 16).decode(errors="replace"), complaint)


class Row:
    """A line of the table: its name, what larger means, and the aim if there is one."""

    def __init__(self, key, what, unit, larger_is_better, aim=None):
        self.key, self.what, self.unit, self.aim = key, what, unit, aim
        self.larger = larger_is_better
        self.figures = {}  # tool: Figure

    def met(self):
        """True, False, or None without an aim or a figure."""
        ours = self.figures.get("ours")
        if self.aim is None or ours is None or not ours.values:
            return None
        return ours.median >= self.aim if self.larger else ours.median <= self.aim

    def ratio(self, figure):
        """How many times better ours is: (from, to)."""
        ours = self.figures.get("ours")
        if figure is ours or not (ours and ours.values and figure.values):
            return None
        both = [ours.median / v if self.larger else v / ours.median for v in figure.ends()]
        return min(both), max(both)


class Figure:
    """What one tool reaches in one row; published figures have two values, least and most."""

    def __init__(self, events=0, detail="", source="measured"):
        self.values, self.events, self.detail, self.source = [], events, detail, source
        self.why_not = ""

    @property
    def median(self):
        return statistics.median(self.values)

    def ends(self):
        return [self.median] if self.source == "measured" else [self.values[0], self.values[-1]]


def number(value):
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def span(least, most):
    a, b = number(least), number(most)
    return a if a == b else f"{a}..{b}"


def cell(row, tool):
    figure = row.figures.get(tool)
    if figure is None:
        return ""
    if not figure.values:
        return f"not measured: {figure.why_not}"
    if figure.source != "measured":
        text = span(figure.values[0], figure.values[-1])
    else:
        text = number(figure.median)
        if max(figure.values) > min(figure.values):
            text += f" ({span(min(figure.values), max(figure.values))})"
    if figure.detail:
        text = f"{figure.detail} {text}"
    ratio = row.ratio(figure)
    return text + (f"; x {span(*ratio)}" if ratio else "")


def aim(row):
    if row.aim is None:
        return ""
    met = row.met()
    verdict = "not measured" if met is None else "met" if met else "missed"
    return f"{'>=' if row.larger else '<='} {number(row.aim)}: {verdict}"


def table(rows, load):
    """Lines of a Markdown table."""
    tools = [t for t in TOOLS if t == "ours" or any(t in r.figures for r in rows)]
    grid = [["what", "aim"] + [HEADINGS[t] for t in tools]]
    for row in rows:
        grid.append([f"{row.what}, {row.unit}", aim(row)] + [cell(row, t) for t in tools])
    grid.append(["load average while measured", f"<= {load.cpus}: "
                 + ("busy" if load.busy() else "quiet"),
                 span(load.least, load.most)] + [""] * (len(tools) - 1))
    widths = [max(len(line[i]) for line in grid) for i in range(len(grid[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in grid]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return lines


class Load:
    """Others on the machine, and this script itself: about one CPU is its own."""

    def __init__(self):
        self.cpus = len(os.sched_getaffinity(0))
        self.least = self.most = os.getloadavg()[0]

    def look(self):
        now = os.getloadavg()[0]
        self.least, self.most = min(self.least, now), max(self.most, now)

    def busy(self):
        return self.most > self.cpus


def write_csv(rows, load, out):
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        for tool in TOOLS:
            figure = row.figures.get(tool)
            if figure is None:
                continue
            values, ratio = figure.values, row.ratio(figure)
            three = ([f"{v:.6g}" for v in (figure.median, min(values), max(values))]
                     if values else ["", "", ""])
            met = row.met() if tool == "ours" else None
            writer.writerow(
                [row.key, row.unit, tool, figure.detail or figure.why_not, figure.events or "",
                 len(values) if figure.source == "measured" else 0, *three,
                 "..".join(dict.fromkeys(f"{r:.4g}" for r in ratio)) if ratio else "",
                 "" if row.aim is None or tool != "ours" else f"{row.aim:g}",
                 "" if met is None else "yes" if met else "no", figure.source,
                 f"{load.least:.2f}", f"{load.most:.2f}", load.cpus,
                 "yes" if load.busy() else "no"])


def page_around(path):
    """What stands before and behind the table of a page."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    before, mark, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        raise Failed(f"{path}: no lines {MARKS[0].strip()} and {MARKS[1].strip()}; "
                     "the table goes between them")
    return before + mark, end + after


def put_in_page(path, lines):
    before, after = page_around(path)
    wholefile.write(path, (before + "\n".join(lines) + "\n" + after).encode())
