# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs spht-replay on recordings, several at a time; rows come in the order that was asked for."""

import concurrent.futures
import json
import os
import re
import subprocess

from . import table
from .table import Problem

# spht-replay takes so many heuristics at once.
AT_ONCE = 256


class Replayer:
    """The programs in a folder, and the regions that recordings are counted in."""

    def __init__(self, build, jobs, roi=None):
        self.build = build
        self.jobs = jobs
        self.roi = roi
        self.known = {}

    def run(self, program, *args):
        """Standard output; what the program itself says goes to standard error."""
        path = os.path.join(self.build, program)
        try:
            done = subprocess.run([path, *args], stdout=subprocess.PIPE, check=False)
        except OSError as e:
            raise Problem(f"{path}: {e.strerror}; build it first, or set BUILD") from None
        if done.returncode:
            raise Problem(f"{program} {args[-1]}: exit status {done.returncode}")
        return done.stdout.decode()

    def heuristics(self):
        names = re.findall(r"^  (\w+) +\S", self.run("spht-replay", "--heuristic=help"), re.M)
        if not names:
            raise Problem("spht-replay --heuristic=help names none")
        return names

    def configurations(self, spec):
        """What a spec, which may have ranges, makes: each with all of its parameters."""
        if spec not in self.known:
            text = self.run("spht-replay", "--list-configurations", f"--heuristic={spec}")
            self.known[spec] = text.splitlines()
        return self.known[spec]

    def region(self, path):
        """The compile phase where the guest marked one, else all."""
        if self.roi is not None:
            return self.roi
        info = json.loads(self.run("spht-trace", "info", "--json", "--marks", path))
        names = [m.get("name", "") for m in (info.get("marks") or {}).get("list") or []]
        return "make..end" if "make" in names and "end" in names else ""

    def rows(self, path, specs, scales):
        """A list of rows for each spec, one for each scale; the specs are those of
        configurations(), each once."""
        region, found = self.region(path), []
        for first in range(0, len(specs), AT_ONCE):
            part = specs[first:first + AT_ONCE]
            text = self.run("spht-replay", "--quiet", "--csv=-",
                            f"--guest-time-scale={','.join(scales)}",
                            *(f"--heuristic={spec}" for spec in part),
                            *([f"--roi={region}"] if region else []), path)
            rows = table.read([path], lambda _, text=text: text)
            if len(rows) != len(part) * len(scales):
                raise Problem(f"{path}: {len(rows)} rows for {len(part)} heuristics at"
                              f" {len(scales)} scales")
            found += [rows[i:i + len(scales)] for i in range(0, len(rows), len(scales))]
        return found

    def all_rows(self, wanted, scales):
        """rows() of each (path, specs)."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            made = [pool.submit(self.rows, path, specs, scales) for path, specs in wanted]
            try:
                return [one.result() for one in made]
            except Problem:
                # What has not begun is not worth beginning.
                pool.shutdown(cancel_futures=True)
                raise
