"""After the search: final trainings on the cluster, then the report and the bundle, then the end of the job.

The result of a final training is stored as files and a row before the next step reads it, so a new driver repeats only
what is missing.
"""

import io
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import JobFailure, TrialFailure
from search.ledger import Finalist, Role, Trial
from search.ledger.values import FinalistState
from search.objective import Objective
from search.planning.values import Plan
from search.streams import Stream, seed_of
from search.trial import JobState
from space.architecture import Architecture
from workers import bundle
from workers.atomic import write_whole
from workers.cluster import connection
from workers.cluster.tasks import run_tasks
from workers.cluster.turns import run_in_turns
from workers.compress.chain import Winner
from workers.compress.product import compress
from workers.datasets import Dataset, DataStore
from workers.finalists.plan import Final, plan, random_trials
from workers.finalists.training import FinalistResult, FinalistTask, choose, train_finalist
from workers.finalists.turns import epoch_seconds, expected_seconds, in_turns, is_first
from workers.job.context import JobContext
from workers.report.contents import Findings, assemble
from workers.report.page import render
from workers.report.trained import Trained, Training
from workers.train.job_data import JobData, final_data
from workers.train.numerics import Numerics
from workers.train.prepare import final_epochs, recipe
from workers.weights.inherit import find_donor, inherited_shares

log = logging.getLogger(__name__)

Results = Iterator[tuple[FinalistTask, FinalistResult | TrialFailure]]

LATE, LATE_S = 0.05, 15.0
"""Share of a budget, or seconds, by which a bundle may be late; the exports of a planned job end before that."""

EXPORT_S = 900
"""Seconds of wall clock for the exports, after which the bundle goes without. Small networks need 10 to 12 s."""


class Finish:
    """The last two phases of one job."""

    def __init__(self, context: JobContext) -> None:
        self._context, self._spec = context, context.spec
        self._ledger, self._lease = context.ledger, context.lease
        self._donor = find_donor(context.spec.init_from, context.settings.job_folder)

    def run(self, dataset: Dataset, numerics: Numerics) -> None:
        """Raises JobFailure when no finalist could be trained. Returns early when the job must be suspended."""
        spec = self._spec
        searched = list(self._ledger.history(self._context.job_id))
        arm = random_trials(spec, self._ledger, self._context.job_id) if spec.finalists.random_arm else []
        finals = plan(spec, searched, arm)
        self._context.begin_phase("finalists")
        self._train(self._tasks(finals, numerics, dataset), dataset)
        if self._context.stop.suspending:
            return
        trained = self._trained(finals)
        if not any(entry.final.role == "finalist" for entry in trained):
            reasons = {f.reason for f in self._ledger.finalists(self._context.job_id) if f.role == "finalist"}
            raise JobFailure(f"no finalist could be trained: {'; '.join(str(r) for r in reasons)[:300]}")
        self._publish(dataset, numerics, searched, arm, trained)

    # ---- final trainings

    def _tasks(self, finals: Sequence[Final], numerics: Numerics, dataset: Dataset) -> list[FinalistTask]:
        spec = self._spec
        return [
            FinalistTask(
                rank=final.rank,
                role=final.role,
                number=final.trial.number,
                seed=seed,
                architecture=final.trial.architecture,
                recipe=recipe(
                    spec,
                    numerics,
                    dataset,
                    epochs=final_epochs(spec),
                    seed=seed_of(Stream.FINAL, spec.seed, final.trial.number, seed),
                    batch=self._context.batch,
                ),
            )
            for final in finals
            for seed in range(final.seeds)
        ]

    def _train(self, tasks: Sequence[FinalistTask], dataset: Dataset) -> None:
        ended = {
            (f.rank, f.seed) for f in self._ledger.finalists(self._context.job_id) if f.state in ("completed", "failed")
        }
        missing = [t for t in tasks if (t.rank, t.seed) not in ended]
        shared = replace(final_data(dataset), donor=self._donor)
        plan = self._context.plan
        results = self._all(missing, shared) if plan is None else self._in_turns(plan, missing, shared)
        for task, result in results:
            self._store(task, result)

    def _all(self, tasks: Sequence[FinalistTask], shared: JobData) -> Results:
        for task in tasks:
            self._begun(task)
        trial, stop = self._spec.trial, self._context.stop
        return run_tasks(
            train_finalist,
            tasks,
            shared=shared,
            cpus=trial.cpus,
            gpus=trial.gpus,
            should_stop=lambda: stop.suspending,
        )

    def _in_turns(self, plan: Plan, tasks: Sequence[FinalistTask], shared: JobData) -> Results:
        """As many as the plan has time for; of a reproducible job, as many as it has counted beforehand."""
        context, trial = self._context, self._spec.trial
        rows = context.ledger.finalists(context.job_id)
        there = any(row.rank == 1 and row.state == "completed" for row in rows)
        expected = expected_seconds(
            plan, epoch_seconds(context.ledger.measurements(context.job_id)), load_s=plan.load_s
        )

        def left() -> float:
            return plan.finals_end_s - context.clock.seconds()

        def over() -> bool:  # the winner's first training is waited for, since without it there is no bundle
            first = any(row.rank == 1 and row.state == "completed" for row in context.ledger.finalists(context.job_id))
            return not self._spec.reproducible and first and left() <= 0

        ordered = in_turns(tasks)
        ended = sum(row.state in ("completed", "failed") for row in rows)
        counted = ordered[: max(0, plan.trainings - ended)] if self._spec.reproducible else ordered
        return run_in_turns(
            train_finalist,
            counted,
            shared=shared,
            cpus=trial.cpus,
            gpus=trial.gpus,
            slots=connection.slots(trial.cpus, trial.gpus),
            fits=lambda task: self._spec.reproducible or (is_first(task) and not there) or expected(task) <= left(),
            begun=self._begun,
            should_stop=lambda: context.stop.suspending,
            time_over=over,
        )

    def _begun(self, task: FinalistTask) -> None:
        self._ledger.set_finalist(self._lease, self._row(task))

    def _store(self, task: FinalistTask, result: FinalistResult | TrialFailure) -> None:
        if isinstance(result, TrialFailure):
            result = FinalistResult(test_score=None, weights=b"", seconds=0.0, reason=str(result))
        if result.test_score is not None:
            path = self._weights(task.rank, task.seed)
            files = {path: result.weights, _measures(path): json.dumps(result.measures).encode()}
            if result.shares is not None:
                files[_shares(path)] = _npy(result.shares)
            for file, content in files.items():
                write_whole(file, content)
        state: FinalistState = "completed" if result.test_score is not None else "failed"
        row = replace(
            self._row(task), state=state, test_score=result.test_score, seconds=result.seconds, reason=result.reason
        )
        self._ledger.set_finalist(self._lease, row)

    def _row(self, task: FinalistTask) -> Finalist:
        return Finalist(
            job_id=self._context.job_id,
            rank=task.rank,
            role=task.role,
            trial_number=task.number,
            seed=task.seed,
            state="running",
            epochs=task.recipe.epochs,
        )

    def _weights(self, rank: int, seed: int) -> Path:
        return self._context.folder / "finalists" / f"{rank}-{seed}.safetensors"

    def _trained(self, finals: Sequence[Final]) -> list[Trained]:
        """The planned architectures that were trained successfully at least once, with their files."""
        rows = [
            f for f in self._ledger.finalists(self._context.job_id)
            if f.test_score is not None and self._weights(f.rank, f.seed).is_file()
        ]  # fmt: skip
        grouped = [(final, [row for row in rows if row.rank == final.rank]) for final in finals]
        return [
            Trained(final=final, trainings=tuple(self._training(row) for row in sorted(own, key=lambda f: f.seed)))
            for final, own in grouped
            if own
        ]

    def _training(self, row: Finalist) -> Training:
        path = self._weights(row.rank, row.seed)
        measures = dict(json.loads(_measures(path).read_text())) if _measures(path).is_file() else {}
        shares = np.load(_shares(path), allow_pickle=False) if _shares(path).is_file() else None
        return Training(row=row, measures=measures, shares=shares)

    # ---- the bundle

    def _publish(
        self,
        dataset: Dataset,
        numerics: Numerics,
        searched: Sequence[Trial],
        arm: Sequence[Trial],
        trained: Sequence[Trained],
    ) -> None:
        """The winner is the first whose final training succeeded: the test split chooses nothing. The first is the
        best by the search's value; of several objectives, the one with the best search_score on the front."""
        winner = next(entry for entry in trained if entry.final.role == "finalist")
        first = winner.trainings[0].row
        weights = self._weights(first.rank, first.seed).read_bytes()
        made = self._compressed(dataset, numerics, winner, weights)
        if made is None:
            return
        smaller, compression = made
        self._ledger.update_job(self._lease, phase="bundle", phases=self._context.costs.snapshot())
        preprocessing = bundle.Preprocessing.of(dataset)
        exports = self._exports(
            bundle.ExportTask(architecture=winner.trial.architecture, weights=weights, preprocessing=preprocessing)
        )
        if self._context.stop.suspending:
            return
        found = Findings(
            job=self._context.job(),
            dataset=dataset,
            numerics=numerics,
            searched=searched,
            random=arm,
            finals=self._ledger.finalists(self._context.job_id),
            trained=trained,
            winner=winner,
            references=self._references(searched, arm),
            duplicates=DataStore(self._context.settings.datasets).duplicates(dataset),
            transfer=inherited_shares(winner.trial.architecture, self._donor) if self._donor else None,
            compression=compression or None,
        )
        report = assemble(found, self._ledger)
        final = winner.scores.mean
        published = bundle.publish(
            self._context.folder,
            architecture=Architecture.from_json(winner.trial.architecture),
            weights=weights,
            preprocessing=preprocessing,
            report=report,
            exports=exports,
            more={"report.html": render(report).encode(), **smaller},
        )
        log.info("bundle of %d bytes, final score %.4f", published.bytes, final)
        self._ledger.finish_job(
            self._lease,
            JobState.SUCCEEDED,
            final_score=final,
            bundle_sha256=published.sha256,
            bundle_bytes=published.bytes,
        )

    def _exports(self, task: bundle.ExportTask) -> bundle.Exports:
        """The exported forms, made on the cluster. A bundle is published without a form that cannot be exported."""
        if not self._context.settings.exports:
            return bundle.Exports.none("the service has ARCHSMITH_EXPORTS=0")
        limit_s = self._export_seconds()
        deadline = time.monotonic() + limit_s
        results = run_tasks(
            bundle.export,
            [task],
            shared=None,
            cpus=self._spec.trial.cpus,
            gpus=0,
            should_stop=lambda: self._context.stop.suspending or time.monotonic() > deadline,
        )
        for _, result in results:
            return bundle.Exports.none(str(result)) if isinstance(result, TrialFailure) else result
        return bundle.Exports.none(f"the exporters were stopped after {limit_s:.0f} s")

    def _export_seconds(self) -> float:
        plan = self._context.plan
        if plan is None or self._spec.reproducible:
            return EXPORT_S
        late = max(LATE * plan.seconds, LATE_S)
        return min(EXPORT_S, max(plan.bundle_s, plan.seconds + 0.7 * late - self._context.clock.seconds()))

    def _compressed(
        self, dataset: Dataset, numerics: Numerics, winner: Trained, weights: bytes
    ) -> tuple[dict[str, bytes], dict[str, Any]] | None:
        """The winner after the job's `compress` section; None where the job must be suspended."""
        if self._spec.compress is None:
            return {}, {}
        self._context.begin_phase("compress")
        first = winner.trainings[0]
        [task] = [t for t in self._tasks([winner.final], numerics, dataset) if t.seed == first.row.seed]
        given = Winner(architecture=winner.trial.architecture, weights=weights, final_score=first.score)
        return compress(
            self._spec,
            given,
            dataset,
            recipe=task.recipe,
            donor=self._donor,
            folder=self._context.folder,
            should_stop=lambda: self._context.stop.suspending,
        )

    def _references(self, searched: Sequence[Trial], arm: Sequence[Trial]) -> dict[Role, Trial | None]:
        """The trials that the winner is compared with, as far as the job asks for them."""
        wanted, references = self._spec.finalists, dict[Role, Trial | None]()
        if wanted.random_arm:
            references["random"] = next(iter(choose(arm, 1, Objective.of(self._spec.objective))), None)
        if wanted.baseline:
            references["baseline"] = next((t for t in searched if t.provenance == "baseline"), None)
        return references


def _measures(weights: Path) -> Path:
    """File of a final training's scores."""
    return weights.with_suffix(".json")


def _shares(weights: Path) -> Path:
    """File of what each sample of the test split contributed to the score."""
    return weights.with_suffix(".npy")


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
