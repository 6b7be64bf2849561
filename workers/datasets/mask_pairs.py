"""Which picture files are masks, and of which pictures: by folders and by names.

    images/a.jpg  masks/a.png                    also train/images and train/masks, images/train and masks/train,
                                                 train_images and train_masks, train and trainannot
    a.jpg  a_mask.png                            in one folder; also _seg, _label, _gt, …
    images/a_image.jpg  labels/a_label.png       such words at the end, or the beginning, of a name are left out

Names have to be equal without their endings, once per part of a split. Without the option `problem`, folders have to be
named after pictures and masks and nothing else, or every file has to be one of a pair in one folder.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from workers.datasets.layout import FILLERS, MASKS, PICTURES, split_and_rest

_JOINED = re.compile(r"(train|val|valid|test)(annot|annotations?|masks?|labels?|gt)")
_OF_MASKS = re.compile(
    r"(?:^(?:mask|label|seg|gt)[ _.-]+)"
    r"|(?:[ _.-]+(?:masks?(?:[ _-]?\d+)?|seg|segmentation|labels?|gt|ground_?truth|annot|annotation)$)"
)
_OF_PICTURES = re.compile(r"(?:^(?:image|img|picture)[ _.-]+)|(?:[ _.-]+(?:image|img|picture|rgb|sat|orig)$)")
PICTURE, MASK = "picture", "mask"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """number: of the file. part: of a split, "" without one. role: PICTURE, MASK, or "". folders: other words."""

    number: int
    part: str
    role: str
    folders: tuple[str, ...]
    stem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    picture: int
    mask: int
    part: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairing:
    """Numbers of files. several: picture -> its masks. without_mask: pictures of a part that has masks.

    unlabelled: pictures of a part without any. without_picture: masks.
    """

    pairs: tuple[Pair, ...]
    several: dict[int, tuple[int, ...]]
    without_mask: tuple[int, ...]
    without_picture: tuple[int, ...]
    unlabelled: tuple[int, ...]


def find_pairs(paths: Sequence[tuple[str, ...]], *, asked: bool) -> Pairing | None:
    """paths: folders and name of each picture file. asked: whether the option `problem` says segmentation.

    None where these are no pictures with masks, as far as names tell.
    """
    places = [_place(number, parts, strict=not asked) for number, parts in enumerate(paths)]
    roles = {place.role for place in places}
    if {PICTURE, MASK} <= roles or (MASK in roles and _splits_beside(places)):
        found = _paired(_named(places))
        return found if asked or found.pairs else None
    twins = _twins(paths)
    if not twins or (not asked and (2 * len(twins) < len(paths) or len({parts[:-1] for parts in paths}) > 1)):
        return None
    masks = set(twins)
    return _paired([_with_role(place, MASK if place.number in masks else PICTURE) for place in places])


def _twins(paths: Sequence[tuple[str, ...]]) -> list[int]:
    """Numbers of files that are named like another file of their folder, with a word for a mask at the end."""
    stems = [PurePosixPath(parts[-1]).stem.lower() for parts in paths]
    cores = [_OF_MASKS.sub("", stem) for stem in stems]
    plain = [(parts[:-1], stem) for parts, stem, core in zip(paths, stems, cores, strict=True) if stem == core]
    pictures = {(folder, _OF_PICTURES.sub("", stem)) for folder, stem in plain} | set(plain)
    return [n for n, parts in enumerate(paths) if cores[n] != stems[n] and (parts[:-1], cores[n]) in pictures]


def twins_in_classes(paths: Sequence[tuple[str, ...]]) -> list[int]:
    """Masks among pictures in class folders, by their names; [] where they are few."""
    found = _twins(paths)
    return found if len(found) >= 3 and 3 * len(found) >= len(paths) else []


def looks_paired(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """A mask, where words in the names of folders and nearly all names of files speak of pictures with masks."""
    places = [_place(number, parts, strict=False) for number, parts in enumerate(paths)]
    masks = [place.number for place in places if place.role == MASK]
    if not masks or all(place.role != PICTURE for place in places):
        return None
    pairs = _paired(_named(places)).pairs
    return paths[masks[0]] if 10 * len(pairs) >= 9 * len(masks) else None


def _place(number: int, parts: tuple[str, ...], *, strict: bool) -> Place:
    part, role = "", ""
    others: list[str] = []
    for folder in parts[:-1]:
        split, words = _words(folder)
        part = part or split
        named = {MASK: words & MASKS, PICTURE: words & PICTURES}
        rest = words - MASKS - PICTURES - FILLERS
        found = next((kind for kind, some in named.items() if some and not (strict and rest)), "")
        role = found or role
        if rest or not (found or split):
            others.append(" ".join(sorted(rest)) or folder.lower())
    stem = PurePosixPath(parts[-1]).stem
    return Place(number=number, part=part, role=role, folders=tuple(others), stem=stem)


def _words(folder: str) -> tuple[str, set[str]]:
    """The part of a split that a folder names, "" for none, and its other words."""
    if joined := _JOINED.fullmatch(folder.lower()):
        folder = f"{joined[1]}_{joined[2]}"
    found = split_and_rest(folder)
    if found is not None:
        return found[0], {_word(word) for word in found[1]}
    return "", {_word(word) for word in re.split(r"[^a-z0-9]+", folder.lower()) if word}


def _word(word: str) -> str:
    return "annotations" if word == "annot" else word


def _splits_beside(places: Sequence[Place]) -> bool:
    """train beside train_masks: the files without a role are the pictures, if all lie in splits."""
    return all(place.role or place.part for place in places) and any(not place.role for place in places)


def _named(places: Sequence[Place]) -> list[Place]:
    """With a role each; files without one in their folders are pictures where others of their part are masks."""
    masked = {place.part for place in places if place.role == MASK}
    pictured = {place.part for place in places if place.role == PICTURE}
    return [
        place if place.role else _with_role(place, PICTURE)
        for place in places
        if place.role or place.part not in pictured or place.part not in masked
    ]


def _with_role(place: Place, role: str) -> Place:
    return Place(number=place.number, part=place.part, role=role, folders=place.folders, stem=place.stem)


def _paired(places: Sequence[Place]) -> Pairing:
    pictures = {place.number: place for place in places if place.role == PICTURE}
    masks = {place.number: place for place in places if place.role == MASK}
    left, pairs = dict(masks), []
    open_pictures = dict(pictures)
    several: dict[int, tuple[int, ...]] = {}
    apart = len({p.folders for p in pictures.values()}) > 1 or len({p.folders for p in masks.values()}) > 1
    for key in _KEYS:
        if apart and key in _KEYS[2:-1]:  # of pictures in many folders, names alone say nothing
            continue
        for mine, theirs in _groups(key, open_pictures, left):
            if len(mine) == 1 and len(theirs) == 1:
                part = pictures[mine[0]].part or masks[theirs[0]].part
                pairs.append(Pair(picture=mine[0], mask=theirs[0], part=part))
            elif len(mine) == 1 and key in (*_KEYS[:3], _KEYS[-1]):
                several[mine[0]] = tuple(theirs)
            else:
                continue
            del open_pictures[mine[0]]
            for number in theirs:
                del left[number]
    masked = {pictures[pair.picture].part for pair in pairs} | {pictures[number].part for number in several}
    return Pairing(
        pairs=tuple(sorted(pairs, key=lambda pair: pair.picture)),
        several=several,
        without_mask=tuple(n for n, place in open_pictures.items() if place.part in masked),
        without_picture=tuple(left),
        unlabelled=tuple(n for n, place in open_pictures.items() if place.part not in masked),
    )


_Key = Callable[[Place], tuple[object, ...]]


def _core(place: Place) -> str:
    return (_OF_MASKS if place.role == MASK else _OF_PICTURES).sub("", place.stem.lower())


_KEYS: tuple[_Key, ...] = (
    lambda place: (place.part, place.folders, place.stem),
    lambda place: (place.part, place.folders, _core(place)),
    lambda place: (place.part, place.stem),
    lambda place: (place.part, _core(place)),
    lambda place: (place.stem,),
    lambda place: (_core(place),),
    lambda place: (place.part, place.folders) if place.folders else (place.number,),
)
"""What a picture and its mask have in common, the surest first; the last is a folder that holds both alone."""


def _groups(key: _Key, pictures: dict[int, Place], masks: dict[int, Place]) -> list[tuple[list[int], list[int]]]:
    """Pictures and masks with equal keys."""
    found: dict[tuple[object, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for which, places in enumerate((pictures, masks)):
        for number, place in places.items():
            found[key(place)][which].append(number)
    return [(mine, theirs) for mine, theirs in found.values() if mine and theirs]
