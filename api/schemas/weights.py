"""The field `trial.class_weights`: a word, or a number for each class."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

WORDS = ("none", "balanced")
Weights = Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=1, max_length=10_000)]


def _as_it_is(value: Any) -> Any:
    """Pydantic warns of a word in a field whose type is a list."""
    return value


def _word_or_numbers(value: Any, numbers: ValidatorFunctionWrapHandler) -> Any:
    """No union, whose faults would point below the field, at each of its kinds."""
    if not isinstance(value, str):
        return numbers(value)
    if value not in WORDS:
        context = {"given": repr(value[:60]), "allowed": list(WORDS)}
        raise PydanticCustomError(
            "choice_unknown", "{given} is none of none, balanced and a list with a number for each class", context
        )
    return value


ClassWeights = Annotated[
    Weights,
    WrapValidator(_word_or_numbers, json_schema_input_type=Literal[WORDS] | Weights),
    PlainSerializer(_as_it_is),
]
