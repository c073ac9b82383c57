#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Makes perf.data files for the tests of spht-record, from nothing.

    mkperfdata.py OUT [key=value ...]

The events are those of mktracedat.py synth with the same cpus and rounds, as
perf record -a would write them: each CPU has a buffer, and the buffers are
emptied one after the other in turns.

Keys, each with what a sound file has:
    cpus=2         CPUs; every CPU has the same events, 10 ns after the CPU before it
    rounds=1       how often the events of a CPU are repeated
    turns=1        over how many turns they are spread
    skew=0         events of CPU 0 that come a turn late
    nested=0       1: neighbours in a buffer are swapped, as by interrupts
    thread=0       1: one buffer, of a thread that changes its CPU with each event
    marks=1        0: no FINISHED_ROUND
    lost=          "CPU:COUNT", LOST before the last event but one of that CPU
    total=         "CPU:COUNT", LOST_SAMPLES of the first event on that CPU at the end
    filtered=0     LOST_SAMPLES of a BPF filter
    throttle=0     1: a THROTTLE of the first event on CPU 0
    index=1        0: no ID_INDEX; 2: one without CPUs, as of a recording by thread
    pack=0         81 or 83: in records of that type; piece=100: bytes in each
    overflow=      with pack=83, "size" or "chain": sizes above 16 bits as perf 6.16 writes them
    ids=identifier id or none: how samples name their event
    extra=         of ip,addr,stream,read,group,callchain,branch: more in each sample
    lack=          of time,cpu,raw: less in each
    twice=0        1: kvm_exit is recorded a second time
    cycles=0       1: an event of another type besides
    period=1  freq=0  clockid=  filter=0  overwrite=0
    systems=kvm,kvmmmu,sched   tracepoints that are recorded
    formats=1      0: the formats are missing
    record=        "TYPE:HEX": one more record at the end
    header=        pipe, killed, big, v1
    damage=        short, noid, cpu, size0, cutpack, badpack, auxfeature, ids, trailer
"""
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from mktracedat import (EVENTS, FIRST_TS, HEADER_EVENT, HEADER_PAGE, RECORDS, STEP,  # noqa: E402
                        event_format)

IP, TID, TIME, ADDR, READ, CALLCHAIN, ID, CPU, PERIOD, STREAM, RAW, BRANCH = (
    1 << i for i in range(12))
IDENTIFIER = 1 << 16
TRACEPOINT = 2
PID = 4242


def record(kind, body, misc=0, size=None):
    return struct.pack("<IHH", kind, misc, len(body) + 8 if size is None else size) + body


def text(string):
    data = string.encode() + b"\0"
    data += b"\0" * (-len(data) % 64)
    return struct.pack("<I", len(data)) + data


class Attr:
    def __init__(self, number, name, kind, config, ids, keys):
        extra, lack = keys["extra"].split(","), keys["lack"].split(",")
        self.number, self.name, self.kind, self.config, self.ids = number, name, kind, config, ids
        self.read_format = 1 << 2 | 1 << 4 | (1 << 3 | 1 if "group" in extra else 0)
        self.sample_type = TID | TIME | CPU | PERIOD | RAW
        self.sample_type |= {"identifier": IDENTIFIER, "id": ID, "none": 0}[keys["ids"]]
        for name, bit in (("ip", IP), ("addr", ADDR), ("stream", STREAM), ("read", READ),
                          ("group", READ), ("callchain", CALLCHAIN), ("branch", BRANCH)):
            self.sample_type |= bit if name in extra else 0
        for name, bit in (("time", TIME), ("cpu", CPU), ("raw", RAW)):
            self.sample_type &= ~bit if name in lack else ~0
        if kind != TRACEPOINT:
            self.sample_type &= ~(RAW | CALLCHAIN)
        self.flags = 1 << 18 | int(keys["freq"]) << 10 | int(keys["overwrite"]) << 27
        self.clockid = 0
        if keys["clockid"]:
            self.flags |= 1 << 25
            self.clockid = int(keys["clockid"])
        self.period = int(keys["period"])

    def pack(self):
        out = struct.pack("<IIQQQQQ", self.kind, 128, self.config, self.period,
                          self.sample_type, self.read_format, self.flags)
        out = out.ljust(92, b"\0") + struct.pack("<i", self.clockid)
        return out.ljust(128, b"\0")

    def fields(self, cpu, ts, which):
        out = b""
        for bit, data in ((IDENTIFIER, struct.pack("<Q", self.ids[cpu])),
                          (IP, struct.pack("<Q", 0xffffffff81000000)),
                          (TID, struct.pack("<II", PID, PID + cpu)),
                          (TIME, struct.pack("<Q", ts)), (ADDR, b"a" * 8),
                          (ID, struct.pack("<Q", self.ids[cpu])), (STREAM, b"s" * 8),
                          (CPU, struct.pack("<II", cpu, 0)),
                          (PERIOD, struct.pack("<Q", 1))):
            if self.sample_type & bit & which:
                out += data
        return out

    def sample(self, cpu, ts, raw):
        out = self.fields(cpu, ts, ~0)
        if self.sample_type & READ:
            if self.read_format & 8:
                out += struct.pack("<QQ6Q", 2, 77, 1, 2, 3, 4, 5, 6)
            else:
                out += struct.pack("<QQQ", 1, self.ids[cpu], 0)
        if self.sample_type & CALLCHAIN:
            out += struct.pack("<Q3Q", 3, 2**64 - 128, 1, 2)
        if self.sample_type & RAW:
            raw += b"\0" * ((4 - len(raw)) % 8)
            out += struct.pack("<I", len(raw)) + raw
        if self.sample_type & BRANCH:
            out += struct.pack("<Q3Q", 1, 1, 2, 3)
        return record(9, out)

    def trailer(self, cpu, ts):
        """sample_id: the identifier comes last here."""
        out = self.fields(cpu, ts, TID | TIME | ID | STREAM | CPU)
        if self.sample_type & IDENTIFIER:
            out += struct.pack("<Q", self.ids[cpu])
        return out


class File:
    def __init__(self, keys):
        self.k = {"cpus": "2", "rounds": "1", "turns": "1", "skew": "0", "nested": "0",
                  "thread": "0", "marks": "1", "lost": "", "total": "", "filtered": "0",
                  "throttle": "0", "index": "1", "pack": "0", "piece": "100", "overflow": "",
                  "ids": "identifier", "extra": "ip", "lack": "", "twice": "0", "cycles": "0",
                  "period": "1", "freq": "0", "clockid": "", "filter": "0", "overwrite": "0",
                  "systems": "kvm,kvmmmu,sched", "formats": "1", "record": "", "header": "",
                  "damage": ""}
        for key in keys:
            name, value = key.split("=", 1)
            assert name in self.k, name
            self.k[name] = value
        self.cpus = int(self.k["cpus"])
        systems = self.k["systems"].split(",")
        self.events = [e for e in EVENTS if e[0] in systems]
        self.attrs = []
        for system, name, number, _ in self.events:
            self.add_attr(f"{system}:{name}", TRACEPOINT, number)
        if self.k["twice"] == "1":
            self.add_attr("kvm:kvm_exit", TRACEPOINT, 1001)
        if self.k["cycles"] == "1":
            self.add_attr("cycles:u", 0, 0)

    def add_attr(self, name, kind, config):
        number = len(self.attrs)
        ids = [5000 + number * self.cpus + cpu for cpu in range(self.cpus)]
        self.attrs.append(Attr(number, name, kind, config, ids, self.k))

    def is_pair(self, key, cpu):
        return self.k[key] and int(self.k[key].split(":")[0]) == cpu

    def buffer(self, cpu):
        """What one CPU writes: lists of records, one for each event."""
        ts, out = FIRST_TS + 10 * cpu, []
        for _ in range(int(self.k["rounds"])):
            for attr, event in zip(self.attrs, self.events):
                raw = RECORDS[event[2]]
                if self.k["damage"] == "short" and len(out) == 2:
                    raw = raw[:7]
                recs = attr.sample(cpu, ts, raw)
                if self.k["twice"] == "1" and event[2] == 1001:
                    recs += self.attrs[len(self.events)].sample(cpu, ts + 1, raw)
                if self.k["cycles"] == "1":
                    recs += self.attrs[-1].sample(cpu, ts + 2, b"")
                out.append([recs, ts])
                ts += STEP
        if self.is_pair("lost", cpu):
            body = struct.pack("<QQ", self.attrs[0].ids[cpu], int(self.k["lost"].split(":")[1]))
            # The kernel takes the time of the mark after that of the event.
            trailer = self.attrs[0].trailer(cpu, out[-2][1] + 3)
            if self.k["damage"] == "trailer":
                trailer = trailer[:8]
            out[-2][0] = record(2, body + trailer) + out[-2][0]
        if self.k["nested"] == "1":
            for i in range(0, len(out) - 1, 2):
                out[i], out[i + 1] = out[i + 1], out[i]
        return [recs for recs, _ in out]

    def turns(self):
        """Bytes of each turn."""
        buffers = [self.buffer(cpu) for cpu in range(self.cpus)]
        nr, skew = int(self.k["turns"]), int(self.k["skew"])
        if self.k["thread"] == "1":
            buffers = [[recs for same in zip(*buffers) for recs in same]]
        total = len(buffers[0])
        out = []
        for turn in range(nr):
            data = b""
            for i, buf in enumerate(buffers):
                first, end = total * turn // nr, total * (turn + 1) // nr
                if i == 0 and skew:
                    first = max(0, first - skew) if turn else 0
                    end = end - skew if turn < nr - 1 else end
                data += b"".join(buf[first:end])
            out.append(data)
        return out

    def ends(self):
        out = b""
        if self.k["throttle"] == "1":
            a = self.attrs[0]
            out += record(5, struct.pack("<QQQ", 99, a.ids[0], 0) + a.trailer(0, FIRST_TS + 5000))
        if self.k["total"]:
            cpu, count = map(int, self.k["total"].split(":"))
            # perf fills in nothing but the number of the event.
            out += record(13, struct.pack("<Q", count) + b"\0" * 24
                          + struct.pack("<Q", self.attrs[0].ids[cpu]))
        if self.k["filtered"] != "0":
            out += record(13, struct.pack("<Q", int(self.k["filtered"])) + b"\0" * 24
                          + struct.pack("<Q", self.attrs[0].ids[0]), misc=1 << 15)
        if self.k["record"]:
            kind, body = self.k["record"].split(":")
            out += record(int(kind), bytes.fromhex(body))
        if self.k["damage"] == "size0":
            out += record(9, b"", size=0)
        if self.k["damage"] == "noid":
            out += record(9, b"n" * 72)
        if self.k["damage"] == "cpu":
            a = self.attrs[0]
            body = bytearray(a.sample(0, FIRST_TS, RECORDS[1001]))
            at = body.index(struct.pack("<Q", FIRST_TS)) + 8
            body[at:at + 4] = b"\xff\xff\xff\x7f"
            out += bytes(body)
        return out

    def packed(self, turns, marks):
        """One zstd stream of stored blocks, which never ends, in records."""
        kind, size = int(self.k["pack"]), int(self.k["piece"])
        out, stream = b"", struct.pack("<IBB", 0xfd2fb528, 0, 0x48)
        for i, turn in enumerate(turns):
            if self.k["damage"] == "cutpack" and i == len(turns) - 1:
                turn = turn[:-20]
            for at in range(0, len(turn), 1000):
                piece = turn[at:at + 1000]
                stream += struct.pack("<I", len(piece) << 3)[:3] + piece
            if self.k["damage"] == "badpack" and i == 0:
                stream = stream[:6] + b"\xff" * 200 + stream[206:]
            if self.k["overflow"]:
                out += self.overflowed(stream)
                stream = b""
            while stream:
                piece, stream = stream[:size], stream[size:]
                if kind == 83:
                    body = struct.pack("<Q", len(piece)) + piece
                    out += record(83, body + b"\0" * (-len(body) % 8))
                else:
                    out += record(81, piece)
            out += marks
        return out

    def overflowed(self, stream):
        """header.size = (16 + length, rounded up) mod 2^16, and no padding."""
        most = 65519
        if self.k["overflow"] == "size":
            assert len(stream) <= most, len(stream)
            return record(83, struct.pack("<Q", len(stream)) + stream, size=0)
        pieces = [stream[i:i + most] for i in range(0, len(stream), most)]
        assert len(pieces) > 1, len(stream)
        whole = len(stream) + 16 * len(pieces)
        out = record(83, struct.pack("<Q", whole - 16) + pieces[0],
                     size=(whole + 7 & ~7) & 0xffff)
        for piece in pieces[1:]:
            out += record(83, b"garbage!" + piece)
        return out

    def data(self):
        marks = record(68, b"") if self.k["marks"] == "1" else b""
        out = b""
        if self.k["index"] != "0":
            body = struct.pack("<Q", len(self.attrs) * self.cpus)
            for a in self.attrs:
                for cpu, number in enumerate(a.ids):
                    where = cpu if self.k["index"] == "1" else 2**64 - 1
                    body += struct.pack("<QQQQ", number, cpu, where, 2**64 - 1)
            out += record(69, body)
        out += record(3, struct.pack("<II", PID, PID) + b"qemu\0\0\0\0"
                      + self.attrs[0].trailer(0, FIRST_TS))
        turns = self.turns()
        if self.k["pack"] == "0":
            out += b"".join(turn + marks for turn in turns)
        else:
            out += self.packed(turns, marks)
        return out + self.ends()

    def formats(self):
        out = b"\x17\x08\x44tracing0.6\0" + bytes([0, 8]) + struct.pack("<I", 4096)
        for name, data in ((b"header_page\0", HEADER_PAGE), (b"header_event\0", HEADER_EVENT)):
            out += name + struct.pack("<Q", len(data)) + data
        systems = sorted({e[0] for e in self.events})
        out += struct.pack("<II", 0, len(systems))
        for system in systems:
            mine = [e for e in self.events if e[0] == system]
            out += system.encode() + b"\0" + struct.pack("<I", len(mine))
            for _, name, number, fields in mine:
                data = event_format(name, number, fields)
                out += struct.pack("<Q", len(data)) + data
        return out + struct.pack("<IIQ", 0, 0, 0)

    def features(self):
        words = ["perf", "record", "-a"] + (["--filter", "x"] if self.k["filter"] == "1" else [])
        names = struct.pack("<II", len(self.attrs), 128)
        for a in self.attrs:
            names += a.pack() + struct.pack("<I", len(a.ids)) + text(a.name)
            names += b"".join(struct.pack("<Q", i) for i in a.ids)
        out = {1: self.formats(), 3: text("host.example"), 4: text("6.1.0-test"),
               5: text("6.1.99"), 6: text("x86_64"), 7: struct.pack("<II", 8, self.cpus),
               8: text("Test CPU @ 2.0GHz"), 9: text("TestVendor,6,1,2"),
               11: struct.pack("<I", len(words)) + b"".join(text(w) for w in words), 12: names}
        if self.k["formats"] == "0":
            del out[1]
        if self.k["damage"] == "auxfeature":
            out[18] = b"\0" * 16
        if self.k["pack"] != "0":
            out[27] = struct.pack("<5I", 1, 1, 1, 20, 528384)
        if self.k["clockid"]:
            out[29] = struct.pack("<IIQQ", 1, int(self.k["clockid"]), 1 << 60, 1234567)
        return out

    def build(self):
        if self.k["header"] == "pipe":
            return b"PERFILE2" + struct.pack("<Q", 16) + record(64, b"\0" * 128) + self.data()
        if self.k["header"] in ("big", "v1"):
            magic = {"big": b"2ELIFREP", "v1": b"PERFFILE"}[self.k["header"]]
            return magic + struct.pack(">Q", 104) + b"\0" * 400
        ids = b"".join(struct.pack("<Q", i) for a in self.attrs for i in a.ids)
        attrs, at = b"", 104
        for a in self.attrs:
            size = 8 * len(a.ids) if self.k["damage"] != "ids" else 1 << 40
            attrs += a.pack() + struct.pack("<QQ", at, size)
            at += 8 * len(a.ids)
        data = self.data()
        start = 104 + len(ids) + len(attrs)
        features = self.features()
        bits = sum(1 << bit for bit in features)
        size = 0 if self.k["header"] == "killed" else len(data)
        out = b"PERFILE2" + struct.pack("<QQ6Q4Q", 104, 144, 104 + len(ids), len(attrs), start,
                                        size, 0, 0, bits, 0, 0, 0)
        out += ids + attrs + data
        if self.k["header"] == "killed":
            return out
        at = len(out) + 16 * len(features)
        for bit in sorted(features):
            out += struct.pack("<QQ", at, len(features[bit]))
            at += len(features[bit])
        return out + b"".join(features[bit] for bit in sorted(features))


def main(argv):
    if len(argv) < 2 or argv[1] in ("-h", "--help"):
        sys.exit(__doc__.strip())
    data = File(argv[2:]).build()
    with open(argv[1], "wb") as f:
        f.write(data)


if __name__ == "__main__":
    main(sys.argv)
