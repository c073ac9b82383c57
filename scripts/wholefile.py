# SPDX-License-Identifier: LGPL-2.1-or-later
"""Outputs of scripts: a file takes its name when it is complete."""

import os
import secrets
import stat
import sys

TRIES = 100


def sync_folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def create(name):
    """(descriptor, name) of a new file, where @name() gives one name after the other."""
    for left in reversed(range(TRIES)):
        made = name()
        try:
            # Never what is there, nor through a link that somebody has put there.
            return os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), made
        except FileExistsError:
            if not left:
                raise


def write_whole(path, name, data):
    """@path has @data or is as it was, whatever happens; @name() is on the same file system."""
    fd, temp = create(name)
    try:
        with open(fd, "wb") as f:
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
        write_whole(path, lambda: f"{path}.{secrets.token_hex(4)}.part", data)
