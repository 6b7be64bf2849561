"""How ends compare where only their order counts.

Early stopping leaves values of different epochs, and those do not compare: who was trained longer stands higher,
whatever it is worth. So two trials are compared at the last epoch that both were measured at. Where that is not known
(a trial without its curve), who came further stands above: it was let go on. A value of no epoch, placed from another
job's (`search/proposing/prior_values.py`), is what a whole trial would come to: it compares with where the other ended.
"""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.trial import Outcome

Curve = Mapping[int, float]
"""Value by epoch; never empty. The largest epoch is where the trial ended."""


def curve_of(outcome: Outcome) -> Curve | None:
    """None where nothing counts: the trial failed."""
    if outcome.value is None:
        return None
    return {**dict(enumerate(outcome.curve, 1)), outcome.epochs: outcome.value}


def as_curve(value: float | Curve) -> Curve:
    """A bare value is one that was measured once, as everything it is compared with."""
    return {0: value} if isinstance(value, (int, float)) else value


def beats(one: Curve | None, other: Curve | None) -> bool:
    """At the last epoch of both. Whatever was measured beats what failed."""
    if one is None or other is None:
        return one is not None and other is None
    both = at_shared(one, other)
    return both[0] > both[1] if both else max(one) > max(other)


def at_shared(one: Curve, other: Curve) -> tuple[float, float] | None:
    """Both values at the last epoch of the one that ended earlier; None where the other's is not known."""
    shared = min(max(one), max(other))
    if shared == 0:
        return one[max(one)], other[max(other)]
    return (one[shared], other[shared]) if shared in one and shared in other else None


def wins(curves: Sequence[Curve | None]) -> list[int]:
    """How many of the others each one beats. "Beats" need not be transitive; the number of wins orders all the same."""
    return [sum(beats(one, other) for other in curves) for one in curves]


@dataclass(kw_only=True, slots=True)
class Standings:
    """Curves, kept so that one more is compared with all in logarithmic time.

    reached: by epoch, the sorted values there. ended: of those that were measured no further.
    """

    count: int = 0
    reached: dict[int, list[float]] = field(default_factory=dict)
    ended: dict[int, list[float]] = field(default_factory=dict)

    def copy(self) -> "Standings":
        return Standings(
            count=self.count,
            reached={epoch: list(values) for epoch, values in self.reached.items()},
            ended={epoch: list(values) for epoch, values in self.ended.items()},
        )

    def add(self, curve: Curve) -> None:
        self.count += 1
        for epoch, value in curve.items():
            bisect.insort(self.reached.setdefault(epoch, []), value)
        last = max(curve)
        bisect.insort(self.ended.setdefault(last, []), curve[last])

    def quantile(self, curve: Curve) -> float:
        """The share of those added, this one among them, that it beats, and half of those it equals."""
        last = max(curve)
        low, high = _between(self.reached.get(last, ()), curve[last])
        for epoch, values in self.ended.items():
            if epoch < last or (last == 0 and epoch):
                if epoch in curve:
                    below, upto = _between(values, curve[epoch])
                elif 0 in (epoch, last):
                    below, upto = _between(values, curve[last])
                else:
                    below, upto = len(values), len(values)
                low, high = low + below, high + upto
        return (low + high) / 2 / self.count


def _between(values: Sequence[float], value: float) -> tuple[int, int]:
    """How many of the sorted values are below, and how many not above."""
    return bisect.bisect_left(values, value), bisect.bisect_right(values, value)
