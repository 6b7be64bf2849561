"""The compression of a job's winner: the steps it may have, their options, and the orders that make sense.

What each step does is in `workers/compress/`.
"""

from collections.abc import Mapping
from typing import Any

from archsmith.errors import Fault, InvalidInput, pointer
from search.options import Number, Word, option_faults, unknown
from search.spec import CompressSpec, CompressStep
from space.kinds import KINDS

EPOCHS = Number(default=2, low=1, high=1000, whole=True)
ROUNDS = Number(default=3, low=1, high=20, whole=True)

STEPS: Mapping[str, Mapping[str, Number | Word]] = {
    "prune_structured": {
        "share": Number(default=0.5, low=0, high=0.95, above=True),
        "rounds": ROUNDS,
        "epochs": EPOCHS,
        "importance": Word(default="l1", words=("l1", "bn_scale")),
    },
    "prune_magnitude": {
        "sparsity": Number(default=0.7, low=0, high=0.99, above=True),
        "rounds": ROUNDS,
        "epochs": EPOCHS,
    },
    "lottery": {
        "sparsity": Number(default=0.7, low=0, high=0.99, above=True),
        "rounds": ROUNDS,
        "rewind_epoch": Number(default=1, low=0, high=1000, whole=True),
    },
    "quantise_int8": {"samples": Number(default=256, low=1, high=65_536, whole=True)},
    "cluster": {"clusters": Number(default=16, low=2, high=255, whole=True), "epochs": EPOCHS},
    "huffman": {},
}

DEFAULT = ("prune_structured", "prune_magnitude", "cluster", "huffman")
"""The steps of a job that asks for compression and names none."""

AFTER: Mapping[str, tuple[tuple[str, ...], str]] = {
    "prune_structured": (
        ("prune_magnitude", "lottery", "cluster"),
        "channels are removed from a dense network",
    ),
    "prune_magnitude": (("lottery", "cluster"), "weights that are already pruned or shared cannot be pruned by size"),
    "lottery": (
        ("prune_magnitude", "cluster"),
        "it starts from new weights, so the results of those steps would be lost",
    ),
}
"""By step: the steps that it cannot come after, and why."""


def complete(step: CompressStep) -> dict[str, Any]:
    """The options of a step of a checked spec, with the defaults of those left out."""
    return {name: option.default for name, option in STEPS[step.name].items()} | dict(step.options)


def epochs_of(step: CompressStep, whole: int, *, rounds: int | None = None) -> int:
    """How many epochs a step trains in one pass. whole: epochs of a full training. rounds: at most so many."""
    options = complete(step)
    given = int(options.get("rounds", 1))
    count = given if rounds is None else min(rounds, given)
    if step.name == "lottery":  # two more: the first training, and that of the random mask
        return whole * (count + 2)
    return int(options.get("epochs", 0)) * count


def check_compress(spec: CompressSpec) -> None:
    """Raises InvalidInput with every fault; pointers start at the section ("/steps/0/share")."""
    faults: list[Fault] = []
    for place, step in enumerate(spec.steps):
        here = pointer("steps", place)
        if step.name not in STEPS:
            faults.append(unknown(here, "choice_unknown", "compression step", step.name, STEPS))
            continue
        faults += option_faults(here, step.name, step.options, STEPS[step.name])
        faults += _order_faults(here, [earlier.name for earlier in spec.steps[:place]], step.name)
    if faults:
        raise InvalidInput(faults)


def data_faults(spec: CompressSpec, data: str) -> list[Fault]:
    """Steps that the kind of data rules out; pointers start at the section. data: a name of `space.kinds.KINDS`."""
    if not KINDS[data].is_graph:
        return []
    detail = f"quantise_int8 calibrates on batches of images or volumes, and this job's data are {data} of graphs"
    return [
        Fault(
            pointer=pointer("steps", place), rule="combination_unsupported", detail=detail, allowed=_others([step.name])
        )
        for place, step in enumerate(spec.steps)
        if step.name == "quantise_int8"
    ]


def _order_faults(here: str, before: list[str], name: str) -> list[Fault]:
    rule = "combination_unsupported"
    if name in before:
        return [Fault(pointer=here, rule=rule, detail=f"{name} can be a step only once", allowed=_others(before))]
    if "huffman" in before:
        detail = f"{name} cannot come after huffman, which encodes the result of all other steps"
        return [Fault(pointer=here, rule=rule, detail=detail, allowed=["huffman as the last step"])]
    forbidden, why = AFTER.get(name, ((), ""))
    for other in forbidden:
        if other in before:
            detail = f"{name} cannot come after {other}: {why}"
            return [Fault(pointer=here, rule=rule, detail=detail, allowed=_others([*before, name]))]
    if name == "huffman" and "cluster" not in before:
        detail = "huffman encodes indices into the tables of shared values that cluster makes: put cluster before it"
        return [Fault(pointer=here, rule=rule, detail=detail, allowed=["cluster before huffman"])]
    return []


def _others(taken: list[str]) -> list[str]:
    return [name for name in STEPS if name not in taken]
