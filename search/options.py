"""What a controller may be told: the kinds of its options, and what is wrong with a given one."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsmith.errors import Fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """An option that is a number from `low` to `high`; `whole` ones are integers. default: as in the class."""

    default: float
    low: float
    high: float
    whole: bool = False
    above: bool = False  # `low` itself is out

    def shown(self) -> dict[str, Any]:
        """As in JSON Schema."""
        low = "exclusiveMinimum" if self.above else "minimum"
        kind = "integer" if self.whole else "number"
        return {"type": kind, low: self.low, "maximum": self.high, "default": self.default}

    def fault(self, pointer: str, value: object) -> Fault | None:
        kind = "a whole number" if self.whole else "a number"
        law = (
            f"{kind} {'above' if self.above else 'from'} {self.low:g} {'and up ' if self.above else ''}to {self.high:g}"
        )
        allowed = {"exclusiveMinimum" if self.above else "minimum": self.low, "maximum": self.high}
        fits = isinstance(value, int) or (isinstance(value, float) and not self.whole)
        if not fits or isinstance(value, bool):
            return Fault(
                pointer=pointer, rule="wrong_type", detail=f"must be {law}, got {value!r:.60}", allowed=allowed
            )
        number = float(value) if abs(value) < 1e300 else math.inf  # type: ignore[arg-type]
        if not (self.low <= number <= self.high) or (self.above and number == self.low):
            return Fault(
                pointer=pointer, rule="out_of_range", detail=f"must be {law}, got {value!r:.60}", allowed=allowed
            )
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """An option that is one of a few words."""

    default: str
    words: tuple[str, ...]

    def shown(self) -> dict[str, Any]:
        """As in JSON Schema."""
        return {"type": "string", "enum": list(self.words), "default": self.default}

    def fault(self, pointer: str, value: object) -> Fault | None:
        if isinstance(value, str) and value in self.words:
            return None
        detail = f"must be one of {', '.join(self.words)}, got {value!r:.60}"
        return Fault(pointer=pointer, rule="choice_unknown", detail=detail, allowed=list(self.words))


def option_faults(
    below: str, owner: str, given: Mapping[str, Any], options: Mapping[str, Number | Word]
) -> list[Fault]:
    """What is wrong with the options given of those that there are. below: pointer of the object that holds them."""
    faults: list[Fault] = []
    for name, value in given.items():
        pointer = f"{below}/" + str(name).replace("~", "~0").replace("/", "~1")
        if name not in options:
            faults.append(unknown(pointer, "unknown_field", f"option of {owner}", name, options))
        elif (fault := options[name].fault(pointer, value)) is not None:
            faults.append(fault)
    return faults


def unknown(pointer: str, rule: str, kind: str, name: object, known: Mapping[str, Any]) -> Fault:
    """The fault of a name that is none of those there are, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names) or 'none'}"
    return Fault(pointer=pointer, rule=rule, detail=f"{str(name)[:60]!r} is no {kind}{hint}", allowed=names)
