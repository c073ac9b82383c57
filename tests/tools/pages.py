#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands, examples of output and links of the project's pages, for tests/cli/readme.sh.

usage: pages.py commands PAGE          the commands of its ```sh blocks, one a line
       pages.py examples PAGE DIR      its ```text blocks against what was printed
       pages.py renew PAGE DIR         the same, and writes into PAGE what has changed
       pages.py links FOLDER PAGE...   every link leads somewhere, to a heading if it says so

A ```text block is a part of what the last command before it printed, which is the file
N.out of DIR for the N-th command.  Lines follow each other as they were printed; `...`
stands for some that are left out.  A number of four digits or more in the page's prose must be
one that was printed, or stand in a command.
"""

import os
import re
import sys


class Block:
    """A fenced block: its language and its lines, with the number of the first."""

    def __init__(self, language, first):
        self.language, self.first, self.lines = language, first, []


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read().split("\n")


def parse(path):
    """The page's blocks, and what stands outside of them as (number, line)."""
    blocks, prose, block = [], [], None
    for number, line in enumerate(read(path)):
        if block is None and line.startswith("```"):
            block = Block(line[3:].strip(), number + 1)
            blocks.append(block)
        elif block is not None and line == "```":
            block = None
        elif block is not None:
            block.lines.append(line)
        else:
            prose.append((number, line))
    if block is not None:
        sys.exit(f"{path}:{block.first}: this block does not end")
    return blocks, prose


def commands(block):
    text = "\n".join(block.lines).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def key(line):
    """What a line is about: itself, whatever its numbers are."""
    return re.sub(r"[-+]?\d[\d.,/]*", "0", " ".join(line.split()))


def compare(path, block, printed):
    """Yields (number in the page, line of the page, line printed that replaces it or None)."""
    at, skipping = 0, True
    for number, line in enumerate(block.lines, block.first):
        if line == "...":
            skipping = True
            continue
        end = len(printed) if skipping else min(at + 1, len(printed))
        span = range(at, end)
        found = next((i for i in span if printed[i] == line), None)
        if found is None:
            found = next((i for i in span if key(printed[i]) == key(line)), None)
            yield number, line, None if found is None else printed[found]
        if found is not None:
            at = found + 1
        skipping = False


def examples(path, folder, renew):
    blocks, prose = parse(path)
    lines, bad, nr, known, seen = read(path), 0, 0, [], False
    for block in blocks:
        if block.language == "sh":
            nr += len(commands(block))
            known += [" ".join(block.lines)]
        elif block.language == "text":
            seen = True
            printed = [line.rstrip() for line in read(os.path.join(folder, f"{nr}.out"))]
            known += printed
            for number, line, now in compare(path, block, printed):
                bad += 1
                print(f"{path}:{number + 1}: not what is printed: {line.strip()}; "
                      + ("nothing like it is" if now is None else f"but: {now.strip()}"))
                if now is not None:
                    lines[number] = now
    if not seen:
        sys.exit(f"{path} has no ```text block")
    told = set(re.findall(r"\d+(?:\.\d+)?", "\n".join(known)))
    for number, line in prose:
        for figure in re.findall(r"(?<![\w.=#/])\d{4,}(?:\.\d+)?(?![\w-])", line):
            if figure not in told:
                bad += 1
                print(f"{path}:{number + 1}: {figure} was not printed by any command here")
    if renew:
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines))
    return bad


def anchors(path):
    """The names that a page's headings have as anchors."""
    names = set()
    for _, line in parse(path)[1]:
        heading = re.match(r"#{1,6} +(.*)", line)
        if not heading:
            continue
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.group(1)).lower()
        name = base = re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
        again = 0
        while name in names:
            again += 1
            name = f"{base}-{again}"
        names.add(name)
    return names


def links(top, paths):
    bad = count = 0
    for path in paths:
        text = "\n".join(line for _, line in parse(os.path.join(top, path))[1])
        # What stands between backquotes is no link.
        for target in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
            count += 1
            if re.match(r"(https?|mailto):", target):
                continue
            name, _, anchor = target.partition("#")
            there = os.path.join(top, os.path.dirname(path), name) if name else os.path.join(top, path)
            if not os.path.exists(there):
                print(f"{path}: {target}: there is no such file")
            elif anchor and anchor not in anchors(there):
                print(f"{path}: {target}: no heading has this anchor")
            else:
                continue
            bad += 1
    if not count:
        sys.exit("these pages have no links")
    return bad


def main(argv):
    if len(argv) == 2 and argv[0] == "commands":
        for block in parse(argv[1])[0]:
            for command in commands(block) if block.language == "sh" else []:
                print(command)
        return 0
    if len(argv) == 3 and argv[0] in ("examples", "renew"):
        return examples(argv[1], argv[2], argv[0] == "renew")
    if len(argv) > 2 and argv[0] == "links":
        return links(argv[1], argv[2:])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
