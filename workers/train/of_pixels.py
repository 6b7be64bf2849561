"""Scores of masks, and their shares. A sample is a whole picture: its pixels are no independent evidence.

outputs is (n, K, H, W), logits of each pixel's classes, or (n, H, W), the classes themselves; y is (n, H, W), 255 where
a pixel is not judged. Counts are summed over all pictures first, as scikit-learn's `jaccard_score` (macro) and
`accuracy_score` do with the pixels of all pictures in one row.
"""

import torch
from torch import Tensor

NOT_JUDGED = 255
CHUNK = 2**22
NOTHING = 0.0
"""Where no pixel is judged."""


def mean_iou(outputs: Tensor, y: Tensor) -> float:
    """Mean over the classes that are in y or are answered of intersection over union. Shapes as above."""
    both, either = _counts(outputs, y)
    defined = either.sum(0) > 0
    return float((both.sum(0) / either.sum(0))[defined].mean()) if defined.any() else NOTHING


def mean_iou_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """(n,) float64, one for each picture. Shapes as above."""
    both, either = _counts(outputs, y)
    return _ratio_shares(both, either)


def pixel_accuracy(outputs: Tensor, y: Tensor) -> float:
    """Share of the judged pixels whose class is right. Shapes as above."""
    right, judged = _right(outputs, y)
    return float(right.sum() / judged.sum()) if judged.any() else NOTHING


def pixel_accuracy_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """(n,) float64, one for each picture. Shapes as above."""
    return _ratio_shares(*_right(outputs, y))


def answers(outputs: Tensor) -> Tensor:
    """(n, K, H, W) logits -> (n, H, W) uint8, the class of each pixel: what is kept of a whole split's outputs.

    There are at most 255 classes, since 255 marks a pixel that is not judged.
    """
    return outputs.argmax(1).to(torch.uint8)


def _ratio_shares(part: Tensor, whole: Tensor) -> Tensor:
    """Of the mean over classes of sum(part) / sum(whole): (n, K) each -> (n,) float64."""
    defined = whole.sum(0) > 0
    if not defined.any():
        return torch.full((len(part),), NOTHING, dtype=torch.float64, device=part.device)
    part, whole = part[:, defined], whole[:, defined]
    ratio = part.sum(0) / whole.sum(0)
    return (ratio + (part - ratio * whole) / whole.mean(0)).mean(1)


def _counts(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(n, K) float64 each, for each picture and class: pixels answered and true; answered or true."""
    found = answers(outputs) if outputs.ndim == 4 else outputs
    classes = outputs.shape[1] if outputs.ndim == 4 else 1 + int(max(found.max(), y[y != NOT_JUDGED].max()))
    parts = [_of_some(found[rows], y[rows], classes) for rows in _chunks(y)]
    both, either = (torch.cat(column) for column in zip(*parts, strict=True))
    return both, either


def _of_some(found: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """The same for a few pictures: found, y (n, H, W)."""
    judged, answered, truth = y != NOT_JUDGED, found.long(), y.long()
    picture = torch.arange(len(y), device=y.device).view(-1, 1, 1) * classes

    def count(numbers: Tensor, where: Tensor) -> Tensor:
        return torch.bincount((picture + numbers)[where], minlength=len(y) * classes).view(len(y), classes).double()

    both = count(truth, judged & (answered == truth))
    return both, count(truth, judged) + count(answered, judged) - both


def _right(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(n, 1) float64 each: pixels that are right, pixels that are judged."""
    found, judged = answers(outputs) if outputs.ndim == 4 else outputs, y != NOT_JUDGED
    right = judged & (found == y)
    return right.flatten(1).sum(1, keepdim=True).double(), judged.flatten(1).sum(1, keepdim=True).double()


def _chunks(y: Tensor) -> list[slice]:
    """Rows of about CHUNK pixels each: numbers of classes take eight bytes a pixel while they are counted."""
    step = max(1, CHUNK // max(1, y[0].numel()))
    return [slice(start, start + step) for start in range(0, len(y), step)]
