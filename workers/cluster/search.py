"""A job's trials on the cluster, by Ray Tune, until the search is over."""

import logging
import shutil
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.search import SearchGenerator

from workers.cluster import connection
from workers.cluster.scheduler import EarlyStoppingScheduler
from workers.cluster.searcher import LedgerSearcher
from workers.cluster.trial import ProcessSpoiled, Start, TrialActor
from workers.job.context import JobContext
from workers.stop_signal import StopSignal

log = logging.getLogger(__name__)


def run_search(
    searcher: LedgerSearcher,
    *,
    context: JobContext,
    data: Any,
    start: Start | None = None,
) -> None:
    """Run trials until the searcher or the stop signal ends the search; afterwards no trial is running.

    data: sent to every process that runs trials. start: replaces the training of a trial. Raises ClusterAway,
    LeaseLost, Unavailable.
    """
    spec, folder = context.spec, context.folder / "tune"
    actor = tune.with_parameters(TrialActor, data=data, start=start)
    actors = _Actors(searcher)
    tuner = tune.Tuner(
        tune.with_resources(actor, {"CPU": spec.trial.cpus, "GPU": spec.trial.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=SearchGenerator(searcher),
            scheduler=EarlyStoppingScheduler(searcher),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"t{trial.trial_id}",
            trial_dirname_creator=lambda trial: f"t{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(folder),
            stop=_SearchStopper(context.stop, actors),
            verbose=0,
            log_to_file=False,
            # Trials write their own checkpoints, by rename and only while they live.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            callbacks=[actors],
        ),
    )
    try:
        tuner.fit()
    except (RayError, TuneError):
        searcher.check()
        connection.check()
        raise
    searcher.check()
    connection.check()
    shutil.rmtree(folder, ignore_errors=True)


class _Actors(tune.Callback):
    """Follows the processes that trials run in: their start, their death, and their end with the search."""

    def __init__(self, searcher: LedgerSearcher) -> None:
        self._searcher = searcher
        self._alive: dict[str, Any] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._searcher.on_trial_start(trial.trial_id)
        self._alive[trial.trial_id] = trial.temporary_state.ray_actor

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._alive.pop(trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = Path(trial.error_file).read_text(encoding="utf-8") if trial.error_file else ""
        if ProcessSpoiled.__name__ not in error:
            log.warning("the process of Tune trial %s died: %s", trial.trial_id, error[-2000:])
        self._alive.pop(trial.trial_id, None)

    def end(self) -> None:
        """Kill them, even in the middle of an epoch: asked to end they would finish it, and Tune waits over 10 s."""
        while self._alive:
            ray.kill(self._alive.popitem()[1])


class _SearchStopper(tune.Stopper):
    """Stops the whole search, never a single trial."""

    def __init__(self, signal: StopSignal, actors: _Actors) -> None:
        self._signal, self._actors = signal, actors

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        stopping = self._signal.stopping
        if stopping:
            self._actors.end()
        return stopping

    def __getstate__(self) -> dict[str, Any]:  # Tune pickles it to resume; we resume from the ledger
        return {}
