#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in an SVG of scripts/plot.

usage: svg-check.py FILE.svg...

One figure by itself: a line of each text, in their order, after a check that the file is
well-formed, has a title, refers to nothing outside of it, begins every text on the paper, and has
no text below 8 points. Several: that no identifier stands in two of them.
"""
import re
import sys
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


def fail(path, text):
    sys.exit(f"{path}: {text}")


def sizes(root, path):
    """All font sizes are at least 8, in points: the view box has 72 to the inch."""
    width = float(root.get("width").removesuffix("mm"))
    box = [float(v) for v in root.get("viewBox").split()]
    if abs(width / 25.4 * 72 - box[2]) > 0.05:
        fail(path, f"{width} mm are {box[2]} units")
    for element in root.iter():
        size = element.get("font-size")
        if size and float(size) < 8:
            fail(path, f"a text of {size}")
    return box


def texts(root, path):
    box = sizes(root, path)
    out = []

    def walk(element, x, y):
        for match in re.finditer(r"translate\(([-0-9.]+),([-0-9.]+)\)",
                                 element.get("transform") or ""):
            x, y = x + float(match[1]), y + float(match[2])
        if element.tag == SVG + "text":
            text = "".join(element.itertext()).strip()
            if text and not (0 <= x <= box[2] and 0 <= y <= box[3]):
                fail(path, f"{text!r} is at {x:g},{y:g}, outside of {box}")
            out.append(text)
        for child in element:
            walk(child, x, y)

    walk(root, 0.0, 0.0)
    return [t for t in out if t]


def identifiers(root, path):
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    if len(set(ids)) < len(ids):
        fail(path, "an identifier stands there twice")
    for element in root.iter():
        named = re.findall(r"url\(#([^)]*)\)", " ".join(element.attrib.values()))
        if element.get(HREF):
            if not element.get(HREF).startswith("#"):
                fail(path, f"refers to {element.get(HREF)}")
            named.append(element.get(HREF)[1:])
        for name in named:
            if name not in ids:
                fail(path, f"refers to #{name}, which is not there")
    return set(ids)


def main(paths):
    seen = {}
    for path in paths:
        root = ET.parse(path).getroot()
        title = root.find(SVG + "title")
        if title is None or not (title.text or "").strip():
            fail(path, "has no title")
        for name in identifiers(root, path):
            if name in seen:
                fail(path, f"{name} stands in {seen[name]} too")
            seen[name] = path
        lines = texts(root, path)
        if len(paths) == 1:
            print("\n".join(lines))


main(sys.argv[1:])
