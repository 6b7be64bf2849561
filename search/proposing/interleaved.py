"""Uniformly random trials within the search of any controller: every fifth trial is drawn, not proposed.

They serve three ends at once. They teach the controller what it would not have asked for. They are what the winner is
compared with (Li & Talwalkar 2019; Yang, Esperança & Carlucci 2020), so that no time goes to a separate random search.
And from their scores the report estimates what random search of the whole search's cost would have reached
(`workers/report/random_draws.py`).

Which trials are random follows from their number alone, so a new driver draws the same ones. The first is trial 2
after the user's own architectures: among the initial trials of most controllers it takes the place of one that is drawn
at random anyway, and the shortest search has one.

To the controller a random trial is one of its own that another process has asked: it is restored into it as open, and
told. Its behaviour is that of a uniform policy, which a policy gradient weighs by (`search/policy/policy.py`, (3)).

The draws are uniform over the architectures that were not tried yet, since no architecture is trained twice. Where a
search tries a large part of its space, they are therefore worse than independent draws: the best are gone already.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from archsmith.errors import SpaceExhausted
from search.proposing.constraints import Constraint
from search.proposing.controller import Controller, Proposal
from search.proposing.prior_values import Prior
from search.proposing.proposer import Proposer
from search.proposing.walks import Picker, SearchSpace, uniform
from search.streams import Stream
from search.trial import RANDOM, Outcome
from space.decision import Choices

EVERY, FIRST = 5, 2
"""One trial in EVERY, from number FIRST on, counted from the last of the user's own."""


def is_random(number: int, *, enqueued: int = 0) -> bool:
    """Whether a trial is drawn at random. enqueued: architectures of the user's own, trials 1 to `enqueued`."""
    return number > enqueued and (number - enqueued) % EVERY == FIRST


class UniformDraws(Proposer):
    """Uniform draws from the stream of the random arm; it learns nothing."""

    patience: ClassVar[int] = 200  # as `search.controllers.random.RandomController`
    keeps_behaviour: ClassVar[bool] = True
    stream: ClassVar[Stream] = Stream.RANDOM_ARM

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)


class Interleaved(Controller):
    """A controller, and every EVERY-th trial drawn at random, with provenance `search.trial.RANDOM`.

    controller: has neither asks nor restored trials yet. space, constraints, seed: as it was made from.
    """

    def __init__(
        self, controller: Controller, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0
    ) -> None:
        self._inner = controller
        self._draws = UniformDraws(space, constraints=constraints, seed=seed)
        self._weighs = isinstance(controller, Proposer) and controller.keeps_behaviour
        self._enqueued = 0

    def ready(self, number: int) -> bool:
        return self._inner.ready(number)

    def ask(self, number: int) -> Proposal:
        """Where no random draw is new, the controller's own proposal. Raises SpaceExhausted."""
        drawn = self._drawn(number) if is_random(number, enqueued=self._enqueued) else None
        if drawn is not None:
            self._inner.restore(drawn, None)
            return drawn
        proposal = self._inner.ask(number)
        self._draws.restore(proposal, None)
        return proposal

    def enqueue(self, architectures: Sequence[Choices]) -> None:
        self._enqueued = len(architectures)
        self._inner.enqueue(architectures)

    def recall(self, priors: Sequence[Prior]) -> None:
        self._inner.recall(priors)
        self._draws.recall(priors)

    def tell(self, outcome: Outcome) -> None:
        self._inner.tell(outcome)
        self._draws.tell(outcome)

    def restore(self, proposal: Proposal, outcome: Outcome | None) -> None:
        self._inner.restore(proposal, outcome)
        self._draws.restore(proposal, outcome)

    def incumbent(self) -> int | None:
        return self._inner.incumbent()

    @property
    def trouble(self) -> str | None:
        return self._inner.trouble

    def state(self) -> dict[str, Any]:
        return self._inner.state()

    def _drawn(self, number: int) -> Proposal | None:
        try:
            drawn = self._draws.ask(number)
        except SpaceExhausted:
            return None
        return replace(drawn, provenance=RANDOM, behaviour=drawn.behaviour if self._weighs else {})
