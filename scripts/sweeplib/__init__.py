# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parts of scripts/sweep: plan (what is to be run), shard (one piece of it, on disk),
worker (runs one), backends (who runs the workers)."""
