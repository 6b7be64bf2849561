"""What the samples of a source are answered with, in its own words, as the answers that are stored.

The option `problem` says what they are; without it the arrays do:

    texts, whole numbers (N,), one-hot rows (N, k)     classification, see `labels`
    numbers of which some are not whole, (N,) (N, K)   regression, see `targets`
    (N, K) of 0 and 1 that are not one-hot             multilabel, see `many_labels`
    (N, H, W) of whole numbers                         segmentation, see `masks`

What was decided here is told, but for classification. Classes in an order (ordinal) are never guessed. What the option
contradicts is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from archsmith.errors import Fault, InvalidDataset
from workers.conventions import PROBLEMS
from workers.datasets import many_labels, masks, targets
from workers.datasets.labels import Classes, as_classes, one_hot_shape
from workers.datasets.named import CLASS_NAMES, NamedArrays, class_names
from workers.datasets.ordered import in_order
from workers.datasets.raw import Array, fault
from workers.datasets.text_numbers import has_fraction, numbers_of
from workers.datasets.unsuitable import unsuitable

MANY_VALUES = 100
"""Different whole numbers from which labels, most of which occur once, look like quantities."""
TARGET_NAMES = "target_names"
OTHERWISE = "--problem says otherwise"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """problem: one of PROBLEMS. y: of each part, as in `RawDataset`. names: of the K classes, labels or targets."""

    problem: str
    y: Mapping[str, Array]
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def check_problem(asked: str | None, allowed: Sequence[str] = PROBLEMS, *, why: str = "") -> None:
    """Raises `choice_unknown`, with `why` of a format that knows some of PROBLEMS only."""
    if asked is not None and asked not in allowed:
        detail = f"problem must be one of {', '.join(allowed)}{why}, got {asked[:40]!r}"
        raise InvalidDataset(Fault(pointer="/problem", rule="choice_unknown", detail=detail, allowed=list(allowed)))


def as_answers(
    found: Mapping[str, Array],
    *,
    files: Mapping[str, str],
    names: Sequence[str] | None = None,
    asked: str | None = None,
    scratch: Path | None = None,
) -> Answers:
    """found: answers of each part, named for messages by `files`. names: of classes, labels or targets.

    asked: the option `problem`. scratch: folder for masks, which are mapped; without it masks are refused.
    Raises InvalidDataset.
    """
    problem, why = decided(found, files, asked)
    told = () if asked is not None or not why else (f"{why}: read as {problem}; {OTHERWISE}",)
    if problem == "segmentation":
        return _of_masks(found, files, names, scratch, told)
    if problem == "regression":
        y, shown, said = targets.as_targets(found, files=files, names=names)
    elif problem == "multilabel":
        y, shown, said = many_labels.as_labels(found, files=files, names=names)
    else:
        return _of_classes(found, files, names, problem, asked)
    return Answers(problem=problem, y=y, names=shown, warnings=(*told, *said))


def of_cells(found: Mapping[str, Sequence[str]], *, files: Mapping[str, str], asked: str | None = None) -> Answers:
    """The same of the cells of a table's column: numbers that are written there, or texts."""
    values = {part: numbers_of(cells) for part, cells in found.items()} if asked in (None, "regression") else {}
    numbers = {part: column for part, column in values.items() if column is not None}
    if numbers.keys() == found.keys() and (asked is not None or any(map(has_fraction, numbers.values()))):
        for part, column in numbers.items():
            targets.check_finite(column, file=files[part], first=1, noun="row")
        return as_answers(numbers, files=files, asked=asked)
    answers = as_answers({part: np.array(cells) for part, cells in found.items()}, files=files, asked=asked)
    if asked is not None or numbers.keys() != found.keys():
        return answers
    return replace(answers, warnings=(*answers.warnings, *quantities(numbers, files)))


def _of_masks(
    found: Mapping[str, Array],
    files: Mapping[str, str],
    names: Sequence[str] | None,
    scratch: Path | None,
    told: tuple[str, ...],
) -> Answers:
    if scratch is None:
        raise unsuitable("segmentation", "this format has one answer a sample, and no masks", others=PROBLEMS[:-1])
    y, shown, said = masks.as_masks(found, files=files, names=names, scratch=scratch)
    return Answers(problem="segmentation", y=y, names=shown, warnings=(*told, *said))


def _of_classes(
    found: Mapping[str, Array],
    files: Mapping[str, str],
    names: Sequence[str] | None,
    problem: str,
    asked: str | None,
) -> Answers:
    if asked is not None and (number := _fraction(found)) is not None:
        detail = f"{next(iter(files.values()))} holds {number:g}, which is no whole number and so no class"
        raise unsuitable(problem, detail, others=("regression",))
    classes = as_classes(found, files=files, names=names)
    if problem == "ordinal":
        classes = ordered(classes, named=names is not None)
    said = () if asked is not None else quantities(found, files)
    return Answers(problem=problem, y=classes.y, names=classes.names, warnings=(*classes.warnings, *said))


def ordered(classes: Classes, *, named: bool) -> Classes:
    """The same with the classes in their order: as a list names them, else by the numbers in their names."""
    order = tuple(range(len(classes.names))) if named else in_order(classes.names)
    place = np.argsort(order)
    return Classes(
        y={part: place[y].astype(np.int64) for part, y in classes.y.items()},
        names=tuple(classes.names[number] for number in order),
        warnings=(*classes.warnings, order_told([classes.names[number] for number in order])),
    )


def order_told(names: Sequence[str]) -> str:
    more = " < …" if len(names) > 10 else ""
    return f"the classes are in the order {' < '.join(names[:10])}{more}"


def answer_names(arrays: NamedArrays, problem: str) -> tuple[str, ...] | None:
    """Of classes, labels or targets. Targets and labels may have them in TARGET_NAMES."""
    if uses_target_names(arrays, problem):
        return targets.names_of(arrays, TARGET_NAMES)
    return class_names(arrays)


def uses_target_names(arrays: NamedArrays, problem: str) -> bool:
    wanted = problem in ("regression", "multilabel") and TARGET_NAMES in arrays.names
    return wanted and not set(CLASS_NAMES) & set(arrays.names)


# ---- what they are


def decided(found: Mapping[str, Array], files: Mapping[str, str], asked: str | None) -> tuple[str, str]:
    """The problem, and why; "" where it was asked for, and for classification, which needs no reason.

    Raises `values_not_finite` with the rows that hold no number.
    """
    for part, y in found.items():
        if y.dtype.kind == "f" and y.dtype.itemsize <= 8:
            targets.check_finite(y, file=files[part])
    if asked is not None:
        return asked, ""
    first, arrays = next(iter(files.values())), list(found.values())
    if any(y.dtype.kind not in "biuf" for y in arrays):
        return "classification", ""
    if all(masks.are_masks(y) for y in arrays):
        return "segmentation", f"{first} holds whole numbers of shape {arrays[0].shape}, a class for each pixel"
    if (number := _fraction(found)) is not None:
        return "regression", f"{first} holds numbers that are not whole, such as {number:g}"
    if not any(one_hot_shape(y) for y in arrays):
        return "classification", ""
    if any(not many_labels.are_marks(y) for y in arrays):
        detail = (
            f"{first} has shape {arrays[0].shape} and holds whole numbers beside 0 and 1: --problem regression reads a "
            "target from each column; for classification give one class a sample, (N,)"
        )
        raise fault("labels_invalid", detail, file=first)
    if all(many_labels.are_one_hot(y) for y in arrays):
        return "classification", ""
    return "multilabel", f"{first} holds 0 and 1, and not one 1 in each row"


def quantities(found: Mapping[str, Array], files: Mapping[str, str]) -> tuple[str, ...]:
    """A warning about whole numbers that look like quantities although they are read as classes."""
    if any(y.dtype.kind not in "iuf" or y.size != max(y.shape) for y in found.values()):
        return ()
    values, times = np.unique(np.concatenate([np.ravel(y) for y in found.values()]), return_counts=True)
    return quantities_told(next(iter(files.values())), times, values.min(), values.max())


def quantities_told(what: str, times: Array, low: float, high: float) -> tuple[str, ...]:
    """times: how often each of the different numbers occurs."""
    if len(times) <= MANY_VALUES or 2 * int((times == 1).sum()) <= len(times):
        return ()
    detail = f"{what} holds {len(times)} different whole numbers from {low:g} to {high:g}, most of them once"
    return (f"{detail}: they are read as classes; if they are quantities, give --problem regression",)


def _fraction(found: Mapping[str, Array]) -> float | None:
    """The first number that is not whole; None where there is none, or where there are texts."""
    for y in found.values():
        if y.dtype.kind != "f":
            continue
        for rows in targets.pieces(y):
            piece = np.asarray(y[rows], dtype=np.float64).ravel()
            broken = piece[np.floor(piece) != piece]
            if len(broken):
                return float(broken[0])
    return None
