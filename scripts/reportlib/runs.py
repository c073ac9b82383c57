# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs spht-trace and spht-replay for a page."""

import json
import os
import subprocess

from statlib.table import Problem

from .facts import Tables

HEURISTICS = ["window", "stride", "markov", "hybrid", "prefault", "oracle"]
# An emulated clock's durations are too long: what a faster guest would see stands beside it.
SCALES = "0.0333,0.333,1"
LENGTHS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600]
MOST_SLICES = 24
OUTPUTS = {"csv": "result.csv", "json": "result.json", "intervals": "intervals.csv",
           "histograms": "histograms.csv"}


def said_of(stderr, path):
    """The lines that a program wrote, without the folder of the recording."""
    text = stderr.decode(errors="replace")
    folder = os.path.dirname(path)
    return [line.replace(folder + "/", "") if folder else line
            for line in text.splitlines() if line.strip()]


def call(folder, program, *args):
    """(exit status, standard output, standard error)."""
    path = os.path.join(folder, program)
    try:
        done = subprocess.run([path, *args], capture_output=True, stdin=subprocess.DEVNULL,
                              check=False)
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}; build it first, or set BUILD") from None
    return done.returncode, done.stdout, done.stderr


def failed(program, path, status, stderr):
    said = said_of(stderr, path)
    # What fails is said last; some programs add where to read more.
    line = next((s for s in reversed(said) if s.startswith(program)), said[-1] if said else
                f"{program}: no message")
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return Problem(f"{line} ({how}); no page is written", status if status in (2, 3, 4) else 1)


class Recording:
    """A recording and the options that it is run with."""

    def __init__(self, folder, path, options, partial):
        self.folder, self.path, self.partial = folder, path, partial
        self.options = list(options)
        self.info = self.header()

    def header(self):
        """What spht-trace info tells of it."""
        more = ["--partial"] if self.partial else []
        status, out, err = call(self.folder, "spht-trace", "info", "--json", "--marks", *more,
                                self.path)
        if status and not (status == 4 and self.partial):
            raise failed("spht-trace", self.path, status, err)
        try:
            info = json.loads(out.decode(errors="replace"), parse_float=str)
        except (ValueError, RecursionError) as e:
            raise Problem(f"{self.path}: spht-trace info --json: {e}") from None
        if not isinstance(info, dict):
            raise Problem(f"{self.path}: spht-trace info --json: expected an object")
        return info

    def given(self, name):
        return any(o.startswith(f"--{name}=") for o in self.options)

    def complete(self):
        """The options, with those that were not given."""
        if not self.given("heuristic"):
            self.options += [f"--heuristic={name}" for name in HEURISTICS]
        if not self.given("guest-time-scale") and self.info.get("clock_real") is not True:
            self.options.append(f"--guest-time-scale={SCALES}")
        if not self.given("interval"):
            seconds = float(self.info.get("span_s") or 0)
            length = next((n for n in LENGTHS if seconds <= n * MOST_SLICES), LENGTHS[-1])
            self.options.append(f"--interval={length}")
        return self.options

    def command(self, names, path):
        """The arguments of spht-replay; @names by output."""
        return [*self.complete(), "--curve=latency", *(["--partial"] if self.partial else []),
                "--quiet", *(f"--{what}={names[what]}" for what in OUTPUTS), path]

    def run(self, where, extra):
        """(tables, exit status 0 or 4, what was said); @extra changes no result."""
        names = {what: os.path.join(where, name) for what, name in OUTPUTS.items()}
        status, _, err = call(self.folder, "spht-replay", *extra, *self.command(names, self.path))
        if status and not (status == 4 and self.partial):
            raise failed("spht-replay", self.path, status, err)
        tables = Tables()
        for what in OUTPUTS:
            tables.add(names[what])
        return tables, status, said_of(err, self.path)

