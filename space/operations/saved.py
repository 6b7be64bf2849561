"""What an operation holds in memory during a training step, in a form that `space/peak_memory.py` can add up.

The figures are measured on torch's CPU allocator (`benchmarks/memory.py`). Other devices keep the same tensors and
differ in the copies that live only while a layer runs.
"""

from typing import NamedTuple

FLOAT = 4
"""Bytes of a float32, the type of all values here."""

INDEX = 8
"""Bytes of an int64."""


class Bytes(NamedTuple):
    """An amount of memory in bytes.

    out: for each row of the output. into: for each row of the first input. edge: for each edge. once: in addition.
    A row is one entry of the batch: a sample, a node, a graph or a pair of nodes.
    """

    out: int = 0
    into: int = 0
    edge: int = 0
    once: int = 0


NOTHING = Bytes()


class Saved(NamedTuple):
    """What an operation holds in addition to its output and the gradients of its inputs, which every operation has.

    inputs, output: whether they are kept until the backward pass. A tensor that two operations keep counts once.
    own: other tensors that are kept until then (a mask, indices, statistics).
    forward: copies that live only during the forward pass of the operation.
    backward: copies while the gradients of its weights are computed.
    to_inputs: copies while the gradients of its inputs are computed; not needed by a layer that reads the data itself.
    shares: the output shares the memory of the first input (flatten).
    passes: the gradient of an input is that of the output, or a part of its memory (add, concat).
    cuts: its inputs get no gradient.
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
