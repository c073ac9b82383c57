# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of scripts/stats, each made of groups of rows."""

from . import estimate, summary
from .render import ASIDE, COUNT, COUNT_RANGE, FRACTION, PCT, PCT_RANGE, SECONDS, TEXT, Table
from .table import WORLDS, Problem, spec_of

AVOIDED = [("avoided_lo", COUNT), ("avoided", COUNT), ("avoided_hi", COUNT),
           ("avoided_lo_pct", PCT), ("avoided_pct", PCT), ("avoided_hi_pct", PCT), ("bounds", TEXT)]
RATIOS = [("coverage", FRACTION, summary.coverage), ("accuracy_lo", FRACTION, summary.accuracy_lo),
          ("accuracy_hi", FRACTION, summary.accuracy_hi), ("lateness", FRACTION, summary.lateness),
          ("oracle_share", FRACTION, summary.oracle_share),
          ("helper_busy_s", SECONDS, lambda cell: cell.total("helper_busy_s")),
          ("speedup_pct", PCT, summary.speedup_pct),
          ("speedup_bound_pct", PCT, summary.speedup_bound_pct)]


class Plan:
    """What the user wants of the rows."""

    def __init__(self, by=(), vary=(), settings=None):
        self.by = list(by)
        self.vary = list(vary)
        self.settings = settings or estimate.Settings()
        self.against = None
        self.tune = None
        self.choose_by = "avoided"
        self.choose_at = 1.0

    def who(self):
        return [(name, TEXT) for name in summary.head_of(self.by, self.vary)]

    def how(self):
        s = self.settings
        return [s.level, s.resamples, s.seed]


HOW = [("level", ASIDE), ("resamples", ASIDE), ("seed", ASIDE)]


def avoided_cells(cell):
    return [cell.total(column) for column in WORLDS.values()] + \
        [cell.share_pct(world) for world in WORLDS] + [cell.bounds()]


def sums(cell):
    return [cell.total("f_base"), *avoided_cells(cell), *(ratio(cell) for _, _, ratio in RATIOS)]


def sum_columns():
    return [("f_base", COUNT)] + AVOIDED + [(name, kind) for name, kind, _ in RATIOS]


def recordings(groups, plan):
    table = Table("Recordings", plan.who() + [("recording", TEXT)] + sum_columns())
    for group in groups:
        labels = group.labels()
        for cell in group.cells.values():
            for sha in group.recordings:
                table.add(*summary.who(group, cell), labels[sha], *sums(cell.of({sha})))
    return table


def pooled(groups, plan):
    table = Table("Pooled: sums over recordings, and ratios of these sums",
                  plan.who() + [("recordings", COUNT)] + sum_columns())
    for group in groups:
        for cell in group.cells.values():
            table.add(*summary.who(group, cell), len(cell), *sums(cell))
    return table


def interval_columns(exits, pct):
    """A value in exits and one in per cent of F_base, each by the bootstrap and by Student's t."""
    return [(exits, COUNT), (f"{exits}_boot", COUNT_RANGE), (f"{exits}_t", COUNT_RANGE),
            (f"{exits}_method", ASIDE),
            (pct, PCT), (f"{pct}_boot", PCT_RANGE), (f"{pct}_t", PCT_RANGE),
            (f"{pct}_method", TEXT)]


def interval_cells(found):
    if found is None:
        return [None] * 4
    return [found.value, found.boot, found.student, found.method]


def intervals(groups, plan):
    table = Table("Intervals: mean of the counts, and pooled per cent of F_base",
                  plan.who() + [("world", TEXT), ("recordings", COUNT)] +
                  interval_columns("mean_avoided", "avoided_pct") + HOW)
    for group in groups:
        for cell in group.cells.values():
            for world, column in WORLDS.items():
                values = cell.values(column)
                table.add(*summary.who(group, cell), world, len(cell),
                          *interval_cells(estimate.mean(values, plan.settings)),
                          *interval_cells(estimate.ratio_pct(values, cell.values("f_base"),
                                                             plan.settings)), *plan.how())
    return table


def worst(groups, plan):
    table = Table("Worst case: the recording with the lowest share of its F_base",
                  plan.who() + [("world", TEXT), ("recordings", COUNT), ("recording", TEXT),
                                ("f_base", COUNT), ("avoided", COUNT), ("avoided_pct", PCT)])
    for group in groups:
        labels = group.labels()
        for cell in group.cells.values():
            for world, column in WORLDS.items():
                row = summary.worst_row(cell, world)
                base = row["f_base"]
                table.add(*summary.who(group, cell), world, len(cell), labels[row["trace_sha256"]],
                          base, row[column], 100 * row[column] / base if base else None)
    return table


def compared(group, scale, plan):
    """(cell, the one that it is held against) pairs: against one, or all that come before it."""
    cells = group.at(scale)
    if plan.against is not None:
        other = summary.find(group, scale, plan.against)
        return [(cell, other) for cell in cells if cell is not other]
    return [(cell, other) for i, cell in enumerate(cells) for other in cells[:i]]


def paired(groups, plan):
    table = Table("Paired: what a configuration avoids more than another, on the same recordings",
                  plan.who() + [("against", TEXT), ("world", TEXT), ("recordings", COUNT)] +
                  interval_columns("mean_difference", "difference_pct") +
                  [("more", COUNT), ("same", COUNT), ("less", COUNT), ("worst_recording", TEXT),
                   ("worlds", TEXT)] + HOW)
    for group in groups:
        labels = group.labels()
        for scale in group.scales():
            for cell, other in compared(group, scale, plan):
                found = {w: summary.Difference(cell, other, w, plan.settings) for w in WORLDS}
                agreed = "agree" if len({d.sign() for d in found.values()}) == 1 else "differ"
                for world, d in found.items():
                    table.add(*summary.who(group, cell), spec_of(other.config), world, len(cell),
                              *interval_cells(d.mean), *interval_cells(d.pct), d.more,
                              len(cell) - d.more - d.less, d.less,
                              labels[d.worst["trace_sha256"]], agreed, *plan.how())
    return table


def parts(groups, plan):
    table = Table("Parts: which recordings tune and which report",
                  [(name, TEXT) for name in plan.by] +
                  [("recording", TEXT), ("trace_sha256", TEXT), ("part", TEXT)])
    for group in groups:
        tuning, _ = divide(group, plan)
        labels = group.labels()
        for sha in sorted(group.recordings):
            table.add(*group.key, labels[sha], sha, "tuning" if sha in tuning else "reporting")
    return table


def divide(group, plan):
    tuning, reporting = summary.split(group, plan.tune)
    if not tuning or not reporting:
        where = f" ({', '.join(group.key)})" if group.key else ""
        raise Problem(f"{len(group.recordings)} recording(s){where} make {len(tuning)} for tuning"
                      f" and {len(reporting)} for reporting: each part needs one; record more, or"
                      " choose with --tune=RECORDING,...", 2)
    return tuning, reporting


def chosen_scale(group, plan):
    scales = group.scales()
    if plan.choose_at in scales:
        return plan.choose_at
    if len(scales) == 1:
        return scales[0]
    raise Problem(f"--choose-at={plan.choose_at:g}: the tables have no such guest time scale; they"
                  f" have {', '.join(f'{s:g}' for s in scales)}", 2)


def best(groups, plan):
    """Parameters are chosen at one scale on one part, and told at all scales of the other."""
    boot = interval_columns("mean_avoided", "avoided_pct")
    table = Table(f"Best parameters of each heuristic by {plan.choose_by}, chosen on the tuning"
                  " part",
                  plan.who() + [("of", COUNT), ("tuning_recordings", COUNT),
                                (f"tuning_{plan.choose_by}_pct", PCT), ("recordings", COUNT)] +
                  sum_columns() + boot[:4] + boot[5:] + HOW)
    for group in groups:
        tuning, reporting = divide(group, plan)
        found = summary.by_heuristic(group.at(chosen_scale(group, plan)))
        for cells in found.values():
            config = summary.choose(cells, tuning, plan.choose_by).config
            for scale in group.scales():
                cell = group.cells.get((scale, config))
                if cell is not None:
                    table.add(*summary.who(group, cell), len(cells),
                              *best_cells(cell.of(tuning), cell.of(reporting), plan))
    return table


def best_cells(tuned, told, plan):
    values = told.values("avoided")
    world = next(w for w, column in WORLDS.items() if column == plan.choose_by)
    pct = estimate.ratio_pct(values, told.values("f_base"), plan.settings)
    return [len(tuned), tuned.share_pct(world), len(told), *sums(told),
            *interval_cells(estimate.mean(values, plan.settings)), *interval_cells(pct)[1:],
            *plan.how()]


TABLES = {"recordings": recordings, "pooled": pooled, "intervals": intervals, "worst": worst,
          "paired": paired, "parts": parts, "best": best}
NEED_PARTS = ["parts", "best"]
