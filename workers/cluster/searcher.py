"""Between Ray Tune and our controller: asks go down, outcomes come up, and every step is written to the ledger first.

Tune calls `suggest` when it has room and `on_trial_result` / `on_trial_complete` as results arrive, all from the
driver's main thread. Every trial passes here twice: on its way down (ask) and back up (tell).
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ray.tune.search import Searcher

from archsmith.errors import LeaseLost, SpaceExhausted, Unavailable
from search import limits
from search.objective import Objective
from search.proposing.controller import Proposal
from search.spec import Budget
from search.stopping import end_of_search
from search.stopping.early_stopping import EarlyStopping, rules
from search.trial import Measurement, Outcome, TrialState
from space.analysis import analyse
from workers.cluster import connection
from workers.cluster.trial import TrialTask
from workers.job.context import JobContext
from workers.job.restore import Restored
from workers.train.prepare import judged_epochs

TOO_LARGE = "out_of_memory"
"""Cause of a failure that is the architecture's: it does not fit in memory."""


@dataclass(slots=True)
class _Open:
    """An attempt that Tune is running."""

    number: int
    attempt: int
    started: float
    last: Measurement | None = None
    failure: str | None = None
    stopped: str | None = None  # why early stopping ended it

    @property
    def epochs(self) -> int:
        return 0 if self.last is None else self.last.epoch


class LedgerSearcher(Searcher):
    """Feeds Tune from a controller and writes what happens into the ledger.

    context: the job, with the budget of this search. restored: the controller, and what the ledger knows of the search
    so far: proposals stored earlier whose trial has no outcome yet (lost or interrupted) are handed out first.
    slots: trials at a time. make_task: (proposal, attempt) -> TrialTask. on_end: called with the number of a trial that
    has ended. publish: whether the controller's state is shown as the job's.
    """

    def __init__(
        self,
        context: JobContext,
        restored: Restored,
        *,
        slots: int,
        make_task: Callable[[Proposal, int], TrialTask],
        on_end: Callable[[int], None] = lambda _: None,
        publish: bool = True,
    ) -> None:
        super().__init__(metric="score", mode="max")
        self._ledger, self._lease, self._spec = context.ledger, context.lease, context.spec
        self._stop_signal, self._controller = context.stop, restored.controller
        self._slots, self._make_task, self._on_end, self._publish = slots, make_task, on_end, publish
        self._pending = deque(restored.pending)
        self._next, self._outcomes, self._curves = restored.next_number, list(restored.outcomes), restored.curves
        self._proposals: dict[int, Proposal] = {}
        self._open: dict[str, _Open] = {}
        self._objective = Objective.of(self._spec.objective)
        self._limits = limits.measured(limits.parsed(self._spec.objective.constraints))
        self._stopping = EarlyStopping(
            rules(
                self._spec.trial.scheduler,
                epochs=self._spec.budget.trial_epochs,
                stop_hopeless=self._spec.trial.stop_hopeless,
                finalists=self._spec.finalists.top,
                planned=None if context.plan is None else judged_epochs(self._spec, context.plan),
            ),
            self._curves,
        )
        self._ends, self._passes = None if context.plan is None else (0, *context.plan.rungs), context.passes
        self._ledger_failure: LeaseLost | Unavailable | None = None
        self._exhausted: str | None = None  # why, once nothing new can be found
        self._trouble: str | None = None  # of the controller, as last written to the ledger
        self._stop()

    # Tune pickles its searcher to resume from it. We resume from the ledger, so there is nothing to save.
    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: a search is restored from the ledger."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: a search is restored from the ledger."""

    # ---- down: ask

    def suggest(self, trial_id: str) -> Any:
        """The next trial's config; None = ask again later; FINISHED = no more trials."""
        self.check()
        if self._stop_signal.stopping:
            return str(Searcher.FINISHED)
        if len(self._open) >= self._slots:
            return None
        proposal = self._pending.popleft() if self._pending else self._propose()
        if proposal is None:
            # A running trial may still be lost and retried, so the search ends only when none is open.
            return None if self._open else self._finish()
        attempt = self._ledger.start_attempt(self._lease, proposal.number)
        self._proposals[proposal.number] = proposal
        self._open[trial_id] = _Open(number=proposal.number, attempt=attempt, started=time.monotonic())
        return {"trial": self._make_task(proposal, attempt).dumps()}

    def _propose(self) -> Proposal | None:
        if self._exhausted or self._full(self._budget, len(self._open)):
            return None
        if not self._controller.ready(self._next) or self._enough():
            return None
        try:
            proposal = self._controller.ask(self._next)
        except SpaceExhausted as error:
            self._exhausted = str(error)
            return None
        self._next += 1
        self.store(proposal)
        self._warn(proposal.number)
        return proposal

    def _warn(self, number: int) -> None:
        """Write a new trouble of the controller once, not at every ask while it lasts."""
        trouble = self._controller.trouble
        if trouble and trouble != self._trouble:
            self._ledger.warn(self._lease, number, trouble)
        self._trouble = trouble

    def store(self, proposal: Proposal) -> None:
        """Write a proposal as a waiting trial. Its costs are computed from the graph, before any tensor exists."""
        costs = analyse(proposal.architecture)
        self._ledger.add_trial(
            self._lease,
            number=proposal.number,
            architecture=proposal.architecture.to_json(),
            hash=proposal.architecture.hash,
            choices=dict(proposal.choices),
            behaviour=dict(proposal.behaviour),
            params=costs.params,
            macs=costs.macs,
            provenance=proposal.provenance,
        )

    def _finish(self) -> str:
        full = self._enough() or self._full(self._budget, 0) or "budget_trials"
        self._stop_signal.end("space_exhausted" if self._exhausted else full)
        return str(Searcher.FINISHED)

    def _stop(self) -> None:
        """End the search at once if the outcomes so far meet a stop rule."""
        if self._spec.reproducible:
            return
        if reason := end_of_search.ended(self._spec.stop, self._outcomes, self._objective):
            self._stop_signal.end(reason)

    def _enough(self) -> str | None:
        """Why a reproducible search asks for no further trial."""
        if not self._spec.reproducible:
            return None
        return end_of_search.ended(self._spec.stop, end_of_search.before(self._outcomes, self._next), self._objective)

    @property
    def _budget(self) -> Budget:
        """As the user has it now; a plan's values stay where the user left them to it."""
        own, live = self._spec.budget, self._stop_signal.budget
        if live is None or self._spec.reproducible:
            return own
        return replace(own, trials=live.trials, seconds=live.seconds, total_epochs=live.total_epochs)

    def _full(self, budget: Budget, open_: int) -> str | None:
        return end_of_search.full(budget, self._outcomes, open_, passes=self._passes)

    def has_room(self, budget: Budget) -> bool:
        """Whether another trial would be asked for under this budget."""
        return self._full(budget, 0) is None

    @property
    def exhausted(self) -> str | None:
        """Why the controller found no new architecture, else None."""
        return self._exhausted

    # ---- up: tell

    def on_trial_start(self, trial_id: str) -> None:
        """The time limit starts here, since a trial may wait long for a slot beside other jobs."""
        self._open[trial_id].started = time.monotonic()

    def goes_on(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether a trial is trained further after this epoch. Called before the epoch is in the ledger."""
        if result.get("failure"):
            return True
        trial, measurement = self._open[trial_id], _measurement(result)
        if self._broken(trial, measurement):
            return False
        trial.stopped = self._stopping.judge(trial.number, measurement.epoch, self._objective.point(measurement))
        trial.stopped = trial.stopped or self._too_long(trial, measurement)
        return trial.stopped is None

    def _too_long(self, trial: _Open, last: Measurement) -> str | None:
        """In a planned job, why a trial ends before its time limit: what it has learned then counts."""
        if self._ends is None or self._spec.reproducible or last.epoch >= len(self._ends) - 1:
            return None
        done, then = (self._ends[last.epoch + k] - self._ends[last.epoch + k - 1] for k in (0, 1))
        left = self._spec.trial.timeout_s - (time.monotonic() - trial.started)
        needed = last.seconds * then / done
        if needed <= left:
            return None
        return f"epoch {last.epoch}: the next one takes about {needed:.0f} s, and {max(0.0, left):.0f} s are left"

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        trial = self._open[trial_id]
        if result.get("failure"):
            trial.failure = result["reason"]
        else:
            self._measure(trial, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tune swallows what this raises and goes on, so a ledger that does not answer is kept for `check`."""
        try:
            self._complete(trial_id, result, error)
        except (LeaseLost, Unavailable) as failure:
            self._ledger_failure = self._ledger_failure or failure
            raise

    def check(self) -> None:
        """Raises LeaseLost, Unavailable where the end of a trial could not be stored: the next driver repeats it."""
        if self._ledger_failure is not None:
            raise self._ledger_failure

    def _complete(self, trial_id: str, result: dict[str, Any] | None, error: bool) -> None:
        trial = self._open.pop(trial_id, None)
        if trial is None:  # it has ended already; its process died afterwards
            return
        if result and result.get("failure"):
            trial.failure = result["reason"]
        if trial.failure:
            self._tell(trial, self._failed(trial, trial.failure))
            return
        if error or result is None:
            self._process_died(trial)
            return
        self._measure(trial, result)
        self._tell(trial, self._outcome(trial))

    def _measure(self, trial: _Open, result: dict[str, Any]) -> None:
        if result.get("epoch", 0) <= trial.epochs:
            return
        measurement = _measurement(result)
        if not self._ledger.add_measurement(self._lease, trial.number, trial.attempt, measurement):
            measurement = self._first(trial.number, measurement)
        trial.last = measurement
        self._curves.add(trial.number, measurement.epoch, self._objective.point(measurement))

    def _first(self, number: int, repeated: Measurement) -> Measurement:
        """The first measurement of an epoch that a resumed attempt repeats: it stands, as it does in the rungs."""
        stored = self._ledger.trial(self._lease.job_id, number).measurements
        first = next(measurement for measurement in stored if measurement.epoch == repeated.epoch)
        return first if self._objective.knows(first.facts) else repeated

    def _outcome(self, trial: _Open) -> Outcome:
        if trial.last is None:
            return Outcome(number=trial.number, state=TrialState.FAILED, reason="crashed: reported no measurement")
        if broken := self._broken(trial, trial.last):
            return _infeasible(trial, broken)
        full = trial.epochs >= self._spec.budget.trial_epochs
        values = self._objective.point(trial.last)
        return Outcome(
            number=trial.number,
            state=TrialState.COMPLETED if full else TrialState.PRUNED,
            value=self._objective.combined(values),
            values=values,
            epochs=trial.epochs,
            reason=None if full else trial.stopped,
            curve=tuple(map(self._objective.combined, self._curves.points(trial.number, trial.epochs))),
        )

    def _broken(self, trial: _Open, measurement: Measurement) -> str | None:
        """Which constraint on what a worker measures this trial breaks, in words."""
        if not self._limits:
            return None
        return limits.broken(self._limits, self._proposals[trial.number].architecture, measurement.measures)

    def _process_died(self, trial: _Open) -> None:
        """The trial's process is gone: after its time limit we ended it; before that, its machine lost it.

        If the cluster is away, all processes are gone and new ones end at once. Such an end is no attempt of the trial,
        and the search is suspended.
        """
        if connection.away():
            self._stop_signal.suspend("shutdown")
            return
        limit = self._spec.trial.timeout_s
        if time.monotonic() - trial.started >= limit:
            reason = f"timeout: ran longer than its limit of {limit:g} s"
            self._tell(trial, self._failed(trial, reason))
            return
        if self._ledger.end_attempt_lost(self._lease, trial.number, trial.attempt) is TrialState.LOST:
            self._pending.append(self._proposals[trial.number])
            return
        reason = self._ledger.trial(self._lease.job_id, trial.number).reason or "worker lost repeatedly"
        self._count(self._failed(trial, reason))

    def _failed(self, trial: _Open, reason: str) -> Outcome:
        """Counts the epochs measured before the failure, since they are spent.

        In a planned job the time limit is the plan's, no fault of the trial: what was measured before it counts.
        """
        if reason.startswith(TOO_LARGE):
            return _infeasible(trial, reason)
        if reason.startswith("timeout") and self._ends is not None and trial.last is not None:
            trial.stopped = reason
            return self._outcome(trial)
        return Outcome(number=trial.number, state=TrialState.FAILED, epochs=trial.epochs, reason=reason)

    def _tell(self, trial: _Open, outcome: Outcome) -> None:
        score, measures = (None, {}) if trial.last is None else (trial.last.score, trial.last.measures)
        beside = {name: value for name, value in measures.items() if name not in ("params", "macs")}
        self._ledger.finish_trial(self._lease, trial.number, trial.attempt, outcome, score, beside)
        self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._proposals.pop(outcome.number, None)
        self._controller.tell(outcome)
        if self._publish:
            self._ledger.set_controller_state(self._lease, len(self._outcomes), self._controller.state())
        self._on_end(outcome.number)
        self._stop()

    # ---- the end

    def cut(self, why: str) -> None:
        """End what Tune stopped in the middle by its last measurement, as if a rule had stopped it there."""
        for trial in [trial for trial in self._open.values() if trial.last is not None]:
            trial.stopped = why
            self._tell(trial, self._outcome(trial))
        self._open = {name: trial for name, trial in self._open.items() if trial.last is None}

    def open_attempts(self) -> list[tuple[int, int]]:
        """(number, attempt) of what Tune stopped without reporting: the search was paused, cancelled or out of time."""
        return [(trial.number, trial.attempt) for trial in self._open.values()]


def _infeasible(trial: _Open, reason: str) -> Outcome:
    return Outcome(number=trial.number, state=TrialState.INFEASIBLE, epochs=trial.epochs, reason=reason)


def _measurement(result: dict[str, Any]) -> Measurement:
    fields = {k: result[k] for k in ("epoch", "score", "train_loss", "seconds")}
    return Measurement(**fields, measures=dict(result.get("measures", ())))
