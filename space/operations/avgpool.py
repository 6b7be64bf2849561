"""avgpool: the mean of each window."""

from collections.abc import Sequence

from space.operations.base import Attrs, Call, Shape
from space.operations.pooling import Pooling


class AvgPool(Pooling):
    """Padding is left out of the mean, so that edges are not darkened."""

    name = "avgpool"
    target = "AvgPool2d"
    verb = "avg"

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        call = super().call(attrs, inputs)
        if "padding" not in call.keywords:
            return call
        keywords = {**call.keywords, "count_include_pad": False}
        return Call(target=call.target, positional=call.positional, keywords=keywords)
