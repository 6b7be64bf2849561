"""The options of controllers and compression steps: their kinds, and what is wrong with a given one."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsmith.errors import Fault
from archsmith.errors import pointer as json_pointer


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """An option that is a number from `low` to `high`; `whole` ones are integers. default: as in the class."""

    default: float
    low: float
    high: float
    whole: bool = False
    above: bool = False  # `low` itself is not allowed

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        low = "exclusiveMinimum" if self.above else "minimum"
        kind = "integer" if self.whole else "number"
        return {"type": kind, low: self.low, "maximum": self.high, "default": self.default}

    def fault(self, pointer: str, value: object) -> Fault | None:
        """What is wrong with a value; None where it is allowed."""
        kind = "a whole number" if self.whole else "a number"
        low = f"above {self.low:g} and up to" if self.above else f"from {self.low:g} to"
        detail = f"must be {kind} {low} {self.high:g}, got {value!r:.60}"
        allowed = {"exclusiveMinimum" if self.above else "minimum": self.low, "maximum": self.high}
        right_type = isinstance(value, int) or (isinstance(value, float) and not self.whole)
        if not right_type or isinstance(value, bool):
            return Fault(pointer=pointer, rule="wrong_type", detail=detail, allowed=allowed)
        number = float(value) if abs(value) < 1e300 else math.inf  # type: ignore[arg-type]
        if not (self.low <= number <= self.high) or (self.above and number == self.low):
            return Fault(pointer=pointer, rule="out_of_range", detail=detail, allowed=allowed)
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """An option that is one of a few words."""

    default: str
    words: tuple[str, ...]

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "string", "enum": list(self.words), "default": self.default}

    def fault(self, pointer: str, value: object) -> Fault | None:
        """What is wrong with a value; None where it is allowed."""
        if isinstance(value, str) and value in self.words:
            return None
        detail = f"must be one of {', '.join(self.words)}, got {value!r:.60}"
        return Fault(pointer=pointer, rule="choice_unknown", detail=detail, allowed=list(self.words))


def option_faults(
    below: str, owner: str, given: Mapping[str, Any], options: Mapping[str, Number | Word]
) -> list[Fault]:
    """What is wrong with the given options. options: those that exist. below: pointer of the object that holds them."""
    faults: list[Fault] = []
    for name, value in given.items():
        pointer = below + json_pointer(name)
        if name not in options:
            faults.append(unknown(pointer, "unknown_field", f"option of {owner}", name, options))
        elif (fault := options[name].fault(pointer, value)) is not None:
            faults.append(fault)
    return faults


def unknown(pointer: str, rule: str, kind: str, name: object, known: Mapping[str, Any]) -> Fault:
    """The fault of a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names) or 'none'}"
    return Fault(pointer=pointer, rule=rule, detail=f"{str(name)[:60]!r} is no {kind}{hint}", allowed=names)
