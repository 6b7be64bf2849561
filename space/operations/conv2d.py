"""conv2d: convolution over images and their maps."""

from typing import ClassVar

from space.operations.base import Example
from space.operations.convolution import Convolution


class Conv2d(Convolution):
    """(B, C, H, W) -> (B, out, H', W'); see `Convolution`."""

    name = "conv2d"
    rank = 2
    target = "Conv2d"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"out": 6, "kernel": 3}),
        Example(attrs={"out": 6, "kernel": [3, 5], "stride": 2, "bias": False}),
        Example(attrs={"out": 8, "kernel": 5, "groups": 4}),
        Example(attrs={"out": 4, "kernel": 3, "groups": 4, "dilation": 2}),
        Example(attrs={"out": 3, "kernel": [1, 7], "padding": "valid"}),
        Example(attrs={"out": 3, "kernel": 1, "padding": "valid", "stride": 3}),
        Example(attrs={"out": 3, "kernel": [2, 4], "dilation": 2}),
    )
