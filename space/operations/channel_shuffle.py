"""channel_shuffle: distributes the channels of each group over all groups (Zhang et al. 2018, ShuffleNet, figure 1)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Misfit, Whole
from space.operations.base import Attrs, Call, Example, Layer, Shape, require_map
from space.operations.saved import NO_TENSOR, Saved


class ChannelShuffle(Layer):
    """(B, C, sides) -> the same shape: with G groups, channel i of group j becomes channel i · G + j.

    Raises Misfit if the groups do not divide C.
    """

    name = "channel_shuffle"
    attributes: ClassVar[Mapping[str, Attribute]] = {"groups": Whole(low=1, high=65_536)}
    keeps_zero = True
    colour = "#7a4fa3"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"groups": 2}),
        Example(inputs=((6, 9, 7),), attrs={"groups": 3}),
        Example(inputs=((6, 5, 4, 3),), attrs={"groups": 2}),
        Example(inputs=((6, 11),), attrs={"groups": 3}),
        Example(attrs={"groups": 1}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels = require_map(self.name, inputs[0])[0]
        if channels % cast(int, attrs["groups"]):
            raise Misfit(f"channel_shuffle groups {attrs['groups']} must divide the {channels} channels")
        return inputs[0]

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return NO_TENSOR

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target="ChannelShuffle", positional={"groups": cast(int, attrs["groups"])})

    def label(self, attrs: Attrs) -> str:
        return f"shuffle {attrs['groups']}"
