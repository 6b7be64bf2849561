"""identity: its input, unchanged; the canonical hash leaves it out."""

from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape
from space.operations.saved import SAME_MEMORY, Saved


class Identity(Layer):
    """Any shape -> the same."""

    name = "identity"
    keeps_zero = True
    examples: ClassVar[tuple[Example, ...]] = (Example(), Example(inputs=((4, 11),)), Example(inputs=((12,),)))

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return inputs[0]

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return SAME_MEMORY

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target="Identity")
