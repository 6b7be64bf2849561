"""batch_norm: each channel to zero mean, unit variance over the batch; scaled and shifted (Ioffe, Szegedy 2015)."""

import math
from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import FLOAT, Bytes, Saved


class BatchNorm(Layer):
    """A map or a vector -> the same. Two trainable parameters per channel; running statistics do not count."""

    name = "batch_norm"
    colour = "#a9873a"
    examples: ClassVar[tuple[Example, ...]] = (Example(), Example(inputs=((4, 3, 5, 4),)), Example(inputs=((12,),)))

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
