# SPDX-License-Identifier: LGPL-2.1-or-later
"""Outputs of scripts: a file takes its name when it is complete, and what standard output does
not take is told."""

import errno
import os
import secrets
import stat
import sys

TRIES = 100
LINKS = 40


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


def is_proc(found):
    """A link of /proc is a file that is open, whatever its text is."""
    try:
        return found.st_dev == os.stat("/proc").st_dev
    except OSError:
        return False


def behind(path):
    """The file that @path is to become, which links may lead to; None: it is written as it is."""
    for _ in range(LINKS):
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return path
        if stat.S_ISREG(found.st_mode):
            return path
        # Devices, pipes, and /dev/stdout, which must not become a file.
        if not stat.S_ISLNK(found.st_mode) or is_proc(found):
            return None
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def write(path, data):
    """Bytes to a file, or to standard output if that is "-"."""
    target = None if path == "-" else behind(path)
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    elif target is None:
        with open(path, "wb") as f:
            f.write(data)
    else:
        write_whole(target, lambda: f"{target}.{secrets.token_hex(4)}.part", data)


def standard_streams():
    """Those that are closed: no output gets their numbers, and print() does not take one for the
    other."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one. Only messages may be lost.
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_WRONLY)
            os.set_inheritable(number, True)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)


def exit_with(name, main):
    """Ends with the exit status of main(); 1 where not all went to standard output."""
    standard_streams()
    status, why = 1, None
    try:
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    except OSError as e:
        why = e
    try:
        sys.stdout.flush()
    except OSError as e:
        # The interpreter must not complain of it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # What has failed before has been told, or is.
        why, status = why if status else e, status or 1
    # Who does not read on has enough.
    if why and not isinstance(why, BrokenPipeError):
        print(f"{name}: {why.filename or 'standard output'}: {why.strerror}", file=sys.stderr)
    sys.exit(status)
