"""Many searches: which ones, in several processes."""

import argparse
import functools
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from archsmith.errors import InvalidInput
from benchmarks.search.costs import Learned
from benchmarks.search.references import MOST_SEEDS, REFERENCES, replay
from benchmarks.search.remembered import Anywhere
from benchmarks.search.simulate import Limits, Run, simulate
from benchmarks.search.spaces import Task, bench
from search.factory import check_options, make_controller
from search.spec import ControllerSpec
from search.surrogate.controller import SurrogateController

WORKERS = (1, 4, 16, 64)
"""Of protocol P4."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The searches of one controller or reference.

    label: as it was written. baseline: whether trial 0 is the space's.
    """

    label: str
    spec: ControllerSpec | None
    limits: Limits
    seeds: tuple[int, ...]
    baseline: bool = True

    @property
    def workers(self) -> int:
        return self.limits.workers


def plans(options: argparse.Namespace) -> list[Plan]:
    """The quick references first, then the controllers, then the slow references."""
    seeds = tuple(range(options.first_seed, options.first_seed + options.seeds))
    timed = options.protocol in ("P3", "P4")
    seconds = options.budget_seconds if timed else float("inf")
    wanted = {"all": list(REFERENCES), "none": []}.get(options.references, options.references.split(","))
    if unknown := set(wanted) - set(REFERENCES):
        raise SystemExit(f"no references {', '.join(sorted(unknown))}; there are {', '.join(REFERENCES)}")
    found = []
    for label in sorted(wanted, key=lambda name: name in MOST_SEEDS):
        limits = Limits(queries=options.queries, seconds=seconds)
        found.append(Plan(label=label, spec=None, limits=limits, seeds=seeds[: MOST_SEEDS.get(label, len(seeds))]))
    quick = sum(plan.label not in MOST_SEEDS for plan in found)
    for text in reversed([text for text in options.controllers.split(",") if text]):
        spec, finalists, power = _controller(text, options.finalists if timed else 0)
        for workers in reversed(WORKERS if options.protocol == "P4" else (options.workers,)):
            limits = Limits(queries=options.queries, seconds=seconds, workers=workers, finalists=finalists, power=power)
            found.insert(
                quick, Plan(label=text, spec=spec, limits=limits, seeds=seeds, baseline=not options.no_baseline)
            )
    return found


def _controller(text: str, finalists: int) -> tuple[ControllerSpec, int, float | str | None]:
    """From NAME:OPTION=VALUE:…; the number of finalists and the power of costs are the bench's own."""
    name, *rest = text.split(":")
    given: dict[str, Any] = {}
    for part in rest:
        option, _, value = part.partition("=")
        try:
            given[option] = json.loads(value)
        except json.JSONDecodeError:
            given[option] = value
    finalists, power = int(given.pop("finalists", finalists)), given.pop("power", None)
    spec = ControllerSpec(name=name, options=given)
    try:
        check_options(spec)
    except InvalidInput as error:
        raise SystemExit("; ".join(fault.detail for fault in error.faults)) from None
    return spec, finalists, power


def run_all(options: argparse.Namespace, wanted: list[Plan]) -> Iterator[tuple[Plan, list[Run]]]:
    """The searches of each plan, when they are over."""
    task = bench(options).task()  # what takes long is kept in files, so that the processes find it there
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context, initializer=_begin, initargs=(options,)) as pool:
        for plan in wanted:
            if plan.spec is None and not task.decisions:
                continue  # references know only walks that all ask the same
            yield plan, list(pool.map(functools.partial(_one, plan), plan.seeds))


_TASK: list[Task] = []


def _begin(options: argparse.Namespace) -> None:
    """A process of the pool reads what a search may see, and no more."""
    _TASK.append(bench(options).task())


def _one(plan: Plan, seed: int) -> Run:
    (task,) = _TASK
    if plan.spec is None:
        return replay(REFERENCES[plan.label], task, plan.limits, seed)
    space = task.space if plan.baseline else Anywhere(task.space, seed)
    controller = make_controller(plan.spec, space=space, seed=seed)
    if isinstance(controller, SurrogateController):
        controller.look = task.look or controller.look
        if (guess := task.proxy) is not None:
            controller.proxy = lambda choices, _architecture, _measures: guess(choices)
    learned = None
    if plan.limits.power is not None and isinstance(controller, SurrogateController):
        power = None if plan.limits.power == "cool" else float(plan.limits.power)
        learned = Learned(budget_s=plan.limits.seconds, power=power)
        controller.costs = learned.now
    return simulate(controller, task, plan.limits, seed, learned)
