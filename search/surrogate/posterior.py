"""The surrogate after the outcomes so far, and its acquisition function for architectures that might be tried."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from search.planning.step_cost import Work
from search.proposing.proposer import OpenProposal
from search.surrogate.ensemble import GaussianProcessEnsemble
from search.surrogate.features import Columns, Numbers
from search.surrogate.gaussian_process import Array, FeasibilityModel, rounded, single_threaded
from search.trial import Outcome
from space.decision import Choices, Decision, Option

Key = tuple[tuple[str, Option], ...]
"""An architecture by the answers of its walk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An architecture that might be proposed.

    violation: of the constraints, 0 where it is feasible. size: what the initial design ranks it by. macs: operations
    per sample. work: what it costs by `search.planning.step_cost`, () where costs are not known.
    """

    choices: Choices
    decisions: tuple[Decision, ...]
    numbers: tuple[Numbers, Numbers, Numbers]
    violation: float
    size: float
    macs: float
    work: Work = ()
    _vector: list[Array] = field(default_factory=list, repr=False)

    @property
    def key(self) -> Key:
        return tuple(self.choices.items())

    def vector(self, columns: Columns) -> Array:
        """(features,), computed once."""
        if not self._vector:
            self._vector.append(columns.vector(self.numbers))
        return self._vector[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """A trial that has ended; prior ones are among them."""

    number: int
    trial: OpenProposal
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Posterior:
    """The fitted models, and what they were fitted to.

    ends: the n trials with a value that the ensemble keeps, in order of number. feasibility: None where none failed.
    walk_budget: how many new walks an ask may make to find candidates.
    """

    ensemble: GaussianProcessEnsemble
    ends: tuple[End, ...]
    feasibility: FeasibilityModel | None
    walk_budget: int
    _acquisitions: dict[int, tuple[Candidate, float]] = field(default_factory=dict, repr=False)

    def acquisition(self, candidates: Sequence[Candidate], columns: Columns) -> Array:
        """(candidates,): log expected improvement + log probability not to fail; each candidate is computed once.

        The product of both is the constrained expected improvement of Gardner et al. 2014.
        """
        known = self._acquisitions
        new = list({id(candidate): candidate for candidate in candidates if id(candidate) not in known}.values())
        if new:
            x = np.array([candidate.vector(columns) for candidate in new])  # (new, features)
            with single_threaded():
                values = self.ensemble.log_expected_improvement(x)
                if self.feasibility is not None:
                    values = values + rounded(np.log(self.feasibility.probability(x)))
            # the candidate is kept beside its value, so that its id is not used again
            known.update(
                {id(candidate): (candidate, float(value)) for candidate, value in zip(new, values, strict=True)}
            )
        return np.array([known[id(candidate)][1] for candidate in candidates])

    def incumbents(self, count: int) -> list[End]:
        """The trials with the highest estimates."""
        order = np.argsort(-self.ensemble.estimates, kind="stable")[:count]
        return [self.ends[int(place)] for place in order]
