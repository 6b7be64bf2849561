"""Whether mirror images of a data set's pictures are further samples of their classes.

"Three channels" does not tell: traffic signs are in colour, and a mirrored left turn is a right turn. Asked is a
classifier that takes no training, the nearest neighbour by cosine among at most 5,000 training samples of less than
32 pixels a side, on at most 1,500 validation samples:

1. With mirror images added to the neighbours, one of them must be the nearest in at least 0.3 of the samples. Where
   pictures come from either side alike it is in half of them. Mirrored left to right: TrashNet 0.36, Fashion-MNIST
   0.19, digits 0.04; Fashion-MNIST upside down 0.03. Trained with mirror images (`benchmarks.recipe`, 600 steps),
   Fashion-MNIST had 0.010 less.
2. It must not get worse with them by more than chance would have it (two standard deviations of the sign test): no
   class may be another one's mirror image.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.streams import Stream, generator
from workers.datasets import Dataset
from workers.datasets.strata import strata

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Masks = npt.NDArray[np.uint8]

SIDE, NEIGHBOURS, ASKED = 16, 5000, 1500
NEARER = 0.3
"""Share of the validation samples whose nearest neighbour must be a mirror image."""

_KNOWN: dict[tuple[str, int], bool] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorTest:
    """largest: the share of the largest class. plain: of the samples whose nearest neighbour has their class.

    nearer: of the samples to which a mirror image is nearer than any picture as it is. wins, losses: samples that are
    right only with, or only without mirror images among the neighbours.
    """

    largest: float
    plain: float
    nearer: float
    wins: int
    losses: int

    @property
    def helps(self) -> bool:
        """Whether both conditions hold; where neighbours know no more than the largest class, they cannot tell."""
        alike = self.plain > self.largest and self.nearer >= NEARER
        return alike and self.losses - self.wins <= 2 * (self.losses + self.wins) ** 0.5


def mirrors(dataset: Dataset) -> bool:
    """Whether pictures may be mirrored left to right, judged on the splits of the search; kept for the process.

    Classes are strata where an answer is no class: tenths of a target, so that one which depends on the side (a place,
    an angle) says no; the rarest label. Of masks see `mask_test`.
    """
    key = (dataset.sha256, dataset.seed)
    if key not in _KNOWN:
        train, val = (_some(rows, count) for rows, count in zip(_rows(dataset), (NEIGHBOURS, ASKED), strict=True))
        near, ask = _gathered(dataset.x, train), _gathered(dataset.x, val)
        if dataset.problem == "segmentation":
            _KNOWN[key] = mask_test(near, dataset.y[train], ask, dataset.y[val]).helps
        else:
            y = strata(dataset.y, dataset.problem)
            _KNOWN[key] = mirror_test(near, y[train], ask, y[val]).helps
    return _KNOWN[key]


def mask_test(
    x: npt.NDArray[np.generic], y: Masks, asked: npt.NDArray[np.generic], truth: Masks
) -> MirrorTest:  # fmt: skip
    """The same of pictures whose masks are mirrored with them. x, asked: (N, C, H, W); y, truth: (N, H, W) masks.

    Right is the share of a picture's pixels that the mask of its nearest neighbour has right, and a picture wins or
    loses by it: where mirrored organs are other organs, masks of mirrored neighbours are worse.
    """
    ask = _flat(_small(asked))
    plain, other = (ask @ _flat(one).T for one in (_small(x), np.flip(_small(x), -1)))
    step = -(-max(y.shape[1:]) // (2 * SIDE))
    y, truth = y[:, ::step, ::step], truth[:, ::step, ::step]
    found, turned = y[plain.argmax(1)], np.flip(y, -1)[other.argmax(1)]
    right, mirrored = ((masks == truth).mean((1, 2)) for masks in (found, turned))
    nearer = other.max(1) > plain.max(1)
    return MirrorTest(
        largest=0.0,
        plain=float(right.mean()),
        nearer=float(nearer.mean()),
        wins=int((nearer & (mirrored > right)).sum()),
        losses=int((nearer & (mirrored < right)).sum()),
    )


def mirror_test(
    x: npt.NDArray[np.generic], y: Labels, asked: npt.NDArray[np.generic], truth: Labels, *, axis: int = -1
) -> MirrorTest:
    """x, asked: (N, C, H, W) training and validation samples; y, truth: (N,) their classes. axis: that is mirrored."""
    near, ask = _small(x), _flat(_small(asked))
    plain, other = (ask @ _flat(one).T for one in (near, np.flip(near, axis)))
    found, turned = y[plain.argmax(1)] == truth, y[other.argmax(1)] == truth
    nearer = other.max(1) > plain.max(1)
    both = np.where(nearer, turned, found)
    return MirrorTest(
        largest=float(np.bincount(truth).max() / len(truth)),
        plain=float(found.mean()),
        nearer=float(nearer.mean()),
        wins=int((both & ~found).sum()),
        losses=int((found & ~both).sum()),
    )


def _rows(dataset: Dataset) -> tuple[Labels, Labels]:
    return dataset.splits.search_train, dataset.splits.search_val


def _some(rows: Labels, count: int) -> Labels:
    return np.sort(generator(Stream.MIRROR, 0).permutation(rows)[:count])


def _gathered(x: npt.NDArray[np.generic], rows: Labels) -> Floats:
    """Made small a few at a time: large photographs would fill the memory."""
    return np.concatenate([_small(np.asarray(x[rows[start : start + 64]])) for start in range(0, len(rows), 64)])


def _small(x: npt.NDArray[np.generic]) -> Floats:
    """(N, C, H, W) -> sides below 2 SIDE: means of whole blocks; what is left over at the edges is cut."""
    block = max(1, max(x.shape[2:]) // SIDE)
    height, width = (max(1, side // block) for side in x.shape[2:])
    x = x[:, :, : height * block, : width * block].astype(np.float32)
    blocks = x.reshape(*x.shape[:2], height, x.shape[2] // height, width, x.shape[3] // width)
    means: Floats = blocks.mean(axis=(3, 5))
    return means


def _flat(x: Floats) -> Floats:
    """(N, ...) -> (N, F) rows of mean 0 and length 1; a constant sample becomes zeros."""
    rows = x.reshape(len(x), -1)
    rows = rows - rows.mean(1, keepdims=True)
    scaled: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return scaled
