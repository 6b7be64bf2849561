"""The chain of compression: the steps one after the other, twice, and the result for bundle and report.

`workers/compress/fine_tuner.py` says why twice. The chain is one task on the cluster. Each step's result is written to
the job's folder before the next step begins, so after a crash or a pause another process continues from the last
finished step. A step that failed is left out.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archsmith.errors import JobFailure, TrialFailure
from search.compress import STEPS, complete
from search.spec import CompressSpec, CompressStep, Json
from space.third_party import ExportFailure
from workers.compress import record
from workers.compress.tasks import EvaluationTask, StepResult, StepTask, TestEvaluation
from workers.train.job_data import JobData
from workers.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Winner:
    """The network to compress. weights: a safetensors file. final_score: on the test split."""

    architecture: Json
    weights: bytes
    final_score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressed:
    """The result. architecture, packed, files: of the compressed network; None and empty where there is none.

    entry: of the report.
    """

    entry: Json
    architecture: Json | None = None
    packed: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)


Run = Callable[[Callable[[Any, JobData], Any], Any, JobData], Any]
"""How a step is run: (function, task, data) -> what the function returns, or its TrialFailure."""


def attempted(function: Callable[[Any, JobData], Any], task: Any, data: JobData) -> Any:
    """In this process. A training that fails, or an exporter or runtime that does, ends that step alone.

    A bug of ours is neither, and is not caught: the chain's task crashes on the cluster and the driver logs the
    traceback. The trained winner is not lost by it: `product.compress` makes the crash the report's "failed", and
    `Finish` publishes the bundle without `compressed/`. A job that does nothing but compress fails with that reason.
    """
    try:
        return function(task, data)
    except TrialFailure as failure:
        return failure
    except ExportFailure as failure:
        return TrialFailure(f"crashed: {failure}", cause="crashed")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutcome:
    """The results of a step in both passes. final: None where the first pass found nothing good enough."""

    step: CompressStep
    searched: StepResult | TrialFailure
    final: StepResult | TrialFailure | None = None


class Chain:
    """Takes one winner through the steps."""

    def __init__(
        self, spec: CompressSpec, winner: Winner, *, folder: Path, recipe: Recipe, run: Run = attempted
    ) -> None:
        """folder: for the results of the steps. recipe: of the winner's final training."""
        self._spec, self._winner, self._folder, self._recipe, self._run = spec, winner, folder, recipe, run
        self._steps = [CompressStep(name="reference"), *spec.steps]

    def compress(self, search: JobData, final: JobData) -> Compressed:
        """search, final: the splits of the two passes. Raises JobFailure where the winner itself cannot be measured."""
        began = time.monotonic()
        first = self._search_pass(search)
        if isinstance(first[0].searched, TrialFailure):
            return Compressed(entry={"failed": f"the reference training: {first[0].searched}"})
        outcomes = self._final_pass(first, final)
        finals = [outcome.final for outcome in outcomes if isinstance(outcome.final, StepResult)]
        files = {name: content for result in finals for name, content in result.files.items()}
        tested: TestEvaluation | TrialFailure = self._run(_evaluate, self._evaluation_task(finals[-1], files), final)
        if isinstance(tested, TrialFailure):
            return Compressed(entry={"failed": f"the evaluation on the test split: {tested}"})
        entry = self._entry(outcomes, tested) | {"seconds": round(time.monotonic() - began, 3)}
        return Compressed(architecture=finals[-1].architecture, packed=tested.packed, files=files, entry=entry)

    # ---- the two passes

    def _search_pass(self, data: JobData) -> list[StepOutcome]:
        """The reference and every step, with decisions; only the reference if that failed."""
        task, outcomes = self._first_task(), []
        for number, step in enumerate(self._steps):
            result = self._step(f"search-{number}", _of(task, step), data)
            outcomes.append(StepOutcome(step=step, searched=result))
            if isinstance(result, StepResult):
                task = _after(task, result)
                if number == 0:
                    task = replace(task, floor=result.scores[0] - self._spec.max_drop)
            elif number == 0:
                break
        return outcomes

    def _final_pass(self, first: Sequence[StepOutcome], data: JobData) -> list[StepOutcome]:
        """The winner itself, and the steps that were kept."""
        task, outcomes = self._first_task(), []
        for number, outcome in enumerate(first):
            found, result = outcome.searched, None
            if isinstance(found, StepResult) and found.kept:
                final_task = replace(_of(task, outcome.step), verdicts=found.verdicts)
                result = self._step(f"final-{number}", final_task, data)
            if isinstance(result, StepResult):
                task = _after(task, result)
            elif number == 0:
                raise JobFailure(f"the winner cannot be measured before it is compressed: {result}")
            outcomes.append(replace(outcome, final=result))
        return outcomes

    def _first_task(self) -> StepTask:
        return StepTask(
            name="reference",
            options={},
            architecture=self._winner.architecture,
            weights=self._winner.weights,
            form="plain",
            recipe=self._recipe,
        )

    def _evaluation_task(self, last: StepResult, files: Mapping[str, bytes]) -> EvaluationTask:
        return EvaluationTask(
            architecture=last.architecture,
            weights=last.weights,
            form=last.form,
            before=self._winner.architecture,
            files=files,
            recipe=self._recipe,
        )

    def _step(self, key: str, task: StepTask, data: JobData) -> StepResult | TrialFailure:
        done = record.read(self._folder, key)
        if done is not None:
            return done
        result: StepResult | TrialFailure = self._run(_take, task, data)
        if isinstance(result, StepResult):
            record.write(self._folder, key, result)
        return result

    # ---- the report

    def _entry(self, outcomes: Sequence[StepOutcome], tested: TestEvaluation) -> Json:
        start, *others = outcomes
        score, steps = _accepted(start.searched, 0.0), []
        for outcome in others:
            name, score = outcome.step.name, _accepted(outcome.searched, score)
            row = {"name": name, "options": complete(outcome.step), **_row(outcome, score)}
            if name in tested.of_files:
                row["final_score"] = tested.of_files[name]
            steps.append(row)
        before = len(self._winner.weights)
        return {
            "max_drop": self._spec.max_drop,
            "validation_score": _accepted(start.searched, 0.0),
            "steps": steps,
            "final_score": tested.score,
            "measures": tested.measures,
            "lost": self._winner.final_score - tested.score,
            "bytes_before": before,
            "bytes": len(tested.packed),
            "smaller": before / len(tested.packed),
            "latency_before_ms": tested.latency_before_ms,
            "latency_ms": tested.latency_ms,
            "faster": tested.latency_before_ms / tested.latency_ms,
            "before": start.final.measured if isinstance(start.final, StepResult) else {},
        }


def _of(task: StepTask, step: CompressStep) -> StepTask:
    return replace(task, name=step.name, options=complete(step) if step.name in STEPS else {})


def _after(task: StepTask, result: StepResult) -> StepTask:
    """The task with the network that came out of a step, for the next step to start from."""
    return replace(task, architecture=result.architecture, weights=result.weights, form=result.form)


def _accepted(result: StepResult | TrialFailure, before: float) -> float:
    """The validation score of the network that the next step starts from."""
    if isinstance(result, TrialFailure):
        return before
    passed = [score for score, kept in zip(result.scores, result.verdicts, strict=True) if kept]
    return passed[-1] if passed and result.changed else before


def _row(outcome: StepOutcome, score: float) -> Json:
    """A step's entry in the report, without its name and options.

    score: of the network that the next step starts from. A step that only writes a file beside the network has the
    file's score instead.
    """
    found, final = outcome.searched, outcome.final
    if isinstance(found, TrialFailure):
        return {"kept": False, "stopped_because": str(found), "validation_score": score}
    row = {
        "kept": isinstance(final, StepResult),
        "stopped_because": _why(found),
        "validation_score": found.scores[-1] if found.kept and found.scores and not found.changed else score,
        "attempts": list(found.scores),
        **found.detail,
    }
    if isinstance(final, TrialFailure):
        return row | {"stopped_because": f"in the final pass: {final}"}
    seconds = found.seconds + (final.seconds if final else 0.0)
    return row | (final.measured | final.detail if final else {}) | {"seconds": round(seconds, 3)}


def _why(found: StepResult) -> str | None:
    """Why the stop rule ended the step; None where all attempts passed."""
    if all(found.verdicts):
        return None
    number = found.verdicts.index(False) + 1
    return f"attempt {number} scored {found.scores[number - 1]:.4f} on the validation split, too little"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainTask:
    """A whole chain, for one process on the cluster. folder: must be visible to all machines."""

    spec: CompressSpec
    winner: Winner
    folder: str
    recipe: Recipe


def go_through(task: ChainTask, data: tuple[JobData, JobData]) -> Compressed:
    """Runs the chain in a process of its own on the cluster. data: of the search pass and of the final one."""
    return Chain(task.spec, task.winner, folder=Path(task.folder), recipe=task.recipe).compress(*data)


def _take(task: StepTask, data: JobData) -> StepResult:
    """Run one step. Raises TrialFailure, ExportFailure."""
    from workers.compress import steps

    return steps.take(task, data)


def _evaluate(task: EvaluationTask, data: JobData) -> TestEvaluation:
    """Pack the final network and measure it on the test split. Raises TrialFailure, ExportFailure."""
    from workers.compress import steps

    return steps.evaluate(task, data)
