"""Where a training is scored, and the learning rate on the way there.

one_cycle  one rise and one fall over the whole training (arXiv 1708.07120): scores before its end are taken at a
           high rate
cycles     one rise and one fall from each rung to the next, as warm restarts do (arXiv 1608.03983)
wsd        warm-up, stable, decay (arXiv 2405.18392): a trunk at the full rate; towards each rung a branch leaves it
           in which the rate falls to zero, and after the score the training goes on where the branch began
"""

from collections.abc import Sequence

from workers.train.recipe import Recipe

WARM_UP = 0.2
"""Share of the steps in which the learning rate rises: of the training, of a cycle, or for "wsd" of the first rung."""
RISE, RISE_SHARE = 50, 0.05
"""For "wsd", at least so many steps, or this share of the whole training where that is fewer: a fifth of a first rung
of seven steps is one step."""


def one_cycle(step: int, steps: int) -> float:
    """Share of the peak learning rate at `step` of `steps`: linear up, then linear down to zero (arXiv 1708.07120)."""
    peak = max(1, round(WARM_UP * steps))
    return min((step + 1) / peak, (steps - step) / (steps - peak + 1))


class Schedule:
    """The steps of one training. rungs: steps from the start after which it is scored."""

    def __init__(self, recipe: Recipe, *, steps: int) -> None:
        """steps: of one pass over the data."""
        self.rungs: Sequence[int] = recipe.rungs or range(steps, steps * recipe.epochs + 1, steps)
        self._kind, self._decay = recipe.schedule, recipe.decay
        first, last = (self.rungs[0], self.rungs[-1]) if self.rungs else (0, 0)
        self._rise = max(1, round(WARM_UP * first), min(RISE, round(RISE_SHARE * last)))

    def start(self, rung: int) -> int:
        """The first step of a rung (from 0), which is where the one before left the trunk."""
        return self.branch(rung - 1) if rung else 0

    def branch(self, rung: int) -> int:
        """The step at which the trunk is left on the way to a rung: the rung's own, except for "wsd"."""
        end = self.rungs[rung]
        return end - max(1, round(self._decay * end)) if self._kind == "wsd" else end

    def rate(self, step: int, rung: int) -> float:
        """Share of the peak learning rate at a step on the way to a rung."""
        if self._kind == "one_cycle":
            return one_cycle(step, self.rungs[-1])
        if self._kind == "cycles":
            start = self.start(rung)
            return one_cycle(step - start, self.rungs[rung] - start)
        branch, end = self.branch(rung), self.rungs[rung]
        return min(1.0, (step + 1) / self._rise, (end - step) / (end - branch + 1))
