"""conv2d: convolution over pictures and their maps."""

from space.operations.convolution import Convolution


class Conv2d(Convolution):
    """(C, H, W) -> (out, H', W')."""

    name = "conv2d"
    rank = 2
    target = "Conv2d"
