"""conv3d: convolution over volumes and clips."""

from space.operations.convolution import Convolution


class Conv3d(Convolution):
    """(C, D, H, W) -> (out, D', H', W'); of a clip D counts the frames."""

    name = "conv3d"
    rank = 3
    target = "Conv3d"
