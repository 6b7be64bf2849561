"""Pieces that several blocks share: the squeeze-excite gate, the end of a residual block, kernels and groups."""

import math
from collections.abc import Iterator, Mapping
from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style, activation, conv, conv_norm_act
from space.decision import Option


def squeeze_excite(g: GraphBuilder, place: str, source: str, reduction: int, *, bias: bool = True) -> str:
    """Weigh each channel by what all channels are on average (Hu et al. 2018, Squeeze-and-Excitation, eq. 2 to 4).

    A map -> the same; two 1×1 convolutions of C / reduction and C channels on the means, 2 · C² / reduction weights.
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


def shuffle(g: GraphBuilder, place: str, source: str, groups: int) -> str:
    """The channel shuffle as node `place`, or the source itself for one group."""
    return g.add(place, "channel_shuffle", {"groups": groups}, source) if groups > 1 else source


def kernel_of(answers: Answers, *, rank: int) -> int | tuple[int, ...]:
    """The kernel for a map with `rank` sides: k×l, in 3-D d×k×l, of the answers kernel, kernel_width, kernel_depth."""
    kernel, width, depth = (cast(int, answers(name)) for name in ("kernel", "kernel_width", "kernel_depth"))
    return (depth or kernel, kernel, width or kernel)[-rank:]


def square_when_valid(block: Block, options: Mapping[str, tuple[Option, ...]]) -> Iterator[Clash]:
    """Clashes of kernels that are not square, or dilated, without padding.

    The walk reckons what an unpadded kernel leaves of a map from the field `kernel` alone.
    """
    plain = {"kernel_width": 0, "kernel_depth": 0, "dilation": 1}
    for name, default in plain.items():
        if name in block.fields and "valid" in options["padding"] and options[name][-1] != default:
            detail = f"{name} of a {block.name} block must be {default} where padding may be valid"
            yield Clash(field=name, detail=detail, rule="combination_unsupported", allowed=[default])


def dividing_groups(options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
    """A clash of groups that do not divide every width that the stage may have."""
    common = math.gcd(*widths)
    odd = [groups for groups in cast("tuple[int, ...]", options["groups"]) if common % groups]
    if odd:
        width = next(width for width in widths if width % odd[0])
        fits = [groups for groups in range(1, 257) if common % groups == 0]
        yield Clash(field="groups", detail=f"groups {odd[0]} must divide the width {width}", allowed=fits)
