# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs one shard.  It trusts nobody: who runs it, and which files it was made from, must be
what its identity says, or there is no shard."""

import json
import os
import subprocess
import sys
import threading

from sweeplib.plan import Job, Replay
from sweeplib.shard import Damaged, Identity, Shard, sum_of_file
from sweeplib.trouble import FAILED, IDENTITY, OK, PARTIAL, Trouble

# Of spht-replay's messages, so much is kept with a failure.
SAID = 2000


class Running:
    """The children of this process, so that none outlives it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.children = set()
        self.ended = False

    def run(self, argv, cwd):
        with self.lock:
            if self.ended:
                raise Trouble("interrupted")
            child = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.children.add(child)
        try:
            out, err = child.communicate()
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            with self.lock:
                self.children.discard(child)
        return child.returncode, out, err.decode(errors="replace").strip()

    def end(self):
        with self.lock:
            self.ended = True
            for child in self.children:
                child.kill()


RUNNING = Running()


def read_jobs(path, store):
    try:
        with open(path, encoding="utf-8") as f:
            frozen = json.load(f)
        # By its letters: the name that the others know it by, whatever is a link on the way.
        folder = os.path.normpath(os.path.join(store.path, frozen["folder"]))
        return folder, [Job(j["trace"], j["arguments"], Identity(j["identity"]))
                        for j in frozen["jobs"]]
    except OSError as e:
        raise Trouble(f"{path}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError) as e:
        raise Trouble(f"{path}: no list of shards; scripts/sweep run makes one") from e


def check_program(replay, identity):
    for key, here in (("tool_version", replay.version), ("git_commit", replay.commit),
                      ("program_sha256", replay.sha256)):
        want = identity.members.get(key)
        if here != want:
            raise Trouble(f"{replay.program}: its {key} is {here}, the sweep was planned with "
                          f"{want}")


def check_files(job, folder):
    options = [w for w in job.arguments if not w.startswith("--heuristic=")]
    if sorted(sum_of_file(o, folder) for o in options) != job.identity.members["options"]:
        raise Trouble("the cost profile has changed since the sweep was planned")


class Worker:
    """@extra: options of spht-replay that change no byte."""

    def __init__(self, store, folder, program, extra):
        self.store = store
        self.folder = folder
        self.program = program
        self.extra = extra

    def replay(self, job):
        """The shard; or (None, exit status, why)."""
        trace = job.trace if not job.trace.startswith("-") else "./" + job.trace
        argv = [self.program, "--quiet", "--csv=-", *self.extra, *job.arguments, trace]
        status, out, said = RUNNING.run(argv, self.folder)
        if status < 0:
            said = f"{said}\nspht-replay was killed by signal {-status}".strip()
        if status not in (OK, PARTIAL):
            return None, IDENTITY if status == IDENTITY else FAILED, said
        if said:
            print(said, file=sys.stderr)
        try:
            shard = Shard(job.identity, status, out)
            shard.table.check(job.identity)
        except Damaged as e:
            return None, FAILED, f"what spht-replay printed is not what was planned: {e}"
        return shard, OK, ""

    def run(self, job):
        """0: the shard is there; else what spht-replay said is kept, and 1 or 3."""
        if self.store.is_done(job.identity):
            return OK
        try:
            check_program(Replay(self.program, self.folder), job.identity)
            check_files(job, self.folder)
            shard, status, said = self.replay(job)
        except Trouble as e:
            shard, status, said = None, e.status, str(e)
        if shard:
            self.store.save(shard)
            return OK
        if RUNNING.ended:
            return FAILED
        self.store.save_failure(job.identity, status, said[-SAID:])
        print(f"sweep: {job.identity.title()}: failed: {said[-SAID:]}", file=sys.stderr)
        return status
