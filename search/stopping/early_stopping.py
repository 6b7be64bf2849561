"""Early stopping: which trials go on, as a function of the job's measurements so far and of nothing else.

After each epoch of a trial the rules are asked about it. They see all measurements of all trials and have no state of
their own, so a new driver that reads these back from the ledger decides as the old one would have; so do tests and
benchmarks on a simulated clock. Any controller may propose the trials.

    asha        asynchronous successive halving (Li et al. 2020), in its stopping form: at the rungs, epochs 1, 3, 9 and
                so on (or from one 27th of all epochs), a trial goes on while it is among the best third of all that
                were measured there, and no trial waits for others
    hyperband   asynchronous Hyperband (Li et al. 2018, 2020): some trials meet their first rung later, or none, so
                that slow starters get a chance
    futility    stops a trial that, judged by the job's finished trials, will not become a finalist (`stop_hopeless`)

A measurement is a tuple of values, one per objective, larger is better. With several objectives a rung is ordered as in
`search/stopping/rung_order.py`, and the futility rule stops what will be dominated.
"""

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from search.stopping.extrapolation import probability_above
from search.stopping.rung_order import places

Point = tuple[float, ...]
"""The folded values of one measurement, one per objective."""

ETA = 3
"""One in so many trials of a rung goes on; a rung has so many times the epochs of the one before."""

PARTS = 27
"""The first rung is at 1 / PARTS of all epochs, at least 1. On published curves of 200 epochs
(`python -m benchmarks.early_stopping`, 40 orders) asha stopped the best of 60 in 60 % with its first rung at epoch 1,
in 20 % at 7."""

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of the golden ratio, modulo 1, are spread evenly over 0 .. 1."""

FEWEST = 8
"""Finished trials that the futility rule needs. On published curves, one trial after the other, the best of 60 was
stopped in 2 % of orders with 8 and in 3 % with 5, at 40 and 34 % of the epochs."""

FUTILE = 0.05
"""The probability of becoming a finalist below which a trial is stopped."""


def grace(epochs: int) -> int:
    """The epoch of the first rung, for trials of so many epochs."""
    return max(1, epochs // PARTS)


class Curves:
    """All measurements of a job by epoch and trial. An epoch that is measured again changes nothing."""

    def __init__(self) -> None:
        self._at: dict[int, dict[int, Point]] = {}

    def add(self, number: int, epoch: int, point: Point) -> None:
        self._at.setdefault(epoch, {}).setdefault(number, point)

    def at(self, epoch: int) -> Mapping[int, Point]:
        """By trial."""
        return self._at.get(epoch, {})

    def points(self, number: int, epochs: int) -> tuple[Point, ...]:
        """Of a trial at epochs 1 to `epochs`; empty where one of them is missing."""
        found = [self.at(epoch).get(number) for epoch in range(1, epochs + 1)]
        return tuple(point for point in found if point is not None) if None not in found else ()


class Rule(Protocol):
    """Decides whether a trial is stopped."""

    def stop_reason(self, curves: Curves, number: int, epoch: int) -> str | None:
        """Why the trial must stop after this epoch, which is in `curves`, in one line; None, it goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuccessiveHalving:
    """Rungs at grace * ETA^k, k = 0, 1, ..., below the last epoch, or at those of a plan. epochs: of a whole trial."""

    epochs: int
    grace: int = 1
    planned: tuple[int, ...] | None = None

    @property
    def rungs(self) -> list[int]:
        if self.planned is not None:
            return [rung for rung in self.planned if rung < self.epochs]
        powers = (self.grace * ETA**k for k in itertools.count())
        return list(itertools.takewhile(lambda rung: rung < self.epochs, powers))

    def stop_reason(self, curves: Curves, number: int, epoch: int) -> str | None:
        return self.stop_reason_among(curves.at(epoch), number, epoch) if epoch in self.rungs else None

    def stop_reason_among(self, rung: Mapping[int, Point], number: int, epoch: int) -> str | None:
        """As `stop_reason`. rung: the measurements that compete, by trial; of fewer than ETA all go on."""
        keep = len(rung) // ETA
        if keep == 0:
            return None
        place = int(places(np.array(list(rung.values())))[list(rung).index(number)])
        return None if place < keep else f"epoch {epoch}: number {place + 1} of {len(rung)}, the best {keep} go on"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperband:
    """Brackets of successive halving with later and later first rungs, down to one without any.

    A bracket of k rungs has Hyperband's share of the trials, ceil((most + 1) / (k + 1) * eta^k) parts, where `most` is
    the largest number of rungs (Li et al. 2018, algorithm 1, with s = k and s_max = most). The bracket of a trial
    follows from its number: the golden ratio spreads the shares evenly over the numbers. Trials compete within their
    bracket alone.

    brackets: by falling number of rungs. _ends: the cumulative shares of the brackets, from 0 to 1.
    """

    epochs: int
    brackets: tuple[SuccessiveHalving, ...] = field(init=False)
    _ends: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        first = grace(self.epochs)
        most = len(SuccessiveHalving(epochs=self.epochs, grace=first).rungs)
        brackets = tuple(SuccessiveHalving(epochs=self.epochs, grace=ETA**s * first) for s in range(most + 1))
        sizes = [math.ceil((most + 1) / (k + 1) * ETA**k) for k in range(most, -1, -1)]
        object.__setattr__(self, "brackets", brackets)
        object.__setattr__(self, "_ends", tuple(end / sum(sizes) for end in itertools.accumulate(sizes)))

    def bracket(self, number: int) -> int:
        """The index of a trial's bracket, 0 for the one that stops earliest."""
        return min(bisect.bisect_right(self._ends, number * GOLDEN % 1.0), len(self.brackets) - 1)

    def stop_reason(self, curves: Curves, number: int, epoch: int) -> str | None:
        bracket = self.bracket(number)
        halving = self.brackets[bracket]
        if epoch not in halving.rungs:
            return None
        rung = {other: point for other, point in curves.at(epoch).items() if self.bracket(other) == bracket}
        reason = halving.stop_reason_among(rung, number, epoch)
        return None if reason is None else f"{reason} in bracket {bracket + 1} of {len(self.brackets)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FutilityRule:
    """Stops a trial that will not become one of the best `keep`, with 95 % confidence.

    A finished trial beats it surely where the probability to end above that trial is below FUTILE; once `keep` finished
    trials do, the trial is stopped. With several objectives, the probability not to be dominated by a finished trial is
    at most the sum over the objectives of the probabilities to end above it (Boole's inequality).

    Trials are judged at epochs 1, 2, 4, 8 and so on: each test may err, and tests at every epoch erred six times as
    often.
    """

    epochs: int
    keep: int = 1

    def stop_reason(self, curves: Curves, number: int, epoch: int) -> str | None:
        if epoch >= self.epochs or epoch & (epoch - 1):  # not a power of two
            return None
        now, last = curves.at(epoch), curves.at(self.epochs)
        finished = [other for other in now if other in last]
        if len(finished) < max(FEWEST, self.keep):
            return None
        early, final = (np.array([rows[other] for other in finished]) for rows in (now, last))  # (n, objectives) each
        probabilities = np.zeros(len(finished))  # (n,): at most, not to be dominated by each finished trial
        for j, value in enumerate(now[number]):
            probabilities += probability_above(early[:, j], final[:, j], now=value, bounds=final[:, j])
        if int(np.count_nonzero(probabilities < FUTILE)) < self.keep:
            return None
        return f"epoch {epoch}: less than {FUTILE:.0%} chance to end among the best {self.keep}"


class EarlyStopping:
    """The rules of a job, and the measurements that they judge by. curves: shared with the caller."""

    def __init__(self, rules: Sequence[Rule], curves: Curves) -> None:
        self._rules, self._curves = tuple(rules), curves

    def judge(self, number: int, epoch: int, point: Point) -> str | None:
        """Add a trial's newest measurement -> why the trial must stop now, or None.

        An epoch that a trial repeats, after a pause or a lost worker, was judged the first time and is not again.
        """
        if number in self._curves.at(epoch):
            return None
        self._curves.add(number, epoch, point)
        reasons = (rule.stop_reason(self._curves, number, epoch) for rule in self._rules)
        return next((reason for reason in reasons if reason is not None), None)


def rules(
    scheduler: str,
    *,
    epochs: int,
    stop_hopeless: bool = False,
    finalists: int = 1,
    planned: tuple[int, ...] | None = None,
) -> tuple[Rule, ...]:
    """The rules that stop a job's trials. scheduler: one of `search.spec.SCHEDULERS`. finalists: how many to keep.

    planned: the epochs at which asha compares trials, where a plan says so.
    """
    found: list[Rule] = []
    if scheduler == "asha":
        found.append(SuccessiveHalving(epochs=epochs, grace=grace(epochs), planned=planned))
    elif scheduler == "hyperband":
        found.append(Hyperband(epochs=epochs))
    elif scheduler != "none":
        raise ValueError(f"there is no scheduler {scheduler!r}")
    if stop_hopeless:
        found.append(FutilityRule(epochs=epochs, keep=finalists))
    return tuple(found)
