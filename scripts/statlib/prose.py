# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prose by hand, figures by the generator.

{{FIGURE}} becomes a figure, {{check LEFT < RIGHT}} nothing, if it holds. A figure that is written
by hand would go stale unseen, so digits stand in `code` and in the targets of links only.
"""

import re

from .table import Problem

MARK = re.compile(r"\{\{(.*?)\}\}", re.S)
COMMENT = re.compile(r"<!--.*?-->\n?", re.S)
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)")
COMPARED = {"<": lambda a, b: a < b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b,
            ">=": lambda a, b: a >= b, "=": lambda a, b: a == b}


class Prose:
    """Fills in one text; every Problem names the mark that is wrong.

    Who inherits says in `form` what a figure looks like, and has figure(mark, text), which gives
    (value, as text).
    """

    form = "FIGURE"

    def __init__(self, path):
        self.path = path

    def figure(self, mark, text):
        raise NotImplementedError

    def wrong(self, mark, why):
        return Problem(f"{self.path}: {{{{{mark}}}}}: {why}")

    def number(self, mark, text):
        """A figure, a number, or a number times a figure."""
        factor, star, rest = text.partition("*")
        if star and re.fullmatch(r"-?\d+(\.\d+)?", factor):
            return float(factor) * self.figure(mark, rest)[0]
        return self.figure(mark, text)[0] if "/" in text else float(text)

    def hold(self, mark, text):
        sides = re.split(r" (<=|>=|<|>|=) ", text)
        if len(sides) != 3:
            raise self.wrong(mark, "expected check LEFT < RIGHT")
        try:
            left, right = self.number(mark, sides[0]), self.number(mark, sides[2])
        except (ValueError, TypeError):
            raise self.wrong(mark, f"expected numbers or {self.form}") from None
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
                              f" '{line.strip()}'; write {{{{{self.form}}}}}, or `code` where"
                              " it is none")
        # A line that holds checks alone leaves no gap.
        text = re.sub(r"^[ \t]*(?:\{\{check [^}]*\}\}[ \t]*)+\n",
                      lambda m: MARK.sub(self.replace, m[0]).strip(), text, flags=re.M)
        return MARK.sub(self.replace, text)
