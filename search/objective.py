"""What "better" means. The sign is folded here and nowhere else: inside, larger is always better."""

from dataclasses import dataclass

from search.trial import Measurement

OBJECTIVES: dict[str, float] = {"score": 1.0}
"""Name of what can be asked for -> sign that makes larger better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """Folds a raw measurement into the value that controllers maximise."""

    maximize: str = "score"

    @property
    def sign(self) -> float:
        return OBJECTIVES[self.maximize]

    def fold(self, score: float) -> float:
        """Raw score -> value, larger is better."""
        return self.sign * score

    def unfold(self, value: float) -> float:
        """Value -> raw score; the inverse of fold."""
        return self.sign * value

    def point(self, measurement: Measurement) -> tuple[float, ...]:
        """All values of a measurement, for what compares measurements."""
        return (self.fold(measurement.score),)
