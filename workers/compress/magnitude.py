"""prune_magnitude: the smallest weights of the whole network are set to zero and stay so, in rounds of fine-tuning.

Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks. The network computes as much as
before; its file, where zeros cost next to nothing, becomes smaller.
"""

from functools import partial

from workers.compress import masks
from workers.compress.fine_tuner import FineTuner, StepOutput, shares
from workers.compress.state import State


def prune_magnitude(state: State, tuner: FineTuner, *, sparsity: float, rounds: int, epochs: int) -> StepOutput:
    """Sets up to the share `sparsity` of the weights of matrices and kernels to zero. epochs: of tuning, each round.

    Raises TrialFailure (`diverged`, `out_of_memory`).
    """
    made, done, gone = state, 0, 0.0
    keep = masks.all_ones(state.module())
    for wanted in shares(sparsity, rounds):
        keep = masks.least({name: made.weights[f"{name}.weight"] for name in keep}, keep, wanted)
        sparser = tuner.attempt(partial(_tuned, made, keep, tuner, epochs))
        if sparser is None:
            break
        made, done, gone = sparser, done + 1, masks.share_gone(keep)
    return StepOutput(state=made, kept=done > 0, detail={"rounds": done, "sparsity": gone})


def _tuned(state: State, keep: masks.Masks, tuner: FineTuner, epochs: int) -> State:
    module = state.module()
    masks.put(module, keep)
    tuner.tune(state, module, epochs=epochs)
    weights = masks.weights_of(module)
    return state.having({name: weights[name] for name in state.weights}, form="sparse")
