# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What recording costs: the same guest under spht-record, trace-cmd record and perf record.

The guest does nothing but fault.  All three record the same events of it; those of
trace-cmd and perf are of all VMs, so no other should run.  What they need to
start and to end, which a run without a guest tells, is taken off.
"""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from benchlib import Failed, Figure, measure

SECONDS = "1"
BUFFER = 8  # MiB for each CPU
START = 1  # seconds until a recorder records


class Recorders:
    def __init__(self, tmp, row, tool, wanted):
        self.tmp, self.tool, self.row, self.empty = tmp, tool, row, {}
        self.out = os.path.join(tmp, "live")
        ours = row.figures["ours"] = Figure()
        if not wanted:
            ours.why_not = "--no-record"
        elif os.geteuid():
            ours.why_not = "needs root"
        elif not os.path.exists("/dev/kvm"):
            ours.why_not = "no KVM here"
        self.possible = not ours.why_not

    def guest(self):
        return [self.tool("tests/vmm"), "-o", os.path.join(self.tmp, "guest.json"), "loop",
                SECONDS]

    def run(self):
        if not self.possible:
            return
        ours = self.row.figures["ours"]
        try:
            said = measure([self.tool("spht-record"), "--all", "-f", f"--buffer={BUFFER}M", "-o",
                            self.out + ".spht", "--", *self.guest()], (0, 4))[2]
        except Failed as e:
            # The reason is the recorder's own last word; a host that cannot be recorded is no error.
            ours.why_not = (str(e).strip().splitlines() or ["?"])[-1].strip()
            self.possible = False
            return
        cost = re.search(r"(\d+) events in .*\((\d+) ns an event\)", said)
        if not cost:
            raise Failed(f"spht-record told no CPU time:\n{said}")
        ours.events = int(cost[1])
        ours.values.append(float(cost[2]))
        self.peer("trace-cmd", self.trace_cmd())
        self.peer("perf", self.perf())

    def events(self):
        """SYSTEM:EVENT of what spht-record has just recorded."""
        with open(self.out + ".spht", "rb") as f:
            head = f.read(28)
            header = json.loads(f.read(struct.unpack_from("<I", head, 20)[0]))
        return [f"{t['system']}:{t['name']}" for t in header["types"]]

    def trace_cmd(self):
        argv = ["trace-cmd", "record", "-q", "-b", str(BUFFER << 10), "-o", self.out + ".dat"]
        for event in self.events():
            argv += ["-e", event]
        return argv

    def perf(self):
        return ["perf", "record", "-q", "-a", "-m", f"{BUFFER}M", "-o", self.out + ".data", "-e",
                ",".join(self.events())]

    def peer(self, name, argv):
        figure = self.row.figures.setdefault(name, Figure(detail=f"{name} record"))
        if not shutil.which(name):
            figure.why_not = f"no {name} here"
        if figure.why_not:
            return
        path = argv[argv.index("-o") + 1]
        try:
            if name not in self.empty:
                self.empty[name] = self.beside(argv, None)
            cpu = self.beside(argv, self.guest()) - self.empty[name]
            said = measure([self.tool("spht-record"), "-f", f"--import={path}", "-o",
                            self.out + ".spht"], (0, 4))[2]
        except Failed as e:
            figure.why_not = str(e).strip().splitlines()[-1].strip()
            figure.values.clear()
            return
        figure.events = int(re.search(r"(\d+) events in", said)[1])
        figure.values.append(cpu / figure.events * 1e9)
        os.unlink(path)

    def beside(self, argv, guest):
        """CPU seconds of a recorder that is started, and ended by SIGINT, while a guest runs."""
        with tempfile.TemporaryFile() as err, \
                subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=err) as proc:
            time.sleep(START)
            try:
                if guest:
                    measure(guest)
            finally:
                # Not proc.send_signal(), which might take the status that wait4() is to have.
                os.kill(proc.pid, signal.SIGINT)
                _, status, usage = os.wait4(proc.pid, 0)
                proc.returncode = os.waitstatus_to_exitcode(status)
            if proc.returncode not in (0, -signal.SIGINT):
                err.seek(0)
                raise Failed(f"{argv[0]}: status {proc.returncode}: "
                             + err.read(1000).decode(errors="replace"))
        return usage.ru_utime + usage.ru_stime
