"""A plan that a job is given instead of measuring: that of the job which it repeats."""

from typing import Any

from search.planning.rule import warnings
from search.planning.values import Plan, PlanInputs

MADE_ANEW = ("seconds", "pace", "warnings")
"""What a job has from its own budget, machine and data."""


def given_document(plan: Plan) -> dict[str, Any]:
    """The field `plan` of the request that repeats a job with this plan."""
    return {name: value for name, value in plan.to_json().items() if name not in MADE_ANEW}


def given_plan(document: dict[str, Any], inputs: PlanInputs) -> Plan:
    """document: the field of a request, checked. inputs: of this job; of their times only `seconds` is used."""
    return Plan.from_json({**document, "seconds": inputs.seconds, "pace": 1.0, "warnings": tuple(warnings(inputs))})
