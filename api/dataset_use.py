"""Which jobs need a data set, and which were made with another one of its name."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from api.context import Context
from api.http.errors import ProblemError
from archsmith.errors import Fault, InvalidInput, NotFound, pointer
from search.ledger import Job
from search.ledger.datasets import JobsOn
from search.spec import JobSpec
from search.trial import JobState
from search.validate import DataShape
from workers.datasets.store import BUILT_IN

OPEN = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
ENDED = tuple(state for state in JobState if state.terminal)
MAX_JOBS = 10
"""Of the jobs that an answer names."""


def check_unused(context: Context, name: str, *, force: bool, doing: str, jobs_on: JobsOn | None = None) -> None:
    """Raises ProblemError (409) where a job needs the data set, or archsmith comes with it.

    force: whether jobs that have succeeded may lose it. doing: "removed" or "replaced". jobs_on: of the data set, where
    that is held; else the jobs of this moment.
    """
    found = jobs_on or partial(context.ledger.jobs_on_dataset, name)
    if name in BUILT_IN:
        detail = f"{name!r} comes with archsmith and cannot be {doing}; add your data under another name"
        raise ProblemError(409, "dataset_built_in", detail)
    if used := found(OPEN):
        detail = f"the data set {name!r} cannot be {doing} while {_jobs(used)} that {_has(used)} not ended "
        detail += f"{'uses' if len(used) == 1 else 'use'} it: {_named(used)}; wait for that, or cancel "
        raise _refused(detail + ("it" if len(used) == 1 else "them"), used, allowed=ENDED)
    if not force and (needed := found((JobState.SUCCEEDED,))):
        detail = f"{_jobs(needed)} that succeeded {'needs' if len(needed) == 1 else 'need'} the data set {name!r} for "
        detail += f"compress, extend and replay: {_named(needed)}; reports and bundles stay in any case. With "
        detail += f"force=true it is {doing} all the same"
        raise _refused(detail, needed, allowed=[state for state in ENDED if state is not JobState.SUCCEEDED])


@contextmanager
def unused(context: Context, name: str, *, force: bool, doing: str) -> Iterator[None]:
    """The block may take the data set away: no job needs it, and none is made meanwhile. Raises as `check_unused`."""
    with context.ledger.dataset_held(name) as jobs_on:
        check_unused(context, name, force=force, doing=doing, jobs_on=jobs_on)
        yield


def check_there(context: Context, name: str, shape: DataShape | None) -> None:
    """Raises InvalidInput where the data set was removed, or replaced by one of another shape, since it was looked at.

    shape: of then.
    """
    now = context.shape(name)
    if now is None:
        names = context.store.names()
        detail = f"the data set {name[:80]!r} was removed in this moment; there are {', '.join(names)}"
        raise InvalidInput(Fault(pointer="/dataset", rule="dataset_not_found", detail=detail, allowed=names))
    if now != shape:
        detail = f"the data set {name!r} was replaced in this moment by another one; post the job again"
        raise InvalidInput(Fault(pointer="/dataset", rule="dataset_replaced", detail=detail))


def changed(context: Context, job: Job) -> str | None:
    """How the data set of an ended job differs from what it was made with, a sentence; None where it does not.

    A replaced data set is newer than the end of the job, since nothing is replaced while a job uses it.
    """
    name = job.spec.dataset
    if not job.state.terminal or name in BUILT_IN:
        return None
    if name not in context.store.names():
        return f"the data set {name!r} was removed; the job's report and bundle are as they were"
    try:
        row = context.ledger.dataset(name)
    except NotFound:  # put there by hand
        return None
    if job.finished_at is None or row.created_at <= job.finished_at:
        return None
    used, now = _trained_on(context, job), context.store.describe(name).sha256
    if used == now:
        return None
    sums = f" (SHA-256 {used[:16]}…, now {now[:16]}…)" if used else ""
    return f"the data set {name!r} was replaced after this job had ended, which was made with other data{sums}"


def check_same(context: Context, job: Job, *, doing: str) -> None:
    """Raises InvalidInput where an ended job's data set is gone or another one. doing: what needs it, a noun."""
    why = changed(context, job)
    if why is None:
        return
    rule = "dataset_replaced" if job.spec.dataset in context.store.names() else "dataset_not_found"
    cure = "add the same data again, or post a new job"
    detail = f"{why}, and {doing} needs it; {cure}"
    raise InvalidInput(Fault(pointer="", rule=rule, detail=detail, allowed=context.store.names()))


def check_earlier(context: Context, spec: JobSpec) -> None:
    """Raises InvalidInput where a job that this one starts from was made with other data of the same name.

    Its scores would be taken for scores on these splits, and its weights may know samples of this job's test split.
    """
    named: dict[tuple[str | int, ...], str] = {
        ("warm_start", "jobs", place): job_id for place, job_id in enumerate(spec.warm_start.jobs)
    }
    if spec.init_from is not None:
        named[("init_from",)] = spec.init_from
    faults = []
    for where, job_id in named.items():
        job = context.ledger.job(job_id)
        if job.spec.dataset == spec.dataset and (why := changed(context, job)):
            detail = f"job {job_id} does not compare with this one: {why}; leave it out"
            faults.append(Fault(pointer=pointer(*where), rule="dataset_replaced", detail=detail))
    if faults:
        raise InvalidInput(faults)


def _trained_on(context: Context, job: Job) -> str | None:
    """The SHA-256 in the job's report, None where there is no report."""
    path = context.settings.job_folder(job.id) / "bundle" / "report.json"
    if not path.is_file():
        return None
    return str(json.loads(path.read_text(encoding="utf-8"))["dataset"]["sha256"])


def _refused(detail: str, jobs: Sequence[tuple[str, JobState]], *, allowed: Sequence[JobState]) -> ProblemError:
    more = {"state": jobs[0][1], "allowed": list(allowed), "jobs": [job_id for job_id, _ in jobs[:MAX_JOBS]]}
    return ProblemError(409, "dataset_in_use", detail, more=more)


def _jobs(jobs: Sequence[tuple[str, JobState]]) -> str:
    return "a job" if len(jobs) == 1 else f"{len(jobs)} jobs"


def _has(jobs: Sequence[tuple[str, JobState]]) -> str:
    return "has" if len(jobs) == 1 else "have"


def _named(jobs: Sequence[tuple[str, JobState]]) -> str:
    shown = ", ".join(f"{job_id} ({state})" for job_id, state in jobs[:MAX_JOBS])
    return shown + (f" and {len(jobs) - MAX_JOBS} more" if len(jobs) > MAX_JOBS else "")
