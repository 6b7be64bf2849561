"""The final trainings of one architecture, read back from the ledger's rows and the files beside them."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np

from search.ledger import Finalist, Trial
from workers.finalists.plan import Final
from workers.report.statistics import Floats, Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """One that ended well: row.test_score is a number. measures: all its scores. shares: see `Scores`, of this one."""

    row: Finalist
    measures: dict[str, float]
    shares: Floats | None

    @property
    def score(self) -> float:
        if self.row.test_score is None:
            raise ValueError(f"final training {self.row.rank}, seed {self.row.seed}, was not measured")
        return self.row.test_score


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """trainings: at least one, in order of their seeds."""

    final: Final
    trainings: tuple[Training, ...]

    @property
    def trial(self) -> Trial:
        return self.final.trial

    @property
    def scores(self) -> Scores:
        shares = [one.shares for one in self.trainings if one.shares is not None]
        whole = len(shares) == len(self.trainings)
        mean = np.stack(shares).astype(np.float64).mean(axis=0) if whole else None
        return Scores(values=tuple(one.score for one in self.trainings), shares=mean)

    @property
    def measures(self) -> dict[str, float]:
        """Means over the trainings, of the scores that all of them have."""
        each = [one.measures for one in self.trainings]
        return {name: fmean(one[name] for one in each) for name in each[0] if all(name in one for one in each)}
