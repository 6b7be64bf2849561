"""Named arrays of pictures or volumes with their labels, from any file that holds such, as a data set.

Accepted names: `x` and `y`; `x_train`, `y_train` with `x_test`, `y_test` and, if there, `x_val`, `y_val`; the way of
MedMNIST, `train_images`, `train_labels`, `val_images`, …; optionally `class_names`, and a split, see `given_split`.
`axes` says which axes mean what, `given_answers` what the answers are. `masks` or `mask`, and `masks_train`, …, are
answers where there is no `y`, or where the option `problem` asks for segmentation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workers.datasets import given_split
from workers.datasets.axes import as_samples
from workers.datasets.given_answers import TARGET_NAMES, Answers, answer_names, as_answers, decided, uses_target_names
from workers.datasets.masks import check_sides
from workers.datasets.named import CLASS_NAMES, NUMBERS, TEXTS, NamedArrays, listed, one_of, without_use
from workers.datasets.raw import Array, RawDataset, check_lengths, common_dtype, fault, stack_parts
from workers.datasets.scale import scale_warnings
from workers.datasets.splits import Indices

_X = ("x", "X", "images", "data")


def _names(stems: Sequence[str], parts: Sequence[str]) -> tuple[str, ...]:
    """`x_train`, `train_x`, `train_set_x` of each stem and each word for the part."""
    ways = ("{stem}_{part}", "{part}_{stem}", "{part}_set_{stem}", "{stem}{part}")
    return tuple(dict.fromkeys(way.format(stem=s, part=p) for p in parts for way in ways for s in stems))


_STEMS = {"x": (*_X, "image", "imgs"), "y": ("y", "Y", "labels", "targets", "label", "target")}
_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test",)}
IMAGES = {part: _names(_STEMS["x"], words) for part, words in _PARTS.items()}
LABELS = {part: _names(_STEMS["y"], words) for part, words in _PARTS.items()}
IMAGES["train"] = (*_STEMS["x"], *IMAGES["train"])
LABELS["train"] = (*_STEMS["y"], *LABELS["train"])
MASKS = {part: _names(("masks",), words) for part, words in _PARTS.items()}
MASKS["train"] = ("masks", "mask", *MASKS["train"])
"""Not mask_train, mask_test, …, by which `given_split` names rows."""
WANTED = "x and y; or x_train, y_train with x_test, y_test and perhaps x_val, y_val; perhaps class_names"


def read(
    arrays: NamedArrays, *, kind: str, scratch: Path, last: bool = False, problem: str | None = None
) -> RawDataset:
    """kind: the format's name. last: whether samples may lie along the last axis, as MATLAB has them.

    problem: the option. Raises InvalidDataset. Large arrays are mapped, not held in memory.
    """
    pairs = _pairs(arrays, problem)
    raw = {part: _pair(arrays, *names, last=last) for part, names in pairs.items()}
    files = {part: names[1] for part, names in pairs.items()}
    answers = _answers(arrays, {part: y for part, (_, y, _) in raw.items()}, files, problem, scratch=scratch)
    for part, (x, _, _) in raw.items():
        check_lengths(x, answers.y[part], file=files[part], against=pairs[part][0])
    found = {part: as_samples(x, file=pairs[part][0]) for part, (x, _, _) in raw.items()}
    remarks = [*answers.warnings, *(text for _, said in found.values() for text in said)]
    remarks += [remark for _, _, remark in raw.values() if remark]
    pieces, y = {part: x for part, (x, _) in found.items()}, dict(answers.y)
    if answers.problem == "segmentation":
        for part, x in pieces.items():
            check_sides(x, y[part], file=files[part], against=pairs[part][0])
    split, said = _split(arrays, pieces)
    if split:
        pieces = given_split.gathered(pieces["train"], split, scratch=scratch)
        y = {part: answers.y["train"][rows] for part, rows in split.items()}
    x_files = {part: pairs[part][0] if part in pairs else f"the {part} part" for part in pieces}
    stacked, labels, parts = stack_parts({part: (pieces[part], y[part]) for part in pieces}, file=arrays.file)
    used = {name for pair in pairs.values() for name in pair} | {*CLASS_NAMES, *given_split.names_of(arrays)}
    used |= {TARGET_NAMES} if uses_target_names(arrays, answers.problem) else set()
    ignored, odd = without_use(arrays, used)
    return RawDataset(
        format=kind,
        pieces=stacked,
        dtype=common_dtype(stacked, file=arrays.file),
        y=labels,
        class_names=answers.names,
        problem=answers.problem,
        parts=parts,
        warnings=(*dict.fromkeys(remarks), *said, *scale_warnings(pieces, x_files), *odd),
        ignored=ignored,
    )


def _answers(
    arrays: NamedArrays,
    found: Mapping[str, Array],
    files: Mapping[str, str],
    problem: str | None,
    *,
    scratch: Path,
) -> Answers:
    names = answer_names(arrays, decided(found, files, problem)[0])
    return as_answers(found, files=files, names=names, asked=problem, scratch=scratch)


def _split(arrays: NamedArrays, pieces: Mapping[str, Array]) -> tuple[dict[str, Indices], tuple[str, ...]]:
    split, said = given_split.given_rows(arrays, count=len(pieces["train"]))
    if split and len(pieces) > 1:
        both = ", ".join([*given_split.names_of(arrays), *pieces])
        detail = f"{arrays.file} gives its split twice, by arrays of their own and by row numbers or masks: {both}"
        raise fault("masks_invalid", detail, file=arrays.file)
    return split, said


def _pairs(arrays: NamedArrays, problem: str | None) -> dict[str, tuple[str, str]]:
    """The names of (samples, answers) per part."""
    pairs = {}
    for part, names in IMAGES.items():
        x = one_of(arrays, names, what=f"samples of the {part} part")
        y = one_of(arrays, LABELS[part], what=f"labels of the {part} part")
        if y is None or problem == "segmentation":
            y = one_of(arrays, MASKS[part], what=f"masks of the {part} part") or y
        if x and y:
            pairs[part] = (x, y)
        elif x or y or part == "train":
            wanted = (LABELS[part] if x else names)[:12]
            lonely = f" beside {x or y}" if x or y else ""
            detail = (
                f"{arrays.file} needs an array named one of {', '.join(wanted)}{lonely}; it holds {listed(arrays)}."
            )
            detail += f" Wanted are {WANTED}; a graph has edge_index or edges"
            raise fault("array_missing", detail, file=arrays.file, allowed=list(wanted))
    return pairs


def _pair(arrays: NamedArrays, x_name: str, y_name: str, *, last: bool) -> tuple[Array, Array, str]:
    x, y = arrays.read(x_name), arrays.read(y_name, kinds=NUMBERS + TEXTS)
    count = y.size if y.size == max(y.shape) else len(y)
    if last and y.ndim == 3 and _masks_last(x, y, y_name):
        said = f"{x_name} and {y_name} have their {y.shape[-1]} samples along the last axis"
        return np.moveaxis(x, -1, 0), np.moveaxis(y, -1, 0), said
    if last and x.ndim in (3, 4, 5) and len(x) != count and x.shape[-1] == count:
        said = f"{x_name} of shape {x.shape} has its {count} samples along the last axis"
        return np.moveaxis(x, -1, 0), y, said
    return x, y, ""


def _masks_last(x: Array, y: Array, file: str) -> bool:
    """Whether samples lie along the last axis of (H, W, N) or (H, W, C, N), and of masks (H, W, N).

    Raises `shape_invalid` where pictures of one channel are no squares, so that it cannot be told.
    """
    if x.shape[:2] != y.shape[:2] or x.shape[-1] != y.shape[-1]:
        return False
    if x.ndim == 4 or len({y.shape[0] == y.shape[1], y.shape[1] == y.shape[2]}) > 1:
        return x.ndim == 4 or y.shape[0] == y.shape[1]
    detail = f"whether the samples of {file}, of shape {y.shape}, lie along its first or last axis cannot be told"
    raise fault("shape_invalid", f"{detail}: give pictures an axis for their channel, (H, W, 1, N)", file=file)
