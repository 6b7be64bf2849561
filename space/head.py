"""The head: from the last map, or the last features of nodes, to the logits. What it asks and what it grows."""

from collections.abc import Mapping, Sequence
from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import conv, normalise
from space.decision import Option
from space.decision_recorder import DecisionRecorder

Options = Mapping[str, tuple[Option, ...]]
Answers = Mapping[str, Option]

CAPSULE_SIDE = {2: 6, 3: 3}
"""Places of primary capsules along a side, by the sides of the map: 36 or 27 in all, as the 36 of the paper."""


def ask_head(head: Options, data: str, size: Sequence[int], recorder: DecisionRecorder) -> None:
    """The head's questions. size: the sides of the last map."""

    def ask(name: str, *, ordered: bool = False, options: tuple[Option, ...] | None = None) -> Option:
        return recorder.ask(
            f"head.{name}",
            options or head[name],
            ordered=ordered,
            idle=name not in ("kind", "hidden", "norm", "decoder"),
        )

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
    if not graph:  # of one pixel the mean, the maximum and the pixels themselves are the same
        ask("pool", options=head["pool"] if max(size) > 1 else head["pool"][:1])
    if ask("hidden", ordered=True) or norm != "none":
        ask("activation")
    ask("dropout", ordered=True)
    if data == "nodes":
        ask("last")


def grow_head(g: GraphBuilder, source: str, answers: Answers, classes: int) -> str:
    """Adds the head's nodes; returns the logits."""
    x = source
    if answers.get("head.kind") == "capsule":
        return _capsules(g, x, answers, classes)
    if answers.get("head.norm", "none") != "none":
        x = normalise(g, "head.norm", x, str(answers["head.norm"]))
        x = _activate(g, "head.norm_act", x, answers)
    if g.kind.name in ("image", "volume"):
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

    A class's capsule is twice as long as a primary one, as 16 is to 8 in the paper. Every primary capsule has matrices
    of its own, so there are at most CAPSULE_SIDE places of them along a side: a map over that is strided by 2, one over
    twice that is averaged down to it first.
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
