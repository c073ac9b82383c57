# SPDX-License-Identifier: LGPL-2.1-or-later
"""A shard on disk: rows of spht-replay below lines that say what they are.

    # spht-sweep 1
    # identity {"configurations": [...], "trace_sha256": ...}
    # status 0
    # sha256 CHECKSUM OF THE REST
    schema,tool_version,...
    3,0.1.0,...

The file's name is the checksum of the identity, so that what is wanted decides where it
is found, and the file alone tells whether it is whole.
"""

import csv
import hashlib
import io
import json
import os
import re

from sweeplib.trouble import PARTIAL, Trouble

MAGIC = b"# spht-sweep 1\n"
SUFFIX = ".shard"


class Damaged(Exception):
    pass


def file_sha256(path):
    sha = hashlib.sha256()
    try:
        with open(path, "rb") as f:
            while block := f.read(1 << 20):
                sha.update(block)
    except OSError as e:
        raise Trouble(f"{path}: {e.strerror}") from e
    return sha.hexdigest()


def split_spec(spec):
    """NAME:PARAMETERS or PATH:PARAMETERS; a path has a slash."""
    slash = spec.rfind("/", 0, spec.find("=") if "=" in spec else len(spec))
    colon = spec.find(":", slash + 1)
    return (spec, "") if colon < 0 else (spec[:colon], spec[colon + 1:])


def sum_of_file(word, folder):
    """An option with the checksum of the file that it names in place of the name."""
    name, _, value = word.partition("=")
    if name != "--costs" or value == "default":
        return word
    return f"{name}=sha256:{file_sha256(os.path.join(folder, value))}"


class Identity:
    """All that determines the bytes of a shard, and nothing else."""

    def __init__(self, members):
        self.members = members

    @classmethod
    def make(cls, replay, trace, sha256, options, specs):
        members = {
            "sweep": 1,
            "tool_version": replay.version,
            "git_commit": replay.commit,
            "trace": os.path.basename(trace),
            "trace_sha256": sha256,
            "options": sorted(sum_of_file(o, replay.folder) for o in options),
            "configurations": specs,
        }
        if replay.sha256:
            members["program_sha256"] = replay.sha256
        plugins = {h for h, _ in map(split_spec, specs) if "/" in h}
        if plugins:
            members["plugins"] = {os.path.basename(p): file_sha256(os.path.join(replay.folder, p))
                                  for p in plugins}
            members["configurations"] = [os.path.basename(h) + (":" + p if p else "")
                                         for h, p in map(split_spec, specs)]
        return cls(members)

    def text(self):
        return json.dumps(self.members, sort_keys=True, separators=(",", ":"))

    def name(self):
        return hashlib.sha256(self.text().encode()).hexdigest()

    def scales(self):
        for option in self.members["options"]:
            if option.startswith("--guest-time-scale="):
                return option.count(",") + 1
        return 1

    def nr_rows(self):
        return len(self.members["configurations"]) * self.scales()

    def title(self):
        specs = self.members["configurations"]
        more = f" and {len(specs) - 1} more" if len(specs) > 1 else ""
        options = "".join(f", {o}" for o in self.members["options"])
        return f"{self.members['trace']}, {specs[0]}{more}{options}"

    def differences(self, other):
        """Names of what is not the same, the most telling first."""
        order = ["git_commit", "tool_version", "program_sha256", "trace_sha256", "plugins",
                 "options", "trace", "configurations", "sweep"]
        a, b = self.members, other.members
        return [k for k in order if a.get(k) != b.get(k)]


def is_configuration(spec, row):
    """Is @row one of @spec?  A plugin's row has the name that the plugin gives itself."""
    name, params = split_spec(spec)
    given = {p for p in re.split("[,;]", params) if p}
    plugin = row.get("plugin", "")
    return (plugin == name if plugin else row["heuristic"] == name) \
        and given <= set(row["params"].split(";"))


class Table:
    """Comment lines, the line of column names, and rows, as bytes."""

    def __init__(self, body):
        lines = body.splitlines(keepends=True)
        if not lines or not lines[-1].endswith(b"\n"):
            raise Damaged("its table has no end")
        comments = [line for line in lines if line.startswith(b"#")]
        rest = [line for line in lines if not line.startswith(b"#")]
        self.comments, self.head, self.rows = comments, b"".join(rest[:1]), rest[1:]

    def cells(self):
        text = (self.head + b"".join(self.rows)).decode(errors="surrogateescape")
        return list(csv.DictReader(io.StringIO(text)))

    def check(self, identity):
        """Are these the rows that were asked for, of these files?  Else Damaged."""
        rows = self.cells()
        specs = [s for s in identity.members["configurations"] for _ in range(identity.scales())]
        if len(rows) != len(specs) or len(rows) != len(self.rows):
            raise Damaged(f"{len(rows)} rows, expected {len(specs)}")
        for spec, row in zip(specs, rows):
            for column in ("tool_version", "git_commit", "trace", "trace_sha256"):
                want = identity.members[column]
                if row.get(column) != want:
                    raise Damaged(f"{column} is {row.get(column)}, expected {want}")
            if not is_configuration(spec, row):
                raise Damaged(f"a row of {row['heuristic']}:{row['params']}, expected {spec}")
            sums = identity.members.get("plugins", {})
            if row.get("plugin") and row["plugin_sha256"] != sums.get(row["plugin"]):
                raise Damaged(f"plugin {row['plugin']} was another file")


class Shard:
    """A complete one: its identity, the exit status of its run, 0 or 4, and its table."""

    def __init__(self, identity, status, body):
        self.identity = identity
        self.status = status
        self.body = body
        self.table = Table(body)

    def bytes(self):
        return b"".join([MAGIC, f"# identity {self.identity.text()}\n".encode(),
                         f"# status {self.status}\n".encode(),
                         f"# sha256 {hashlib.sha256(self.body).hexdigest()}\n".encode(),
                         self.body])

    @classmethod
    def read(cls, path):
        """Damaged unless it is whole, and is what its name says."""
        with open(path, "rb") as f:
            data = f.read()
        found = re.match(MAGIC + rb"# identity (\{.*\})\n# status ([0-9])\n"
                         rb"# sha256 ([0-9a-f]{64})\n", data)
        if not found:
            raise Damaged("its first lines are not those of a shard")
        body = data[found.end():]
        if hashlib.sha256(body).hexdigest() != found[3].decode():
            raise Damaged("its sha256 is not that of its rows")
        try:
            identity = Identity(json.loads(found[1]))
        except ValueError as e:
            raise Damaged(f"its identity cannot be read: {e}") from e
        if identity.name() + SUFFIX != os.path.basename(path):
            raise Damaged("its name is not that of its identity")
        status = int(found[2])
        if status not in (0, PARTIAL):
            raise Damaged(f"its status is {status}")
        return cls(identity, status, body)
