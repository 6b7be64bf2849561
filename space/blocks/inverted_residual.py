"""inverted_residual: narrow maps between blocks, wide ones inside (Sandler et al. 2018, MobileNetV2, table 1).

With `squeeze` the wide map is gated after its depthwise convolution (Howard et al. 2019, MobileNetV3, figure 4).
"""

from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act
from space.blocks.pieces import residual_join, squeeze_excite


class InvertedResidual(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): t · C · (C + k · k + width) weights for an expansion t > 1.

    A 1×1 convolution to t · C channels (left out for t = 1), a depthwise k×k, and a 1×1 to the width without
    activation, because an activation would destroy information in a narrow map (section 3.2). There is a shortcut only
    if the stride is 1 and the channels are equal, so that it is the identity.
    """

    name = "inverted_residual"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "expansion", "squeeze", "drop_path")
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel, expansion, squeeze = (cast(int, answers(name)) for name in ("kernel", "expansion", "squeeze"))
        x = source
        if expansion > 1:
            wide = expansion * g.shape(x)[0]
            x = conv_norm_act(g, f"{place}.expand", x, style, kernel=1, width=wide, stride=1, padding="same")
        x = conv_norm_act(g, f"{place}.depthwise", x, style, kernel=kernel, padding="same", depthwise=True)
        if squeeze:
            x = squeeze_excite(g, f"{place}.squeeze", x, squeeze, bias=style.bias != "never")
        x = conv_norm_act(g, f"{place}.project", x, style, kernel=1, stride=1, padding="same", activate=False)
        if style.stride > 1 or g.shape(source) != g.shape(x):
            return x
        return residual_join(g, place, source, x, style, cast(float, answers("drop_path")), activate=False)
