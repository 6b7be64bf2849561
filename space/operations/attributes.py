"""Rules for the attributes of operations: type, limits, default. A rule turns a JSON value into its normal form."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

Value = bool | int | float | str | tuple[int, ...]
"""An attribute in normal form; a tuple is a list in JSON."""


class Misfit(ValueError):
    """An operation cannot have these attributes or read these inputs.

    The message says what must hold and what was given. size: the sides of the map that is left, if it is too small.
    """

    def __init__(self, message: str, size: tuple[int, ...] | None = None) -> None:
        super().__init__(message)
        self.size = size


class Attribute(ABC):
    """The rule of one attribute. default: None if the attribute must be given."""

    default: Value | None

    @abstractmethod
    def check(self, what: str, value: object) -> Value:
        """The value in normal form. what: the attribute, for the message. Raises Misfit."""


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return repr(value)[:60] if isinstance(value, int | float | str | bool | list | tuple) else type(value).__name__


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole(Attribute):
    """A whole number from low to high."""

    low: int
    high: int
    default: int | None = None

    def check(self, what: str, value: object) -> int:
        if not _whole(value) or not self.low <= cast(int, value) <= self.high:
            raise Misfit(f"{what} must be a whole number from {self.low} to {self.high}, got {_shown(value)}")
        return cast(int, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent(Attribute):
    """A length along each side of a map, from low to high: one number for all sides, or a list of 1 to 3.

    Normal form: one number if all sides are equal, else the tuple; `sides` expands it for a map of known rank.
    """

    low: int
    high: int
    default: int | None = None

    def check(self, what: str, value: object) -> int | tuple[int, ...]:
        lengths = (value,) if _whole(value) else tuple(value) if isinstance(value, list | tuple) else ()
        if len(lengths) not in (1, 2, 3) or not all(_whole(v) and self.low <= v <= self.high for v in lengths):
            rule = f"a whole number or a list of 1 to 3 of them from {self.low} to {self.high}"
            raise Misfit(f"{what} must be {rule}, got {_shown(value)}")
        return cast(int, lengths[0]) if len(set(lengths)) == 1 else cast("tuple[int, ...]", lengths)


def sides(what: str, value: Value, rank: int) -> tuple[int, ...]:
    """The value of an `Extent` for each of the `rank` sides of a map. Raises Misfit if it lists more or fewer."""
    if not isinstance(value, tuple):
        return (cast(int, value),) * rank
    if len(value) != rank:
        raise Misfit(f"{what} lists {len(value)} sides, the map has {rank}")
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Fraction(Attribute):
    """A number from 0 to below 1."""

    default: float | None = None

    def check(self, what: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise Misfit(f"{what} must be a number from 0 to below 1, got {_shown(value)}")
        return float(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Flag(Attribute):
    """True or false."""

    default: bool | None = None

    def check(self, what: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise Misfit(f"{what} must be true or false, got {_shown(value)}")
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice(Attribute):
    """One of a few words."""

    options: tuple[str, ...]
    default: str | None = None

    def check(self, what: str, value: object) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise Misfit(f"{what} must be one of {', '.join(self.options)}, got {_shown(value)}")
        return value
