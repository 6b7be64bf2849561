"""The presets as spaces, each with inputs of the data it is for."""

import random

from search.proposing.walks import SearchSpace
from space import presets
from space.architecture import Architecture
from space.decision import Choose
from space.document.parser import parse_document
from space.space import Space

Shape = tuple[int, ...]

IMAGES: tuple[Shape, ...] = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 17, 23))
VOLUMES: tuple[Shape, ...] = ((1, 8, 8, 8), (1, 16, 12, 16))
SERIES: tuple[Shape, ...] = ((1, 96), (3, 37))
NODES: tuple[Shape, ...] = ((7,), (32,))


def shapes_of(name: str) -> tuple[Shape, ...]:
    """Input shapes of every kind of data that a preset is for; small ones, so that a hundred networks take seconds."""
    data = parse_document(presets.load(name)).data
    maps = (*IMAGES, *VOLUMES[:1], *SERIES[1:])
    masks = (IMAGES[0], *IMAGES[2:])
    return {"image": IMAGES, "volume": VOLUMES, "series": SERIES, "segmentation": masks, None: maps}.get(data, NODES)


def preset(name: str, shape: Shape, *, classes: int = 5) -> Space:
    """The preset for this input; links have two classes."""
    document = presets.load(name)
    return Space.parse(document, input_shape=shape, classes=2 if document.get("data") == "links" else classes)


def sample(space: Space, seed: int) -> Architecture:
    """One uniform draw of each decision."""
    generator = random.Random(seed)
    return space.sample(lambda decision: generator.choice(decision.options))


class Counted:
    """A space that counts its walks."""

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.count = space, 0
        self.constraints, self.baseline, self.size = space.constraints, space.baseline, space.size

    def sample(self, choose: Choose) -> Architecture:
        self.count += 1
        return self.space.sample(choose)
