# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reading of the results: prose by hand, figures by the generator.

{{GROUP/SPEC/WHAT}} becomes a figure, {{check LEFT < RIGHT}} nothing, if it holds. SPEC is one that
was run, "best NAME", or "top", the best of the best; of "SPEC minus SPEC" there are gain and
gain_pct, and their ends, gain_low and so on. A figure that is written by hand would go
stale unseen, so digits stand in `code` only.
"""

import math
import re

from . import estimate, summary
from .table import HEURISTIC, Problem

MARK = re.compile(r"\{\{(.*?)\}\}", re.S)
COMMENT = re.compile(r"<!--.*?-->\n?", re.S)
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)")
COMPARED = {"<": lambda a, b: a < b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b,
            ">=": lambda a, b: a >= b, "=": lambda a, b: a == b}

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


class Reading:
    """Fills in one text from a study; every Problem names the mark that is wrong."""

    def __init__(self, path, study):
        self.path = path
        self.study = study
        self.parts = {part.name(): part for part in study.parts}

    def wrong(self, mark, why):
        return Problem(f"{self.path}: {{{{{mark}}}}}: {why}")

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

    def number(self, mark, text):
        """A figure, a number, or a number times a figure."""
        factor, star, rest = text.rpartition("*")
        if star:
            return float(factor) * self.figure(mark, rest)[0]
        return self.figure(mark, text)[0] if "/" in text else float(text)

    def hold(self, mark, text):
        sides = re.split(r" (<=|>=|<|>|=) ", text)
        if len(sides) != 3:
            raise self.wrong(mark, "expected check LEFT < RIGHT")
        try:
            left, right = self.number(mark, sides[0]), self.number(mark, sides[2])
        except (ValueError, TypeError):
            raise self.wrong(mark, "expected numbers or GROUP/SPEC/WHAT") from None
        if not COMPARED[sides[1]](left, right):
            raise self.wrong(mark, f"does not hold any more: {left:.9g} against {right:.9g}; the"
                             " text beside it has to be written anew")
        return ""

    def replace(self, match):
        mark = match[1]
        if mark.startswith("check "):
            return self.hold(mark, mark.removeprefix("check "))
        return self.figure(mark, mark)[1]

    def fill(self, text):
        text = COMMENT.sub("", text)
        for number, line in enumerate(CODE.sub("", MARK.sub("", text)).splitlines(), 1):
            if re.search(r"\d", line):
                raise Problem(f"{self.path}: a figure by hand in line {number} without comments:"
                              f" '{line.strip()}'; write {{{{GROUP/SPEC/WHAT}}}}, or `code` where"
                              " it is none")
        # A line that holds checks alone leaves no gap.
        text = re.sub(r"^[ \t]*(?:\{\{check [^}]*\}\}[ \t]*)+\n",
                      lambda m: MARK.sub(self.replace, m[0]).strip(), text, flags=re.M)
        return MARK.sub(self.replace, text)
