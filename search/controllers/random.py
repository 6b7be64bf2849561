"""Random search: every decision is answered uniformly (Bergstra & Bengio 2012)."""

from typing import ClassVar

import numpy as np

from search.proposing.proposer import Proposer
from search.proposing.walks import Picker, uniform


class RandomController(Proposer):
    """The baseline for all others; it learns nothing."""

    patience: ClassVar[int] = 200  # neighbours are drawn only where fewer than one walk in 70 would be new

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)
