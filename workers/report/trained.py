"""The final trainings of one architecture, read back from the ledger's rows and the files beside them."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from search.ledger import Finalist, Trial
from workers.finalists.plan import Final
from workers.report.statistics import Floats, Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """One completed training: row.test_score is a number. measures: all its scores. shares: see `Scores`.

    answered: see `workers.finalists.answered`; None where its problem has none, and of earlier versions.
    """

    row: Finalist
    measures: dict[str, float]
    shares: Floats | None
    answered: dict[str, Any] | None = None

    @property
    def score(self) -> float:
        if self.row.test_score is None:
            raise ValueError(f"final training {self.row.rank}, seed {self.row.seed}, has no test score")
        return self.row.test_score


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """One architecture with its trainings: at least one, ordered by seed."""

    final: Final
    trainings: tuple[Training, ...]

    @property
    def trial(self) -> Trial:
        return self.final.trial

    @property
    def scores(self) -> Scores:
        shares = [training.shares for training in self.trainings if training.shares is not None]
        whole = len(shares) == len(self.trainings)
        mean = np.stack(shares).astype(np.float64).mean(axis=0) if whole else None
        return Scores(values=tuple(training.score for training in self.trainings), shares=mean)

    @property
    def measures(self) -> dict[str, float]:
        """Means over the trainings of the scores that all of them have."""
        each = [training.measures for training in self.trainings]
        return {name: fmean(m[name] for m in each) for name in each[0] if all(name in m for m in each)}
