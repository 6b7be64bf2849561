"""What may be sent about making a winner smaller. The steps and their options are checked in search/compress.py."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.functional_validators import BeforeValidator
from pydantic_core import PydanticCustomError

from api.body import Strict
from search.compress import DEFAULT
from search.spec import CompressSpec, CompressStep


def _named(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict):
        raise PydanticCustomError("type_mismatch", "must be a step's name or an object with one")
    return value


class CompressStepRequest(Strict):
    """A step's name, and its options beside it."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)
    name: Annotated[str, Field(max_length=64)]


Step = Annotated[CompressStepRequest, BeforeValidator(_named, json_schema_input_type=str | CompressStepRequest)]


class CompressRequest(Strict):
    """The steps in order. max_drop: what all of them together may lose of the score on the validation split."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [{"steps": list(DEFAULT)}]}
    )
    steps: Annotated[list[Step], Field(min_length=1, max_length=16)] = Field(
        [CompressStepRequest(name=name) for name in DEFAULT]
    )
    max_drop: Annotated[float, Field(ge=0, le=1)] = 0.01

    def spec(self, *, of: str | None = None) -> CompressSpec:
        steps = [CompressStep(name=step.name, options=dict(step.model_extra or {})) for step in self.steps]
        return CompressSpec(steps=tuple(steps), max_drop=float(self.max_drop), of=of)
