"""Warm start: the trials of earlier jobs as prior data of a new one.

Only jobs that have ended are taken. An ended job changes no more, so its id in the document freezes what it gives: the
same after a crash and in a replay, without a copy. From each come the completed trials (and, where values compare, the
pruned ones) whose walk the new space asks as well, question for question.

    comparable   Data set, task, score, epochs and everything about a training are equal: what was measured is the same
                 quantity and enters as it is. Else only the trial's standing among those of its own job (`standing`):
                 a value on other data, or after other epochs, says which was better and not how good.
    settled      Comparable, completed, and the seed, which draws the splits, is equal too: its score here is known, so
                 it is not proposed again. Any other may be: it has to be measured here before it is worth anything.

A value is what the new job's objective makes of the earlier trial's measures, whatever the earlier one's was; a trial
that was not measured by something that this needs is left out.

A controller learns from prior trials and nothing else follows from them: they use up no budget, and no rule to stop
looks at them. The best settled ones, as many as there are finalists, are written beside the job's own trials with the
provenance "prior", so that what was found already can be the incumbent and a finalist. The baseline and what the user
enqueues are trained in any case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archsmith.errors import Fault, InvalidArchitecture, NotFound
from search.limits import Limit
from search.memory import Prior
from search.objective import MEASURED, Objective
from search.spec import JobSpec
from search.trial import JobState, TrialState
from search.walks import SearchSpace, Walk, attempt, follow
from space.architecture import Architecture
from space.decision import Choices
from space.space import replay

if TYPE_CHECKING:
    from search.ledger import Ledger, Trial

MOST = 500
"""Prior trials, at most; of more the best half, and others spread evenly: a controller is rebuilt from all of them."""

FIRST_NUMBER = 1_000_000
"""The ledger's number of the first prior trial of a job, above those of all its own."""

CUT = 2.0
"""The best and the worst standing, in standard deviations: what was far ahead elsewhere need not be so here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A job that another one starts from. ended: it changes no more. succeeded: it has a bundle."""

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


def standing(values: Sequence[float]) -> list[float]:
    """Mean 0 and deviation 1, cut; all 0 where all are equal."""
    y = np.array(values, dtype=float)
    with np.errstate(all="ignore"):
        z = (y - y.mean()) / y.std()
    return [float(one) for one in np.clip(np.nan_to_num(z, nan=0.0), -CUT, CUT)]


def comparable(one: JobSpec, other: JobSpec) -> bool:
    """Whether a trial's measures would be the same quantities in both jobs; `one` says which of them matter."""
    timed = any(name in MEASURED for name in Objective.of(one.objective).needs)
    return _training(one, timed=timed) == _training(other, timed=timed)


def _training(spec: JobSpec, *, timed: bool) -> tuple[object, ...]:
    """timed: whether it counts how many threads a trial has."""
    trial = spec.trial
    trained = (trial.batch_size, trial.learning_rate, trial.precision, trial.layout, trial.gpus > 0)
    threads = trial.cpus if timed else None
    asked = (spec.dataset, spec.space.get("data"), spec.objective.score, spec.budget.epochs)
    return *asked, threads, spec.init_from, *trained


def gather(spec: JobSpec, space: SearchSpace, earlier: Sequence[Earlier]) -> list[tuple[Prior, "Trial"]]:
    """The prior data of a job, each beside its own row, in order of the jobs named and of their trials' numbers."""
    found = [one for job in earlier for one in _of_job(spec, space, job)]
    if len(found) <= MOST:
        return found
    ranked = sorted(range(len(found)), key=lambda place: -found[place][0].value)
    rest = sorted(ranked[MOST // 2 :])
    spread = [rest[int(place)] for place in np.linspace(0, len(rest) - 1, MOST - MOST // 2)]
    return [found[place] for place in sorted({*ranked[: MOST // 2], *spread})]


def _of_job(spec: JobSpec, space: SearchSpace, job: Earlier) -> list[tuple[Prior, "Trial"]]:
    same = comparable(spec, job.spec)
    settled = same and spec.seed == job.spec.seed
    states = (TrialState.COMPLETED, TrialState.PRUNED) if same else (TrialState.COMPLETED,)
    objective = Objective.of(spec.objective)
    rows = [
        row
        for row in _valued(job)
        if row.state in states and objective.knows(row.facts) and not differs(space, row.choices)
    ]
    points = [objective.values(row.facts) for row in rows]
    values = [objective.combined(point) for point in points]
    if rows and not same:
        values, points = standing(values), list(zip(*map(standing, zip(*points, strict=True)), strict=True))
    return [
        (
            Prior(
                architecture=Architecture.from_json(row.architecture),
                choices=dict(row.choices),
                value=value,
                values=point,
                epochs=row.epochs if same else 0,
                pruned=row.state is TrialState.PRUNED,
                comparable=same,
                settled=settled and row.state is TrialState.COMPLETED,
            ),
            row,
        )
        for row, value, point in zip(rows, values, points, strict=True)
    ]


def _valued(job: Earlier) -> "list[Trial]":
    return [row for row in job.trials if row.state is TrialState.COMPLETED or row.state is TrialState.PRUNED]


def best_settled(
    found: "Sequence[tuple[Prior, Trial]]", space: SearchSpace, constraints: Sequence[Limit], count: int
) -> "list[Trial]":
    """The `count` best whose score here is known, of those that keep this job's constraints; each architecture once."""
    limits = (*space.constraints, *constraints)
    best: dict[str, Trial] = {}
    for prior, row in sorted(found, key=lambda one: -one[0].value):
        if len(best) < count and prior.settled and row.hash not in best:
            one = attempt(space, limits, follow(replay(prior.choices)))
            if one is not None and not one.broken:
                best[row.hash] = row
    return list(best.values())


def differs(space: SearchSpace, choices: Choices) -> str | None:
    """Where a space asks something else than these answers answer, in words; None where it asks just that."""
    walk = Walk(picker=follow(replay(choices)))
    try:
        space.sample(walk.choose)
    except InvalidArchitecture as error:
        return str(error)
    for decision in walk.decisions:
        if decision.name not in choices:
            return f"{decision.name} is asked here and not there"
        if walk.choices[decision.name] != choices[decision.name]:
            offered = ", ".join(map(repr, decision.options))
            return f"{decision.name} was {choices[decision.name]!r} there and is one of {offered} here"
    missing = next((name for name in choices if name not in walk.choices), None)
    return None if missing is None else f"{missing} was asked there and is not here"


def prior_faults(spec: JobSpec, space: SearchSpace, find: Callable[[str], Earlier | None]) -> list[Fault]:
    """What keeps the jobs of `warm_start` from giving prior data."""
    faults = []
    for place, job_id in enumerate(spec.warm_start.jobs):
        if job_id in spec.warm_start.jobs[:place]:
            rule, detail = "repeated", f"job {job_id} is named twice"
        else:
            rule, detail = _fault(job_id, find(job_id), space, Objective.of(spec.objective))
        if rule:
            faults.append(Fault(pointer=f"/warm_start/jobs/{place}", rule=rule, detail=detail))
    return faults


def _fault(job_id: str, job: Earlier | None, space: SearchSpace, objective: Objective) -> tuple[str, str]:
    if job is None:
        return "job_not_found", f"there is no job {job_id!r:.80}"
    if not job.ended:
        return "job_not_ended", f"job {job_id} has not ended: only what changes no more can be prior data"
    rows = [row for row in _valued(job) if row.state is TrialState.COMPLETED]
    if not rows:
        return "job_without_values", f"job {job_id} has no completed trial"
    known = [row for row in rows if objective.knows(row.facts)]
    if not known:
        missing = next(name for name in objective.needs if name not in rows[0].facts)
        return "job_without_values", f"job {job_id} did not measure {missing}, which this job's objective needs"
    different = [differs(space, row.choices) for row in known]
    if all(different):
        return "space_mismatch", f"none of the {len(known)} completed trials of job {job_id} fits: {different[0]}"
    return "", ""
