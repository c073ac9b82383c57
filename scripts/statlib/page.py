# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/results.md, from a study."""

from . import estimate, summary
from .render import COUNT, PCT, TEXT, Table, markdown, rounded
from .study import SCALES
from .table import WORLDS

SETTINGS = estimate.Settings()
# What best and default are held against: KVM's and Linux's own way, the simplest one there is.
AGAINST = "window"


def code(text):
    return f"`{text}`" if text else ""


def between(low, high):
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def recordings(part):
    rows = Table("", [("recording", TEXT), ("exits", COUNT), ("#PF exits", COUNT),
                      ("F_base", COUNT), ("of it refaults", PCT), ("fidelity absent", PCT),
                      ("present", PCT), ("lost events", COUNT), ("used for", TEXT)])
    labels = part.group.labels()
    first = next(iter(part.group.cells.values()))
    by_sha = {row["trace_sha256"]: row for row in first.rows}
    for sha in part.group.recordings:
        row = by_sha[sha]
        use = "both" if part.overfitted else "tuning" if sha in part.tuning else "reporting"
        rows.add(labels[sha], row["exits_total"], row["exits_pf"], row["f_base"],
                 100 * float(row.text["pf_refault"]) / row["f_base"] if row["f_base"] else None,
                 *(float(row.text[c]) if row.text[c] else None
                   for c in ("fidelity_absent_pct", "fidelity_present_pct")),
                 row["lost_events"], use)
    return markdown(rows)


def fraction(value):
    return "" if value is None else f"{value:.3f}"


def result_columns(part):
    columns = [("heuristic", TEXT), ("parameters", TEXT), ("strict", COUNT), ("avoided", COUNT),
               ("optimistic", COUNT), ("avoided, % of F_base", PCT)]
    if len(part.reporting) > 1:
        columns.append(("worst recording, %", PCT))
    return columns + [(name, TEXT) for name in (
        "share of oracle", "coverage", "accuracy", "lateness", "helper, s",
        *(f"speed-up, %, at x {scale}" for scale in SCALES))]


def result_row(part, config, label):
    cell = part.told(config)
    row = [config[0] if cell.bounds() == "ordered" else f"{config[0]} ({cell.bounds()})", label,
           *(cell.total(column) for column in WORLDS.values()), cell.share_pct("inferred")]
    if len(cell) > 1:
        worst = summary.worst_row(cell, "inferred")
        row.append(100 * worst["avoided"] / worst["f_base"] if worst["f_base"] else None)
    row += [fraction(summary.oracle_share(cell)), fraction(summary.coverage(cell)),
            between(summary.accuracy_lo(cell), summary.accuracy_hi(cell)),
            fraction(summary.lateness(cell)), fraction(cell.total("helper_busy_s"))]
    return row + [fraction(summary.speedup_pct(part.told(config, float(s)))) for s in SCALES]


def default_label(config):
    return "default" if config[1] else ""


def results(study, part):
    rows = Table("", result_columns(part))
    for spec in study.references:
        config = study.config(spec)
        rows.add(*result_row(part, config, code(spec.partition(":")[2])))
    for name in study.defaults:
        config = study.config(name)
        rows.add(*result_row(part, config, default_label(config)))
        best = part.best[name]
        if best != config:
            rows.add(*result_row(part, best, "best: " + code(changed(best, config))))
    return markdown(rows)


def changed(config, default):
    """Only the parameters that are not the default's."""
    usual = default[1].split(";")
    return ",".join(pair for pair in config[1].split(";") if pair not in usual)


def bound(part, study):
    cell = [part.told(study.config("none"), float(scale)) for scale in SCALES]
    values = [fraction(summary.speedup_bound_pct(c)) for c in cell]
    if not all(values):
        return ""
    told = ", ".join(f"{v} % at x {s}" for v, s in zip(values, SCALES))
    return f"The bound of the speed-up, all of F_base free: {told}.\n"


def pair_columns():
    return [("heuristic", TEXT), ("against", TEXT), ("recordings", COUNT),
            ("difference in exits", COUNT), ("bootstrap", TEXT), ("Student's t", TEXT),
            ("% of F_base", PCT), ("bootstrap ", TEXT), ("Student's t ", TEXT),
            ("strict, %", PCT), ("optimistic, %", PCT), ("worlds", TEXT), ("more/same/less", TEXT),
            ("worst recording", TEXT)]


def range_of(ends, kind):
    return "" if ends is None else f"{rounded(ends[0], kind)} to {rounded(ends[1], kind)}"


def pair_row(part, label, against, cell, other):
    found = {w: summary.Difference(cell, other, w, SETTINGS) for w in WORLDS}
    d = found["inferred"]
    pct = {w: f.pct.value if f.pct else None for w, f in found.items()}
    signs = {f.sign() for f in found.values()}
    return [label, against, len(cell), d.mean.value, range_of(d.mean.boot, COUNT),
            range_of(d.mean.student, COUNT), pct["inferred"],
            range_of(d.pct.boot if d.pct else None, PCT),
            range_of(d.pct.student if d.pct else None, PCT), pct["strict"], pct["optimistic"],
            "agree" if len(signs) == 1 else "differ",
            f"{d.more}/{len(cell) - d.more - d.less}/{d.less}",
            part.group.labels()[d.worst["trace_sha256"]]]


def pairs(study, part):
    """Defaults on all recordings; the best on those that did not choose them."""
    against = study.config(AGAINST)
    rows = Table("", pair_columns())
    for name in study.defaults:
        config = study.config(name)
        if config != against:
            rows.add(*pair_row(part, f"{name}, default", f"{AGAINST}, default", part.cell(config),
                               part.cell(against)))
    for name in study.defaults:
        config, best = study.config(name), part.best[name]
        if best != config:
            rows.add(*pair_row(part, f"{name}, best", f"{name}, default", part.told(best),
                               part.told(config)))
    best = part.best[AGAINST]
    for name in study.defaults:
        if name != AGAINST:
            rows.add(*pair_row(part, f"{name}, best", f"{AGAINST}, best",
                               part.told(part.best[name]), part.told(best)))
    sizes = {len(part.group.recordings), len(part.reporting)}
    notes = [estimate.caution(n, SETTINGS) for n in sorted(sizes)]
    return markdown(rows) + "".join(f"\n{note}\n" for note in notes if note)


def sweep(study, part):
    rows = Table("", [("heuristic", TEXT), ("parameters", TEXT), ("strict, %", PCT),
                      ("avoided, %", PCT), ("optimistic, %", PCT), ("built", COUNT),
                      ("accuracy", TEXT), ("", TEXT)])
    for name in study.defaults:
        cells = study.tried_of(part, name)
        for cell in cells if len(cells) > 1 else []:
            c = cell.of(part.tuning)
            default = study.config(name)
            rows.add(name, "default" if c.config == default else code(changed(c.config, default)),
                     *(c.share_pct(world) for world in WORLDS), c.total("built"),
                     between(summary.accuracy_lo(c), summary.accuracy_hi(c)),
                     "best" if c.config == part.best[name] else "")
    return markdown(rows)


def parts_note(part):
    if part.overfitted:
        return ("One recording: parameters were chosen and are told on the same one. The best are"
                " over-fitted, and there is no interval.\n")
    return (f"Best parameters were chosen on {len(part.tuning)} of {len(part.group.recordings)}"
            " recordings and are told on the"
            f" {'others' if len(part.reporting) > 1 else 'other'}, of which all rows of the next"
            " table are sums.\n")


def section(study, part):
    lines = [f"## {part.title()}", "", f"In the reading: `{part.name()}`.", "", recordings(part),
             parts_note(part), results(study, part), bound(part, study)]
    if not part.overfitted:
        lines += ["### Differences on the same recordings", "", pairs(study, part)]
    lines += ["### What was tried", "",
              "Sums over the recordings that tune; per cent of F_base.\n", sweep(study, part)]
    return "\n".join(lines)


HEAD = """\
# Results{of}

Made by `{command}`; do not edit. What a row and a column mean: [metrics.md](metrics.md); how rows
are added up and differences taken: [statistics.md](statistics.md); what not to conclude:
[limits.md](limits.md).

{build}
Costs: `{costs}`. Time is {source}. strict, avoided (inferred) and optimistic are the three worlds;
accuracy is between its bounds. best: of what `scripts/results.grid` tries, what avoids most in the
inferred world at guest time x 1; parameters that are the default's are left out.

"""
COMMIT = "spht-replay {version}, commit {commit}."
CURRENT = ("Of the sources that it lies with: a test makes it again and holds the two together.")


def page(study, full, reading, drawn=""):
    """reading: the text about the results, figures filled in; drawn: the section that shows
    pictures."""
    row = study.rows[0]
    build = CURRENT
    if full:
        build = COMMIT.format(version=row["tool_version"], commit=row["git_commit"])
    lines = [HEAD.format(
        of=", whole recordings" if full else "",
        command="make results RECORDINGS='FILE...'" if full else "make results",
        build=build, costs=row["costs"], source=row["time_source"] or "not known")]
    if reading:
        lines += [reading.strip(), "\n\n"]
    if drawn:
        lines.append(drawn)
    lines += [section(study, part) + "\n" for part in study.parts]
    hashes = {sha: name for part in study.parts for sha, name in part.group.recordings.items()}
    lines.append("## The recordings\n\nSHA-256:\n\n```\n")
    for sha, name in sorted(hashes.items(), key=lambda i: (summary.natural(i[1]), i[0])):
        lines.append(f"{sha}  {name}\n")
    lines.append("```\n")
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
