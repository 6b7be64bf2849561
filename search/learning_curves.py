"""How trials are ranked where only the order of their values counts.

Early stopping leaves values of different epochs, which do not compare: a trial that was trained longer has a higher
value, whatever its architecture. So two trials are compared at the last epoch at which both were measured. Where that
is not known (a trial without its curve), the one that was trained longer wins: it was not stopped. A value without an
epoch, scaled from another job's (`search/proposing/prior_values.py`), stands for a whole trial: it is compared with the
last value of the other.
"""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.trial import Outcome

Curve = Mapping[int, float]
"""Value by epoch; never empty. The largest epoch is where the trial ended, 0 stands for a value without an epoch."""


def curve_of(outcome: Outcome) -> Curve | None:
    """None where nothing counts: the trial failed."""
    if outcome.value is None:
        return None
    return {**dict(enumerate(outcome.curve, 1)), outcome.epochs: outcome.value}


def as_curve(value: float | Curve) -> Curve:
    """A bare value is one that was measured once, as everything it is compared with."""
    return {0: value} if isinstance(value, (int, float)) else value


def beats(curve: Curve | None, other: Curve | None) -> bool:
    """Compared at the last epoch of both. A measured trial beats a failed one (None)."""
    if curve is None or other is None:
        return curve is not None and other is None
    both = at_shared(curve, other)
    return both[0] > both[1] if both else max(curve) > max(other)


def at_shared(curve: Curve, other: Curve) -> tuple[float, float] | None:
    """Both values at the last epoch of the one that ended earlier; None where the other's is not known there."""
    shared = min(max(curve), max(other))
    if shared == 0:
        return curve[max(curve)], other[max(other)]
    return (curve[shared], other[shared]) if shared in curve and shared in other else None


def wins(curves: Sequence[Curve | None]) -> list[int]:
    """How many of the others each curve beats. "Beats" need not be transitive; the number of wins is an order."""
    return [sum(beats(curve, other) for other in curves) for curve in curves]


@dataclass(kw_only=True, slots=True)
class CurveRanking:
    """Sorted values of curves, so that one more curve is compared with all of them in logarithmic time.

    by_epoch: the sorted values at each epoch. by_last_epoch: the same of the curves that ended there.
    """

    count: int = 0
    by_epoch: dict[int, list[float]] = field(default_factory=dict)
    by_last_epoch: dict[int, list[float]] = field(default_factory=dict)

    def copy(self) -> "CurveRanking":
        return CurveRanking(
            count=self.count,
            by_epoch={epoch: list(values) for epoch, values in self.by_epoch.items()},
            by_last_epoch={epoch: list(values) for epoch, values in self.by_last_epoch.items()},
        )

    def add(self, curve: Curve) -> None:
        self.count += 1
        for epoch, value in curve.items():
            bisect.insort(self.by_epoch.setdefault(epoch, []), value)
        last = max(curve)
        bisect.insort(self.by_last_epoch.setdefault(last, []), curve[last])

    def quantile(self, curve: Curve) -> float:
        """The share of the curves that this one beats, and half of those it equals; it is one of them itself.

        Curves that went on to its last epoch or beyond are compared there, those that ended earlier at their own last
        epoch.
        """
        last = max(curve)
        low, high = _below_and_upto(self.by_epoch.get(last, ()), curve[last])
        for epoch, values in self.by_last_epoch.items():
            if epoch < last or (last == 0 and epoch):
                if epoch in curve:
                    below, upto = _below_and_upto(values, curve[epoch])
                elif 0 in (epoch, last):
                    below, upto = _below_and_upto(values, curve[last])
                else:
                    below, upto = len(values), len(values)
                low, high = low + below, high + upto
        return (low + high) / 2 / self.count


def _below_and_upto(values: Sequence[float], value: float) -> tuple[int, int]:
    """How many of the sorted values are below, and how many are not above."""
    return bisect.bisect_left(values, value), bisect.bisect_right(values, value)
