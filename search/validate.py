"""Whether a job can be done at all: the checks that need its space, its data set or the cluster.

All faults of a job are gathered before any is raised, so that a person corrects a document once. Only the last check,
whether any architecture keeps all constraints, waits for the others: it samples the space.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsmith.errors import Fault, InvalidExpression, InvalidInput, InvalidSpace
from search.compress import check_compress, data_faults
from search.earlier_jobs.donors import transfer_faults
from search.earlier_jobs.prior import Earlier, prior_faults
from search.factory import CONTROLLERS, check_options
from search.objective import faults as objective_faults
from search.proposing import enqueue
from search.proposing.constraints import tightest
from search.proposing.repair import repair
from search.proposing.walks import Draw, attempt, attempt_of, every_walk, follow, uniform
from search.spec import JobSpec, Json
from search.streams import Stream, generator
from space.constraint import MEASURES, Constraint
from space.space import Space

LINK_CLASSES = 2
"""No link and link, whatever the classes of the graph's nodes."""

SAMPLES = 300
"""Uniform draws that a space is known by."""

STARTS = 3
"""The nearest draws, from each of which a repair begins where no draw is feasible."""

STEPS = 400
"""Of each repair, 0.4 to 1 s. A space where 1 walk in 65,536 is feasible was never refused in 100 seeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """What the whole cluster has: processors and accelerators."""

    cpus: float
    gpus: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DataShape:
    """What a space needs to know of a data set.

    input_shape: (C, H, W) of pictures, (C, D, H, W) of volumes, (F,) of the nodes of graphs.
    tasks: what may be asked about the data, the usual one first.
    """

    input_shape: tuple[int, ...]
    classes: int
    tasks: tuple[str, ...] = ("image",)


def check_job(
    spec: JobSpec,
    *,
    data: DataShape | None,
    datasets: Sequence[str],
    pool: Pool,
    find: Callable[[str], Earlier | None] = lambda _: None,
) -> None:
    """Raises InvalidInput with every fault found.

    data: shape of the data set that the job names, None when there is none of that name. datasets: the names there are.
    find: an earlier job by its id.
    """
    faults: list[Fault] = []
    if data is None:
        detail = f"there is no data set {spec.dataset[:80]!r}; there are {', '.join(datasets)}"
        faults.append(Fault(pointer="/dataset", rule="dataset_not_found", detail=detail, allowed=list(datasets)))
    faults += _controller_faults(spec)
    faults += _compress_faults(spec)
    faults += below("/objective", objective_faults(spec.objective, reproducible=spec.reproducible))
    faults += _order_faults(spec)
    faults += _pool_faults(spec, pool)
    faults += _budget_faults(spec) + _stop_faults(spec)
    constraints: list[Constraint] = []
    for index, text in enumerate(spec.objective.constraints):
        try:
            constraints.append(Constraint.parse(text))
        except InvalidExpression as error:
            faults += below(f"/objective/constraints/{index}", error.faults)
    space = None
    if data is not None:
        try:
            space = parse_space(spec.space, data)
        except InvalidSpace as error:
            faults += below("/space", error.faults)
    if space is not None:
        faults += transfer_faults(spec, space.data, find)
        if spec.compress is not None:
            faults += below("/compress", data_faults(spec.compress, space.data))
        faults += prior_faults(spec, space, find) + _enqueue_faults(spec, space, constraints)
    if faults or space is None:
        raise InvalidInput(faults)
    check_feasible(space, constraints, seed=spec.seed)


def parse_space(document: Json, data: DataShape) -> Space:
    """Raises InvalidSpace; the pointers are below the document."""
    classes = LINK_CLASSES if document.get("data") == "links" else data.classes
    return Space.parse(document, input_shape=data.input_shape, classes=classes, tasks=data.tasks)


def below(prefix: str, faults: Sequence[Fault]) -> list[Fault]:
    """The same faults with pointers that start at the body that holds the document."""
    return [replace(fault, pointer=prefix + fault.pointer) for fault in faults]


def _controller_faults(spec: JobSpec) -> list[Fault]:
    name = spec.controller.name
    if name not in CONTROLLERS:
        allowed = sorted(CONTROLLERS)
        detail = f"there is no controller {name[:60]!r}; there are {', '.join(allowed)}"
        return [Fault(pointer="/controller", rule="choice_unknown", detail=detail, allowed=allowed)]
    try:
        check_options(spec.controller)
    except InvalidInput as error:
        return below("/controller", error.faults)
    return []


def _compress_faults(spec: JobSpec) -> list[Fault]:
    try:
        if spec.compress is not None:
            check_compress(spec.compress)
    except InvalidInput as error:
        return below("/compress", error.faults)
    return []


def _order_faults(spec: JobSpec) -> list[Fault]:
    """What a reproducible job cannot have: whatever stops trials by what others have come to meanwhile."""
    found: list[Fault] = []
    if spec.reproducible and spec.trial.scheduler != "none":
        detail = (
            f"a reproducible job needs the scheduler 'none': {spec.trial.scheduler!r} stops trials by who comes first"
        )
        found.append(Fault(pointer="/trial/scheduler", rule="combination_unsupported", detail=detail, allowed=["none"]))
    if spec.reproducible and spec.trial.stop_hopeless:
        detail = "a reproducible job cannot stop hopeless trials: which are hopeless depends on who comes first"
        found.append(
            Fault(pointer="/trial/stop_hopeless", rule="combination_unsupported", detail=detail, allowed=[False])
        )
    return found


def _enqueue_faults(spec: JobSpec, space: Space, constraints: Sequence[Constraint]) -> list[Fault]:
    faults: list[Fault] = []
    for place, answers in enumerate(spec.enqueue):
        try:
            enqueue.check(space, constraints, answers)
        except InvalidInput as error:
            faults += below(f"/enqueue/{place}", error.faults)
    return faults


def _budget_faults(spec: JobSpec) -> list[Fault]:
    total = spec.budget.total_epochs
    if total is None or total >= spec.budget.epochs:
        return []
    detail = f"one trial takes {spec.budget.epochs} epochs, all trials together may take {total}"
    pointer, allowed = "/budget/total_epochs", {"minimum": spec.budget.epochs}
    return [Fault(pointer=pointer, rule="out_of_range", detail=detail, allowed=allowed)]


def _stop_faults(spec: JobSpec) -> list[Fault]:
    """A target is a score: there must be one among the values, as it is."""
    objective = spec.objective
    if spec.stop.target is None or ("score" in objective.maximize and objective.target is None):
        return []
    what = "the score with a soft target" if objective.target is not None else ", ".join(objective.minimize)
    detail = f"a target to stop at is a score, and the objective is {what}"
    return [Fault(pointer="/stop/target", rule="combination_unsupported", detail=detail, allowed=[None])]


def _pool_faults(spec: JobSpec, pool: Pool) -> list[Fault]:
    wanted = {"cpus": (spec.trial.cpus, pool.cpus), "gpus": (spec.trial.gpus, pool.gpus)}
    return [
        Fault(
            pointer=f"/trial/{kind}",
            rule="resource_unavailable",
            detail=f"a trial asks for {asked:g} {kind}, the whole cluster has {there:g}",
            allowed={"maximum": there},
        )
        for kind, (asked, there) in wanted.items()
        if asked > there
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Some walks of a space.

    attempts: those that fit; kept: how many of them keep all constraints. drawn: how many walks.
    all: whether no other walk exists.
    """

    attempts: tuple[Draw, ...]
    drawn: int
    all: bool

    @property
    def kept(self) -> int:
        return sum(not one.broken for one in self.attempts)


def sample(space: Space, constraints: Sequence[Constraint], *, limit: int = SAMPLES, seed: int = 0) -> Samples:
    """Every walk of a space that has at most `limit`, else `limit` uniform draws."""
    walks = list(itertools.islice(every_walk(space), limit + 1))
    if len(walks) <= limit:
        found = [attempt_of(walk, built, constraints) for walk, built in walks if built is not None]
        return Samples(attempts=tuple(found), drawn=len(walks), all=True)
    draws = [_draw(space, constraints, seed, number) for number in range(limit)]
    return Samples(attempts=tuple(one for one in draws if one is not None), drawn=limit, all=False)


def _draw(space: Space, constraints: Sequence[Constraint], seed: int, number: int) -> Draw | None:
    return attempt(space, constraints, uniform(generator(Stream.FEASIBLE, seed, number)))


def check_feasible(space: Space, constraints: Sequence[Constraint], *, seed: int = 0) -> None:
    """Raises InvalidInput (space_infeasible) when no architecture found keeps all constraints, the space's own too.

    Thin spaces are not refused: what controllers propose from, uniform draws and then repairs, is tried here as well.
    """
    laws = (*space.constraints, *constraints)
    # Nearly always the first draws settle it; only a hopeless space pays for all of them.
    for number in range(20):
        one = _draw(space, laws, seed, number)
        if one is not None and not one.broken:
            return
    samples = sample(space, laws, seed=seed)
    if samples.kept:
        return
    nearest = None if samples.all else repaired(space, laws, samples, seed=seed)
    if nearest is None or nearest.broken:
        raise InvalidInput(_infeasible(samples, nearest, space.constraints, constraints))


def repaired(space: Space, laws: Sequence[Constraint], samples: Samples, *, seed: int = 0) -> Draw | None:
    """The first feasible attempt of repairs from the best draws, or the nearest where there is none."""
    rng = generator(Stream.FEASIBLE_REPAIR, seed)
    starts = sorted(samples.attempts, key=lambda one: one.broken)[:STARTS]
    nearest = starts[0] if starts else None
    for start in starts:
        for one in repair(start, lambda choose: attempt(space, laws, follow(choose)), rng, steps=STEPS):
            if nearest is None or one.broken < nearest.broken:
                nearest = one
            if not one.broken:
                return one
    return nearest


def _infeasible(samples: Samples, nearest: Draw | None, own: Sequence[Constraint], job: Sequence[Constraint]) -> Fault:
    """The fault at the constraint that the nearest architecture found breaks worst."""
    repairs = "" if samples.all else f" and none of {STARTS * STEPS} repairs of the nearest"
    count = f"all {samples.drawn} architectures" if samples.all else f"{samples.drawn} sampled architectures{repairs}"
    nearest = nearest or min(samples.attempts, key=lambda one: one.broken, default=None)
    if nearest is None:
        return Fault(pointer="/space", rule="space_infeasible", detail=f"none of {count} fits the input shape")
    law, distance = tightest((*own, *job), nearest.measures)
    places = [(f"/space/constraints/{i}", one) for i, one in enumerate(own)]
    places += [(f"/objective/constraints/{i}", one) for i, one in enumerate(job)]
    where = next(place for place, one in places if one is law)
    there = [*samples.attempts, nearest]
    seen = {
        name: tuple(find(one.measures[name] for one in there) for find in (min, max))
        for name in MEASURES
        if re.search(rf"\b{name}\b", law.text)
    }
    text = ", ".join(f"{name} from {least:g} to {most:g}" for name, (least, most) in seen.items())
    kept = sum(not law.violation(one.measures) for one in samples.attempts)
    detail = (
        f"none of {count} keeps every constraint; the tightest is {law.text!r}, kept by {kept},"
        f" and the nearest misses its bound by {distance:.2%}; smallest and largest seen: {text}"
    )
    allowed: dict[str, Any] = {name: {"smallest": least, "largest": most} for name, (least, most) in seen.items()}
    return Fault(pointer=where, rule="space_infeasible", detail=detail, allowed=allowed)
