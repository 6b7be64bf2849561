"""Repair: from an architecture that breaks constraints to one that keeps them, a decision at a time.

Where few walks are feasible, drawing at random hardly ends: of 10^5 draws one may do. But most constraints bound a sum
over the layers (parameters, multiply-accumulates, memory, receptive field), so that a better answer to one question is
better whatever the others are. A sweep asks each question of the walk again, in random order, and keeps the answer that
breaks least; on a long scale only the next smaller and larger answer and both ends are tried. A sweep that improves
nothing is followed by a kick: some answers drawn anew, each time more of them (iterated local search; Lourenço, Martin,
Stützle 2003).
"""

import itertools
from collections.abc import Callable, Generator, Iterator

import numpy as np

from search.proposing.walks import Draw
from space.decision import Choices, Choose, Decision, Option
from space.space import replay

LONG = 6
"""Answers on a scale of which all are tried."""


Go = Callable[[Choose], Draw | None]
"""A walk with these answers; None where the shapes cannot be."""


def repair(start: Draw, go: Go, rng: np.random.Generator, *, steps: int) -> Iterator[Draw]:
    """Every attempt made on the way from `start`, at most `steps`; who takes one stops asking.

    Once it has met a feasible one it goes on to others, for who has had the first.
    """
    return itertools.islice((one for one in _search(start, go, rng) if one is not None), steps)


def _search(start: Draw, go: Go, rng: np.random.Generator) -> Iterator[Draw | None]:
    best = here = start
    kicks = 0
    while best.decisions:
        swept = yield from _sweep(here, go, rng)
        if swept.broken < here.broken:
            here = swept
            continue
        if here.broken < best.broken:
            best, kicks = here, 0
        kicks += 1
        kicked = go(_changed(best.choices, _redrawn(best, 1 + kicks, rng), rng))
        yield kicked
        here = kicked or best


def _sweep(here: Draw, go: Go, rng: np.random.Generator) -> Generator[Draw | None, None, Draw]:
    """Each question once. Returns where it ended: nowhere worse than it began."""
    for name in rng.permutation([decision.name for decision in here.decisions]):
        for option in _others(here, str(name), rng):
            tried = go(_changed(here.choices, {str(name): option}, rng))
            yield tried
            if tried is not None and (tried.broken < here.broken or tried.broken == 0):
                here = tried
    return here


def _others(attempt: Draw, name: str, rng: np.random.Generator) -> list[Option]:
    """Answers to try in the place of the present one; none where this walk does not ask the question any more."""
    decision = next((one for one in attempt.decisions if one.name == name), None)
    if decision is None:
        return []
    options, count = decision.options, len(decision.options)
    at = options.index(attempt.choices[name])
    few = decision.ordered and count > LONG
    indices = {at - 1, at + 1, 0, count - 1} & set(range(count)) if few else set(range(count))
    return [options[int(index)] for index in rng.permutation(sorted(indices - {at}))]


def _redrawn(attempt: Draw, count: int, rng: np.random.Generator) -> Choices:
    """Some decisions and new answers to them."""
    picked = rng.choice(len(attempt.decisions), size=min(count, len(attempt.decisions)), replace=False)
    chosen = [attempt.decisions[int(index)] for index in picked]
    return {one.name: one.options[int(rng.integers(len(one.options)))] for one in chosen}


def _changed(choices: Choices, changes: Choices, rng: np.random.Generator) -> Choose:
    """The same answers but for the changes; questions that were not asked before are answered at random."""

    def otherwise(decision: Decision) -> Option:
        return decision.options[int(rng.integers(len(decision.options)))]

    return replay({**choices, **changes}, otherwise=otherwise)
