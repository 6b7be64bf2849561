"""conv3d: convolution over volumes and clips."""

from typing import ClassVar

from space.operations.base import Example
from space.operations.convolution import Convolution


class Conv3d(Convolution):
    """(B, C, D, H, W) -> (B, out, D', H', W'); see `Convolution`. D: the depth of a volume, or the frames of a clip."""

    name = "conv3d"
    rank = 3
    target = "Conv3d"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((4, 6, 5, 4),), attrs={"out": 6, "kernel": 3}),
        Example(inputs=((4, 6, 5, 4),), attrs={"out": 6, "kernel": [1, 3, 5], "stride": 2, "bias": False}),
        Example(inputs=((4, 6, 5, 4),), attrs={"out": 4, "kernel": 3, "groups": 4, "dilation": 2}),
        Example(inputs=((4, 6, 5, 4),), attrs={"out": 3, "kernel": [3, 1, 1], "padding": "valid"}),
    )
