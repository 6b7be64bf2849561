"""After the search: finalists on the cluster, then the bundle, then the end of the job.

Each finalist is a row and a file of weights before the next step looks at it; a new driver repeats what is missing.
"""

import json
import logging
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from archsmith import __version__
from archsmith.errors import JobFailure, TrialFailure
from search.front import pareto
from search.ledger import Finalist, Job, Lease, Ledger, Trial
from search.ledger.values import FinalistState
from search.objective import Objective
from search.trial import JobState
from space.architecture import Architecture
from workers import bundle, cluster
from workers.compress.chain import Winner
from workers.compress.product import compress
from workers.control import Control
from workers.conventions import score_name
from workers.data import final_data
from workers.datasets import Dataset
from workers.finalists import FinalistResult, FinalistTask, choose, final_epochs, train_finalist
from workers.recipe import recipe, trial_seed
from workers.setting import Setting
from workers.settings import Settings
from workers.transfer import donor_of, told

log = logging.getLogger(__name__)


class Finish:
    """The last two phases of one job under its lease."""

    def __init__(self, settings: Settings, ledger: Ledger, lease: Lease, control: Control) -> None:
        self._settings, self._ledger, self._lease, self._control = settings, ledger, lease, control
        self._folder = settings.job_folder(lease.job_id)
        self._job: Job = ledger.job(lease.job_id)
        self._donor = donor_of(self._job.spec.init_from, settings.job_folder)

    def run(self, dataset: Dataset, setting: Setting, trained: Sequence[Trial]) -> None:
        """Raises JobFailure when no finalist could be trained. Returns early when the job must be put down."""
        chosen = choose(trained, self._job.spec.finalists.top, Objective.of(self._job.spec.objective))
        self._ledger.update_job(self._lease, phase="finalists")
        self._train(self._tasks(chosen, setting, dataset), dataset)
        if self._control.leaving:
            return
        finalists = [
            f for f in self._ledger.finalists(self._job.id)
            if f.test_score is not None and self._weights(f.rank, f.seed).is_file()
        ]  # fmt: skip
        if not finalists:
            reasons = {f.reason for f in self._ledger.finalists(self._job.id)}
            raise JobFailure(f"no finalist could be trained: {'; '.join(str(r) for r in reasons)[:300]}")
        self._publish(dataset, setting, chosen, finalists)

    # ---- finalists

    def _tasks(self, chosen: Sequence[Trial], setting: Setting, dataset: Dataset) -> list[FinalistTask]:
        spec = self._job.spec
        return [
            FinalistTask(
                rank=rank,
                number=trial.number,
                seed=seed,
                architecture=trial.architecture,
                recipe=recipe(
                    spec,
                    epochs=final_epochs(spec),
                    seed=trial_seed(spec.seed, trial.number, 1 + seed),
                    precision=setting.precision,
                    layout=setting.layout,
                    channels=dataset.info.input_shape[0],
                ),
            )
            for rank, trial in enumerate(chosen, start=1)
            for seed in range(spec.finalists.seeds)
        ]

    def _train(self, tasks: Sequence[FinalistTask], dataset: Dataset) -> None:
        ended = {(f.rank, f.seed) for f in self._ledger.finalists(self._job.id) if f.state in ("completed", "failed")}
        missing = [t for t in tasks if (t.rank, t.seed) not in ended]
        for task in missing:
            self._ledger.set_finalist(self._lease, self._row(task))
        spec = self._job.spec.trial
        data = final_data(dataset)
        results = cluster.run_tasks(
            train_finalist,
            missing,
            shared=replace(data, donor=self._donor) if self._donor else data,
            cpus=spec.cpus,
            gpus=spec.gpus,
            should_stop=lambda: self._control.leaving,
        )
        for task, result in results:
            self._store(task, result)

    def _store(self, task: FinalistTask, result: FinalistResult | TrialFailure) -> None:
        if isinstance(result, TrialFailure):
            result = FinalistResult(test_score=None, weights=b"", seconds=0.0, reason=str(result))
        if result.test_score is not None:
            path = self._weights(task.rank, task.seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            for file, content in ((path, result.weights), (_measures(path), json.dumps(result.measures).encode())):
                part = file.with_suffix(".part")
                part.write_bytes(content)
                part.replace(file)
        state: FinalistState = "completed" if result.test_score is not None else "failed"
        row = replace(
            self._row(task), state=state, test_score=result.test_score, seconds=result.seconds, reason=result.reason
        )
        self._ledger.set_finalist(self._lease, row)

    def _row(self, task: FinalistTask) -> Finalist:
        return Finalist(
            job_id=self._job.id,
            rank=task.rank,
            trial_number=task.number,
            seed=task.seed,
            state="running",
            epochs=task.recipe["epochs"],
        )

    def _weights(self, rank: int, seed: int) -> Path:
        return self._folder / "finalists" / f"{rank}-{seed}.safetensors"

    def _read_measures(self, finalist: Finalist) -> dict[str, float]:
        path = _measures(self._weights(finalist.rank, finalist.seed))
        return dict(json.loads(path.read_text())) if path.is_file() else {}

    def _mean_measures(self, finalists: Sequence[Finalist]) -> dict[str, float]:
        """Over the seeds of one architecture, of the scores that all of them have."""
        each = [self._read_measures(finalist) for finalist in finalists]
        return {name: fmean(one[name] for one in each) for name in each[0] if all(name in one for one in each)}

    # ---- the bundle

    def _publish(
        self, dataset: Dataset, setting: Setting, chosen: Sequence[Trial], finalists: Sequence[Finalist]
    ) -> None:
        """The winner is the first whose final training succeeded: the test split chooses nothing. The first is the
        best by the search's value; of several objectives, the one with the best search_score on the front."""
        self._ledger.update_job(self._lease, phase="bundle")
        winner = min(finalists, key=lambda f: (f.rank, f.seed))
        trial = chosen[winner.rank - 1]
        final = fmean(f.test_score for f in finalists if f.rank == winner.rank and f.test_score is not None)
        made = self._compressed(dataset, setting, trial, winner)
        if made is None:
            return
        extra, entry = made
        published = bundle.publish(
            self._folder,
            architecture=Architecture.from_json(trial.architecture),
            weights=self._weights(winner.rank, winner.seed).read_bytes(),
            preprocessing=bundle.Preprocessing(
                mean=dataset.mean, std=dataset.std, dtype=dataset.info.dtype, labels=dataset.class_names
            ),
            report=self._report(dataset, setting, trial, finalists, final) | ({"compression": entry} if entry else {}),
            extra=extra,
        )
        log.info("bundle of %d bytes, final score %.4f", published.bytes, final)
        self._ledger.finish_job(
            self._lease,
            JobState.SUCCEEDED,
            final_score=final,
            bundle_sha256=published.sha256,
            bundle_bytes=published.bytes,
        )

    def _compressed(
        self, dataset: Dataset, setting: Setting, trial: Trial, winner: Finalist
    ) -> tuple[dict[str, bytes], dict[str, Any]] | None:
        """What the job's `compress` section makes of the winner; None where the job must be put down."""
        if self._job.spec.compress is None:
            return {}, {}
        self._ledger.update_job(self._lease, phase="compress")
        [task] = [t for t in self._tasks([trial], setting, dataset) if t.seed == winner.seed]
        given = Winner(
            architecture=trial.architecture,
            weights=self._weights(winner.rank, winner.seed).read_bytes(),
            final_score=float(winner.test_score or 0.0),
        )
        return compress(
            self._job.spec,
            given,
            dataset,
            recipe=task.recipe,
            folder=self._folder,
            should_stop=lambda: self._control.leaving,
        )

    def _report(
        self, dataset: Dataset, setting: Setting, trial: Trial, finalists: Sequence[Finalist], final: float
    ) -> dict[str, Any]:
        job = self._ledger.job(self._job.id)
        belief = self._ledger.belief(self._job.id)
        info = dataset.info
        objective = Objective.of(job.spec.objective)
        return {
            "schema_version": "1",
            "job": {
                "id": job.id,
                "name": job.name,
                "created_at": job.created_at.isoformat(),
                "spec": job.spec.to_json(),
            },
            "search_score": trial.search_score,
            "final_score": final,
            "score": score_name(job.spec.objective.score, dataset.task),
            "measures": self._mean_measures([f for f in finalists if f.trial_number == trial.number]),
            "winner": {
                "trial": trial.number,
                "hash": trial.hash,
                "params": trial.params,
                "macs": trial.macs,
                "choices": trial.choices,
            },
            "init_from": told(trial.architecture, self._donor) if self._donor else None,
            "chosen_by": _chosen_by(objective),
            "front": _front(self._ledger, job, objective),
            "controller": {"name": job.spec.controller.name, "state": belief.state if belief else {}},
            "stopped_because": job.stopped_because,
            "trials": {state.value: count for state, count in job.counts.items()},
            "search_seconds": round(job.seconds_used, 3),
            "finalists": [
                {
                    "rank": f.rank,
                    "trial": f.trial_number,
                    "seed": f.seed,
                    "final_score": f.test_score,
                    "measures": self._read_measures(f),
                    "epochs": f.epochs,
                    "seconds": round(f.seconds, 3),
                }
                for f in sorted(finalists, key=lambda f: (f.rank, f.seed))
            ],
            "dataset": {
                "name": info.name,
                "sha256": info.sha256,
                "kind": info.kind,
                "task": dataset.task,
                "input_shape": list(info.input_shape),
                "classes": list(dataset.class_names),
                "sizes": dataset.split_sizes,
                "split_hashes": dataset.split_hashes,
            },
            "setting": setting.to_json(),
            "environment": {
                "archsmith": __version__,
                "python": platform.python_version(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
            },
        }


def _chosen_by(objective: Objective) -> str:
    """How the winner came to be it."""
    rule = "search_score on the validation split"
    if len(objective.names) > 1:
        rule = f"the best {rule} among the trials on the front of {', '.join(objective.names)}"
    elif objective.target is not None:
        rule = f"{rule} with a soft target for {objective.target.measure}"
    elif objective.names != ("score",):
        rule = f"the least {objective.names[0]}"
    return f"{rule}; the test split chose nothing"


def _front(ledger: Ledger, job: Job, objective: Objective) -> dict[str, Any] | None:
    """For the report, where there are several objectives."""
    if len(objective.names) == 1:
        return None
    front = pareto(ledger.facts(job.id), objective)
    return {
        "objectives": list(objective.names),
        "points": [{"trial": number, **measures} for number, measures in front.points],
        "hypervolume": front.hypervolume,
        "reference": front.reference,
    }


def _measures(weights: Path) -> Path:
    """Where the scores of a final training lie, beside its weights."""
    return weights.with_suffix(".json")
