"""What a stage may do to its map at the end, by the word of the document: the sides it leaves, the node it adds."""

from dataclasses import dataclass, field

from space.architecture import GraphBuilder
from space.operations.attributes import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """op: the operation, "" for none. attrs: of it. halves, doubles: what becomes of a side."""

    op: str = ""
    attrs: dict[str, Value] = field(default_factory=dict)
    halves: bool = False
    doubles: bool = False

    def side(self, side: int) -> int:
        """The length that is left, 0 when it does not fit."""
        return side // 2 if self.halves else side * 2 if self.doubles else side


_WINDOW: dict[str, Value] = {"kernel": 2, "stride": 2}

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
    """Add what the word stands for as node `place`; returns the last node."""
    chosen = POOLS[word]
    return g.add(place, chosen.op, chosen.attrs, source) if chosen.op else source
