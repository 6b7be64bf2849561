"""The winner's first full training as something to hand out, while the comparison is still being trained.

All of it is read from the ledger and the job's folder, so that any driver of the job finds the same.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.ledger import Finalist, Job, Role, Trial
from search.spec import JobSpec
from workers import bundle
from workers.finalists.plan import is_its_own
from workers.job.context import JobContext


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstFinal:
    """row: of the training, with its test score. trial: the winner. weights: their file. done: roles of the full
    trainings that are over."""

    row: Finalist
    done: Set[Role]
    trial: Trial
    search_score: float
    weights: Path

    def provisional(self, job: Job, score: str) -> bundle.Provisional:
        """What its bundle says of itself. score: name of the job's score."""
        return bundle.Provisional(
            trial=self.trial.number,
            epochs=self.row.epochs,
            epochs_total=self.row.epochs,
            score=score,
            search_score=self.search_score,
            missing=tuple(missing(job.spec, self.done)),
            final_score=self.row.test_score,
        )

    def is_new(self, handed_out: dict[str, Any] | None) -> bool:
        """Whether it goes in the place of what is handed out. A continued job keeps its final bundle from before."""
        if handed_out is None:
            return True
        old = handed_out["provisional"]
        return old is not None and (old["trial"], old["epochs"], old.get("final_score")) != (
            self.trial.number,
            self.row.epochs,
            self.row.test_score,
        )


def first_final(context: JobContext) -> FirstFinal | None:
    """Of a planned job, once it is stored. Without a plan a selection decides which finalist is the winner.

    The winner is the first finalist whose training did not fail. Weights of the search that were measured in place of a
    training took no seconds; they are no training.
    """
    if context.plan is None:
        return None
    rows = sorted(context.ledger.finalists(context.job_id), key=lambda row: (row.rank, row.seed))
    first = next((row for row in rows if row.role == "finalist" and row.state != "failed"), None)
    if first is None or first.state != "completed" or first.test_score is None or first.seconds <= 0:
        return None
    weights = context.folder / "finalists" / f"{first.rank}-{first.seed}.safetensors"
    trial = context.ledger.trial(context.job_id, first.trial_number)
    if trial.search_score is None or not weights.is_file():
        return None
    done = {row.role for row in rows if row.state in ("completed", "failed")}
    return FirstFinal(row=first, done=done, trial=trial, search_score=trial.search_score, weights=weights)


def missing(spec: JobSpec, done: Set[Role] = frozenset()) -> Iterator[str]:
    """What a job has yet to do after the winner's first full training, a sentence each. done: see `FirstFinal`."""
    wanted = spec.finalists
    arm = wanted.random_arm and not is_its_own(spec)
    compared = ["the baseline"] if wanted.baseline and "baseline" not in done else []
    compared += ["the best random architecture"] if arm and "random" not in done else []
    compared += ["further seeds"] if wanted.seeds > 1 else []
    if compared:
        yield f"the comparison: full trainings of {', '.join(compared)}"
    if spec.compress is not None:
        yield "the compression of the winner"
    yield "the exported forms (model.onnx, model.pt2), the example and the report"
