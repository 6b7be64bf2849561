"""How large a space is: decision paths counted exactly where that is cheap, else estimated from random probes."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from space.decision import Choices, Choose, Decision, Option
from space.decision_recorder import DecisionRecorder
from space.walk import Cursor, Program

T = TypeVar("T")

MIN_PROBES = 30
PROBED = 10_000
"""Decisions in all probes together (more if `MIN_PROBES` need more): some tenths of a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeEstimate:
    """The number of decision paths (different answers); there are at most as many architectures.

    exact: whether `count` is known. log10: of the number. log10_error: standard error of an estimated log10, else 0.
    An estimate is more often too low than too high, and by more than its error where a few long paths make up most of
    the count: for `branching`, which has 17.7, the estimate is 15.1 ± 0.2.
    """

    exact: bool
    log10: float
    count: int | None
    log10_error: float = 0.0


def every(run: Callable[[Choose], T]) -> Iterator[T]:
    """Call `run` once for each way to answer what it asks, the first options first (depth first, like an odometer)."""
    script: list[int] = []  # indices of the options to choose; beyond its end the first option is chosen
    while True:
        trail: list[tuple[int, int]] = []  # for each decision met: index of the option, number of options

        def choose(decision: Decision, script: list[int] = script, trail: list[tuple[int, int]] = trail) -> Option:
            index = script[len(trail)] if len(trail) < len(script) else 0
            trail.append((index, len(decision.options)))
            return decision.options[index]

        yield run(choose)
        # the last decision that has a next option takes it; those after it start anew
        while trail and trail[-1][0] + 1 == trail[-1][1]:
            trail.pop()
        if not trail:
            return
        script = [index for index, _ in trail]
        script[-1] += 1


def every_walk(program: Program) -> Iterator[Choices]:
    """The choices of every decision path."""
    return every(lambda choose: program.walk(choose).choices)


def measure(program: Program, limit: int) -> SizeEstimate:
    """The size of the space, exact if at most `limit` short steps have to be tried."""
    count = _count(program, limit)
    if count is None:
        return _probe(program)
    return SizeEstimate(exact=True, log10=math.log10(count), count=count)


@dataclass(slots=True)
class _Counter(DecisionRecorder):
    """Multiplies by the number of options of an idle decision instead of trying them one by one."""

    ways: int = 1

    def ask(self, name: str, options: tuple[Option, ...], *, ordered: bool, idle: bool = False) -> Option:
        if idle:
            self.ways *= len(options)
            options = options[:1]
        return DecisionRecorder.ask(self, name, options, ordered=ordered)


def _count(program: Program, limit: int) -> int | None:
    """The number of paths, by dynamic programming over cursors: paths that meet at one cursor have the same future.

    None if more than `limit` steps would have to be tried.
    """
    ways: dict[Cursor, int] = {program.start: 1}  # how many ways lead to each open cursor
    total = tried = 0
    while ways:
        cursor = min(ways)  # every step moves on, so no open cursor can still lead to the first one
        arrived = ways.pop(cursor)
        for after, alike in every(partial(_step, program, cursor)):
            tried += 1
            if tried > limit:
                return None
            if program.ended(after):
                total += arrived * alike
            else:
                ways[after] = ways.get(after, 0) + arrived * alike
    return total


def _step(program: Program, cursor: Cursor, choose: Choose) -> tuple[Cursor, int]:
    """Where one step leads, and in how many ways that differ in idle decisions only."""
    counter = _Counter(choose)
    return program.step(cursor, counter), counter.ways


def _probe(program: Program) -> SizeEstimate:
    """An estimate from random paths (Knuth 1975, Estimating the Efficiency of Backtrack Programs).

    The product of the numbers of options on a random path has the number of paths as its expected value. Products may
    exceed a float, so they are averaged relative to the largest.
    """
    logs: list[float] = []
    asked = 0
    while len(logs) < MIN_PROBES or asked < PROBED:
        log, decisions = _probe_once(program, random.Random(f"size {len(logs)}"))
        logs.append(log)
        asked += decisions
    top = max(logs)
    shares = [math.exp(log - top) for log in logs]
    mean = sum(shares) / len(shares)
    deviation = math.sqrt(sum((share - mean) ** 2 for share in shares) / (len(shares) - 1))
    error = deviation / math.sqrt(len(shares)) / mean
    return SizeEstimate(
        exact=False, log10=(top + math.log(mean)) / math.log(10), count=None, log10_error=error / math.log(10)
    )


def _probe_once(program: Program, draw: random.Random) -> tuple[float, int]:
    """The natural logarithm of the product on one random path, and how many decisions were asked."""
    log = 0.0

    def choose(decision: Decision) -> Option:
        nonlocal log
        log += math.log(len(decision.options))
        return draw.choice(decision.options)

    decisions = len(program.walk(choose).choices)
    return log, decisions
