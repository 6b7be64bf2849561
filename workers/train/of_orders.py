"""The score of ordered classes: Cohen's kappa with quadratic weights (Cohen 1968), and its shares.

    kappa = 1 - A / B

A is the mean squared distance, in class steps, between the answers and the truth; B is the same where both are
independent of each other. 1 is perfect, 0 is chance, below 0 is worse than chance. Equal to scikit-learn's
`cohen_kappa_score(weights="quadratic")`.

logits is (n, classes) float32 and y (n,) int64, classes in their order. The answer is the class with the largest logit.
"""

import torch
from torch import Tensor

CHANCE = 0.0
"""The kappa where all answers and the truth are one class, so that it is not defined."""


def quadratic_kappa(logits: Tensor, y: Tensor) -> float:
    """logits: (n, classes), y: (n,)."""
    steps, by_answer, by_truth = _distances(logits, y)
    chance = float(by_truth.mean() + by_answer.mean()) / 2
    return 1.0 - float(steps.mean()) / chance if chance > 0 else CHANCE


def quadratic_kappa_shares(logits: Tensor, y: Tensor) -> Tensor:
    """(n,) float64. logits: (n, classes), y: (n,)."""
    steps, by_answer, by_truth = _distances(logits, y)
    a, b = steps.mean(), by_truth.mean()
    if b == 0:
        return torch.full_like(steps, CHANCE)
    return 1 - a / b - (steps - a) / b + a / b**2 * (by_answer + by_truth - 2 * b)


def _distances(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squared class steps, (n,) each: from answer to truth; from the answer to all truths, from the truth to all
    answers, in the mean. The means of the last two are B."""
    answer, truth = logits.argmax(1).double(), y.double()

    def to_all(one: Tensor, others: Tensor) -> Tensor:
        return one.square() - 2 * one * others.mean() + others.square().mean()

    return (answer - truth).square(), to_all(answer, truth), to_all(truth, answer)
