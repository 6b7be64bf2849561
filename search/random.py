"""Random search: every open decision is answered uniformly (Bergstra & Bengio 2012)."""

import numpy as np

from search.propose import Picker, Proposer, uniform


class RandomController(Proposer):
    """The yardstick: it learns nothing, and nothing can mislead it."""

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)
