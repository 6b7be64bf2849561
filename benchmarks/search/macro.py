"""NAS-Bench-Macro as a space: eight layers, each nothing, a small or a large inverted bottleneck (Su et al. 2021).

Stages of 2, 3 and 3 layers with 64, 128 and 256 channels; the first layer of each halves the map, and where it is
nothing it is a 1×1 convolution. Parameters are those of the published table. A layer that is nothing is no layer,
wherever in its stage it stands, so that 3^8 = 6,561 codes are 3,969 networks.
"""

import math
from collections.abc import Sequence

from search.proposing.constraints import Constraint
from space.architecture import Architecture, GraphBuilder
from space.decision import Choices, Choose, Decision
from space.size import SizeEstimate

OPERATIONS = ("identity", "mb3_kernel3", "mb6_kernel5")
"""In the order of the published digits 0, 1, 2."""

STAGES = ((64, 2), (128, 3), (256, 3))
"""Channels, layers."""

DECISIONS = tuple(Decision(name=f"layers.{i}", options=OPERATIONS, ordered=False) for i in range(8))


class Macro:
    """A `SearchSpace`."""

    constraints: Sequence[Constraint] = ()

    def sample(self, choose: Choose) -> Architecture:
        answers = [str(choose(decision)) for decision in DECISIONS]
        g = GraphBuilder((3, 32, 32), 10)
        x = _conv(g, "stem", g.input, 32, kernel=3)
        layer = 0
        for width, layers in STAGES:
            for number in range(layers):
                x = _layer(g, f"layers.{layer}", x, answers[layer], width, stride=1 if number else 2)
                layer += 1
        x = _conv(g, "last", x, 1280)
        x = g.add("pool", "global_avg_pool", {}, x)
        x = g.add("flat", "flatten", {}, x)
        return g.finish(g.add("classes", "linear", {"out": 10}, x))

    def baseline(self) -> Choices:
        return {decision.name: "mb3_kernel3" for decision in DECISIONS}

    def size(self, limit: int) -> SizeEstimate:
        count = len(OPERATIONS) ** len(DECISIONS)
        known = count <= limit
        return SizeEstimate(exact=known, log10=math.log10(count), count=count if known else None)


def _layer(g: GraphBuilder, place: str, source: str, operation: str, width: int, *, stride: int) -> str:
    if operation == "identity":
        return source if stride == 1 else _conv(g, place, source, width, stride=stride, activate=False)
    expansion, kernel = (3, 3) if operation == "mb3_kernel3" else (6, 5)
    wide = expansion * g.shape(source)[0]
    x = _conv(g, f"{place}.expand", source, wide)
    x = _conv(g, f"{place}.depthwise", x, wide, kernel=kernel, stride=stride, groups=wide)
    x = _conv(g, f"{place}.project", x, width, activate=False)
    return x if stride > 1 else g.add(f"{place}.add", "add", {}, source, x)


def _conv(
    g: GraphBuilder,
    place: str,
    source: str,
    width: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activate: bool = True,
) -> str:
    """Convolution without bias, norm, and ReLU."""
    attrs = {"out": width, "kernel": kernel, "stride": stride, "padding": "same", "groups": groups, "bias": False}
    x = g.add(f"{place}.conv", "conv2d", attrs, source)
    x = g.add(f"{place}.norm", "batch_norm", {}, x)
    return g.add(f"{place}.activation", "activation", {"kind": "relu"}, x) if activate else x
