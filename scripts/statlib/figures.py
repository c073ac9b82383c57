# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of docs/results.md: which ones, of which rows, drawn by scripts/plot.

Some show rows of the study; for the others spht-replay runs once more, with histograms,
intervals, or other parameters than the grid has. No figure adds recordings: each group has one.
"""

import concurrent.futures
import os
import subprocess
import sys
import tempfile

from . import output
from .table import Problem

PLOT = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "plot")
# One of each kind: a window, what learns pages, what knows refaults, and both of the first.
SHOWN = ["window", "markov", "prefault", "hybrid"]
SIZES = "window:size=2|4|8|16|32|64|128"
LATENCIES = "oracle:latency=0|500|1000|2000|5000|10000|50000"
KNOWLEDGE = ["strict", "inferred", "optimistic"]
# Seconds of the recording.
INTERVAL = "5"
# For a paper; with bounds where there are some.
COLUMNS = "name,f_base,avoided[],avoided_pct[],accuracy[],coverage,lateness,speedup_pct"


class Figure:
    """One file: what it shows, in words; the figure of scripts/plot with options; its tables."""

    def __init__(self, name, words, figure, tables, *options):
        self.name = name
        self.words = words
        self.figure = figure
        self.tables = tables
        self.options = options


def of_group(name):
    return [
        Figure(f"avoided-{name}", "Exits that each heuristic avoids, with the best parameters",
               "avoided", [f"best-{name}.csv"]),
        Figure(f"plane-{name}", "Coverage against accuracy, with the best parameters", "plane",
               [f"best-{name}.csv"]),
        Figure(f"slack-{name}", "How long entries had been ready when they were used", "slack",
               [f"histograms-{name}.csv"])]


def of_all(names):
    runs = [f"runs-{n}.csv" for n in names]
    return [
        Figure("classes", "Page-fault exits by class", "classes", runs),
        Figure("time", "Page-fault exits over time, and those that the window avoids", "time",
               [*runs, *(f"intervals-{n}.csv" for n in names)], "--only=heuristic=window"),
        Figure("window-size", "Exits that the window avoids, against its size", "sensitivity",
               [f"sizes-{n}.csv" for n in names], "--param=size"),
        Figure("latency", "Exits avoided, against what a build takes", "latency",
               [f"histograms-{n}.csv" for n in names]),
        Figure("speedup-latency", "Speed-up by a helper that knows all, against its latency",
               "speedup", [f"oracle-{n}.csv" for n in names], "--param=latency"),
        Figure("speedup-scale", "Speed-up against the guest's time scale", "speedup",
               [f"scales-{n}.csv" for n in names], "--param=guest_time_scale")]


def put(folder, name, rows):
    output.write(os.path.join(folder, name), output.as_csv(rows))


def make(folder):
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as e:
        raise Problem(f"{folder}: {e.strerror}") from None


class Figures:
    """Draws all figures of a study into a folder; below @paper, if given, figures/ as PDF too,
    tables/ for LaTeX, and data/, the CSV that both are made of."""

    def __init__(self, study, folder, paper=None):
        self.study = study
        self.replayer = study.replayer
        self.folder = folder
        self.paper = paper
        for part in study.parts:
            if len(part.group.recordings) > 1:
                raise Problem(f"--figures: {part.name()} has {len(part.group.recordings)}"
                              " recordings; figures are of groups of one")
        self.parts = study.parts
        names = [part.name() for part in self.parts]
        self.figures = of_all(names) + [f for name in names for f in of_group(name)]

    def draw(self):
        make(self.folder)
        if self.paper is None:
            with tempfile.TemporaryDirectory(prefix="spht-figures.") as data:
                self.draw_from(data)
            return
        make(self.place("data"))
        self.draw_from(self.place("data"))

    def place(self, kind, name=""):
        return os.path.join(self.paper, kind, name)

    def draw_from(self, data):
        jobs = []
        for part in self.parts:
            self.cut(part, data)
            jobs += [(self.run, *args, data) for args in self.runs(part)]
        self.at_once(jobs)
        jobs = [(self.plot, f, data, os.path.join(self.folder, f"{f.name}.svg"))
                for f in self.figures]
        if self.paper is not None:
            jobs += self.for_paper(data)
        self.at_once(jobs)

    def for_paper(self, data):
        make(self.place("figures"))
        make(self.place("tables"))
        jobs = [(self.plot, f, data, self.place("figures", f"{f.name}.pdf"), "--format=pdf")
                for f in self.figures]
        for name in [f"{kind}-{part.name()}" for part in self.parts for kind in ("default", "best")]:
            table = Figure(name, "", "table", [f"{name}.csv"], f"--columns={COLUMNS}")
            jobs.append((self.plot, table, data, self.place("tables", f"{name}.tex")))
        return jobs

    def at_once(self, jobs):
        with concurrent.futures.ThreadPoolExecutor(self.replayer.jobs) as pool:
            made = [pool.submit(job[0], *job[1:]) for job in jobs]
            try:
                for one in made:
                    one.result()
            except Problem:
                pool.shutdown(cancel_futures=True)
                raise

    def cut(self, part, data):
        """Tables of rows that the study has already."""
        study, name = self.study, part.name()
        oracle = study.config("oracle")
        defaults = [study.config(h) for h in study.defaults]
        put(data, f"default-{name}.csv",
            [part.cell(c).rows[0] for c in [*defaults, oracle]])
        put(data, f"best-{name}.csv",
            [part.cell(c).rows[0] for c in [*part.best.values(), oracle]])
        shown = [study.config(h) for h in SHOWN] + [oracle]
        put(data, f"scales-{name}.csv",
            [part.cell(c, scale).rows[0] for c in shown for scale in part.group.scales()])

    def runs(self, part):
        """What spht-replay is asked for besides: (path, arguments, standard output or None)."""
        name = part.name()
        path = self.study.path_of[next(iter(part.group.recordings))]
        shown = [f"--heuristic={h}" for h in SHOWN]
        yield path, [*shown, "--curve=latency", f"--interval={INTERVAL}"], {
            "csv": f"runs-{name}.csv", "histograms": f"histograms-{name}.csv",
            "intervals": f"intervals-{name}.csv"}
        yield path, [f"--heuristic={SIZES}"], {"csv": f"sizes-{name}.csv"}
        for knowledge in KNOWLEDGE:
            yield path, [f"--heuristic={LATENCIES}", f"--knowledge={knowledge}"], {
                "csv": f"oracle-{name}-{knowledge}.csv"}

    def run(self, path, args, outputs, data):
        region = self.replayer.region(path)
        self.replayer.run("spht-replay", "--quiet", "--guest-time-scale=1", *args,
                          *(f"--{kind}={os.path.join(data, out)}" for kind, out in outputs.items()),
                          *([f"--roi={region}"] if region else []), path)

    def tables(self, figure):
        for table in figure.tables:
            if table.startswith("oracle-"):
                yield from (table.replace(".csv", f"-{k}.csv") for k in KNOWLEDGE)
            else:
                yield table

    def plot(self, figure, data, out, *options):
        command = [sys.executable, PLOT, figure.figure, *figure.options, *options, "-o", out,
                   *(os.path.join(data, t) for t in self.tables(figure))]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise Problem(f"{os.path.basename(out)}: {done.stderr.decode(errors='replace').strip()}")

    def section(self, page):
        """For the page that is written to @page."""
        where = os.path.relpath(self.folder, os.path.dirname(os.path.abspath(page)))
        titles = {part.name(): part.title() for part in self.parts}
        lines = ["## Figures", "", "Drawn by `scripts/plot` ([figures.md](figures.md)). Best"
                 " parameters are those of the tables; `latency` and `size` go beyond them.", ""]
        for f in self.figures:
            of = next((f" (`{n}`)" for n in titles if f.name.endswith(f"-{n}")), "")
            lines += [f"{f.words}{of}:", "", f"![{f.words}{of}]({where}/{f.name}.svg)", ""]
        return "\n".join(lines) + "\n"
