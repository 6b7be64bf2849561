"""Reference methods as plain loops over the decisions: what is published for such tables, and Optuna with its defaults.

Each is a generator: it yields the choices of an architecture and is sent its score. They see a list of decisions with
options and nothing else, so they can be replayed where every walk asks the same. An architecture that was asked before
(one canonical hash) is answered again with the same score, and costs neither a query nor seconds: the published rules
repeat themselves, and with repeats paid for they would come out worse.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

import numpy as np
import numpy.typing as npt
import optuna

from benchmarks.search.simulate import REWARDS, Limits, Run, finish
from benchmarks.search.spaces import Task
from space.decision import Choices, Decision

Loop = Generator[Choices, float, None]
Digits = npt.NDArray[np.int64]

REPEATS = 2_000
"""Repeats in a row after which a loop is over: it has settled on what it knows."""


def replay(loop: Callable[[Sequence[Decision], int], Loop], task: Task, limits: Limits, seed: int) -> Run:
    """One search of a reference; one worker."""
    run, known, repeats = Run(), dict[str, float](), 0
    steps = loop(task.decisions, seed)
    choices = next(steps)
    began = time.perf_counter()
    while len(run.codes) < limits.queries and repeats < REPEATS:
        code, hash_ = task.key(choices), task.architecture(choices).hash
        if hash_ in known:
            repeats += 1
        else:
            if run.spent + task.trials.seconds[code] > limits.seconds:
                break
            repeats = 0
            run.spent += task.trials.seconds[code]
            value = task.trials.score(code, np.random.default_rng([seed, REWARDS, len(run.codes)]))
            known[hash_] = value / 100 if task.percent else value
            run.end(code, hash_, known[hash_], run.spent)
            run.ask_ms.append(1000 * (time.perf_counter() - began))
            began = time.perf_counter()
        choices = steps.send(known[hash_])
    finish(run, task, limits, seed)
    return run


def _choices(decisions: Sequence[Decision], digits: Sequence[int] | Digits) -> Choices:
    return {decision.name: decision.options[int(digit)] for decision, digit in zip(decisions, digits, strict=True)}


def _sizes(decisions: Sequence[Decision]) -> list[int]:
    return [len(decision.options) for decision in decisions]


def random(decisions: Sequence[Decision], seed: int) -> Loop:
    """Uniform draws."""
    rng = np.random.default_rng(seed)
    while True:
        yield _choices(decisions, rng.integers(_sizes(decisions)))


def evolution(decisions: Sequence[Decision], seed: int, *, population: int, sample: int) -> Loop:
    """Regularized evolution: the best of a sample has a child with one answer changed, the eldest goes (Real 2019)."""
    rng, sizes = np.random.default_rng(seed), np.array(_sizes(decisions))
    alive: deque[tuple[float, Digits]] = deque(maxlen=population)
    while True:
        if len(alive) < population:
            digits = rng.integers(sizes)
        else:
            picked = rng.choice(population, size=sample, replace=False)
            digits = max((alive[int(place)] for place in picked), key=lambda member: member[0])[1].copy()
            place = int(rng.integers(len(sizes)))
            digits[place] = (digits[place] + rng.integers(1, sizes[place])) % sizes[place]
        value = yield _choices(decisions, digits)
        alive.append((value, digits))


def local_search(decisions: Sequence[Decision], seed: int, *, starts: int) -> Loop:
    """From the best of some random starts to the first better neighbour, until there is none; again (White 2021)."""
    rng, sizes = np.random.default_rng(seed), _sizes(decisions)
    while True:
        best, here = -np.inf, np.zeros(len(sizes), dtype=np.int64)
        for _ in range(starts):
            digits = rng.integers(sizes)
            value = yield _choices(decisions, digits)
            if value > best:
                best, here = value, digits
        climbing = True
        while climbing:
            climbing = False
            around = [(i, digit) for i, size in enumerate(sizes) for digit in range(size) if digit != here[i]]
            for number in rng.permutation(len(around)):
                place, digit = around[int(number)]
                near = here.copy()
                near[place] = digit
                value = yield _choices(decisions, near)
                if value > best:
                    best, here, climbing = value, near, True
                    break


def reinforce(decisions: Sequence[Decision], seed: int) -> Loop:
    """As in NATS-Bench (Dong 2021): Adam with a step of 0.01 on the logits, baseline an average with decay 0.9."""
    rng, sizes = np.random.default_rng(seed), _sizes(decisions)
    logits = [1e-3 * rng.normal(size=size) for size in sizes]
    mean, square = [np.zeros(size) for size in sizes], [np.zeros(size) for size in sizes]
    above = below = 0.0
    for step in range(1, 10**9):
        chances = [np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in logits]
        digits = [int(rng.choice(size, p=chance)) for size, chance in zip(sizes, chances, strict=True)]
        value = yield _choices(decisions, digits)
        above, below = 0.9 * above + 0.1 * value, 0.9 * below + 0.1
        for i, digit in enumerate(digits):
            slope = (value - above / below) * (chances[i] - np.eye(sizes[i])[digit])
            mean[i] = 0.9 * mean[i] + 0.1 * slope
            square[i] = 0.999 * square[i] + 0.001 * slope**2
            scale = np.sqrt(square[i] / (1 - 0.999**step)) + 1e-8
            logits[i] -= 0.01 * mean[i] / (1 - 0.9**step) / scale


def _optuna(decisions: Sequence[Decision], sampler: optuna.samplers.BaseSampler) -> Loop:
    """All decisions as categories."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    while True:
        trial = study.ask()
        value = yield _choices(decisions, [trial.suggest_categorical(d.name, range(len(d.options))) for d in decisions])
        study.tell(trial, value)


def optuna_tpe(decisions: Sequence[Decision], seed: int) -> Loop:
    """TPESampler with its defaults."""
    return _optuna(decisions, optuna.samplers.TPESampler(seed=seed))


def optuna_gp(decisions: Sequence[Decision], seed: int) -> Loop:
    """GPSampler with its defaults."""
    return _optuna(decisions, optuna.samplers.GPSampler(seed=seed))


REFERENCES: dict[str, Callable[[Sequence[Decision], int], Loop]] = {
    "ref-random": random,
    "ref-evolution-10/3": lambda decisions, seed: evolution(decisions, seed, population=10, sample=3),
    "ref-evolution-20/5": lambda decisions, seed: evolution(decisions, seed, population=20, sample=5),
    "ref-local-search-1": lambda decisions, seed: local_search(decisions, seed, starts=1),
    "ref-local-search-10": lambda decisions, seed: local_search(decisions, seed, starts=10),
    "ref-reinforce": reinforce,
    "ref-optuna-tpe": optuna_tpe,
    "ref-optuna-gp": optuna_gp,
}

MOST_SEEDS = {"ref-optuna-tpe": 20, "ref-optuna-gp": 5}
"""The slow ones: a search of 150 queries takes 3 to 8 s and 30 to 90 s. Said in the table."""
