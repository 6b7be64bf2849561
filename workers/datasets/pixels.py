"""Picture files as arrays, one file at a time, by Pillow. `images` says what becomes of colours, sizes and depths."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from archsmith.errors import InvalidDataset
from workers.datasets.raw import Array, fault

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 25_000_000
MAX_FILE_BYTES = 64 * 1024**2
EXTREME = 3.0
"""A picture more than this many times as long as wide is padded: the middle square would show less than a third."""
FULL_DEPTH = 2**15
"""Where the upper half of 16 bits is in use, the upper 8 bits are the picture; below, 10, 12 or 14 bits were stored."""
HEAD_BYTES = 256 * 1024
ORIENTATION = 0x0112
"""The tag of EXIF."""

Fit = Literal["auto", "crop", "pad"]
FITS: tuple[str, ...] = get_args(Fit)
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
_ONE_DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"BM")
_OTHER = {b"8BPS": "PSD", b"%!PS": "EPS", b"%PDF": "PDF", b"\0\0\1\0": "ICO", b"\0\0\0\x0cjP": "JPEG 2000"}
_OTHER_AT_4 = {b"ftypavif": "AVIF", b"ftypheic": "HEIC", b"ftypheix": "HEIC", b"ftypmif1": "HEIF"}
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)  # what Pillow raises for damaged files, by its format readers


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """size: (height, width) as stored. deep: more than 8 bits a channel. several: frames or pages besides the first."""

    size: tuple[int, int]
    deep: bool
    grey: bool
    several: bool

    @property
    def extreme(self) -> bool:
        return is_extreme(self.size)


def is_extreme(size: tuple[int, int]) -> bool:
    return max(size) > EXTREME * min(size)


def is_picture(head: bytes) -> bool:
    """Whether a file begins as one of FORMATS does."""
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def other_format(head: bytes) -> str:
    """Name of a picture format that is not read, "" for anything else."""
    if b"<svg" in head[:1024]:
        return "SVG"
    return next((name for sign, name in _OTHER.items() if head.startswith(sign)), _OTHER_AT_4.get(head[4:12], ""))


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings, about odd EXIF data and large pictures; limits are checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def header(content: bytes, name: str) -> Header:
    """Without decoding the pixels. Raises InvalidDataset (no picture, too large), or one of UNREADABLE."""
    picture = opened(content, name)
    several = picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1  # MPO: a photo with a preview behind it
    size = (picture.height, picture.width)
    return Header(size=size, deep=_is_deep(picture, content), grey=picture.mode in GREY_MODES, several=several)


def opened(content: bytes, name: str) -> Image.Image:
    """The picture, its pixels still packed. Raises as `header`."""
    try:
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:
        raise too_large(name, "it") from None
    except UnidentifiedImageError:
        if not content or is_picture(content):
            raise
        detail = f"{name} is not a picture by its content; accepted are {', '.join(FORMATS)}"
        raise fault("image_format_unsupported", detail, file=name, allowed=list(FORMATS)) from None
    if picture.width * picture.height > MAX_PIXELS:
        raise too_large(name, f"{picture.width} x {picture.height}")
    return picture


def too_large(name: str, what: str) -> InvalidDataset:
    detail = f"{name}: {what} has more than the limit of {MAX_PIXELS} pixels; scale it down"
    return fault("image_too_large", detail, file=name, allowed=MAX_PIXELS)


def _is_deep(picture: Image.Image, content: bytes) -> bool:
    if picture.mode in _ONE_DEEP:
        return True
    if picture.format == "PNG":
        return content[24:25] == b"\x10"  # IHDR: bits a sample; Pillow keeps the upper 8 of colours
    return picture.format == "TIFF" and ";16" in _raw_mode(picture)


def _raw_mode(picture: Image.Image) -> str:
    """The name by which Pillow's decoder knows the stored samples, such as RGB;16B."""
    arguments = picture.tile[0].args if isinstance(picture, ImageFile.ImageFile) and picture.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


# ---- 8 bits


def shallow(content: bytes, *, side: int | None, fit: Fit) -> tuple[Array, bool, int]:
    """(side, side, 3) uint8, of its own size without a side; whether it is stored in grey; its greatest 16-bit level.

    Of 16-bit greys and colours the upper 8 bits are kept, and the greatest level says whether these hold the picture;
    it is -1 for pictures of 8 bits. Raises one of UNREADABLE.
    """
    picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    if side is not None and not is_extreme((picture.height, picture.width)) and fit != "pad":
        picture.draft("RGB", (2 * side, 2 * side))  # a large JPEG is decoded at a fraction of its size
    deep = _is_deep(picture, content)
    picture.load()
    is_grey = picture.mode in GREY_MODES
    greatest = -1
    if deep:
        greatest = int(np.nan_to_num(np.asarray(picture)).max()) << (0 if picture.mode in _ONE_DEEP else 8)
    picture = _eight_bits(ImageOps.exif_transpose(picture))
    if side is not None:
        picture = _fitted(picture, side, fit)
    return np.asarray(picture, dtype=np.uint8), is_grey, greatest


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Any mode -> RGB of 8 bits; transparent parts are laid on white."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")


def _fitted(
    picture: Image.Image, side: int, fit: Fit, method: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    """crop: the shorter side becomes `side` and the middle is cut out. pad: the longer side does, on black (0)."""
    if fit == "crop" or (fit == "auto" and not is_extreme((picture.height, picture.width))):
        return ImageOps.fit(picture, (side, side), method=method)
    scale = side / max(picture.size)
    width, height = (max(1, round(scale * length)) for length in picture.size)
    ground = Image.new(picture.mode, (side, side), 0)
    scaled = picture.resize((width, height), method)
    ground.paste(scaled, ((side - width) // 2, (side - height) // 2))
    return ground


def fitted_codes(codes: Array, *, side: int, fit: Fit) -> tuple[Array, Array]:
    """(side, side) int32 of (H, W) int32, cut or padded as the picture is, never mixed; and which are no padding."""
    picture = Image.fromarray(codes)
    inside = _fitted(Image.new("L", picture.size, 1), side, fit, Image.Resampling.NEAREST)
    scaled = _fitted(picture, side, fit, Image.Resampling.NEAREST)
    return np.asarray(scaled, dtype=np.int32), np.asarray(inside) > 0


def turned(content: bytes) -> int:
    """EXIF's orientation of a picture, 1 for one that is stored upright. content: at least the file's beginning."""
    try:
        orientation = Image.open(io.BytesIO(content), formats=FORMATS).getexif().get(ORIENTATION, 1)
    except UNREADABLE:
        return 1
    return orientation if orientation in range(1, 9) else 1


# ---- more than 8 bits


def deep(content: bytes, name: str, *, side: int | None, fit: Fit) -> Array:
    """(side, side, C) float32, the levels as stored; C is 1 or 3. Raises one of UNREADABLE, or InvalidDataset."""
    levels = _levels(content, name)
    if not np.isfinite(levels).all():
        raise fault("values_not_finite", f"{name} holds values that are not finite", file=name)
    if side is None:
        return levels
    channels = []
    for channel in range(levels.shape[2]):
        plane = levels[..., channel]
        scaled = np.asarray(_fitted(Image.fromarray(plane), side, fit), dtype=np.float32)
        channels.append(np.clip(scaled, min(0.0, plane.min()), plane.max()))  # bicubic weights overshoot at edges
    return np.stack(channels, axis=2)


def _levels(content: bytes, name: str) -> Array:
    """(H, W, C) float32."""
    picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    if picture.mode in _ONE_DEEP:
        picture.load()
        return np.asarray(ImageOps.exif_transpose(picture)).astype(np.float32)[..., None]
    upper = np.asarray(ImageOps.exif_transpose(picture), dtype=np.float32)
    levels: Array = 256 * upper + _lower_bytes(content, name)
    if levels.shape[2] == 4:
        opacity = levels[..., 3:] / 65535
        levels = levels * opacity + 65535 * (1 - opacity)
    return levels[..., :3].astype(np.float32)


def _lower_bytes(content: bytes, name: str) -> Array:
    """Pillow keeps the upper byte of 16-bit colours; told the other order of bytes, it keeps the lower one."""
    picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    raw = _raw_mode(picture)
    other = {"B": "L", "L": "B", "N": "B"}.get(raw[-1])
    if not raw.startswith("RGB") or other is None or not isinstance(picture, ImageFile.ImageFile):
        detail = f"{name} is a 16-bit picture of the kind {raw}; save it as grey, RGB or RGBA"
        raise fault("image_depth_unsupported", detail, file=name)
    tile = picture.tile[0]
    arguments = (raw[:-1] + other, *tile.args[1:]) if isinstance(tile.args, tuple) else raw[:-1] + other
    picture.tile = [tile._replace(args=arguments), *(t._replace(args=arguments) for t in picture.tile[1:])]
    return np.asarray(ImageOps.exif_transpose(picture), dtype=np.float32)
