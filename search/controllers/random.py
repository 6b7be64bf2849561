"""Random search: every open decision is answered uniformly (Bergstra & Bengio 2012)."""

from typing import ClassVar

import numpy as np

from search.proposing.proposer import Proposer
from search.proposing.walks import Picker, uniform


class RandomController(Proposer):
    """The yardstick: it learns nothing, and nothing can mislead it."""

    patience: ClassVar[int] = 200  # uniform to the end: neighbours only where one walk in 70 or fewer would be new

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)
