"""Pieces that several blocks share: the squeeze-excite gate, the end of a residual block, kernels and groups.

Each function of a graph `g` adds nodes below `place` that read node `source`, and returns the last of them.
"""

import math
from collections.abc import Iterator, Mapping
from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style, activation, conv, conv_norm_act, normalise
from space.decision import Option


def squeeze_excite(g: GraphBuilder, place: str, source: str, reduction: int, *, bias: bool = True) -> str:
    """Weight each channel by a gate computed from the means of all channels.

    (B, C, sides) -> the same: global average pooling, two 1×1 convolutions to C / reduction and to C channels, a
    sigmoid, and the product with the map; 2 · C² / reduction weights. Source: Hu et al. 2018 (Squeeze-and-Excitation
    Networks, equations 2 to 4).
    """
    channels = g.shape(source)[0]
    x = g.add(f"{place}.pool", "global_avg_pool", {}, source)
    x = conv(g, f"{place}.reduce", x, out=max(1, channels // reduction), kernel=1, bias=bias)
    x = activation(g, f"{place}.act", x, "relu")
    x = conv(g, f"{place}.expand", x, out=channels, kernel=1, bias=bias)
    x = activation(g, f"{place}.gate", x, "sigmoid")
    return g.add(f"{place}.multiply", "multiply", {}, source, x)


def residual_join(
    g: GraphBuilder, place: str, source: str, x: str, style: Style, drop_path: float = 0, *, activate: bool = True
) -> str:
    """The end of a residual block: the shortcut plus the branch `x`, as `place`.shortcut, .drop_path, .add, .act.

    (B, C, sides) of `source` and (B, width, sides') of `x` -> the shape of `x`. The shortcut is the input itself where
    the shapes agree, else a 1×1 projection with the stride of the style (He et al. 2016, Deep Residual Learning,
    option B). drop_path: share of samples for which the branch is dropped in training.
    """
    shortcut = source
    if g.shape(source) != g.shape(x):
        shortcut = conv_norm_act(g, f"{place}.shortcut", source, style, kernel=1, padding="same", activate=False)
    if drop_path:
        x = g.add(f"{place}.drop_path", "drop_path", {"rate": drop_path}, x)
    x = g.add(f"{place}.add", "add", {}, x, shortcut)
    return activation(g, f"{place}.act", x, style.activation) if activate else x


def shuffle(g: GraphBuilder, place: str, source: str, groups: int) -> str:
    """The channel shuffle as node `place`, or the source itself if there is one group only."""
    return g.add(place, "channel_shuffle", {"groups": groups}, source) if groups > 1 else source


def norm_act(g: GraphBuilder, place: str, source: str, style: Style) -> str:
    """Norm and activation as `place`.norm and .act: the end of the blocks for graph data, (N, F) -> the same."""
    return activation(g, f"{place}.act", normalise(g, f"{place}.norm", source, style.norm), style.activation)


def kernel_of(answers: Answers, *, rank: int) -> int | tuple[int, ...]:
    """The kernel for a map with `rank` sides, of the answers kernel (k), kernel_width (l) and kernel_depth (d).

    k×l on images, d×k×l on volumes, k on series; a width or depth of 0 stands for k.
    """
    kernel, width, depth = (cast(int, answers(name)) for name in ("kernel", "kernel_width", "kernel_depth"))
    return kernel if rank == 1 else (depth or kernel, kernel, width or kernel)[-rank:]


def square_when_valid(block: Block, options: Mapping[str, tuple[Option, ...]]) -> Iterator[Clash]:
    """A clash for each option of a kernel that is not square or is dilated, where padding may be valid.

    The decision path computes what an unpadded kernel leaves of a map from the field `kernel` alone.
    """
    plain = {"kernel_width": 0, "kernel_depth": 0, "dilation": 1}
    for name, default in plain.items():
        if name in block.fields and "valid" in options["padding"] and options[name][-1] != default:
            detail = f"{name} of a {block.name} block must be {default} where padding may be valid"
            yield Clash(field=name, detail=detail, rule="combination_unsupported", allowed=[default])


def dividing_groups(options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
    """A clash if some option of `groups` does not divide every width that the stage may have."""
    common = math.gcd(*widths)
    odd = [groups for groups in cast("tuple[int, ...]", options["groups"]) if common % groups]
    if odd:
        width = next(width for width in widths if width % odd[0])
        fits = [groups for groups in range(1, 257) if common % groups == 0]
        yield Clash(field="groups", detail=f"groups {odd[0]} must divide the width {width}", allowed=fits)
