"""nonlocal: each position of a map receives a weighted mean over all positions (Wang et al. 2018, figure 2)."""

import math
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv, conv_norm_act, normalise

MAX_PLACES = 256
"""The most keys that a query is compared with, 16×16: so 28×28 and 14×14 maps are treated as in the paper."""


class NonLocal(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): z = W y + x (equation 6), y_i a weighted mean of all g(x_j).

    affinity: the weights. "gaussian" compares the maps themselves, exp(x_i · x_j) (equation 2); "embedded" compares 1×1
    convolutions of them, exp(θ(x_i) · φ(x_j)) (equation 3). θ, φ and g have width / reduction channels; the paper's
    reduction is 2. On larger maps keys and values are max-pooled to at most MAX_PLACES positions. If channels or stride
    change, a 1×1 convolution comes first.
    """

    name = "nonlocal"
    fields: ClassVar[tuple[str, ...]] = ("affinity", "reduction")
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        x = source
        if g.shape(x)[0] != style.width or style.stride > 1:
            x = conv_norm_act(g, f"{place}.entry", x, style, kernel=1, padding="same")
        inner = max(1, style.width // cast(int, answers("reduction")))
        queries = keys = x
        if answers("affinity") == "embedded":
            queries = conv(g, f"{place}.query", x, out=inner, kernel=1, bias=style.biased)
            keys = conv(g, f"{place}.key", x, out=inner, kernel=1, bias=style.biased)
        values = conv(g, f"{place}.value", x, out=inner, kernel=1, bias=style.biased)
        y = g.add(f"{place}.attend", "attend", {"pool": subsampling(g.shape(x)[1:])}, queries, keys, values)
        y = conv(g, f"{place}.out", y, out=style.width, kernel=1, bias=style.biased)
        y = normalise(g, f"{place}.norm", y, style.norm)
        return g.add(f"{place}.add", "add", {}, y, x)


def subsampling(size: tuple[int, ...]) -> int:
    """The smallest pooling window that leaves at most MAX_PLACES positions, at most the shorter side. size: sides."""
    windows = range(1, min(size) + 1)
    return next((by for by in windows if math.prod(side // by for side in size) <= MAX_PLACES), windows[-1])
