"""How often the report's intervals miss, on simulated jobs whose true scores are known; nothing is trained.

    python -m benchmarks.intervals [--jobs 1000] [--table nasbench201_cifar10.csv.gz] [--seed 0] [--only jobs draws]

Three tables, each with the method of before and that of today:

    scores    comparisons of two equally good architectures by each score: share that says "gain" (2.5 % is promised)
              and share of intervals without the true difference, 0 (5 %)
    noise     the same, where some architectures vary four times as much between trainings as others (variance)
    ranks     Kendall's tau between search and final scores, estimated from six architectures of a search of 30 trials:
              how far off, and how often the interval has the true one (95 %); with --table also for NAS-Bench-201,
              12 epochs against 200

and two of the random trials within a search (`benchmarks/random_trials.py`):

    jobs      whole searches with random trials: where all architectures are equal, how many reports say "no gain over
              random"; where one is better, how many find it and state a gain. 40 of each; minutes
    draws     what random search of the whole cost would have reached, from r random trials: how far off the estimate
              is, and how often the interval has the truth
"""

import argparse
import csv
import gzip
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from benchmarks import answer_worlds, random_trials
from workers.report.rank_agreement import agreement
from workers.report.statistics import LEVEL, Gain, Scores, gain
from workers.train.metrics import METRICS
from workers.train.shares import shares

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]


# ---- two architectures, equally good


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Test splits and networks: `samples` of `classes` unequal classes, `score` as in `METRICS`."""

    score: str
    classes: int
    samples: int
    trainings: int = 3

    def job(self, rng: np.random.Generator) -> tuple[Scores, Scores]:
        """Two architectures of the same true score, each trained `trainings` times, on one new test split.

        Some samples are hard for all networks, others for all trainings of one architecture. Trainings differ in how
        well they separate the classes.
        """
        portions = np.arange(self.classes, 0, -1) / np.arange(self.classes, 0, -1).sum()
        y = rng.choice(self.classes, self.samples, p=portions)
        y[: self.classes] = np.arange(self.classes)
        hard = rng.normal(size=(self.samples, self.classes))
        return self._architecture(y, hard, rng), self._architecture(y, hard, rng)

    def _architecture(self, y: npt.NDArray[np.int64], hard: Array, rng: np.random.Generator) -> Scores:
        own, labels = rng.normal(size=hard.shape), torch.tensor(y)
        values, parts = list[float](), list[Array]()
        for _ in range(self.trainings):
            noise = hard + 0.7 * own + 0.4 * rng.normal(size=hard.shape)
            logits = torch.tensor((1.6 + 0.03 * rng.normal()) * np.eye(self.classes)[y] + noise).float()
            values.append(METRICS[self.score](logits, labels))
            parts.append(shares(self.score, logits, labels).numpy().astype(np.float64))
        return Scores(values=tuple(values), shares=np.mean(parts, axis=0))


WORLDS = (
    World(score="accuracy", classes=3, samples=500),
    World(score="balanced_accuracy", classes=3, samples=500),
    World(score="balanced_accuracy", classes=7, samples=300),
    World(score="auc", classes=2, samples=100),
    World(score="auc", classes=2, samples=500),
    World(score="auc", classes=2, samples=2000),
    World(score="auc", classes=5, samples=300),
    World(score="average_precision", classes=2, samples=500),
    World(score="quadratic_kappa", classes=5, samples=300),
)


def earlier_gain(winner: Scores, other: Scores, pool: Sequence[Scores], *, seed: int, by_samples: bool) -> Gain:
    """As before: the noise of all architectures pooled, and no choice of samples for a score that is no mean."""
    repeated = [np.array(scores.values) for scores in pool if len(scores.values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    variance = sum(float(np.square(values - values.mean()).sum()) for values in repeated) / freedom
    rng, value = np.random.default_rng(seed), winner.mean - other.mean
    error = math.sqrt(variance * (1 / len(winner.values) + 1 / len(other.values)))
    drawn = value + error * rng.standard_t(freedom, 10_000)
    if by_samples and winner.shares is not None and other.shares is not None:
        differences = winner.shares - other.shares
        drawn += rng.normal(0.0, differences.std() / math.sqrt(len(differences)), 10_000)
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Gain(value=value, interval=(float(low), float(high)), samples=by_samples)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Of many comparisons of equals: shares that say "gain" and that miss 0; the intervals' mean width."""

    gains: float
    missed: float
    width: float

    @classmethod
    def of(cls, found: Sequence[Gain]) -> "Rates":
        intervals = [result.interval for result in found if result.interval is not None]
        return cls(
            gains=sum(result.verdict == "gain" for result in found) / len(found),
            missed=sum(not low <= 0 <= high for low, high in intervals) / len(found),
            width=float(np.mean([high - low for low, high in intervals])),
        )


def of_scores(world: World | answer_worlds.World, jobs: int, *, seed: int = 0) -> tuple[Rates, Rates]:
    """(before, today) of one score."""
    rng = np.random.default_rng([seed, world.samples, world.classes])
    pairs = [world.job(rng) for _ in range(jobs)]
    mean = world.score in ("accuracy", "balanced_accuracy")
    before = [earlier_gain(*pair, pair, seed=number, by_samples=mean) for number, pair in enumerate(pairs)]
    return Rates.of(before), Rates.of([gain(*pair, pair, seed=number) for number, pair in enumerate(pairs)])


# ---- unequal noise

NOISES: dict[str, tuple[float, ...]] = {
    "all alike": (1, 1, 1, 1, 1),
    "the pair 4 times": (2, 2, 1, 1, 1),
    "the winner 4 times": (2, 1, 1, 1, 1),
    "another 4 times": (1, 1, 2, 1, 1),
}
"""Standard deviations between trainings: of the winner, of what it is compared with, of the other architectures."""

COUNTS = ((3, 3, 3, 3, 3), (2, 2, 2, 2, 2), (3, 2, 1, 1, 2))


def of_noise(deviations: Sequence[float], counts: Sequence[int], jobs: int, *, seed: int = 0) -> tuple[Rates, Rates]:
    """(before, today), on a test split without end, where only the noise between trainings matters."""
    rng = np.random.default_rng([seed, *counts])
    before, today = list[Gain](), list[Gain]()
    for number in range(jobs):
        pool = [
            Scores(values=tuple(rng.normal(0.9, 0.01 * deviation, count)))
            for deviation, count in zip(deviations, counts, strict=True)
        ]
        before.append(earlier_gain(pool[0], pool[1], pool, seed=number, by_samples=False))
        today.append(gain(pool[0], pool[1], pool, seed=number))
    return Rates.of(before), Rates.of(today)


# ---- rank agreement

Draw = Callable[[int, np.random.Generator], tuple[Array, Array]]
"""(number of trials, generator) -> their search scores and their final scores, fractions from 0 to 1."""


def normal(rho: float, *, even: bool = False) -> Draw:
    """Scores from two normal variables with correlation rho; even: final scores are spread evenly from 0.7 to 0.9."""

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, e = rng.normal(size=(2, count))
        y = rho * x + math.sqrt(1 - rho * rho) * e
        full = 0.7 + 0.2 * stats.norm.cdf(y) if even else 1 - np.minimum(0.06 * np.exp(-0.3 * y), 1.0)
        return 0.8 + 0.02 * x, full

    return draw


def of_table(path: Path, at_least: float) -> Draw:
    """Random rows of a table with the columns c10_val_12ep and c10_test, in percent; of those above `at_least`."""
    with gzip.open(path, "rt") as lines:
        read = [(row["c10_val_12ep"], row["c10_test"]) for row in csv.DictReader(lines)]
    table = np.array([(float(a), float(b)) for a, b in read if a and b and float(b) >= at_least]) / 100

    def draw(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        rows = table[rng.choice(len(table), min(count, len(table)), replace=False)]
        return rows[:, 0], rows[:, 1]

    return draw


def chosen(short: Array, count: int = 6) -> list[int]:
    """As `workers.finalists.plan`: the best three, the baseline (trial 0), the others from the worst up."""
    order = [int(place) for place in np.argsort(-short)]
    found = order[:3] + ([0] if 0 not in order[:3] else [])
    rest, missing = [place for place in order if place not in found], count - len(found)
    return found + [rest[len(rest) - 1 - round(step * len(rest) / missing)] for step in range(missing)]


def earlier_agreement(short: Array, full: Array) -> tuple[float, Interval]:
    """As before: Kendall's tau of the six, with the interval of Fieller, Hartley & Pearson (1957)."""
    n, tau = len(short), float(stats.kendalltau(short, full).statistic)
    most = 1 - 2 / (n * (n - 1))
    z, reach = (
        math.atanh(max(-most, min(most, tau))),
        float(stats.norm.ppf(0.5 + LEVEL / 2)) * math.sqrt(0.437 / (n - 4)),
    )
    return tau, (min(tau, math.tanh(z - reach)), max(tau, math.tanh(z + reach)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Of estimates of Kendall's tau: mean error, standard deviation, share of intervals that have the true one."""

    bias: float
    sd: float
    covered: float

    @classmethod
    def of(cls, found: Sequence[tuple[float, Interval]], true: float) -> "Accuracy":
        errors = np.array([tau - true for tau, _ in found])
        covered = sum(low <= true <= high for _, (low, high) in found) / len(found)
        return cls(bias=float(errors.mean()), sd=float(errors.std()), covered=covered)


def of_ranks(draw: Draw, jobs: int, *, seed: int = 0) -> tuple[float, Accuracy, Accuracy]:
    """(true tau, before, today)."""
    rng = np.random.default_rng([seed, 7])
    true = float(stats.kendalltau(*draw(15_000, rng)).statistic)
    before, today = list[tuple[float, Interval]](), list[tuple[float, Interval]]()
    for _ in range(jobs):
        short, full = draw(30, rng)
        six = chosen(short)
        before.append(earlier_agreement(short[six], full[six]))
        found = agreement(short[six].tolist(), full[six].tolist(), short.tolist())
        if found.tau is not None and found.interval is not None:
            today.append((found.tau, found.interval))
    return true, Accuracy.of(before, true), Accuracy.of(today, true)


def draws(table: Path | None) -> dict[str, Draw]:
    found = {f"normal, correlation {rho}": normal(rho) for rho in (0.0, 0.5, 0.77, 0.9)}
    found |= {f"even final scores, correlation {rho}": normal(rho, even=True) for rho in (0.5, 0.77)}
    if table is not None:
        found |= {"NAS-Bench-201, all": of_table(table, 0.0), "NAS-Bench-201, above 90 %": of_table(table, 90.0)}
    return found


def row(name: str, *cells: Any) -> str:
    return f"{name:62}" + "".join(f"{cell:>16}" for cell in cells)


def _scores(options: argparse.Namespace) -> None:
    print(row("scores: before -> today", '"gain"', "missed"))
    for world in (*WORLDS, *answer_worlds.WORLDS):
        old, new = of_scores(world, options.jobs, seed=options.seed)
        name = f"{world.score}, {world.classes} classes, {world.samples} samples"
        print(row(name, f"{old.gains:.3f} -> {new.gains:.3f}", f"{old.missed:.3f} -> {new.missed:.3f}"), flush=True)


def _noise(options: argparse.Namespace) -> None:
    print(row("noise: before -> today", "missed", "width, points"))
    for name, deviations in NOISES.items():
        for counts in COUNTS:
            old, new = of_noise(deviations, counts, options.jobs, seed=options.seed)
            widths = f"{100 * old.width:.2f} -> {100 * new.width:.2f}"
            print(row(f"{name}, trainings {counts}", f"{old.missed:.3f} -> {new.missed:.3f}", widths), flush=True)


def _ranks(options: argparse.Namespace) -> None:
    print(row("ranks: before -> today", "true tau", "bias", "sd", "covered"))
    for name, draw in draws(options.table).items():
        true, was, now = of_ranks(draw, options.jobs, seed=options.seed)
        cells = [f"{a:.2f} -> {b:.2f}" for a, b in ((was.bias, now.bias), (was.sd, now.sd))]
        print(row(name, f"{true:.2f}", *cells, f"{was.covered:.3f} -> {now.covered:.3f}"), flush=True)


def _jobs(_: argparse.Namespace) -> None:
    print(row("jobs", '"no gain"', '"gain"', "best found"))
    for name, world in random_trials.WORLDS.items():
        found = random_trials.of_jobs(world)
        print(row(name, found.none, found.gains, found.planted), flush=True)


def _draws(options: argparse.Namespace) -> None:
    print(row("draws", "bias", "covered", "above the end"))
    for made, wanted in random_trials.DRAWS:
        seen = random_trials.of_draws(made, wanted, options.jobs, seed=options.seed)
        cells = [f"{seen.bias:+.2f}", f"{seen.covered:.3f}", f"{seen.above:.3f}"]
        print(row(f"{made} random trials, {wanted} draws (bias in standard deviations)", *cells), flush=True)


TABLES = {"scores": _scores, "noise": _noise, "ranks": _ranks, "jobs": _jobs, "draws": _draws}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only:
        TABLES[name](options)


if __name__ == "__main__":
    main()
