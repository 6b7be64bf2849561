"""dense: each layer reads the outputs of all layers before it (Huang et al. 2017, DenseNet, section 3)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, activation, conv, normalise
from space.decision import Option
from space.operations.base import Shape


class Dense(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): one dense block with its transition.

    Each of the `layers` adds `growth` channels to what it read. The transition brings C + layers · growth channels to
    the width by a 1×1 convolution and, with a stride, average-pools. The order is the paper's: norm, activation,
    convolution, so that each layer normalises the shared channels in its own way.
    """

    name = "dense"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "layers", "growth")
    pads = True

    def most_nodes(self, options: Mapping[str, tuple[Option, ...]]) -> int:
        return 4 * cast(int, options["layers"][-1]) + 4

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel, growth = cast(int, answers("kernel")), cast(int, answers("growth"))
        x = source
        for i in range(cast(int, answers("layers"))):
            new = _norm_act_conv(g, f"{place}.layers.{i}", x, style, out=growth, kernel=kernel)
            x = g.add(f"{place}.joined.{i}", "concat", {}, x, new)
        x = _norm_act_conv(g, f"{place}.transition", x, style, out=style.width, kernel=1)
        if style.stride > 1:
            x = g.add(f"{place}.pool", "avgpool", _shrink(g.shape(x), style.stride), x)
        return x


def _norm_act_conv(g: GraphBuilder, place: str, source: str, style: Style, *, out: int, kernel: int) -> str:
    x = normalise(g, f"{place}.norm", source, style.norm)
    x = activation(g, f"{place}.act", x, style.activation)
    return conv(g, f"{place}.conv", x, out=out, kernel=kernel, bias=style.biased)


def _shrink(shape: Shape, stride: int) -> dict[str, object]:
    """The average pooling that leaves ceil(side / stride): as wide as the stride if that divides every side (2×2 in the
    paper), else a padded odd window."""
    sides: Sequence[int] = shape[1:]
    if all(side % stride == 0 for side in sides):
        return {"kernel": stride, "stride": stride}
    return {"kernel": stride | 1, "stride": stride, "padding": "same"}
