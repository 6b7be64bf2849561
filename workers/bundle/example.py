"""Inputs that a bundle stores together with the network's logits, so that anybody can check that it computes the same.

They are drawn at random, since a bundle may be shared where its data must not be.
"""

import numpy as np
import numpy.typing as npt

from workers.bundle.manifest import Array, Manifest

EDGES = np.array([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])
"""Of 6 nodes; edges are listed in both directions, and no edge leads to node 5, as in real graphs."""
INDICES = {"edges": EDGES, "graph": np.array([0, 0, 0, 1, 1, 1]), "pairs": np.array([[0, 3, 5], [1, 4, 2]])}
GIVEN = {"nodes": ("edges",), "graphs": ("edges", "graph"), "links": ("edges", "pairs")}
"""Kind of data -> the network's inputs besides x, in order."""
SHARE = 0.1


def example(manifest: Manifest) -> dict[str, Array]:
    """Input -> raw values: x (2, C, …) or (6, F) as in the data set, and the indices of the kind. Always the same."""
    values = np.random.default_rng(0)
    x = _marks(values, manifest) if manifest.rows_divided else _numbers(values, manifest)
    return {"x": x, **{name: INDICES[name] for name in GIVEN.get(manifest.data, ())}}


def _marks(values: np.random.Generator, manifest: Manifest) -> Array:
    """About a tenth of the features of each node, at least one."""
    x = values.random((6, *manifest.input_shape)) < SHARE
    x[:, 0] = True
    return x.astype(manifest.preprocessing.dtype)


def _numbers(values: np.random.Generator, manifest: Manifest) -> Array:
    """Normal numbers with each channel's mean and deviation, within the data set's range."""
    given = manifest.preprocessing
    rows = 6 if manifest.is_graph else 2
    column = (1, -1, *[1] * (len(manifest.input_shape) - 1))
    mean, std = (np.array(v).reshape(column) for v in (given.mean, given.std))
    drawn: npt.NDArray[np.float64] = mean + std * values.standard_normal((rows, *manifest.input_shape))
    drawn = np.clip(drawn, given.low, given.high)
    return (np.rint(drawn) if given.dtype == "uint8" else drawn).astype(given.dtype)


def within(found: Array, expected: Array, tolerance: float) -> bool:
    """Whether |found - expected| <= tolerance · (1 + |expected|) everywhere. Other shapes and NaN are not within."""
    return found.shape == expected.shape and np.allclose(found, expected, rtol=tolerance, atol=tolerance)


def apart(found: Array, expected: Array) -> float:
    """The largest absolute difference; infinite for other shapes."""
    return float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
