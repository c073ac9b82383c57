# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that take their name when they are complete, and how a script ends."""

import csv
import io
import os
import sys

import wholefile

from .table import Problem


def write(path, text):
    """To a file, or to standard output if path is None."""
    try:
        wholefile.write(path or "-", text.encode())
    except BrokenPipeError:
        raise
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None


def as_csv(rows):
    """The rows of spht-replay as they were read."""
    out = io.StringIO()
    to = csv.writer(out, lineterminator="\n")
    to.writerow(rows[0].text)
    for row in rows:
        to.writerow(row.text.values())
    return out.getvalue()


def exit_with(name, main):
    """Runs main(); a Problem is one line on standard error and its exit status."""
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as e:
        print(f"{name}: {e}", file=sys.stderr)
        sys.exit(e.status)
    except BrokenPipeError:
        # Who read has enough; the interpreter must not complain of it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
