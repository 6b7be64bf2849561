"""The contract of a controller: what to try next, as a function of the outcomes so far.

A controller proposes architectures (`ask`) and learns from their outcomes (`tell`). It promises:

1. `ask(number)` returns a `Proposal` whose architecture belongs to the space, is feasible (constraints hold, shapes
   fit), and whose hash differs from every earlier proposal of this controller, ended or open. It never trains or
   learns.
2. Any number of trials may be open, and outcomes may arrive in any order; an outcome belongs to the ask with the same
   `number`. An outcome for a number that was not asked, or a second one, raises `UnknownTrial`.
3. Only `tell` learns. Failed, infeasible and pruned outcomes are accepted like completed ones. A cancelled one only
   closes the trial.
4. When no new architecture can be found, `ask` raises `SpaceExhausted`; a space of one point does so on the second ask.
5. `restore(proposal, outcome)` replays history in a fresh process: the ledger's trials in order of their numbers.
   outcome None means still open. After the same history, in any process and under any hash seed, the next asks are
   the same as they would have been. Randomness comes from (seed, number) alone, never from hidden generator state.
6. `state()` is JSON for people (probabilities, incumbents); nothing is rebuilt from it.
7. Before the first ask or restore, once each: `enqueue(architectures)` makes the user's own architectures the proposals
   1, 2, ... after the baseline, whatever the strategy; `recall(priors)` teaches trials of earlier jobs
   (`search/earlier_jobs/prior.py`). Their numbers are -p ... -1, below those of all the job's own trials; they are
   never open, never told and never the incumbent. Those that are settled are not proposed. Values that do not compare
   are kept as z-scores until the job has values of its own to scale them by: see `Proposer.recall`.

The baseline architecture (trial 0) is proposed by `Proposer` in `search/proposing/proposer.py` for all controllers
alike, which also rejects infeasible draws and repeats, so that a controller's own file holds its strategy alone.
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

    number: the trial's number, given by the caller of `ask`.
    choices: the decisions answered, by name, in the order asked.
    behaviour: per decision, the probability with which the policy chose it then (policy gradients; empty otherwise).
    provenance: "baseline", "user" (enqueued), "controller", "prior" (of an earlier job), `search.trial.RANDOM`, or
        `search.trial.RANDOM_ARM`.
    """

    number: int
    architecture: Architecture
    choices: Choices
    behaviour: Mapping[str, float] = field(default_factory=dict)
    provenance: str = "controller"


class Controller(ABC):
    """The contract is the module's text; `tests/conformance/controllers.py` checks every controller against it."""

    @abstractmethod
    def ask(self, number: int) -> Proposal:
        """Propose an architecture for trial `number`. Raises SpaceExhausted."""

    def ready(self, number: int) -> bool:  # noqa: ARG002  # only controllers that wait look at it
        """Whether `ask(number)` may be called now, or must wait for more outcomes. Most controllers never wait."""
        return True

    @abstractmethod
    def tell(self, outcome: Outcome) -> None:
        """Learn how trial `outcome.number` ended. Raises UnknownTrial."""

    @abstractmethod
    def enqueue(self, architectures: Sequence[Choices]) -> None:
        """Propose the user's own architectures first; each is given by all answers of its walk."""

    @abstractmethod
    def recall(self, priors: Sequence[Prior]) -> None:
        """Learn from trials of earlier jobs. Raises Conflict for a trial of another space."""

    @abstractmethod
    def restore(self, proposal: Proposal, outcome: Outcome | None) -> None:
        """Replay one trial of the ledger: as if it had been asked here and, unless the outcome is None, told."""

    def incumbent(self) -> int | None:
        """The number of the ended trial that the controller estimates to be best; None: the one with the highest value.

        Under noise the highest of many values is partly luck, and a model of them can correct for that.
        """
        return None

    @property
    def trouble(self) -> str | None:
        """Why the last ask was made without what this controller normally uses (a failed fit, say), in one line."""
        return None

    def state(self) -> dict[str, Any]:
        """What the controller has learned, as JSON."""
        return {}
