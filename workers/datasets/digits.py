"""The built-in data set: 1,797 handwritten digits, 8 x 8, 10 classes (UCI, shipped with scikit-learn: no network)."""

import numpy as np

from workers.datasets.raw import RawDataset


def read() -> RawDataset:
    """Pixels are the source's whole numbers 0..16, kept as uint8."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = bunch.images.astype(np.uint8)[:, None]
    return RawDataset(
        format="digits",
        pieces=(x,),
        dtype=x.dtype,
        y=bunch.target.astype(np.int64),
        class_names=tuple(str(name) for name in bunch.target_names),
        parts={"train": (0, len(x))},
    )
