"""The controllers by name, their options, and how to make one. A new controller is its file and one entry here.

Controllers are imported when one is made, so that a process that only checks options loads no optimiser.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

from archsmith.errors import Fault, InvalidInput
from search.controller import Controller
from search.limits import Limit
from search.spec import ControllerSpec
from search.walks import SearchSpace


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A controller that can be asked for.

    name: of what makes it, "file:class", below `search.controllers`. knows: what it must be told of the job before the
    first outcome, "objectives" (how many) or "trials" (of the budget).
    """

    name: str
    options: Mapping[str, Number | Word] = field(default_factory=dict)
    knows: tuple[str, ...] = ()

    def load(self) -> Callable[..., Controller]:
        """Imports its file."""
        made: Callable[..., Controller] = resolve_name(f"search.controllers.{self.name}")
        return made


STARTS = Number(default=6, low=2, high=1000, whole=True)
WARM = ("params", "none")
WARM_STARTS = Word(default="params", words=(*WARM, "zero_cost"))

CONTROLLERS: dict[str, Entry] = {
    "auto": Entry(name="auto:auto", knows=("trials",)),
    "policy_model": Entry(
        name="policy_model:PolicyModelController",
        options={
            "starts": STARTS,
            "warm": WARM_STARTS,
            "learning_rate": Number(default=1.0, low=0, high=10, above=True),
            "entropy": Number(default=0.03, low=0, high=1),
            "samples": Number(default=200, low=8, high=200, whole=True),
        },
    ),
    "ppo": Entry(
        name="ppo:PpoController",
        options={
            "learning_rate": Number(default=0.5, low=0, high=10, above=True),
            "entropy": Number(default=0.03, low=0, high=1),
            "clip": Number(default=0.2, low=0, high=1, above=True),
            "batch": Number(default=8, low=1, high=1000, whole=True),
            "passes": Number(default=2, low=1, high=100, whole=True),
        },
    ),
    "predictor": Entry(name="predictor:PredictorController", options={"starts": STARTS, "warm": WARM_STARTS}),
    "evolution": Entry(
        name="evolution:EvolutionController",
        options={
            "population": Number(default=20, low=2, high=10_000, whole=True),
            "sample": Number(default=5, low=1, high=10_000, whole=True),
        },
    ),
    "gp": Entry(
        name="gp:GpController",
        options={
            "startup": Number(default=10, low=1, high=1000, whole=True),
            "history": Number(default=100, low=10, high=1000, whole=True),
        },
    ),
    "grid": Entry(name="grid:GridController"),
    "local_search": Entry(
        name="local_search:LocalSearchController", options={"starts": Number(default=1, low=1, high=1000, whole=True)}
    ),
    "nsga2": Entry(
        name="nsga2:Nsga2Controller",
        options={"population": Number(default=20, low=2, high=10_000, whole=True)},
        knows=("objectives",),
    ),
    "random": Entry(name="random:RandomController"),
    "tpe": Entry(
        name="tpe:TpeController",
        knows=("objectives",),
        options={
            "startup": Number(default=10, low=1, high=1000, whole=True),
            "candidates": Number(default=24, low=1, high=1000, whole=True),
            "branches": Word(default="single", words=("grouped", "single")),
        },
    ),
    "reinforce": Entry(
        name="reinforce:ReinforceController",
        options={
            "learning_rate": Number(default=1.0, low=0, high=10, above=True),
            "entropy": Number(default=0.03, low=0, high=1),
            "advantage": Word(default="quantile", words=("ema", "quantile")),
            "baseline": Number(default=0.9, low=0, high=0.999),
            "warm": Word(default="none", words=WARM),
        },
    ),
}


def check_options(spec: ControllerSpec) -> None:
    """Raises InvalidInput with every fault; pointers start at the controller's own object ("/entropy")."""
    if spec.name not in CONTROLLERS:
        raise InvalidInput(unknown("/name", "choice_unknown", "controller", spec.name, CONTROLLERS))
    faults = option_faults("", spec.name, spec.options, CONTROLLERS[spec.name].options)
    if faults:
        raise InvalidInput(faults)


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


def make_controller(
    spec: ControllerSpec,
    *,
    space: SearchSpace,
    constraints: Sequence[Limit] = (),
    seed: int = 0,
    objectives: int = 1,
    trials: int | None = None,
) -> Controller:
    """A fresh controller, to be asked or restored. Raises InvalidInput as `check_options` does.

    objectives: how many values each outcome will have. trials: how many the budget allows, None where that is open.
    """
    check_options(spec)
    entry = CONTROLLERS[spec.name]
    job = {"objectives": objectives, "trials": trials}
    told = {name: job[name] for name in entry.knows}
    return entry.load()(space, constraints=constraints, seed=seed, **told, **spec.options)


def unknown(pointer: str, rule: str, kind: str, name: object, known: Mapping[str, Any]) -> Fault:
    """The fault of a name that is none of those there are, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names) or 'none'}"
    return Fault(pointer=pointer, rule=rule, detail=f"{str(name)[:60]!r} is no {kind}{hint}", allowed=names)
