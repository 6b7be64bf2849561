"""What a network's outputs mean: the one place of `archsmith predict` where the problem decides.

    classification, ordinal   logits -> the probabilities of the classes, by softmax
    multilabel                logits -> the probability of each label by itself, by a sigmoid
    regression                standardised values -> values in the units of the targets
    segmentation              logits of each pixel -> the number of its class, the one with the largest

`model.py` computes the same with torch (`workers.bundle.code`), and `torch_only` checks that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from workers.bundle.manifest import Array, Manifest

Floats = npt.NDArray[np.float64]

LIKELY = 0.5
"""The probability from which on a sample has a label, as in the F1 that is reported."""


class Answer(Protocol):
    """What the model says of one row."""

    @property
    def what(self) -> str:
        """The name of the row."""
        ...

    def line(self, top: int) -> str:
        """For people. top: how many classes or labels are named, if there are many."""
        ...

    def to_json(self) -> dict[str, Any]:
        """For programs, with all numbers."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OneClass:
    """classes: the probability of each, the most probable first."""

    what: str
    classes: dict[str, float]

    def line(self, top: int) -> str:
        return f"{self.what}: {_numbers(self.classes, top)}"

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "classes": self.classes}


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyLabels:
    """labels: the probability of each by itself, the most probable first."""

    what: str
    labels: dict[str, float]

    @property
    def present(self) -> dict[str, float]:
        """Those that the sample has."""
        return {name: p for name, p in self.labels.items() if p >= LIKELY}

    def line(self, top: int) -> str:
        """All that the sample has, then others as far as `top` allows."""
        present = self.present
        others = dict(list(self.labels.items())[len(present) : max(top, len(present))])
        rest = f"; below {LIKELY:g}: {_numbers(others, top)}" if others else ""
        return f"{self.what}: {_numbers(present, len(present)) or 'none'}{rest}"

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "labels": self.labels, "present": list(self.present)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """values: of each target, in its own units and in the order of the columns."""

    what: str
    values: dict[str, float]

    def line(self, top: int) -> str:  # noqa: ARG002  # all targets are asked about
        return f"{self.what}: " + ", ".join(f"{name} {value:.6g}" for name, value in self.values.items())

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "values": self.values}


@dataclass(frozen=True, kw_only=True, slots=True)
class Mask:
    """classes: the share of the pixels that each has, the largest first. mask: (H, W) numbers of the classes."""

    what: str
    classes: dict[str, float]
    mask: Array
    path: str = ""

    def line(self, top: int) -> str:
        where = f"; mask in {self.path}" if self.path else ""
        return f"{self.what}: {_numbers(self.classes, top)}{where}"

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "classes": self.classes, "mask": self.path}


def _numbers(found: Mapping[str, float], top: int) -> str:
    return ", ".join(f"{name} {p:.4f}" for name, p in list(found.items())[:top])


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How the outputs for one problem are read.

    values: (rows, …) as the network gives them -> what they mean, float64 of the same shape; of masks (rows, H, W)
    uint8. answer: of one row: its name, its values and the names of the columns.
    """

    values: Callable[[Array, Manifest], Array]
    answer: Callable[[str, Array, tuple[str, ...]], Answer]


def _softmax(logits: Array, _: Manifest) -> Floats:
    powers: Floats = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(logits: Array, _: Manifest) -> Floats:
    found: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))  # exp would overflow
    return found


def _in_units(outputs: Array, manifest: Manifest) -> Floats:
    given = manifest.preprocessing
    found: Floats = outputs.astype(np.float64) * np.array(given.target_std) + np.array(given.target_mean)
    return found


def _largest(logits: Array, _: Manifest) -> Array:
    found: Array = logits.argmax(axis=1).astype(np.uint8)
    return found


def _mask(what: str, row: Array, names: tuple[str, ...]) -> Mask:
    shares = np.bincount(row.ravel(), minlength=len(names)) / row.size
    return Mask(what=what, classes=_falling(shares, names), mask=row)


def _falling(values: Floats, names: tuple[str, ...]) -> dict[str, float]:
    return {names[i]: float(values[i]) for i in np.argsort(-values, kind="stable")}


CLASSES = Reading(values=_softmax, answer=lambda what, row, names: OneClass(what=what, classes=_falling(row, names)))
READINGS: Mapping[str, Reading] = {
    "classification": CLASSES,
    "ordinal": CLASSES,
    "multilabel": Reading(
        values=_sigmoid, answer=lambda what, row, names: AnyLabels(what=what, labels=_falling(row, names))
    ),
    "regression": Reading(
        values=_in_units,
        answer=lambda what, row, names: Values(what=what, values=dict(zip(names, row.tolist(), strict=True))),
    ),
    "segmentation": Reading(values=_largest, answer=_mask),
}
"""Problem -> how its outputs are read."""
