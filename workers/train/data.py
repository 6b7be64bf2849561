"""What a training may see, as tensors on its device."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from workers.datasets import GraphSplit, Split
from workers.train.augment import Windows
from workers.train.resize import smaller
from workers.train.subset import part, strata_of, stratified_order

AnySplit = Split | GraphSplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """x: (N, C, H, W) or (N, C, D, H, W), uint8 or float32; y: (N,) int64, or as the problem has it (`RawDataset`).

    Both on one device.
    """

    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, split: AnySplit, device: str) -> "Samples":
        """The split's arrays as tensors on the device, with the same shapes and types."""
        # A copy: the split may be a read-only view of a file or of an object store, which torch warns of.
        x, y = torch.tensor(split.x, device=device), torch.tensor(split.y, device=device)
        if isinstance(split, Split):
            return Samples(x=x, y=y)
        edges, index = torch.tensor(split.edges, device=device), torch.tensor(split.index, device=device)
        return GraphSamples(x=x, y=y, edges=edges, index=index)


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphSamples(Samples):
    """x: (N, F) uint8 or float32; edges: (2, E) int64; index, y: as in `workers.datasets.GraphSplit`."""

    edges: Tensor
    index: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainData:
    """The data of a trial on its device; made once per process and shared by many trainers.

    task: "image", "volume", "nodes", "graphs" or "links". val: None for a final training.
    mean, std: per channel, or per feature of nodes, in the units of x; see `workers.train.features` for marks.
    problem, target_mean, target_std: as in `workers.train.job_data.JobData`.
    """

    task: str = "image"
    train: Samples
    val: Samples | None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    problem: str = "classification"
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()
    _windows: dict[tuple[int, bool], Windows] = field(default_factory=dict, repr=False, compare=False)
    _orders: list[Tensor] = field(default_factory=list, repr=False, compare=False)
    _resized: "dict[int, TrainData]" = field(default_factory=dict, repr=False, compare=False)

    @property
    def order(self) -> Tensor:
        """(N,) int64: the training samples in an order of which every beginning is stratified; made once."""
        if not self._orders:
            self._orders.append(stratified_order(strata_of(self.train.y, self.problem)))
        return self._orders[0]

    def part(self, share: float) -> Tensor:
        """(n,) int64, ascending: the training samples that belong to a share of the split, see `subset.part`."""
        if share >= 1:
            return torch.arange(len(self.train.y), device=self.train.y.device)
        return part(self.order, share, classes=len(torch.unique(strata_of(self.train.y, self.problem))))

    def at(self, side: int | None) -> "TrainData":
        """The same images or volumes with a longest side of `side` pixels; as they are if None or not above that.

        The last smaller copy is kept.
        """
        if side is None or isinstance(self.train, GraphSamples) or max(self.train.x.shape[2:]) <= side:
            return self
        if side not in self._resized:
            self._resized.clear()
            val = None if self.val is None else resized(self.val, side)
            self._resized[side] = replace(
                self, train=resized(self.train, side), val=val, _windows={}, _orders=self._orders, _resized={}
            )
        return self._resized[side]

    def windows(self, *, shift: int, channels_last: bool) -> Windows:
        """The training samples seen through moving windows. shift: in pixels. The padded copy is made once and kept."""
        key = (shift, channels_last)
        if key not in self._windows:
            self._windows.clear()
            self._windows[key] = Windows(self.train.x, shift=shift, channels_last=channels_last)
        return self._windows[key]

    @classmethod
    def on(
        cls,
        device: str,
        *,
        train: AnySplit,
        val: AnySplit | None,
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        task: str = "image",
        problem: str = "classification",
        target_mean: tuple[float, ...] = (),
        target_std: tuple[float, ...] = (),
    ) -> "TrainData":
        seen = Samples.of(train, device)
        other = None if val is None else Samples.of(val, device)
        if other is not None and isinstance(val, GraphSplit) and torch.equal(seen.x, other.x):
            other = replace(other, x=seen.x)  # nodes of one graph, the same in both: kept once
        return cls(
            task=task, train=seen, val=other, mean=mean, std=std,
            problem=problem, target_mean=target_mean, target_std=target_std,
        )  # fmt: skip


def resized(samples: Samples, side: int) -> Samples:
    """Images or volumes with a longest side of `side` pixels; as they are where that is not above it."""
    return replace(samples, x=smaller(samples.x, side))


def one_of(samples: Samples, task: str) -> Samples:
    """One sample: the first image or volume, the graph of median size among many, or a whole single graph.

    Shapes as of `Samples`, N being 1 or the nodes of that graph.
    """
    if not isinstance(samples, GraphSamples):
        return Samples(x=samples.x[:1], y=samples.y[:1])
    if task != "graphs":
        return samples
    sizes = torch.bincount(samples.index, minlength=len(samples.y))
    chosen = int(sizes.argsort(stable=True)[len(sizes) // 2])
    nodes = samples.index == chosen
    edges = samples.edges[:, nodes[samples.edges[0]]] - int(sizes[:chosen].sum())
    return GraphSamples(
        x=samples.x[nodes], y=samples.y[chosen : chosen + 1], edges=edges, index=torch.zeros_like(samples.index[nodes])
    )


def graph_of(samples: Samples) -> GraphSamples:
    """The samples as graph samples. Raises ValueError for images or volumes."""
    if not isinstance(samples, GraphSamples):
        raise ValueError("tasks on nodes, graphs and links need a GraphSplit, got a Split of images or volumes")
    return samples
