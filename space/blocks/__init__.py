"""All blocks by the name they have in a document. A new one is one file beside this one and one line here."""

from space.blocks.base import Block
from space.blocks.branching import Branching
from space.blocks.conv import Conv
from space.blocks.residual import Residual
from space.blocks.separable import Separable

BLOCKS: dict[str, Block] = {
    "conv": Conv(),
    "separable": Separable(),
    "residual": Residual(),
    "branching": Branching(),
}
