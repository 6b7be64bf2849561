"""What is known of a job's simple models: scores before the search, and on the test split after it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NAMES: Mapping[str, str] = {"linear": "a linear model", "boosted": "gradient-boosted trees"}
"""Name -> what people call it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleScore:
    """The score of one model on the part that was held out; None where there is none, for `reason`.

    seconds: with the features. features: of a sample.
    """

    score: float | None
    seconds: float = 0.0
    features: int = 0
    strength: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StageScores:
    """All simple models of one stage.

    trained, measured: samples that were used. of_trained, of_measured: samples that the splits have.
    """

    scores: Mapping[str, SimpleScore]
    trained: int
    of_trained: int
    measured: int
    of_measured: int

    @property
    def whole(self) -> bool:
        """Whether all samples were used."""
        return (self.trained, self.measured) == (self.of_trained, self.of_measured)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "StageScores":
        scores = {name: SimpleScore(**row) for name, row in document["scores"].items()}
        return cls(**{**document, "scores": scores})
