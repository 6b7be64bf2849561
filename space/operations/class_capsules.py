"""class_capsules: from primary capsules to one capsule per class (Sabour, Frosst, Hinton 2017, procedure 1)."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from space.operations.attributes import Attribute, Misfit, Whole
from space.operations.base import Attrs, Call, Example, Layer, Shape, require_map
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import nn


class ClassCapsules(Layer):
    """(B, kinds · size, sides) -> logits (B, out), by `routing` rounds of routing by agreement.

    At each position of the map, `size` consecutive channels are one primary capsule; the capsule of a class has `wide`
    values. A logit is log ‖s‖², where s is what the paper squashes to v with ‖v‖ = ‖s‖² / (1 + ‖s‖²) (equation 1). It
    is the log odds of that length, log(‖v‖ / (1 - ‖v‖)): the length, which the paper reads as a probability, is the
    sigmoid of the logit, and the classes are ranked by length. Cross entropy then sees each class's share of all ‖s‖².
    With the lengths themselves, between 0 and 1, as logits it stays at 1.60 on digits after 8 epochs; with the log odds
    it comes to 0.51, and 0.50 is the minimum for smoothed labels.

    Raises Misfit if `size` does not divide the channels.
    """

    name = "class_capsules"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out": Whole(low=1, high=65_536),
        "size": Whole(low=1, high=1024),
        "wide": Whole(low=1, high=1024, default=16),
        "routing": Whole(low=1, high=16, default=3),
    }
    weighted = True
    colour = "#3b6fb6"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((6, 4, 3),), attrs={"out": 3, "size": 3, "wide": 4}),
        Example(inputs=((8, 2, 3, 2),), attrs={"out": 2, "size": 4, "wide": 2, "routing": 1}),
        Example(inputs=((8, 11),), attrs={"out": 2, "size": 4, "wide": 2}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, size = require_map(self.name, inputs[0])[0], cast(int, attrs["size"])
        if channels % size:
            raise Misfit(f"class_capsules size {size} must divide the {channels} channels")
        return (cast(int, attrs["out"]),)

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """A matrix (size, wide) for each pair of a primary capsule and a class. Each is applied once: as many MACs."""
        return math.prod(inputs[0]) * cast(int, attrs["out"]) * cast(int, attrs["wide"])

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self.params(attrs, inputs)

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """Kept: primary capsules before and after squashing, and the votes. In passing: one more copy of the votes."""
        capsules = math.prod(inputs[0]) // cast(int, attrs["size"])
        votes = FLOAT * capsules * cast(int, attrs["out"]) * cast(int, attrs["wide"])
        rows = FLOAT * math.prod(inputs[0])
        once = Bytes(out=votes)
        return Saved(own=Bytes(out=votes + 2 * rows), forward=once, backward=once)

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        size = cast(int, attrs["size"])
        positional = {"capsules": math.prod(inputs[0]) // size, "size": size, "classes": cast(int, attrs["out"])}
        keywords = {"wide": cast(int, attrs["wide"]), "routing": cast(int, attrs["routing"])}
        return Call(target="ClassCapsules", library="", positional=positional, keywords=keywords)

    def define(self) -> "type[nn.Module]":
        import torch
        from torch import Tensor, nn

        class Votes(nn.Linear):
            """Each capsule through a matrix of its own: (B, capsules, size) -> (B, capsules, classes · wide)."""

            def __init__(self, capsules: int, size: int, out: int) -> None:
                super().__init__(size, capsules * out, bias=False)
                self.capsules = capsules

            def forward(self, x: Tensor) -> Tensor:
                matrices = self.weight.view(self.capsules, -1, self.in_features)  # (capsules, out, size)
                return torch.matmul(x.transpose(0, 1), matrices.transpose(1, 2)).transpose(0, 1)

        class ClassCapsules(nn.Module):
            """(B, kinds · size, …) -> logits (B, classes): routing by agreement.

            Primary capsules vote for what each class's capsule should be; a vote counts the more, the better it agrees
            with the others. The logits are log ‖s‖², the log odds of the lengths ‖s‖² / (1 + ‖s‖²).
            """

            def __init__(self, capsules: int, size: int, classes: int, wide: int, routing: int) -> None:
                super().__init__()
                self.size, self.classes, self.wide, self.routing = size, classes, wide, routing
                self.votes = Votes(capsules, size, classes * wide)

            def forward(self, x: Tensor) -> Tensor:
                batch, channels = x.shape[:2]
                x = x.reshape(batch, channels // self.size, self.size, -1).transpose(2, 3)
                x = squash(x.float().reshape(batch, -1, self.size))  # (B, capsules, size)
                votes = self.votes(x).float().reshape(batch, -1, self.classes, self.wide)
                fixed = votes.detach()  # no gradient flows through the routing but the last sum
                logits = torch.zeros_like(fixed[..., 0])  # (B, capsules, classes)
                for _ in range(self.routing - 1):
                    agreed = squash((logits.softmax(dim=2).unsqueeze(3) * fixed).sum(dim=1))  # (B, classes, wide)
                    logits = logits + (fixed * agreed.unsqueeze(1)).sum(dim=3)
                s = (logits.softmax(dim=2).unsqueeze(3) * votes).sum(dim=1)
                return torch.log(s.square().sum(dim=2) + 1e-6)

        def squash(x: Tensor) -> Tensor:
            """Vectors along the last axis, shrunk to lengths below 1 (equation 1)."""
            square = x.square().sum(dim=-1, keepdim=True)
            return x * (square / (1 + square) * torch.rsqrt(square + 1e-8))

        return ClassCapsules

    def label(self, attrs: Attrs) -> str:
        return f"{attrs['out']} capsules, routing {attrs['routing']}"
