"""The whole chain with real trainings: a search, its random arm, final trainings, the report; and the same again.

The first time on two workers with the driver killed on the way, the second time on one worker: a reproducible job gives
the same architectures in the same order and the same scores. The second search also shows what its trials open.
"""

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ray import cloudpickle

from archsmith.replay import compare
from search.spec import Budget, ControllerSpec, JobSpec
from search.trial import JobState, TrialState
from tests.driving import Yard, finalists, spec, until
from tests.invariants import audit
from workers.cluster import connection
from workers.cluster.trial import Session, TrialTask, start_training
from workers.pricing import dry_run
from workers.report.schema import schema

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
cloudpickle.register_pickle_by_value(sys.modules[__name__])

LEASE_S = 6.0
LIMIT_S = 400.0
JOB: dict[str, Any] = {
    "controller": ControllerSpec(name="evolution", options={"population": 2, "sample": 2}),
    "budget": Budget(trials=3, epochs=2),
    "finalists": finalists(seeds=1, epochs=2, baseline=True, random_arm=True),
    "reproducible": True,
}


@dataclass(frozen=True)
class Watched:
    """A `Start` of real trainings that notes every file that the trial's process opens from then on."""

    log: str

    def __call__(self, task: TrialTask, data: Any) -> Session:
        log = open(self.log, "a", buffering=1)  # noqa: SIM115  # as long as the process lives

        def note(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and isinstance(arguments[0], (str, bytes)) and not log.closed:
                name = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode()
                log.write(f"{name}\n")

        if not getattr(sys, "archsmith_watched", False):
            sys.addaudithook(note)
            sys.archsmith_watched = True  # type: ignore[attr-defined]
        return start_training(task, data)


def _report(yard: Yard, job_id: str) -> dict[str, Any]:
    folder = yard.settings.job_folder(job_id) / "bundle"
    assert "<svg" in (folder / "report.html").read_text()
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def _killed_on_the_way(yard: Yard, ray_address: str, phases: Sequence[str]) -> str:
    """A job on two workers, its driver killed in each of the phases."""
    ledger, job_id = yard.ledger, yard.submit(**JOB)

    def some(trials: Any) -> bool:
        states = [trial.state for trial in trials]
        return TrialState.COMPLETED in states and TrialState.RUNNING in states

    trials = {"search": lambda: ledger.history(job_id), "random_arm": lambda: ledger.random_arm(job_id)}
    for phase in phases:
        driver = yard.spawn(yard.claim(f"driver of the {phase}"), ray_address)
        until(lambda: some(trials[phase]()) or driver.poll() is not None, LIMIT_S)  # noqa: B023
        driver.send_signal(signal.SIGKILL)
        assert driver.wait() == -signal.SIGKILL, "it was killed before it had ended"
    last = yard.spawn(yard.claim("the last driver"), ray_address)
    assert last.wait(LIMIT_S) == 0
    return job_id


@pytest.mark.slow  # 90 s each; that a reproducible job is the same after a kill: tests/e2e/test_cluster_away.py
@pytest.mark.parametrize("phases", [("random_arm",), ("search", "random_arm")], ids="-".join)
def test_a_reproducible_search_is_replayed_to_the_last_digit(
    yard: Yard, ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phases: Sequence[str]
) -> None:
    yard.settings = replace(yard.settings, lease_s=LEASE_S)
    first = _killed_on_the_way(yard, ray_address, phases)
    before = _report(yard, first)
    jsonschema.Draft202012Validator(schema()).validate(before)
    assert [one["trainings"] for one in before["costs"]] == [3, 3, len(yard.ledger.finalists(first))]
    assert before["costs"][0]["epochs"] == before["costs"][1]["epochs"] == 6, "the arm costs what the search does"
    assert all(name in gain["words"] for name, gain in zip(("random", "baseline"), _gains(before), strict=True))
    assert before["noise"]["scores"] == [one["final_score"] for one in before["finalists"]]

    monkeypatch.setattr(connection, "slots", lambda cpus, gpus: 1)
    log = tmp_path / "opened"
    yard.ledger.create_job(JobSpec.from_json(yard.ledger.job(first).spec.to_json()))
    second = yard.drive(Watched(log=str(log)))
    assert (second.state, second.reason) == (JobState.SUCCEEDED, None)
    found = compare(before, _report(yard, second.id))
    assert found.same, found.lines
    _no_trial_opened_the_data(yard, second.id, log.read_text().splitlines())
    audit(yard.ledger)


def _gains(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [report["gains"]["over_random"], report["gains"]["over_baseline"]]


def _no_trial_opened_the_data(yard: Yard, job_id: str, opened: list[str]) -> None:
    """The splits of a data set lie in one file; a trial gets arrays, and no path to it."""
    inside = {Path(name) for name in opened if Path(name).is_relative_to(yard.settings.state)}
    checkpoints, best = (yard.settings.job_folder(job_id) / name for name in ("checkpoints", "best_weights"))
    assert any(path.is_relative_to(checkpoints) for path in inside), "what is opened is seen"
    assert {path for path in inside if not any(path.is_relative_to(own) for own in (checkpoints, best))} == set()


def test_a_dry_run_prices_a_job_by_what_it_measures(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "PACE_S", 0.2)
    monkeypatch.setattr(dry_run, "GLANCE_S", 0.1)
    answer = dry_run.run(yard.settings, spec(trials=5, epochs=2), slots=2)
    assert [one["macs"] for one in answer["calibration"]] == sorted(one["macs"] for one in answer["calibration"])
    assert all(one["epoch_s"] > 0 for one in answer["calibration"])
    assert answer["trials"] == {"low": 5, "expected": 5, "high": 5}
    assert answer["space"]["size_exact"]
