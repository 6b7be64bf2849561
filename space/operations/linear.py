"""linear: each output is a weighted sum of all inputs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Flag, Whole
from space.operations.base import Argument, Attrs, Call, Channels, Example, Layer, Shape, require_vector
from space.operations.saved import INPUTS, Saved


class Linear(Layer):
    """(B, F) -> (B, out): F · out weights, and `out` biases. Raises Misfit for a map."""

    name = "linear"
    attributes: ClassVar[Mapping[str, Attribute]] = {"out": Whole(low=1, high=65_536), "bias": Flag(default=True)}
    weighted = True
    colour = "#3b6fb6"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((12,),), attrs={"out": 5}),
        Example(inputs=((12,),), attrs={"out": 5, "bias": False}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        require_vector(self.name, inputs[0])
        return (cast(int, attrs["out"]),)

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self.macs(attrs, inputs) + (cast(int, attrs["out"]) if attrs["bias"] else 0)

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return inputs[0][0] * cast(int, attrs["out"])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.MIXES

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return INPUTS

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return all(zero) and not attrs["bias"]

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        positional: dict[str, Argument] = {"in_features": inputs[0][0], "out_features": cast(int, attrs["out"])}
        keywords: dict[str, Argument] = {"bias": cast(bool, attrs["bias"])}
        return Call(target="Linear", positional=positional, keywords=keywords, defaults={"bias": True})
