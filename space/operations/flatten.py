"""flatten: a map as one vector."""

import math
from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import SAME_MEMORY, Saved


class Flatten(Layer):
    """(B, C, H, W) -> (B, C · H · W), likewise for volumes and series; a vector (B, F) stays as it is."""

    name = "flatten"
    keeps_zero = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(),
        Example(inputs=((4, 3, 5, 4),)),
        Example(inputs=((4, 11),)),
        Example(inputs=((12,),)),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return (math.prod(require_features(self.name, inputs[0])),)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return SAME_MEMORY

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target="Flatten")
