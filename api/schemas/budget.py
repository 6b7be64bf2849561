"""What a job may spend, as requests give it and change it."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api.http.body import Strict
from search.spec import SEARCH_S, TRIALS, Budget

MONTH_S = 30 * 86_400


class BudgetRequest(Strict):
    """What a job may spend: the wall clock of the whole job, or a number of trials of so many epochs.

    seconds: of the whole job, from its start to its bundle, 1,800 by default. A plan says how they are spent; trials
    and total_epochs (passes of all trials over the training split) are ceilings. With epochs (of each trial) there is
    no plan: trials (30) and total_epochs say how long the search is. epochs and seconds contradict each other.
    """

    trials: Annotated[int, Field(ge=1, le=10_000)] | None = None
    seconds: Annotated[float, Field(ge=1, le=MONTH_S)] | None = None
    epochs: Annotated[int, Field(ge=1, le=1000)] | None = None
    total_epochs: Annotated[int, Field(ge=1, le=10_000_000)] | None = None

    @field_validator("epochs")
    @classmethod
    def _one_of_both(cls, epochs: int | None, info: ValidationInfo) -> int | None:
        if epochs is not None and info.data.get("seconds") is not None:
            raise PydanticCustomError(
                "combination_unsupported",
                "epochs and seconds contradict each other: seconds is the time of the whole job, and its plan says how"
                " long a trial is trained; leave one of them out (with trials as a ceiling of either)",
                {"allowed": [None]},
            )
        return epochs

    def spec(self) -> Budget:
        if self.epochs is None:
            seconds = Budget().seconds if self.seconds is None else float(self.seconds)
            return Budget(trials=self.trials, seconds=seconds, total_epochs=self.total_epochs)
        trials = self.trials or TRIALS
        return Budget(trials=trials, seconds=SEARCH_S, epochs=self.epochs, total_epochs=self.total_epochs)


class BudgetPatch(Strict):
    """New limits; what is left out stays. total_epochs: null = no limit."""

    trials: Annotated[int, Field(ge=1, le=10_000)] | None = None
    seconds: Annotated[float, Field(ge=1, le=MONTH_S)] | None = None
    total_epochs: Annotated[int, Field(ge=1, le=10_000_000)] | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.changes():
            raise PydanticCustomError("missing_field", "name at least one of trials, seconds and total_epochs")
        return self

    def changes(self) -> dict[str, int | float | None]:
        """The limits that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {
            name: float(value) if name == "seconds" else value
            for name, value in given.items()
            if value is not None or name == "total_epochs"
        }


class JobPatch(Strict):
    """What may be changed of a job that was posted already."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [{"budget": {"trials": 60}}]}
    )
    budget: BudgetPatch
