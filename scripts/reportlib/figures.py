# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws by scripts/plot, and puts what it drew into the page."""

import html
import os
import re
import shutil
import subprocess
import sys

from plotlib.source import HISTOGRAMS, INTERVALS, RESULTS
from statlib.table import Problem

from .markup import Html, join, lines, tag

PLOT = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "plot")
SECONDS = 600
# Figure, its heading, what it is drawn from, how wide, what to look for.
FIGURES = [
    ("avoided", "What each heuristic avoids", [RESULTS], "column",
     "From the strict to the optimistic bound. A long bar is a question that the recording leaves"
     " open."),
    ("plane", "Coverage against accuracy", [RESULTS], "column",
     "Up and to the right is better: many faults met, little built in vain."),
    ("classes", "Page-fault exits by class", [RESULTS], "column",
     "Only what is filled can be avoided by a helper."),
    ("slack", "How timely", [HISTOGRAMS], "column",
     "Mass far to the left is won by a hair."),
    ("latency", "If a build took longer", [HISTOGRAMS], "page",
     "Where a curve falls is how fast a helper has to be."),
    ("speedup", "Speed-up against the guest's time scale", [RESULTS], "page",
     "The line above is the bound; no heuristic can cross it."),
    ("time", "Over the recording", [INTERVALS, RESULTS], "page",
     "Boot and work differ; one mean over both is neither."),
]


def options(run, name):
    """What scripts/plot is told besides the tables."""
    one = [f"--only=guest_time_scale={run.first.text('guest_time_scale')}"]
    if name == "speedup":
        rated = dict.fromkeys(r.text("heuristic") for r in run.rated)
        return ["--param=guest_time_scale", "--only=heuristic=" + "|".join(rated)]
    if name == "latency":
        # Where a bound has no helper, latency means nothing.
        rated = dict.fromkeys(r.text("heuristic") for r in run.rated)
        return one + ["--only=heuristic=" + "|".join(rated)]
    if name == "slack":
        rated = dict.fromkeys(r.text("heuristic") for r in run.rated)
        return one + ["--only=heuristic=" + "|".join(rated)]
    if name == "time" and run.best:
        return one + [f"--only=heuristic={run.best.text('heuristic')}",
                      f"--only=params={run.best.text('params')}"]
    return one


def skipped(run, name, kinds):
    """Why a figure is not asked for, or None."""
    if not run.complete:
        return "the recording was not read to its end"
    if name == "speedup" and len(run.scales) < 2:
        return "there is one time scale"
    if name in ("speedup", "latency", "slack") and not run.rated:
        return "no heuristic was asked for"
    if HISTOGRAMS in kinds and not run.bins:
        return "no table of --histograms was given"
    if INTERVALS in kinds and not run.slices:
        return "no table of --intervals was given"
    return None


def draw(run, paths, where, name, kinds, width):
    """(SVG, None) or (None, why not)."""
    out = os.path.join(where, f"{name}.svg")
    command = [sys.executable, PLOT, name, f"--width={width}", "--caption=none",
               *options(run, name), "-o", out, *(paths[kind] for kind in kinds)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"plot {name}: took more than {SECONDS} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        return None, said[-1].removeprefix("plot: ").replace(where + os.sep, "")
    with open(out, encoding="utf-8") as f:
        return f.read(), None


def inside(text):
    """An SVG as a part of a page, and its caption, which the page shows itself."""
    svg = text[text.index("<svg"):]
    title, *rest = (html.unescape(m) for m in re.findall(
        r"<(?:title|desc)>(.*?)</(?:title|desc)>", svg, re.S)[:2])
    return Html(svg.strip()), ". ".join([title.rstrip("."), *(r for r in rest if r)])


def figure(number, name, head, svg, hint):
    picture, caption = inside(svg)
    return tag("figure", Html("\n"), tag("h3", f"Figure {number}. {head}"), Html("\n"),
               tag("div", picture, class_="paper", tabindex="0", role="group",
                   aria_label=head), Html("\n"),
               tag("figcaption", tag("strong", hint), " ", caption), Html("\n"),
               class_=f"of-{name}", id=f"figure-{name}")


def figures(run, paths, where):
    """All that can be drawn, and a list of what cannot and why."""
    if run.complete and not shutil.which("gnuplot"):
        raise Problem("gnuplot is not installed; scripts/deps installs it (Debian: gnuplot-nox), or"
                      " go without figures by --no-figures")
    drawn, lacking = [], []
    for name, head, kinds, width, hint in FIGURES:
        why, svg = skipped(run, name, kinds), None
        if why is None:
            svg, why = draw(run, paths, where, name, kinds, width)
        if svg is None:
            lacking.append(tag("li", tag("strong", head), ": ", why))
        else:
            drawn.append((figure(len(drawn) + 1, name, head, svg, hint), width))
    return lines(tag("div", [join(Html("\n"), f) for f, width in drawn], class_="figures"),
                 join(tag("p", "Not drawn:"), tag("ul", lacking, id="not-drawn"))
                 if lacking else "")
