# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where spht-replay and spht-trace are, for the scripts that run them."""

import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def folder():
    """$BUILD if it is set, below the sources unless it is absolute; else build of the sources;
    else, where `make install` put them, the folder that the script was called from."""
    built = os.path.join(TOP, os.environ.get("BUILD", "build"))
    beside = os.path.dirname(os.path.abspath(sys.argv[0]))
    if "BUILD" not in os.environ and not os.path.exists(os.path.join(built, "spht-replay")) \
            and os.path.exists(os.path.join(beside, "spht-replay")):
        return beside
    return built
