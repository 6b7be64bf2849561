"""conv1d: convolution over series."""

from typing import ClassVar

from space.operations.base import Example
from space.operations.convolution import Convolution


class Conv1d(Convolution):
    """(B, C, T) -> (B, out, T'); see `Convolution`."""

    name = "conv1d"
    rank = 1
    target = "Conv1d"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((4, 11),), attrs={"out": 6, "kernel": 3}),
        Example(inputs=((4, 11),), attrs={"out": 6, "kernel": [5], "stride": 2, "bias": False}),
        Example(inputs=((4, 11),), attrs={"out": 4, "kernel": 3, "groups": 4, "dilation": 2}),
        Example(inputs=((4, 11),), attrs={"out": 3, "kernel": 7, "padding": "valid"}),
    )
