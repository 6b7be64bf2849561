"""A searcher without Tune, for the tests beside it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from search.factory import make_controller
from search.ledger import Ledger
from search.objective import Objective
from search.proposing.in_order import DeterministicOrder
from search.spec import Budget, ControllerSpec, ObjectiveSpec, StopSpec, TrialSpec
from search.stopping.early_stopping import Curves
from search.trial import Outcome, TrialState
from space import presets
from space.space import Space
from tests import factories
from workers.cluster.searcher import LedgerSearcher
from workers.cluster.trial import TrialTask
from workers.job.context import JobContext
from workers.job.restore import Restored, measured
from workers.settings import Settings
from workers.stop_signal import StopSignal
from workers.train.recipe import Recipe

LIMIT_S = 60.0
EPOCH = {"epoch": 1, "score": 0.5, "train_loss": 1.0, "seconds": 0.1}
FAILURE = {"failure": "crashed", "reason": "crashed: RuntimeError: so it is"}


class Table:
    """A searcher with a ledger, two slots and a clock that stands."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        trials: int = 4,
        epochs: int = 1,
        scheduler: str = "none",
        objective: ObjectiveSpec | None = None,
        total: int | None = None,
        stop: StopSpec | None = None,
        reproducible: bool = False,
    ) -> None:
        document = presets.load("tiny")
        self.ledger = ledger
        self.lease = factories.owned_job(
            ledger,
            space=document,
            budget=Budget(trials=trials, epochs=epochs, total_epochs=total),
            trial=TrialSpec(timeout_s=LIMIT_S, scheduler=scheduler),
            objective=objective or ObjectiveSpec(),
            stop=stop or StopSpec(),
            reproducible=reproducible,
        )
        settings = Settings(state=Path(), database_url="")
        self.context = replace(JobContext.of(settings, ledger, self.lease), stop=StopSignal())
        self.forgotten: list[int] = []
        self.searcher = self.new_searcher()

    def measured(self) -> Curves:
        """As a new driver reads them back."""
        return measured(self.ledger, self.lease.job_id, Objective.of(self.ledger.job(self.lease.job_id).spec.objective))

    def new_searcher(
        self, *, next_number: int = 0, curves: Curves | None = None, outcomes: Sequence[Outcome] = ()
    ) -> LedgerSearcher:
        """As a new driver makes it; a random controller needs no history."""
        spec = self.ledger.job(self.lease.job_id).spec
        space = Space.parse(spec.space, input_shape=(1, 8, 8), classes=10)
        controller = make_controller(ControllerSpec(name="random"), space=space, constraints=(), seed=next_number)
        return LedgerSearcher(
            self.context,
            Restored(
                controller=DeterministicOrder(controller) if spec.reproducible else controller,
                next_number=next_number,
                outcomes=outcomes,
                curves=curves or Curves(),
            ),
            slots=2,
            make_task=lambda proposal, attempt: TrialTask(
                job_id=self.lease.job_id,
                number=proposal.number,
                attempt=attempt,
                architecture={},
                recipe=Recipe(epochs=spec.budget.trial_epochs),
                timeout_s=LIMIT_S,
                checkpoint="",
            ),
            on_end=self.forgotten.append,
        )

    def suggest(self, name: str) -> tuple[int, int]:
        """(number, attempt) of what Tune is given."""
        task = TrialTask.loads(self.searcher.suggest(name)["trial"])
        return task.number, task.attempt

    def state(self, number: int) -> tuple[TrialState, str | None]:
        trial = self.ledger.trial(self.lease.job_id, number)
        return trial.state, trial.reason


class Trial(NamedTuple):
    """As much of Tune's as the scheduler looks at."""

    trial_id: str
