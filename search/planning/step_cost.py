"""Seconds of one gradient step by architecture, learned from the trainings that were timed so far.

A step of batch B on one processor takes about

    B (d · multiply-accumulates of full convolutions and linear layers + g · those of grouped ones
       + a · numbers in all feature maps + i · numbers of the input)

since small networks wait for memory: on Fashion-MNIST-shaped input the seconds of random chains lie within a factor of
6 where their multiply-accumulates lie within 140. The ratios of the four factors are in `FACTORS`; a machine, a batch
and a number type differ from them. With the sum as `rough` and the shares s of its terms, the model is

    log seconds = level + log rough + w · (s - mean of s) + v · (log rough - its mean)

in which w changes the ratios, to first order, and v the power. Level is the mean residual and (w, v) a ridge regression
(Hoerl & Kennard 1970), so that one timed network gives a scale and each further one a little more.

`python -m benchmarks.step_cost`, batches of 128 on one thread of a processor with AMX: the factor between predicted and
measured seconds of an architecture that the model has not seen, median and 90 % quantile, after 2, 8 and 29 others of
its preset (15 of mobile):

    chain, fp32 channels-last        1.19 / 1.46    1.16 / 1.40    1.15 / 1.35
    chain, bf16 channels-last        1.42 / 2.55    1.34 / 2.15    1.23 / 1.93
    branching, fp32 channels-last    1.20 / 1.52    1.15 / 1.46    1.14 / 1.38
    branching, bf16 channels-last    1.24 / 1.64    1.21 / 1.52    1.17 / 1.48
    mobile, fp32 channels-last       1.17 / 1.35    1.14 / 1.30    1.14 / 1.29

Multiply-accumulates alone, with a scale, are off by 1.8 / 3.5 on chain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from space.architecture import Architecture

Array = npt.NDArray[np.float64]
Work = tuple[float, ...]
"""The four numbers of an architecture that the formula takes, for one sample (or one row of graph data)."""

FACTORS = (1.0, 20.0, 25.0, 5_000.0)
"""Relative to one multiply-accumulate; see `python -m benchmarks.step_cost`."""

RIDGE = 1.0
"""Of 0.03, 0.1, 0.3 and 1 the one with the smallest errors after 2, 8 and 29 timed networks."""


def work_of(architecture: Architecture) -> Work:
    """In the order of FACTORS; 20 to 100 µs."""
    dense = grouped = maps = 0.0
    for node in architecture.nodes:
        use = node.use
        if use.attrs.get("groups", 1) in (1, True):
            dense += use.macs
        else:
            grouped += use.macs
        maps += math.prod(use.shape)
    return dense, grouped, maps, float(math.prod(architecture.input_shape))


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCost:
    """A fitted model. centre: (terms + 1,) means of shares and log rough; weights: (terms + 1,) w and v."""

    level: float
    centre: Array
    weights: Array

    @classmethod
    def unknown(cls) -> "StepCost":
        """A network of the rough cost 1 takes 1 s: for ratios only."""
        return cls(level=0.0, centre=np.zeros(len(FACTORS) + 1), weights=np.zeros(len(FACTORS) + 1))

    def seconds(self, works: Sequence[Work]) -> Array:
        """(n,) of one step each, seconds."""
        rough, x = _described(works)
        return np.asarray(np.exp(self.level + np.log(rough) + (x - self.centre) @ self.weights))


def fit(works: Sequence[Work], seconds: Sequence[float]) -> StepCost:
    """To the measured seconds of a step of one architecture or more. Raises ValueError for none, or seconds <= 0."""
    if not works or min(seconds) <= 0.0:
        raise ValueError(f"a cost model needs timed steps of more than 0 s, got {list(seconds)[:5]}")
    rough, x = _described(works)
    residual = np.log(np.array(seconds, dtype=float)) - np.log(rough)  # (n,)
    level, centre = float(residual.mean()), x.mean(axis=0)
    z = x - centre
    weights = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (residual - level))
    return StepCost(level=level, centre=centre, weights=weights)


def _described(works: Sequence[Work]) -> tuple[Array, Array]:
    """(n,) rough, and (n, terms + 1) shares of its terms and its logarithm."""
    terms = np.array(works, dtype=float) * FACTORS  # (n, terms)
    rough = terms.sum(axis=1)
    return rough, np.column_stack([terms / rough[:, None], np.log(rough)])
