"""The kinds of data that a network can be built for, and the inputs of a network for each."""

from dataclasses import dataclass

from space.operations.base import Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of data.

    axes: of the input shape, without the batch. limits: the largest length of each axis.
    indices: what a network is called with besides the features (see `Operation.indices`).
    rows: what a row of the logits is. The input of graph data always has a row for each node. "pixel": the logits are a
    map as large as the input.
    """

    name: str
    axes: tuple[str, ...]
    limits: tuple[int, ...]
    indices: tuple[str, ...] = ()
    rows: str = "sample"

    @property
    def is_graph(self) -> bool:
        return bool(self.indices)

    @property
    def dense(self) -> bool:
        """Whether the logits are maps."""
        return self.rows == "pixel"

    def logits(self, input_shape: Shape, classes: int) -> Shape:
        """The shape of what the network gives, without the batch: (classes,), or (classes, sides of the input)."""
        return (classes, *input_shape[1:]) if self.dense else (classes,)


MAX_SIDE = 4096
MAX_CHANNELS = 65_536
MAX_STEPS = 65_536
"""Of a series: 16 s of sound at 4 kHz, 4 minutes of an ECG at 250 Hz. 128 such series with 16 channels of float32 are
512 MiB, as much as 128 maps of 256×256, and a training step of the baseline of the preset `series` takes 15 GiB (of its
random networks 4 to 62 GiB); at 4,096 steps 1 GiB. Longer series are better cut or averaged before."""

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="image", axes=("C", "H", "W"), limits=(MAX_CHANNELS, MAX_SIDE, MAX_SIDE)),
        Kind(name="volume", axes=("C", "D", "H", "W"), limits=(MAX_CHANNELS, MAX_SIDE, MAX_SIDE, MAX_SIDE)),
        Kind(name="series", axes=("C", "T"), limits=(MAX_CHANNELS, MAX_STEPS)),
        Kind(name="segmentation", axes=("C", "H", "W"), limits=(MAX_CHANNELS, MAX_SIDE, MAX_SIDE), rows="pixel"),
        Kind(name="nodes", axes=("F",), limits=(MAX_CHANNELS,), indices=("edges",), rows="node"),
        Kind(name="graphs", axes=("F",), limits=(MAX_CHANNELS,), indices=("edges", "graph"), rows="graph"),
        Kind(name="links", axes=("F",), limits=(MAX_CHANNELS,), indices=("edges", "pairs"), rows="pair"),
    )
}
"""image: (C, H, W). volume: (C, D, H, W), a volume or a clip of D frames. series: (C, T), T steps of C
channels. segmentation: (C, H, W), an image whose pixels are classified. nodes: classes of the nodes of one graph.
graphs: classes of whole graphs. links: for each pair of nodes of one graph the classes "no link" and "link"."""

INDEX_SHAPES = {"edges": "(2, E)", "graph": "(N,)", "pairs": "(2, P)"}
"""edges: from and to, both directions listed. graph: number of each node's graph. pairs: both nodes of each pair."""


MAPS = ("image", "volume", "series", "segmentation")
"""The kinds whose networks work on maps, channels along one, two or three sides; a document that names no kind is for
all of them."""


def kind_of(input_shape: Shape) -> str | None:
    """The kind of data, if the input shape alone tells it: images, volumes, series. None for all others."""
    return {2: "series", 3: "image", 4: "volume"}.get(len(input_shape))
