# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of what scripts/results tries; its syntax stands at the top of scripts/results.grid."""

from .table import Problem

SECTIONS = ["references", "samples", "full"]


def check_spec(where, spec):
    name, colon, params = spec.partition(":")
    pairs = [pair.partition("=") for pair in params.split(",")] if colon else []
    if not name.isidentifier() or not all(k and e and all(v.split("|")) for k, e, v in pairs):
        raise Problem(f"{where}: '{spec}': expected NAME or NAME:KEY=VALUE|VALUE...,KEY=...")


def read(path):
    """The lines of each section, as they are; spht-replay knows what they make."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise Problem(f"{path}: {getattr(e, 'strerror', None) or 'no text'}") from None
    found, into = {name: [] for name in SECTIONS}, None
    for number, line in enumerate(lines, 1):
        where, line = f"{path}:{number}", line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            into = line.strip("[]")
            if into not in SECTIONS:
                raise Problem(f"{where}: {line}: expected one of"
                              f" {', '.join(f'[{s}]' for s in SECTIONS)}")
            continue
        if into is None:
            raise Problem(f"{where}: '{line}' stands before any section")
        check_spec(where, line)
        found[into].append(line)
    return found
