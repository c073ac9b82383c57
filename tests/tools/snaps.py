#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts the guest's page tables together from the snapshots of a trace, and checks that they can be.

    spht-trace dump FILE | snaps.py [--each] [--since TS]

Prints each table as it was last, one a line: "GFN INDEX=VALUE ...", or with --each as it was at
each snapshot: "TS TID KIND GFN INDEX=VALUE ...".  With --since only snapshots at or after TS that
are no preamble count for --each.  Exit status 1 where entries are missing or too many, or
a snapshot says only what changed since one that the trace does not have.
"""
import csv
import sys

FULL, UNREADABLE = 1, 2
KINDS = ["created", "found", "sync", "unsync", "walk"]


class Damage(Exception):
    pass


def snapshots(rows):
    """(ts, tid, preamble, fields, [(index, value)]) of each snapshot."""
    head, entries = None, []
    for row in rows:
        if row["event"] not in ("snap", "snap_entry"):
            continue
        fields = {k: int(v, 16) for k, v in (f.split("=") for f in row["fields"].split())}
        if row["event"] == "snap":
            if head:
                yield (*head, entries)
            head = int(row["ts"]), int(row["pid"]), row["preamble"] == "1", fields
            entries = []
            continue
        if not head or fields["gfn"] != head[3]["gfn"] or int(row["ts"]) != head[0] \
                or int(row["pid"]) != head[1] or row["preamble"] != str(int(head[2])):
            raise Damage(f"{row['ts']}: an entry without its snapshot")
        entries.append((fields["index"], fields["value"]))
    if head:
        yield (*head, entries)


def text(table):
    return " ".join(f"{i}={v:#x}" for i, v in sorted(table.items()) if v)


def apply(tables, ts, head, entries):
    """The table after a snapshot; None where it is not known."""
    gfn = head["gfn"]
    if len(entries) != head["entries"]:
        raise Damage(f"{ts}: {head['entries']} entries are announced, {len(entries)} follow")
    if [i for i, _ in entries] != sorted({i for i, _ in entries}) or any(i > 511 for i, _ in entries):
        raise Damage(f"{ts}: entries that are not in order")
    if head["kind"] >= len(KINDS):
        raise Damage(f"{ts}: kind {head['kind']}")
    if head["flags"] & UNREADABLE:
        tables.pop(gfn, None)
        return None
    if head["flags"] & FULL:
        tables[gfn] = {}
    elif gfn not in tables:
        raise Damage(f"{ts}: changes of table {gfn:#x}, of which nothing is known")
    tables[gfn].update(entries)
    return tables[gfn]


def main(args):
    each = "--each" in args
    since = int(args[args.index("--since") + 1]) if "--since" in args else 0
    tables = {}
    for ts, tid, preamble, head, entries in snapshots(csv.DictReader(sys.stdin)):
        table = apply(tables, ts, head, entries)
        if each and not preamble and ts >= since:
            what = "?" if table is None else text(table)
            print(f"{ts} {tid} {KINDS[head['kind']]} {head['gfn']:#x} {what}".rstrip())
    if not each:
        for gfn in sorted(tables):
            print(f"{gfn:#x} {text(tables[gfn])}".rstrip())


try:
    main(sys.argv[1:])
except Damage as e:
    sys.exit(f"snaps.py: {e}")
