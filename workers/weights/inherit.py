"""Weight inheritance: a network starts from the weights of an earlier job's winner as far as they fit.

A layer inherits from the donor's layer of the same name when both are the same operation. Weights of equal shape are
copied. Where a layer has become wider, new channels start as copies of old ones, and a layer that reads a channel which
now exists c times divides its weights for it by c: the wider network computes what the old one did, and training
continues from there (Chen, Goodfellow, Shlens 2016, Net2WiderNet). A little noise on the copies breaks the
symmetry, since identical channels would get identical gradients for ever. All other weights are drawn as usual: of
layers that are new, have another kernel, are narrower, or follow a flatten of another size.

The function is preserved through convolutions, linear layers, batch norms and element-wise operations, as long as the
network differs only by being wider. A group norm's mean weighs copies differently, and so does attention.
"""

import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from archsmith.errors import JobFailure
from search.spec import Json
from space.architecture import Architecture
from space.node import Node
from space.operations.base import Channels

if TYPE_CHECKING:
    from torch import Tensor, nn

Numbers = NDArray[np.int64]

NOISE = 0.01
"""Standard deviation of the noise on copied channels, as a share of that of the layer's weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Donor:
    """The winner whose weights are inherited. weights: a safetensors file. job: id of its job."""

    job: str
    architecture: Json
    weights: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Inherited:
    """How many values of a network's weights were copied from the donor, widened from it, or drawn fresh."""

    copied: int = 0
    widened: int = 0
    fresh: int = 0

    def to_json(self) -> Json:
        """Shares of all values."""
        total = max(1, self.copied + self.widened + self.fresh)
        return {name: getattr(self, name) / total for name in ("copied", "widened", "fresh")}


def read_donor(folder: Path, job: str) -> Donor:
    """Reads the donor from the bundle in a job's folder. Raises JobFailure where the bundle was deleted."""
    path = folder / "bundle.zip"
    if not path.is_file():
        raise JobFailure(f"job {job}, whose weights this one starts from, has no bundle any more")
    with zipfile.ZipFile(path) as archive:
        architecture = json.loads(archive.read("architecture.json"))
        return Donor(job=job, architecture=architecture, weights=archive.read("weights.safetensors"))


def find_donor(init_from: str | None, folder: Callable[[str], Path]) -> Donor | None:
    """The donor that a job's `init_from` names, if any. folder: id of a job -> its folder. Raises JobFailure."""
    return None if init_from is None else read_donor(folder(init_from), init_from)


def inherited_shares(architecture: Json, donor: Donor) -> Json:
    """For the report: which share of a network's weights was copied or widened from the donor's."""
    from space.build import build

    graph = Architecture.from_json(architecture)
    return {"job": donor.job, **inherit(build(graph), graph, donor).to_json()}


def inherit(module: "nn.Module", architecture: Architecture, donor: Donor, *, noise: float = NOISE) -> Inherited:
    """Overwrites, in place, the weights of a fresh module that the donor can provide; returns how many those were.

    module: built from `architecture`; its state dict is changed. noise: on the copies of a widened layer, as a share of
    the standard deviation of the donor's tensor. Random numbers come from torch's global generator.
    (Net2WiderNet, Chen, Goodfellow, Shlens 2016.)
    """
    import torch
    from safetensors.torch import load

    given, old = load(donor.weights), Architecture.from_json(donor.architecture)
    before, origins = {node.name: node for node in old.nodes}, origins_of(architecture, old)
    nodes = {node.name: node for node in architecture.nodes}
    counts = {"copied": 0, "widened": 0, "fresh": 0}
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            name = next(name for name in _prefixes(key) if name in nodes)
            node, known = nodes[name], before.get(name)
            made = None
            if known is not None and known.op == node.op and key in given:
                made = _continued(key[len(name) + 1 :], given[key], known, node, origins, noise)
            if made is None or made.shape != tensor.shape:
                counts["fresh"] += tensor.numel()
                continue
            counts["copied" if given[key].shape == tensor.shape else "widened"] += tensor.numel()
            tensor.copy_(made)
    return Inherited(**counts)


def _prefixes(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


Origins = Mapping[str, Numbers | None]
"""By node, (C,) int64: for each output channel the donor's channel that it continues; None: it continues none."""


def _continued(key: str, tensor: "Tensor", old: Node, node: Node, origins: Origins, noise: float) -> "Tensor | None":
    """A tensor of the donor's layer widened for this layer; the result has another shape where that is impossible."""
    import torch

    from workers.weights.channels import TRANSPOSED
    from workers.weights.narrow import RULES

    read, written = origins[node.inputs[0]], origins[node.name]
    rule = RULES.get(node.op)
    if rule is None or read is None or written is None:
        return tensor
    made = rule(old, key, tensor, read, written)
    turned = node.op in TRANSPOSED and made.ndim > 1
    made = made.transpose(0, 1).contiguous() if turned else made  # (out, in, *kernel), as of all other layers
    if made.ndim > 1 and node.use.channels is Channels.MIXES and made.shape[1] == len(read):
        times = torch.from_numpy(np.bincount(read)[read]).to(made.dtype)
        made = made / times.view(1, -1, *[1] * (made.ndim - 2))
    copies = _copies(written)
    if noise and made.ndim > 1 and copies.any():
        made[torch.from_numpy(copies)] += noise * tensor.std() * torch.randn_like(made[torch.from_numpy(copies)])
    return made.transpose(0, 1) if turned else made


def _copies(origin: Numbers) -> NDArray[np.bool_]:
    """(C,) bool: which channels repeat an earlier one."""
    again = np.ones(len(origin), dtype=bool)
    again[np.unique(origin, return_index=True)[1]] = False
    return again


# ---- which channel continues which


def origins_of(architecture: Architecture, old: Architecture) -> Origins:
    """The origins of the channels of every node, following the graph from its input. old: the donor's architecture."""
    before = {node.name: node for node in old.nodes}
    found: dict[str, Numbers | None] = {}
    for node in architecture.nodes:
        known = before.get(node.name)
        origin = None
        if known is not None and known.op == node.op and known.inputs == node.inputs and node.use.shape:
            origin = _origin(node, known, [found[source] for source in node.inputs])
            if node.name in (architecture.nodes[0].name, architecture.output) and node.use.shape != known.use.shape:
                origin = None  # input features and classes of another data set do not continue the donor's
            if origin is not None and (len(origin) != node.use.shape[0] or int(origin.max()) >= known.use.shape[0]):
                origin = None
        found[node.name] = origin
    return found


def _origin(node: Node, old: Node, inputs: Sequence[Numbers | None]) -> Numbers | None:
    """Origins for a node that the donor has with the same name, operation and inputs. inputs: their origins."""
    if node.op == "input" or node.use.channels is Channels.MIXES:
        return _widened(old.use.shape[0], node.use.shape[0])
    read = [origin for origin, shape in zip(inputs, node.use.inputs, strict=True) if shape]
    if any(origin is None for origin in read):
        return None
    known = cast("Sequence[Numbers]", read)
    if node.op == "concat":
        starts = np.cumsum([0, *(shape[0] for shape in old.use.inputs[:-1])])
        return np.concatenate([origin + start for origin, start in zip(known, starts, strict=True)])
    if node.op == "flatten":
        places = math.prod(node.use.inputs[0][1:])
        same = node.use.inputs[0][1:] == old.use.inputs[0][1:]
        return (known[0][:, None] * places + np.arange(places)).reshape(-1) if same else None
    if all(np.array_equal(origin, known[0]) for origin in known) and _each_alike(node):
        return known[0]
    return _widened(*node.use.shape[:1] * 2) if node.use.inputs == old.use.inputs else None


def _each_alike(node: Node) -> bool:
    return node.use.channels is Channels.KEEPS or node.op in ("add", "multiply", "gate")


def _widened(before: int, after: int) -> Numbers | None:
    """The old channels, then copies of them from the first on, (after,); None if there are fewer than before."""
    return None if after < before else np.concatenate([np.arange(before), np.arange(after - before) % before])
