# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who runs the workers: threads here, GNU parallel, Slurm.  What a shard is does not depend
on that, and whether one is done is read from the folder, never from an exit status."""

import concurrent.futures
import hashlib
import re
import shlex
import subprocess
import time

from sweeplib.trouble import Trouble
from sweeplib.worker import RUNNING, Worker

# Slurm's default of MaxArraySize, which is one more than the largest index.
ARRAY = 1001


def local(sweep, store, missing, args):
    worker = Worker(store, sweep.folder, sweep.replay.program, args.extra)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = [pool.submit(worker.run, sweep.jobs[n]) for n in missing]
        try:
            for run in concurrent.futures.as_completed(runs):
                run.result()
        except BaseException:
            RUNNING.end()
            for run in runs:
                run.cancel()
            raise


def words(text, option):
    try:
        return shlex.split(text)
    except ValueError as e:
        raise Trouble(f"{option}={text}: {e}") from e


def start(argv, **how):
    try:
        return subprocess.Popen(argv, **how)
    except OSError as e:
        raise Trouble(f"{argv[0]}: {e.strerror}; is it installed?") from e


def ask(argv):
    """What a program of Slurm's prints."""
    child = start(argv, stdout=subprocess.PIPE)
    out = child.communicate()[0].decode(errors="replace")
    if child.returncode:
        raise Trouble(f"{argv[0]}: exit status {child.returncode}; is this a machine of a Slurm "
                      "cluster?")
    return out


def worker_command(sweep, store, args):
    """What runs one shard on any machine that has the folder under the same name."""
    text, name = sweep.frozen(store.path)
    path = store.write_job_file(f"{name}.json", text)
    return name, [args.script, "shard", f"--replay={sweep.replay.program}", *args.passed, path]


def parallel(sweep, store, missing, args):
    _, command = worker_command(sweep, store, args)
    jobs = [f"-j{args.jobs}"] if args.jobs_given else []
    argv = ["parallel", "--will-cite", *jobs, *words(args.parallel, "--parallel")]
    # Whole commands, one a line: in a template it would replace all that looks like {}.
    text = "".join(f"{shlex.join(command)} {n}\n" for n in missing)
    child = start(argv, stdin=subprocess.PIPE)
    try:
        child.communicate(text.encode())
    except BaseException:
        # The first stops new jobs, the second ends those that run.
        child.terminate()
        time.sleep(0.2)
        child.terminate()
        raise
    # Up to 101 tells of so many jobs, which have told themselves; 255 of parallel itself.
    if child.returncode > 101:
        raise Trouble(f"parallel: exit status {child.returncode}")


def largest_array():
    found = re.search(r"^MaxArraySize\s*=\s*([0-9]+)", ask(["scontrol", "show", "config"]), re.M)
    return max(int(found[1]) if found else ARRAY, 1)


def still_queued(name):
    ids = ask(["squeue", "--noheader", f"--name={name}", "--format=%F"]).split()
    return sorted(set(ids), key=int)


ARRAY_SCRIPT = """\
#!/bin/sh
# Made by scripts/sweep: each task of the array runs one shard.  The list has their numbers,
# one a line; $1 is how many lines other arrays have.
number=$(sed -n "$(($1 + SLURM_ARRAY_TASK_ID + 1))p" {list}) || exit 1
exec {command} "$number"
"""


def slurm(sweep, store, missing, args):
    _, name = sweep.frozen(store.path)
    job_name = f"sweep-{name}"
    queued = still_queued(job_name)
    if queued:
        raise Trouble(f"job {', '.join(queued)} of this sweep has not ended yet: wait, or "
                      f"scancel {' '.join(queued)}")
    name, command = worker_command(sweep, store, args)
    # A name of its own: a task of an earlier array may still read another list.
    text = "".join(f"{n}\n" for n in missing)
    name += "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    numbers = store.write_job_file(f"{name}.list", text)
    script = store.write_job_file(f"{name}.sbatch", ARRAY_SCRIPT.format(
        list=shlex.quote(numbers), command=shlex.join(command)))
    most = largest_array()
    for at in range(0, len(missing), most):
        last = min(most, len(missing) - at) - 1
        throttle = f"%{args.jobs}" if args.jobs_given else ""
        # Slurm expands % in --output, so the folder's own name is kept out of it.
        child = start(["sbatch", f"--job-name={job_name}", f"--chdir={store.path}",
                       "--output=logs/%A_%a.txt", *words(args.slurm, "--slurm"),
                       f"--array=0-{last}{throttle}", script, str(at)], stdin=subprocess.DEVNULL)
        child.wait()
        # With --wait the status is that of the array; whether it was taken is what counts.
        if child.returncode and not waits(args):
            raise Trouble(f"sbatch: exit status {child.returncode}")


def waits(args):
    return any(w in ("--wait", "-W") for w in words(args.slurm, "--slurm"))
