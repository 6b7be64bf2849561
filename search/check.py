"""Whether a job can be done at all: the checks that need its space, its data set or the cluster.

All faults of a job are gathered before any is raised, so that a person corrects a document once. Only the last check,
whether any architecture keeps all constraints, waits for the others: it samples the space.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archsmith.errors import Fault, InvalidArchitecture, InvalidExpression, InvalidInput, InvalidSpace
from search.factory import CONTROLLERS, check_options
from search.propose import Walk, every_walk, uniform
from search.spec import JobSpec, Json
from space.analysis import analyse
from space.architecture import Architecture
from space.constraint import MEASURES, Constraint
from space.space import Space

SAMPLES = 300
"""Draws before a space counts as infeasible. One where 1 walk in 100 is feasible is refused wrongly with 5 %."""


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


def check_job(spec: JobSpec, *, data: DataShape | None, datasets: Sequence[str], pool: Pool) -> None:
    """Raises InvalidInput with every fault found.

    data: shape of the data set that the job names, None when there is none of that name. datasets: the names there are.
    """
    faults: list[Fault] = []
    if data is None:
        detail = f"there is no data set {spec.dataset[:80]!r}; there are {', '.join(datasets)}"
        faults.append(Fault(pointer="/dataset", rule="dataset_not_found", detail=detail, allowed=list(datasets)))
    faults += _controller_faults(spec)
    if spec.reproducible and spec.trial.scheduler != "none":
        detail = (
            f"a reproducible job needs the scheduler 'none': {spec.trial.scheduler!r} stops trials by who comes first"
        )
        faults.append(
            Fault(pointer="/trial/scheduler", rule="combination_unsupported", detail=detail, allowed=["none"])
        )
    faults += _pool_faults(spec, pool)
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
    if faults or space is None:
        raise InvalidInput(faults)
    check_feasible(space, constraints, seed=spec.seed)


def parse_space(document: Json, data: DataShape) -> Space:
    """Raises InvalidSpace; the pointers are below the document."""
    return Space.parse(document, input_shape=data.input_shape, classes=data.classes)


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
class Sample:
    """One walk of a space: what it built and what that measures."""

    architecture: Architecture
    measures: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Some walks of a space.

    drawn: how many. impossible: how many of them fit no tensor. all: whether no other walk exists.
    """

    samples: tuple[Sample, ...]
    drawn: int
    impossible: int
    all: bool


def sample(space: Space, *, limit: int = SAMPLES, seed: int = 0) -> Samples:
    """Every walk of a space that has at most `limit`, else `limit` uniform draws."""
    found: list[Sample] = []
    drawn = 0
    walks = list(itertools.islice(every_walk(space), limit + 1))
    whole = len(walks) <= limit
    for architecture in (built for _, built in walks) if whole else _draws(space, limit, seed):
        drawn += 1
        if architecture is not None:
            found.append(Sample(architecture=architecture, measures=analyse(architecture).measures))
    return Samples(samples=tuple(found), drawn=drawn, impossible=drawn - len(found), all=whole)


def _draws(space: Space, limit: int, seed: int) -> Iterator[Architecture | None]:
    for number in range(limit):
        try:
            yield space.sample(Walk(picker=uniform(np.random.default_rng([seed, number]))).choose)
        except InvalidArchitecture:
            yield None


def check_feasible(space: Space, constraints: Sequence[Constraint], *, seed: int = 0) -> None:
    """Raises InvalidInput (space_infeasible) when no architecture found keeps all constraints, the space's own too."""
    laws = (*space.constraints, *constraints)
    # Nearly always the first draws settle it; only a hopeless space pays for all of them.
    for built in itertools.islice(_draws(space, SAMPLES, seed), 20):
        if built is not None and (not laws or _keeps(analyse(built).measures, laws)):
            return
    samples = sample(space, seed=seed)
    if not any(_keeps(one.measures, laws) for one in samples.samples):
        raise InvalidInput(_infeasible(samples, space.constraints, constraints))


def _keeps(measures: Mapping[str, float], laws: Sequence[Constraint]) -> bool:
    return all(law.holds(measures) for law in laws)


def _infeasible(samples: Samples, own: Sequence[Constraint], job: Sequence[Constraint]) -> Fault:
    count = f"all {samples.drawn} architectures" if samples.all else f"{samples.drawn} sampled architectures"
    if not samples.samples:
        return Fault(pointer="/space", rule="space_infeasible", detail=f"none of {count} fits the input shape")
    laws = [(f"/space/constraints/{i}", law) for i, law in enumerate(own)]
    laws += [(f"/objective/constraints/{i}", law) for i, law in enumerate(job)]
    kept = {where: sum(law.holds(one.measures) for one in samples.samples) for where, law in laws}
    where, law = min(laws, key=lambda item: kept[item[0]])
    seen = {name: _range(samples, name) for name in MEASURES if re.search(rf"\b{name}\b", law.text)}
    text = ", ".join(f"{name} from {least:g} to {most:g}" for name, (least, most) in seen.items())
    detail = (
        f"none of {count} keeps every constraint; the tightest is {law.text!r}, kept by {kept[where]}; "
        f"smallest and largest seen: {text}"
    )
    allowed: dict[str, Any] = {name: {"smallest": least, "largest": most} for name, (least, most) in seen.items()}
    return Fault(pointer=where, rule="space_infeasible", detail=detail, allowed=allowed)


def _range(samples: Samples, name: str) -> tuple[float, float]:
    values = [one.measures[name] for one in samples.samples]
    return min(values), max(values)
