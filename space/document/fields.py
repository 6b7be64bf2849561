"""The fields of a space document, section by section, with their limits.

This one table feeds the parser, the published JSON Schema and the reference in docs/spaces.md. A new block that needs a
new field adds one entry here.
"""

from dataclasses import dataclass
from typing import Literal

from space.blocks import BLOCKS
from space.blocks.edges import DARTS, NASBENCH201, PAIRS
from space.decision import Option
from space.pools import POOLS

ACTIVATIONS = ("relu", "leaky_relu", "elu", "silu", "gelu", "hardswish", "mish", "none")
NORMS = ("batch", "layer", "instance", "group", "none")

VERSION = 1
MAX_NAME = 100
MAX_CONSTRAINTS = 64
MAX_STAGES = 32
MAX_BLOCKS = 128
MAX_BLOCK_NODES = 3840
"""Of all stages together at their deepest. An architecture may have 4,096 nodes; 256 are left for the stem, the ends of
the stages and the head."""
MAX_OPTIONS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field, written as a value (fixed) or a list of options (a decision).

    kind: what an option is: a whole number, a number, or one of `names`.
    low, high: limits of a number, both inclusive. odd: whether a number must be odd (0 is allowed where `low` is 0).
    default: the value if the field is left out. free: if the field is left out, every name is an option instead.
    ordered: whether its options stand on a scale, see `space.decision.Decision`.
    family: the data it makes sense for: "map" (images, volumes, series), "nodes" (graphs), "any".
    description: one line for users, in the schema and in docs/spaces.md.
    """

    kind: Literal["integer", "number", "name"]
    default: Option
    description: str
    low: float = 0
    high: float = 0
    odd: bool = False
    names: tuple[str, ...] = ()
    free: bool = False
    family: Literal["map", "nodes", "any"] = "any"

    @property
    def ordered(self) -> bool:
        return self.kind != "name"

    @property
    def left_out(self) -> tuple[Option, ...]:
        """The options if the document does not name the field."""
        return self.names if self.free else (self.default,)

    @property
    def requirement(self) -> str:
        """What an option must be, in words that follow "must be"."""
        if self.kind == "name":
            return f"one of {', '.join(self.names)}"
        if self.odd:
            return f"{'' if self.low else '0 or '}an odd whole number from {max(1, self.low):g} to {self.high:g}"
        return f"{'a whole number' if self.kind == 'integer' else 'a number'} from {self.low:g} to {self.high:g}"


Family = Literal["map", "nodes", "any"]


def _integer(
    low: int, high: int, default: int, description: str, *, odd: bool = False, family: Family = "any"
) -> Field:
    return Field(kind="integer", low=low, high=high, default=default, description=description, odd=odd, family=family)


def _number(low: float, high: float, default: float, description: str, *, family: Family = "any") -> Field:
    return Field(kind="number", low=low, high=high, default=default, description=description, family=family)


def _name(
    names: tuple[str, ...], description: str, default: str | None = None, *, family: Family = "any", free: bool = False
) -> Field:
    return Field(
        kind="name", names=names, default=default or names[0], description=description, family=family, free=free
    )


_KERNEL = _integer(1, 31, 3, "side of the convolution kernel, odd", odd=True, family="map")
_STRIDE = _integer(1, 8, 1, "stride of the first block; the map shrinks by it", family="map")
_PADDING = _name(
    ("same", "valid"),
    "same keeps the map (divided by the stride), valid shrinks it by kernel - 1",
    family="map",
)
_WIDTH = _integer(1, 4096, 32, "output channels, or features of each node")
_NORM = _name(NORMS, "normalisation after each convolution; layer is over all channels and pixels of a sample")
_ACTIVATION = _name(ACTIVATIONS, "activation after each normalisation")
_POOL = _name(
    tuple(POOLS),
    "at the end: 2×2 pooling of stride 2 (blur: anti-aliased), or resizing to twice the size",
    family="map",
)
_DROPOUT = _number(0, 0.9, 0.0, "share of values dropped in training at the end")

STAGE_FIELDS: dict[str, Field] = {
    "depth": _integer(0, 64, 1, "number of blocks; 0 leaves the stage out, with its stride and pooling"),
    "operation": _name(tuple(BLOCKS), "what a block is", "conv"),
    "kernel": _KERNEL,
    "kernel_width": _integer(
        0, 31, 0, "width of the kernel where it is not square, odd; 0: as kernel", odd=True, family="map"
    ),
    "kernel_depth": _integer(
        0, 31, 0, "depth of a 3-D kernel where it differs, odd; 0: as kernel", odd=True, family="map"
    ),
    "dilation": _integer(1, 8, 1, "distance between the taps of the kernel, in pixels", family="map"),
    "stride": _STRIDE,
    "padding": _PADDING,
    "width": _WIDTH,
    "bias": _name(
        ("auto", "always", "never"), "whether convolutions have one; auto: where no norm follows", family="map"
    ),
    "norm": _NORM,
    "activation": _ACTIVATION,
    "pool": _POOL,
    "dropout": _DROPOUT,
    "skip": _name(("none", "add", "concat"), "how the stage's input joins its output"),
    "repeats": _name(
        ("own", "shared"), "whether blocks of the same shape have weights of their own or share those of the first"
    ),
    "drop_path": _number(
        0, 0.9, 0.0, "share of samples for which a residual branch is dropped in training", family="map"
    ),
    "squeeze": _integer(
        0, 64, 0, "squeeze-and-excitation in each block, channels divided by this inside; 0: none", family="map"
    ),
    "reduction": _integer(
        1, 64, 4, "channels divided by this inside a bottleneck, shuffle unit, gate or non-local block", family="map"
    ),
    "groups": _integer(1, 256, 2, "groups of a grouped convolution or a shuffle unit", family="map"),
    "cardinality": _integer(1, 64, 8, "parallel paths of a ResNeXt block", family="map"),
    "expansion": _integer(1, 10, 4, "channels multiplied by this inside an inverted residual", family="map"),
    "growth": _integer(1, 256, 12, "channels that each layer of a dense block adds", family="map"),
    "layers": _integer(1, 64, 4, "layers of a dense block", family="map"),
    "affinity": _name(("embedded", "gaussian"), "how a non-local block compares two positions", family="map"),
    "branches": _integer(1, 8, 2, "branches of a branching block", family="map"),
    "merge": _name(("concat", "add"), "how a branching block joins its branches", family="map"),
    "branch_operation": _name(
        ("conv", "separable", "factorised", "dilated", "maxpool", "avgpool"),
        "what each branch is made of",
        family="map",
    ),
    "branch_depth": _integer(1, 4, 1, "operations in a row on each branch", family="map"),
    "branch_reduction": _integer(
        1, 64, 1, "a 1×1 convolution before each branch divides the channels by this; 1: none", family="map"
    ),
    "edge_operation": _name(
        NASBENCH201,
        "the operation on an edge of a NAS-Bench-201 cell; all of them if left out",
        family="map",
        free=True,
    ),
    "nodes": _integer(2, 6, 4, "intermediate nodes of a DARTS cell", family="map"),
    "node_inputs": _name(
        PAIRS,
        "which two inputs a node of a DARTS cell reads: 0 the cell before the last, 1 the last cell, 2 the first node,"
        " and so on; all pairs of what comes before the node if left out",
        family="map",
        free=True,
    ),
    "node_operation": _name(
        DARTS, "the operation that a DARTS node applies to an input; all of them if left out", family="map", free=True
    ),
    "aggregation": _name(("mean", "sum", "max"), "how the features of a node's neighbours are joined", family="nodes"),
    "heads": _integer(1, 64, 4, "attention heads of a gat block; they share the width", family="nodes"),
}

STEM_FIELDS: dict[str, Field] = {
    name: STAGE_FIELDS[name] for name in ("kernel", "stride", "padding", "width", "bias", "norm", "activation", "pool")
}
"""The stem is a plain convolution; graph data has none."""

HEAD_FIELDS: dict[str, Field] = {
    "kind": _name(
        ("linear", "capsule"),
        "capsule: a capsule layer with routing instead of pooling and linear layers",
        family="map",
    ),
    "norm": _name(("none", *NORMS[:-1]), "normalisation and activation of the last map, before it is pooled"),
    "pool": _name(
        ("global", "max", "flatten"), "global averages each channel, flatten keeps every pixel", family="map"
    ),
    "hidden": _integer(0, 4096, 0, "units of a hidden linear layer, 0 for none"),
    "activation": _name(ACTIVATIONS, "activation after the norm and after the hidden layer"),
    "dropout": _number(0, 0.9, 0.0, "share of values dropped before the last layer"),
    "capsules": _integer(1, 64, 8, "kinds of primary capsules of a capsule head", family="map"),
    "capsule_size": _integer(2, 64, 8, "values in each capsule", family="map"),
    "routing": _integer(1, 5, 3, "iterations of routing by agreement", family="map"),
    "up": _integer(0, 8, 0, "steps of a decoder back up to the sizes of earlier maps; 0 for none", family="map"),
    "up_of": _name(
        ("features", "scores"),
        "what the decoder enlarges: features, or scores of the classes, to which those of earlier maps are added",
        family="map",
    ),
    "up_by": _name(
        ("nearest", "linear", "transposed"), "how a step enlarges its map; transposed: by a convolution", family="map"
    ),
    "up_skip": _name(("concat", "add", "none"), "how a step joins the earlier map of its size", family="map"),
    "up_width": _integer(
        0, 4096, 0, "channels after a step; 0: as many as the earlier map of its size has, at least 16", family="map"
    ),
    "up_depth": _integer(0, 4, 1, "convolutions of 3×3 in each step", family="map"),
    "up_norm": _name((*NORMS,), "normalisation after each of them", family="map"),
    "readout": _name(("mean", "sum", "max"), "how a graph's nodes become one vector", family="nodes"),
    "decoder": _name(("dot", "hadamard", "concat"), "how two nodes become a link's score", family="nodes"),
    "last": _name(
        ("linear", "gcn"), "the last layer, where nodes are classified; gcn: a graph convolution", family="nodes"
    ),
}

SPACE_FIELDS: dict[str, Field] = {
    "width_multiplier": _number(0.05, 16, 1.0, "every width times this, rounded to a multiple of 8"),
    "input_dropout": _number(0, 0.9, 0.0, "share of input values dropped in training"),
    "dead": _name(
        ("drop", "keep"),
        "whether operations whose result is discarded, as by a none edge, are left out or built anyway",
    ),
}
"""Decisions that concern all stages; they stand at the top of a document."""

TRAINING_FIELDS: dict[str, Field] = {
    "optimizer": _name(("adamw", "sgd"), "how weights are updated; sgd has Nesterov momentum 0.9"),
    "learning_rate": _number(1e-6, 10, 0.01, "the peak of the schedule"),
    "weight_decay": _number(0, 1, 0.05, "share of each weight taken away per unit of learning rate; 0 for none"),
    "augment": _number(0, 1, 1.0, "strength of the augmentation; 0 for none"),
    "label_smoothing": _number(0, 0.9, 0.1, "share of the target spread over all classes"),
}
"""Decisions of the training recipe. What a document leaves out is set by the job."""


_POOLED = (None, "image", "volume", "series")
_DECODED = (None, "segmentation")
ONLY: dict[str, tuple[str | None, ...]] = {
    "readout": ("graphs",),
    "decoder": ("links",),
    "last": ("nodes",),
    **dict.fromkeys(("kind", "pool", "capsules", "capsule_size", "routing"), _POOLED),
    **dict.fromkeys(("up", "up_of", "up_by", "up_skip", "up_width", "up_depth", "up_norm"), _DECODED),
}
"""Fields of the head that make sense for some kinds of data only; None: documents that name no kind."""


def of_family(fields: dict[str, Field], family: str, data: str | None = None) -> dict[str, Field]:
    """The fields that make sense for "map" or "nodes". data: the kind of data, where that matters (see `ONLY`)."""
    return {
        name: field
        for name, field in fields.items()
        if field.family in ("any", family) and data in ONLY.get(name, (data,))
    }


def scaled(width: int, multiplier: float) -> int:
    """A width times a multiplier, rounded to a multiple of 8, at least 8, as in MobileNets.

    A multiplier of 1 leaves the width as it is.
    """
    return width if multiplier == 1 else max(8, int(width * multiplier / 8 + 0.5) * 8)
