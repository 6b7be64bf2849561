"""Pieces that several blocks share: the squeeze-excite gate and the end of a residual block."""

from space.architecture import GraphBuilder
from space.blocks.base import Style, activation, conv, conv_norm_act


def squeeze_excite(g: GraphBuilder, place: str, source: str, reduction: int) -> str:
    """Weigh each channel by what all channels are on average (Hu et al. 2018, Squeeze-and-Excitation, eq. 2 to 4).

    A map -> the same; two 1×1 convolutions of C / reduction and C channels on the means, 2 · C² / reduction weights.
    """
    channels = g.shape(source)[0]
    x = g.add(f"{place}.pool", "global_avg_pool", {}, source)
    x = conv(g, f"{place}.reduce", x, out=max(1, channels // reduction), kernel=1)
    x = activation(g, f"{place}.act", x, "relu")
    x = conv(g, f"{place}.expand", x, out=channels, kernel=1)
    x = activation(g, f"{place}.gate", x, "sigmoid")
    return g.add(f"{place}.multiply", "multiply", {}, source, x)


def residual_join(
    g: GraphBuilder, place: str, source: str, x: str, style: Style, drop_path: float = 0, *, activate: bool = True
) -> str:
    """Add what entered a block to what its branch made of it, as `place`.shortcut, .drop_path, .add, .act.

    The shortcut is the input itself where shapes agree, else a 1×1 projection with the stride of the style (He et al.
    2016, option B). drop_path: share of samples for which the branch is dropped in training.
    """
    shortcut = source
    if g.shape(source) != g.shape(x):
        shortcut = conv_norm_act(g, f"{place}.shortcut", source, style, kernel=1, padding="same", activate=False)
    if drop_path:
        x = g.add(f"{place}.drop_path", "drop_path", {"rate": drop_path}, x)
    x = g.add(f"{place}.add", "add", {}, x, shortcut)
    return activation(g, f"{place}.act", x, style.activation) if activate else x
