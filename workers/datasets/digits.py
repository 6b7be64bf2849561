"""The built-in data set: 1,797 handwritten digits, 8 x 8, 10 classes (UCI, shipped with scikit-learn: no network)."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from archsmith.errors import ConfigurationError
from workers.datasets.raw import RawDataset


def read() -> RawDataset:
    """Pixels are the source's whole numbers 0..16, kept as uint8. Raises ConfigurationError without scikit-learn.

    The table is read without importing scikit-learn, which takes 3 s and 100 MB with all that it loads.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("scikit-learn is not installed; it carries the built-in data set")
    table = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(table, "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)  # 64 pixels and the class
    x = np.ascontiguousarray(rows[:, :-1]).reshape(-1, 1, 8, 8)
    return RawDataset(
        format="digits",
        pieces=(x,),
        dtype=x.dtype,
        y=rows[:, -1].astype(np.int64),
        class_names=tuple(str(digit) for digit in range(10)),
        parts={"train": (0, len(x))},
    )
