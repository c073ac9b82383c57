# SPDX-License-Identifier: LGPL-2.1-or-later
"""The folder of a sweep: what is done, what failed, and what is of another sweep.

    shards/  complete shards, by the checksum of their identity
    tmp/     those being written; whoever completes a shard clears up after the dead
    failed/  why a shard has failed, until it is done
    jobs/    what workers are given: lists of shards, numbers, scripts
    logs/    what Slurm's workers say
"""

import json
import os
import secrets
import socket
import threading

from sweeplib.shard import SUFFIX, Damaged, Shard
from sweeplib.trouble import FAILED, IDENTITY, PARTIAL
from wholefile import write_whole

FOLDERS = ("shards", "tmp", "failed", "jobs", "logs")


class Store:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def make(self):
        for name in FOLDERS:
            os.makedirs(os.path.join(self.path, name), exist_ok=True)

    def at(self, *names):
        return os.path.join(self.path, *names)

    def temp(self, name):
        """Gives names for write_whole(); a dead worker may have left some, of the same number."""
        me = f"{socket.gethostname()}.{os.getpid()}.{threading.get_ident()}"
        return lambda: self.at("tmp", f"{name}.{me}.{secrets.token_hex(4)}")

    def shard_path(self, identity):
        return self.at("shards", identity.name() + SUFFIX)

    def load(self, identity):
        """The complete shard, None where there is none; Damaged where it is not whole."""
        try:
            shard = Shard.read(self.shard_path(identity))
        except FileNotFoundError:
            return None
        shard.table.check(identity)
        return shard

    def is_done(self, identity):
        try:
            return self.load(identity) is not None
        except Damaged:
            return False

    def save(self, shard):
        """Takes the place of a damaged one; where another worker was first, nothing is lost."""
        name = shard.identity.name()
        try:
            write_whole(self.shard_path(shard.identity), self.temp(name), shard.bytes())
        except FileNotFoundError:
            if not self.is_done(shard.identity):
                raise
        self.forget(name)

    def forget(self, name):
        """What dead workers have left of a shard that is done, and why it failed before."""
        left = [self.at("tmp", n) for n in os.listdir(self.at("tmp")) if n.startswith(name)]
        for path in [*left, self.at("failed", name)]:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def save_failure(self, identity, status, said):
        text = json.dumps({"status": status, "said": said}) + "\n"
        name = identity.name()
        write_whole(self.at("failed", name), self.temp(name), text.encode())

    def failure(self, identity):
        """(status, what was said), or None."""
        try:
            with open(self.at("failed", identity.name()), encoding="utf-8") as f:
                record = json.load(f)
            return int(record["status"]), str(record["said"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return FAILED, "nobody knows why: its record is damaged"

    def write_job_file(self, name, text):
        path = self.at("jobs", name)
        write_whole(path, self.temp(name), text.encode())
        return path

    def others(self, wanted):
        """Whole shards here that are not wanted, by name."""
        names = {identity.name() + SUFFIX for identity in wanted}
        found = []
        for name in sorted(os.listdir(self.at("shards")) if os.path.isdir(self.at("shards"))
                           else []):
            if name.endswith(SUFFIX) and name not in names:
                try:
                    found.append(Shard.read(self.at("shards", name)))
                except (Damaged, OSError):
                    pass
        return found


class Survey:
    """Where each shard of a sweep stands."""

    def __init__(self, store, jobs):
        self.store = store
        self.jobs = jobs
        self.shards, self.damaged, self.failed = {}, {}, {}
        for number, job in enumerate(jobs):
            self.look(number, job.identity)
        self.missing = [n for n in range(len(jobs)) if n not in self.shards]
        self.others = store.others([j.identity for j in jobs])

    def look(self, number, identity):
        try:
            shard = self.store.load(identity)
        except Damaged as e:
            self.damaged[number] = str(e)
            shard = None
        if shard:
            self.shards[number] = shard
        elif failure := self.store.failure(identity):
            self.failed[number] = failure

    def state(self, number):
        if number in self.shards:
            return "partial" if self.shards[number].status == PARTIAL else "done"
        if number in self.damaged:
            return "damaged"
        return "failed" if number in self.failed else "missing"

    def status(self):
        """Exit status of METRICS: 0, 4 read incompletely, 3 an identity does not hold, 1."""
        if not self.missing:
            return PARTIAL if any(s.status == PARTIAL for s in self.shards.values()) else 0
        identity = any(self.failed.get(n, (0,))[0] == IDENTITY for n in self.missing)
        return IDENTITY if identity else FAILED

    def foreign(self):
        """(a shard of another sweep that was once this one, what differs), or None."""
        best = None
        for n in self.missing:
            for other in self.others:
                names = self.jobs[n].identity.differences(other.identity)
                # Another recording has no say in why this one is missing.
                if "trace" in names and "trace_sha256" in names:
                    continue
                if best is None or len(names) < len(best[2]):
                    best = n, other, names
        return best

    def foreign_text(self):
        """In what the shards that are here are not those that are wanted."""
        best = self.foreign()
        if not best:
            return ""
        number, other, names = best
        want, have = self.jobs[number].identity.members, other.identity.members
        name = names[0]
        of = f" of {want['trace']}" if name == "trace_sha256" else ""
        return (f"{len(self.others)} shards here are of another sweep: {name}{of} was "
                f"{short(have.get(name))} then and is {short(want.get(name))} now")


def short(value):
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 64 else text[:61] + "..."
