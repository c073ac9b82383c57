# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts/stats and scripts/results share: spht-replay's tables, read, refused, added up."""
