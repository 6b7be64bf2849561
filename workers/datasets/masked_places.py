"""Places of pictures that have a mask each: pairs in order, and what is left out of them."""

from collections.abc import Sequence

from archsmith.errors import InvalidDataset
from workers.datasets.layout import ORDER, Placed
from workers.datasets.mask_pairs import Pairing, find_pairs
from workers.datasets.picture_files import Entry
from workers.datasets.picture_survey import Bad
from workers.datasets.raw import fault
from workers.datasets.unsuitable import unsuitable

LAYOUT = (
    "images/NAME.png with masks/NAME.png, below train, val and test if there are splits, or NAME.png, NAME_mask.png"
)


def pairs_of(paths: Sequence[tuple[str, ...]], problem: str | None) -> Pairing | None:
    """None where pictures are to be read for something else. Raises `problem_unsuitable`, `layout_invalid`."""
    if problem not in (None, "segmentation"):
        return None
    found = find_pairs(paths, asked=problem is not None)
    if found is None and problem is not None:
        raise unsuitable("segmentation", "no folder or name tells which files are masks", cure=f"wanted is {LAYOUT}")
    if found is not None and not found.pairs and not found.several:
        example = "/".join(paths[(found.unlabelled or found.without_mask or (0,))[0]])
        detail = f"no picture has a mask of its name, as {example}; wanted is {LAYOUT}"
        raise fault("layout_invalid", detail, file=example, allowed=LAYOUT)
    return found


def placed_of(found: Pairing) -> tuple[Placed, ...]:
    """A picture a pair. Raises `layout_invalid` where there is nothing to train on."""
    parts = {pair.part for pair in found.pairs}
    if not parts - {""}:
        return tuple(Placed(number=pair.picture, part="train", label="") for pair in found.pairs)
    if "train" not in parts or "" in parts:
        there = ", ".join(sorted(parts - {""}))
        what = "pictures with masks lie outside of these" if "" in parts else "there are no training pictures"
        raise fault("layout_invalid", f"there are folders for {there}, and {what}; wanted is {LAYOUT}", allowed=LAYOUT)
    ordered = sorted(found.pairs, key=lambda pair: ORDER.index(pair.part))
    return tuple(Placed(number=pair.picture, part=pair.part, label="") for pair in ordered)


def bad_of(found: Pairing, pictures: Sequence[Entry]) -> tuple[Bad, ...]:
    """Pictures without one mask, and masks without a picture."""
    bad = [_bad(pictures[number], "has no mask of its name") for number in found.without_mask]
    bad += [_bad(pictures[number], "is a mask without a picture of its name") for number in found.without_picture]
    for number, masks in found.several.items():
        names = ", ".join(pictures[mask].name for mask in masks[:3])
        bad.append(_bad(pictures[number], f"has {len(masks)} masks ({names}): put the classes into one mask"))
    return tuple(bad)


def _bad(entry: Entry, why: str) -> Bad:
    return Bad(name=entry.name, rule="mask_missing", detail=f"{entry.name} {why}", damaged=False)


def warnings_of(found: Pairing, pictures: Sequence[Entry], problem: str | None) -> tuple[str, ...]:
    told = []
    if problem is None:
        pair = found.pairs[0] if found.pairs else None
        example = f" ({pictures[pair.picture].name} with {pictures[pair.mask].name})" if pair else ""
        told.append(f"pictures have masks of their names{example}: read as segmentation; --problem says otherwise")
    if found.unlabelled:
        example = pictures[found.unlabelled[0]].name
        told.append(f"{len(found.unlabelled)} pictures of parts without any mask are left out, as {example}")
    return tuple(told)


def masks_among_classes(pictures: Sequence[Entry], twins: Sequence[int]) -> InvalidDataset:
    """The fault of class folders that hold pictures and their masks."""
    example = pictures[twins[0]].name
    detail = (
        f"class folders hold pictures with their masks, as {example}: --problem segmentation reads the masks as "
        "classes of pixels, --problem classification leaves them out and reads the folders"
    )
    return fault("layout_ambiguous", detail, file=example, allowed=["segmentation", "classification"])


def folders_of_masks(mask: Sequence[str]) -> InvalidDataset:
    """The fault of folders of which one may hold masks for the pictures of the other."""
    example = "/".join(mask)
    detail = (
        f"the folders could be pictures with their masks, as {example}, or classes: --problem segmentation reads "
        "masks, --problem classification reads the folders as classes"
    )
    return fault("layout_ambiguous", detail, file=example, allowed=["segmentation", "classification"])


def left_out(pictures: Sequence[Entry], twins: Sequence[int]) -> str:
    shown = ", ".join(pictures[number].name for number in twins[:3])
    more = f" and {len(twins) - 3} more" if len(twins) > 3 else ""
    return f"{len(twins)} masks beside the pictures are left out: {shown}{more}"
