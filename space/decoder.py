"""The head of a segmentation: from the last map to logits for every pixel of the input. Its decisions and its nodes.

Without a decoder it is a 1×1 convolution to the classes and a resize to the sides of the input. A decoder goes back up
first, one step for each larger map that the network has passed (`space/scales.py`):

    up_of features   a step enlarges the map, joins the earlier map of that size (concatenated, or added behind a 1×1
                     projection), and has up_depth convolutions of 3×3 (Ronneberger, Fischer, Brox 2015, U-Net, figure
                     1; with padding, so that nothing is cropped)
    up_of scores     the last map is scored first; a step enlarges the scores and adds those of the earlier map, a 1×1
                     convolution of it (Long, Shelhamer, Darrell 2015, Fully Convolutional Networks, figure 3)

What a decoder leaves below the input's size is enlarged by interpolation, as in both papers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Style, activation, conv, conv_norm_act, normalise
from space.decision import Option

Options = Mapping[str, tuple[Option, ...]]
Answers = Mapping[str, Option]
Size = tuple[int, ...]

FEWEST = 16
"""Channels of a step that has as many as the earlier map, at least: that of the first step may be the input itself."""


def ask_decoder(head: Options, scales: int, ask: Callable[..., Option]) -> None:
    """Ask for the decisions of the head. scales: how many larger maps there are to go back to.

    ask: (name, ordered=, options=) -> answer; without options those of the head's field are offered.
    """
    norm = ask("norm")
    fits = tuple(steps for steps in head["up"] if cast(int, steps) <= scales) or head["up"][:1]
    features = False
    if min(cast(int, ask("up", ordered=True, options=fits)), scales):
        features = ask("up_of") == "features"
        ask("up_by")
        skips = head["up_skip"] if features else tuple(how for how in head["up_skip"] if how != "concat")
        ask("up_skip", options=skips or ("add",))
    convolves = False
    if features:
        ask("up_width", ordered=True)
        convolves = cast(int, ask("up_depth", ordered=True)) > 0
    if convolves:
        ask("up_norm")
    if ask("hidden", ordered=True) or norm != "none" or convolves:
        ask("activation")
    ask("dropout", ordered=True)


def grow_decoder(g: GraphBuilder, source: str, maps: Sequence[str], answers: Answers, classes: int) -> str:
    """Add the nodes of the head, from (C, sides) of `source` to logits (classes, sides of the input); returns the last.

    maps: the larger maps that the network has passed, the largest first.
    """
    kind, x = str(answers.get("head.activation", "none")), source
    if answers["head.norm"] != "none":
        x = normalise(g, "head.norm", x, str(answers["head.norm"]))
        x = activation(g, "head.norm_act", x, kind)
    steps = min(cast(int, answers["head.up"]), len(maps))
    targets = list(enumerate(reversed(maps[len(maps) - steps :])))
    scores = bool(steps) and answers["head.up_of"] == "scores"
    if not scores:
        for number, target in targets:
            x = _features(g, f"decoder.{number}", x, target, answers)
    if hidden := cast(int, answers["head.hidden"]):
        x = activation(g, "head.act", conv(g, "head.hidden", x, out=hidden, kernel=1), kind)
    if answers["head.dropout"]:
        x = g.add("head.dropout", "dropout", {"rate": answers["head.dropout"]}, x)
    x = conv(g, "head.classify", x, out=classes, kernel=1)
    if scores:
        for number, target in targets:
            x = _scores(g, f"decoder.{number}", x, target, answers)
    size = g.shape(g.input)[1:]
    return x if g.shape(x)[1:] == size else _resize(g, "head.resize", x, size, "linear")


def _features(g: GraphBuilder, place: str, source: str, target: str, answers: Answers) -> str:
    """A step of a decoder of features: (C, sides) -> (width, sides of `target`)."""
    channels, *size = g.shape(target)
    width, by = cast(int, answers["head.up_width"]) or max(FEWEST, channels), str(answers["head.up_by"])
    if by == "transposed":
        x = _transposed(g, place, source, width, tuple(size), overlap=1)
    else:
        narrow = g.shape(source)[0] == width
        x = source if narrow else conv(g, f"{place}.reduce", source, out=width, kernel=1)
        x = _resize(g, f"{place}.enlarge", x, tuple(size), by)
    how = answers["head.up_skip"]
    if how == "concat":
        x = g.add(f"{place}.concat", "concat", {}, target, x)
    elif how == "add":
        skip = target if channels == width else conv(g, f"{place}.project", target, out=width, kernel=1)
        x = g.add(f"{place}.add", "add", {}, x, skip)
    depth = cast(int, answers["head.up_depth"])
    norm = str(answers["head.up_norm"]) if depth else "none"
    style = Style(width=width, stride=1, padding="same", norm=norm, activation=str(answers.get("head.activation")))
    for number in range(depth):
        x = conv_norm_act(g, f"{place}.blocks.{number}", x, style, kernel=3)
    return x


def _scores(g: GraphBuilder, place: str, source: str, target: str, answers: Answers) -> str:
    """A step of a decoder of scores: (classes, sides) -> (classes, sides of `target`)."""
    classes, by = g.shape(source)[0], str(answers["head.up_by"])
    size = g.shape(target)[1:]
    if by == "transposed":
        x = _transposed(g, place, source, classes, size, overlap=2)
    else:
        x = _resize(g, f"{place}.enlarge", source, size, by)
    if answers["head.up_skip"] == "none":
        return x
    return g.add(f"{place}.add", "add", {}, x, conv(g, f"{place}.score", target, out=classes, kernel=1))


def _resize(g: GraphBuilder, place: str, source: str, size: Size, mode: str) -> str:
    return g.add(place, "resize_to", {"size": list(size), "mode": mode}, source)


def _transposed(g: GraphBuilder, place: str, source: str, out: int, size: Size, *, overlap: int) -> str:
    """(C, sides) -> (out, size) by a transposed convolution with a kernel of `overlap` times the stride.

    overlap: 1 as in U-Net, 2 as in FCN, whose kernels can interpolate. The stride is the factor between the sides where
    they were halved or the like, rounded or not; else the rest is left to a resize.
    """
    before = g.shape(source)[1:]
    least = min(side // old for side, old in zip(size, before, strict=True))
    fits = (
        by
        for by in (least, least + 1)
        if all(_meets(side, by * old, by) for side, old in zip(size, before, strict=True))
    )
    stride = next(fits, least)
    reached = tuple(
        side if _meets(side, stride * old, stride) else stride * old for side, old in zip(size, before, strict=True)
    )
    kernel = overlap * stride
    over = [(old - 1) * stride + kernel - side for side, old in zip(reached, before, strict=True)]
    cut = [max(0, (each + 1) // 2) for each in over]
    attrs = {
        "out": out,
        "kernel": kernel,
        "stride": stride,
        "padding": cut,
        "output_padding": [2 * gone - each for gone, each in zip(cut, over, strict=True)],
    }
    x = g.add(f"{place}.enlarge", "conv_transpose2d", attrs, source)
    return x if reached == size else _resize(g, f"{place}.resize", x, size, "linear")


def _meets(side: int, reached: int, stride: int) -> bool:
    """Whether a transposed convolution to about `reached` positions can give exactly `side`."""
    return side == reached or (stride > 1 and abs(side - reached) == 1)
