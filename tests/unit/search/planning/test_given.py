"""The plan that a reproducible job is given: of the job that it repeats, with its own budget and data."""

from dataclasses import replace
from typing import Any

import pytest

from search.planning.checks import plan_faults
from search.planning.given import given_document, given_plan
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from search.spec import Budget, JobSpec, TrialSpec
from tests import factories

INPUTS = PlanInputs(
    seconds=120.0, slots=2, samples=1149, val_samples=20, final_samples=1437, input_shape=(1, 8, 8), classes=10,
    step_s=0.006, score_s=0.01, reproducible=True,
)  # fmt: skip
PLAN = make_plan(INPUTS)


def _spec(**changes: Any) -> JobSpec:
    return factories.job_spec(
        **{"reproducible": True, "budget": Budget(seconds=120.0), "plan": given_document(PLAN), **changes}
    )


def test_it_is_the_same_plan_however_fast_the_machine_is() -> None:
    assert PLAN.warnings
    slower = replace(INPUTS, step_s=1.0, score_s=9.0, slots=1)
    assert given_plan(given_document(replace(PLAN, pace=3.0, warnings=())), slower) == PLAN


def test_a_spec_with_a_plan_is_read_back() -> None:
    spec = _spec()
    assert JobSpec.from_json(spec.to_json()) == spec
    early = {name: value for name, value in spec.to_json().items() if name != "plan"}
    assert JobSpec.from_json(early).plan is None


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({}, []),
        ({"plan": None, "reproducible": False}, []),
        ({"reproducible": False}, ["/plan"]),
        ({"budget": Budget(epochs=3)}, ["/plan"]),
        ({"trial": TrialSpec(batch_size=PLAN.batch_size)}, []),
        ({"trial": TrialSpec(batch_size=7), "budget": Budget(trials=1)}, ["/trial/batch_size", "/budget/trials"]),
        ({"budget": Budget(trials=PLAN.architectures)}, []),
    ],
)
def test_a_plan_needs_a_reproducible_job_that_says_nothing_else(changes: Any, pointers: list[str]) -> None:
    found = plan_faults(_spec(**changes))
    assert [fault.pointer for fault in found] == pointers
    assert {fault.rule for fault in found} <= {"combination_unsupported"}
