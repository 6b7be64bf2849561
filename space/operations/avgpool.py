"""avgpool: the mean of each window."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.base import Attrs, Call, Example, Shape
from space.operations.pooling import Pooling

if TYPE_CHECKING:
    from torch import nn


class AvgPool(Pooling):
    """(B, C, sides) -> (B, C, sides'), see `Pooling`. Padding is not part of the mean, so the edges do not fade."""

    name = "avgpool"
    target = "AvgPool"
    verb = "avg"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"kernel": 2, "stride": 2}),
        Example(attrs={"kernel": 3, "stride": 1, "padding": "same"}),
        Example(attrs={"kernel": [4, 3], "stride": 3, "padding": "same"}),
        Example(inputs=((4, 6, 5, 4),), attrs={"kernel": [1, 2, 3], "stride": 2}),
        Example(inputs=((4, 6, 5, 4),), attrs={"kernel": 3, "padding": "same"}),
        Example(inputs=((4, 2, 5, 4),), attrs={"kernel": 3, "stride": 2, "padding": "same"}),
        Example(inputs=((4, 2, 5, 1),), attrs={"kernel": [3, 5, 3], "padding": "same"}),
        Example(inputs=((4, 11),), attrs={"kernel": 3, "stride": 2, "padding": "same"}),
        Example(inputs=((4, 2),), attrs={"kernel": 3, "padding": "same"}),
    )

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        call = super().call(attrs, inputs)
        window = self.window(attrs, inputs)
        if len(inputs[0]) == 4 and any(k > side for k, side in zip(window.kernel, inputs[0][1:], strict=True)):
            # torch's AvgPool3d takes no window beyond the map, padded or not, where AvgPool2d does
            keywords = {**call.keywords, "padding": window.padding}
            return Call(target="PaddedAvgPool3d", library="", positional=call.positional, keywords=keywords)
        return Call(
            target=call.target,
            positional=call.positional,
            keywords={**call.keywords, "count_include_pad": not any(window.padding)},
            defaults={**call.defaults, "count_include_pad": True},
        )

    def define(self) -> "type[nn.Module]":
        import torch
        import torch.nn.functional as F
        from torch import Tensor, nn

        class PaddedAvgPool3d(nn.Module):
            """The mean of what a window covers of the map, which may be smaller than the window."""

            def __init__(
                self,
                kernel_size: int | tuple[int, int, int],
                stride: int,
                padding: tuple[int, ...],
            ) -> None:
                super().__init__()
                self.pool = nn.AvgPool3d(kernel_size, stride)
                self.edges = [length for length in reversed(padding) for _ in range(2)]

            def forward(self, x: Tensor) -> Tensor:
                covered: Tensor = self.pool(F.pad(torch.ones_like(x[:1, :1]), self.edges))
                means: Tensor = self.pool(F.pad(x, self.edges))
                return means / covered

        return PaddedAvgPool3d
