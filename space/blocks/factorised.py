"""factorised: a convolution along each side of the map instead of one over all sides.

1×k, then k×1 (Szegedy et al. 2016, Rethinking the Inception Architecture, section 3.2); on volumes 1×1×k, 1×k×1, k×1×1.
"""

from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act

PARTS = ("across", "down", "through")
"""The convolutions along the width, the height and the depth."""


class Factorised(Block):
    """(B, C, sides) -> (B, width, sides'): k · width · (C + width) weights, on volumes k · width · (C + 2 · width).

    The last convolution has the stride, so that those before it read every pixel.
    """

    name = "factorised"

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        k, rank = cast(int, answers("kernel")), len(g.shape(source)) - 1
        x = source
        for i, part in enumerate(PARTS[:rank]):
            kernel = tuple(k if axis == rank - 1 - i else 1 for axis in range(rank))
            stride = style.stride if i == rank - 1 else 1
            x = conv_norm_act(g, f"{place}.{part}", x, style, kernel=kernel, stride=stride)
        return x
