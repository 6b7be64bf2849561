"""The spaces of the bench: how each is walked, and which code in its table a walk has."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.search.described import Described
from benchmarks.search.macro import DECISIONS, OPERATIONS, Macro
from benchmarks.search.remembered import Remembered, listed
from benchmarks.search.tables import Judge, Scores, Source, judged, rows, searchable, zero_cost
from search.proposing.walks import SearchSpace, Walk
from search.surrogate.controller import Look
from search.testing.toys import Ask, Toy, chain, fork
from space import presets
from space.architecture import Architecture
from space.decision import Choices, Decision
from space.space import Space, replay

WORDS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""In the order of the published digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """All that a search is given: a space and the scores of trials, none of a test column.

    trials: what the controller's trials score. full: what a long training of a finalist scores. percent: whether scores
    are percentages, which controllers are told as fractions. decisions: of every walk; () where walks differ.
    proxy: a guess that needs no training, larger is better. look: what surrogates see, looked up.
    """

    space: SearchSpace
    key: Callable[[Choices], str]
    trials: Scores
    full: Scores | None
    percent: bool
    decisions: tuple[Decision, ...]
    proxy: Callable[[Choices], float] | None = None
    look: Look | None = None

    def architecture(self, choices: Choices) -> Architecture:
        return self.space.sample(replay(choices))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A space of the bench. task: for the searches; judge: for the report, when they are over.

    choices: of a code, the inverse of the task's key.
    """

    task: Callable[[], Task]
    judge: Callable[[], Judge]
    choices: Callable[[str], Choices]


def bench(options: argparse.Namespace) -> Bench:
    """The space that the command line names."""
    if options.space == "nasbench201":
        return _cells(options)
    if options.space == "nasbench-macro":
        return _macro(options)
    return _toy(TOYS[options.space](), options)


def _tabular(
    identity: tuple[SearchSpace, str, str],
    names: Sequence[str],
    words: Sequence[str],
    source: Source,
    options: argparse.Namespace,
) -> Bench:
    """identity: what `listed` wants to know of the space.

    names: of the decisions in the order of the code's digits. words: the options in the order of their numbers.
    """
    epochs = 12 if options.protocol in ("P3", "P4") else 200

    def key(choices: Choices) -> str:
        return "".join([str(words.index(str(choices[name]))) for name in names])

    def task() -> Task:
        of = listed(*identity)
        guesses: dict[str, float] = {}
        if options.zero_cost:
            numbers = {row["index"]: row[source.key] for row in rows(source.file)}
            guesses = zero_cost(options.zero_cost, options.zero_cost_prefix, numbers)
        return Task(
            space=of,
            key=key,
            trials=searchable(source, epochs=epochs, noisy=options.protocol == "P2", noise=options.noise_sd),
            full=searchable(source, noisy=True, noise=options.noise_sd) if epochs == 12 else None,
            percent=True,
            decisions=of.decisions,
            proxy=(lambda choices: guesses[key(choices)]) if guesses else None,
            look=Described(of, *identity[1:]),
        )

    def choices(code: str) -> Choices:
        return {name: words[int(digit)] for name, digit in zip(names, code, strict=True)}

    return Bench(task=task, judge=lambda: judged(source, epochs=epochs), choices=choices)


def _cells(options: argparse.Namespace) -> Bench:
    """NAS-Bench-201 as the preset writes it. A decision is called cell.edge0_1; the table sorts by the edges' ends."""
    document = presets.load("nasbench201")
    space = Space.parse(document, input_shape=(3, 32, 32), classes=10)
    edges = sorted(space.baseline(), key=lambda name: tuple(map(int, re.findall(r"\d+", name)))[::-1])
    prefix = options.column_prefix
    source = Source(
        file=_file(options),
        key="op_code",
        value=f"{prefix}_val",
        runs=tuple(f"{prefix}_val_t{i}" for i in range(3)),
        short=f"{prefix}_val_12ep",
        test=f"{prefix}_test",
        seconds="c10_train_s_per_epoch",
        cost_scale=options.cost_scale,
    )
    return _tabular((space, "nasbench201", repr(document)), edges, WORDS, source, options)


def _macro(options: argparse.Namespace) -> Bench:
    """Its table has test accuracies only: they are what is searched, as is usual on it, and the judge."""
    names = [decision.name for decision in DECISIONS]
    source = Source(
        file=_file(options),
        key="arch",
        value="test_mean",
        runs=tuple(f"test_t{i}" for i in range(3)),
        cost_scale=options.cost_scale,
    )
    return _tabular((Macro(), "nasbench-macro", "1"), names, OPERATIONS, source, options)


def _file(options: argparse.Namespace) -> Path:
    if options.table is None:
        raise SystemExit(f"--space {options.space} needs --table FILE")
    file: Path = options.table
    return file


def flat() -> Toy:
    """729 points of one value: nothing to learn, and nothing to be misled by."""
    return Toy("flat", _three_digits_each, lambda _: 0.5)


def trap() -> Toy:
    """729 points that deceive: each answer alone says "smaller is better", and the best of all has the largest."""

    def reward(choices: Choices) -> float:
        digits = [int(choices[f"layers.{i}.width"]) - 1 for i in range(6)]
        return 1.0 if sum(digits) == 12 else 0.8 * (1 - sum(digits) / 12)

    return Toy("trap", _three_digits_each, reward)


def _three_digits_each(ask: Ask) -> list[tuple[str, dict[str, object]]]:
    widths = [ask(f"layers.{i}.width", (1, 2, 3), True) for i in range(6)]
    return [("conv2d", {"out": width, "kernel": 1}) for width in widths]


TOYS: dict[str, Callable[[], Toy]] = {
    "chain": chain,
    "chain2": lambda: chain(2),
    "fork": fork,
    "flat": flat,
    "trap": trap,
}

SPACES = ("nasbench201", "nasbench-macro", *TOYS)


def _toy(toy: Toy, options: argparse.Namespace) -> Bench:
    """Its scores are the true rewards, in P2 with noise; one second each. The walk's answers are the code."""
    if options.protocol not in ("P1", "P2"):
        raise SystemExit(f"{options.protocol} needs scores of two lengths of training, which a toy has not")
    space = Remembered(toy)
    walks = {toy_key(choices): choices for choices in toy.choices()}
    values = {code: toy.reward(choices) for code, choices in walks.items()}
    asked = {tuple(choices) for choices in walks.values()}

    def task() -> Task:
        met = Walk(picker=lambda decision: (decision.options[0], 1.0))
        if len(asked) == 1:
            space.sample(met.choose)
        scores = Scores(
            runs={code: (value,) for code, value in values.items()},
            seconds=dict.fromkeys(values, options.cost_scale),
            epochs=1,
            noise=options.noise_sd / 100 if options.protocol == "P2" else 0.0,
        )
        return Task(space=space, key=toy_key, trials=scores, full=None, percent=False, decisions=tuple(met.decisions))

    return Bench(task=task, judge=lambda: Judge(searched=values, test=values), choices=walks.__getitem__)


def toy_key(choices: Choices) -> str:
    """All answers of the walk."""
    return " ".join(f"{name}={option}" for name, option in choices.items())
