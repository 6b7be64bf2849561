"""Mirror images are used where they are further samples of their classes."""

import numpy as np

from search.streams import Stream, generator
from workers.train.mirror import mirror_test


def arrows(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour pictures of a wedge that points left (0), right (1) or up (2), on noise."""
    draws = generator(Stream.DRAW, 0, seed, 0)
    y = np.arange(count) % 3
    x = draws.integers(0, 60, (count, 3, 16, 16))
    rows, columns = np.mgrid[0:16, 0:16]
    left = (np.abs(rows - 8) < columns - 3) & (columns < 10)
    shapes = np.stack([left, left[:, ::-1], left.T])
    return (x + 150 * shapes[y][:, None]).astype(np.uint8), y


def heaps(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose class is how many bright spots they have, anywhere."""
    draws = generator(Stream.DRAW, 0, seed, 0)
    y = np.arange(count) % 3
    x = np.zeros((count, 1, 16, 16))
    for number, label in enumerate(y):
        half = draws.random(16)[:, None] * np.ones(8)
        x[number, 0] = np.concatenate([half, half[:, ::-1]], axis=1) * 60
        x[number, 0, 4 * label + 2 : 4 * label + 5] += 150 * np.linspace(0.8, 1, 16) ** (1 - 2 * (number % 2))
    return x.clip(0, 255).astype(np.uint8), y


def test_signs_that_point_are_not_mirrored() -> None:
    found = mirror_test(*arrows(300, seed=0), *arrows(90, seed=1))
    assert found.plain == 1.0
    assert found.losses > 10
    assert not found.helps


def test_two_classes_that_are_mirror_images_are_enough() -> None:
    (x, y), (asked, truth) = ((np.concatenate([one, other]) for one, other in zip(*pair, strict=True)) for pair in (
        (heaps(900, seed=0), signs(300, seed=0)), (heaps(300, seed=1), signs(90, seed=1))
    ))  # fmt: skip
    found = mirror_test(x, y, asked, truth)
    assert found.nearer >= 0.3  # most classes have no side
    assert found.losses > 10
    assert not found.helps


def signs(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Arrows in one channel, as classes 3 to 5."""
    x, y = arrows(count, seed=seed)
    return x[:, :1], y + 3


def test_pictures_without_a_side_are_mirrored() -> None:
    found = mirror_test(*heaps(300, seed=0), *heaps(90, seed=1))
    assert found.plain > 0.9
    assert found.helps


def test_pictures_from_one_side_are_not_mirrored() -> None:
    (x, y), (asked, truth) = heaps(300, seed=0), heaps(90, seed=1)
    wall = np.linspace(0, 90, 16).astype(np.uint8)
    found = mirror_test(x // 2 + wall, y, asked // 2 + wall, truth)
    assert found.losses == 0
    assert found.nearer < 0.1
    assert not found.helps


def test_pictures_that_tell_nothing_are_left_alone() -> None:
    noise = generator(Stream.DRAW, 0, 5, 0).integers(0, 256, (60, 1, 8, 8)).astype(np.uint8)
    assert not mirror_test(noise, np.arange(60) % 2, noise[::-1], np.arange(60) % 2).helps
