"""A search as the ledger has it, from which a new driver continues, and the trials of earlier jobs it starts with.

The controller is replayed from the outcomes of all trials that have ended, and the rungs from all measurements.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from search.earlier_jobs import prior
from search.ledger import Lease, Ledger, Trial
from search.objective import Objective
from search.planning.values import Plan
from search.proposing.controller import Controller, Proposal
from search.spec import JobSpec
from search.stopping.early_stopping import Curves
from search.surrogate.costs import TrainingCosts
from search.trial import Outcome, TrialState
from space.architecture import Architecture
from space.constraint import Constraint
from space.space import Space


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """controller: in its last state. pending: proposals without an outcome. outcomes: of the job's own trials.

    next_number: the first number that no trial of the job has. curves: the measurements, epoch by epoch.
    With nothing but a controller, a search that starts from the beginning.
    """

    controller: Controller
    pending: Sequence[Proposal] = ()
    outcomes: Sequence[Outcome] = ()
    next_number: int = 0
    curves: Curves = field(default_factory=Curves)


def follow_plan(controller: Controller, plan: Plan, costs: Callable[[], TrainingCosts] | None = None) -> None:
    """Tell a controller with a surrogate how long trainings are that were stopped at a rung, and what they cost."""
    from search.surrogate.controller import SurrogateController

    if isinstance(controller, SurrogateController):
        controller.length, controller.costs = plan.passes, costs


def recall(
    controller: Controller, ledger: Ledger, lease: Lease, spec: JobSpec, space: Space, constraints: Sequence[Constraint]
) -> None:
    """Pass the trials of earlier jobs to the controller, and store the best whose scores are valid for this job."""
    earlier = [prior.look(ledger, job_id) for job_id in spec.warm_start.jobs]
    found = prior.gather(spec, space, [job for job in earlier if job is not None])
    controller.recall([values for values, _ in found])
    there = {trial.number for trial in ledger.trials(lease.job_id, after=prior.FIRST_NUMBER - 1, limit=1_000)}
    objective = Objective.of(spec.objective)
    best = prior.best_settled(found, space, constraints, spec.finalists.top)
    for number, trial in enumerate(best, prior.FIRST_NUMBER):
        if number not in there:
            ledger.add_prior(lease, number, trial, value=objective.value(trial.facts))


def replayed(controller: Controller, own: Sequence[Trial], curves: Curves, objective: Objective) -> Restored:
    """own: the job's trials, without those of earlier jobs."""
    pending, outcomes = [], []
    for trial in own:
        proposal = _proposal(trial)
        outcome = _outcome(trial, curves, objective) if trial.state.terminal else None
        controller.restore(proposal, outcome)
        if outcome is None:
            pending.append(proposal)
        else:
            outcomes.append(outcome)
    return Restored(controller=controller, pending=pending, outcomes=outcomes, next_number=len(own), curves=curves)


def measured(ledger: Ledger, job_id: str, objective: Objective, *, first: int = 0) -> Curves:
    """The learning curves of all trials so far, from number `first` on."""
    curves = Curves()
    for row in ledger.measurements(job_id):
        if row.number >= first and objective.knows(row.measurement.facts):
            curves.add(row.number, row.measurement.epoch, objective.point(row.measurement))
    return curves


def _proposal(trial: Trial) -> Proposal:
    return Proposal(
        number=trial.number,
        architecture=Architecture.from_json(trial.architecture),
        choices=trial.choices,
        behaviour=trial.behaviour,
        provenance=trial.provenance,
    )


def _outcome(trial: Trial, curves: Curves, objective: Objective) -> Outcome:
    """Of a trial that has ended."""
    trained = trial.state in (TrialState.COMPLETED, TrialState.PRUNED)
    several = trained and len(objective.names) > 1
    return Outcome(
        number=trial.number,
        state=trial.state,
        value=trial.value if trained else None,
        values=objective.values(trial.facts) if several else (),
        epochs=trial.epochs,
        reason=trial.reason,
        curve=tuple(map(objective.combined, curves.points(trial.number, trial.epochs))) if trained else (),
    )
