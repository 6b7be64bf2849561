"""Limits that only a worker can check, and the choice of the winner among finalists, in one job on a real cluster."""

import json

import pytest

from search.spec import ObjectiveSpec
from search.trial import JobState, TrialState
from tests.driving import Yard, finalists
from tests.fakes import Fake, latency

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.mark.slow
def test_slow_networks_are_infeasible_and_the_winner_is_chosen_on_the_validation_split(yard: Yard) -> None:
    limit = sorted(map(latency, range(5)))[2] + 1e-6
    yard.submit(
        trials=5,
        objective=ObjectiveSpec(constraints=(f"latency_ms <= {limit}",)),
        finalists=finalists(top=2, seeds=2, epochs=2),
    )
    job = yard.drive(Fake())
    assert (job.state, job.reason, job.stopped_because) == (JobState.SUCCEEDED, None, "budget_trials")
    states = yard.states(job.id)
    assert states == {
        number: TrialState.COMPLETED if latency(number) <= limit else TrialState.INFEASIBLE for number in range(5)
    }
    folder = yard.settings.job_folder(job.id)
    report = json.loads((folder / "bundle" / "report.json").read_text())
    chosen = {row["trial"]: row["validation_score"] for row in report["selection"]}
    assert len(chosen) == 2
    assert all(states[trial] is TrialState.COMPLETED for trial in chosen)
    assert report["winner"]["trial"] == max(chosen, key=lambda trial: chosen[trial])
    trained = [row["trial"] for row in report["finalists"]]
    assert sorted(trained.count(trial) for trial in chosen) == [1, 2]
    assert trained.count(report["winner"]["trial"]) == 2
    [row] = [row for row in report["costs"] if row["phase"] == "finalists"]
    assert (row["trainings"], row["epochs"]) == (5, 10)
