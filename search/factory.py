"""The controllers by name, their options, and how to make one. A new controller is one file and one entry here.

A controller's file is imported when one is made, so that a process that only checks options loads no optimiser.
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
class ControllerEntry:
    """A controller that a job may name.

    path: of the class or function that makes it, "file:name", below `search.controllers`. job_arguments: what else it
    is made from, "objectives" (how many) or "trials" (of the budget).
    """

    path: str
    options: Mapping[str, Number | Word] = field(default_factory=dict)
    job_arguments: tuple[str, ...] = ()

    def load(self) -> Callable[..., Controller]:
        """Imports its file."""
        make: Callable[..., Controller] = resolve_name(f"search.controllers.{self.path}")
        return make


STARTS = Number(default=6, low=2, high=1000, whole=True)
PRETRAINING = ("params", "none")
"""The words of the option `warm` where it is about the policy: pretrained on parameter counts, or uniform at first."""

INITIAL_DESIGN = Word(default="params", words=("params", "none", "zero_cost"))
"""The option `warm` where it is about the first trials: what half of them are ranked by before any is trained."""

CONTROLLERS: dict[str, ControllerEntry] = {
    "auto": ControllerEntry(path="auto:auto", job_arguments=("trials",)),
    "policy_model": ControllerEntry(
        path="policy_model:PolicyModelController",
        options={
            "starts": STARTS,
            "warm": INITIAL_DESIGN,
            "learning_rate": Number(default=1.0, low=0, high=10, above=True),
            "entropy": Number(default=0.03, low=0, high=1),
            "samples": Number(default=200, low=8, high=200, whole=True),
        },
    ),
    "ppo": ControllerEntry(
        path="ppo:PpoController",
        options={
            "learning_rate": Number(default=0.5, low=0, high=10, above=True),
            "entropy": Number(default=0.03, low=0, high=1),
            "clip": Number(default=0.2, low=0, high=1, above=True),
            "batch": Number(default=8, low=1, high=1000, whole=True),
            "passes": Number(default=2, low=1, high=100, whole=True),
        },
    ),
    "predictor": ControllerEntry(
        path="predictor:PredictorController", options={"starts": STARTS, "warm": INITIAL_DESIGN}
    ),
    "evolution": ControllerEntry(
        path="evolution:EvolutionController",
        options={
            "population": Number(default=20, low=2, high=10_000, whole=True),
            "sample": Number(default=5, low=1, high=10_000, whole=True),
        },
    ),
    "gp": ControllerEntry(
        path="gp:GpController",
        options={
            "startup": Number(default=10, low=1, high=1000, whole=True),
            "history": Number(default=100, low=10, high=1000, whole=True),
        },
    ),
    "grid": ControllerEntry(path="grid:GridController"),
    "local_search": ControllerEntry(
        path="local_search:LocalSearchController", options={"starts": Number(default=1, low=1, high=1000, whole=True)}
    ),
    "nsga2": ControllerEntry(
        path="nsga2:Nsga2Controller",
        options={"population": Number(default=20, low=2, high=10_000, whole=True)},
        job_arguments=("objectives",),
    ),
    "random": ControllerEntry(path="random:RandomController"),
    "tpe": ControllerEntry(
        path="tpe:TpeController",
        job_arguments=("objectives",),
        options={
            "startup": Number(default=10, low=1, high=1000, whole=True),
            "candidates": Number(default=24, low=1, high=1000, whole=True),
            "branches": Word(default="single", words=("grouped", "single")),
        },
    ),
    "reinforce": ControllerEntry(
        path="reinforce:ReinforceController",
        options={
            "learning_rate": Number(default=1.0, low=0, high=10, above=True),
            "entropy": Number(default=0.03, low=0, high=1),
            "advantage": Word(default="quantile", words=("ema", "quantile")),
            "baseline": Number(default=0.9, low=0, high=0.999),
            "warm": Word(default="none", words=PRETRAINING),
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
    """A new controller, to be asked or restored. Raises InvalidInput as `check_options` does.

    objectives: how many values each outcome will have. trials: how many the budget allows, None where it sets no limit.
    """
    check_options(spec)
    entry = CONTROLLERS[spec.name]
    job = {"objectives": objectives, "trials": trials}
    arguments = {name: job[name] for name in entry.job_arguments}
    return entry.load()(space, constraints=constraints, seed=seed, **arguments, **spec.options)
