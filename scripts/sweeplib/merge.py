# SPDX-License-Identifier: LGPL-2.1-or-later
"""One table of all shards: the bytes of one spht-replay that had run them all."""

import os
import sys

import wholefile
from sweeplib.trouble import FAILED, PARTIAL, Trouble

# What no two rows of a table may differ in.
ALIKE = ("schema", "tool_version", "git_commit")


def refuse_incomplete(survey):
    total = len(survey.jobs)
    if survey.damaged:
        n, why = next(iter(survey.damaged.items()))
        raise Trouble(f"shard {n}, {survey.store.shard_path(survey.jobs[n].identity)}: {why}; "
                      "scripts/sweep run makes it again")
    if survey.missing:
        n = survey.missing[0]
        first = f"the first is {n}: {survey.jobs[n].identity.title()}"
        raise Trouble(f"{len(survey.missing)} of {total} shards are missing, "
                      + (survey.foreign_text() or first) + "; scripts/sweep run makes them",
                      survey.status())


def one_table(tables):
    """Comments once each, the column names, all rows."""
    comments, head, seen = {}, tables[0].head, {}
    for table in tables:
        comments.update(dict.fromkeys(table.comments))
        if table.head != head:
            raise Trouble("the shards have different columns")
        for row in table.cells():
            for column in ALIKE:
                value = row.get(column)
                if seen.setdefault(column, value) != value:
                    raise Trouble(f"the shards are mixed: {column} {seen[column]} and {value}")
    return b"".join([*comments, head, *(row for table in tables for row in table.rows)])


def merge(survey, out, inputs):
    """Writes the table; 0, or 4 where a recording was read incompletely."""
    for path in inputs:
        if out != "-" and os.path.exists(out) and os.path.samefile(out, path):
            raise Trouble(f"{path} would be replaced by its own results")
    refuse_incomplete(survey)
    shards = [survey.shards[n] for n in range(len(survey.jobs))]
    data = one_table([s.table for s in shards])
    try:
        wholefile.write(out, data)
    except OSError as e:
        raise Trouble(f"{out}: cannot be written: {e.strerror}", FAILED) from e
    partial = sorted({s.identity.members["trace"] for s in shards if s.status == PARTIAL})
    if partial:
        print(f"sweep: read incompletely: {', '.join(partial)}", file=sys.stderr)
    if survey.others:
        print(f"sweep: {len(survey.others)} other shards in {survey.store.path} are not of this "
              "plan, and left out", file=sys.stderr)
    return PARTIAL if partial else 0
