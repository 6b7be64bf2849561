"""What a trial costs beside its training: no-op trials through archsmith and through plain Ray Tune, in one run.

    python -m benchmarks.overhead [--trials 200] [--workers 2] [--json OUT]

archsmith: controller, ledger (SQLite), searcher, reused actors. Plain: the same number of Tune function trials with
random search, Tune's defaults otherwise. Both on one local cluster, the plain ones first, start-up of actors included.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from ray import tune

from search.factory import make_controller
from search.ledger import open_ledger
from search.spec import Budget, ControllerSpec, JobSpec
from search.trial import Measurement
from space import presets
from space.space import Space
from workers.cluster import connection
from workers.cluster.search import run_search
from workers.cluster.searcher import LedgerSearcher
from workers.cluster.trial import TrialTask
from workers.job.context import JobContext
from workers.job.restore import Restored
from workers.settings import Settings
from workers.train.recipe import Recipe


class NoTraining:
    """A session that reports one score at once."""

    def __init__(self, task: TrialTask, data: Any) -> None:
        self._score = (task.number * 37 % 100) / 100

    def epoch(self) -> Measurement:
        return Measurement(epoch=1, score=self._score, train_loss=0.0, seconds=0.0)

    def measures(self) -> dict[str, float]:
        return {}


def ours(trials: int, folder: Path) -> float:
    """Seconds for a search of no-op trials through the ledger, the controller and Tune."""
    document = presets.load("chain")
    spec = JobSpec(dataset="digits", space=document, budget=Budget(trials=trials, epochs=1))
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.create_job(spec)
    lease = ledger.claim("benchmark", 3600)
    if lease is None:
        raise RuntimeError("the job could not be claimed")
    space = Space.parse(document, input_shape=(1, 28, 28), classes=10)
    context = JobContext.of(Settings(state=folder, database_url=""), ledger, lease)
    controller = make_controller(ControllerSpec(name="random"), space=space, constraints=(), seed=0)
    searcher = LedgerSearcher(
        context,
        Restored(controller=controller),
        slots=connection.slots(1, 0),
        make_task=lambda proposal, attempt: TrialTask(
            job_id=lease.job_id,
            number=proposal.number,
            attempt=attempt,
            architecture=proposal.architecture.to_json(),
            recipe=Recipe(epochs=1),
            timeout_s=60,
            checkpoint="",
        ),
    )
    began = time.perf_counter()
    run_search(searcher, context=context, data=None, start=NoTraining)
    seconds = time.perf_counter() - began
    stored = len(ledger.trials(lease.job_id, limit=trials + 1))
    ledger.close()
    if stored != trials:
        raise RuntimeError(f"expected {trials} trials in the ledger, found {stored}")
    return seconds


def plain(trials: int, folder: Path) -> float:
    """Seconds for the same number of plain Tune function trials."""

    def trial(config: dict[str, float]) -> None:
        tune.report({"score": config["x"]})

    began = time.perf_counter()
    tune.Tuner(
        trial,
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=trials),
        run_config=tune.RunConfig(storage_path=str(folder / "plain"), verbose=0),
    ).fit()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plain-trials", type=int, help="fewer plain ones, for a quick look")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
    connection.connect("", cpus=options.workers)
    plain_trials = options.plain_trials or options.trials
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs = plain(plain_trials, folder) / plain_trials
        mine = ours(options.trials, folder) / options.trials
    result = {"trials": options.trials, "workers": options.workers, "archsmith_s": mine, "plain_tune_s": theirs}
    print(f"{options.trials} trials, {options.workers} workers: archsmith {mine:.3f} s a trial, plain {theirs:.3f} s")
    print(f"ratio plain / archsmith: {theirs / mine:.1f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    connection.disconnect()


if __name__ == "__main__":
    main()
