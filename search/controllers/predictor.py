"""Bayesian optimisation on graph features: a Gaussian process over what architectures look like, expected improvement.

(BANANAS: White et al. 2021, for candidates by mutation; Kadlecová et al. 2024 for the features.) What an architecture
is compared by matters more than the model: on a published table of 15,625 cells the same process finds the best after
29 trainings by graph features and 49 by the six answers.

Candidates: neighbours of the five trials believed best, that differ in one answer or two; the pool of random
architectures; and four climbs from the four that promise most.
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
        self._surroundings = Neighbourhood(self)

    def candidates(self, number: int, belief: Posterior) -> list[Candidate]:
        found = [*self._surroundings.around(belief), *self.pool]
        for climb in range(self.climbs):
            found += self._surroundings.climbed(found, belief, number, climb)
        return found
