"""Pictures in class folders, or beside a table that names their classes; in a zip or tar archive, or in a folder.

`layout` says how folders are read, `label_table` how tables are. Pictures are known by their content. They become RGB,
or grey when all of them are; they are turned upright by their EXIF tag; transparency is laid on white; of several
frames or pages the first is read. Where all pictures have more than 8 bits, their levels are kept as stored (float32);
where only some have and they use all 16 bits, these keep the upper 8.

The shorter side is scaled to `image_size` and the middle is cut out ("crop"), or the longer one is and black is added
("pad"); "auto" crops, and pads pictures more than 3 times as long as wide. `image_size` defaults to the median of the
side that is scaled, at most 64 pixels.
"""

import math
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np

from archsmith.errors import Fault, InvalidDataset
from workers.datasets import picture_masks, picture_survey, pixels
from workers.datasets.mask_names import names_beside
from workers.datasets.parallel import in_order
from workers.datasets.picture_files import HIDDEN, Entry, Files, open_files
from workers.datasets.picture_places import Places, place
from workers.datasets.picture_survey import Bad, Survey, survey, unreadable
from workers.datasets.pixels import FITS, FULL_DEPTH, UNREADABLE, Fit, Header, is_extreme
from workers.datasets.raw import MAX_SIDE, Array, Parts, RawDataset, fault
from workers.datasets.targets import as_targets

EXTENSIONS = tuple(sorted(picture_survey.PICTURE_ENDINGS))
DEFAULT_SIZE = 64
MIN_SIZE = 4
MAX_SHOWN = 3
_Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """One file with its place in the data set. group: "" where there are none. number: of the survey."""

    entry: Entry
    header: Header
    part: str
    label: str
    group: str = ""
    number: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """deep: whether levels are kept as stored."""

    side: int
    fit: Fit
    deep: bool


def read(
    source: Path,
    *,
    scratch: Path,
    image_size: int | None = None,
    image_fit: str | None = None,
    group_by: str | None = None,
    problem: str | None = None,
) -> RawDataset:
    """image_size: pixels of the stored square, 4 to 512. image_fit: of FITS, by default "auto". group_by: see
    `picture_groups`. problem: see `picture_places`.

    Raises InvalidDataset that names the files at fault.
    """
    _check_options(image_size, image_fit)
    with open_files(source, scratch=scratch) as files, pixels.quiet():
        each = partial(in_order, reopen=files.reopen)
        found = survey(files, each)
        places = place(files, found, group_by, problem)
        pictures = tuple(
            _Picture(
                entry=found.pictures[p.number],
                header=found.headers[p.number],
                part=p.part,
                label=p.label,
                group=places.groups.get(p.number, ""),
                number=p.number,
            )
            for p in places.placed
        )
        picture_survey.check_bad((*found.bad, *places.bad), total=len(found.pictures) + len(found.bad))
        scale = _scale(pictures, image_size, image_fit)
        masks = _masks(files, found, places, pictures, scale, each, scratch=scratch)
        pictures = pictures if masks is None else tuple(pictures[row] for row in masks.rows)
        x, kept, bad, notes = _decode(files, pictures, scale, each, scratch=scratch)
        bad = (*found.bad, *places.bad, *(masks.bad if masks else ()), *bad)
        picture_survey.check_bad(bad, total=len(found.pictures) + len(found.bad))
        told = (
            *files.warnings, *places.warnings, *(masks.warnings if masks else ()), *picture_survey.told(bad), *notes,
            *_told(kept, scale, places.problem),
        )  # fmt: skip
        empty = (f"folder {folder} holds no pictures" for folder in _empty_folders(files, found.pictures))
        y = _answers(places, pictures, kept, masks, scratch=scratch)
    return RawDataset(
        format="images",
        pieces=(x,),
        dtype=x.dtype,
        y=y,
        problem=places.problem,
        class_names=masks.names if masks else places.names,
        parts=_parts(kept),
        warnings=(*told, *empty),
        ignored=(*found.ignored, *sorted(one.name for one in bad if not one.damaged)),
        corrupt=tuple(sorted(one.name for one in bad if one.damaged)),
        names=tuple(p.entry.name for p in kept),
        notes={
            "image_size": scale.side,
            "image_fit": scale.fit,
            **_scaled(kept, scale),
            **places.notes,
            **(masks.notes if masks else {}),
        },
        groups=np.unique([p.group for p in kept], return_inverse=True)[1].astype(np.int64) if places.groups else None,
    )


def _masks(
    files: Files,
    found: Survey,
    places: Places,
    pictures: Sequence[_Picture],
    scale: _Scale,
    each: _Map,
    *,
    scratch: Path,
) -> picture_masks.Masks | None:
    """None where pictures have none."""
    if not places.masks:
        return None
    given = [picture_masks.Masked(picture=p.entry, header=p.header, mask=places.masks[p.number]) for p in pictures]
    names = names_beside(files, found.beside)
    return picture_masks.read(files, given, each, side=scale.side, fit=scale.fit, names=names, scratch=scratch)


def _answers(
    places: Places,
    given: Sequence[_Picture],
    kept: Sequence[_Picture],
    masks: picture_masks.Masks | None,
    *,
    scratch: Path,
) -> Array:
    """As in RawDataset, of the pictures that were kept of those that were given."""
    if masks is not None:
        numbers = {picture.number for picture in kept}
        rows = [row for row, picture in enumerate(given) if picture.number in numbers]
        return picture_masks.rows_of(masks.y, rows, scratch=scratch)
    if places.problem in ("regression", "multilabel"):
        parts = dict.fromkeys(p.part for p in kept)
        found = {part: np.array([places.values[p.number] for p in kept if p.part == part]) for part in parts}
        if places.problem == "regression":
            found, _, _ = as_targets(found, files=dict.fromkeys(parts, "the table"), names=places.names)
        return np.concatenate([found[part] for part in parts]).astype(found[kept[0].part].dtype)
    number = {name: label for label, name in enumerate(places.names)}
    return np.array([number[p.label] for p in kept], dtype=np.int64)


def decoded(path: Path, *, side: int | None, fit: Fit = "crop", deep: bool = False) -> Array:
    """One file as a data set would hold it, (H, W, C): uint8 and C = 3; deep: float32 and C = 1 or 3.

    side: of the square it is fitted into, None to leave it. Raises InvalidDataset.
    """
    try:
        with pixels.quiet():
            if path.stat().st_size > pixels.MAX_FILE_BYTES:
                raise pixels.too_large(path.name, "it")
            content = path.read_bytes()
            header = pixels.header(content, path.name)
            if deep and not header.deep:
                detail = f"{path.name} has 8 bits a channel, the pictures of the data set have more"
                raise fault("image_depth_unsupported", detail, file=path.name)
            if deep:
                return pixels.deep(content, path.name, side=side, fit=fit)
            found, _, greatest = pixels.shallow(content, side=side, fit=fit)
    except UNREADABLE as error:
        detail = f"{path.name} cannot be read: {type(error).__name__}: {error}"
        raise fault("image_unreadable", detail, file=path.name) from error
    if 0 <= greatest < FULL_DEPTH or greatest >= 2 * FULL_DEPTH:
        detail = f"{path.name} holds levels up to {greatest}, the pictures of the data set have 8 bits: 0 to 255"
        raise fault("image_depth_unsupported", detail, file=path.name)
    return found


def _check_options(image_size: int | None, image_fit: str | None) -> None:
    if image_size is not None and not MIN_SIZE <= image_size <= MAX_SIDE:
        detail = f"image_size must be {MIN_SIZE} to {MAX_SIDE}, got {image_size}"
        raise InvalidDataset(Fault(pointer="/image_size", rule="out_of_range", detail=detail))
    if image_fit is not None and image_fit not in FITS:
        detail = f"image_fit must be one of {', '.join(FITS)}, got {image_fit[:40]!r}"
        raise InvalidDataset(Fault(pointer="/image_fit", rule="choice_unknown", detail=detail, allowed=list(FITS)))


# ---- pixels


def _scale(pictures: Sequence[_Picture], image_size: int | None, image_fit: str | None) -> _Scale:
    fit = cast(Fit, image_fit or "auto")
    sides = [(max if _padded(p.header, fit) else min)(p.header.size) for p in pictures]
    side = image_size or max(MIN_SIZE, min(DEFAULT_SIZE, int(statistics.median(sides))))
    return _Scale(side=side, fit=fit, deep=all(p.header.deep for p in pictures))


def _padded(header: Header, fit: Fit) -> bool:
    return fit == "pad" or (fit == "auto" and is_extreme(header.size))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decoded:
    """Of a picture whose values are written. greatest: see `pixels.shallow`."""

    grey: bool
    greatest: int


def _decode(
    files: Files, pictures: Sequence[_Picture], scale: _Scale, each: _Map, *, scratch: Path
) -> tuple[Array, tuple[_Picture, ...], tuple[Bad, ...], tuple[str, ...]]:
    """Values (N, C, side, side), uint8 or float32, in a scratch file; the pictures in its rows; bad ones; warnings."""
    dtype = np.dtype(np.float32 if scale.deep else np.uint8)
    size = 3 * scale.side**2 * dtype.itemsize
    path = scratch / "x.bin"
    with path.open("w+b") as out:
        file = out.fileno()

        def decode(number: int) -> _Decoded | Bad:
            """Each process writes its own rows: sending them took a tenth of the time."""
            found = _decode_one(files, pictures[number], scale)
            if isinstance(found, Bad):
                return found
            values, decoded = found
            _put(file, _three(values, dtype).tobytes(), number * size)
            return decoded

        found = list(each(decode, range(len(pictures))))
        rows = [row for row, one in enumerate(found) if not isinstance(one, Bad)]
        for to, row in enumerate(rows):
            if to != row:
                _put(file, os.pread(file, size, row * size), to * size)
        out.truncate(len(rows) * size)
    bad = [one for one in found if isinstance(one, Bad)]
    kept = [pictures[row] for row in rows]
    good = [one for one in found if isinstance(one, _Decoded)]
    if not kept:
        picture_survey.check_bad(bad, total=0)
    shallow = [(p.entry.name, one.greatest) for p, one in zip(kept, good, strict=True) if one.greatest >= 0]
    x = np.memmap(path, dtype, "r", shape=(len(kept), scale.side, scale.side, 3))
    x = np.moveaxis(x, 3, 1)
    grey = all(one.grey for one in good)
    return x[:, :1] if grey else x, tuple(kept), tuple(bad), _told_depth(scale, shallow)


def _decode_one(files: Files, picture: _Picture, scale: _Scale) -> tuple[Array, _Decoded] | Bad:
    """(side, side, C) in the type of the data set, and what is told of them."""
    try:
        content = files.read(picture.entry)
        if scale.deep:
            values = pixels.deep(content, picture.entry.name, side=scale.side, fit=scale.fit)
            return values, _Decoded(grey=values.shape[2] == 1, greatest=-1)
        values, grey, greatest = pixels.shallow(content, side=scale.side, fit=scale.fit)
        return values, _Decoded(grey=grey, greatest=greatest)
    except InvalidDataset as error:
        return picture_survey.refused(picture.entry, error)
    except UNREADABLE as error:
        return unreadable(picture.entry, error)


def _put(file: int, content: bytes, at: int) -> None:
    """All of it: a disk that is nearly full takes a part without a word, and raises at the next."""
    while content:
        written = os.pwrite(file, content, at)
        content, at = content[written:], at + written


def _three(values: Array, dtype: np.dtype[Any]) -> Array:
    three = values if values.shape[2] == 3 else np.broadcast_to(values, (*values.shape[:2], 3))
    return np.ascontiguousarray(three, dtype=dtype)


def _told_depth(scale: _Scale, shallow: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Raises `depths_mixed` where pictures of 8 bits stand beside such as hold 10, 12 or 14 bits in 16."""
    if scale.deep:
        return ("the pictures have more than 8 bits a channel; their levels are kept as stored, on one scale",)
    if not shallow:
        return ()
    greatest = max(level for _, level in shallow)
    if FULL_DEPTH <= greatest < 2 * FULL_DEPTH:
        return (f"{len(shallow)} pictures of 16 bits beside others of 8 keep their upper 8 bits, as {shallow[0][0]}",)
    name = shallow[0][0]
    detail = (
        f"{len(shallow)} pictures have more than 8 bits and levels up to {greatest}, as {name}, others have 8 bits: "
        "their scales cannot be compared; save all with the same depth"
    )
    raise fault("depths_mixed", detail, file=name)


# ---- what is told


def _told(kept: Sequence[_Picture], scale: _Scale, problem: str) -> Iterator[str]:
    """What was changed in the pictures, and classes that the test split will have nothing of."""
    several = [p.entry.name for p in kept if p.header.several]
    if several:
        yield f"{len(several)} pictures hold several frames or pages, of which the first is read: {_some(several)}"
    extreme = [p.entry.name for p in kept if p.header.extreme]
    if extreme:
        what = "only their middle square is read" if scale.fit == "crop" else "they are padded with black, not cropped"
        yield f"{len(extreme)} pictures are over {pixels.EXTREME:g} times as long as wide; {what}: {_some(extreme)}"
    if problem not in ("classification", "ordinal"):
        return
    counts, tested = Counter(p.label for p in kept), {p.label for p in kept if p.part == "test"}
    for label in sorted(counts):
        if tested and label not in tested:
            yield f"class {label} has no test pictures"
        elif not tested and counts[label] < 3:
            count = f"{counts[label]} pictures" if counts[label] > 1 else "1 picture"
            yield f"class {label} has {count}: none is left for the test split"


def _scaled(kept: Sequence[_Picture], scale: _Scale) -> dict[str, str]:
    """For the report, where pictures were not of the stored size: what became of them."""
    sizes = sorted((p.header.size for p in kept if p.header.size != (scale.side, scale.side)), key=math.prod)
    if not sizes:
        return {}
    (height, width), (most_height, most_width) = sizes[0], sizes[-1]
    span = f"{width} x {height}" + (f" to {most_width} x {most_height}" if sizes[0] != sizes[-1] else "")
    return {"scaled": f"{len(sizes)} pictures of {span} pixels are scaled to {scale.side} x {scale.side} ({scale.fit})"}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more


def _parts(kept: Sequence[_Picture]) -> Parts:
    where: dict[str, list[int]] = {}
    for row, picture in enumerate(kept):
        where.setdefault(picture.part, []).append(row)
    return {part: (rows[0], rows[-1] + 1) for part, rows in where.items()}


def _empty_folders(files: Files, pictures: Sequence[Entry]) -> list[str]:
    full = {str(parent) for entry in pictures for parent in PurePosixPath(entry.name).parents}
    return [
        folder
        for folder in files.folders
        if folder not in full
        and not any(part.startswith(".") or part.lower() in HIDDEN for part in PurePosixPath(folder).parts)
    ]
