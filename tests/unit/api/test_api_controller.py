"""The state of a job's controller."""

from tests.unit.api.support import Service


def test_the_state_of_a_jobs_controller(service: Service) -> None:
    job = service.submit(controller={"name": "reinforce", "entropy": 0.05})
    path = f"/v1/jobs/{job}/controller"
    assert service.get(path).json() == {"name": "reinforce", "options": {"entropy": 0.05}, "told": 0, "state": {}}
    lease = service.ledger.claim("test", 30.0)
    assert lease is not None
    state = {"told": 3, "probabilities": {"stages.0.kernel": {"3": 0.75, "5": 0.25}}}
    service.ledger.set_controller_state(lease, 3, state)
    assert service.get(path).json() == {
        "name": "reinforce", "options": {"entropy": 0.05}, "told": 3, "state": state
    }  # fmt: skip
    assert service.get(f"/v1/jobs/{job}").json()["links"]["controller"] == path
