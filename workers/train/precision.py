"""Average precision of one curve, and what each sample contributes to it.

Both see samples in order of falling scores; samples with equal scores pass a threshold together, as in scikit-learn's
`average_precision_score`.
"""

import torch
from torch import Tensor


def area(score: Tensor, positive: Tensor) -> float:
    """Sum over falling thresholds of precision times the growth of recall; NaN without a positive sample.

    score: (n,) float64, positive: (n,) bool.
    """
    order = score.argsort(descending=True)
    ranked, found = score[order], positive[order].double()
    last = torch.ones_like(ranked, dtype=torch.bool)  # of equal values only the last is a threshold
    last[:-1] = ranked[1:] != ranked[:-1]
    hits = found.cumsum(0)[last]
    taken = torch.arange(1, len(score) + 1, device=score.device)[last]
    recall = hits / hits[-1]
    growth = torch.diff(recall, prepend=recall.new_zeros(1))
    return float((hits / taken * growth).sum())


def area_shares(score: Tensor, positive: Tensor) -> Tensor:
    """(n,) float64: each sample's share of the area, see `workers.train.shares`. score: (n,), positive: (n,) bool.

    With P(t) of the H(t) positives among the N(t) samples at or above threshold t, the area is the mean of H / N over
    the positives' thresholds. Its derivative by the weight of a sample s sums over the positives at or below s.
    """
    found = positive.double()
    _, place = torch.unique(-score, return_inverse=True)  # place 0 has the largest value
    hits, taken = torch.bincount(place, weights=found).double(), torch.bincount(place).double()
    above, upto = hits.cumsum(0), taken.cumsum(0)
    precision, whole = above / upto, hits.sum()
    mean = float((hits * precision).sum() / whole)
    by_hit, by_sample = (_from_here(term) / whole for term in (hits / upto, hits * above / upto**2))
    moved = found * ((precision[place] - mean) / whole + by_hit[place]) - by_sample[place]
    return mean + len(score) * moved


def _from_here(terms: Tensor) -> Tensor:
    """(k,) -> (k,): the sum of each term and those after it."""
    return terms.flip(0).cumsum(0).flip(0)
