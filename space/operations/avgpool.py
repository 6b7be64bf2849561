"""avgpool: the mean of each window."""

from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Call, Example, Shape
from space.operations.pooling import Pooling


class AvgPool(Pooling):
    """Padding is left out of the mean, so that edges are not darkened."""

    name = "avgpool"
    target = "AvgPool"
    verb = "avg"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"kernel": 2, "stride": 2}),
        Example(attrs={"kernel": 3, "stride": 1, "padding": "same"}),
        Example(attrs={"kernel": [4, 3], "stride": 3, "padding": "same"}),
        Example(inputs=((4, 6, 5, 4),), attrs={"kernel": [1, 2, 3], "stride": 2}),
        Example(inputs=((4, 6, 5, 4),), attrs={"kernel": 3, "padding": "same"}),
    )

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        call = super().call(attrs, inputs)
        counted = not any(self.window(attrs, inputs).padding)
        return Call(
            target=call.target,
            positional=call.positional,
            keywords={**call.keywords, "count_include_pad": counted},
            defaults={**call.defaults, "count_include_pad": True},
        )
