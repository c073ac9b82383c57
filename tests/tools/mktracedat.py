#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Makes trace.dat files for the tests of spht-record.

    mktracedat.py synth OUT [key=value ...]   a small file from nothing, of version 7
    mktracedat.py instance IN OUT             moves half of the pages of IN to an instance
    mktracedat.py nosymbols IN OUT            blanks the kernel symbols of IN (4 MB of them)

Keys of synth, each with what a sound file has:
    cpus=2         CPUs; every CPU has the same events, 10 ns after the CPU before it
    rounds=1       how often the events of a CPU are repeated
    pages=1        pages per CPU over which the rounds are spread
    lost=          "CPU:COUNT" or "CPU:?": events lost before the last page of that CPU
    overrun=0      what the statistics of CPU 0 say was overwritten
    unread=0       what they say was written beyond what is there
    stats=1        0: no statistics
    instance=0     1: the last CPU's data lies in an instance
    systems=kvm,kvmmmu,sched   systems whose formats are there
    option=        "ID:HEX": one more option
    clock=mono  compression=none  version=7  endian=0  page_size=4096
    subbuf=4096    size of the pages of the ring buffers
    damage=        loop, overlap, cpu, twice, backwards, short, emptypage, where,
                   notpages, bomb
"""
import struct
import sys

HEADER_PAGE = b"""\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;
"""
HEADER_EVENT = b"""# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
"""
COMMON = """\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
# (system, event, id, fields): each field is (declaration, offset, size, signed)
EVENTS = [
    ("kvm", "kvm_exit", 1001, [
        ("unsigned int exit_reason", 8, 4, 0), ("unsigned long guest_rip", 16, 8, 0),
        ("u32 isa", 24, 4, 0), ("u64 info1", 32, 8, 0)]),
    # No recorder has ever seen this one.
    ("kvm", "kvm_of_tomorrow", 1002, [
        ("__data_loc char[] name", 8, 4, 0), ("s16 small", 12, 2, 1), ("bool yes", 14, 1, 0),
        ("s64 large", 16, 8, 1), ("u8 bytes[11]", 24, 11, 0), ("u8 big[72]", 40, 72, 0)]),
    ("kvmmmu", "kvm_mmu_paging_element", 1003, [
        ("__u64 pte", 8, 8, 0), ("__u32 level", 16, 4, 0)]),
    ("sched", "sched_switch", 1004, [("char prev_comm[16]", 8, 16, 0)]),
]
RECORDS = {
    1001: struct.pack("<HBBiI4xQI4xQ", 1001, 1, 2, 77, 0x4e, 0xffffffff81000000, 2, 3 << 62),
    1002: struct.pack("<HBBiIhB1xq11s5x72s", 1002, 0x80, 255, -1, 0x00040070, -2, 1, -(1 << 63),
                      bytes(range(1, 12)), b"x" * 72),
    1003: struct.pack("<HBBiQI4x", 1003, 0, 0, 2147483647, 0x8000000000000867, 4),
    1004: struct.pack("<HBBi16s", 1004, 0, 0, 5, b"somebody"),
}
FIRST_TS = 1000000
STEP = 100


def event_format(name, number, fields):
    text = f"name: {name}\nID: {number}\nformat:\n" + COMMON
    for decl, offset, size, signed in fields:
        text += f"\tfield:{decl};\toffset:{offset};\tsize:{size};\tsigned:{signed};\n"
    return (text + '\nprint fmt: "nothing"\n').encode()


def page(ts, records, size, missed=None):
    """One page of the ring buffer: `records` are (ts, bytes) pairs."""
    data, now = b"", ts
    for when, rec in records:
        rec += b"\0" * (-len(rec) % 4)
        delta = when - now
        if delta >= 1 << 27:
            data += struct.pack("<II", 30 | (delta & 0x7ffffff) << 5, delta >> 27)
            delta = 0
        if len(rec) <= 112:
            data += struct.pack("<I", len(rec) // 4 | delta << 5) + rec
        else:
            data += struct.pack("<II", delta << 5, len(rec) + 4) + rec
        now = when
    commit = len(data)
    if missed is not None:
        commit |= 1 << 31
        if missed >= 0:
            commit |= 1 << 30
            data += struct.pack("<Q", missed)
    assert len(data) <= size - 16, "the page is full"
    return (struct.pack("<Qq", ts, commit) + data).ljust(size, b"\0")


def stat(cpu, entries, overrun, read):
    return (f"CPU: {cpu}\nentries: {entries}\noverrun: {overrun}\ncommit overrun: 0\n"
            f"bytes: 4096\noldest event ts:     0.001000\nnow ts:     9.000000\n"
            f"dropped events: 0\nread events: {read}\n\0").encode()


def bomb(megabytes):
    """A zstd frame of a few KB that unpacks to a lot of zeros: blocks of one repeated byte."""
    block = 128 << 10
    nr = (megabytes << 20) // block
    frame = struct.pack("<IBQ", 0xfd2fb528, 0xe0, nr * block)
    for i in range(nr):
        frame += struct.pack("<I", block << 3 | 1 << 1 | (i == nr - 1))[:3] + b"\0"
    return struct.pack("<II", len(frame), nr * block) + frame


def option(number, data):
    return struct.pack("<HI", number, len(data)) + data


def section(number, data):
    return struct.pack("<HHIQ", number, 0, 0, len(data)) + data


class Synth:
    def __init__(self, keys):
        self.k = {"cpus": "2", "rounds": "1", "pages": "1", "lost": "", "overrun": "0",
                  "unread": "0", "stats": "1", "instance": "0", "systems": "kvm,kvmmmu,sched",
                  "option": "", "clock": "mono", "compression": "none", "version": "7",
                  "endian": "0", "page_size": "4096", "subbuf": "4096", "damage": ""}
        for key in keys:
            name, value = key.split("=", 1)
            assert name in self.k, name
            self.k[name] = value
        self.size = int(self.k["subbuf"])

    def pages(self, cpu):
        """The pages of one CPU and the number of events in them."""
        rounds, nr = int(self.k["rounds"]), int(self.k["pages"])
        damage, events = self.k["damage"], [e[2] for e in EVENTS]
        ts, count, out = FIRST_TS + 10 * cpu, 0, b""
        for p in range(nr):
            records = []
            for _ in range(rounds * (p + 1) // nr - rounds * p // nr):
                for number in events:
                    rec = RECORDS[number]
                    if damage == "short" and count == 3:
                        rec = RECORDS[1001][:12]
                    records.append((ts, rec))
                    ts += STEP
                    count += 1
            missed = None
            if self.k["lost"] and p == nr - 1:
                which, lost = self.k["lost"].split(":")
                if int(which) == cpu:
                    missed = -1 if lost == "?" else int(lost)
            start = records[0][0] if records else ts
            if damage == "backwards" and p == nr - 1:
                start -= 10 ** 6
                records = [(t - 10 ** 6, r) for t, r in records]
            if damage == "emptypage" and p == 1:
                records = []
            out += page(start, records, self.size, missed)
        return out, count

    def formats(self):
        systems = [s for s in self.k["systems"].split(",") if s]
        out = struct.pack("<I", len(systems))
        for system in systems:
            mine = [e for e in EVENTS if e[0] == system]
            out += system.encode() + b"\0" + struct.pack("<I", len(mine))
            for _, name, number, fields in mine:
                text = event_format(name, number, fields)
                out += struct.pack("<Q", len(text)) + text
        return out

    def build(self):
        k, cpus = self.k, int(self.k["cpus"])
        damage = k["damage"]
        head = (b"\x17\x08\x44tracing" + k["version"].encode() + b"\0"
                + bytes([int(k["endian"]), 8]) + struct.pack("<I", int(k["page_size"]))
                + k["compression"].encode() + b"\0\0")
        out = head + b"\0" * 8
        where = {}
        for number, data in (
                (16, b"header_page\0" + struct.pack("<Q", len(HEADER_PAGE)) + HEADER_PAGE
                 + b"header_event\0" + struct.pack("<Q", len(HEADER_EVENT)) + HEADER_EVENT),
                (17, struct.pack("<I", 0)), (18, self.formats()), (19, struct.pack("<I", 0)),
                (20, struct.pack("<I", 0)), (21, struct.pack("<Q", 3) + b"1 x")):
            where[number] = len(out)
            if damage == "bomb" and number == 19:
                data = bomb(2000)
                out += struct.pack("<HHIQ", number, 1, 0, len(data)) + data
            else:
                out += section(number, data)
        # The data: a section whose body starts at the next whole page.
        data_at = len(out)
        body = data_at + 16
        body += -body % self.size
        pages = [self.pages(cpu) for cpu in range(cpus)]
        data = b"".join(p for p, _ in pages)
        out += struct.pack("<HHIQ", 3, 0, 0, body - data_at - 16 + len(data))
        out = out.ljust(body, b"\0") + data
        # Options: what and where.
        opts = option(4, f"local [{k['clock']}] boot\0".encode())
        opts += option(5, b"Linux host.example 6.1.0-test x86_64\0") + option(9, b"3.1.6 test\0")
        opts += option(8, struct.pack("<I", cpus)) + option(11, struct.pack("<Q", 0x1234))
        split = cpus - int(k["instance"])
        if k["stats"] == "1":
            for cpu in range(cpus):
                if cpu == split:
                    opts += option(2, b"\nBuffer: spht\n\n\0")
                n = pages[cpu][1]
                opts += option(2, stat(cpu, n // 2 + (int(k["unread"]) if cpu == 0 else 0),
                                       int(k["overrun"]) if cpu == 0 else 0, n - n // 2))
        for number in (16, 17, 18, 19, 20, 21):
            opts += option(number, struct.pack("<Q", where[number]))
        if k["option"]:
            number, data = k["option"].split(":")
            opts += option(int(number), bytes.fromhex(data))
        at, spans = body, []
        for cpu in range(cpus):
            size = len(pages[cpu][0])
            spans.append([cpu, at, size])
            at += size
        if damage == "overlap":
            spans[-1][1] = spans[0][1]
        if damage == "twice":
            spans[-1][0] = 0
        if damage == "cpu":
            spans[-1][0] = 4000000000
        if damage == "where":
            spans[-1][1] += 1 << 40
        if damage == "notpages":
            spans[-1][2] -= 100
        for name, mine in ((b"", spans[:split]), (b"spht", spans[split:])):
            if mine:
                buf = struct.pack("<Q", data_at) + name + b"\0" + k["clock"].encode() + b"\0"
                buf += struct.pack("<II", self.size, len(mine))
                buf += b"".join(struct.pack("<IQQ", *s) for s in mine)
                opts += option(3, buf)
        opts_at = len(out)
        opts += option(0, struct.pack("<Q", opts_at if damage == "loop" else 0))
        out += section(0, opts)
        return out[:len(head)] + struct.pack("<Q", opts_at) + out[len(head) + 8:]


def walk(d):
    """The options of a plain file of version 7: (id, offset of the data, length)."""
    end = d.index(b"\0", 18)
    at = struct.unpack_from("<Q", d, d.index(b"\0", end + 1) + 1)[0]
    while at:
        p, stop = at + 16, at + 16 + struct.unpack_from("<Q", d, at + 8)[0]
        at = 0
        while p < stop:
            number, size = struct.unpack_from("<HI", d, p)
            yield number, p + 6, size
            if number == 0:
                at = struct.unpack_from("<Q", d, p + 6)[0]
                break
            p += 6 + size


def instance(d):
    done, data, first = None, None, None
    for number, at, size in walk(d):
        if number == 0:
            done, first = (at, done) if data is None else (done, first)
        elif number == 3:
            data = bytes(d[at:at + size])
    clock = data.index(b"\0", 9)
    section_at, fixed = data[:8], clock + 1 + 8
    name_clock, page_size = data[9:clock + 1], struct.unpack_from("<I", data, clock + 1)[0]
    nr = struct.unpack_from("<I", data, clock + 5)[0]
    top, inst = [], []
    for i in range(nr):
        cpu, at, size = struct.unpack_from("<IQQ", data, fixed + 20 * i)
        half = size // page_size // 2 * page_size
        top.append((cpu, at, half))
        inst.append((cpu, at + half, size - half))
    opts = b""
    for name, cpus in ((b"\0", top), (b"spht\0", inst)):
        opts += option(3, section_at + name + name_clock + struct.pack("<II", page_size, len(cpus))
                       + b"".join(struct.pack("<IQQ", *c) for c in cpus))
    # The section before the one with the buffer now leads to the new one, at the end.
    struct.pack_into("<Q", d, done, len(d))
    return bytes(d) + section(0, opts + option(0, struct.pack("<Q", 0)))


def nosymbols(d):
    for number, at, _ in walk(d):
        if number == 19:
            sec = struct.unpack_from("<Q", d, at)[0]
            size = struct.unpack_from("<Q", d, sec + 8)[0]
            d[sec + 20:sec + 16 + size] = b"\n" * (size - 4)
    return bytes(d)


def main(argv):
    if len(argv) >= 3 and argv[1] == "synth":
        data, out = Synth(argv[3:]).build(), argv[2]
    elif len(argv) == 4 and argv[1] in ("instance", "nosymbols"):
        with open(argv[2], "rb") as f:
            data = (instance if argv[1] == "instance" else nosymbols)(bytearray(f.read()))
        out = argv[3]
    else:
        sys.exit(__doc__.strip())
    with open(out, "wb") as f:
        f.write(data)


if __name__ == "__main__":
    main(sys.argv)
