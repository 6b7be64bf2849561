"""Toy spaces with a known optimum, and evaluators for them: a training takes microseconds instead of seconds.

A toy is walked like a real space and builds real architectures, so everything but the training is what a job does.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from archsmith.errors import TrialFailure
from search.proposing.constraints import Constraint
from search.proposing.controller import Proposal
from search.proposing.walks import every_walk
from space.architecture import Architecture, GraphBuilder
from space.decision import Choices, Choose, Decision, Option
from space.size import SizeEstimate, every

INPUT_SHAPE = (1, 8, 8)
CLASSES = 4

Ask = Callable[[str, tuple[Option, ...], bool], Option]


class Toy:
    """A small space. grow: asks its decisions and returns the layers. reward: an architecture's true value."""

    def __init__(
        self, name: str, grow: Callable[[Ask], list[tuple[str, dict[str, object]]]], reward: Callable[[Choices], float]
    ) -> None:
        self.name = name
        self._grow = grow
        self.reward = reward

    def sample(self, choose: Choose) -> Architecture:
        def ask(name: str, options: tuple[Option, ...], ordered: bool) -> Option:
            return choose(Decision(name=name, options=options, ordered=ordered))

        g = GraphBuilder(INPUT_SHAPE, CLASSES)
        x = g.input
        for index, (op, attrs) in enumerate(self._grow(ask)):
            x = g.add(f"layers.{index}", op, attrs, x)
        x = g.add("head.pool", "global_avg_pool", {}, x)
        x = g.add("head.flatten", "flatten", {}, x)
        return g.finish(g.add("head.linear", "linear", {"out": CLASSES}, x))

    def choices(self) -> Iterator[Choices]:
        """The answers of every walk, also of those where no shape fits; nothing is built."""

        def run(choose: Choose) -> Choices:
            met: Choices = {}

            def ask(name: str, options: tuple[Option, ...], ordered: bool) -> Option:
                met[name] = choose(Decision(name=name, options=options, ordered=ordered))
                return met[name]

            self._grow(ask)
            return met

        return every(run)

    def baseline(self) -> Choices:
        return {}  # first options

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return ()  # a toy has none of its own

    def size(self, limit: int) -> SizeEstimate:
        count = sum(1 for _ in itertools.islice(self.choices(), limit + 1))
        known = count <= limit
        return SizeEstimate(exact=known, log10=math.log10(count), count=count if known else None)

    @cached_property
    def table(self) -> dict[str, float]:
        """True value by hash of every architecture."""
        return {a.hash: self.reward(walk.choices) for walk, a in every_walk(self) if a is not None}

    @cached_property
    def optimum(self) -> float:
        return max(self.table.values())


def line(count: int) -> Toy:
    """One ordered decision: a convolution of width 1 to `count`; the second widest is best, where there are two."""

    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        width = ask("width", tuple(range(1, count + 1)), True)
        return [("conv2d", {"out": width, "kernel": 1})]

    return Toy("line", grow, lambda choices: 1.0 - abs(float(choices.get("width", 1)) - (count - 1)) / count)


def fork() -> Toy:
    """18 points, conditional: a convolution has the decisions kernel and width, a pooling only its kind.

    With kernel 1 fewer activations are offered, so that masking matters.
    """

    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        if ask("op", ("conv", "pool"), False) == "pool":
            return [(str(ask("kind", ("maxpool", "avgpool"), False)), {"kernel": 2, "stride": 2})]
        kernel = ask("kernel", (1, 3, 5), True)
        width = ask("width", (4, 8), True)
        kinds: tuple[Option, ...] = ("relu", "silu") if kernel == 1 else ("relu", "gelu", "silu")
        kind = ask("activation", kinds, False)
        return [("conv2d", {"out": width, "kernel": kernel}), ("activation", {"kind": kind})]

    def reward(choices: Choices) -> float:
        if choices["op"] == "pool":
            return 0.3 if choices["kind"] == "maxpool" else 0.2
        bonus = {"relu": 0.0, "gelu": 0.15, "silu": 0.1}[str(choices["activation"])]
        return 0.1 * float(choices["kernel"]) + 0.02 * float(choices["width"]) + bonus

    return Toy("fork", grow, reward)


def cliff() -> Toy:
    """Halves an 8×8 map up to six times, of which three are possible: ImpossibleShape beyond. 6 points."""

    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        kind = str(ask("kind", ("maxpool", "avgpool"), False))
        halvings = int(ask("halvings", (1, 2, 3, 4, 5, 6), True))
        halving: dict[str, object] = {"kernel": 2, "stride": 2}
        return [(kind, halving)] * halvings

    return Toy("cliff", grow, lambda choices: 0.1 * float(choices["halvings"]))


KERNELS = (1, 3, 5)
WIDTHS = (4, 8, 12, 16)
KINDS = ("relu", "silu", "gelu")


def chain(layers: int = 3) -> Toy:
    """Depth 1 to `layers`, per layer kernel, width and activation: 36 + 36² + 36³ = 47,988 points for three.

    The value is the mean of its layers' rewards (largest for kernel 3, width 12 and gelu in the first, for 5, 12 and
    gelu in the others), plus a bonus for depth, less where two layers in a row have the same activation: so the best
    network is not made of the best layers.
    """

    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        nodes: list[tuple[str, dict[str, object]]] = []
        for i in range(int(ask("depth", tuple(range(1, layers + 1)), True))):
            kernel = ask(f"layers.{i}.kernel", KERNELS, True)
            width = ask(f"layers.{i}.width", WIDTHS, True)
            kind = ask(f"layers.{i}.activation", KINDS, False)
            nodes += [("conv2d", {"out": width, "kernel": kernel}), ("activation", {"kind": kind})]
        return nodes

    def reward(choices: Choices) -> float:
        depth = int(choices["depth"])
        total, previous = 0.0, ""
        for i in range(depth):
            kind = str(choices[f"layers.{i}.activation"])
            kernel, width = choices[f"layers.{i}.kernel"], choices[f"layers.{i}.width"]
            best = 3 if i == 0 else 5
            layer = 0.12 * (kernel == best) + 0.10 * (1 - abs(int(width) - 12) / 8) + 0.04 * KINDS.index(kind)
            total += layer / depth - 0.05 * (kind == previous)
            previous = kind
        return 0.4 + total + 0.06 * depth

    return Toy("chain", grow, reward)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The result of an evaluator: the raw score, which may be NaN, and simulated seconds of all epochs.

    curve: the score after each epoch, the last one being `score`; empty, there is one epoch.
    """

    score: float
    seconds: float
    curve: tuple[float, ...] = ()


class Evaluator(Protocol):
    def __call__(self, proposal: Proposal) -> Result:
        """Train, or pretend to. Raises TrialFailure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Faulty:
    """Evaluates a toy with noise and faults, all of them functions of (seed, trial number).

    noise: standard deviation of the score. failing, nan: share of trials that crash or give NaN. The simulated time is
    log-normal around one second, so that with several workers outcomes arrive out of order.
    """

    toy: Toy
    seed: int = 0
    noise: float = 0.0
    failing: float = 0.0
    nan: float = 0.0

    def __call__(self, proposal: Proposal) -> Result:
        rng = np.random.default_rng([self.seed, proposal.number])
        seconds, fault, error = rng.lognormal(0.0, 0.5), rng.random(), rng.normal()
        if fault < self.failing:
            raise TrialFailure("the toy crashed on purpose", cause="crashed")
        if fault < self.failing + self.nan:
            return Result(score=math.nan, seconds=float(seconds))
        score = self.toy.reward(proposal.choices) + self.noise * error
        return Result(score=float(score), seconds=float(seconds))


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """Evaluates a toy epoch by epoch, like a training: scores rise from 0 towards the true value, each at its own rate.

        score(e) = value * (1 - exp(-rate * e)) + noise        rate log-normal around 8 / epochs

    The rate is a function of the architecture's hash, so that early scores order trials similarly to the final ones but
    not equally: on `chain(3)` and 27 epochs Spearman's correlation of epochs 1, 3, 9 with the last is 0.5,
    0.7, 0.9. An epoch takes about a second, log-normal from trial to trial.
    """

    toy: Toy
    epochs: int = 27
    seed: int = 0
    noise: float = 0.0
    spread: float = 0.15

    def __call__(self, proposal: Proposal) -> Result:
        own = np.random.default_rng([self.seed, int(proposal.architecture.hash[:12], 16)])
        rate = own.lognormal(0.0, self.spread) * 8.0 / self.epochs
        rng = np.random.default_rng([self.seed, proposal.number])
        seconds = rng.lognormal(0.0, 0.5)
        progress = 1.0 - np.exp(-rate * np.arange(1, self.epochs + 1))
        curve = self.toy.reward(proposal.choices) * progress + self.noise * rng.normal(size=self.epochs)
        return Result(score=float(curve[-1]), seconds=float(seconds) * self.epochs, curve=tuple(map(float, curve)))


@dataclass(frozen=True, kw_only=True, slots=True)
class AtMost:
    """A constraint that needs no parser: an upper bound on one measure."""

    measure: str
    limit: float

    @property
    def text(self) -> str:
        return f"{self.measure} <= {self.limit:g}"

    def holds(self, measures: Mapping[str, float]) -> bool:
        return self.violation(measures) == 0

    def violation(self, measures: Mapping[str, float]) -> float:
        return max(0.0, measures[self.measure] - self.limit) / max(abs(self.limit), 1.0)
