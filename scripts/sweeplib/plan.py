# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is to be run: a plan file, and the shards that it comes to."""

import glob
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys

from sweeplib.shard import Identity, file_sha256
from sweeplib.trouble import Trouble

# Options of spht-replay that determine the rows.  One that names a file is COSTS alone:
# whoever adds another has to put that file's checksum into Identity.
VALUED = {"bypass-guest-pf", "costs", "guest-time-scale", "helper-prefetch", "helpers",
          "knowledge", "kvm", "legality", "mmu-pages", "prefetch-window", "roi", "rules",
          "snapshots", "vm", "warmup"}
FLAGS = {"partial", "verify"}
# Those that it has, too, and that a plan cannot have: what they do is not in the table, or
# sweep's own affair.  On the real clock no two runs agree, so that a shard could not be made
# again, and a machine has one pair of cores to measure on.
REFUSED = {"calibrate", "clock", "cpus", "csv", "curve", "explain", "help", "heuristic",
           "histograms", "interval", "intervals", "jobs", "json", "list-configurations",
           "list-misses", "memory", "pace", "quiet", "repetitions", "smt", "timeline",
           "timeline-window", "timing", "version", "warmup-runs"}
KEYS = {"note", "traces", "heuristics", "options", "shard"}
DEFAULT_SHARD = 16
MAX_SHARD = 10000


class Number(str):
    """A number as it was written: 0.10 stays 0.10."""


def no_twins(pairs):
    keys = [k for k, _ in pairs]
    twice = sorted({k for k in keys if keys.count(k) > 1})
    if twice:
        raise ValueError(f"'{twice[0]}' is there twice")
    return dict(pairs)


def read_json(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f, parse_int=Number, parse_float=Number, object_pairs_hook=no_twins)
    except OSError as e:
        raise Trouble(f"{path}: {e.strerror}") from e
    except (ValueError, RecursionError) as e:
        raise Trouble(f"{path}: no plan: {e}; docs/sweep.md shows one") from e


def is_text(value):
    return isinstance(value, str) and not isinstance(value, Number) and value != "" \
        and "\0" not in value and "\n" not in value


def texts(path, plan, key, example):
    value = plan.get(key)
    if not isinstance(value, list) or not value or not all(map(is_text, value)):
        raise Trouble(f'{path}: "{key}": expected a list of texts, e.g. {example}')
    return value


def shard_size(path, plan):
    value = plan.get("shard", Number(DEFAULT_SHARD))
    if not isinstance(value, Number) or not value.isdigit() or not 1 <= int(value) <= MAX_SHARD:
        raise Trouble(f'{path}: "shard": expected a number of configurations, 1 to {MAX_SHARD}')
    return int(value)


def option_words(path, name, value):
    """The command line words of one alternative of an option."""
    if name in FLAGS:
        if not isinstance(value, bool):
            raise Trouble(f'{path}: options: "{name}": expected true or false')
        return [f"--{name}"] if value else []
    if not isinstance(value, Number) and not is_text(value):
        raise Trouble(f'{path}: options: "{name}": expected a text, a number, or a list of them')
    return [f"--{name}={value}"]


def option_sets(path, plan):
    """All combinations of the options' alternatives; the first option varies slowest."""
    options = plan.get("options", {})
    if not isinstance(options, dict):
        raise Trouble(f'{path}: "options": expected an object, e.g. {{"legality": "present"}}')
    axes = []
    for name, value in options.items():
        if name in REFUSED:
            raise Trouble(f'{path}: options: "{name}" is not for a plan')
        if name not in VALUED | FLAGS:
            raise Trouble(f'{path}: options: "{name}" is none that a plan can have; expected '
                          + ", ".join(sorted(VALUED | FLAGS)))
        values = value if isinstance(value, list) else [value]
        words = [option_words(path, name, v) for v in values]
        if not words or any(words.count(w) > 1 for w in words):
            raise Trouble(f'{path}: options: "{name}": expected values, each of them once')
        axes.append(words)
    return [list(itertools.chain(*choice)) for choice in itertools.product(*axes)]


class Replay:
    """The spht-replay that is used; paths given to it are relative to @folder."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        name, self.version, commit = (self.ask("--version").split() + ["", "", ""])[:3]
        self.commit = commit.strip("()")
        if name != "spht-replay" or not self.version or not self.commit:
            raise Trouble(f"{program}: is no spht-replay: --version says something else")
        self.changed = self.commit == "unknown" or self.commit.endswith("-dirty")
        # A commit does not tell what was built from changed sources.
        self.sha256 = file_sha256(shutil.which(program) or program) if self.changed else None

    def run(self, *args):
        try:
            return subprocess.run([self.program, *args], cwd=self.folder, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        except OSError as e:
            raise Trouble(f"{self.program}: {e.strerror}; build it, or name it by "
                          "--replay=PROGRAM") from e

    def ask(self, *args):
        done = self.run(*args)
        said = done.stderr.decode(errors="replace").strip()
        if done.returncode:
            raise Trouble(said or f"{self.program}: ended with {done.returncode}")
        if said:
            print(said, file=sys.stderr)
        return done.stdout.decode(errors="replace")

    def configurations(self, options, heuristics):
        """One canonical spec for each configuration, ranges expanded."""
        args = [*options, *(f"--heuristic={h}" for h in heuristics)]
        return self.ask("--list-configurations", *args).splitlines()


def find_traces(path, folder, patterns):
    """Their paths as the plan gives them; globs in the order of names, each file once."""
    found, seen = [], set()
    for pattern in patterns:
        here = [pattern]
        if not os.path.lexists(os.path.join(folder, pattern)):
            names = glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True)
            here = sorted(os.path.relpath(n, folder) for n in names) \
                if not os.path.isabs(pattern) else sorted(names)
        if not here:
            raise Trouble(f"{path}: traces: {pattern}: no such file")
        for name in here:
            real = os.path.realpath(os.path.join(folder, name))
            if real not in seen:
                found.append(name)
            seen.add(real)
    return found


def hash_traces(path, folder, names):
    sums = {}
    for name in names:
        sha = file_sha256(os.path.join(folder, name))
        if sha in sums.values():
            twin = next(n for n in sums if sums[n] == sha)
            raise Trouble(f"{path}: traces: {name} and {twin} are the same recording: it would "
                          "count twice")
        sums[name] = sha
    return sums


class Job:
    """One shard that is to be: who it is, and how it is made."""

    def __init__(self, trace, arguments, identity):
        self.trace = trace
        self.arguments = arguments
        self.identity = identity


class Sweep:
    """A plan with all that it depends on looked up: a list of shards, in the plan's order."""

    def __init__(self, path, program):
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        plan = read_json(path)
        if not isinstance(plan, dict):
            raise Trouble(f"{path}: no plan: expected an object")
        for key in plan:
            if key not in KEYS:
                raise Trouble(f'{path}: "{key}": expected one of ' + ", ".join(sorted(KEYS)))
        self.size = shard_size(path, plan)
        patterns = texts(path, plan, "traces", '["guest.spht"]')
        heuristics = texts(path, plan, "heuristics", '["none", "window:size=8"]')
        self.options = option_sets(path, plan)
        self.replay = Replay(program, self.folder)
        # Options first: a mistake in them is found before gigabytes are read.
        self.configurations = [self.replay.configurations(o, heuristics) for o in self.options]
        self.traces = hash_traces(path, self.folder,
                                  find_traces(path, self.folder, patterns))
        self.jobs = [job for o, c in zip(self.options, self.configurations)
                     for job in self.jobs_of(o, c)]

    def jobs_of(self, options, configurations):
        for trace, sha in self.traces.items():
            for at in range(0, len(configurations), self.size):
                specs = configurations[at:at + self.size]
                yield Job(trace, [*options, *(f"--heuristic={s}" for s in specs)],
                          Identity.make(self.replay, trace, sha, options, specs))

    def rows(self):
        return sum(job.identity.nr_rows() for job in self.jobs)

    def frozen(self, out):
        """The jobs as text for workers, who need not look up anything; and its name."""
        text = json.dumps({
            "sweep": 1,
            "folder": os.path.relpath(self.folder, out),
            "jobs": [{"trace": j.trace, "arguments": j.arguments, "identity": j.identity.members}
                     for j in self.jobs],
        }, indent=1, sort_keys=True) + "\n"
        return text, hashlib.sha256(text.encode()).hexdigest()[:16]
