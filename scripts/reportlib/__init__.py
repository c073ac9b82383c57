# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of spht-replay as one page; scripts/report is the program."""
