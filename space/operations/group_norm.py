"""group_norm: groups of channels to zero mean and unit variance within one sample (Wu, He 2018, section 3.1)."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from space.operations.attributes import Attribute, Misfit, Whole
from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor, nn


class GroupNorm(Layer):
    """(B, C, sides) or (B, F) -> the same, then scaled and shifted: two trainable parameters per channel.

    With one group it is layer norm, with C groups instance norm. Raises Misfit if the groups do not divide C, or if a
    group has a single value.
    """

    name = "group_norm"
    attributes: ClassVar[Mapping[str, Attribute]] = {"groups": Whole(low=1, high=65_536)}
    colour = "#a9873a"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"groups": 1}),
        Example(attrs={"groups": 2}),
        Example(attrs={"groups": 4}),
        Example(inputs=((4, 3, 5, 4),), attrs={"groups": 2}),
        Example(inputs=((4, 11),), attrs={"groups": 2}),
        Example(inputs=((12,),), attrs={"groups": 3}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_features(self.name, inputs[0])
        groups = cast(int, attrs["groups"])
        if channels % groups:
            raise Misfit(f"group_norm groups {groups} must divide the {channels} channels")
        if channels // groups * math.prod(size) == 1:
            raise Misfit("group_norm needs more than one value per group to normalise", tuple(size))
        return inputs[0]

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return 2 * inputs[0][0]

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS if attrs["groups"] in (1, inputs[0][0]) else Channels.BINDS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        channels, *size = inputs[0]
        statistics = Bytes(out=2 * FLOAT * cast(int, attrs["groups"]))
        return Saved(inputs=True, own=statistics, to_inputs=Bytes(out=0 if size else 2 * FLOAT * channels))

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        positional = {"groups": cast(int, attrs["groups"]), "channels": inputs[0][0]}
        return Call(target="GroupNorm", positional=positional)

    def module(self, attrs: Attrs, inputs: Sequence[Shape]) -> "nn.Module":
        module = super().module(attrs, inputs)
        module.register_forward_pre_hook(_plain)
        return module

    def label(self, attrs: Attrs) -> str:
        return f"group norm {attrs['groups']}"


def _plain(_: "nn.Module", inputs: "tuple[Tensor]") -> "tuple[Tensor]":
    """Make the input contiguous if this is the first layer that learns.

    Torch 2.13 on a CPU crashes with a segmentation fault in the backward pass of a group norm whose input is
    channels-last and needs no gradient.
    """
    import torch

    [x] = inputs
    return (x if x.requires_grad or not torch.is_grad_enabled() else x.contiguous(),)
