"""The default: everything that proposes, and one surrogate that decides.

Candidates come from the policy that practises on the surrogate (`search/policy_model.py`) and from the surroundings of
the trials believed best (`search/surroundings.py`); expected improvement chooses among all of them.
"""

from typing import Any

from search.modelled import Belief, Candidate
from search.policy_model import PolicyModelController
from search.propose import SearchSpace
from search.surroundings import Surroundings


class AutoController(PolicyModelController):
    """No options: they are the measured ones."""

    def __init__(self, space: SearchSpace, **options: Any) -> None:
        super().__init__(space, **options)
        self._surroundings = Surroundings(self)

    def candidates(self, number: int, belief: Belief) -> list[Candidate]:
        found = [*super().candidates(number, belief), *self._surroundings.around(belief)]
        return [*found, *self._surroundings.climbed(found, belief, number, 0)]
