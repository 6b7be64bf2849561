"""What a job will cost, from short timings of its trainings: arithmetic only, `workers/pricing/dry_run.py` measures.

A range, not a number, because three things are unknown beforehand: which architectures the search will favour (from as
cheap as the cheapest tenth of random ones to as expensive as the most expensive tenth), how many trials are stopped
early, and how busy the machine will be. `expected` assumes random architectures and the shares in EARLY.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.compress import epochs_of
from search.objective import Objective
from search.proposing.in_order import LAG
from search.spec import TRIALS, JobSpec
from workers.finalists.plan import LONGEST, NOISE_SEEDS, is_its_own
from workers.train.prepare import final_epochs

EARLY = {"none": (1.0, 1.0, 1.0), "asha": (0.12, 0.3, 0.7), "hyperband": (0.25, 0.45, 0.9)}
"""Share of the epochs that a scheduler leaves: low, expected, high. `python -m benchmarks.early_stopping` has
0.15 and 0.35 for trials of 200 epochs; shorter ones leave fewer places to stop at."""

BUSY = 1.5
"""Factor by which everything may take longer on a busy machine, at the high end."""

QUIET = 0.3
"""Factor on the measured time of a start, at the low end, in case the machine was busy when it was measured."""

STARTS = 4.0
"""Processes that start one after another before the first trial: driver, calibration, Ray's worker, Tune."""

PER_TRIAL_S = (0.03, 0.1, 0.5)
"""Seconds of a trial besides its epochs (`python -m benchmarks.overhead`), including the asks of a slow controller."""

PER_STEP_S = (0.2, 3.0, 8.0)
"""Seconds of a step of compression besides its epochs: latencies, exports."""

EXPORT_S = (0.0, 12.0, 25.0)
"""Seconds for `model.onnx` and `model.pt2`; nothing where the service leaves them out."""

TRIAL_BYTES = 40_000
"""Rows of the ledger and of MLflow, the architecture and its picture."""

BUNDLE_BYTES = 500_000
COPIES = 8
"""Copies of the weights in a bundle: as such and in exported forms, in its folder and its zip."""

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    low: float
    expected: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.expected <= self.high:
            raise ValueError(f"a range rises from low to high, got {self.low}, {self.expected}, {self.high}")

    @property
    def parts(self) -> Triple:
        return self.low, self.expected, self.high

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 3) for name in ("low", "expected", "high")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """One architecture on this machine. epoch_s: of the search, validation included."""

    macs: int
    params: int
    epoch_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What was measured. timed: by ascending MACs. macs: of random architectures of the space.

    start_s: seconds until a process has loaded torch and the data. final_share: samples of a final training over those
    of a search trial. walks: how many the space has, None where that was not counted.
    """

    timed: Sequence[Timed]
    macs: Sequence[int]
    start_s: float
    final_share: float
    walks: int | None

    def epoch_s(self, macs: int) -> float:
        """Seconds of an epoch, interpolated between the timed architectures as a power of the MACs."""
        x = [math.log(max(1, row.macs)) for row in self.timed]
        y = [math.log(max(1e-6, row.epoch_s)) for row in self.timed]
        return math.exp(float(np.interp(math.log(max(1, macs)), x, y)))

    @property
    def epochs_s(self) -> Triple:
        """Seconds of an epoch for a cheap, a random and an expensive architecture."""
        found = sorted(self.epoch_s(macs) for macs in self.macs)
        low, high = np.quantile(found, [0.1, 0.9])
        mean = float(np.mean(found))
        return min(float(low), mean), mean, max(float(high), mean, *(row.epoch_s for row in self.timed))


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """trainings: number of final ones. slots: trials at once. phases: seconds of each."""

    trials: Range
    trainings: int
    slots: int
    disk_bytes: Range
    phases: dict[str, Range]

    @property
    def seconds(self) -> Range:
        low, expected, high = (
            math.fsum(column) for column in zip(*(p.parts for p in self.phases.values()), strict=True)
        )
        return Range(low=low, expected=expected, high=high)

    def to_json(self) -> dict[str, Any]:
        seconds = self.seconds
        hours = Range(low=seconds.low / 3600, expected=seconds.expected / 3600, high=seconds.high / 3600)
        return {
            "trials": self.trials.to_json(),
            "trainings": self.trainings,
            "trials_at_once": self.slots,
            "seconds": seconds.to_json(),
            "hours": hours.to_json(),
            "disk_bytes": self.disk_bytes.to_json(),
            "phases": {name: phase.to_json() for name, phase in self.phases.items()},
        }


def price(spec: JobSpec, look: Look, *, slots: int) -> Price:
    """The price of a job. slots: how many trials the cluster holds at once."""
    if spec.reproducible:
        slots = min(slots, LAG)
    trials, search, unlimited = _search(spec, look, slots)
    arm = spec.finalists.random_arm and not is_its_own(spec)
    trainings = _trainings(spec)
    rounds = math.ceil(trainings / slots)
    final = _range(rounds * final_epochs(spec) * look.final_share * each for each in look.epochs_s)
    loads = look.start_s * (1 + rounds / 4)
    phases = {
        "start": _busy(_range([QUIET * STARTS * look.start_s, STARTS * look.start_s, 2 * STARTS * look.start_s])),
        "search": search,
        **({"random_arm": _plus(_arm(spec, search, unlimited), look.start_s, low=0.7)} if arm else {}),
        "finalists": _busy(_plus(final, loads, low=0.7)),
        **({"compress": _busy(_compress(spec, look))} if spec.compress else {}),
        "bundle": _busy(_range(EXPORT_S)),
    }
    return Price(
        trials=trials, trainings=trainings, slots=slots, disk_bytes=_disk(spec, look, trainings), phases=phases
    )


def _search(spec: JobSpec, look: Look, slots: int) -> tuple[Range, Range, float]:
    """Trials; seconds of wall clock, within the budget's; and the most these might be without that limit."""
    budget, shares = spec.budget, EARLY[spec.trial.scheduler]
    asked = budget.trials or TRIALS
    most = min(asked, look.walks) if look.walks is not None else asked
    if budget.total_epochs is not None:
        most = min(most, max(1, int(budget.total_epochs / budget.trial_epochs / min(shares))))
    least = 1 if spec.stop.target is not None else min(most, spec.stop.flat.trials + 1) if spec.stop.flat else most
    if spec.trial.stop_hopeless:
        shares = (0.5 * shares[0], 0.8 * shares[1], shares[2])
    each = [
        budget.trial_epochs * share * epoch + beside
        for share, epoch, beside in zip(shares, look.epochs_s, PER_TRIAL_S, strict=True)
    ]
    counts = (least, most, most)
    wall = [math.ceil(count / slots) * seconds for count, seconds in zip(counts, each, strict=True)]
    if budget.total_epochs is not None:
        paid = [
            (budget.total_epochs * epoch + count * beside) / slots
            for count, epoch, beside in zip(counts, look.epochs_s, PER_TRIAL_S, strict=True)
        ]
        wall = [min(pair) for pair in zip(wall, paid, strict=True)]
    fitting = [min(count, max(1.0, slots * budget.seconds / trial)) for count, trial in zip(counts, each, strict=True)]
    trials = Range(low=min(fitting), expected=sorted(fitting)[1], high=max(fitting))
    capped = _busy(_range([0.8 * wall[0], wall[1], wall[2]]))
    low, expected, high = (min(seconds, budget.seconds) for seconds in capped.parts)
    return trials, Range(low=low, expected=expected, high=high), capped.high


def _arm(spec: JobSpec, search: Range, unlimited: float) -> Range:
    """As many epochs as the search, which may have favoured cheaper architectures; a longer time limit, or none."""
    most = unlimited if spec.reproducible else min(unlimited, LONGEST * search.high)
    return Range(low=search.low, expected=search.expected, high=max(search.high, most))


def _compress(spec: JobSpec, look: Look) -> Range:
    """On one worker: the reference and all rounds of all steps, then those that were kept once more.

    Low: one round each in the first pass, and nothing kept.
    """
    steps = spec.compress.steps if spec.compress else ()
    whole = final_epochs(spec)
    least, most = (whole + sum(epochs_of(step, whole, rounds=rounds) for step in steps) for rounds in (1, None))
    again = (most - whole) * look.final_share
    epochs = (least, most + again, most + again)
    return _range(
        count * each + len(steps) * beside
        for count, each, beside in zip(epochs, look.epochs_s, PER_STEP_S, strict=True)
    )


def _trainings(spec: JobSpec) -> int:
    """Final trainings of `workers.finalists.plan`, assuming that its architectures are all different."""
    wanted = spec.finalists
    alike = wanted.top + wanted.baseline + wanted.random_arm
    winner = max(NOISE_SEEDS, wanted.seeds) if wanted.fidelity else wanted.seeds
    others = max(0, wanted.fidelity - alike)
    if wanted.top > 1 and Objective.of(spec.objective).names == ("score",):  # see `workers.finalists.selection`
        compared = (wanted.baseline + wanted.random_arm) * wanted.seeds
        return wanted.top + winner + wanted.top - 1 + compared + others
    return (alike - 1) * wanted.seeds + winner + others


def _disk(spec: JobSpec, look: Look, trainings: int) -> Range:
    """Bytes that stay on disk when the job has ended. Weights are float32."""
    params = sorted(row.params for row in look.timed)
    trials = (spec.budget.trials or TRIALS) * (2 if spec.finalists.random_arm else 1)
    rows = [0.25 * trials * TRIAL_BYTES, trials * TRIAL_BYTES, 3.0 * trials * TRIAL_BYTES]
    copies = COPIES + 2 * (1 + len(spec.compress.steps)) if spec.compress else COPIES
    weights = [4.0 * (trainings + copies) * count for count in (params[0], params[len(params) // 2], params[-1])]
    return _range(row + weight + BUNDLE_BYTES for row, weight in zip(rows, weights, strict=True))


def _range(values: Any) -> Range:
    low, expected, high = values
    return Range(low=low, expected=expected, high=high)


def _busy(given: Range) -> Range:
    return Range(low=given.low, expected=given.expected, high=given.high * BUSY)


def _plus(given: Range, seconds: float, *, low: float) -> Range:
    return Range(
        low=low * given.low + QUIET * seconds, expected=given.expected + seconds, high=given.high + 2.0 * seconds
    )
