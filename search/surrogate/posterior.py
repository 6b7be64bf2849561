"""What a surrogate believes after what was told, and what it promises of architectures that might be tried."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from search.proposing.proposer import OpenProposal
from search.surrogate.ensemble import GaussianProcessEnsemble
from search.surrogate.features import Columns, Numbers
from search.surrogate.gaussian_process import Array, FeasibilityModel, alone, settled
from search.trial import Outcome
from space.decision import Choices, Decision, Option

Key = tuple[tuple[str, Option], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An architecture that might be proposed.

    broken: how far from feasible. size: what the starts are ranked by. macs: operations per sample, what it costs.
    """

    choices: Choices
    decisions: tuple[Decision, ...]
    numbers: tuple[Numbers, Numbers, Numbers]
    broken: float
    size: float
    macs: float
    _vector: list[Array] = field(default_factory=list, repr=False)

    @property
    def key(self) -> Key:
        return tuple(self.choices.items())

    def vector(self, columns: Columns) -> Array:
        """(features,), found once."""
        if not self._vector:
            self._vector.append(columns.vector(self.numbers))
        return self._vector[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """A trial that has ended, prior ones among them."""

    number: int
    asked: OpenProposal
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """Processes and what they were made from.

    ends: of the trials with a value that they keep, in order of number. chance: of not failing; None where nothing did.
    fresh: how many walks it is worth to look for a candidate in new places.
    """

    mixture: GaussianProcessEnsemble
    ends: tuple[End, ...]
    chance: FeasibilityModel | None
    fresh: int
    _merits: dict[int, tuple[Candidate, float]] = field(default_factory=dict, repr=False)

    def merits(self, found: Sequence[Candidate], columns: Columns) -> Array:
        """(candidates,) log expected improvement and log chance not to fail; of each found once."""
        new = list({id(one): one for one in found if id(one) not in self._merits}.values())
        if new:
            x = np.array([one.vector(columns) for one in new])
            with alone():
                gain = self.mixture.gain(x)
                worth = gain if self.chance is None else gain + settled(np.log(self.chance.at(x)))
            self._merits.update({id(one): (one, float(value)) for one, value in zip(new, worth, strict=True)})
        return np.array([self._merits[id(one)][1] for one in found])

    def incumbents(self, count: int) -> list[End]:
        """The trials believed best."""
        return [self.ends[int(place)] for place in np.argsort(-self.mixture.worth, kind="stable")[:count]]
