"""Pictures and masks as PNG files, for reports and for `archsmith predict`."""

import io

import numpy as np
from PIL import Image

from workers.datasets.raw import Array
from workers.palette import colour

PALETTE = [part for number in range(256) for part in colour(number)]


def mask_png(mask: Array) -> bytes:
    """(H, W) numbers 0 to 255 -> a PNG with a palette whose pixels are these numbers."""
    image = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8))
    image.putpalette(PALETTE)  # makes it one with a palette
    return _png(image)


def picture_png(x: Array, low: float, high: float) -> bytes:
    """(C, H, W) of any type -> a PNG, in colours for three channels and grey for the first one of any other number.

    low, high: the values that become black and white.
    """
    shown = x if x.shape[0] == 3 else x[:1]
    scaled = (shown.astype(np.float64) - low) * (255.0 / (high - low if high > low else 1.0))
    pixels = np.moveaxis(np.clip(np.rint(scaled), 0, 255).astype(np.uint8), 0, 2)
    return _png(Image.fromarray(np.ascontiguousarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
