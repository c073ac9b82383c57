# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTML that cannot be injected into: whatever is not Html already is text, and is escaped."""

import html
import re
import unicodedata

# Longer texts of a recording's header are cut, and say so.
MOST = 2000
EMPTY = "—"
VOID = {"meta", "br", "link"}
# What is not seen, or turns the direction of what is.
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Html(str):
    """Text that is markup."""


def clean(text):
    """Text as it may be shown: what has no shape of its own becomes a visible mark."""
    text = str(text)
    if len(text) > MOST:
        text = f"{text[:MOST]}… ({len(text):,} characters)"
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in UNSEEN and c != "\n"
                   else c for c in text)


def escape(thing):
    if isinstance(thing, Html):
        return thing
    if thing is None:
        return EMPTY
    return html.escape(clean(thing), quote=True)


def join(*things):
    """All of them, those that are lists included, as markup."""
    parts = []
    for thing in things:
        parts.append(join(*thing) if isinstance(thing, (list, tuple)) else escape(thing))
    return Html("".join(parts))


def tag(name, /, *inside, **attributes):
    """An element; class_ and for_ are class and for, a value of None is left out."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(clean(value), quote=True)}"'
                   for key, value in attributes.items() if value is not None)
    if name in VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(*inside)}</{name}>")


def lines(*things):
    """One below the other, so that the page can be read as text."""
    return Html("\n".join(join(thing) for thing in things if thing is not None and thing != ""))


def term(name, text=None):
    """A link to where the word is explained."""
    return tag("a", text or name, href=f"#g-{name}", class_="term")


def table(caption, heads, rows, class_=None, foot=()):
    """Columns have a scope, and so has the first cell of each row. It scrolls by itself where
    it is wider than the page."""
    def row(cells):
        return tag("tr", tag("th", cells[0], scope="row"), [tag("td", c) for c in cells[1:]])

    label = re.sub(r"<[^>]*>", "", join(caption))
    return tag("div", Html("\n"), tag(
        "table", tag("caption", caption), Html("\n"),
        tag("thead", tag("tr", [tag("th", h, scope="col") for h in heads])), Html("\n"),
        tag("tbody", [join(Html("\n"), row(r)) for r in rows]),
        tag("tfoot", [row(r) for r in foot]) if foot else "", class_=class_), Html("\n"),
        class_="scroll", tabindex="0", role="region", aria_label=html.unescape(label)[:80])


def number(text):
    """The value of a cell, None of an empty one."""
    return None if text in (None, "") else float(text)


def shown(value, places=0):
    """A number for people; the cell itself stays in the page, for programs."""
    if value in (None, ""):
        return EMPTY
    x = float(value)
    said = f"{x:,.{places}f}"
    if float(said.replace(",", "")) == 0:
        said = said.lstrip("-")
    return tag("data", said.replace("-", "−"), value=cell_text(value))


def cell_text(value):
    return value if isinstance(value, str) else f"{value:.9g}"


def percent(value, places=2):
    return EMPTY if value in (None, "") else join(shown(value, places), "\N{NO-BREAK SPACE}%")


def ratio(part, whole):
    """In per cent; nothing of nothing is nothing, not 0."""
    if part is None or not whole:
        return None
    return 100 * part / whole


def span(low, high, places=2):
    """[low, high]."""
    return tag("span", "[", shown(low, places), ", ", shown(high, places), "]", class_="bounds")
