# SPDX-License-Identifier: LGPL-2.1-or-later
"""Outputs of scripts: a file takes its name when it is complete."""

import os
import stat
import sys


def sync_folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path, temp, data):
    """@path has @data or is as it was, whatever happens; @temp is on the same file system."""
    try:
        with open(temp, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.rename(temp, path)
    except BaseException:
        try:
            os.unlink(temp)
        except FileNotFoundError:
            pass
        raise
    sync_folder(os.path.dirname(path) or ".")


def write(path, data):
    """Bytes to a file, or to standard output if that is "-"."""
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    # Devices, pipes and links are written to: /dev/stdout is one, and must not become a file.
    elif os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        with open(path, "wb") as f:
            f.write(data)
    else:
        write_whole(path, path + ".part", data)
