"""maxpool: the largest value of each window."""

import math
from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Example, Shape
from space.operations.pooling import Pooling
from space.operations.saved import Bytes, Saved


class MaxPool(Pooling):
    """(B, C, sides) -> (B, C, sides'), see `Pooling`. Padding counts as minus infinity, so it is never the maximum."""

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
        Example(inputs=((4, 11),), attrs={"kernel": 3, "stride": 2, "padding": "same"}),
    )

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return Saved(inputs=True, own=Bytes(out=8 * math.prod(output)))  # where each was, int64
