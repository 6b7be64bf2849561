"""dropout: sets each value to zero with probability `rate` in training (Srivastava et al. 2014, Dropout, section 4)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Fraction
from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import FLOAT, SAME_MEMORY, Bytes, Saved


class Dropout(Layer):
    """(B, C, sides) or (B, F) -> the same shape. In training the values that stay are divided by 1 - rate."""

    name = "dropout"
    attributes: ClassVar[Mapping[str, Attribute]] = {"rate": Fraction()}
    keeps_zero = True
    colour = "#868e96"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"rate": 0.25}),
        Example(inputs=((4, 11),), attrs={"rate": 0.25}),
        Example(inputs=((12,),), attrs={"rate": 0}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return require_features(self.name, inputs[0])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        if attrs["rate"] == 0:
            return SAME_MEMORY
        return Saved(own=Bytes(out=FLOAT * math.prod(inputs[0])))  # the mask

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target="Dropout", positional={"p": cast(float, attrs["rate"])})

    def label(self, attrs: Attrs) -> str:
        return f"dropout {attrs['rate']:g}"
