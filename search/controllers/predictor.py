"""Bayesian optimisation on graph features: a Gaussian process over descriptions of architectures, expected improvement.

(BANANAS: White et al. 2021, for candidates by mutation; Kadlecová et al. 2024 for the features.) The features matter
more than the model: on a published table of 15,625 cells the same process finds the best after 29 trainings with graph
features and 49 with the six answers.

Candidates: neighbours of the five trials with the highest estimates, that differ in one answer or two; the pool of
random architectures; and four climbs from the four candidates with the highest acquisition.
"""

from typing import Any, ClassVar

from search.proposing.walks import SearchSpace
from search.surrogate.controller import SurrogateController
from search.surrogate.neighbourhood import Neighbourhood
from search.surrogate.posterior import Candidate, Posterior


class PredictorController(SurrogateController):
    """Options: see `SurrogateController`."""

    climbs: ClassVar[int] = 4

    def __init__(self, space: SearchSpace, **options: Any) -> None:
        super().__init__(space, **options)
        self._neighbourhood = Neighbourhood(self)

    def candidates(self, number: int, posterior: Posterior) -> list[Candidate]:
        found = [*self._neighbourhood.around(posterior), *self.pool]
        for climb in range(self.climbs):
            found += self._neighbourhood.climbed(found, posterior, number, climb)
        return found
