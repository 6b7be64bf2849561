"""What a job may ask for to have its winner made smaller: the steps, their options, and in which order they make sense.

What each step does stands in `workers/compress/`.
"""

from collections.abc import Mapping
from typing import Any

from archsmith.errors import Fault, InvalidInput
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
"""What a job gets that asks to be compressed and says no more."""

AFTER: Mapping[str, tuple[tuple[str, ...], str]] = {
    "prune_structured": (
        ("prune_magnitude", "lottery", "cluster"),
        "channels leave a network that is still dense",
    ),
    "prune_magnitude": (("lottery", "cluster"), "what was pruned or shared already cannot be pruned by size"),
    "lottery": (("prune_magnitude", "cluster"), "it begins from new weights, so those before it would be lost"),
}
"""Step -> the steps it cannot come after, and why."""


def complete(step: CompressStep) -> dict[str, Any]:
    """The options of a step, those left out at their defaults. Of a spec that was checked."""
    return {name: option.default for name, option in STEPS[step.name].items()} | dict(step.options)


def epochs_of(step: CompressStep, whole: int, *, rounds: int | None = None) -> int:
    """How long a step trains in one pass. whole: epochs of a full training. rounds: so many at most."""
    options = complete(step)
    asked = int(options.get("rounds", 1))
    taken = asked if rounds is None else min(rounds, asked)
    if step.name == "lottery":  # the first training, and the random mask's
        return whole * (taken + 2)
    return int(options.get("epochs", 0)) * taken


def check_compress(spec: CompressSpec) -> None:
    """Raises InvalidInput with every fault; pointers start at the section ("/steps/0/share")."""
    faults: list[Fault] = []
    for place, step in enumerate(spec.steps):
        here = f"/steps/{place}"
        if step.name not in STEPS:
            faults.append(unknown(here, "choice_unknown", "step of compression", step.name, STEPS))
            continue
        faults += option_faults(here, step.name, step.options, STEPS[step.name])
        faults += _order_faults(here, [one.name for one in spec.steps[:place]], step.name)
    if faults:
        raise InvalidInput(faults)


def data_faults(spec: CompressSpec, data: str) -> list[Fault]:
    """What the kind of data does not allow; pointers start at the section. data: a name of `space.kinds.KINDS`."""
    if not KINDS[data].is_graph:
        return []
    detail = f"quantise_int8 calibrates on batches of pictures or volumes, and this job's data are {data} of graphs"
    return [
        Fault(pointer=f"/steps/{place}", rule="combination_unsupported", detail=detail, allowed=_others([step.name]))
        for place, step in enumerate(spec.steps)
        if step.name == "quantise_int8"
    ]


def _order_faults(here: str, before: list[str], name: str) -> list[Fault]:
    rule = "combination_unsupported"
    if name in before:
        return [Fault(pointer=here, rule=rule, detail=f"{name} can be taken once", allowed=_others(before))]
    if "huffman" in before:
        detail = f"{name} cannot come after huffman, which codes what the others made"
        return [Fault(pointer=here, rule=rule, detail=detail, allowed=["huffman as the last step"])]
    forbidden, why = AFTER.get(name, ((), ""))
    for other in forbidden:
        if other in before:
            detail = f"{name} cannot come after {other}: {why}"
            return [Fault(pointer=here, rule=rule, detail=detail, allowed=_others([*before, name]))]
    if name == "huffman" and "cluster" not in before:
        detail = "huffman codes places in books of shared values, and there are none without cluster before it"
        return [Fault(pointer=here, rule=rule, detail=detail, allowed=["cluster before huffman"])]
    return []


def _others(taken: list[str]) -> list[str]:
    return [name for name in STEPS if name not in taken]
