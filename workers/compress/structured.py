"""prune_structured: channels are removed for real, so the result is a smaller and faster network of the same kind.

In rounds: of every family of interchangeable channels (`workers.weights.channels`) the least important are removed, the
rest is fine-tuned, and the next round starts from there if the stop rule allows.

    l1         importance of a channel is the sum of the absolute weights of the filters that write it (Li et al. 2017,
               Pruning Filters for Efficient ConvNets)
    bn_scale   the absolute scale of the batch norms that it passes (Liu et al. 2017, Network Slimming); where it passes
               none, as above

Each is divided by its mean in its layer, so that layers that write one channel together (into a sum) have equal say.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workers.compress.fine_tuner import FineTuner, StepOutput, shares
from workers.compress.state import State
from workers.weights.channels import TRANSPOSED, Numbers, Ties
from workers.weights.narrow import narrow

BLOCK = 8
"""Wide families keep the nearest multiple of this many channels, since processors work on blocks of 8 or 16."""

Floats = NDArray[np.float64]


def prune_structured(
    state: State, tuner: FineTuner, *, share: float, rounds: int, epochs: int, importance: str
) -> StepOutput:
    """Removes up to `share` of the channels of each family, in rounds of `epochs` epochs of fine-tuning.

    importance: "l1" or "bn_scale", see above. Raises TrialFailure (`diverged`, `out_of_memory`).
    """
    sizes = {writers: len(groups) for writers, groups in Ties(state.architecture).families().items()}
    made, done = state, 0
    for gone in shares(share, rounds):
        ties = Ties(made.architecture)
        removed = least(ties, made, sizes, gone, by=importance)
        if not len(removed):
            continue
        smaller = tuner.attempt(partial(_tuned, ties, made, removed, tuner, epochs))
        if smaller is None:
            break
        made, done = smaller, done + 1
    detail: dict[str, Any] = {"rounds": done}
    if done:
        left = {writers: len(groups) for writers, groups in Ties(made.architecture).families().items()}
        detail["channels"] = {writers[0]: [sizes[writers], left[writers]] for writers in sizes if writers in left}
    return StepOutput(state=made, kept=done > 0, detail=detail)


def _tuned(ties: Ties, state: State, removed: Numbers, tuner: FineTuner, epochs: int) -> State:
    architecture, weights = narrow(ties, state.weights, removed)
    smaller = State(architecture=architecture, weights=weights, form=state.form)
    module = smaller.module()
    tuner.tune(smaller, module, epochs=epochs)
    return smaller.having(module.state_dict())


def least(ties: Ties, state: State, sizes: dict[tuple[str, ...], int], gone: float, *, by: str) -> Numbers:
    """The numbers of the groups to remove, (n,), so that each family has lost the share `gone` of its first size.

    sizes: first size by family. by: "l1" or "bn_scale". At least one group of each family stays.
    """
    scores = importances(ties, state, by=by)
    chosen = []
    for writers, groups in ties.families().items():
        keep = _kept(sizes[writers], gone)
        order = np.argsort(scores[groups], kind="stable")
        chosen.append(groups[order[: max(0, len(groups) - keep)]])
    return np.concatenate(chosen) if chosen else np.array([], dtype=np.int64)


def _kept(size: int, gone: float) -> int:
    keep = size * (1 - gone)
    return max(1, round(keep)) if size < 4 * BLOCK else BLOCK * max(1, int(keep / BLOCK + 0.5))


def importances(ties: Ties, state: State, *, by: str) -> Floats:
    """Importance of every group by its number, (groups,): the mean over the layers that write or scale it."""
    writing = {name for writers in ties.families() for name in writers}
    total, count = _votes(ties, {name: _filters(state, name) for name in writing})
    if by == "bn_scale":
        norms = [node for node in ties.architecture.nodes if node.op == "batch_norm"]
        scales = {node.name: _size(state.weights[f"{node.weights or node.name}.weight"]) for node in norms}
        passed, often = _votes(ties, scales)
        total, count = np.where(often > 0, passed, total), np.where(often > 0, often, count)
    return total / np.maximum(count, 1)


def _votes(ties: Ties, sizes: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Sum and count, (groups,) each, of the relative sizes in these layers. sizes: (C,) of the channels of each."""
    length = 1 + max(int(groups.max()) for groups in ties.groups.values())
    total, count = np.zeros(length), np.zeros(length)
    for name, size in sizes.items():
        np.add.at(total, ties.groups[name], size / max(float(size.mean()), 1e-12))
        np.add.at(count, ties.groups[name], 1.0)
    return total, count


def _filters(state: State, name: str) -> Floats:
    node = next(node for node in state.architecture.nodes if node.name == name)
    owner = node.weights or node.name
    weight = state.weights.get(f"{owner}.weight", state.weights.get(f"{owner}.lin.weight"))
    if weight is None:
        raise ValueError(f"the importance of the channels of {name} cannot be computed: the layer has no weight")
    return _size(weight.transpose(0, 1) if node.op in TRANSPOSED else weight)


def _size(weight: Tensor) -> Floats:
    """Sum of the absolute values of each output channel: (C, ...) -> (C,)."""
    return weight.abs().reshape(len(weight), -1).sum(dim=1).double().numpy()
