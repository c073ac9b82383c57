# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs gnuplot, and makes of what it leaves a file that is the same each time."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from xml.sax.saxutils import escape

from .script import FONT
from .source import Problem

SECONDS = 120
# So its sizes are those of an SVG, in points.
CAIRO = "fontscale 0.75 linewidth 2 pointscale 1.6 dashlength 2"
MM = 25.4 / 72
# What follows the name of a .tex in that of its picture: NAME.pdf may be another figure.
PICTURE = "-picture.pdf"
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def terminal(canvas, stem):
    """The lines that choose terminal and output."""
    w, h = canvas.width, canvas.height
    size = f"size {w / 72:.4f}in,{h / 72:.4f}in"
    if canvas.form == "svg":
        return [f"set terminal svg size {w},{h} fixed font 'sans-serif,{FONT}' noenhanced"
                f" background rgb 'white' name 'spht_{canvas.name}'", f"set output '{stem}.svg'"]
    if canvas.form == "pdf":
        return [f"set terminal pdfcairo {size} font 'Sans,{FONT}' noenhanced {CAIRO}"
                " background rgb 'white'", f"set output '{stem}.pdf'"]
    return [f"set terminal cairolatex pdf input {size} {CAIRO}"
            r" header '\fontsize{8}{9.6}\selectfont'", f"set output '{stem}.tex'"]


def script(canvas, stem):
    """All of it: `gnuplot FILE` draws the figure to STEM.svg, .pdf or .tex."""
    head = ["# SPHT figure; edit it and run: gnuplot THIS_FILE", f"# {canvas.caption}", "reset"]
    return "\n".join(head + terminal(canvas, stem)) + "\n" + canvas.body() + "unset output\n"


def run(text, folder):
    if not shutil.which("gnuplot"):
        raise Problem("gnuplot is not installed; scripts/deps installs it (Debian: gnuplot-nox)")
    # Neither start-up files nor a window, and no date of today.
    kept = {k: os.environ[k] for k in ("PATH", "HOME", "TMPDIR", "FONTCONFIG_FILE")
            if k in os.environ}
    env = {**kept, "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "0"}
    path = os.path.join(folder, "figure.gp")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    try:
        done = subprocess.run(["gnuplot", "-d", path], cwd=folder, env=env, capture_output=True,
                              timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"gnuplot took more than {SECONDS} s; draw fewer rows (--only)") from None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        lines = said.splitlines() or ["no message"]
        raise Problem(f"gnuplot failed (exit status {done.returncode}): {lines[-1].strip()}")


def svg_of(text, canvas):
    """Self-contained: no pop-up names of gnuplot, a title, and identifiers of its own, so that
    a page can hold several."""
    start = text.find("<svg")
    end = text.find(">", start) + 1
    body = text[end:]
    body = re.sub(r"\s*<title>.*?</title>|\s*<desc>.*?</desc>", "", body, flags=re.S)
    mark = f"{canvas.name}-{hashlib.sha256(body.encode()).hexdigest()[:8]}-"
    body = re.sub(r"""\bid=(['"])([^'"]+)\1""", rf"id=\1{mark}\2\1", body)
    body = re.sub(r"url\(#", f"url(#{mark}", body)
    body = re.sub(r"""href=(['"])#""", rf"href=\1#{mark}", body)
    body = re.sub(r'font-family="[^"]*"', f'font-family="{FONTS}"', body)
    first, _, rest = canvas.caption.partition(". ")
    head = (f'<?xml version="1.0" encoding="utf-8"?>\n'
            f'<svg width="{canvas.width * MM:.2f}mm" height="{canvas.height * MM:.2f}mm"'
            f' viewBox="0 0 {canvas.width} {canvas.height}" role="img"'
            f' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">\n'
            f"<title>{escape(first)}</title>\n<desc>{escape(rest)}</desc>\n")
    return head + body.lstrip("\n")


def read(path):
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        data = b""
    if not data:
        raise Problem("gnuplot wrote nothing; is its terminal built in? (Debian: gnuplot-nox)")
    return data


def undated(data):
    """A PDF without the moment and the program's way of writing it."""
    return re.sub(rb"/CreationDate \([^)]*\)",
                  lambda m: b"/CreationDate (D:19700101000000Z".ljust(len(m[0]) - 1)[
                      :len(m[0]) - 1] + b")", data)


def files(canvas, stem):
    """The figure's files as {ending: bytes}; @stem is the name that LaTeX is told."""
    with tempfile.TemporaryDirectory(prefix="spht-plot.") as folder:
        run(script(canvas, "figure"), folder)
        if canvas.form == "svg":
            text = read(os.path.join(folder, "figure.svg")).decode()
            return {".svg": svg_of(text, canvas).encode()}
        pdf = undated(read(os.path.join(folder, "figure.pdf")))
        if canvas.form == "pdf":
            return {".pdf": pdf}
        text = read(os.path.join(folder, "figure.tex")).decode()
        return {PICTURE: pdf, ".tex": tex_of(text, canvas, stem + PICTURE[:-4]).encode()}


def tex_of(text, canvas, stem):
    """For \\input, which includes the picture beside it."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("%")
             or line.strip() == "%"]
    body = "\n".join(lines).replace("{figure}", "{" + stem + "}")
    return f"% {canvas.caption}\n% Needs graphicx and color. \\input it.\n{body}\n"
