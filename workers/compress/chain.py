"""The chain of compression: the steps one after the other, twice, and what comes out for bundle and report.

Why twice stands in `workers/compress/lab.py`. The chain is one task on the cluster. Each step is files in the job's
folder before the next one begins, so that after a crash, or when the job was put down, another process goes on behind
the last finished one. A step that failed is left out.
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
from workers.compress.tasks import LastTask, StepResult, StepTask, TestEvaluation
from workers.train.job_data import JobData
from workers.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Winner:
    """What is made smaller. weights: a safetensors file. final_score: of the test split."""

    architecture: Json
    weights: bytes
    final_score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressed:
    """architecture, packed, files: of the network that came out, None where none did. entry: of the report."""

    entry: Json
    architecture: Json | None = None
    packed: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)


Run = Callable[[Callable[[Any, JobData], Any], Any, JobData], Any]
"""How a step is taken: (function, task, data) -> what it returns, or its TrialFailure."""


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
    """How a step went in both passes. final: None where the first pass found nothing good enough."""

    step: CompressStep
    searched: StepResult | TrialFailure
    final: StepResult | TrialFailure | None = None


class Chain:
    """One winner's way through the steps."""

    def __init__(
        self, spec: CompressSpec, winner: Winner, *, folder: Path, recipe: Recipe, run: Run = attempted
    ) -> None:
        """folder: for what the steps leave. recipe: of the winner's final training."""
        self._spec, self._winner, self._folder, self._recipe, self._run = spec, winner, folder, recipe, run
        self._steps = [CompressStep(name="reference"), *spec.steps]

    def compress(self, search: JobData, final: JobData) -> Compressed:
        """search, final: the splits of the two passes. Raises JobFailure where the winner itself cannot be measured."""
        began = time.monotonic()
        first = self._search_pass(search)
        if isinstance(first[0].searched, TrialFailure):
            return Compressed(entry={"failed": f"the reference training: {first[0].searched}"})
        passages = self._final_pass(first, final)
        finals = [one.final for one in passages if isinstance(one.final, StepResult)]
        files = {name: content for one in finals for name, content in one.files.items()}
        look: TestEvaluation | TrialFailure = self._run(_last_look, self._last_task(finals[-1], files), final)
        if isinstance(look, TrialFailure):
            return Compressed(entry={"failed": f"the look at the test split: {look}"})
        entry = self._entry(passages, look) | {"seconds": round(time.monotonic() - began, 3)}
        return Compressed(architecture=finals[-1].architecture, packed=look.packed, files=files, entry=entry)

    # ---- the two passes

    def _search_pass(self, data: JobData) -> list[StepOutcome]:
        """The reference and every step where decisions are made; ends with the reference if that failed."""
        task, passages = self._first_task(), []
        for number, step in enumerate(self._steps):
            result = self._step(f"search-{number}", _of(task, step), data)
            passages.append(StepOutcome(step=step, searched=result))
            if isinstance(result, StepResult):
                task = _after(task, result)
                if number == 0:
                    task = replace(task, floor=result.scores[0] - self._spec.max_drop)
            elif number == 0:
                break
        return passages

    def _final_pass(self, first: Sequence[StepOutcome], data: JobData) -> list[StepOutcome]:
        """The winner itself, and the steps that were kept."""
        task, passages = self._first_task(), []
        for number, passage in enumerate(first):
            found, result = passage.searched, None
            if isinstance(found, StepResult) and found.kept:
                asked = replace(_of(task, passage.step), verdicts=found.verdicts)
                result = self._step(f"final-{number}", asked, data)
            if isinstance(result, StepResult):
                task = _after(task, result)
            elif number == 0:
                raise JobFailure(f"the winner cannot be measured: {result}")
            passages.append(replace(passage, final=result))
        return passages

    def _first_task(self) -> StepTask:
        return StepTask(
            name="reference",
            options={},
            architecture=self._winner.architecture,
            weights=self._winner.weights,
            form="plain",
            recipe=self._recipe,
        )

    def _last_task(self, last: StepResult, files: Mapping[str, bytes]) -> LastTask:
        return LastTask(
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

    def _entry(self, passages: Sequence[StepOutcome], look: TestEvaluation) -> Json:
        start, *others = passages
        score, steps = _accepted(start.searched, 0.0), []
        for one in others:
            score = _accepted(one.searched, score)
            told = _told(one, score)
            if one.step.name in look.of_files:
                told["final_score"] = look.of_files[one.step.name]
            steps.append({"name": one.step.name, "options": complete(one.step), **told})
        before = len(self._winner.weights)
        return {
            "max_drop": self._spec.max_drop,
            "validation_score": _accepted(start.searched, 0.0),
            "steps": steps,
            "final_score": look.score,
            "measures": look.measures,
            "lost": self._winner.final_score - look.score,
            "bytes_before": before,
            "bytes": len(look.packed),
            "smaller": before / len(look.packed),
            "latency_before_ms": look.latency_before_ms,
            "latency_ms": look.latency_ms,
            "faster": look.latency_before_ms / look.latency_ms,
            "before": start.final.measured if isinstance(start.final, StepResult) else {},
        }


def _of(task: StepTask, step: CompressStep) -> StepTask:
    return replace(task, name=step.name, options=complete(step) if step.name in STEPS else {})


def _after(task: StepTask, result: StepResult) -> StepTask:
    """The network that came out of a step, for the next one to begin with."""
    return replace(task, architecture=result.architecture, weights=result.weights, form=result.form)


def _accepted(result: StepResult | TrialFailure, before: float) -> float:
    """The validation score of the network that goes on."""
    if isinstance(result, TrialFailure):
        return before
    passed = [score for score, kept in zip(result.scores, result.verdicts, strict=True) if kept]
    return passed[-1] if passed and result.changed else before


def _told(passage: StepOutcome, score: float) -> Json:
    """What the report says of a step beside its name and options.

    score: of the network that goes on. A step that changes nothing of it and leaves a file beside has the file's.
    """
    found, final = passage.searched, passage.final
    if isinstance(found, TrialFailure):
        return {"kept": False, "stopped_because": str(found), "validation_score": score}
    told = {
        "kept": isinstance(final, StepResult),
        "stopped_because": _why(found),
        "validation_score": found.scores[-1] if found.kept and found.scores and not found.changed else score,
        "attempts": list(found.scores),
        **found.detail,
    }
    if isinstance(final, TrialFailure):
        return told | {"stopped_because": f"in the final pass: {final}"}
    seconds = found.seconds + (final.seconds if final else 0.0)
    return told | (final.measured | final.detail if final else {}) | {"seconds": round(seconds, 3)}


def _why(found: StepResult) -> str | None:
    """The stop rule's sentence; None where all attempts passed."""
    if all(found.verdicts):
        return None
    number = found.verdicts.index(False) + 1
    return f"attempt {number} scored {found.scores[number - 1]:.4f} on the validation split, too little"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainTask:
    """A whole chain, for one process on the cluster. folder: one that all machines see."""

    spec: CompressSpec
    winner: Winner
    folder: str
    recipe: Recipe


def go_through(task: ChainTask, data: tuple[JobData, JobData]) -> Compressed:
    """Runs in a process of its own on the cluster. data: of the search pass and of the final one."""
    return Chain(task.spec, task.winner, folder=Path(task.folder), recipe=task.recipe).compress(*data)


def _take(task: StepTask, data: JobData) -> StepResult:
    """Do one step. Raises TrialFailure."""
    from workers.compress import steps

    return steps.take(task, data)


def _last_look(task: LastTask, data: JobData) -> TestEvaluation:
    """Pack what came out and look at the test split. Raises TrialFailure."""
    from workers.compress import steps

    return steps.last_look(task, data)
