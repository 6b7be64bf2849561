"""One job on a service, watched from outside: when it had what, and how long its phases took."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from archsmith.client import Client
from archsmith.commands.progress import view
from archsmith.values import Job, Trial
from search.trial import RANDOM_ARM, RANDOM_ARM_FROM


class Watch:
    """What the job's view told, with seconds since before the POST.

    scored, held: (seconds, score) at each new best: of any epoch of any trial of the search, of the bundle that could
    be downloaded. phases: seconds in each.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._phase = ""
        self.phases: dict[str, float] = {}
        self.scored: list[tuple[float, float]] = []
        self.held: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    def look(self, job: Job) -> None:
        now = self._clock()
        if self._phase:
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + now - self._last
        self._last, self._phase = now, job.phase if job.state == "running" else ""
        scores = [max(one.scores) for one in job.running if one.scores and one.trial < RANDOM_ARM_FROM]
        scores += [job.best.search_score] if job.best else []
        given = job.bundle and job.bundle.provisional
        for score in scores:
            _rises(self.scored, now - self._began, score)
        if given:
            _rises(self.held, now - self._began, given["search_score"])

    def passed(self, score: float) -> tuple[float | None, float | None]:
        """Seconds after which `scored` and `held` had reached a score; None where they never did."""
        scored, held = (
            next((seconds for seconds, found in best if found >= score), None) for best in (self.scored, self.held)
        )
        return scored, held


def _rises(best: list[tuple[float, float]], seconds: float, score: float) -> None:
    if not best or score > best[-1][1]:
        best.append((round(seconds, 1), score))


def run(
    client: Client, request: dict[str, Any], *, each: Callable[[Job, Watch], None] | None = None
) -> tuple[Job, Watch]:
    """Submits a job, shows its progress, waits for its end. each: called with each view of it, to steer it."""
    watch = Watch()
    job = client.submit(**request)
    with view(sys.stdout) as shown:

        def look(now: Job) -> None:
            watch.look(now)
            shown.show(now)
            if each is not None:
                each(now, watch)

        return client.wait(job.id, on_update=look), watch


def wall_clock(job: Job) -> float | None:
    """Seconds from the job's start to its end, as the service has them; waiting in the queue does not count."""
    started, finished = (job.document.get(name) for name in ("started_at", "finished_at"))
    if not started or not finished:
        return None
    return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()


def row(job: Job, watch: Watch, trials: list[Trial], *, budget_s: float) -> dict[str, Any]:
    """What there is to say of an ended job.

    scored, arm: architectures with a score after at least one rung, in the search and in its random arm. longest_s: of
    a trial. search_s: of the phase.
    """
    arm = [trial for trial in trials if trial.document["provenance"] == RANDOM_ARM]
    own = [trial for trial in trials if trial.document["provenance"] not in (RANDOM_ARM, "prior")]
    document, taken = job.document, wall_clock(job)
    return {
        "dataset": job.dataset,
        "state": job.state,
        "reason": job.reason,
        "budget_s": budget_s,
        "taken_s": None if taken is None else round(taken, 1),
        "first_bundle_s": watch.held[0][0] if watch.held else None,
        "scored": _architectures(own),
        "arm": _architectures(arm),
        "phases": {phase: round(seconds, 1) for phase, seconds in watch.phases.items()},
        "search_s": round(watch.phases.get("search", 0.0), 1),
        "longest_s": max((trial.seconds or 0.0 for trial in (*own, *arm)), default=0.0),
        "trials": {state: count for state, count in job.progress.trials.items() if count},
        "plan": document.get("plan"),
        "search_score": None if job.best is None else job.best.search_score,
        "final_score": job.final_score,
        "trainings": sum(final["state"] == "completed" for final in document.get("finalists", ())),
        "stopped_because": job.stopped_because,
    }


def _architectures(trials: list[Trial]) -> int:
    return len({trial.hash for trial in trials if trial.document.get("epochs")})


def measured(
    client: Client, request: dict[str, Any], *, budget_s: float, each: Callable[[Job, Watch], None] | None = None
) -> dict[str, Any]:
    """Runs one job; returns and prints its row."""
    job, watch = run(client, request, each=each)
    found = row(job, watch, list(client.trials(job.id)), budget_s=budget_s)
    print(json.dumps({name: value for name, value in found.items() if name != "plan"}), flush=True)
    return found
