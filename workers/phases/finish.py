"""After the search: final trainings on the cluster, then the report and the bundle, then the end of the job.

What each step leaves is stored before the next one reads it, so a new driver repeats only what is missing.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from archsmith.errors import JobFailure, TrialFailure
from search.ledger import Role, Trial
from search.objective import Objective
from search.planning.values import Plan, PlanInputs
from search.streams import Stream, seed_of
from search.trial import JobState
from space.architecture import Architecture
from workers import bundle
from workers.cluster.tasks import run_tasks
from workers.compress.chain import Winner
from workers.compress.product import compress
from workers.conventions import score_name
from workers.datasets import Dataset, DataStore
from workers.finalists import folds, spare
from workers.finalists.plan import Final, random_trials
from workers.finalists.plan import plan as finals_of
from workers.finalists.selection import REPETITION, Selection, candidates, described, winner_first
from workers.finalists.training import FinalistTask, choose
from workers.finalists.turns import expected_seconds
from workers.job.context import JobContext
from workers.phases import in_time
from workers.phases.final_files import FinalFiles
from workers.phases.final_trainings import FinalTrainings
from workers.phases.select_winner import fold_sizes, select, stored
from workers.probes.simple_models import known, simple_models
from workers.report.contents import Findings, assemble
from workers.report.page import render
from workers.report.trained import Trained
from workers.train.job_data import JobData, search_data
from workers.train.numerics import Numerics
from workers.train.prepare import final_recipe, trial_recipe
from workers.weights.best_weights import BestWeights
from workers.weights.inherit import find_donor, inherited_shares

log = logging.getLogger(__name__)

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
        self._limit, self._files = in_time.TimeLimit(context), FinalFiles(context)
        self._trainings = FinalTrainings(context, self._files, self._limit, self._donor)

    def run(self, dataset: Dataset, numerics: Numerics) -> None:
        """Raises JobFailure when no finalist could be trained. Returns early when the job must be suspended."""
        spec = self._spec
        searched = list(self._ledger.history(self._context.job_id))
        arm = random_trials(spec, self._ledger, self._context.job_id) if spec.finalists.random_arm else []
        planned = finals_of(spec, searched, arm)
        self._context.begin_phase("finalists")
        selected = self._selected(planned, numerics, dataset)
        if self._context.stop.suspending:
            return
        finals = winner_first(spec, planned, selected)
        if self._context.plan is not None:
            finals = spare.ranked_first(finals)
        tasks = self._tasks(finals, numerics, dataset)
        self._trainings.train(tasks, dataset)
        if self._context.stop.suspending:
            return
        if not self._context.stop.hurried:
            simple_models(self._context, dataset, "final")
        if self._context.stop.suspending:
            return
        trained = self._files.trained(finals)
        cut = self._limit.cut(len(tasks))
        best = self._limit.best
        if best and not any(entry.final.role == "finalist" for entry in trained):
            trained = [*self._own_weights(best, numerics, dataset, rank=len(finals) + 1), *trained]
            cut = self._limit.cut(len(tasks), own=best)
        if self._context.stop.suspending:
            return
        if not any(entry.final.role == "finalist" for entry in trained):
            reasons = {f.reason for f in self._ledger.finalists(self._context.job_id) if f.role == "finalist"}
            raise JobFailure(f"no finalist could be trained: {'; '.join(str(r) for r in reasons)[:300]}")
        self._publish(dataset, numerics, searched, arm, trained, described(planned, selected), cut)

    def _own_weights(self, best: BestWeights, numerics: Numerics, dataset: Dataset, *, rank: int) -> list[Trained]:
        """The best weights of the search, measured once on the test split; [] where that fails. rank: that none has."""
        values = trial_recipe(self._spec, numerics, dataset, self._context.plan, seed=self._spec.seed)
        final, task = in_time.own(best, self._ledger.trial(self._context.job_id, best.number), values, rank=rank)
        self._trainings.measure(task, in_time.OwnWeights(best.path), dataset)
        return self._files.trained([final])

    # ---- final trainings

    def _selected(self, finals: Sequence[Final], numerics: Numerics, dataset: Dataset) -> dict[int, Selection]:
        """By rank, the trainings that choose among the finalists; none where time is short."""
        if self._context.plan is not None:
            return self._selected_by_plan(self._context.plan, finals, numerics, dataset)
        if self._context.stop.hurried:
            return {}
        once = [replace(final, seeds=1) for final in candidates(self._spec, finals)]
        tasks = self._tasks(once, numerics, dataset, first=REPETITION)
        return select(self._context, tasks, replace(search_data(dataset), donor=self._donor))

    def _selected_by_plan(
        self, plan: Plan, finals: Sequence[Final], numerics: Numerics, dataset: Dataset
    ) -> dict[int, Selection]:
        """In time that would be left over (`workers.finalists.spare`); later drivers keep to what the first chose."""
        context = self._context
        if self._spec.reproducible:
            return {}
        inputs = PlanInputs.from_json((context.ledger.plan(context.job_id) or {})["inputs"])
        once = [replace(final, seeds=1) for final in finals if final.role != "fidelity"]
        score = score_name(self._spec.objective.score, dataset.task, dataset.problem)
        near = spare.close_ones(self._spec, finals, inputs.val_samples, score=score)
        close = [replace(final, seeds=1) for final in near]
        if not close:
            return {}
        ways = self._ways(close, numerics, dataset, spare.shortened(plan))
        expected = expected_seconds(plan, context.ledger.measurements(context.job_id))
        if not (context.ledger.finalists(context.job_id) or context.stop.hurried):
            full = self._tasks(once, numerics, dataset)
            left_s = plan.finals_end_s - context.clock.seconds()
            end_s = plan.finals_end_s - max(map(expected, full))
            for short, data in ways:
                if spare.is_spare(plan, inputs, short=short, full=full, expected=expected, left_s=left_s):
                    over = lambda: self._context.stop.hurried or context.clock.seconds() > end_s  # noqa: E731
                    return spare.whole(select(context, short, data, over=over), short)
        known = (spare.whole(stored(context, short, sizes=fold_sizes(data)), short) for short, data in ways)
        return next(filter(None, known), {})

    def _ways(
        self, close: Sequence[Final], numerics: Numerics, dataset: Dataset, plan: Plan
    ) -> list[tuple[list[FinalistTask], JobData | tuple[JobData, ...]]]:
        """The trainings that may choose, the better way first: by folds where the validation split is small."""
        found: list[tuple[list[FinalistTask], JobData | tuple[JobData, ...]]] = []
        if folds.possible(dataset):
            data = tuple(replace(one, donor=self._donor) for one in folds.fold_data(dataset))
            each = range(folds.FIRST, folds.FIRST + len(data))
            tasks = [task for first in each for task in self._tasks(close, numerics, dataset, first=first, plan=plan)]
            found.append((tasks, data))
        once = self._tasks(close, numerics, dataset, first=REPETITION, plan=plan)
        return [*found, (once, replace(search_data(dataset), donor=self._donor))]

    def _tasks(
        self,
        finals: Sequence[Final],
        numerics: Numerics,
        dataset: Dataset,
        *,
        first: int = 0,
        plan: Plan | None = None,
    ) -> list[FinalistTask]:
        """plan: in the place of the job's."""
        spec = self._spec
        return [
            FinalistTask(
                rank=final.rank,
                role=final.role,
                number=final.trial.number,
                seed=seed,
                architecture=final.trial.architecture,
                recipe=final_recipe(
                    spec,
                    numerics.of_trial(final.trial.measures),
                    dataset,
                    plan or self._context.plan,
                    seed=seed_of(Stream.FINAL, spec.seed, final.trial.number, seed),
                ),
            )
            for final in finals
            for seed in range(first, first + final.seeds)
        ]

    # ---- the bundle

    def _publish(
        self,
        dataset: Dataset,
        numerics: Numerics,
        searched: Sequence[Trial],
        arm: Sequence[Trial],
        trained: Sequence[Trained],
        selection: Sequence[dict[str, Any]],
        cut: str | None,
    ) -> None:
        """The winner is the first whose final training succeeded: the test split chooses nothing. The first is the
        one that `winner_first` chose; of several objectives, the one with the best search_score on the front."""
        winner = next(entry for entry in trained if entry.final.role == "finalist")
        first = winner.trainings[0].row
        weights = self._files.weights(first.rank, first.seed).read_bytes()
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
            selection=selection,
            simple=(known(self._context, "search"), known(self._context, "final")),
            cut=cut,
            plan=self._context.plan,
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
        if self._context.stop.left_s < in_time.EXPORTS_S:
            return bundle.Exports.none(in_time.NO_TIME)
        limit_s = min(self._export_seconds(), self._context.stop.left_s)
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
        if self._context.stop.hurried:  # its steps train, and how long is not known beforehand
            return {}, {"failed": in_time.NO_TIME}
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
