"""The head: from the last map, or the last features of nodes, to the logits. Its decisions and its nodes."""

from collections.abc import Mapping, Sequence
from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import conv, normalise
from space.decision import Option
from space.decision_recorder import DecisionRecorder
from space.decoder import ask_decoder, grow_decoder
from space.kinds import MAPS

Options = Mapping[str, tuple[Option, ...]]
Answers = Mapping[str, Option]

CAPSULE_SIDE = {1: 36, 2: 6, 3: 3}
"""Positions of primary capsules along a side, by the number of sides: 36 in all as in the paper, 27 on volumes."""


STRUCTURAL = ("kind", "hidden", "norm", "decoder", "up", "up_of", "up_depth")
"""Decisions on whose answers later ones depend."""


def ask_head(head: Options, data: str, size: Sequence[int], recorder: DecisionRecorder, *, scales: int = 0) -> None:
    """Ask for the decisions of the head. data: the kind of data. size: the sides of the last map.

    scales: how many larger maps a decoder can go back to.
    """

    def ask(name: str, *, ordered: bool = False, options: tuple[Option, ...] | None = None) -> Option:
        return recorder.ask(
            f"head.{name}",
            options or head[name],
            ordered=ordered,
            idle=name not in STRUCTURAL,
        )

    if data == "segmentation":
        ask_decoder(head, scales, ask)
        return
    graph = data in ("nodes", "graphs", "links")
    kind = "linear" if graph else ask("kind")
    if kind == "capsule":
        ask("capsules", ordered=True)
        ask("capsule_size", ordered=True)
        ask("routing", ordered=True)
        return
    norm = ask("norm")
    if data == "graphs":
        ask("readout")
    if data == "links" and ask("decoder") == "dot":
        if norm != "none":
            ask("activation")
        return
    if not graph:  # for one pixel the mean, the maximum and the pixel itself are the same
        ask("pool", options=head["pool"] if max(size) > 1 else head["pool"][:1])
    if ask("hidden", ordered=True) or norm != "none":
        ask("activation")
    ask("dropout", ordered=True)
    if data == "nodes":
        ask("last")


def grow_head(g: GraphBuilder, source: str, answers: Answers, classes: int, *, maps: Sequence[str] = ()) -> str:
    """Add the nodes of the head, from (C, sides) or (F,) of `source` to the logits (classes,); returns the last.

    maps: the larger maps that a decoder can go back to. For segmentation the logits are (classes, sides of the input).
    """
    if g.kind.dense:
        return grow_decoder(g, source, maps, answers, classes)
    x = source
    if answers.get("head.kind") == "capsule":
        return _capsules(g, x, answers, classes)
    if answers.get("head.norm", "none") != "none":
        x = normalise(g, "head.norm", x, str(answers["head.norm"]))
        x = _activate(g, "head.norm_act", x, answers)
    if g.kind.name in MAPS:
        pool = {"global": "global_avg_pool", "max": "global_max_pool"}.get(str(answers["head.pool"]))
        x = g.add("head.pool", pool, {}, x) if pool else x
        x = g.add("head.flatten", "flatten", {}, x)
    if g.kind.name == "graphs":
        x = g.add("head.readout", "graph_pool", {"how": answers["head.readout"]}, x)
    if g.kind.name == "links":
        x = g.add("head.decoder", f"link_{answers['head.decoder']}", {}, x)
        if answers["head.decoder"] == "dot":
            return x
    hidden = cast(int, answers["head.hidden"])
    if hidden:
        x = g.add("head.hidden", "linear", {"out": hidden}, x)
        x = _activate(g, "head.act", x, answers)
    if answers["head.dropout"]:
        x = g.add("head.dropout", "dropout", {"rate": answers["head.dropout"]}, x)
    if answers.get("head.last") == "gcn":
        return g.add("head.conv", "gcn_conv", {"out": classes}, x)
    return g.add("head.linear", "linear", {"out": classes}, x)


def _capsules(g: GraphBuilder, source: str, answers: Answers, classes: int) -> str:
    """Primary capsules by a convolution of the map, then one capsule for each class (Sabour et al. 2017, figure 1).

    The capsule of a class is twice as long as a primary one, like the 16 and 8 of the paper. Every primary capsule has
    matrices of its own, so their number is limited to CAPSULE_SIDE positions along a side: on a larger map the
    convolution has stride 2, and a map of more than twice that size is first averaged down to it.
    """
    size = cast(int, answers["head.capsule_size"])
    sides = g.shape(source)[1:]
    most = CAPSULE_SIDE[len(sides)]
    stride = 2 if max(sides) > most else 1
    x = source
    if max(sides) > 2 * most:
        x = g.add("head.pool", "adaptive_avg_pool", {"size": [min(side, 2 * most) for side in sides]}, x)
    out = cast(int, answers["head.capsules"]) * size
    x = conv(g, "head.primary", x, out=out, kernel=3, stride=stride)
    attrs = {"out": classes, "size": size, "wide": 2 * size, "routing": answers["head.routing"]}
    return g.add("head.capsules", "class_capsules", attrs, x)


def _activate(g: GraphBuilder, place: str, source: str, answers: Answers) -> str:
    kind = answers["head.activation"]
    return source if kind == "none" else g.add(place, "activation", {"kind": kind}, source)
