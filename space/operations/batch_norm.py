"""batch_norm: each channel to zero mean and unit variance over the batch (Ioffe, Szegedy 2015, algorithm 1)."""

import math
from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import FLOAT, Bytes, Saved


class BatchNorm(Layer):
    """(B, C, sides) or (B, F) -> the same, then scaled and shifted: two trainable parameters per channel.

    In evaluation the running statistics take the place of the batch's; they are buffers, not parameters. In training
    torch raises ValueError if a channel has a single value.
    """

    name = "batch_norm"
    colour = "#a9873a"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(),
        Example(inputs=((4, 3, 5, 4),)),
        Example(inputs=((4, 11),)),
        Example(inputs=((12,),)),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return require_features(self.name, inputs[0])

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return 2 * inputs[0][0]

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        statistics = Bytes(once=2 * FLOAT * inputs[0][0])
        return Saved(inputs=True, own=statistics, to_inputs=Bytes(out=FLOAT * math.prod(inputs[0])))

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target=f"BatchNorm{max(1, len(inputs[0]) - 1)}d", positional={"channels": inputs[0][0]})
