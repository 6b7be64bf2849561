"""The kinds of data that a network can be built for, and what comes in with a sample of each."""

from dataclasses import dataclass

from space.operations.base import Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """axes: of the input shape, without the batch. limits: the largest length of each.

    indices: what a network is called with beside the features (see `Operation.indices`).
    rows: what a row of the logits is; samples of graph data begin as rows of nodes.
    """

    name: str
    axes: tuple[str, ...]
    limits: tuple[int, ...]
    indices: tuple[str, ...] = ()
    rows: str = "sample"

    @property
    def is_graph(self) -> bool:
        return bool(self.indices)


MAX_SIDE = 4096
MAX_CHANNELS = 65_536

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="image", axes=("C", "H", "W"), limits=(MAX_CHANNELS, MAX_SIDE, MAX_SIDE)),
        Kind(name="volume", axes=("C", "D", "H", "W"), limits=(MAX_CHANNELS, MAX_SIDE, MAX_SIDE, MAX_SIDE)),
        Kind(name="nodes", axes=("F",), limits=(MAX_CHANNELS,), indices=("edges",), rows="node"),
        Kind(name="graphs", axes=("F",), limits=(MAX_CHANNELS,), indices=("edges", "graph"), rows="graph"),
        Kind(name="links", axes=("F",), limits=(MAX_CHANNELS,), indices=("edges", "pairs"), rows="pair"),
    )
}
"""image: a picture (C, H, W). volume: a volume, or a clip of D frames. nodes: each node of one graph gets a class.
graphs: each graph of a batch does. links: each pair of nodes of one graph gets "no link" or "link"."""

INDEX_SHAPES = {"edges": "(2, E)", "graph": "(N,)", "pairs": "(2, P)"}
"""edges: from and to, both directions listed. graph: number of each node's graph. pairs: the two ends of each."""


def kind_of(input_shape: Shape) -> str | None:
    """The kind that an input shape alone tells: pictures and volumes. None for the others."""
    return {3: "image", 4: "volume"}.get(len(input_shape))
