"""Warm start: the trials of earlier jobs as prior data of a new one.

Only ended jobs are used. An ended job no longer changes, so its id in the document determines the prior data: the same
after a crash and in a replay, without a copy. From each job come the completed trials (and, where values compare, the
pruned ones) whose walk exists in the new space with the same decisions.

    comparable   Data set, task, score, epochs and everything about a training are equal: what was measured is the same
                 quantity and is used as it is. Otherwise only the trial's z-score among those of its own job is used
                 (`z_scores`): a value on other data, or after other epochs, says which was better and not how good.
    settled      Comparable, completed, and the seed, which draws the splits, is equal too: its score here is known, so
                 it is not proposed again. Any other prior trial may be proposed: its score here is not known yet.

A value is that of the new job's objective for the measures of the earlier trial, whatever the earlier objective was; a
trial that lacks a measure which this needs is left out, and so is one that breaks a constraint on what workers measure.

Prior trials teach the controller and have no other effect: they use no budget, and no stopping rule counts them. The
best settled ones, as many as there are finalists, are written beside the job's own trials with the provenance "prior",
so that an architecture found earlier can be the incumbent and a finalist. The baseline and the user's enqueued
architectures are trained in any case.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archsmith.errors import Fault, InvalidArchitecture, NotFound, pointer
from search.limits import broken, measured, parsed
from search.objective import Objective
from search.proposing.constraints import Constraint
from search.proposing.prior_values import Prior
from search.proposing.walks import SearchSpace, Walk, draw_walk, follow
from search.spec import BATCH, JobSpec
from search.trial import JobState, TrialState
from space.architecture import Architecture
from space.constraint import MEASURED
from space.decision import Choices
from space.space import replay

if TYPE_CHECKING:
    from search.ledger import Ledger, Trial

MOST = 500
"""Prior trials at most, since a controller is rebuilt from all of them: the best half, and others at even steps."""

FIRST_NUMBER = 1_000_000
"""The ledger's number of a job's first prior trial, above those of all its own trials."""

CLIP = 2.0
"""The largest absolute z-score: what was far ahead on other data need not be so here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A job that another one starts from. ended: it no longer changes. succeeded: it has a bundle."""

    spec: JobSpec
    ended: bool
    trials: "Sequence[Trial]"
    succeeded: bool = False


def look(ledger: "Ledger", job_id: str) -> Earlier | None:
    """None where there is no such job."""
    try:
        job = ledger.job(job_id)
    except NotFound:
        return None
    own = [trial for trial in ledger.history(job_id) if trial.provenance != "prior"]
    succeeded = job.state is JobState.SUCCEEDED
    return Earlier(spec=job.spec, ended=job.state.terminal, trials=own, succeeded=succeeded)


def z_scores(values: Sequence[float]) -> list[float]:
    """Of mean 0 and deviation 1, clipped at CLIP; all 0 where all values are equal."""
    y = np.array(values, dtype=float)
    with np.errstate(all="ignore"):
        z = (y - y.mean()) / y.std()
    return [float(score) for score in np.clip(np.nan_to_num(z, nan=0.0), -CLIP, CLIP)]


def comparable(spec: JobSpec, other: JobSpec) -> bool:
    """Whether a trial's measures would be the same quantities in both jobs; `spec` says which of them matter.

    Those of planned jobs would not: each plan has trials of its own length.
    """
    if spec.budget.planned or other.budget.planned:
        return False
    timed = any(name in MEASURED for name in Objective.of(spec.objective).needs)
    return _training(spec, timed=timed) == _training(other, timed=timed)


def _training(spec: JobSpec, *, timed: bool) -> tuple[object, ...]:
    """All that a measure depends on. timed: whether it depends on the trial's number of threads as well."""
    trial = spec.trial
    settings = (trial.batch_size or BATCH, trial.learning_rate, trial.precision, trial.layout, trial.gpus > 0)
    threads = trial.cpus if timed else None
    task = (spec.dataset, spec.space.get("data"), spec.objective.score, spec.budget.epochs)
    return *task, threads, spec.init_from, *settings, trial.loss, trial.class_weights


def gather(spec: JobSpec, space: SearchSpace, earlier: Sequence[Earlier]) -> list[tuple[Prior, "Trial"]]:
    """The prior data of a job, each beside its own row, in order of the jobs named and of their trials' numbers."""
    found = [pair for job in earlier for pair in _of_job(spec, space, job)]
    values = {place: prior.value for place, (prior, _) in enumerate(found) if prior.comparable}
    scores = {place: prior.value for place, (prior, _) in enumerate(found) if not prior.comparable}
    kept = _thinned(values, MOST)
    kept += _thinned(scores, MOST - len(kept))
    return [found[place] for place in sorted(kept)]


def _thinned(values: Mapping[int, float], count: int) -> list[int]:
    """At most `count` of the keys: the best half, and others at even steps."""
    if len(values) <= count:
        return list(values)
    ranked = sorted(values, key=lambda place: -values[place])
    best, rest = ranked[: count // 2], sorted(ranked[count // 2 :])
    spread = np.linspace(0, len(rest) - 1, count - len(best)).astype(int)
    return [*best, *(rest[place] for place in spread)]


def _of_job(spec: JobSpec, space: SearchSpace, job: Earlier) -> list[tuple[Prior, "Trial"]]:
    same_quantity = comparable(spec, job.spec)
    objective, limits = Objective.of(spec.objective), measured(parsed(spec.objective.constraints))
    rows = [
        (row, architecture)
        for row in _valued(job)
        if objective.knows(row.facts)
        and isinstance(architecture := in_space(space, row.choices), Architecture)
        and not broken(limits, architecture, row.measures)
    ]
    # what a space fixes is no choice: the same answers may lead to another network
    same = [(row, architecture) for row, architecture in rows if same_quantity and architecture.hash == row.hash]
    other = [
        (row, architecture) for row, architecture in rows
        if not (same_quantity and architecture.hash == row.hash) and row.state is TrialState.COMPLETED
    ]  # fmt: skip
    found = [*_by_value(same, objective, settled=spec.seed == job.spec.seed), *_by_z_score(other, objective)]
    return sorted(found, key=lambda pair: pair[1].number)


def _by_value(
    rows: "Sequence[tuple[Trial, Architecture]]", objective: Objective, *, settled: bool
) -> "Iterator[tuple[Prior, Trial]]":
    for row, architecture in rows:
        point = objective.values(row.facts)
        completed = row.state is TrialState.COMPLETED
        prior = Prior(
            architecture=architecture,
            choices=dict(row.choices),
            value=objective.combined(point),
            values=point,
            epochs=row.epochs,
            pruned=not completed,
            comparable=True,
            settled=settled and completed,
        )
        yield prior, row


def _by_z_score(rows: "Sequence[tuple[Trial, Architecture]]", objective: Objective) -> "Iterator[tuple[Prior, Trial]]":
    if not rows:
        return
    points = [objective.values(row.facts) for row, _ in rows]
    values = z_scores([objective.combined(point) for point in points])
    by_objective = zip(*map(z_scores, zip(*points, strict=True)), strict=True)
    for (row, architecture), value, point in zip(rows, values, by_objective, strict=True):
        prior = Prior(
            architecture=architecture, choices=dict(row.choices), value=value, values=point, epochs=0, comparable=False
        )
        yield prior, row


def _valued(job: Earlier) -> "list[Trial]":
    return [row for row in job.trials if row.state is TrialState.COMPLETED or row.state is TrialState.PRUNED]


def best_settled(
    found: "Sequence[tuple[Prior, Trial]]", space: SearchSpace, constraints: Sequence[Constraint], count: int
) -> "list[Trial]":
    """The `count` best settled ones that keep this job's constraints; each architecture once."""
    constraints = (*space.constraints, *constraints)
    best: dict[str, Trial] = {}
    for prior, row in sorted(found, key=lambda pair: -pair[0].value):
        if len(best) < count and prior.settled and row.hash not in best:
            draw = draw_walk(space, constraints, follow(replay(prior.choices)))
            if draw is not None and not draw.violation:
                best[row.hash] = row
    return list(best.values())


def in_space(space: SearchSpace, choices: Choices) -> Architecture | str:
    """The architecture of these answers in a space; where its decisions are others, a sentence about the first."""
    walk = Walk(picker=follow(replay(choices)))
    try:
        architecture = space.sample(walk.choose)
    except InvalidArchitecture as error:
        return str(error)
    for decision in walk.decisions:
        if decision.name not in choices:
            return f"the trial has no decision {decision.name}, which this space has"
        if walk.choices[decision.name] != choices[decision.name]:
            offered = ", ".join(map(repr, decision.options))
            return f"the trial has {decision.name} = {choices[decision.name]!r}, which must be one of {offered} here"
    missing = next((name for name in choices if name not in walk.choices), None)
    return architecture if missing is None else f"the trial has the decision {missing}, unknown to this space"


def prior_faults(spec: JobSpec, space: SearchSpace, find: Callable[[str], Earlier | None]) -> list[Fault]:
    """What is wrong with the jobs of `warm_start`."""
    faults = []
    for place, job_id in enumerate(spec.warm_start.jobs):
        if job_id in spec.warm_start.jobs[:place]:
            rule, detail = "repeated", f"job {job_id} is named twice; name it once"
        else:
            rule, detail = _fault(job_id, find(job_id), space, Objective.of(spec.objective))
        if rule:
            faults.append(Fault(pointer=pointer("warm_start", "jobs", place), rule=rule, detail=detail))
    return faults


def _fault(job_id: str, job: Earlier | None, space: SearchSpace, objective: Objective) -> tuple[str, str]:
    if job is None:
        return "job_not_found", f"there is no job {job_id!r:.80}"
    if not job.ended:
        return "job_not_ended", f"job {job_id} has not ended; only an ended job can give prior data"
    rows = [row for row in _valued(job) if row.state is TrialState.COMPLETED]
    if not rows:
        return "job_without_values", f"job {job_id} has no completed trial to learn from"
    known = [row for row in rows if objective.knows(row.facts)]
    if not known:
        missing = next(name for name in objective.needs if name not in rows[0].facts)
        return "job_without_values", f"job {job_id} did not measure {missing}, which this job's objective needs"
    different = [why for row in known if isinstance(why := in_space(space, row.choices), str)]
    if len(different) == len(known):
        return (
            "space_mismatch",
            f"none of the {len(known)} completed trials of job {job_id} is in this job's space: {different[0]}",
        )
    return "", ""
