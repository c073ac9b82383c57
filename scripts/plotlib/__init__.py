# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts/plot is made of: tables, what may stand in one figure, gnuplot, figures."""
