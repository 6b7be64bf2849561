"""avgpool: the mean of each window."""

from collections.abc import Sequence

from space.operations.base import Attrs, Call, Shape
from space.operations.pooling import Pooling


class AvgPool(Pooling):
    """Padding is left out of the mean, so that edges are not darkened."""

    name = "avgpool"
    target = "AvgPool"
    verb = "avg"

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        call = super().call(attrs, inputs)
        counted = not any(self.window(attrs, inputs).padding)
        return Call(
            target=call.target,
            positional=call.positional,
            keywords={**call.keywords, "count_include_pad": counted},
            defaults={**call.defaults, "count_include_pad": True},
        )
