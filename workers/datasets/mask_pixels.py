"""One mask file as numbers, by Pillow: levels of grey, places in a palette, or colours."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from workers.datasets import pixels
from workers.datasets.mask_classes import check_sharp
from workers.datasets.masks import counted, packed
from workers.datasets.raw import Array, fault

GREY, PALETTE, COLOURS = "grey", "palette", "colours"
MAX_COLOURS = 256
"""Of one mask: those whose edges were smoothed have thousands."""
_WHOLE = ("I", "I;16", "I;16B", "I;16L")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what puts a picture upright, as Pillow's `exif_transpose` does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mask:
    """codes: (H, W) int32, levels, places in the palette, or 65536 R + 256 G + B; counts: pixels of each code.

    palette: place -> colour, of places that are used; {} for other kinds.
    """

    kind: str
    codes: Array
    counts: Mapping[int, int]
    palette: Mapping[int, int]


def read(content: bytes, name: str, *, size: tuple[int, int], turn: int) -> Mask:
    """size: (H, W) of the picture as stored. turn: its EXIF orientation. Raises InvalidDataset, or `pixels.UNREADABLE`.

    A mask of the picture's size as stored is turned as the picture is, one that is upright already is not; where both
    have one size and the picture is turned, it cannot be told.
    """
    picture = pixels.opened(content, name)
    if picture.format in ("JPEG", "MPO"):
        detail = f"{name} is a JPEG, which mixes the values of neighbouring classes; save masks as PNG from the source"
        raise fault("mask_blurred", detail, file=name)
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    mask = _placed(upright, name, size, turn)
    kind, codes, palette = _codes(mask, name)
    counts = counted(codes)
    _check_counts(kind, counts, name)
    return Mask(
        kind=kind,
        codes=codes,
        counts=counts,
        palette={place: palette.get(place, 0) for place in counts} if kind == PALETTE else {},
    )


def _placed(mask: Image.Image, name: str, size: tuple[int, int], turn: int) -> Image.Image:
    stored, own = (size[1], size[0]), mask.size
    shown = stored[::-1] if turn > 4 else stored
    if own not in (stored, shown):
        detail = f"{name} is {own[0]}×{own[1]} pixels, its picture {stored[0]}×{stored[1]}: each pixel needs its class"
        raise fault("mask_size", detail, file=name)
    if turn == 1 or (own == shown and shown != stored):
        return mask
    if shown == stored:
        detail = f"the picture of {name} is turned by its EXIF tag, and whether the mask is cannot be told"
        raise fault("mask_size", f"{detail}: save the picture upright", file=name)
    return mask.transpose(_TURNS[turn])


def _codes(mask: Image.Image, name: str) -> tuple[str, Array, dict[int, int]]:
    if mask.mode == "1":
        return GREY, np.asarray(mask.convert("L")).astype(np.int32), {}
    if mask.mode in ("L", *_WHOLE):
        return GREY, _in_range(np.asarray(mask), name), {}
    if mask.mode == "F":
        values = np.asarray(mask)
        if not np.isfinite(values).all() or (np.floor(values) != values).any():
            raise fault("mask_invalid", f"{name} holds numbers that are not whole, so no classes", file=name)
        return GREY, _in_range(values, name), {}
    if mask.mode == "P" and "transparency" not in mask.info:
        return PALETTE, np.asarray(mask).astype(np.int32), _palette(mask)
    if mask.mode in ("RGB", "RGBA", "LA", "P", "PA"):
        return _coloured(mask.convert("RGBA"), name)
    detail = f"{name} is a picture of the kind {mask.mode}; masks are grey, of a palette, or of a few colours"
    raise fault("mask_invalid", detail, file=name)


def _coloured(mask: Image.Image, name: str) -> tuple[str, Array, dict[int, int]]:
    values = np.asarray(mask)
    if (values[..., 3] != 255).any():
        detail = f"{name} has transparent pixels, and whether these are a class cannot be told"
        raise fault("mask_invalid", f"{detail}: save it without transparency", file=name)
    return COLOURS, packed(values[..., :3]), {}


def _in_range(values: Array, name: str) -> Array:
    if values.size and values.max() >= 2**24:
        detail = f"{name} holds {values.max():g}, which is no number of a class"
        raise fault("mask_invalid", detail, file=name)
    return values.astype(np.int32)


def _palette(mask: Image.Image) -> dict[int, int]:
    flat = mask.getpalette("RGB") or []
    triples = zip(flat[0::3], flat[1::3], flat[2::3], strict=False)
    return {place: (red << 16) | (green << 8) | blue for place, (red, green, blue) in enumerate(triples)}


def _check_counts(kind: str, counts: Mapping[int, int], name: str) -> None:
    if len(counts) > MAX_COLOURS:
        what = "colours" if kind == COLOURS else "values"
        detail = f"{name} holds {len(counts)} {what}: edges were smoothed, or it is no mask; masks hold one a class"
        raise fault("mask_blurred", detail, file=name)
    levels = {code & 255: n for code, n in counts.items()} if kind == COLOURS and are_grey(counts) else counts
    if kind != PALETTE and (kind == GREY or levels is not counts):
        check_sharp(levels, name, verb="holds", file=name)


def are_grey(colours: Mapping[int, int]) -> bool:
    """Whether red, green and blue are equal in all colours."""
    return all(code == (code & 255) * 0x010101 for code in colours)
