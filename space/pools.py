"""What a stage may do to its map at its end: the options of the field `pool`, each with its node and its sides."""

from dataclasses import dataclass, field

from space.architecture import GraphBuilder
from space.operations.attributes import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """op: the operation that is added, "" for none; attrs: its attributes. halves, doubles: what it does to a side.

    The decision path works with `side` alone, before there is a graph; it must agree with the operation's own `shape`.
    """

    op: str = ""
    attrs: dict[str, Value] = field(default_factory=dict)
    halves: bool = False
    doubles: bool = False

    def side(self, side: int) -> int:
        """The length after it, 0 if it does not fit (half of one pixel)."""
        return side // 2 if self.halves else side * 2 if self.doubles else side


_WINDOW: dict[str, Value] = {"kernel": 2, "stride": 2}  # a last odd row or column fills no window and is dropped

POOLS: dict[str, Pool] = {
    "none": Pool(),
    "max": Pool(op="maxpool", attrs=_WINDOW, halves=True),
    "average": Pool(op="avgpool", attrs=_WINDOW, halves=True),
    "blur": Pool(op="blur_pool", attrs={"of": "max"}, halves=True),
    "blur_average": Pool(op="blur_pool", attrs={"of": "average"}, halves=True),
    "up_nearest": Pool(op="resize", attrs={"mode": "nearest"}, doubles=True),
    "up_bilinear": Pool(op="resize", attrs={"mode": "linear"}, doubles=True),
}


def pool(g: GraphBuilder, place: str, source: str, word: str) -> str:
    """Add what an option of `pool` stands for as node `place`: (C, sides) -> (C, sides').

    Returns the name of the node, or `source` for "none".
    """
    chosen = POOLS[word]
    return g.add(place, chosen.op, chosen.attrs, source) if chosen.op else source
