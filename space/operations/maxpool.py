"""maxpool: the largest value of each window."""

from typing import ClassVar

from space.operations.base import Example
from space.operations.pooling import Pooling


class MaxPool(Pooling):
    """Padding counts as minus infinity: it never wins."""

    name = "maxpool"
    target = "MaxPool"
    verb = "max"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"kernel": 2, "stride": 2}),
        Example(attrs={"kernel": 3, "stride": 2, "padding": "same"}),
        Example(attrs={"kernel": [2, 3]}),
        Example(attrs={"kernel": 1, "stride": 2}),
        Example(inputs=((4, 6, 5, 4),), attrs={"kernel": 2, "stride": 2}),
        Example(inputs=((4, 6, 5, 4),), attrs={"kernel": [1, 3, 3], "padding": "same"}),
    )
