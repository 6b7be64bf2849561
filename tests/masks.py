"""Pictures with masks to try segmentation on: shapes of several classes on textured ground."""

import numpy as np
import numpy.typing as npt

NAMES = ("ground", "disc", "square", "ring")
COLOURS = {1: (170, 90, 90), 2: (90, 160, 100), 3: (90, 100, 170)}
UNKNOWN = 255


def shapes(
    count: int, side: int = 48, *, seed: int = 0, noise: float = 20.0, edge: bool = True
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """x (count, 3, side, side), y (count, side, side) of the numbers of NAMES, 255 on the outline of the shapes.

    Every picture has 1 to 4 shapes on ground of stripes of any colour, with noise. The colours of a class vary by more
    than classes differ, so a pixel's colour hints at its class and its surroundings tell it. edge: whether there are
    outlines that are not judged, one pixel wide.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side].astype(np.float64)
    x, y = np.empty((count, 3, side, side), dtype=np.uint8), np.zeros((count, side, side), dtype=np.uint8)
    for picture, mask in zip(x, y, strict=True):
        turn, wave = rng.uniform(0, np.pi), rng.uniform(0.3, 1.2)
        stripes = np.sin(wave * (rows * np.cos(turn) + columns * np.sin(turn)))
        values = rng.uniform(60, 190, 3)[:, None, None] + 25.0 * stripes
        for _ in range(rng.integers(1, 5)):
            kind, size = int(rng.integers(1, 4)), rng.uniform(side / 8, side / 4)
            top, left = rng.uniform(size, side - size, 2)
            far = np.hypot(rows - top, columns - left)
            flat = np.maximum(np.abs(rows - top), np.abs(columns - left))
            away = {1: far - size, 2: flat - 0.9 * size, 3: np.abs(far - 0.75 * size) - 0.25 * size}[kind]
            colour = (np.array(COLOURS[kind]) + rng.uniform(-60, 60, 3))[:, None, None]
            values = np.where(away <= 0, colour, values)
            mask[away <= 0] = kind
            if edge:
                mask[np.abs(away) < 0.5] = UNKNOWN
        picture[:] = np.clip(values + rng.normal(0, noise, values.shape), 0, 255)
    return x, y
