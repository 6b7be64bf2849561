"""What the final trainings of a job leave: a row of the ledger for each, weights and scores as files.

All are written before the next step reads them, so a new driver repeats only what is missing.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import TrialFailure
from search.ledger import Finalist
from search.ledger.values import FinalistState
from workers.atomic import write_whole
from workers.finalists.plan import Final
from workers.finalists.training import FinalistResult, FinalistTask
from workers.job.context import JobContext
from workers.report.trained import Trained, Training


class FinalFiles:
    """Those of one job."""

    def __init__(self, context: JobContext) -> None:
        self._context, self._ledger = context, context.ledger

    def missing(self, tasks: Sequence[FinalistTask]) -> list[FinalistTask]:
        """Those that have not ended under an earlier driver."""
        ended = {
            (f.rank, f.seed) for f in self._ledger.finalists(self._context.job_id) if f.state in ("completed", "failed")
        }
        return [t for t in tasks if (t.rank, t.seed) not in ended]

    def begun(self, task: FinalistTask) -> None:
        """Note that it runs."""
        self._ledger.set_finalist(self._context.lease, self._row(task))

    def store(self, task: FinalistTask, result: FinalistResult | TrialFailure) -> None:
        """Keep its files, then its row."""
        if isinstance(result, TrialFailure):
            result = FinalistResult(test_score=None, weights=b"", seconds=0.0, reason=str(result))
        if result.test_score is not None:
            path = self.weights(task.rank, task.seed)
            files = {path: result.weights, _measures(path): json.dumps(result.measures).encode()}
            for beside in (_shares(path), _answered(path)):
                beside.unlink(missing_ok=True)  # of the round before, in a job that was continued
            if result.shares is not None:
                files[_shares(path)] = _npy(result.shares)
            if result.answered is not None:
                files[_answered(path)] = json.dumps(result.answered, allow_nan=False).encode()
            for file, content in files.items():
                write_whole(file, content)
        state: FinalistState = "completed" if result.test_score is not None else "failed"
        row = replace(
            self._row(task), state=state, test_score=result.test_score, seconds=result.seconds, reason=result.reason
        )
        self._ledger.set_finalist(self._context.lease, row)

    def trained(self, finals: Sequence[Final]) -> list[Trained]:
        """The planned architectures that were trained successfully at least once, with their files."""
        rows = [
            f for f in self._ledger.finalists(self._context.job_id)
            if f.test_score is not None and self.weights(f.rank, f.seed).is_file()
        ]  # fmt: skip
        grouped = [(final, [row for row in rows if row.rank == final.rank]) for final in finals]
        return [
            Trained(final=final, trainings=tuple(self._training(row) for row in sorted(own, key=lambda f: f.seed)))
            for final, own in grouped
            if own
        ]

    def weights(self, rank: int, seed: int) -> Path:
        """The file of one training's weights."""
        return self._context.folder / "finalists" / f"{rank}-{seed}.safetensors"

    def _training(self, row: Finalist) -> Training:
        path = self.weights(row.rank, row.seed)
        measures = dict(json.loads(_measures(path).read_text())) if _measures(path).is_file() else {}
        shares = np.load(_shares(path), allow_pickle=False) if _shares(path).is_file() else None
        answered = json.loads(_answered(path).read_text()) if _answered(path).is_file() else None
        return Training(row=row, measures=measures, shares=shares, answered=answered)

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


def _measures(weights: Path) -> Path:
    """File of a final training's scores."""
    return weights.with_suffix(".json")


def _shares(weights: Path) -> Path:
    """File of what each sample of the test split contributed to the score."""
    return weights.with_suffix(".npy")


def _answered(weights: Path) -> Path:
    """File of what the answers on the test split look like."""
    return weights.with_suffix(".answers.json")


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
