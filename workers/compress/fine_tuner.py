"""What a step of compression may do with a network: train it, check that it is still good enough, and measure it.

Every decision is made on the validation split. The winner itself was trained on that split, so a compressed winner
cannot be judged there. Therefore the steps run twice:

    search   from a network of the winner's architecture trained on the training split alone; after each attempt a
             step asks whether the validation score is within `max_drop` of that network's, and the answers are recorded
    final    from the winner's own weights, on training and validation split together; the same steps get the same
             answers, so nothing is decided here

The test split is used once, at the end of the second pass, as for every finalist.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from workers.compress.state import State
from workers.measures.latency import passes
from workers.train.job_data import JobData
from workers.train.prepare import new_trainer, trainer_of
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

RATE = 0.3
"""Learning rate of fine-tuning, as a share of that of a training from scratch."""


@dataclass(kw_only=True, slots=True)
class FineTuner:
    """data: of the search stage (with a validation split) or of the final one (without). recipe: of a full training.

    floor: the lowest validation score allowed, in the search stage. verdicts: the answers given so far, or to be
    repeated in the final stage. scores: of the search stage, one for each answer.
    """

    data: JobData
    recipe: Recipe
    floor: float | None = None
    verdicts: list[bool] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    _answered: int = 0

    @property
    def deciding(self) -> bool:
        """Whether this is the search stage."""
        return self.data.val is not None

    @property
    def epochs(self) -> int:
        """Epochs of a training from scratch."""
        return self.recipe.epochs

    def fresh(self, state: State) -> Trainer:
        """A trainer of the architecture with freshly drawn weights, for as many epochs as a final training."""
        return new_trainer(state.architecture.to_json(), self.data, self.recipe)

    def trainer(
        self,
        state: State,
        module: nn.Module,
        *,
        epochs: int,
        rate: float = RATE,
        changes: Mapping[str, Any] | None = None,
    ) -> Trainer:
        """A trainer of an existing module. rate: share of the learning rate. changes: fields of the recipe."""
        values = replace(self.recipe.lasting(epochs), **(changes or {}))
        return trainer_of(module, state.architecture.training, self.data, values, rate=rate)

    def tune(self, state: State, module: nn.Module, *, epochs: int, rate: float = RATE) -> None:
        """Fine-tune an existing module in place. Raises TrialFailure (`diverged`, `out_of_memory`)."""
        trainer = self.trainer(state, module, epochs=epochs, rate=rate)
        for _ in range(epochs):
            trainer.train_epoch()

    def attempt(self, make: Callable[[], State]) -> State | None:
        """The state that `make` returns if it passes the stop rule, else None.

        In the final stage `make` is not called for an attempt that failed in the search stage.
        """
        if not self.deciding:
            return make() if self.judge(None) else None
        made = make()
        return made if self.judge(lambda: self.score(made)) else None

    def judge(self, score: Callable[[], float] | None) -> bool:
        """Whether a validation score passes the stop rule; in the final stage, the recorded answer.

        Raises ValueError without a score in the search stage.
        """
        if not self.deciding:
            self._answered += 1
            return self.verdicts[self._answered - 1]
        if score is None:
            raise ValueError("score is None, but the search stage judges by a validation score")
        self.scores.append(score())
        self.verdicts.append(self.floor is None or self.scores[-1] >= self.floor)
        return self.verdicts[-1]

    def score(self, state: State, module: nn.Module | None = None) -> float:
        """The score on the validation split, in float32 as the bundle runs. Raises ValueError in the final stage."""
        if self.data.val is None:
            raise ValueError("the final stage has no validation split to score on: nothing may be decided there")
        return self.still(state, module).score(self.data.val)

    def latency(self, state: State, module: nn.Module | None = None) -> dict[str, float]:
        """Milliseconds of one forward pass, see `workers.measures.latency`."""
        return passes(self.still(state, module), with_energy=False)

    def still(self, state: State, module: nn.Module | None = None) -> Trainer:
        """A trainer for evaluation only, in float32."""
        return self.trainer(state, module or state.module(), epochs=0, changes={"precision": "fp32"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutput:
    """The result of a step. state: the network to continue with, which is the given one if no attempt passed.

    detail: for the report. files: of the bundle, by name below `compressed/`.
    """

    state: State
    kept: bool
    detail: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


def shares(total: float, rounds: int) -> Sequence[float]:
    """The share removed after each round, such that every round removes the same share of what is left."""
    return [1 - (1 - total) ** (number / rounds) for number in range(1, rounds + 1)]
