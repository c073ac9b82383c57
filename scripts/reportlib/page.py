# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole page, in the order in which it is read."""

from .figures import figures
from .glossary import glossary
from .markup import Html, clean, join, lines, tag
from .provenance import provenance
from .sections import books, classes, fidelity, scales, slices, summary
from .style import CSS
from .verdict import explains, verdict, warnings

# Nothing is loaded and nothing is run, whatever a recording's header says.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def title(run):
    trace = run.first.text("trace")
    return trace.removesuffix(".spht") or trace


def under(run):
    """Where it was recorded, in one line."""
    first = run.first
    vcpus = f"{first['vcpus']:.0f} vCPU" + ("" if first["vcpus"] == 1 else "s")
    info = run.told.get("info", {})
    guest = (info.get("guest") or {}).get("workload") if isinstance(info.get("guest"), dict) else None
    parts = [guest if isinstance(guest, str) else None, vcpus,
             f"host Linux {first.text('host_kernel')}" if first.text("host_kernel") else None,
             f"guest {first.text('guest_kernel')}" if first.text("guest_kernel") else None]
    return tag("p", "; ".join(p for p in parts if p), class_="under")


def sections(run, drawn):
    yield "warnings-section", "Read this first", warnings(run)
    yield "summary", "Summary", lines(summary(run), scales(run))
    if drawn:
        yield "figures", "Figures", drawn
    yield "classes", "Exits by class", classes(run)
    yield "books", "Where every request ended", books(run)
    yield "fidelity", "How far the model can be believed", fidelity(run)
    yield "slices", "Over time", slices(run)
    yield "words", "What the numbers mean", glossary()
    yield "provenance", "Where it comes from", provenance(run)


def page(run, tables, where, with_figures=True):
    """The bytes of it; figures are drawn in the folder @where."""
    drawn = figures(run, tables, where) if with_figures else ""
    parts = list(sections(run, drawn))
    nav = tag("nav", tag("ul", [tag("li", tag("a", name, href=f"#{key}"))
                                for key, name, _ in parts]), aria_label="Sections")
    body = lines(
        tag("header", lines("", tag("h1", "Exits that a helper would avoid: ", title(run)),
                            under(run), "")),
        tag("main", lines("", verdict(run), nav, *(
            tag("section", lines("", tag("h2", name, id=f"{key}-head"), inside, ""), id=key,
                aria_labelledby=f"{key}-head") for key, name, inside in parts), "")),
        tag("footer", tag("p", "Made by spht's report from tables of spht-replay ",
                          run.first.text("tool_version"), ", commit ", run.first.text("git_commit"),
                          ". Every number here is a cell of these tables or made of them; the same"
                          " recording and options give the same bytes.")))
    head = lines("", tag("meta", charset="utf-8"),
                 tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
                 tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                 tag("meta", name="color-scheme", content="light dark"),
                 tag("meta", name="referrer", content="no-referrer"),
                 tag("title", "spht: ", clean(title(run))), tag("style", Html(CSS)), "")
    good = explains(run) and run.complete
    return join(Html("<!DOCTYPE html>\n"), tag(
        "html", lines("", tag("head", head), tag("body", lines("", body, ""),
                                                 class_=None if good else "doubtful"), ""),
        lang="en"), Html("\n")).encode()
