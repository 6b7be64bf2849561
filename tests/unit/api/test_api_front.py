"""Jobs with several objectives and their Pareto front."""

import pytest

from search.objective import Objective
from search.trial import Outcome, TrialState
from tests import factories
from tests.unit.api.support import Service


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"maximize": "score"}, {"maximize": ["score"], "minimize": [], "target": None}),
        ({"minimize": "params"}, {"maximize": ["score"], "minimize": ["params"], "target": None}),
        (
            {"maximize": [], "minimize": ["energy_j", "memory_mb"]},
            {"maximize": [], "minimize": ["energy_j", "memory_mb"], "target": None},
        ),
        (
            {"target": {"measure": "latency_ms", "value": 2}},
            {
                "maximize": ["score"],
                "minimize": [],
                "target": {"measure": "latency_ms", "value": 2.0, "form": "absolute", "weight": -0.07},
            },
        ),
    ],
)
def test_objectives_are_kept_as_given(service: Service, asked: object, kept: dict[str, object]) -> None:
    job = service.submit(objective=asked)
    objective = service.get(f"/v1/jobs/{job}").json()["spec"]["objective"]
    assert {name: objective[name] for name in kept} == kept


def test_the_front_of_a_job(service: Service) -> None:
    job = service.submit(objective={"minimize": ["latency_ms"]})
    empty = service.get(f"/v1/jobs/{job}/front").json()
    assert empty == {
        "maximize": ["score"], "minimize": ["latency_ms"], "points": [], "hypervolume": None, "reference": None
    }  # fmt: skip
    lease = service.ledger.claim("test", 30.0)
    assert lease is not None
    objective = Objective.of(service.ledger.job(job).spec.objective)
    for number, (score, latency) in enumerate([(0.5, 1.0), (0.9, 3.0), (0.8, 3.0)]):
        factories.running_trial(service.ledger, lease, number)
        facts = {"score": score, "latency_ms": latency}
        outcome = Outcome(
            number=number,
            state=TrialState.COMPLETED,
            value=objective.value(facts),
            values=objective.values(facts),
            epochs=1,
        )
        service.ledger.finish_trial(lease, number, 1, outcome, score, {"latency_ms": latency})
    front = service.get(f"/v1/jobs/{job}/front").json()
    assert [(point["trial"], point["measures"]) for point in front["points"]] == [
        (1, {"score": 0.9, "latency_ms": 3.0}),
        (0, {"score": 0.5, "latency_ms": 1.0}),
    ]
    assert front["hypervolume"] == pytest.approx(0.44 * 0.2 + 0.04 * 2.0)
    assert service.get(f"/v1/jobs/{job}/trials/1").json()["measures"] == {"latency_ms": 3.0}
    assert service.get(front["points"][0]["links"]["trial"]).json()["number"] == 1
