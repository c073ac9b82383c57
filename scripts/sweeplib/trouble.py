# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ends a command: a message of one line, and an exit status."""

OK, FAILED, USAGE, IDENTITY, PARTIAL = range(5)


class Trouble(Exception):
    def __init__(self, text, status=FAILED):
        super().__init__(text)
        self.status = status
