"""lottery: a sparse network that could have been trained from the start, found by pruning and rewinding.

Frankle & Carbin 2019, The Lottery Ticket Hypothesis; rewound not to the first but to early weights, as deeper networks
need (Frankle et al. 2020, Linear Mode Connectivity). In rounds: train to the end, mask the smallest weights, put the
others back to what they were after `rewind_epoch` epochs (the optimizer and its schedule as well), train again.

Beside the ticket, a mask with as many weights of each layer at random places is trained from the same early weights: a
ticket that is no better gained nothing from its choice of weights; the report has both scores.
"""

import copy
from functools import partial
from typing import Any

from workers.compress import masks
from workers.compress.fine_tuner import FineTuner, StepOutput, shares
from workers.compress.masks import Masks
from workers.compress.state import State
from workers.train.trainer import Trainer


def lottery(state: State, tuner: FineTuner, *, sparsity: float, rounds: int, rewind_epoch: int) -> StepOutput:
    """Trains rounds + 1 times (and once more for the random mask) from scratch; the given weights are not used.

    sparsity: share of the weights pruned after the last round. rewind_epoch: epochs after which the early weights are
    taken. Raises TrialFailure (`diverged`, `out_of_memory`).
    """
    trainer = tuner.fresh(state)
    keep = masks.all_ones(trainer.module)
    masks.put(trainer.module, keep)
    trainer = tuner.trainer(state, trainer.module, epochs=tuner.epochs, rate=1.0)
    early = min(rewind_epoch, tuner.epochs - 1)
    _train(trainer, until=early)
    start = copy.deepcopy(trainer.state_dict())
    _train(trainer, until=tuner.epochs)
    made, done = state, 0
    for wanted in shares(sparsity, rounds):
        trained = masks.weights_of(trainer.module)
        chosen = masks.least({name: trained[f"{name}.weight"] for name in keep}, keep, wanted)
        ticket = tuner.attempt(partial(_rewound, trainer, start, chosen, state, tuner))
        if ticket is None:
            break
        made, keep, done = ticket, chosen, done + 1
    detail: dict[str, Any] = {"rounds": done, "sparsity": masks.share_gone(keep), "rewind_epoch": early}
    if done and tuner.deciding:
        drawn = _rewound(trainer, start, masks.shuffled(keep, seed=tuner.recipe.seed), state, tuner)
        detail["random_mask_score"] = tuner.score(drawn)
    return StepOutput(state=made, kept=done > 0, detail=detail)


def _rewound(trainer: Trainer, start: dict[str, Any], keep: Masks, state: State, tuner: FineTuner) -> State:
    """The network after a training from the early weights under these masks."""
    module = {**start["module"], **{f"{name}.weight_mask": mask for name, mask in keep.items()}}
    trainer.load_state_dict({**copy.deepcopy(start), "module": module})
    _train(trainer, until=tuner.epochs)
    weights = masks.weights_of(trainer.module)
    return state.having({name: weights[name] for name in state.weights}, form="sparse")


def _train(trainer: Trainer, *, until: int) -> None:
    while trainer.epochs_done < until:
        trainer.train_epoch()
