"""The driver of one job, from its lease to its bundle: `python -m workers.driver JOB_ID --owner O --fence F`.

    assemble -> search -> (random arm) -> finalists -> bundle -> end

All its knowledge comes from the ledger, and every step is written there first, so after a crash at any line a new
driver does what is left: finished trials are replayed into the controller, lost ones resume from their checkpoints.
"""

import argparse
import logging
import os
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archsmith.errors import (
    ArchsmithError,
    ClusterAway,
    ConfigurationError,
    JobFailure,
    LeaseLost,
    Unavailable,
)
from search import limits
from search.factory import make_controller
from search.ledger import Lease, Ledger, open_ledger
from search.objective import Objective
from search.proposing import enqueue
from search.proposing.controller import Controller, Proposal
from search.proposing.in_order import DeterministicOrder
from search.proposing.interleaved import Interleaved
from search.streams import Stream, seed_of
from search.trial import RANDOM_ARM_FROM, JobState, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from space.constraint import Constraint
from space.space import Space
from workers.cluster import connection
from workers.cluster.search import run_search
from workers.cluster.searcher import LedgerSearcher
from workers.cluster.trial import Start, TrialTask
from workers.datasets import Dataset, DataStore
from workers.finalists.plan import has_arm, interleaves
from workers.job import more_time
from workers.job.context import JobContext
from workers.job.heartbeat import EXIT_CLUSTER_AWAY, EXIT_LEASE_LOST, EXIT_LEDGER_AWAY, THE_CLUSTER, Heartbeat
from workers.job.restore import Restored, follow_plan, measured, recall, replayed
from workers.phases import open_trials
from workers.phases.compress_again import CompressAgain
from workers.phases.finish import Finish
from workers.phases.interim_bundles import InterimBundles, tidy
from workers.phases.random_arm import RandomArm
from workers.planning.planner import Planner
from workers.probes.calibration import admissible, calibrated
from workers.probes.energy_check import check_energy
from workers.probes.simple_models import before_search
from workers.settings import Settings
from workers.train.job_data import JobData, search_data
from workers.train.numerics import Numerics
from workers.train.prepare import trial_recipe
from workers.weights import best_weights
from workers.weights.inherit import find_donor

if TYPE_CHECKING:
    from workers.tracking.writer import OutboxWriter

log = logging.getLogger("archsmith.driver")

DRAIN_S = 60.0


class Driver:
    """Runs one job under one lease. `start` replaces the training of a trial in tests and benchmarks."""

    def __init__(self, settings: Settings, ledger: Ledger, lease: Lease, *, start: Start | None = None) -> None:
        self._context = JobContext.of(settings, ledger, lease)
        self._ledger, self._lease, self._spec = ledger, lease, self._context.spec
        self._stop, self._start = self._context.stop, start
        self._measuring = False
        self._planner: Planner | None = None

    @property
    def context(self) -> JobContext:
        return self._context

    def run(self) -> None:
        """Do what is left of the job. An ArchsmithError becomes the reason why the job failed, except for two.

        Raises LeaseLost, and Unavailable when the ledger or the cluster does not answer: the next driver continues from
        here.
        """
        context = self._context
        context.folder.mkdir(parents=True, exist_ok=True)
        heartbeat = Heartbeat(context, waiting_for=self._shortage, away=connection.away, put_back=self._put_back)
        writer = self._writer()
        heartbeat.start()
        if writer:
            writer.start()
        try:
            self._steps()
        except ClusterAway:
            self._put_back()
            raise
        except (LeaseLost, Unavailable):
            raise
        except ArchsmithError as error:
            log.error("the job fails: %s", error)
            self._ledger.finish_job(self._lease, JobState.FAILED, reason=more_time.reason(error, self._context.job()))
        finally:
            heartbeat.stop()
            if writer:
                writer.finish(timeout_s=DRAIN_S)

    def _writer(self) -> "OutboxWriter | None":
        if not self._context.settings.mlflow_url:
            return None
        from workers.tracking.writer import OutboxWriter  # loads mlflow: 1.7 s of a processor

        return OutboxWriter(self._context.settings, self._ledger, self._context.job_id)

    def _steps(self) -> None:
        settings, job = self._context.settings, self._context.job()
        self._stop.over = job.stopped_because is not None
        planned = self._spec.budget.planned and (self._spec.compress is None or self._spec.compress.of is None)
        if planned:  # from here on each moment counts
            self._context.begin_phase("plan")
        else:
            self._ledger.update_job(self._lease, phase="prepare")
        store = DataStore(settings.datasets)
        dataset = store.open(self._spec.dataset, seed=self._spec.seed, task=self._spec.space.get("data"))
        connection.connect(settings.ray_address, state=settings.state)
        self._on_signals()
        check_energy(self._spec)
        numerics = calibrated(self._spec, dataset, settings.state)
        log.info("job %s on %s with %s", self._context.job_id, dataset.info.name, numerics)
        if planned:
            self._planner = Planner(self._context)
            self._take(self._planner.begin(dataset, numerics))
        if self._spec.compress is not None and self._spec.compress.of is not None:
            CompressAgain(self._context).run(dataset, numerics)
        else:
            self._whole_job(dataset, numerics)
        if self._stop.suspending:
            self._suspend()

    def _whole_job(self, dataset: Dataset, numerics: Numerics) -> None:
        interim = InterimBundles(self._context, dataset)
        interim.start()
        try:
            self._phases(dataset, numerics)
        finally:
            interim.stop()
        if self._context.job().state is JobState.SUCCEEDED:
            tidy(self._context.folder)

    def _phases(self, dataset: Dataset, numerics: Numerics) -> None:
        if not self._stop.over:
            before_search(self._context, dataset)
        if not self._stop.over and not self._stop.suspending:
            self._search(dataset, numerics)
        if not self._stop.suspending:
            trained = [t for t in self._ledger.history(self._context.job_id) if t.value is not None]
            if not trained:
                raise JobFailure(f"no trial succeeded: {self._failures()}")
            if has_arm(self._spec, planned=self._context.plan is not None) and not self._stop.hurried:
                self._random_arm(dataset, numerics)
        if not self._stop.suspending:
            if self._planner is not None:
                self._take(self._planner.for_finals())
            Finish(self._context).run(dataset, numerics)

    def _take(self, context: JobContext) -> None:
        """Go on with a context that has the plan's values in its spec."""
        self._context, self._spec = context, context.spec

    def _on_signals(self) -> None:
        """Called after Ray has set its own handlers. On SIGTERM the service stops and the job returns to the queue."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop.suspend("shutdown"))
        signal.signal(signal.SIGINT, lambda *_: self._stop.suspend("shutdown"))

    def _shortage(self) -> str | None:
        if not self._stop.searching or self._measuring or self._context.job().counts.get(TrialState.RUNNING):
            return None
        return connection.shortage(self._spec.trial.cpus, self._spec.trial.gpus)

    # ---- the search

    def _search(self, dataset: Dataset, numerics: Numerics) -> None:
        self._context.begin_phase("search")
        self._ledger.recover(self._lease)
        restored = self._restored(dataset)
        searcher = LedgerSearcher(
            self._context,
            restored,
            slots=connection.slots(self._spec.trial.cpus, self._spec.trial.gpus),
            make_task=lambda proposal, attempt: self._task(proposal, attempt, dataset, numerics),
            on_end=self._trial_ended,
        )
        self._stop.start()
        run_search(searcher, context=self._context, data=self._data(dataset), start=self._start)
        self._stop.halt()
        self._end_search(searcher)

    def _data(self, dataset: Dataset) -> JobData:
        """The data of all trials, both of the search and of its random arm."""
        return replace(search_data(dataset), donor=find_donor(self._spec.init_from, self._context.settings.job_folder))

    def _restored(self, dataset: Dataset) -> Restored:
        """The controller in its last state, and the rest of the search as the ledger has it."""
        spec, objective = self._spec, Objective.of(self._spec.objective)
        space, constraints = self._space(dataset)
        controller = make_controller(
            spec.controller,
            space=space,
            constraints=constraints,
            seed=spec.seed,
            objectives=len(objective.names),
            trials=spec.budget.trials if self._context.plan is None else self._context.plan.architectures,
        )
        if self._context.plan is not None:
            follow_plan(controller, self._context.plan, None if self._planner is None else self._planner.costs)
        inner = controller
        if interleaves(spec, planned=self._context.plan is not None):
            controller = Interleaved(controller, space, constraints=constraints, seed=spec.seed)
        controller.enqueue([enqueue.resolve(space, answers) for answers in spec.enqueue])
        recall(controller, self._ledger, self._lease, spec, space, constraints)
        own = [trial for trial in self._ledger.history(self._context.job_id) if trial.provenance != "prior"]
        if spec.controller.options.get("warm") == "zero_cost":
            self._rank_starts(inner, dataset, asked=len(own))
        if spec.reproducible:
            controller = DeterministicOrder(controller)
        return replayed(controller, own, measured(self._ledger, self._context.job_id, objective), objective)

    def _space(self, dataset: Dataset) -> tuple[Space, tuple[Constraint, ...]]:
        shape, tasks = dataset.info.input_shape, (dataset.task,)
        space = Space.parse(self._spec.space, input_shape=shape, classes=dataset.classes, tasks=tasks)
        return space, limits.known(limits.parsed(self._spec.objective.constraints))

    def _random_arm(self, dataset: Dataset, numerics: Numerics) -> None:
        arm = RandomArm(
            self._context,
            make_task=lambda proposal, attempt: self._task(proposal, attempt, dataset, numerics),
            on_end=self._remove_checkpoints,
        )
        arm.run(*self._space(dataset), data=self._data(dataset), start=self._start)
        if not self._stop.suspending:
            shutil.rmtree(self._context.folder / "checkpoints", ignore_errors=True)

    def _rank_starts(self, controller: Controller, dataset: Dataset, *, asked: int) -> None:
        """Rank the random starts that the controller has yet to propose. Their seconds count as the search's."""
        from search.surrogate.controller import SurrogateController
        from workers.probes.zero_cost import ZeroCostRanking

        if not isinstance(controller, SurrogateController) or not controller.is_start(asked):
            return
        self._context.begin_phase("proxies")
        self._stop.start()
        self._measuring = True
        ranking = ZeroCostRanking(spec=self._spec, dataset=dataset, folder=self._context.folder, stop=self._stop)
        controller.guesses = ranking.guesses(controller)
        self._measuring = False
        self._stop.halt()
        self._context.begin_phase("search")

    def _task(self, proposal: Proposal, attempt: int, dataset: Dataset, numerics: Numerics) -> TrialTask:
        spec, number = self._spec, proposal.number
        seed = seed_of(Stream.TRIAL, spec.seed, number)
        return TrialTask(
            job_id=self._context.job_id,
            number=number,
            attempt=attempt,
            architecture=proposal.architecture.to_json(),
            recipe=trial_recipe(spec, numerics, dataset, self._context.plan, seed=seed),
            timeout_s=spec.trial.timeout_s,
            checkpoint=str(self._checkpoint(number)),
            objective=spec.objective.to_json(),
            known=_known(proposal.architecture, Objective.of(spec.objective)),
            keep_best=str(self._context.folder / best_weights.FOLDER) if number < RANDOM_ARM_FROM else "",
            settings=admissible(spec, numerics, self._context.plan),
        )

    def _checkpoint(self, number: int) -> Path:
        return self._context.folder / "checkpoints" / f"{number}.pt"

    def _trial_ended(self, number: int) -> None:
        self._remove_checkpoints(number)
        if self._planner is not None:
            self._planner.trial_ended()
            self._take(self._planner.context)

    def _remove_checkpoints(self, number: int) -> None:
        for path in self._checkpoint(number).parent.glob(f"{number}.pt*"):
            path.unlink(missing_ok=True)

    def _end_search(self, searcher: LedgerSearcher) -> None:
        """Write how the search ended, unless the job is suspended and the search goes on later."""
        reason = self._stop.reason or "budget_trials"
        if self._extended_meanwhile(searcher):
            self._stop.suspend("continue")
        if self._context.plan is not None and not self._stop.suspending:
            searcher.cut(f"the search ended: {reason}")
        trials = list(self._ledger.history(self._context.job_id))
        scored = reason == "finish" or not any(trial.value is not None for trial in trials)
        why = f"the search ended: {reason}"
        if not open_trials.settle(self._context, searcher, trials, why=why, scored=scored):
            return
        detail = searcher.exhausted if reason == "space_exhausted" else None
        self._ledger.end_search(self._lease, reason, detail=detail, seconds_used=self._stop.seconds_used())
        self._stop.over = True
        shutil.rmtree(self._context.folder / "checkpoints", ignore_errors=True)

    def _extended_meanwhile(self, searcher: LedgerSearcher) -> bool:
        """Whether the search ended by its budget, and the user has raised that since. The next driver goes on."""
        budget, used_s = self._ledger.control(self._lease).budget, self._stop.seconds_used()
        by_budget = (self._stop.reason or "").startswith("budget_")
        plan = self._context.plan
        more = used_s < budget.seconds if plan is None else budget.seconds > plan.seconds
        return by_budget and more and searcher.has_room(budget)

    def _put_back(self) -> None:
        """Suspend the job until the cluster is back. A private cluster may have been ended by the job itself, so there
        it counts as a failure of the driver."""
        if self._context.settings.ray_address:
            self._suspend(waiting_for=THE_CLUSTER)

    def _suspend(self, waiting_for: str | None = None) -> None:
        """Suspend the job: paused or cancelled if the user asked for it, else queued for the next driver."""
        self._context.costs.begin(None)
        phases = self._context.costs.snapshot()
        self._ledger.update_job(self._lease, seconds_used=self._stop.seconds_used(), phases=phases)
        self._ledger.pause_job(self._lease, waiting_for=waiting_for)

    def _failures(self) -> str:
        """The reasons of the failed trials, most frequent first."""
        reasons = Counter(
            (t.reason or t.state.value).split(":")[0]
            for t in self._ledger.history(self._context.job_id)
            if t.state.terminal
        )
        return ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(5)) or "none was run"


def _known(architecture: Architecture, objective: Objective) -> dict[str, float]:
    """The measures that the objective needs and that the analysis computes without training."""
    costs = analyse(architecture).measures
    names = {"params": "params", "macs": "macs", "memory_mb": "peak_memory_mb"}
    return {name: float(costs[own]) for name, own in names.items() if name in objective.needs}


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
        return EXIT_CLUSTER_AWAY if isinstance(error, ClusterAway) else EXIT_LEDGER_AWAY
    finally:
        connection.disconnect()
        ledger.close()
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # Ray's and gRPC's threads may still run; everything that matters is written
