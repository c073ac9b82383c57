#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A second reader of .spht traces, written from docs/trace-format.md alone.

usage: format_reader.py FILE

Prints every event as `spht-trace dump --format=csv` does.  It shares no code
with traces/, so that both agree only if the document is right.  Slow; needs
the zstd program.
"""
import json
import subprocess
import struct
import sys

M64 = (1 << 64) - 1
MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
UNKNOWN = M64
REG_PREV, REG_PREV2, REG_PID = 1, 2, 3


class Damaged(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Damaged(what)


def crc32c(data, table=[]):
    if not table:
        for b in range(256):
            for _ in range(8):
                b = b >> 1 ^ (0x82F63B78 if b & 1 else 0)
            table.append(b)
    crc = 0xFFFFFFFF
    for b in data:
        crc = crc >> 8 ^ table[(crc ^ b) & 255]
    return crc ^ 0xFFFFFFFF


def rotl(v, n):
    return (v << n | v >> (64 - n)) & M64 if n else v


def unzigzag(z):
    return (z >> 1) ^ (M64 if z & 1 else 0)


def signed64(v):
    return v - (1 << 64) if v >> 63 else v


# --- Codings: symbol -> (base, number of raw bits) --------------------------


def log_table(direct, m):
    table = [(s, 0) for s in range(direct)]
    for k in range(252 - direct):
        e = k >> m
        table.append(((((1 << m) + (k & (1 << m) - 1)) << e) - (1 << m) + direct, e))
    return table


def byte_table(values, rest):
    return [(v, 0) for v in values] + [(rest, 8 * (k + 1)) for k in range(8)]


TABLES = {
    2: log_table(188, 0),
    3: log_table(126, 1),
    4: log_table(4, 2),
    5: byte_table(range(244), 244),
}


class Column:
    """Symbols and raw bits of one column of a block."""

    def __init__(self, coding, table=None, nbytes=0, value=0):
        self.coding, self.table, self.nbytes, self.value = coding, table, nbytes, value
        self.symbols, self.bits, self.at, self.bit = b"", 0, 0, 0

    def symbol(self):
        self.at += 1
        return self.symbols[self.at - 1]

    def number(self, symbol):
        check(symbol < len(self.table), "a symbol its coding lacks")
        base, n = self.table[symbol]
        v = self.bits >> self.bit & (1 << n) - 1
        self.bit += n
        return base + v & M64

    def finished(self):
        return self.at == len(self.symbols) and (self.bit + 7) // 8 == self.nbytes


# --- Prediction -------------------------------------------------------------


class Candidate:
    def __init__(self, text):
        self.keys, self.table = [], None
        if "@" in text:
            text, rest = text.split("@")
            bits, keys = rest.rstrip(")").split("(")
            self.bits = int(bits)
            for key in keys.split(","):
                key, _, levels = key.partition("*r")
                reg, _, shift = key.partition(">>")
                self.keys.append((int(reg[1:]), int(shift or 0), int(levels or 0)))
        text, _, add = text.partition("+")
        text, _, shl = text.partition("<<")
        reg, _, shr = text.partition(">>")
        self.reg, self.shr, self.shl = int(reg[1:]), int(shr or 0), int(shl or 0)
        self.add = int(add or 0)

    def base(self, regs):
        return regs[self.reg] >> self.shr << self.shl & M64

    def index(self, regs):
        h = 0
        for (reg, shift, levels), mix in zip(self.keys, MIX):
            h += (regs[reg] >> (shift + 9 * regs[levels] & 63)) * mix
        return (h & M64) >> (64 - self.bits)

    def value(self, regs):
        if not self.keys:
            return self.base(regs) + self.add & M64
        return self.base(regs) + self.table.get(self.index(regs), 0) & M64

    def learn(self, regs, value):
        if self.keys:
            self.table[self.index(regs)] = value - self.base(regs) & M64


class Part:
    def __init__(self, j):
        self.__dict__.update(j)
        texts = self.predict.split("|")
        self.raw = texts[-1] == "raw"
        if self.raw:
            texts.pop()
        self.cands = [Candidate(t) for t in texts]
        self.exact = len(self.cands) - (0 if self.raw else 1)

    def next(self, col, regs):
        """The part's next value; candidates up to the right one learn it."""
        if col.coding == 1:
            return col.value
        symbol = col.symbol() if col.coding else 0
        if symbol < self.exact:
            value = self.cands[symbol].value(regs)
        else:
            x = col.number(symbol - self.exact) if col.coding else 0
            value = x if self.raw else self.cands[-1].value(regs) + unzigzag(x) & M64
        for cand in self.cands[: symbol + 1]:
            cand.learn(regs, value)
        return value


# --- Blocks -----------------------------------------------------------------


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        v = shift = 0
        while True:
            b = self.data[self.at]
            self.at += 1
            v |= (b & 127) << shift
            shift += 7
            if not b & 128:
                check(v <= M64 and shift <= 70, "a varint of more than 64 bits")
                return v

    def take(self, n):
        self.at += n
        check(self.at <= len(self.data), "a block that ends too early")
        return self.data[self.at - n : self.at]


def read_entry(c):
    coding = c.varint()
    if coding == 0:
        return Column(0)
    if coding == 1:
        return Column(1, value=c.varint())
    if coding == 6:
        values, v = [], 0
        for _ in range(c.varint()):
            v += c.varint()
            values.append(v)
        table = byte_table(values, 0)
    else:
        check(coding in TABLES, "an unknown coding")
        table = TABLES[coding]
    return Column(coding, table, c.varint())


def decode_block(types, h, raw):
    """Yields (ts, pid, flags, preempt, type, {(field, word): value})."""
    c = Cursor(raw)
    unit = c.varint()
    changes, at = {}, 0
    for _ in range(c.varint()):
        at += c.varint()
        changes[at] = (c.varint(), c.varint())
    kinds = c.take(h["nr_events"])
    columns = []
    for t in sorted(set(kinds)):
        check(t < len(types), "an event type the header does not list")
        n = kinds.count(t)
        cols = [read_entry(c) for _ in range(1 + len(types[t]["parts"]))]
        columns.append((t, n, cols))
    for _, n, cols in columns:
        for col in cols:
            if col.coding >= 2:
                col.symbols = c.take(n)
    for _, n, cols in columns:
        for col in cols:
            col.bits = int.from_bytes(c.take(col.nbytes), "little")
    check(c.at == len(raw), "bytes behind the columns")
    by_type = {t: cols for t, n, cols in columns}
    for t in types:
        for part in t["parts"]:
            for cand in part.cands:
                cand.table = {}
    regs = [0] * (4 + sum(len(t["parts"]) for t in types))
    regs[REG_PREV] = regs[REG_PREV2] = 255
    ts, pid, common = h["first_ts"], 0, {}
    for i, t in enumerate(kinds):
        cols = by_type[t]
        if i in changes:
            by, flip = changes[i]
            pid += signed64(unzigzag(by))
            regs[REG_PID] = pid & 0xFFFFFFFF
            common[t] = common.get(t, 0) ^ flip
        time = cols[0]
        if time.coding == 1:
            ts += time.value * unit
        elif time.coding:
            ts += time.number(time.symbol()) * unit
        words = {}
        for part, col in zip(types[t]["parts"], cols[1:]):
            v = part.next(col, regs)
            regs[part.reg] = v
            key = (part.field, part.word)
            words[key] = words.get(key, 0) | rotl(v << part.shift & M64, 64 - part.rot & 63)
        regs[REG_PREV2], regs[REG_PREV] = regs[REG_PREV], t
        flags = common.get(t, 0)
        yield ts, pid, flags & 255, flags >> 8, t, words
    check(ts == h["last_ts"], "times that do not end where the header says")
    check(all(col.finished() for _, _, cols in columns for col in cols if col.coding >= 2),
          "columns that are not used up")


# --- File -------------------------------------------------------------------

BLOCK = struct.Struct("<4sHHIIQQQQIIII")
NAMES = ("magic version flags cpu nr_events seq first_ts last_ts lost_before comp_size raw_size "
         "payload_crc crc").split()


def unzstd(frame, size):
    out = subprocess.run(["zstd", "-dcq"], input=frame, stdout=subprocess.PIPE, check=True).stdout
    check(len(out) == size, "a block of another size than announced")
    return out


def read_file(data):
    magic, size, name, version, length, crc = struct.unpack_from("<II8sIII", data)
    check(magic == 0x184D2A53 and name == b"SPHTRACE", "not a .spht trace")
    check(version == 1, "format version %d" % version)
    check(size == 20 + length, "header sizes")
    check(crc32c(data[:24] + data[28 : 28 + length]) == crc, "header checksum")
    header = json.loads(data[28 : 28 + length])
    at = 28 + length

    check(data[-8:] == b"SPHT-END", "no end")
    foot, foot_size, foot_crc = struct.unpack_from("<QII", data, len(data) - 24)
    check(foot + foot_size == len(data), "footer size")
    check(crc32c(data[foot : len(data) - 12]) == foot_crc, "footer checksum")
    fmagic, fsize, flen, zero, nr_blocks = struct.unpack_from("<IIIIQ", data, foot)
    check(fmagic == 0x184D2A55 and fsize == foot_size - 8 and zero == 0, "footer")
    footer = json.loads(data[foot + 24 : foot + 24 + flen])
    index = foot + 24 + flen
    check(index + 72 * nr_blocks == len(data) - 24, "index size")

    blocks = []
    for i in range(nr_blocks):
        bmagic, bsize = struct.unpack_from("<II", data, at)
        check(bmagic == 0x184D2A54 and bsize == 64, "block frame")
        entry = data[index + 72 * i : index + 72 * i + 72]
        check(entry == struct.pack("<Q", at) + data[at + 8 : at + 72], "index entry")
        h = dict(zip(NAMES, BLOCK.unpack_from(data, at + 8)))
        check(h["magic"] == b"SPHB" and h["version"] == 1 and h["flags"] < 2, "block header")
        check(crc32c(data[at + 8 : at + 68]) == h["crc"], "block header checksum")
        check(h["seq"] == i, "block sequence")
        h["frame"] = data[at + 72 : at + 72 + h["comp_size"]]
        check(crc32c(h["frame"]) == h["payload_crc"], "block checksum")
        blocks.append(h)
        at += 72 + h["comp_size"]
    check(at == foot, "bytes between blocks and footer")
    return header, footer, blocks


def field_text(field, f, words):
    value = [words.get((f, w), 0) for w in range((field["size"] + 7) // 8 if field["array"] else 1)]
    if field["array"]:
        raw = b"".join(v.to_bytes(8, "little") for v in value)[: field["size"]]
        return "%s=%s" % (field["name"], raw.hex())
    if field["signed"]:
        return "%s=%d" % (field["name"], signed64(value[0]))
    return "%s=0x%x" % (field["name"], value[0])


def main(path):
    with open(path, "rb") as f:
        header, _, blocks = read_file(f.read())
    types = header["types"]
    for t in types:
        t["parts"] = [Part(p) for p in t["parts"]]
    lines = []
    position = 0
    for h in blocks:
        preamble = h["flags"] & 1
        if h["lost_before"]:
            count = "unknown" if h["lost_before"] == UNKNOWN else "0x%x" % h["lost_before"]
            lines.append((1 - preamble, h["first_ts"], h["cpu"], position,
                          "0,0,0,%d,spht,LOST,count=%s" % (preamble, count)))
            position += 1
        raw = unzstd(h["frame"], h["raw_size"])
        for ts, pid, flags, preempt, t, words in decode_block(types, h, raw):
            typ = types[t]
            fields = " ".join(field_text(fd, f, words) for f, fd in enumerate(typ["fields"]))
            lines.append((1 - preamble, ts, h["cpu"], position, "%d,%d,%d,%d,%s,%s,%s" % (
                pid, flags, preempt, preamble, typ["system"], typ["name"], fields)))
            position += 1
    print("ts,cpu,pid,flags,preempt,preamble,system,event,fields")
    for _, ts, cpu, _, rest in sorted(lines):
        print("%d,%d,%s" % (ts, cpu, rest))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    try:
        main(sys.argv[1])
    except (Damaged, IndexError, struct.error) as e:
        sys.exit("%s: %s" % (sys.argv[1], e))
