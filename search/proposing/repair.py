"""Repair: from an architecture that violates constraints to a feasible one, one decision at a time.

Where few walks are feasible, random draws are hopeless: of 10^5 perhaps one is. But most constraints bound a sum over
the layers (parameters, multiply-accumulates, memory, receptive field), so that a better answer to one decision is
better whatever the others are. A sweep asks each decision of the walk again, in random order, and keeps the answer with
the smallest violation; on a long scale only the next smaller and larger answer and both ends are tried. A sweep that
improves nothing is followed by a perturbation: some answers are drawn anew, each time more of them (iterated local
search; Lourenço, Martin, Stützle 2003).
"""

import itertools
from collections.abc import Callable, Generator, Iterator

import numpy as np

from search.proposing.walks import Draw
from space.decision import Choices, Choose, Decision, Option
from space.space import replay

LONG_SCALE = 6
"""The most options of an ordered decision of which all are tried."""


DrawFrom = Callable[[Choose], Draw | None]
"""Makes the walk with these answers; None where no shape fits."""


def repair(start: Draw, draw_from: DrawFrom, rng: np.random.Generator, *, steps: int) -> Iterator[Draw]:
    """Every draw on the way from `start`, at most `steps`; the caller stops at the one it takes.

    After a feasible draw it goes on to others, for a caller that has had the first already.
    """
    return itertools.islice((draw for draw in _search(start, draw_from, rng) if draw is not None), steps)


def _search(start: Draw, draw_from: DrawFrom, rng: np.random.Generator) -> Iterator[Draw | None]:
    best = current = start
    perturbations = 0
    while best.decisions:
        swept = yield from _sweep(current, draw_from, rng)
        if swept.violation < current.violation:
            current = swept
            continue
        if current.violation < best.violation:
            best, perturbations = current, 0
        perturbations += 1
        perturbed = draw_from(_changed(best.choices, _redrawn(best, 1 + perturbations, rng), rng))
        yield perturbed
        current = perturbed or best


def _sweep(current: Draw, draw_from: DrawFrom, rng: np.random.Generator) -> Generator[Draw | None, None, Draw]:
    """Each decision once. Returns the last draw kept, whose violation is at most that of the first."""
    for name in rng.permutation([decision.name for decision in current.decisions]):
        for option in _alternatives(current, str(name), rng):
            tried = draw_from(_changed(current.choices, {str(name): option}, rng))
            yield tried
            if tried is not None and (tried.violation < current.violation or tried.violation == 0):
                current = tried
    return current


def _alternatives(draw: Draw, name: str, rng: np.random.Generator) -> list[Option]:
    """Other answers to a decision, in random order; none where the walk no longer asks it."""
    decision = next((decision for decision in draw.decisions if decision.name == name), None)
    if decision is None:
        return []
    options, count = decision.options, len(decision.options)
    at = options.index(draw.choices[name])
    few = decision.ordered and count > LONG_SCALE
    indices = {at - 1, at + 1, 0, count - 1} & set(range(count)) if few else set(range(count))
    return [options[int(index)] for index in rng.permutation(sorted(indices - {at}))]


def _redrawn(draw: Draw, count: int, rng: np.random.Generator) -> Choices:
    """Random answers to `count` random decisions of the walk."""
    picked = rng.choice(len(draw.decisions), size=min(count, len(draw.decisions)), replace=False)
    chosen = [draw.decisions[int(index)] for index in picked]
    return {decision.name: decision.options[int(rng.integers(len(decision.options)))] for decision in chosen}


def _changed(choices: Choices, changes: Choices, rng: np.random.Generator) -> Choose:
    """The same answers except for the changes; decisions that were not asked before are answered at random."""

    def otherwise(decision: Decision) -> Option:
        return decision.options[int(rng.integers(len(decision.options)))]

    return replay({**choices, **changes}, otherwise=otherwise)
