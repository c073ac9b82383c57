# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that take their name when they are complete, and how a script ends."""

import csv
import io
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
        raise Problem(f"{path or 'standard output'}: {e.strerror}") from None


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
    def told(argv):
        try:
            return main(argv)
        except Problem as e:
            print(f"{name}: {e}", file=sys.stderr)
            return e.status

    wholefile.exit_with(name, told)
