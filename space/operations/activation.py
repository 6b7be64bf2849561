"""activation: an element-wise non-linearity."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice
from space.operations.base import Argument, Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import INPUTS, OUTPUT, Saved

TARGETS: dict[str, tuple[str, dict[str, Argument]]] = {
    "relu": ("ReLU", {}),
    "leaky_relu": ("LeakyReLU", {"negative_slope": 0.1}),
    "elu": ("ELU", {}),
    "silu": ("SiLU", {}),
    "gelu": ("GELU", {}),
    "hardswish": ("Hardswish", {}),
    "mish": ("Mish", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
}


class Activation(Layer):
    """(B, C, sides) or (B, F) -> the same, element by element; `kind` is a key of `TARGETS`.

    leaky_relu has slope 0.1 below zero; the others have torch's defaults.
    """

    name = "activation"
    attributes: ClassVar[Mapping[str, Attribute]] = {"kind": Choice(options=tuple(TARGETS))}
    colour = "#c2603f"
    examples: ClassVar[tuple[Example, ...]] = tuple(
        Example(inputs=(shape,), attrs={"kind": kind})
        for kind in TARGETS
        for shape in ((4, 9, 7), (4, 3, 5, 4), (4, 11), (12,))
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return require_features(self.name, inputs[0])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return OUTPUT if attrs["kind"] in ("relu", "sigmoid", "tanh") else INPUTS

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return all(zero) and attrs["kind"] != "sigmoid"

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        target, keywords = TARGETS[cast(str, attrs["kind"])]
        return Call(target=target, keywords=keywords)

    def label(self, attrs: Attrs) -> str:
        return str(attrs["kind"]).replace("_", " ")
