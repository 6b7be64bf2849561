"""maxpool: the largest value of each window."""

from space.operations.pooling import Pooling


class MaxPool(Pooling):
    """Padding counts as minus infinity: it never wins."""

    name = "maxpool"
    target = "MaxPool"
    verb = "max"
