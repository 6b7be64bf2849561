"""What an operation holds in memory during a training step, in the words that `space/peak_memory.py` adds up.

Measured on torch's CPU allocator (`benchmarks/memory.py`); another device keeps the same tensors and differs in the
copies that live only while a layer runs.
"""

from typing import NamedTuple

FLOAT = 4
"""Bytes of a float32, which everything is counted in."""

INDEX = 8
"""Bytes of an int64."""


class Bytes(NamedTuple):
    """An amount: bytes for each row of the output, for each row of the first input, for each edge, and once.

    A row is what a batch has many of: a sample, a node, a graph or a pair of nodes.
    """

    out: int = 0
    into: int = 0
    edge: int = 0
    once: int = 0


NOTHING = Bytes()


class Saved(NamedTuple):
    """What is held beside the output and the gradients of the inputs, which every operation makes.

    inputs, output: whether they are kept until the backward pass. A tensor kept by two operations is there once.
    own: tensors of its own kept until then (a mask, indices, statistics).
    forward: copies that live only while it runs.
    backward: copies while the gradients of its weights are computed; to_inputs: while those of its inputs are, which
        a layer that reads the data itself need not do.
    shares: the output is the first input's memory (flatten).
    passes: the gradient of an input is the gradient of the output or a part of its memory (add, concat).
    cuts: no gradient comes to its inputs.
    """

    inputs: bool = False
    output: bool = False
    own: Bytes = NOTHING
    forward: Bytes = NOTHING
    backward: Bytes = NOTHING
    to_inputs: Bytes = NOTHING
    shares: bool = False
    passes: bool = False
    cuts: bool = False


EVERYTHING = Saved(inputs=True, output=True)
INPUTS = Saved(inputs=True)
OUTPUT = Saved(output=True)
NO_TENSOR = Saved()
PASSED_ON = Saved(passes=True)
SAME_MEMORY = Saved(shares=True, passes=True)
