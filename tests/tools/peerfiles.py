#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Writes the first events of a recording as other tools would have recorded them.

    peerfiles.py SPHT_TRACE IN.spht OUT.dat OUT.data [EVENTS]

OUT.dat is a trace.dat of version 7, not compressed, OUT.data a perf.data; both
hold the first EVENTS events of IN (all if not given) that are no preamble.  The
bytes of each event are those of the kernel's own format, which the header of IN
keeps; what IN does not store of an event, such as a string, is 0 in both.
"""
import json
import os
import re
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import mkperfdata  # noqa: E402
import mktracedat  # noqa: E402

PAGE = 4096
ROUND = 10000  # events between two FINISHED_ROUND
FIELD = re.compile(r"\tfield:([^;]*);\toffset:(\d+);\tsize:(\d+);\tsigned:(\d);")


class Kind:
    """An event type: how its records look."""

    def __init__(self, key, text):
        self.system, self.name = key.split("/")
        self.text = text.encode()
        self.number = int(re.search(r"^ID: *(\d+)", text, re.M)[1])
        self.places, self.size = {}, 0
        for decl, offset, size, _ in FIELD.findall(text):
            name = re.sub(r"\[.*", "", decl).split()[-1]
            self.places[name] = (int(offset), int(size))
            self.size = max(self.size, int(offset) + int(size))

    def record(self, flags, preempt, pid, fields):
        out = bytearray(self.size)
        struct.pack_into("<HBBi", out, 0, self.number, flags, preempt, pid)
        for field in fields.split():
            name, value = field.split("=", 1)
            at, size = self.places[name]
            if size <= 8:
                value = (int(value, 0) & (1 << 8 * size) - 1).to_bytes(size, "little")
            else:
                value = bytes.fromhex(value)
            out[at:at + size] = value
        return bytes(out)


def read(trace, path, most):
    """(ts, cpu, pid, kind, bytes) of each event, and the kinds."""
    with open(path, "rb") as f:
        f.seek(20)
        size = struct.unpack("<I", f.read(4))[0]
        f.seek(28)
        header = json.loads(f.read(size))
    if not header.get("formats"):
        sys.exit(f"peerfiles.py: {path}: its header keeps no formats")
    kinds = {key: Kind(key, text) for key, text in header["formats"].items()}
    events = []
    with subprocess.Popen([trace, "dump", "--no-header", path], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as dump:
        for line in dump.stdout:
            ts, cpu, pid, flags, preempt, preamble, system, name, fields = \
                line.rstrip("\n").split(",", 8)
            if preamble == "1" or name == "LOST":
                continue
            kind = kinds[f"{system}/{name}"]
            events.append((int(ts), int(cpu), int(pid), kind,
                           kind.record(int(flags), int(preempt), int(pid), fields)))
            if len(events) == most:
                dump.kill()
                break
    if not events:
        sys.exit(f"peerfiles.py: {path}: no event to write")
    return events, sorted(kinds.values(), key=lambda k: k.number)


def pages(events):
    """The ring buffer of one CPU."""
    out, now, last, used = [], [], None, 0
    for ts, _, _, _, rec in events:
        # A word for the record, two for a long wait, one more for a long record.
        need = 16 + len(rec) + 3
        if now and used + need > PAGE - 16:
            out.append(mktracedat.page(now[0][0], now, PAGE))
            now, used = [], 0
        now.append((ts, rec))
        used += need if last is None or ts - last >= 1 << 27 else need - 8
        last = ts
    out.append(mktracedat.page(now[0][0], now, PAGE))
    return b"".join(out)


class Dat(mktracedat.Synth):
    def __init__(self, events, kinds):
        self.kinds = kinds
        self.by_cpu = [[] for _ in range(1 + max(e[1] for e in events))]
        for event in events:
            self.by_cpu[event[1]].append(event)
        super().__init__([f"cpus={len(self.by_cpu)}"])

    def pages(self, cpu):
        mine = self.by_cpu[cpu]
        return (pages(mine) if mine else b""), len(mine)

    def formats(self):
        return formats(self.kinds)


def formats(kinds):
    systems = sorted({k.system for k in kinds})
    out = struct.pack("<I", len(systems))
    for system in systems:
        mine = [k for k in kinds if k.system == system]
        out += system.encode() + b"\0" + struct.pack("<I", len(mine))
        for kind in mine:
            out += struct.pack("<Q", len(kind.text)) + kind.text
    return out


class Data(mkperfdata.File):
    def __init__(self, events, kinds):
        super().__init__([f"cpus={1 + max(e[1] for e in events)}"])
        self.all, self.kinds, self.attrs = events, kinds, []
        for kind in kinds:
            self.add_attr(f"{kind.system}:{kind.name}", mkperfdata.TRACEPOINT, kind.number)

    def formats(self):
        out = b"\x17\x08\x44tracing0.6\0" + bytes([0, 8]) + struct.pack("<I", PAGE)
        for name, text in ((b"header_page\0", mktracedat.HEADER_PAGE),
                           (b"header_event\0", mktracedat.HEADER_EVENT)):
            out += name + struct.pack("<Q", len(text)) + text
        return out + struct.pack("<I", 0) + formats(self.kinds) + struct.pack("<IIQ", 0, 0, 0)

    def data(self):
        ids = {kind.number: attr.ids for kind, attr in zip(self.kinds, self.attrs)}
        out = []
        for i, (ts, cpu, pid, kind, rec) in enumerate(self.all):
            rec += b"\0" * ((4 - len(rec)) % 8)
            out.append(struct.pack("<IHHQQIIQIIQI", 9, 0, 60 + len(rec), ids[kind.number][cpu],
                                   0xffffffff81000000, pid, pid, ts, cpu, 0, 1, len(rec)) + rec)
            if i % ROUND == ROUND - 1:
                out.append(mkperfdata.record(68, b""))
        return b"".join(out) + mkperfdata.record(68, b"")


def main(argv):
    if len(argv) not in (5, 6):
        sys.exit(__doc__.strip())
    events, kinds = read(argv[1], argv[2], int(argv[5]) if len(argv) == 6 else -1)
    for path, made in ((argv[3], Dat(events, kinds)), (argv[4], Data(events, kinds))):
        with open(path, "wb") as f:
            f.write(made.build())


if __name__ == "__main__":
    main(sys.argv)
