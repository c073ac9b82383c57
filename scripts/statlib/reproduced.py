# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts/artifact made against what is committed: pages table by table, figures by bytes."""

import difflib
import hashlib
import os
import platform
import re
import subprocess

from .table import Problem

SUMS = "SHA256SUMS"
# Of docs/results.md; the cut has no marks and is of another workload.
OF_PAGE = re.compile(r"kbuild-w.*\.spht")
# Lines of a difference that are shown.
SHOWN = 12


class Compared:
    """One table, text or figure; diff is empty where it is reproduced."""

    def __init__(self, kind, name, diff):
        self.kind = kind
        self.name = name
        self.diff = diff


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None


def sha256(path):
    return hashlib.sha256(read(path)).hexdigest()


def samples(folder):
    """The recordings of docs/results.md, all of the folder's list being what it says."""
    listed = os.path.join(folder, SUMS)
    found = []
    for n, line in enumerate(read(listed).decode(errors="replace").splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64})  ([\w.-]+)", line)
        if not match:
            raise Problem(f"{listed}:{n}: expected a sha256, two blanks and a file's name")
        path = os.path.join(folder, match[2])
        have = sha256(path)
        if have != match[1]:
            raise Problem(f"{path}: is not the recording that {SUMS} lists: its sha256 is {have},"
                          f" expected {match[1]}; get it anew: git checkout")
        if OF_PAGE.fullmatch(match[2]):
            found.append(path)
    if not found:
        raise Problem(f"{listed}: lists no recording of docs/results.md")
    return found


def parts(text):
    """The page's tables by heading, in their order, and its text without them."""
    tables, prose, heading, above, rows = {}, [], "", "", []

    def close():
        if not rows:
            return
        name, n = heading, 1
        while name in tables:
            n += 1
            name = f"{heading} ({n})"
        tables[name] = list(rows)
        rows.clear()

    for line in text.splitlines():
        if line.startswith("|"):
            rows.append(line)
            continue
        close()
        if line.startswith("## "):
            above = heading = line[3:]
        elif line.startswith("### "):
            heading = f"{above}: {line[4:]}"
        prose.append(line)
    close()
    return tables, prose


def difference(want, have):
    lines = list(difflib.unified_diff(want, have, "committed", "made", n=0, lineterm=""))
    shown = [line if len(line) <= 160 else line[:157] + "..." for line in lines[:SHOWN]]
    return shown + [f"and {len(lines) - SHOWN} lines more"] * (len(lines) > SHOWN)


def page(made, against):
    path = os.path.join(against, "results.md")
    want, want_text = parts(read(path).decode(errors="replace"))
    have, have_text = parts(read(os.path.join(made, "results.md")).decode(errors="replace"))
    if not want:
        raise Problem(f"{path}: has no tables; expected the page of results")
    for name in [*want, *(n for n in have if n not in want)]:
        if name not in have:
            yield Compared("table", name, ["is committed, and was not made"])
        elif name not in want:
            yield Compared("table", name, ["was made, and is not committed"])
        else:
            yield Compared("table", name, difference(want[name], have[name]))
    yield Compared("text", "results.md, all but tables", difference(want_text, have_text))


def svgs(folder):
    try:
        return sorted(n for n in os.listdir(folder) if n.endswith(".svg"))
    except OSError as e:
        raise Problem(f"{folder}: {e.strerror}") from None


def figures(made, against):
    made, against = os.path.join(made, "figures"), os.path.join(against, "figures")
    have, want = svgs(made), svgs(against)
    if not want:
        raise Problem(f"{against}: has no figures; expected those of the page of results")
    for name in sorted({*have, *want}):
        if name not in have:
            diff = ["is committed, and was not made"]
        elif name not in want:
            diff = ["was made, and is not committed"]
        else:
            both = [read(os.path.join(f, name)) for f in (against, made)]
            diff = [] if both[0] == both[1] else \
                difference(*(b.decode(errors="replace").splitlines() for b in both)) \
                or ["the bytes differ"]
        yield Compared("figure", name, diff)


def compare(made, against):
    yield from page(made, against)
    yield from figures(made, against)


def said(*argv):
    """The first line that a program prints, or that it is not there."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError:
        return "not there"
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines[0] if lines else "says nothing"


def cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next((line.partition(":")[2].strip() for line in file
                         if line.startswith("model name")), "not known")
    except OSError:
        return "not known"


def environment(build):
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "not known")
    except OSError:
        system = "not known"
    of = {"system": system, "kernel": platform.release(), "machine": platform.machine(),
          "processor": cpu(), "cores": os.cpu_count(),
          "spht-replay": said(os.path.join(build, "spht-replay"), "--version"),
          "cc": said(os.environ.get("CC", "gcc"), "--version"),
          "python3": platform.python_version(), "gnuplot": said("gnuplot", "--version"),
          "libzstd": said("pkg-config", "--modversion", "libzstd"),
          "jansson": said("pkg-config", "--modversion", "jansson")}
    return "".join(f"{name}: {value}\n" for name, value in of.items())


def manifest(folder):
    """As sha256sum --check takes it."""
    lines = []
    for where, folders, names in os.walk(folder):
        folders.sort()
        lines += [os.path.relpath(os.path.join(where, n), folder) for n in names
                  if n != "MANIFEST" and not n.endswith(".part")]
    return "".join(f"{sha256(os.path.join(folder, name))}  {name}\n" for name in sorted(lines))
