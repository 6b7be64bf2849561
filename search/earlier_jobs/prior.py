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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archsmith.errors import Fault, InvalidArchitecture, NotFound
from search.objective import MEASURED, Objective
from search.proposing.constraints import Constraint
from search.proposing.prior_values import Prior
from search.proposing.walks import SearchSpace, Walk, attempt, follow
from search.spec import JobSpec
from search.trial import JobState, TrialState
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
    values = {place: prior.value for place, (prior, _) in enumerate(found) if prior.comparable}
    standings = {place: prior.value for place, (prior, _) in enumerate(found) if not prior.comparable}
    kept = _thinned(values, MOST)
    kept += _thinned(standings, MOST - len(kept))
    return [found[place] for place in sorted(kept)]


def _thinned(values: Mapping[int, float], count: int) -> list[int]:
    """At most `count` places: the best half, and others spread evenly."""
    if len(values) <= count:
        return list(values)
    ranked = sorted(values, key=lambda place: -values[place])
    best, rest = ranked[: count // 2], sorted(ranked[count // 2 :])
    spread = np.linspace(0, len(rest) - 1, count - len(best)).astype(int)
    return [*best, *(rest[place] for place in spread)]


def _of_job(spec: JobSpec, space: SearchSpace, job: Earlier) -> list[tuple[Prior, "Trial"]]:
    alike = comparable(spec, job.spec)
    objective = Objective.of(spec.objective)
    rows = [
        (row, architecture)
        for row in _valued(job)
        if objective.knows(row.facts) and isinstance(architecture := there(space, row.choices), Architecture)
    ]
    # what a space fixes is no choice: the same answers may lead to another network
    same = [(row, one) for row, one in rows if alike and one.hash == row.hash]
    other = [
        (row, one) for row, one in rows
        if not (alike and one.hash == row.hash) and row.state is TrialState.COMPLETED
    ]  # fmt: skip
    found = [*_as_it_is(same, objective, settled=spec.seed == job.spec.seed), *_by_standing(other, objective)]
    return sorted(found, key=lambda one: one[1].number)


def _as_it_is(
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


def _by_standing(rows: "Sequence[tuple[Trial, Architecture]]", objective: Objective) -> "Iterator[tuple[Prior, Trial]]":
    if not rows:
        return
    points = [objective.values(row.facts) for row, _ in rows]
    values = standing([objective.combined(point) for point in points])
    placed = zip(*map(standing, zip(*points, strict=True)), strict=True)
    for (row, architecture), value, point in zip(rows, values, placed, strict=True):
        prior = Prior(
            architecture=architecture, choices=dict(row.choices), value=value, values=point, epochs=0, comparable=False
        )
        yield prior, row


def _valued(job: Earlier) -> "list[Trial]":
    return [row for row in job.trials if row.state is TrialState.COMPLETED or row.state is TrialState.PRUNED]


def best_settled(
    found: "Sequence[tuple[Prior, Trial]]", space: SearchSpace, constraints: Sequence[Constraint], count: int
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


def there(space: SearchSpace, choices: Choices) -> Architecture | str:
    """What these answers lead to in a space; where it asks something else than they answer, that in words."""
    walk = Walk(picker=follow(replay(choices)))
    try:
        architecture = space.sample(walk.choose)
    except InvalidArchitecture as error:
        return str(error)
    for decision in walk.decisions:
        if decision.name not in choices:
            return f"{decision.name} is asked here and not there"
        if walk.choices[decision.name] != choices[decision.name]:
            offered = ", ".join(map(repr, decision.options))
            return f"{decision.name} was {choices[decision.name]!r} there and is one of {offered} here"
    missing = next((name for name in choices if name not in walk.choices), None)
    return architecture if missing is None else f"{missing} was asked there and is not here"


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
    different = [why for row in known if isinstance(why := there(space, row.choices), str)]
    if len(different) == len(known):
        return "space_mismatch", f"none of the {len(known)} completed trials of job {job_id} fits: {different[0]}"
    return "", ""
