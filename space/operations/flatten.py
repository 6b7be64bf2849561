"""flatten: a map as one long vector."""

import math
from collections.abc import Sequence

from space.operations.base import Attrs, Call, Channels, Layer, Shape


class Flatten(Layer):
    """(C, H, W) -> (C·H·W,); a vector stays as it is."""

    name = "flatten"

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:  # noqa: ARG002
        return (math.prod(inputs[0]),)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:  # noqa: ARG002
        return Channels.KEEPS

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:  # noqa: ARG002
        return Call(target="Flatten")
