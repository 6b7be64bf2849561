"""Mask files of pictures as a class for each stored pixel: cut, scaled and padded as the pictures are, never mixed.

What a value means has to be the same in all masks: levels of grey, places in palettes that agree, or colours. Palettes
that do not agree, and palettes beside colours, are read by their colours; palettes of greys beside grey masks by their
levels.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import InvalidDataset
from workers.datasets import mask_pixels, picture_survey, pixels
from workers.datasets.mask_classes import MaskClasses, classes_of, colour_name
from workers.datasets.mask_names import MaskNames
from workers.datasets.mask_pixels import COLOURS, GREY, PALETTE, are_grey
from workers.datasets.masks import counted
from workers.datasets.picture_files import Entry, Files
from workers.datasets.picture_survey import Bad
from workers.datasets.pixels import UNREADABLE, Fit, Header
from workers.datasets.raw import Array, chunks, fault

WHAT = "the masks"
PADDING = -1
Each = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Masked:
    """A picture with its mask."""

    picture: Entry
    header: Header
    mask: Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Masks:
    """y: (n, side, side) uint8, a file, of the pictures `rows` of those that were given. names: of the classes."""

    y: Array
    rows: tuple[int, ...]
    names: tuple[str, ...]
    bad: tuple[Bad, ...]
    warnings: tuple[str, ...]
    notes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scaled:
    """codes: (side, side) int32, PADDING where the picture is padded. Else as `mask_pixels.Mask`."""

    kind: str
    codes: Array
    counts: Mapping[int, int]
    palette: Mapping[int, int]


def read(
    files: Files, given: Sequence[Masked], each: Each, *, side: int, fit: Fit, names: MaskNames, scratch: Path
) -> Masks:
    """Raises InvalidDataset where masks contradict each other, or are no masks."""

    def decode(one: Masked) -> _Scaled | Bad:
        return _decode(files, one, side, fit)

    path, found, rows, bad = scratch / "masks.bin", [], [], []
    with path.open("wb") as out:
        for row, one in enumerate(each(decode, given)):
            if isinstance(one, Bad):
                bad.append(one)
                continue
            out.write(one.codes.tobytes())
            found.append(replace(one, codes=np.empty(0, dtype=np.int32)))
            rows.append(row)
    picture_survey.check_bad(bad, total=len(given))
    codes = np.memmap(path, np.int32, "r", shape=(len(found), side, side))
    how = _how(found, [given[row].mask.name for row in rows])
    classes, lost = _classes(found, codes, how, names, side)
    y = np.lib.format.open_memmap(scratch / "masks.npy", mode="w+", dtype=np.uint8, shape=codes.shape)
    for number, one in enumerate(found):
        y[number] = classes.stored(_translated(codes[number], one, how))
    notes = {"kind": how, "values": list(classes.values), "not_judged": classes.not_judged}
    return Masks(
        y=y, rows=tuple(rows), names=classes.names, bad=tuple(bad), warnings=(*classes.warnings, *lost),
        notes={"masks": notes},
    )  # fmt: skip


def _decode(files: Files, one: Masked, side: int, fit: Fit) -> _Scaled | Bad:
    try:
        turn = pixels.turned(files.head(one.picture, pixels.HEAD_BYTES))
        mask = mask_pixels.read(files.read(one.mask), one.mask.name, size=one.header.size, turn=turn)
    except InvalidDataset as error:
        return picture_survey.refused(one.mask, error)
    except UNREADABLE as error:
        return picture_survey.unreadable(one.mask, error)
    codes, inside = pixels.fitted_codes(mask.codes, side=side, fit=fit)
    return _Scaled(
        kind=mask.kind, codes=np.where(inside, codes, PADDING).astype(np.int32), counts=mask.counts,
        palette=mask.palette,
    )  # fmt: skip


def _how(found: Sequence[_Scaled], names: Sequence[str]) -> str:
    """GREY, PALETTE or COLOURS: what the values of all masks are read as."""
    kinds = {one.kind for one in found}
    coloured = [one for one in found if one.kind == COLOURS]
    if kinds == {PALETTE}:
        return PALETTE if _agree(found) else COLOURS
    if kinds <= {GREY, COLOURS}:
        return GREY if all(are_grey(one.counts) for one in coloured) else COLOURS
    of_greys = all(are_grey(dict.fromkeys(one.palette.values(), 1)) for one in found if one.kind == PALETTE)
    if kinds == {GREY, PALETTE} and not of_greys:
        first = {one.kind: name for one, name in zip(reversed(found), reversed(names), strict=True)}
        detail = f"{first[GREY]} is grey and {first[PALETTE]} has a palette of colours: whether their values mean"
        raise fault("mask_invalid", f"{detail} the same cannot be told; save all in one way", file=first[PALETTE])
    return GREY if of_greys and all(are_grey(one.counts) for one in coloured) else COLOURS


def _agree(found: Sequence[_Scaled]) -> bool:
    """Whether each place that is used has one colour in all palettes."""
    colours: dict[int, int] = {}
    return all(colours.setdefault(place, colour) == colour for one in found for place, colour in one.palette.items())


def _table(one: _Scaled, how: str) -> Mapping[int, int]:
    """The code of a mask -> what it is read as; {} where they are the same."""
    if how == one.kind:
        return {}
    if one.kind == PALETTE:
        return {place: colour & 255 if how == GREY else colour for place, colour in one.palette.items()}
    if one.kind == COLOURS:
        return {colour: colour & 255 for colour in one.counts}
    return {level: min(level, 255) * 0x010101 for level in one.counts}


def _translated(codes: Array, one: _Scaled, how: str) -> Array:
    table = {PADDING: PADDING, **_table(one, how)}
    if len(table) == 1:
        return codes
    known = np.array(sorted(table))
    values = np.array([table[int(code)] for code in known])
    return values[np.searchsorted(known, codes)]


def _classes(
    found: Sequence[_Scaled], codes: Array, how: str, names: MaskNames, side: int
) -> tuple[MaskClasses, tuple[str, ...]]:
    """What the values mean, without classes that scaling left no pixel of, and a warning about these."""
    full: Counter[int] = Counter()
    stored: Counter[int] = Counter()
    for number, one in enumerate(found):
        table = _table(one, how)
        for code, count in one.counts.items():
            full[table.get(code, code)] += count
        stored.update(counted(_translated(codes[number], one, how)))
    known = names.of_colours if how == COLOURS else names.of_values
    if how == PALETTE and names.of_colours:
        colours = {place: colour for one in found for place, colour in one.palette.items()}
        known = {place: names.of_colours[colour] for place, colour in colours.items() if colour in names.of_colours}
    classes = classes_of(full, what=WHAT, colours=how == COLOURS, names=known or None)
    gone = [value for value in classes.values if value not in stored]
    if not gone:
        return classes, ()
    shown = ", ".join(colour_name(value) if how == COLOURS else str(value) for value in gone[:10])
    kept = [number for number, value in enumerate(classes.values) if value in stored]
    if len(kept) < 2:
        raise fault("too_few_classes", f"scaled to {side}×{side} the masks hold one class: give a larger image_size")
    said = f"no pixel of the classes {shown} is left at {side}×{side}: they are left out; give a larger --image-size"
    return replace(
        classes, values=tuple(classes.values[i] for i in kept), names=tuple(classes.names[i] for i in kept)
    ), (said,)


def rows_of(y: Array, rows: Sequence[int], *, scratch: Path) -> Array:
    """y[rows] as a file."""
    if len(rows) == len(y):
        return y
    out = np.lib.format.open_memmap(
        scratch / "masks-kept.npy", mode="w+", dtype=y.dtype, shape=(len(rows), *y.shape[1:])
    )
    for piece in chunks(len(rows), y[0].nbytes):
        out[piece] = y[np.asarray(rows)[piece]]
    return out
