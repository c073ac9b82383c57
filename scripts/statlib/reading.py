# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reading of the results (prose.py): figures are GROUP/SPEC/WHAT.

SPEC is one that was run, "best NAME", or "top", the best of the best; of "SPEC minus SPEC" there
are gain and gain_pct, and their ends, gain_low and so on.
"""

import math

from . import estimate, summary
from .prose import Prose
from .table import HEURISTIC

SETTINGS = estimate.Settings()
RATIOS = {"coverage": summary.coverage, "accuracy_lo": summary.accuracy_lo,
          "accuracy_hi": summary.accuracy_hi, "lateness": summary.lateness,
          "oracle_share": summary.oracle_share, "speedup_pct": summary.speedup_pct,
          "speedup_bound_pct": summary.speedup_bound_pct}


def value_of(cell, what):
    """A figure of sums over recordings, or None."""
    if what in RATIOS:
        return RATIOS[what](cell)
    if what == "recordings":
        return len(cell)
    if what == "refault_pct":
        refaults = math.fsum(float(row.text["pf_refault"]) for row in cell.rows)
        return 100 * refaults / cell.total("f_base")
    if what.endswith("_pct") and what.removesuffix("_pct") in cell.rows[0].number:
        return 100 * cell.total(what.removesuffix("_pct")) / cell.total("f_base")
    if what in cell.rows[0].number:
        return cell.total(what)
    raise KeyError(what)


def gain_of(cell, other, what):
    """What one avoids more than the other in the inferred world; ends are Student's."""
    d = summary.Difference(cell, other, "inferred", SETTINGS)
    found = d.pct if what.startswith("gain_pct") else d.mean
    if what in ("gain", "gain_pct"):
        return found.value
    end = ["low", "high"].index(what.removeprefix("gain_pct_").removeprefix("gain_"))
    return found.student[end] if found.student else None


class Reading(Prose):
    """Fills in one text from a study."""

    form = "GROUP/SPEC/WHAT"

    def __init__(self, path, study):
        super().__init__(path)
        self.study = study
        self.parts = {part.name(): part for part in study.parts}

    def cell(self, mark, group, spec, scale):
        part = self.parts.get(group)
        if part is None:
            raise self.wrong(mark, f"no group {group}; there are {', '.join(self.parts)}")
        if spec == "top":
            return part.told(part.top(), scale)
        name = spec.removeprefix("best ")
        if spec.startswith("best ") and name in part.best:
            return part.told(part.best[name], scale)
        config = self.study.config(spec)
        if (scale, config) not in part.group.cells:
            raise self.wrong(mark, f"{spec} was not run at guest time x {scale:g}")
        return part.told(config, scale)

    def figure(self, mark, text):
        """(value, as text) of GROUP/SPEC/WHAT or GROUP/SPEC/WHAT@SCALE."""
        words = text.strip().split("/")
        if len(words) != 3:
            raise self.wrong(mark, "expected GROUP/SPEC/WHAT")
        what, _, scale = words[2].partition("@")
        try:
            spec, minus, other = words[1].partition(" minus ")
            cell = self.cell(mark, words[0], spec, float(scale or 1))
            if what in HEURISTIC:
                return None, f"`{cell.config[HEURISTIC.index(what)]}`"
            value = gain_of(cell, self.cell(mark, words[0], other, float(scale or 1)), what) \
                if minus else value_of(cell, what)
        except (KeyError, ValueError):
            raise self.wrong(mark, f"there is no figure {words[2]}") from None
        if value is None:
            raise self.wrong(mark, "is empty")
        places = 2 if "_pct" in what else 3 if what.endswith("_s") else 0
        if what in RATIOS and not what.endswith("_pct"):
            places = 3
        return value, f"{value:,.{places}f}"
