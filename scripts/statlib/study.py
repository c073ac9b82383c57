# SPDX-License-Identifier: LGPL-2.1-or-later
"""What docs/results.md tells of: defaults, a sweep, the best of it, for groups of recordings."""

from . import summary, table
from .table import Problem

# A group is one kind of workload under one KVM; what differs is what one recording of it
# has and another one has not.
BY = ["baseline", "baseline_recorded", "vcpus", "roi", "host_kernel", "guest_kernel"]
SCALES = ["0.333", "1", "3"]
MIDDLE = "1"


class Part:
    """A group of recordings with its parts, and the best configuration of each heuristic."""

    def __init__(self, group):
        self.group = group
        self.overfitted = len(group.recordings) < 2
        tuning, reporting = summary.split(group)
        self.tuning = list(group.recordings) if self.overfitted else tuning
        self.reporting = list(group.recordings) if self.overfitted else reporting
        self.best = {}

    def name(self):
        """Short, for the reading and the headings: w8-1 is window 8 with 1 vCPU."""
        of = dict(zip(BY, self.group.key))
        made = f"w{of['baseline']}-{of['vcpus']}"
        return made if of["roi"] else f"{made}-whole"

    def title(self):
        of = dict(zip(BY, self.group.key))
        vcpus = "1 vCPU" if of["vcpus"] == "1" else f"{of['vcpus']} vCPUs"
        where = f"from {of['roi'].replace('..', ' to ')}" if of["roi"] else "whole recording"
        return f"Prefetch window {of['baseline']}, {vcpus}, guest {of['guest_kernel']}, {where}"

    def top(self):
        """Of the best of each heuristic, what avoids most where it was chosen."""
        return summary.choose([self.cell(c) for c in self.best.values()], self.tuning,
                              "avoided").config

    def cell(self, config, scale=1.0):
        return self.group.cells[(scale, config)]

    def told(self, config, scale=1.0):
        return self.cell(config, scale).of(self.reporting)


class Study:
    """Rows of all recordings; which configurations are defaults, references, or tried."""

    def __init__(self, replayer, grid, section):
        self.replayer = replayer
        self.references = grid["references"]
        self.tried = grid[section]
        known = replayer.heuristics()
        apart = {spec.partition(":")[0] for spec in self.references}
        self.defaults = [name for name in known if name not in apart]
        for spec in self.references + self.tried:
            name = spec.partition(":")[0]
            if name not in known:
                raise Problem(f"the grid has {spec}, but spht-replay knows no heuristic {name}; it"
                              f" knows {', '.join(known)}")
            if spec in self.tried and name in apart:
                raise Problem(f"the grid tries {spec}, but {name} is a reference")
        self.rows = []
        self.parts = []
        self.path_of = {}

    def config(self, spec):
        """The one configuration of a spec without ranges."""
        found = self.replayer.configurations(spec)
        if len(found) != 1:
            raise Problem(f"{spec}: makes {len(found)} configurations; expected one")
        name, _, params = found[0].partition(":")
        return name, params

    def configs(self, specs):
        """Those of several specs, each once, as spht-replay writes them."""
        return list(dict.fromkeys(c for spec in specs for c in self.replayer.configurations(spec)))

    def sweep(self, paths):
        """All of the grid at the middle scale; then what is told, at the others."""
        specs = self.configs(self.references + self.defaults + self.tried)
        wanted = [(path, specs) for path in paths]
        for path, found in zip(paths, self.replayer.all_rows(wanted, [MIDDLE])):
            self.path_of[found[0][0]["trace_sha256"]] = path
            self.rows += [row for rows in found for row in rows]
        table.check(self.rows, BY)
        self.parts = [Part(group) for group in summary.groups(self.rows, BY)]
        self.check_names()
        for part in self.parts:
            self.choose(part)
        self.other_scales()
        table.check(self.rows, BY)

    def check_names(self):
        names = [part.name() for part in self.parts]
        for name in names:
            if names.count(name) > 1:
                raise Problem(f"two groups of recordings are both {name}: "
                              + " and ".join(p.title() for p in self.parts if p.name() == name)
                              + "; make two pages of them")

    def choose(self, part):
        known = set(self.configs(self.defaults + self.tried))
        cells = [c for c in part.group.at(1.0) if table.spec_of(c.config) in known]
        for name, of in summary.by_heuristic(cells).items():
            part.best[name] = summary.choose(of, part.tuning, "avoided").config

    def other_scales(self):
        scales = [scale for scale in SCALES if scale != MIDDLE]
        wanted = []
        for part in self.parts:
            configs = [self.config(spec) for spec in self.references + self.defaults]
            configs += part.best.values()
            specs = [table.spec_of(config) for config in dict.fromkeys(configs)]
            wanted += [(self.path_of[sha], specs) for sha in part.group.recordings]
        for found in self.replayer.all_rows(wanted, scales):
            for rows in found:
                self.rows += rows
        chosen = [part.best for part in self.parts]
        self.parts = [Part(group) for group in summary.groups(self.rows, BY)]
        for part, best in zip(self.parts, chosen):
            part.best = best

    def tried_of(self, part, name):
        """Cells of one heuristic at the middle scale, default first, else as they are sorted."""
        default = self.config(name)
        cells = [cell for cell in part.group.at(1.0) if cell.config[0] == name]
        return sorted(cells, key=lambda cell: cell.config != default)
