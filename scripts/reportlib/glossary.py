# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the numbers mean, in short; docs/metrics.md has it in full."""

from .markup import Html, join, tag

WORDS = [
    ("f_base", "base faults", "Page-fault exits that a helper could have spared in principle: the"
     " guest's own page table already had the answer, and KVM's shadow table had not. All"
     " percentages of exits avoided are parts of these. More cannot be avoided."),
    ("avoided", "exits avoided", "Base faults that met an entry which the helper had built or that"
     " came along with one, less the exits that its work brought about. It can be negative."),
    ("bounds", "[strict, optimistic]", "Nobody saw when the guest filled in its page table. Strict"
     " takes an entry for present only between two proofs, optimistic as early and as long as"
     " nothing contradicts; the figure between them goes by rules about the guest's kernel. Three"
     " complete runs; always quote all three."),
    ("oracle", "oracle", "A helper that sees the future and costs nothing. It is a bound, not a"
     " rival: most of what it avoids nobody can have in time."),
    ("oracle_share", "of the oracle", "Exits avoided, as a part of what the oracle avoids in the"
     " same world."),
    ("coverage", "coverage", "The part of base faults that met an entry, before anything is"
     " charged. 1 is all."),
    ("accuracy", "accuracy", "The part of the entries built that were used. Low..high: some uses"
     " cannot be seen in a recording, so there is no single figure."),
    ("lateness", "lateness", "Of the faults that the helper had foreseen, the part that came before"
     " it was done."),
    ("speedup_pct", "speed-up", "Virtual time of the vCPUs without the helper over that with it,"
     " less 1; below 0 the helper loses. Its bound is what would be gained if all base faults were"
     " free: often little, whatever the heuristic."),
    ("new_exits", "new exits", "Exits that the recording does not have: a spared fault does not"
     " bring the neighbours that KVM would have built with it. Proven..possible; the touch rate of"
     " the cost profile says how many are charged."),
    ("refault", "refault", "The guest handles a fault of its own, fills in its entry, and touches"
     " the page again: an exit to KVM, a few hundred nanoseconds to microseconds later. A race that"
     " a helper can hardly win; here strict and optimistic are far apart."),
    ("fidelity", "fidelity", "How often the model's idea of an entry, asked before the outcome is"
     " known to it, agreed with what the recording then proves; in both directions. Below 95 % on"
     " one side the model does not explain the recording."),
    ("silent", "silent drop", "An entry that went without an event. Inferred: something since could"
     " have dropped it. Unexplained: nothing did."),
    ("guest_time_scale", "time scale", "A factor on the time that the guest runs between exits. An"
     " emulated machine's is far too long, so what a faster guest would see is shown beside it."),
    ("slack", "slack", "How long an entry had been ready when it was used. Little slack means that"
     " a slightly slower helper would have been late."),
]


def glossary():
    made = [join(Html("\n"), tag("dt", name, id=f"g-{key}"), tag("dd", text))
            for key, name, text in WORDS]
    return tag("dl", made, Html("\n"))
