"""The progress of a job: a bar on a terminal, a line for each change anywhere else."""

import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from archsmith.values import Job, RunningTrial


def eta_s(job: Job) -> float | None:
    """Seconds of search left, by the mean time of a trial so far or by the budget in seconds, whichever ends sooner.

    None before the first trial has ended: the budget alone would say an hour for what takes a minute.
    """
    progress = job.progress
    if progress.trials_total is None or not progress.done or progress.seconds_used <= 0:
        return None
    by_pace = progress.seconds_used / progress.done * max(progress.trials_total - progress.done, 0)
    return by_pace if progress.seconds_left is None else min(by_pace, progress.seconds_left)


def duration(seconds: float) -> str:
    """41 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def summary(job: Job) -> str:
    """The state of a job in one line."""
    progress = job.progress
    parts = [job.state, f"{progress.done}/{progress.trials_total or '?'} trials done"]
    if progress.running:
        parts.append(f"{progress.running} running")
    if job.best is not None:
        parts.append(f"best {job.best.search_score:.4f} (trial {job.best.trial})")
    if job.final_score is not None:
        parts.append(f"final score {job.final_score:.4f}")
    remaining = None if job.finished or job.state == "paused" else eta_s(job)
    if not job.finished and job.phase not in ("", "search"):
        parts.append(job.phase.replace("_", " "))
    elif remaining is not None:
        parts.append(f"about {duration(remaining)} left")
    parts += [
        f"trial {one.trial} {one.scores[-1]:.4f} after epoch {len(one.scores)}{_of(one)}"
        for one in job.running
        if one.scores
    ]
    if job.waiting_for:
        parts.append(f"waiting for {job.waiting_for}")
    if job.reason:
        parts.append(job.reason)
    return ", ".join(parts)


def _of(trial: RunningTrial) -> str:
    return "" if trial.epochs_total is None else f" of {trial.epochs_total}"


class View(Protocol):
    """Shows a job's progress. Use it as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, job: Job) -> None: ...

    def silent(self, seconds: float) -> None:
        """The service has not answered for so long."""
        ...


NO_ANSWER = "the service has not answered for {:.0f} s; still asking"
SCORES_S = 5.0
"""Between two lines that tell of epochs alone: short trials have several a second."""
QUIET_S = 9.0
"""Longest time without a line; with the seconds between two looks at the job that makes less than 10."""


class Lines:
    """Prints a line whenever a trial has ended or the job's state, phase or best score has changed, every SCORES_S what
    running trials score, and every QUIET_S in any case; one when the first bundle is there, one when a phase begins."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._spoken = 0.0
        self._last: object = None
        self._scored: object = ()
        self._due = 0.0
        self._phase = ""
        self._told_of = 0  # 1: a bundle of the search, 2: of the winner

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, job: Job) -> None:
        now = (job.state, job.phase, job.progress.done, job.best, job.final_score, job.waiting_for)
        scores = tuple((one.trial, len(one.scores)) for one in job.running if one.scores)
        told = scores != self._scored and time.monotonic() >= self._due
        if job.state == "running" and job.phase != self._phase and job.doing:
            print(f"{job.phase.replace('_', ' ')}: {job.doing}", file=self._out, flush=True)
        if now != self._last or told or time.monotonic() - self._spoken >= QUIET_S:
            self._spoken = time.monotonic()
            self._last, self._scored, self._due = now, scores, time.monotonic() + SCORES_S
            print(summary(job), file=self._out, flush=True)
        given = None if job.bundle is None else job.bundle.provisional
        trained = given is not None and given.get("final_score") is not None
        if given is not None and self._told_of < 1 + trained:
            self._told_of = 1 + trained
            what = (
                "a provisional bundle of the fully trained winner, trial"
                if trained
                else "a provisional bundle of trial"
            )
            text = f"{what} {given['trial']} is there: `archsmith download {job.id}` gets it"
            print(text, file=self._out, flush=True)
        self._phase = job.phase

    def silent(self, seconds: float) -> None:
        if time.monotonic() - self._spoken >= QUIET_S:
            self._spoken = time.monotonic()
            print(NO_ANSWER.format(seconds), file=self._out, flush=True)


class Bar:
    """A bar of the trials done; beside it the trials that run, the incumbent and the time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[text]}"),
            console=console,
        )
        self._task = self._progress.add_task("", total=None, text="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        self._progress.update(
            self._task,
            description=job.name or job.id[:8],
            total=job.progress.trials_total,
            completed=job.progress.done,
            text=summary(job),
        )

    def silent(self, seconds: float) -> None:
        self._progress.update(self._task, text=NO_ANSWER.format(seconds))


def view(out: TextIO) -> View:
    """A `Bar` if `out` is a terminal, else `Lines`."""
    return Bar(Console(file=out)) if out.isatty() else Lines(out)
