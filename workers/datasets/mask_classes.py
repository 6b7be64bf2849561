"""What the values of masks mean: which are classes of pixels, which one is "not judged", and what makes masks unusable.

Each value that occurs is a class, in ascending order, named by its value. Not judged, and so no class, are pixels of

    255              beside two or more values that count up from 0: at most 63, or with few gaps; 0 and 255 are two
                     classes, and so are 0, 128 and 255 three
    one value below 0  as -1 or -100

Masks whose values were mixed at edges, by scaling or as JPEG, have no classes and are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.datasets.raw import Array, fault
from workers.datasets.strata import UNKNOWN

MAX_VALUES = 255
MAX_COLOURS = 64
"""Data sets in colours have up to 32 classes (CamVid); pictures that were scaled with smooth edges have thousands."""
FEW = 63
STRONG = 0.02
"""Share of the pixels of a value that is no rare mixture of two others."""
SHOWN = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskClasses:
    """values: of the classes, in order. not_judged: the value of pixels without a class, None without any."""

    values: tuple[int, ...]
    names: tuple[str, ...]
    not_judged: int | None
    warnings: tuple[str, ...]

    def stored(self, codes: Array) -> Array:
        """uint8 of the same shape: numbers of classes, UNKNOWN for pixels without one. codes: whole numbers."""
        order = np.argsort(np.array(self.values))
        known = np.array(self.values)[order]
        place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        out: Array = np.where(known[place] == codes, order[place], UNKNOWN).astype(np.uint8)
        return out


def classes_of(
    pixels: Mapping[int, int],
    *,
    what: str,
    colours: bool = False,
    names: Sequence[str] | Mapping[int, str] | None = None,
) -> MaskClasses:
    """pixels: how many each value has. what: names the masks. colours: whether values are 65536 R + 256 G + B.

    names: of the classes from 0 or in the order of the values, or of the values. Raises InvalidDataset.
    """
    found = sorted(pixels)
    if colours:
        values, not_judged = found, None
        if len(found) > MAX_COLOURS:
            detail = f"{what} hold {len(found)} different colours; masks hold a colour a class, at most {MAX_COLOURS}"
            detail += ". Scaled with smooth edges, or once JPEG? Save them from the source again"
            raise fault("mask_blurred", detail)
    else:
        check_sharp(pixels, what)
        values, not_judged = _judged(found, what)
    if len(values) > MAX_VALUES:
        detail = f"{what} hold {len(values)} different values, and a pixel's class is one of at most {MAX_VALUES}"
        raise fault("mask_invalid", detail, allowed=MAX_VALUES)
    if len(values) < 2:
        detail = f"all pixels of {what} are {_shown(values, colours) or 'not judged'}: at least 2 classes are needed"
        raise fault("too_few_classes", detail, allowed=2)
    known, shown, said = _named(values, names, what, colours)
    warnings = [*said, *_told(known, shown, not_judged, what, colours)]
    return MaskClasses(values=known, names=shown, not_judged=not_judged, warnings=tuple(warnings))


def colour_name(value: int) -> str:
    return f"#{value:06x}"


def check_sharp(pixels: Mapping[int, int], what: str, *, verb: str = "hold", file: str = "") -> None:
    """Raises `mask_blurred` for masks of 0 and 255 with rare values between: edges that were smoothed."""
    total = sum(pixels.values())
    strong = {value for value, count in pixels.items() if count >= STRONG * total}
    ends = {value <= 5 for value in strong if value <= 5 or value >= 250}
    between = [value for value in strong if 5 < value < 250]
    weak = [value for value in pixels if value not in strong]
    low, high = sum(0 < value < 128 for value in weak), sum(128 <= value < 255 for value in weak)
    if max(pixels) <= 255 and len(ends) == 2 and not between and min(low, high) >= 2 and low + high >= 5:
        detail = (
            f"{what} {verb} {len(pixels)} values, most pixels 0 or 255, few between: edges were smoothed, by scaling "
            "or as JPEG; a value between is no class. Save them as 0 and 255 (value > 127), or number classes from 0"
        )
        raise fault("mask_blurred", detail, file=file)


def _judged(found: Sequence[int], what: str) -> tuple[list[int], int | None]:
    """Values that are classes, and the one that is not judged."""
    below = [value for value in found if value < 0]
    if len(below) > 1:
        detail = f"{what} hold {', '.join(map(str, below[:5]))}: of numbers below 0 one may mean 'not judged'"
        raise fault("mask_invalid", detail)
    rest = [value for value in found if value >= 0]
    if below:
        return rest, below[0]
    others = [value for value in rest if value != UNKNOWN]
    if UNKNOWN in rest and len(others) >= 2 and (others[-1] <= FEW or others[-1] < 2 * len(others)):
        return others, UNKNOWN
    return rest, None


def _named(
    values: Sequence[int], names: Sequence[str] | Mapping[int, str] | None, what: str, colours: bool
) -> tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
    """Values and names of the classes, and remarks."""
    plain = [colour_name(value) if colours else str(value) for value in values]
    if names is None:
        return tuple(values), tuple(plain), ()
    if isinstance(names, Mapping):
        without = [text for value, text in zip(values, plain, strict=True) if value not in names]
        said = (f"the table of the classes does not name {', '.join(without[:SHOWN])}",) if without else ()
        shown = [names.get(value, text) for value, text in zip(values, plain, strict=True)]
        return tuple(values), tuple(shown if len(set(shown)) == len(shown) else plain), said
    if values[0] >= 0 and values[-1] < len(names):
        return tuple(range(len(names))), tuple(names), ()
    if len(values) == len(names):
        pairs = ", ".join(f"{value} is {name}" for value, name in list(zip(values, names, strict=True))[:5])
        return tuple(values), tuple(names), (f"the names of the classes are taken in the order of the values: {pairs}",)
    detail = (
        f"there are {len(names)} names of classes, and {what} hold {len(values)} values, {values[0]} to {values[-1]}"
    )
    raise fault(
        "labels_invalid", f"{detail}: which name is whose cannot be told; give one for each", file="class_names"
    )


def _told(values: Sequence[int], names: Sequence[str], not_judged: int | None, what: str, colours: bool) -> list[str]:
    shown = [colour_name(value) if colours else str(value) for value in values]
    kind = "colours" if colours else "values"
    pairs = [value if value == name else f"{value} is {name}" for value, name in zip(shown, names, strict=True)]
    more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
    told = [f"the classes of pixels are the {kind} of {what}: {', '.join(pairs[:SHOWN])}{more}"]
    if not_judged is not None:
        told.append(f"pixels of value {not_judged} in {what} are not judged: they are neither learned nor measured")
    return told


def _shown(values: Sequence[int], colours: bool) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(colour_name(value) if colours else str(value) for value in values[:SHOWN]) + more
