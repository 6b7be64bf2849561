"""A toy space with one hill, and a sequential search on it."""

from search.proposing.proposer import Proposer
from search.testing.toys import Toy
from search.trial import Outcome, TrialState
from space.decision import Choices

SIX = Toy(
    "six",
    lambda ask: [("conv2d", {"out": ask(f"layers.{i}.width", (1, 2, 3), True), "kernel": 1}) for i in range(6)],
    lambda choices: sum(float(width) for width in choices.values()),
)
"""Six decisions of three answers, and one hill: the wider, the better."""


def tell(controller: Proposer, number: int, value: float) -> None:
    controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=1))


def run_trials(controller: Proposer, toy: Toy, trials: int) -> list[Choices]:
    """The choices of the trials, each of which is told before the next is asked."""
    proposed = []
    for number in range(trials):
        proposed.append(controller.ask(number).choices)
        tell(controller, number, toy.reward(proposed[-1]))
    return proposed


def differing(choices: Choices, other: Choices) -> list[str]:
    """The decisions of `choices` that `other` answers otherwise, or not at all."""
    return [name for name in choices if choices[name] != other.get(name)]
