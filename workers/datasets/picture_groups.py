"""Groups of pictures, such as those of one patient or video: no group is in two splits.

They come from a column of a table beside the pictures (see `label_table`), or are the part of each file's name before
a text: with group_by "_", p17_left.png and p17_right.png are of the group p17.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from archsmith.errors import Fault, InvalidDataset
from workers.datasets.layout import Placed
from workers.datasets.picture_files import Entry
from workers.datasets.raw import fault

MAX_TEXT = 16


def by_file_name(pictures: Sequence[Entry], placed: Sequence[Placed], text: str) -> dict[int, str]:
    """The group of each picture, by its number. A name without `text` is a group of its own."""
    stems = {p.number: PurePosixPath(pictures[p.number].parts[-1]).stem for p in placed}
    if not 0 < len(text) <= MAX_TEXT or not any(text in stem for stem in stems.values()):
        some = ", ".join(sorted(stems.values())[:3])
        detail = (
            f"no file name holds {text[:40]!r}: looked at were the names of {len(stems)} pictures without folder and "
            f"ending, as {some}; give a text of up to {MAX_TEXT} letters that stands behind the group in them"
        )
        raise InvalidDataset(Fault(pointer="/group_by", rule="pattern", detail=detail))
    return {number: stem.split(text, 1)[0] for number, stem in stems.items()}


def check_parts(placed: Sequence[Placed], groups: Mapping[int, str]) -> None:
    """Raises `group_crosses_splits` where the source's own split divides a group."""
    parts: dict[str, set[str]] = {}
    for p in placed if groups else ():
        parts.setdefault(groups[p.number], set()).add(p.part)
    crossing = sorted(group for group, found in parts.items() if len(found) > 1)
    if crossing:
        detail = (
            f"{len(crossing)} groups are in two of the given splits, as {crossing[0]}; mend the splits, or give "
            "none so that they are drawn by groups"
        )
        raise fault("group_crosses_splits", detail)
