"""Rules for the attributes of operations: type, bounds, default. A rule turns a JSON value into its normal form."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

Value = bool | int | float | str | tuple[int, int]
"""An attribute in normal form; a pair is a list in JSON."""


class Misfit(ValueError):
    """An operation cannot be had so. The sentence says law and value; `size` is the (H, W) left, if that is why."""

    def __init__(self, message: str, size: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.size = size


class Attribute(ABC):
    """The rule of one attribute. `default` None: it must be given."""

    default: Value | None

    @abstractmethod
    def check(self, what: str, value: object) -> Value:
        """The value in normal form. Raises Misfit; `what` names the attribute in the sentence."""


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
class Pair(Attribute):
    """Height and width, each from low to high; one number stands for both."""

    low: int
    high: int
    default: tuple[int, int] | None = None

    def check(self, what: str, value: object) -> tuple[int, int]:
        pair = (value, value) if _whole(value) else tuple(value) if isinstance(value, list | tuple) else ()
        if len(pair) != 2 or not all(_whole(v) and self.low <= v <= self.high for v in pair):
            law = f"a whole number or a pair of them from {self.low} to {self.high}"
            raise Misfit(f"{what} must be {law}, got {_shown(value)}")
        return cast("tuple[int, int]", pair)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fraction(Attribute):
    """A number from 0 up to, not including, 1."""

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
