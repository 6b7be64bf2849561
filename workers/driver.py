"""The driver of one job, from its lease to its bundle: `python -m workers.driver JOB_ID --owner O --fence F`.

    assemble -> search -> finalists -> bundle -> end

Everything it knows comes from the ledger, and every step is written there first, so that after a crash at any line a
new driver does what is left: finished trials are replayed into the controller, lost ones go on from their checkpoint.
"""

import argparse
import logging
import os
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from archsmith.errors import ArchsmithError, ConfigurationError, JobFailure, LeaseLost, Unavailable
from search import enqueue, prior
from search.controller import Controller, Proposal
from search.factory import make_controller
from search.inorder import InOrder
from search.ledger import Job, Lease, Ledger, Trial, open_ledger
from search.spec import JobSpec
from search.trial import JobState, Outcome, TrialState
from space.architecture import Architecture
from space.constraint import Constraint
from space.space import Space
from workers import cluster
from workers.control import Control
from workers.data import search_data
from workers.datasets import Dataset, DataStore
from workers.finish import Finish
from workers.heartbeat import EXIT_LEASE_LOST, Heartbeat
from workers.recipe import recipe, trial_seed
from workers.searcher import LedgerSearcher
from workers.setting import Setting, calibrated
from workers.settings import Settings
from workers.tracking import OutboxWriter
from workers.trial import Start, TrialTask

log = logging.getLogger("archsmith.driver")

DRAIN_S = 60.0
EXIT_UNAVAILABLE = 69


class Driver:
    """Runs one job under one lease. `start` replaces the training of a trial in tests and benchmarks."""

    def __init__(self, settings: Settings, ledger: Ledger, lease: Lease, *, start: Start | None = None) -> None:
        self._settings, self._ledger, self._lease, self._start = settings, ledger, lease, start
        self._job: Job = ledger.job(lease.job_id)
        self._spec: JobSpec = self._job.spec
        self._folder = settings.job_folder(lease.job_id)
        self._control = Control(used_s=self._job.seconds_used, limit_s=self._spec.budget.seconds)

    @property
    def control(self) -> Control:
        return self._control

    def run(self) -> None:
        """Do what is left of the job. Any of our errors becomes the job's reason to fail, but for two.

        Raises LeaseLost, and Unavailable when the ledger does not answer: the next driver goes on where this one stood.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        heartbeat = Heartbeat(
            self._ledger,
            self._lease,
            self._control,
            lease_s=self._settings.lease_s,
            waiting_for=self._waiting_for,
        )
        writer = OutboxWriter(self._settings, self._ledger, self._lease.job_id) if self._settings.mlflow_url else None
        heartbeat.start()
        if writer:
            writer.start()
        try:
            self._steps()
        except (LeaseLost, Unavailable):
            raise
        except ArchsmithError as error:
            log.error("the job fails: %s", error)
            self._ledger.finish_job(self._lease, JobState.FAILED, reason=str(error).splitlines()[0][:500])
        finally:
            heartbeat.stop()
            if writer:
                writer.finish(timeout_s=DRAIN_S)

    def _steps(self) -> None:
        store = DataStore(self._settings.datasets)
        dataset = store.open(self._spec.dataset, seed=self._spec.seed, task=self._spec.space.get("data"))
        cluster.connect(self._settings.ray_address)
        self._on_signals()
        setting = calibrated(self._spec, dataset, self._settings.state)
        log.info("job %s on %s with %s", self._job.id, dataset.info.name, setting)
        if not self._job.stopped_because:
            self._search(dataset, setting)
        if not self._control.leaving:
            trained = [t for t in self._ledger.history(self._job.id) if t.value is not None]
            if not trained:
                raise JobFailure(f"no trial succeeded: {self._failures()}")
            Finish(self._settings, self._ledger, self._lease, self._control).run(dataset, setting, trained)
        if self._control.leaving:
            self._leave()

    def _on_signals(self) -> None:
        """After Ray's own handlers are set. SIGTERM: the service stops, the job goes back to the queue."""
        signal.signal(signal.SIGTERM, lambda *_: self._control.leave("shutdown"))
        signal.signal(signal.SIGINT, lambda *_: self._control.leave("shutdown"))

    def _waiting_for(self) -> str | None:
        if not self._control.searching or self._ledger.job(self._job.id).counts.get(TrialState.RUNNING):
            return None
        return cluster.shortage(self._spec.trial.cpus, self._spec.trial.gpus)

    # ---- the search

    def _search(self, dataset: Dataset, setting: Setting) -> None:
        self._ledger.update_job(self._lease, phase="search")
        self._ledger.recover(self._lease)
        controller, pending, history = self._restored(dataset)
        searcher = LedgerSearcher(
            ledger=self._ledger,
            lease=self._lease,
            spec=self._spec,
            controller=controller,
            control=self._control,
            slots=cluster.slots(self._spec.trial.cpus, self._spec.trial.gpus),
            make_task=lambda proposal, attempt: self._task(proposal, attempt, dataset, setting),
            pending=pending,
            next_number=sum(trial.provenance != "prior" for trial in history),
            told=[_outcome(trial) for trial in history if trial.state.terminal and trial.provenance != "prior"],
            forget=self._forget,
        )
        self._control.start()
        cluster.run_search(
            searcher,
            spec=self._spec,
            data=search_data(dataset),
            control=self._control,
            folder=self._folder / "tune",
            start=self._start,
        )
        self._control.halt()
        self._settle(searcher)

    def _restored(self, dataset: Dataset) -> tuple[Controller, list[Proposal], list[Trial]]:
        """The controller as it was, the proposals without an outcome, and the trials so far."""
        space = Space.parse(
            self._spec.space, input_shape=dataset.info.input_shape, classes=dataset.classes, tasks=(dataset.task,)
        )
        constraints = tuple(Constraint.parse(text) for text in self._spec.objective.constraints)
        controller = make_controller(self._spec.controller, space=space, constraints=constraints, seed=self._spec.seed)
        if self._spec.reproducible:
            controller = InOrder(controller)
        controller.enqueue([enqueue.resolve(space, answers) for answers in self._spec.enqueue])
        self._recall(controller, space, constraints)
        history = list(self._ledger.history(self._job.id))
        pending = []
        for trial in history:
            if trial.provenance == "prior":
                continue
            proposal = _proposal(trial)
            outcome = _outcome(trial) if trial.state.terminal else None
            controller.restore(proposal, outcome)
            if outcome is None:
                pending.append(proposal)
        return controller, pending, history

    def _recall(self, controller: Controller, space: Space, constraints: Sequence[Constraint]) -> None:
        """Teach the trials of earlier jobs, and write the best of those whose scores hold here beside our own."""
        earlier = [prior.look(self._ledger, job_id) for job_id in self._spec.warm_start.jobs]
        found = prior.gather(self._spec, space, [job for job in earlier if job is not None])
        controller.recall([one for one, _ in found])
        there = self._ledger.trials(self._job.id, after=prior.FIRST_NUMBER - 1, limit=1_000)
        best = prior.best_settled(found, space, constraints, self._spec.finalists.top)
        for number, trial in enumerate(best, prior.FIRST_NUMBER):
            if number not in {one.number for one in there}:
                self._ledger.add_prior(self._lease, number, trial)

    def _task(self, proposal: Proposal, attempt: int, dataset: Dataset, setting: Setting) -> TrialTask:
        spec, number = self._spec, proposal.number
        values = recipe(
            spec,
            epochs=spec.budget.epochs,
            seed=trial_seed(spec.seed, number),
            precision=setting.precision,
            layout=setting.layout,
            channels=dataset.info.input_shape[0],
        )
        return TrialTask(
            job_id=self._job.id,
            number=number,
            attempt=attempt,
            architecture=proposal.architecture.to_json(),
            recipe=values,
            timeout_s=spec.trial.timeout_s,
            checkpoint=str(self._checkpoint(number)),
        )

    def _checkpoint(self, number: int) -> Path:
        return self._folder / "checkpoints" / f"{number}.pt"

    def _forget(self, number: int) -> None:
        for path in self._checkpoint(number).parent.glob(f"{number}.pt*"):
            path.unlink(missing_ok=True)

    def _settle(self, searcher: LedgerSearcher) -> None:
        """Close what Tune stopped without a word, by the reason why the search ended."""
        if self._control.leaving:
            for number, attempt in searcher.open_attempts():
                self._ledger.interrupt(self._lease, number, attempt)
            return
        reason = self._control.reason or "budget_trials"
        for trial in self._ledger.history(self._job.id):
            if not trial.state.terminal:
                outcome = Outcome(number=trial.number, state=TrialState.CANCELLED, reason=f"the search ended: {reason}")
                self._ledger.finish_trial(self._lease, trial.number, None, outcome)
        detail = searcher.exhausted if reason == "space_exhausted" else None
        self._ledger.end_search(self._lease, reason, detail=detail, seconds_used=self._control.seconds_used())
        shutil.rmtree(self._folder / "checkpoints", ignore_errors=True)

    def _leave(self) -> None:
        """Put the job down: paused or cancelled as the user wants, else queued for the next driver."""
        self._ledger.update_job(self._lease, seconds_used=self._control.seconds_used())
        self._ledger.pause_job(self._lease)

    def _failures(self) -> str:
        """What kept all trials from succeeding, most frequent first."""
        reasons = Counter(
            (t.reason or t.state.value).split(":")[0] for t in self._ledger.history(self._job.id) if t.state.terminal
        )
        return ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(5)) or "none was run"


def _proposal(trial: Trial) -> Proposal:
    return Proposal(
        number=trial.number,
        architecture=Architecture.from_json(trial.architecture),
        choices=trial.choices,
        behaviour=trial.behaviour,
        provenance=trial.provenance,
    )


def _outcome(trial: Trial) -> Outcome:
    """Of a trial that has ended."""
    trained = trial.state in (TrialState.COMPLETED, TrialState.PRUNED)
    return Outcome(
        number=trial.number,
        state=trial.state,
        value=trial.value if trained else None,
        epochs=trial.epochs,
        reason=trial.reason if not trained else None,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.driver")
    parser.add_argument("job_id")
    parser.add_argument("--owner", required=True)
    parser.add_argument("--fence", type=int, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = Settings.from_env()
        ledger = open_ledger(settings.database_url)
    except ConfigurationError as error:
        log.error("%s", error)
        return 2
    lease = Lease(job_id=options.job_id, owner=options.owner, fence=options.fence)
    try:
        Driver(settings, ledger, lease).run()
    except LeaseLost as error:
        log.error("%s", error)
        return EXIT_LEASE_LOST
    except Unavailable as error:
        log.error("%s", error)
        return EXIT_UNAVAILABLE
    finally:
        cluster.disconnect()
        ledger.close()
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # Ray's and gRPC's threads may outlive their use; all that matters is written
