"""The plan of an earlier job, as a request gives it: what its report has as `job.document.plan`."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api.http.body import Strict

Steps = Annotated[int, Field(ge=1, le=10**9)]
Seconds = Annotated[float, Field(ge=0, le=10**8)]
Positive = Annotated[float, Field(gt=0, le=10**8)]
RULE = (
    "the whole plan of an earlier job, as its report has it in job.document.plan, and only for a reproducible job; "
    "without this field a job makes its own"
)
FEW = 3
"""Missing fields that are told one by one."""


class PlanRequest(Strict):
    """The plan of a reproducible job, so that the same trials are made on another machine, however fast it is.

    Lengths are gradient steps, times seconds; see `plan` of a job's view. It decides batch, rungs, data and number of
    trials, the length of the random arm (arm_s / search_s of the search's) and the number and length of full trainings.
    """

    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    pass_steps: Steps
    final_pass_steps: Steps
    rungs: Annotated[list[Steps], Field(min_length=1, max_length=16)]
    share: Annotated[float, Field(gt=0, le=1)]
    resolution: Annotated[int, Field(ge=1, le=4096)] | None
    architectures: Annotated[int, Field(ge=1, le=10_000)]
    final_steps: Steps
    trainings: Annotated[int, Field(ge=1, le=10_000)]
    limit_s: Positive
    start_s: Seconds
    search_s: Positive
    arm_s: Seconds
    winner_s: Seconds
    turns_s: Seconds
    bundle_s: Seconds
    step_s: Positive
    score_s: Seconds
    load_s: Seconds = 0.0

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, plan: Any) -> Any:
        """What a plan is comes first, in the place of a fault for each of its fields."""
        if not isinstance(plan, dict):
            raise PydanticCustomError("type_mismatch", "must be an object: {rule}", {"rule": RULE})
        missing = [name for name, field in cls.model_fields.items() if field.is_required() and name not in plan]
        if len(missing) > FEW:
            context = {"rule": RULE, "count": len(missing), "some": ", ".join(missing[:FEW]), "allowed": missing}
            text = "must be {rule}; {count} of its fields are missing, {some} among them"
            raise PydanticCustomError("missing_field", text, context)
        return plan

    @field_validator("rungs")
    @classmethod
    def _ascending(cls, rungs: list[int]) -> list[int]:
        if sorted(set(rungs)) != rungs:
            raise PydanticCustomError("out_of_range", "must rise: each rung is a number of steps from the start")
        return rungs
