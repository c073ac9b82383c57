# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups of rows, sums over recordings, differences on the same recordings, parts for tuning."""

import math
import re

from . import estimate
from .table import HEURISTIC, SCALE, WORLDS, Problem, config_of, group_of, spec_of


def natural(text):
    """A key that sorts 9 before 10, whatever is around them."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part)
            for part in re.split(r"(\d+)", text)]


def natural_all(texts):
    return [natural(text) for text in texts]


class Cell:
    """The rows of one configuration at one scale: one for each recording, sorted by name."""

    def __init__(self, config, scale, rows):
        self.config = config
        self.scale = scale
        self.rows = sorted(rows, key=lambda r: (natural(r["trace"]), r["trace_sha256"]))

    def __len__(self):
        return len(self.rows)

    def values(self, column):
        return [row[column] for row in self.rows]

    def total(self, column):
        """None where a recording has none: a sum over some of them would be of something else."""
        values = self.values(column)
        return None if any(v is None for v in values) else math.fsum(values)

    def totals(self, *columns):
        return math.fsum(self.total(column) for column in columns)

    def of(self, shas):
        return Cell(self.config, self.scale, [r for r in self.rows if r["trace_sha256"] in shas])

    def share_pct(self, world):
        """Avoided exits in per cent of F_base, from the sums of both."""
        base = self.total("f_base")
        return 100.0 * self.total(WORLDS[world]) / base if base else None

    def bounds(self):
        lo, middle, hi = (self.total(column) for column in WORLDS.values())
        crossed = sum(row["bounds"] == "crossed" for row in self.rows)
        if not lo <= middle <= hi:
            return "crossed"
        return f"ordered, crossed in {crossed} of {len(self)}" if crossed else "ordered"


def quotient(above, below):
    return above / below if below else None


def coverage(cell):
    # Beside another KVM a part of these is that KVM's, which the row does not tell apart.
    if any(row["baseline_avoided"] is not None for row in cell.rows):
        return None
    return quotient(cell.totals("avoided_direct", "avoided_side"), cell.total("f_base"))


def used(cell):
    return cell.totals("used_timely", "used_late", "used_weak")


def accuracy_lo(cell):
    return quotient(used(cell), cell.totals("built", "unknown", "use_unknown"))


def accuracy_hi(cell):
    return quotient(used(cell), cell.total("built"))


def lateness(cell):
    late = cell.totals("used_late", "cancelled_demand")
    return quotient(late, late + cell.total("used_timely"))


def oracle_share(cell):
    mine = math.fsum(row[WORLDS[row["knowledge"]]] for row in cell.rows)
    return quotient(mine, cell.total("avoidable"))


def speedup_pct(cell):
    base, helped = cell.total("time_base_s"), cell.total("time_helped_s")
    return 100.0 * (base / helped - 1) if base is not None and helped else None


def speedup_bound_pct(cell):
    """Each recording's time with all of F_base free, from its own bound; then of the sums."""
    base = cell.total("time_base_s")
    if base is None or cell.total("speedup_bound_pct") is None:
        return None
    free = math.fsum(r["time_base_s"] / (1 + r["speedup_bound_pct"] / 100) for r in cell.rows)
    return 100.0 * (base / free - 1) if free else None


class Group:
    """Recordings that are taken together, and all that was run on them."""

    def __init__(self, key, rows, vary):
        self.key = key
        self.recordings = dict(sorted({r["trace_sha256"]: r["trace"] for r in rows}.items(),
                                      key=lambda item: (natural(item[1]), item[0])))
        cells = {}
        for row in rows:
            cells.setdefault((row[SCALE], config_of(row, vary)), []).append(row)
        self.cells = {key: Cell(key[1], key[0], cells[key])
                      for key in sorted(cells, key=lambda k: (k[0], natural_all(k[1])))}

    def scales(self):
        return sorted({scale for scale, _ in self.cells})

    def at(self, scale):
        return [cell for (s, _), cell in self.cells.items() if s == scale]

    def labels(self):
        """Names of the recordings by hash; a part of the hash where two have one name."""
        names = list(self.recordings.values())
        return {sha: name if names.count(name) == 1 else f"{name} {sha[:12]}"
                for sha, name in self.recordings.items()}


def groups(rows, by=(), vary=()):
    keys = {}
    for row in rows:
        keys.setdefault(group_of(row, by), []).append(row)
    return [Group(key, keys[key], vary) for key in sorted(keys, key=natural_all)]


def matches(config, spec):
    """NAME, or NAME:KEY=VALUE,... with as many parameters as tell it from others."""
    name, _, params = spec.partition(":")
    wanted = set(params.replace(",", ";").split(";")) if params else set()
    return config[0] == name and wanted <= set(config[1].split(";"))


def find(group, scale, spec):
    """The cell of a configuration as spec_of() writes it, or the only one that a spec matches."""
    cells = group.at(scale)
    found = [c for c in cells if spec_of(c.config) == spec] or \
        [c for c in cells if matches(c.config, spec)]
    if len(found) == 1:
        return found[0]
    have = ", ".join(spec_of(c.config) for c in found or cells)
    if found:
        raise Problem(f"{spec}: which of {have}?", 2)
    raise Problem(f"{spec}: the tables have no such configuration at guest time x {scale:g};"
                  f" they have {have}", 2)


class Difference:
    """What one configuration avoids more than another, recording by recording, in one world."""

    def __init__(self, cell, other, world, settings):
        column = WORLDS[world]
        self.by_recording = [a[column] - b[column] for a, b in zip(cell.rows, other.rows)]
        self.base = cell.values("f_base")
        self.mean = estimate.mean(self.by_recording, settings)
        self.pct = estimate.ratio_pct(self.by_recording, self.base, settings)
        self.more = sum(d > 0 for d in self.by_recording)
        self.less = sum(d < 0 for d in self.by_recording)
        self.worst = cell.rows[lowest(self.by_recording, self.base)]

    def sign(self):
        total = math.fsum(self.by_recording)
        return (total > 0) - (total < 0)


def lowest(values, bases):
    """Where the smallest share of its own base is; the first of several."""
    shares = [v / b if b else 0.0 for v, b in zip(values, bases)]
    return shares.index(min(shares))


def worst_row(cell, world):
    return cell.rows[lowest(cell.values(WORLDS[world]), cell.values("f_base"))]


SPLIT_RULE = ("sorted by trace_sha256, the first half (rounded down) is for tuning,"
              " the others for reporting")


def split(group, tune=None):
    """(hashes for tuning, for reporting): by SPLIT_RULE, or those that tune names are for tuning.

    A hash says nothing of what was recorded, so neither does the choice.
    """
    shas = sorted(group.recordings)
    if tune is None:
        chosen = shas[:len(shas) // 2]
    else:
        chosen = [sha for sha in shas if named(group, sha, tune)]
    rest = [sha for sha in shas if sha not in chosen]
    return chosen, rest


def named(group, sha, names):
    name = group.recordings[sha]
    return any(word in (name, name.removesuffix(".spht"), sha) or
               (len(word) >= 8 and sha.startswith(word)) for word in names)


def check_named(all_groups, names):
    for word in names:
        if not any(named(g, sha, [word]) for g in all_groups for sha in g.recordings):
            raise Problem(f"--tune={word}: the tables have no such recording", 2)


def choose(cells, tuning, column):
    """Of one heuristic's configurations, the one with the most on the recordings for tuning.

    Where several have the same, the one that builds least; then the first by its parameters.
    """
    def order(cell):
        part = cell.of(tuning)
        return (-part.total(column), part.total("issued"), natural_all(cell.config))
    return min(cells, key=order)


def by_heuristic(cells):
    found = {}
    for cell in cells:
        found.setdefault(cell.config[0], []).append(cell)
    return found


def head_of(by, vary):
    """Columns that say whose row it is; the values are those of who()."""
    return list(by) + [SCALE] + HEURISTIC + list(vary)


def who(group, cell):
    return list(group.key) + [cell.scale] + list(cell.config)
