"""One step of compression in a process of its own on the cluster, and the steps by name.

    StepTask (plain values and bytes)  ->  take(task, data)  ->  StepResult

A step that fails is an end of that step, not of the job: the chain goes on from the network before it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from safetensors.torch import load, save

from search.spec import Json
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from workers.compress.int8 import quantise_int8
from workers.compress.lab import Lab, Made
from workers.compress.loader import unpack
from workers.compress.lottery import lottery
from workers.compress.magnitude import prune_magnitude
from workers.compress.sharing import cluster
from workers.compress.state import State, plain
from workers.compress.structured import prune_structured
from workers.data import JobData
from workers.recipe import Recipe


def reference(state: State, lab: Lab) -> Made:
    """The winner's architecture trained on the training split alone, by which the search stage judges; in the final
    stage the winner itself."""
    if not lab.deciding:
        return Made(state=state, kept=True)
    trainer = lab.fresh(state)
    for _ in range(lab.epochs):
        trainer.train_epoch()
    trained = state.having(trainer.module.state_dict())
    lab.judge(lambda: lab.score(trained))
    return Made(state=trained, kept=True)


def huffman(state: State, lab: Lab) -> Made:  # noqa: ARG001 - no weight changes, so there is nothing to ask
    """The places in the books, and the runs of zeros, in Huffman codes (Han et al. 2016, section 5)."""
    return Made(state=state.having(state.weights, form="coded"), kept=True)


STEPS: Mapping[str, Callable[..., Made]] = {
    "reference": reference,
    "prune_structured": prune_structured,
    "prune_magnitude": prune_magnitude,
    "lottery": lottery,
    "quantise_int8": quantise_int8,
    "cluster": cluster,
    "huffman": huffman,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StepTask:
    """architecture, weights (a safetensors file), form: of the `State` that the step begins with.

    recipe: of a full training. floor, verdicts: see `Lab`.
    """

    name: str
    options: Json
    architecture: Json
    weights: bytes
    form: str
    recipe: Recipe
    floor: float | None = None
    verdicts: tuple[bool, ...] = ()

    @property
    def state(self) -> State:
        return _state(self.architecture, self.weights, self.form)


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """architecture, weights, form: of the network to go on with; changed: whether it is another than before.

    scores: of the search stage, one for each verdict. detail: what the step says of itself.
    measured: of the final stage, what the network costs (`costs`). files: of the bundle, below `compressed/`.
    """

    architecture: Json
    weights: bytes
    form: str
    kept: bool
    changed: bool
    verdicts: tuple[bool, ...]
    scores: tuple[float, ...]
    detail: Json
    seconds: float
    measured: Json = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def state(self) -> State:
        return _state(self.architecture, self.weights, self.form)


def _state(architecture: Json, weights: bytes, form: str) -> State:
    """The tensors in the order of the network's own state dict, which a safetensors file does not keep."""
    graph, tensors = Architecture.from_json(architecture), load(weights)
    return State(architecture=graph, weights={name: tensors[name] for name in build(graph).state_dict()}, form=form)


def take(task: StepTask, data: JobData) -> StepResult:
    """Do one step. Raises TrialFailure."""
    began = time.monotonic()
    told = list(task.verdicts) if data.val is None else []
    lab = Lab(data=data, recipe=task.recipe, floor=task.floor, verdicts=told)
    before = task.state
    made = STEPS[task.name](before, lab, **task.options)
    return StepResult(
        architecture=made.state.architecture.to_json(),
        weights=save(dict(made.state.weights)),
        form=made.state.form,
        kept=made.kept,
        changed=made.state is not before,
        verdicts=tuple(lab.verdicts),
        scores=tuple(lab.scores),
        detail=dict(made.detail),
        seconds=time.monotonic() - began,
        measured={} if lab.deciding else costs(made.state, lab, before=before),
        files=made.files,
    )


def costs(state: State, lab: Lab, *, before: State) -> Json:
    """What a network costs: bytes of its packed file, parameters, how many are not zero, MACs, latency.

    latency_before_ms: of the network that the step began with, measured in the same process a moment earlier, since
    what other work a machine does changes every figure but their ratio.
    """
    analysis = analyse(state.architecture)
    earlier = lab.latency(before)["latency_ms"]
    return {
        "bytes": len(state.pack()),
        "params": analysis.params,
        "nonzero": state.nonzero,
        "macs": analysis.macs,
        "latency_before_ms": earlier,
        **lab.latency(state),
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class LastTask:
    """The look at the test split. packed: the weights' file as it lies in the bundle. before: the winner's graph."""

    architecture: Json
    packed: bytes
    before: Json
    recipe: Recipe


def last_look(task: LastTask, data: JobData) -> dict[str, float]:
    """All scores of the network on the test split, read from its file; "score" is the job's own. Raises TrialFailure.

    latency_ms, latency_before_ms: the better of two turns each, taken alternately.
    """
    if data.test is None:
        raise ValueError("the last look needs the final splits")
    lab = Lab(data=data, recipe=task.recipe)
    state = State(architecture=Architecture.from_json(task.architecture), weights=plain(unpack(task.packed)))
    score, measures = lab.still(state).final_score(data.test)
    first = Architecture.from_json(task.before)
    winner = State(architecture=first, weights=plain(build(first).state_dict()))
    turns = [(lab.latency(winner)["latency_ms"], lab.latency(state)["latency_ms"]) for _ in range(2)]
    before, after = (min(column) for column in zip(*turns, strict=True))
    return {**measures, "score": score, "latency_before_ms": before, "latency_ms": after}
