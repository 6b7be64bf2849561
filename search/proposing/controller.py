"""The contract of a controller: what to try next, as a function of what has been told.

A controller proposes architectures (`ask`) and learns from their outcomes (`tell`). Law:

1. `ask(number)` returns a `Proposal` whose architecture belongs to the space, is feasible (constraints hold, shapes
   fit), and whose hash differs from every earlier proposal of this controller, told or not. It never trains or learns.
2. Any number of asks may stand open; tells may come in any order; a told outcome is matched to *its own* ask by
   `number`. Telling a number that was not asked, or twice, raises `UnknownTrial`.
3. Only `tell` learns. Outcomes that are failed, infeasible or pruned are accepted like completed ones. A cancelled
   one only closes the ask.
4. When no new architecture can be found, `ask` raises `SpaceExhausted`; a space of one point after one ask.
5. `restore(proposal, outcome)` replays history in a fresh process: the ledger's trials in order of their numbers.
   outcome None means still open. After the same history, in any process and under any hash seed, the next asks are
   the same as they would have been. Randomness comes from (seed, number) alone, never from hidden generator state.
6. `state()` is JSON for people (probabilities, incumbents); nothing is rebuilt from it.
7. Before anything is asked or restored, once each: `enqueue(architectures)` makes the user's own ones the proposals 1,
   2, ... after the baseline, whatever the idea; `recall(priors)` teaches trials of earlier jobs
   (`search/earlier_jobs/prior.py`). Their numbers are -p ... -1, older than all of the job's; they are never open,
   never told and never the incumbent. Those that are settled are not proposed. Values that do not compare wait, as
   standings, for the first values of the job's own: see `Proposer.recall`.

The baseline architecture (trial 0) is proposed by `Proposer` in `search/proposing/proposer.py` for all controllers
alike, which also rejects infeasible draws and repeats, so that a controller's own file is only its idea.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.proposing.prior_values import Prior
from search.trial import Outcome
from space.architecture import Architecture
from space.decision import Choices


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """One answer of a controller.

    number: the trial's number, given from outside.
    choices: the decisions answered, by name, in the order asked.
    behaviour: per decision, the probability with which the policy chose it then (policy gradients; empty otherwise).
    provenance: "baseline", "user" (enqueued), "controller", "prior" (of an earlier job), or `search.trial.RANDOM_ARM`.
    """

    number: int
    architecture: Architecture
    choices: Choices
    behaviour: Mapping[str, float] = field(default_factory=dict)
    provenance: str = "controller"


class Controller(ABC):
    """See the module's text for the law; `tests/conformance/controllers.py` holds every controller to it."""

    @abstractmethod
    def ask(self, number: int) -> Proposal:
        """Propose an architecture for trial `number`. Raises SpaceExhausted."""

    def ready(self, number: int) -> bool:  # noqa: ARG002  # only controllers that wait look at it
        """Whether `ask(number)` may be called now, or must wait for more tells. Most controllers never wait."""
        return True

    @abstractmethod
    def tell(self, outcome: Outcome) -> None:
        """Learn how trial `outcome.number` ended. Raises UnknownTrial."""

    @abstractmethod
    def enqueue(self, architectures: Sequence[Choices]) -> None:
        """The user's own, as all answers of their walks."""

    @abstractmethod
    def recall(self, priors: Sequence[Prior]) -> None:
        """Learn from trials of earlier jobs. Raises Conflict for one of another space."""

    @abstractmethod
    def restore(self, proposal: Proposal, outcome: Outcome | None) -> None:
        """Replay one trial of the ledger: as if this controller had asked it and, unless None, been told."""

    def incumbent(self) -> int | None:
        """The number of the told trial that the controller believes best; None: the one with the highest value.

        Under noise the highest of many values is partly luck, and a controller with a model of them can know better.
        """
        return None

    @property
    def trouble(self) -> str | None:
        """Why the last ask was less than this controller can do (numerics that failed, say), in one line."""
        return None

    def state(self) -> dict[str, Any]:
        """What the controller believes, as JSON."""
        return {}
