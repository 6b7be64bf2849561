"""A search that can be repeated: the same asks in the same order, whatever the number of workers and whatever crashes.

Outcomes arrive in an order that depends on how fast each machine is. This wrapper holds them back: ask n is made when
exactly the trials 0 .. n - LAG have been told, in order of their numbers, and those after them are open as far as the
controller knows. So ask n depends on the seed and on the outcomes of trials 0 .. n - LAG alone. The price: at most LAG
trials run at once.
"""

from collections.abc import Sequence
from typing import Any

from archsmith.errors import UnknownTrial
from search.proposing.controller import Controller, Proposal
from search.proposing.prior_values import Prior
from search.trial import Outcome
from space.decision import Choices

LAG = 4
"""Trials that may be open at once. A larger lag keeps more workers busy, but each proposal knows fewer outcomes."""


class DeterministicOrder(Controller):
    """Any controller, told in order of trial numbers. `ready` says when the next ask may be made."""

    def __init__(self, controller: Controller) -> None:
        self._inner = controller
        self._open: set[int] = set()
        self._held: dict[int, Outcome] = {}  # told to this wrapper and not yet to the controller
        self._told = 0  # trials 0 .. _told - 1 have been told to the controller

    def ready(self, number: int) -> bool:
        return all(n in self._held for n in range(self._told, number - LAG + 1))

    def ask(self, number: int) -> Proposal:
        """Raises ValueError before it is ready, SpaceExhausted."""
        if not self.ready(number):
            raise ValueError(f"trial {number} cannot be asked before all trials up to {number - LAG} have ended")
        while self._told <= number - LAG:
            self._inner.tell(self._held.pop(self._told))
            self._told += 1
        proposal = self._inner.ask(number)
        self._open.add(number)
        return proposal

    def enqueue(self, architectures: Sequence[Choices]) -> None:
        self._inner.enqueue(architectures)

    def recall(self, priors: Sequence[Prior]) -> None:
        self._inner.recall(priors)

    def tell(self, outcome: Outcome) -> None:
        if outcome.number not in self._open:
            raise UnknownTrial(f"trial {outcome.number} was never asked, or told before")
        self._open.remove(outcome.number)
        self._held[outcome.number] = outcome

    def restore(self, proposal: Proposal, outcome: Outcome | None) -> None:
        self._inner.restore(proposal, None)
        self._open.add(proposal.number)
        if outcome is not None:
            self.tell(outcome)

    def incumbent(self) -> int | None:
        return self._inner.incumbent()

    @property
    def trouble(self) -> str | None:
        return self._inner.trouble

    def state(self) -> dict[str, Any]:
        return self._inner.state()
