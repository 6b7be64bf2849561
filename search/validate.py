"""Whether a job can be done at all: the checks that need its space, its data set or the cluster.

All faults of a job are collected before they are raised, so that a document has to be corrected only once. Only the
last check, whether any architecture keeps all constraints, is made after the others: it samples the space.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsmith.errors import Fault, InvalidExpression, InvalidInput, InvalidSpace, pointer
from search.compress import check_compress, data_faults
from search.earlier_jobs.donors import transfer_faults
from search.earlier_jobs.prior import Earlier, prior_faults
from search.factory import CONTROLLERS, check_options
from search.limits import known
from search.objective import faults as objective_faults
from search.planning.checks import plan_faults
from search.problems import faults as problem_faults
from search.proposing import enqueue
from search.proposing.constraints import most_violated
from search.proposing.repair import repair
from search.proposing.walks import Draw, draw_of, draw_walk, every_walk, follow, uniform
from search.spec import JobSpec, Json
from search.streams import Stream, generator
from space.constraint import MEASURES, Constraint
from space.space import Space

LINK_CLASSES = 2
"""Link and no link, however many classes the graph's nodes have."""

SHORTEST_S = 20.0
"""Seconds of a whole job below which not even start and bundle fit (digits, two idle processors: 12 s and 13 s)."""

SAMPLES = 300
"""Uniform draws that a space is judged by."""

STARTS = 3
"""The draws with the smallest violation, from each of which a repair starts where no draw is feasible."""

STEPS = 400
"""Of each repair, 0.4 to 1 s. A space where 1 walk in 65,536 is feasible was never rejected in 100 seeds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """The processors and accelerators of the whole cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DataShape:
    """What a space needs to know about a data set.

    input_shape: (C, H, W) of images, (C, D, H, W) of volumes, (F,) of the nodes of graphs.
    tasks: what may be predicted from the data, the usual one first. problem: of the usual one, of
    `search.problems.PROBLEMS`; classes: K classes, labels or targets.
    """

    input_shape: tuple[int, ...]
    classes: int
    tasks: tuple[str, ...] = ("image",)
    problem: str = "classification"


def check_job(
    spec: JobSpec,
    *,
    data: DataShape | None,
    datasets: Sequence[str],
    pool: Pool,
    find: Callable[[str], Earlier | None] = lambda _: None,
) -> None:
    """Raises InvalidInput with every fault found.

    data: shape of the data set that the job names, None when no data set has that name. datasets: all names.
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
    faults += _budget_faults(spec) + _stop_faults(spec) + plan_faults(spec)
    constraints: list[Constraint] = []
    for index, text in enumerate(spec.objective.constraints):
        try:
            constraints.append(Constraint.parse(text, measured=True))
        except InvalidExpression as error:
            faults += below(pointer("objective", "constraints", index), error.faults)
    space = None
    if data is not None:
        links = spec.space.get("data") == "links"
        faults += problem_faults(
            spec,
            problem="classification" if links else data.problem,
            classes=LINK_CLASSES if links else data.classes,
        )
        try:
            space = parse_space(spec.space, data)
        except InvalidSpace as error:
            faults += below("/space", error.faults)
    if space is not None:
        faults += transfer_faults(spec, space.data, find)
        if spec.compress is not None:
            faults += below("/compress", data_faults(spec.compress, space.data))
        faults += prior_faults(spec, space, find) + _enqueue_faults(spec, space, known(constraints))
    if faults or space is None:
        raise InvalidInput(faults)
    check_feasible(space, constraints, seed=spec.seed)


def parse_space(document: Json, data: DataShape) -> Space:
    """Raises InvalidSpace; the pointers are below the document."""
    classes = LINK_CLASSES if document.get("data") == "links" else data.classes
    return Space.parse(document, input_shape=data.input_shape, classes=classes, tasks=data.tasks)


def below(prefix: str, faults: Sequence[Fault]) -> list[Fault]:
    """The same faults, with `prefix` before their pointers."""
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
    """What differs from run to run, and what a reproducible job thus cannot have.

    These are rules that stop a trial by what others have reached meanwhile, and training on a GPU.
    """
    found: list[Fault] = []
    if spec.reproducible and spec.trial.scheduler != "none":
        detail = (
            f"a reproducible job needs the scheduler 'none': which trials {spec.trial.scheduler!r} stops depends on the"
            " order in which they are measured"
        )
        found.append(Fault(pointer="/trial/scheduler", rule="combination_unsupported", detail=detail, allowed=["none"]))
    if spec.reproducible and spec.trial.stop_hopeless:
        detail = (
            "a reproducible job cannot have stop_hopeless: which trials it stops depends on the order in which they"
        )
        detail += " are measured"
        found.append(
            Fault(pointer="/trial/stop_hopeless", rule="combination_unsupported", detail=detail, allowed=[False])
        )
    if spec.reproducible and spec.trial.gpus > 0:
        detail = (
            "a reproducible job needs trial.gpus 0: sums on a GPU are in another order in each run, and the kernels"
        )
        detail += " that graphs and pooling need have no deterministic form"
        allowed = {"maximum": 0}
        found.append(Fault(pointer="/trial/gpus", rule="combination_unsupported", detail=detail, allowed=allowed))
    return found


def _enqueue_faults(spec: JobSpec, space: Space, constraints: Sequence[Constraint]) -> list[Fault]:
    faults: list[Fault] = []
    for place, answers in enumerate(spec.enqueue):
        try:
            enqueue.check(space, constraints, answers)
        except InvalidInput as error:
            faults += below(pointer("enqueue", place), error.faults)
    return faults


def _budget_faults(spec: JobSpec) -> list[Fault]:
    total, epochs = spec.budget.total_epochs, spec.budget.epochs
    if epochs is None:
        return _planned_faults(spec)
    if total is None or total >= epochs:
        return []
    detail = f"one trial takes {epochs} epochs, but all trials together may take only {total}"
    pointer, allowed = "/budget/total_epochs", {"minimum": epochs}
    return [Fault(pointer=pointer, rule="out_of_range", detail=detail, allowed=allowed)]


def _planned_faults(spec: JobSpec) -> list[Fault]:
    """What is too short on any machine is refused at once, the rest by the plan (`search/planning/rule.py`)."""
    if spec.budget.seconds >= SHORTEST_S or (spec.compress is not None and spec.compress.of is not None):
        return []
    detail = (
        f"seconds is the wall clock of the whole job, and {spec.budget.seconds:g} s are too few for one architecture on"
        f" any machine: at least {SHORTEST_S:g} s, mostly more"
    )
    allowed = {"minimum": SHORTEST_S}
    return [Fault(pointer="/budget/seconds", rule="budget_too_small", detail=detail, allowed=allowed)]


def _stop_faults(spec: JobSpec) -> list[Fault]:
    """A target to stop at is a score, which must be an objective of the job and have no soft target."""
    objective = spec.objective
    if spec.stop.target is None or ("score" in objective.maximize and objective.target is None):
        return []
    what = "the score with a soft target" if objective.target is not None else ", ".join(objective.minimize)
    detail = f"a target to stop at needs the plain score as an objective, and the objective is {what}"
    return [Fault(pointer="/stop/target", rule="combination_unsupported", detail=detail, allowed=[None])]


def _pool_faults(spec: JobSpec, pool: Pool) -> list[Fault]:
    resources = {"cpus": (spec.trial.cpus, pool.cpus), "gpus": (spec.trial.gpus, pool.gpus)}
    return [
        Fault(
            pointer=f"/trial/{kind}",
            rule="resource_unavailable",
            detail=f"a trial asks for {asked:g} {kind}, the whole cluster has {available:g}",
            allowed={"maximum": available},
        )
        for kind, (asked, available) in resources.items()
        if asked > available
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Some walks of a space.

    draws: those where the shapes fit. walks: how many were made. exhaustive: whether these are all walks there are.
    """

    draws: tuple[Draw, ...]
    walks: int
    exhaustive: bool

    @property
    def feasible(self) -> int:
        """How many draws keep all constraints."""
        return sum(not draw.violation for draw in self.draws)


def sample(space: Space, constraints: Sequence[Constraint], *, limit: int = SAMPLES, seed: int = 0) -> Samples:
    """Every walk of a space that has at most `limit`, else `limit` uniform draws."""
    walks = list(itertools.islice(every_walk(space), limit + 1))
    if len(walks) <= limit:
        found = [draw_of(walk, built, constraints) for walk, built in walks if built is not None]
        return Samples(draws=tuple(found), walks=len(walks), exhaustive=True)
    draws = [_draw(space, constraints, seed, number) for number in range(limit)]
    return Samples(draws=tuple(draw for draw in draws if draw is not None), walks=limit, exhaustive=False)


def _draw(space: Space, constraints: Sequence[Constraint], seed: int, number: int) -> Draw | None:
    return draw_walk(space, constraints, uniform(generator(Stream.FEASIBLE, seed, number)))


def check_feasible(space: Space, constraints: Sequence[Constraint], *, seed: int = 0) -> None:
    """Raises InvalidInput (space_infeasible) when no architecture is found that keeps all constraints.

    constraints: the job's; those of the space are checked as well. A space with few feasible architectures is not
    rejected: it is searched as controllers do, by uniform draws and then by repairs. Constraints on what a worker
    measures are left to the trials.
    """
    together = (*space.constraints, *known(constraints))
    # Nearly always one of the first draws is feasible; only a space without any needs all of them.
    for number in range(20):
        draw = _draw(space, together, seed, number)
        if draw is not None and not draw.violation:
            return
    samples = sample(space, together, seed=seed)
    if samples.feasible:
        return
    nearest = None if samples.exhaustive else repaired(space, together, samples, seed=seed)
    if nearest is None or nearest.violation:
        raise InvalidInput(_infeasible(samples, nearest, space.constraints, constraints))


def repaired(space: Space, constraints: Sequence[Constraint], samples: Samples, *, seed: int = 0) -> Draw | None:
    """The first feasible draw of repairs from the best samples, or the one with the smallest violation."""
    rng = generator(Stream.FEASIBLE_REPAIR, seed)
    starts = sorted(samples.draws, key=lambda draw: draw.violation)[:STARTS]
    nearest = starts[0] if starts else None
    for start in starts:
        for draw in repair(start, lambda choose: draw_walk(space, constraints, follow(choose)), rng, steps=STEPS):
            if nearest is None or draw.violation < nearest.violation:
                nearest = draw
            if not draw.violation:
                return draw
    return nearest


def _infeasible(samples: Samples, nearest: Draw | None, own: Sequence[Constraint], job: Sequence[Constraint]) -> Fault:
    """The fault at the constraint that the nearest architecture violates most. own: the space's constraints."""
    repairs = "" if samples.exhaustive else f" and none of {STARTS * STEPS} repairs of the nearest"
    sampled = "architectures" if samples.exhaustive else f"sampled architectures{repairs}"
    count = f"all {samples.walks} {sampled}" if samples.exhaustive else f"{samples.walks} {sampled}"
    nearest = nearest or min(samples.draws, key=lambda draw: draw.violation, default=None)
    if nearest is None:
        return Fault(pointer="/space", rule="space_infeasible", detail=f"none of {count} fits the input shape")
    worst, distance = most_violated((*own, *known(job)), nearest.measures)
    places = [(pointer("space", "constraints", i), constraint) for i, constraint in enumerate(own)]
    places += [(pointer("objective", "constraints", i), constraint) for i, constraint in enumerate(job)]
    where = next(place for place, constraint in places if constraint is worst)
    draws = [*samples.draws, nearest]
    seen = {
        name: tuple(find(draw.measures[name] for draw in draws) for find in (min, max))
        for name in MEASURES
        if re.search(rf"\b{name}\b", worst.text)
    }
    text = ", ".join(f"{name} from {least:g} to {most:g}" for name, (least, most) in seen.items())
    kept = sum(not worst.violation(draw.measures) for draw in samples.draws)
    detail = (
        f"none of {count} keeps every constraint; the tightest is {worst.text!r}, kept by {kept},"
        f" and the nearest misses its bound by {distance:.2%}; smallest and largest seen: {text}"
    )
    allowed: dict[str, Any] = {name: {"smallest": least, "largest": most} for name, (least, most) in seen.items()}
    return Fault(pointer=where, rule="space_infeasible", detail=detail, allowed=allowed)
