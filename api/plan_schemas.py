"""The plan of an earlier job, as a request gives it: what its report has as `job.document.plan`."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from api.body import Strict

Steps = Annotated[int, Field(ge=1, le=10**9)]
Seconds = Annotated[float, Field(ge=0, le=10**8)]
Positive = Annotated[float, Field(gt=0, le=10**8)]


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

    @field_validator("rungs")
    @classmethod
    def _ascending(cls, rungs: list[int]) -> list[int]:
        if sorted(set(rungs)) != rungs:
            raise PydanticCustomError("out_of_range", "must rise: each rung is a number of steps from the start")
        return rungs
