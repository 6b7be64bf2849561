"""The controllers by name, their options, and how to make one. A new controller is its file and one entry here.

Controllers are imported when one is made, so that a process that only checks options loads no optimiser.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name

from archsmith.errors import InvalidInput
from search.options import Number, Word, option_faults, unknown
from search.proposing.constraints import Constraint
from search.proposing.controller import Controller
from search.proposing.walks import SearchSpace
from search.spec import ControllerSpec


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


def make_controller(
    spec: ControllerSpec,
    *,
    space: SearchSpace,
    constraints: Sequence[Constraint] = (),
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
