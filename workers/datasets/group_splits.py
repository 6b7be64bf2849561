"""Held-out samples by groups: all samples of a patient, a video or a place go to the same split."""

from collections import Counter

import numpy as np
import numpy.typing as npt

from search.streams import Stream, generator
from workers.datasets.raw import Labels

Indices = npt.NDArray[np.int64]


def carve_groups(
    rows: Indices, y: Labels, groups: Labels, *, share: float, seed: int, number: int
) -> tuple[Indices, Indices]:
    """What is left of `rows`, and whole groups with about `share` of the samples of each class.

    The groups come in a random order, and one is taken where at least half of its samples are still wanted and some of
    each of its classes are left behind. y, groups: of all rows. number: of the split, for its own random numbers.
    """
    members: dict[int, list[int]] = {}
    for row in rows.tolist():
        members.setdefault(int(groups[row]), []).append(row)
    left = Counter(y[rows].tolist())
    wanted = {label: max(1.0, share * count) for label, count in left.items()}
    keys = sorted(members)
    taken: list[int] = []
    for at in generator(Stream.HELD_OUT_GROUPS, seed, number).permutation(len(keys)).tolist():
        mine = members[keys[at]]
        counts = Counter(y[mine].tolist())
        useful = sum(min(wanted[label], count) for label, count in counts.items())
        if 2 * useful < len(mine) or any(left[label] <= count for label, count in counts.items()):
            continue
        taken += mine
        left -= counts
        wanted = {label: max(0.0, want - counts[label]) for label, want in wanted.items()}
    out = np.array(sorted(taken), dtype=np.int64)
    return np.setdiff1d(rows, out, assume_unique=True), out
